//! What nodes know of each other: leases, work that is done once, purges.

use std::time::Duration;

use sqlx::Database;
use tower_warden::{MapId, OwnerId, Purge};
use uma_client::Issuer;

use super::{Backend, Db, OrStore as _, Write};
use crate::Error;
use crate::store::{NodeId, NodeRecord};

const DAY: i64 = 86_400_000;

impl Backend {
    /// The clock that leases go by.
    async fn lease_now(&self, connection: &mut <Db as Database>::Connection) -> Result<i64, Error> {
        let now = self.lease_clock(connection).await?;
        #[cfg(test)]
        let now = now.saturating_add(self.ahead.load(std::sync::atomic::Ordering::SeqCst));
        Ok(now)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(super) async fn node_renewed(
    store: &Backend,
    node: &NodeId,
    applied: i64,
    lease: Duration,
) -> Result<Option<i64>, Error> {
    let mut tx = store.write_apart().await?;
    let ends = store
        .lease_now(&mut tx)
        .await?
        .saturating_add(millis(lease));
    let before: Option<i64> = sqlx::query_scalar("SELECT applied FROM warden_node WHERE node = $1")
        .bind(node.as_str())
        .fetch_optional(&mut *tx)
        .await
        .or_store()?;
    sqlx::query(
        "INSERT INTO warden_node (node, applied, lease_ends) VALUES ($1, $2, $3) \
         ON CONFLICT (node) DO UPDATE SET applied = excluded.applied, lease_ends = excluded.lease_ends",
    )
    .bind(node.as_str())
    .bind(applied)
    .bind(ends)
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await?;
    Ok(before)
}

pub(super) async fn node_left(store: &Backend, node: &NodeId) -> Result<(), Error> {
    let mut tx = store.write_apart().await?;
    sqlx::query("DELETE FROM warden_node WHERE node = $1")
        .bind(node.as_str())
        .execute(&mut *tx)
        .await
        .or_store()?;
    tx.commit().await
}

pub(super) async fn nodes_behind(store: &Backend, epoch: i64) -> Result<Vec<NodeRecord>, Error> {
    let mut connection = store.begin_read().await?;
    let now = store.lease_now(&mut connection).await?;
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT node, applied, lease_ends FROM warden_node WHERE lease_ends > $1 AND applied < $2 ORDER BY node",
    )
    .bind(now)
    .bind(epoch)
    .fetch_all(&mut *connection)
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
    store: &Backend,
    works: &[String],
    holder: &str,
    lease: Duration,
) -> Result<Vec<bool>, Error> {
    let mut tx = store.write_apart().await?;
    let now = store.lease_now(&mut tx).await?;
    let mut claimed = Vec::with_capacity(works.len());
    for work in works {
        let done = sqlx::query(
            "INSERT INTO warden_work (work, holder, lease_ends) VALUES ($1, $2, $3) \
             ON CONFLICT (work) DO UPDATE SET holder = excluded.holder, lease_ends = excluded.lease_ends \
             WHERE warden_work.holder = excluded.holder OR warden_work.lease_ends <= $4",
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
    tx.commit().await?;
    Ok(claimed)
}

pub(super) async fn work_released(
    store: &Backend,
    works: &[String],
    holder: &str,
) -> Result<(), Error> {
    let mut tx = store.write_apart().await?;
    for work in works {
        sqlx::query("DELETE FROM warden_work WHERE work = $1 AND holder = $2")
            .bind(work)
            .bind(holder)
            .execute(&mut *tx)
            .await
            .or_store()?;
    }
    tx.commit().await
}

/// Forgets leases that ended a day ago.
pub(super) async fn sweep_leases(store: &Backend, tx: &mut Write<'_>) -> Result<(), Error> {
    let before = store.lease_now(tx).await?.saturating_sub(DAY);
    for statement in [
        "DELETE FROM warden_node WHERE lease_ends < $1",
        "DELETE FROM warden_work WHERE lease_ends < $1",
    ] {
        sqlx::query(statement)
            .bind(before)
            .execute(&mut **tx)
            .await
            .or_store()?;
    }
    Ok(())
}

pub(super) async fn purged(store: &Backend, purge: &Purge, now: i64) -> Result<i64, Error> {
    let mut tx = store.write().await?;
    let epoch = tx.raise_epoch().await?;
    log_purge(&mut tx, purge, epoch, now).await?;
    tx.commit().await?;
    Ok(epoch)
}

/// Tells nodes of a purge that came with an epoch; one for each.
pub(super) async fn log_purge(
    tx: &mut Write<'_>,
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
    sqlx::query("INSERT INTO warden_purge (epoch, kind, what, created) VALUES ($1, $2, $3, $4)")
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
