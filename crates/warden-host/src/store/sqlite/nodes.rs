//! What nodes know of each other: leases, work that is done once, purges.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::{Sqlite, Transaction};
use tower_warden::{MapId, OwnerId, Purge};
use uma_client::Issuer;

use super::{OrStore as _, SqliteStore, raise_epoch, storable};
use crate::Error;
use crate::store::{Listener, NodeId, NodeRecord};

const DAY: i64 = 86_400_000;

impl SqliteStore {
    /// The clock that leases go by: all processes on one file are on one machine.
    fn lease_clock(&self) -> i64 {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = millis(now);
        #[cfg(test)]
        let now = now.saturating_add(self.ahead.load(std::sync::atomic::Ordering::SeqCst));
        now
    }

    /// Sets the clock that leases go by on. The other stores on the same file have to be told, too.
    #[cfg(test)]
    pub(crate) fn advance(&self, by: Duration) {
        self.ahead
            .fetch_add(millis(by), std::sync::atomic::Ordering::SeqCst);
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(super) async fn node_renewed(
    store: &SqliteStore,
    node: &NodeId,
    applied: i64,
    lease: Duration,
) -> Result<Option<i64>, Error> {
    let mut tx = store.write().await?;
    let before: Option<i64> = sqlx::query_scalar("SELECT applied FROM warden_node WHERE node = ?")
        .bind(node.as_str())
        .fetch_optional(&mut *tx)
        .await
        .or_store()?;
    sqlx::query(
        "INSERT INTO warden_node (node, applied, lease_ends) VALUES (?, ?, ?) \
         ON CONFLICT (node) DO UPDATE SET applied = excluded.applied, lease_ends = excluded.lease_ends",
    )
    .bind(node.as_str())
    .bind(applied)
    .bind(store.lease_clock().saturating_add(millis(lease)))
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await.or_store()?;
    Ok(before)
}

pub(super) async fn node_left(store: &SqliteStore, node: &NodeId) -> Result<(), Error> {
    let mut tx = store.write().await?;
    sqlx::query("DELETE FROM warden_node WHERE node = ?")
        .bind(node.as_str())
        .execute(&mut *tx)
        .await
        .or_store()?;
    tx.commit().await.or_store()
}

pub(super) async fn nodes_behind(
    store: &SqliteStore,
    epoch: i64,
) -> Result<Vec<NodeRecord>, Error> {
    let now = store.lease_clock();
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT node, applied, lease_ends FROM warden_node WHERE lease_ends > ? AND applied < ? ORDER BY node",
    )
    .bind(now)
    .bind(epoch)
    .fetch_all(&store.reader)
    .await
    .or_store()?;
    Ok(rows
        .into_iter()
        .map(|(node, applied, ends)| NodeRecord {
            node: NodeId::stored(&node),
            applied,
            left: Duration::from_millis(ends.saturating_sub(now).unsigned_abs()),
        })
        .collect())
}

pub(super) async fn work_claimed(
    store: &SqliteStore,
    works: &[String],
    holder: &str,
    lease: Duration,
) -> Result<Vec<bool>, Error> {
    storable(works.iter().map(String::as_str).chain([holder]))?;
    let mut tx = store.write().await?;
    let now = store.lease_clock();
    let mut claimed = Vec::with_capacity(works.len());
    for work in works {
        let done = sqlx::query(
            "INSERT INTO warden_work (work, holder, lease_ends) VALUES (?, ?, ?) \
             ON CONFLICT (work) DO UPDATE SET holder = excluded.holder, lease_ends = excluded.lease_ends \
             WHERE warden_work.holder = excluded.holder OR warden_work.lease_ends <= ?",
        )
        .bind(work)
        .bind(holder)
        .bind(now.saturating_add(millis(lease)))
        .bind(now)
        .execute(&mut *tx)
        .await
        .or_store()?;
        claimed.push(done.rows_affected() > 0);
    }
    tx.commit().await.or_store()?;
    Ok(claimed)
}

pub(super) async fn work_released(
    store: &SqliteStore,
    works: &[String],
    holder: &str,
) -> Result<(), Error> {
    let mut tx = store.write().await?;
    for work in works {
        sqlx::query("DELETE FROM warden_work WHERE work = ? AND holder = ?")
            .bind(work)
            .bind(holder)
            .execute(&mut *tx)
            .await
            .or_store()?;
    }
    tx.commit().await.or_store()
}

/// Forgets leases that ended a day ago.
pub(super) async fn sweep_leases(
    store: &SqliteStore,
    tx: &mut Transaction<'static, Sqlite>,
) -> Result<(), Error> {
    let before = store.lease_clock().saturating_sub(DAY);
    for statement in [
        "DELETE FROM warden_node WHERE lease_ends < ?",
        "DELETE FROM warden_work WHERE lease_ends < ?",
    ] {
        sqlx::query(statement)
            .bind(before)
            .execute(&mut **tx)
            .await
            .or_store()?;
    }
    Ok(())
}

pub(super) async fn purged(store: &SqliteStore, purge: &Purge, now: i64) -> Result<i64, Error> {
    let mut tx = store.write().await?;
    let epoch = raise_epoch(&mut tx).await?;
    log_purge(&mut tx, purge, epoch, now).await?;
    tx.commit().await.or_store()?;
    Ok(epoch)
}

/// Tells nodes of a purge that came with an epoch; one for each.
pub(super) async fn log_purge(
    tx: &mut Transaction<'static, Sqlite>,
    purge: &Purge,
    epoch: i64,
    now: i64,
) -> Result<(), Error> {
    let (kind, what) = match purge {
        Purge::Map(map) => ("map", map.get().cast_signed().to_string()),
        Purge::Owner(owner) => ("owner", owner.as_str().to_owned()),
        Purge::Am(issuer) => ("am", issuer.as_str().to_owned()),
        // Too much rather than too little, should there be a kind that is not known here.
        _ => ("everything", String::new()),
    };
    storable([what.as_str()])?;
    sqlx::query("INSERT INTO warden_purge (epoch, kind, what, created) VALUES (?, ?, ?, ?)")
        .bind(epoch)
        .bind(kind)
        .bind(what)
        .bind(now)
        .execute(&mut **tx)
        .await
        .or_store()?;
    Ok(())
}

/// A purge as it stands in the store. What can't be understood purges everything.
pub(super) fn purge_of((kind, what): (String, String)) -> Purge {
    match kind.as_str() {
        "map" => what
            .parse::<i64>()
            .ok()
            .map(|map| Purge::Map(MapId::new(map.cast_unsigned()))),
        "owner" => Some(Purge::Owner(OwnerId::new(what))),
        "am" => Issuer::parse(&what).ok().map(Purge::Am),
        _ => None,
    }
    .unwrap_or(Purge::Everything)
}

pub(super) async fn listen(_: &SqliteStore) -> Result<Option<Listener>, Error> {
    Ok(None)
}

pub(super) async fn said(_: &SqliteStore, _: &str) -> Result<(), Error> {
    Ok(())
}
