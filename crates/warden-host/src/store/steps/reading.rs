//! What is read.

use sqlx::{Database, Row as _};
use tower_warden::{MapId, OwnerId, Site};
use uma_client::{Issuer, ResourceId};

use super::nodes::purge_of;
use super::rows::at_path;
use super::{Backend, Db, OrStore as _, texts_in};
use crate::Error;
use crate::am_key::am_key;
use crate::store::enforced::{RawEnforced, Reader};
use crate::store::rows::{RawMap, select_maps};
use crate::store::{Changes, EnforcedRecord, Holding, MapRecord, MapsAt, Orphan};

/// Whether the host may act for the owner of a row at its AM. Without that, work there has to wait.
macro_rules! held {
    ($row:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM warden_connection AS c WHERE c.owner = ",
            $row,
            ".owner AND c.am_key = ",
            $row,
            ".am_key AND c.state = 'held')"
        )
    };
}

fn records(rows: Vec<RawMap>) -> Vec<MapRecord> {
    rows.into_iter().filter_map(RawMap::record).collect()
}

/// `SELECT` of what enforcement has to know of maps, up to the conditions.
macro_rules! select_enforced {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, m.site, m.path_key, m.subtree, m.owner, a.issuer, m.resource_id, m.scopes, m.state, m.withheld \
             FROM warden_resource_map AS m JOIN warden_am AS a ON a.am_key = m.am_key ",
            $rest
        )
    };
}

const EPOCH: &str = "SELECT value FROM warden_epoch WHERE id = 1";

/// A row of [`select_enforced`].
fn raw_enforced(row: &<Db as Database>::Row) -> Result<RawEnforced<'_>, sqlx::Error> {
    Ok(RawEnforced {
        id: row.try_get(0)?,
        site: row.try_get(1)?,
        path_key: row.try_get(2)?,
        subtree: row.try_get(3)?,
        owner: row.try_get(4)?,
        issuer: row.try_get(5)?,
        resource_id: row.try_get(6)?,
        scopes: row.try_get(7)?,
        state: row.try_get(8)?,
        withheld: row.try_get(9)?,
    })
}

/// Reads rows into records, and gives the id of the last.
fn read_enforced(
    read: &mut Reader,
    rows: &[<Db as Database>::Row],
    records: &mut Vec<EnforcedRecord>,
) -> Result<Option<i64>, Error> {
    let mut last = None;
    for row in rows {
        let row = raw_enforced(row).or_store()?;
        last = Some(row.id);
        records.extend(read.record(&row));
    }
    Ok(last)
}

fn enforced(rows: &[<Db as Database>::Row]) -> Result<Vec<EnforcedRecord>, Error> {
    let mut records = Vec::with_capacity(rows.len());
    read_enforced(&mut Reader::default(), rows, &mut records)?;
    Ok(records)
}

pub(super) async fn epoch(store: &Backend) -> Result<i64, Error> {
    sqlx::query_scalar(EPOCH)
        .fetch_one(&mut *store.begin_read().await?)
        .await
        .or_store()
}

pub(super) async fn changes_since(store: &Backend, epoch: i64) -> Result<Changes, Error> {
    let mut tx = store.begin_read().await?;
    let (now, swept): (i64, i64) =
        sqlx::query_as("SELECT value, swept FROM warden_epoch WHERE id = 1")
            .fetch_one(&mut *tx)
            .await
            .or_store()?;
    let mut changes = Changes {
        epoch: now,
        maps: Vec::new(),
        purges: Vec::new(),
        forgotten: epoch > 0 && epoch < swept,
    };
    if now == epoch || changes.forgotten {
        return Ok(changes);
    }
    if epoch <= 0 {
        changes.maps = all_enforced(&mut tx).await?;
    } else {
        let rows = sqlx::query(select_enforced!("WHERE m.changed_epoch > $1"))
            .bind(epoch)
            .fetch_all(&mut *tx)
            .await
            .or_store()?;
        changes.maps = enforced(&rows)?;
        let purges: Vec<(String, String)> =
            sqlx::query_as("SELECT kind, what FROM warden_purge WHERE epoch > $1 ORDER BY epoch")
                .bind(epoch)
                .fetch_all(&mut *tx)
                .await
                .or_store()?;
        changes.purges = purges.into_iter().map(purge_of).collect();
    }
    Ok(changes)
}

/// All maps but tombstones, some at a time: as rows they take several times the memory.
async fn all_enforced(tx: &mut <Db as Database>::Connection) -> Result<Vec<EnforcedRecord>, Error> {
    const AT_ONCE: i64 = 20_000;
    let mut read = Reader::default();
    let mut maps = Vec::new();
    let mut last = i64::MIN;
    loop {
        let rows = sqlx::query(select_enforced!(
            "WHERE m.id > $1 AND m.state <> 'tombstone' ORDER BY m.id LIMIT $2"
        ))
        .bind(last)
        .bind(AT_ONCE)
        .fetch_all(&mut *tx)
        .await
        .or_store()?;
        match read_enforced(&mut read, &rows, &mut maps)? {
            Some(end) => last = end,
            None => return Ok(maps),
        }
    }
}

pub(super) async fn maps_at(
    store: &Backend,
    site: &Site,
    path_keys: &[String],
) -> Result<MapsAt, Error> {
    let mut tx = store.begin_read().await?;
    let epoch = sqlx::query_scalar(EPOCH)
        .fetch_one(&mut *tx)
        .await
        .or_store()?;
    let rows = sqlx::query(concat!(
        select_enforced!("WHERE m.site = $1 AND m.state <> 'tombstone' AND m.path_key IN "),
        texts_in!("$2")
    ))
    .bind(site.as_str())
    .bind(serde_json::Value::from(path_keys).to_string())
    .fetch_all(&mut *tx)
    .await
    .or_store()?;
    Ok(MapsAt {
        epoch,
        maps: enforced(&rows)?,
    })
}

pub(super) async fn map_at(
    store: &Backend,
    site: &Site,
    path_key: &str,
) -> Result<Option<MapRecord>, Error> {
    let mut connection = store.begin_read().await?;
    at_path(&mut connection, site, path_key).await
}

pub(super) async fn maps_of(store: &Backend, owner: &OwnerId) -> Result<Vec<MapRecord>, Error> {
    let rows = sqlx::query_as(select_maps!(
        "WHERE m.owner = $1 ORDER BY m.path_key, m.site"
    ))
    .bind(owner.as_str())
    .fetch_all(&mut *store.begin_read().await?)
    .await
    .or_store()?;
    Ok(records(rows))
}

pub(super) async fn ams_due(store: &Backend, now: i64) -> Result<Vec<Issuer>, Error> {
    let issuers: Vec<String> = sqlx::query_scalar(concat!(
        "SELECT a.issuer FROM warden_am AS a WHERE \
         EXISTS (SELECT 1 FROM warden_resource_map AS m WHERE m.am_key = a.am_key AND m.next_try <= $1 AND \
           (m.state IN ('pending', 'suspect') OR (m.state = 'active' AND m.synced = FALSE) OR \
            (m.state = 'tombstone' AND (m.resource_id IS NOT NULL OR m.perhaps = TRUE))) AND ",
        held!("m"),
        ") OR EXISTS (SELECT 1 FROM warden_orphan AS o WHERE o.am_key = a.am_key AND o.next_try <= $1 AND ",
        held!("o"),
        ") ORDER BY a.issuer"
    ))
    .bind(now)
    .fetch_all(&mut *store.begin_read().await?)
    .await
    .or_store()?;
    Ok(issuers
        .iter()
        .filter_map(|issuer| Issuer::parse(issuer).ok())
        .collect())
}

pub(super) async fn maps_due(
    store: &Backend,
    issuer: &Issuer,
    now: i64,
    limit: u32,
) -> Result<Vec<MapRecord>, Error> {
    let rows = sqlx::query_as(concat!(
        select_maps!(
            "WHERE m.am_key = $1 AND m.next_try <= $2 AND \
             (m.state IN ('pending', 'suspect') OR (m.state = 'active' AND m.synced = FALSE) OR \
              (m.state = 'tombstone' AND (m.resource_id IS NOT NULL OR m.perhaps = TRUE))) AND "
        ),
        held!("m"),
        " ORDER BY m.next_try, m.id LIMIT $3"
    ))
    .bind(am_key(issuer))
    .bind(now)
    .bind(i64::from(limit))
    .fetch_all(&mut *store.begin_read().await?)
    .await
    .or_store()?;
    let mut maps = records(rows);
    maps.retain(|map| !map.broken);
    maps.sort_by(|a, b| a.owner.cmp(&b.owner));
    Ok(maps)
}

#[derive(sqlx::FromRow)]
struct RawOrphan {
    id: i64,
    owner: String,
    resource_id: Option<String>,
    revision: Option<String>,
    marker: String,
    attempts: i64,
}

pub(super) async fn orphans_due(
    store: &Backend,
    issuer: &Issuer,
    now: i64,
    limit: u32,
) -> Result<Vec<Orphan>, Error> {
    let rows: Vec<RawOrphan> = sqlx::query_as(concat!(
        "SELECT o.id, o.owner, o.resource_id, o.revision, o.marker, o.attempts FROM warden_orphan AS o \
         WHERE o.am_key = $1 AND o.next_try <= $2 AND ",
        held!("o"),
        " ORDER BY o.next_try, o.id LIMIT $3"
    ))
    .bind(am_key(issuer))
    .bind(now)
    .bind(i64::from(limit))
    .fetch_all(&mut *store.begin_read().await?)
    .await
    .or_store()?;
    Ok(rows
        .into_iter()
        .map(|row| Orphan {
            id: row.id,
            owner: OwnerId::new(row.owner),
            issuer: issuer.clone(),
            resource_id: row.resource_id.and_then(|id| ResourceId::parse(&id).ok()),
            revision: row.revision,
            marker: row.marker,
            attempts: row.attempts,
        })
        .collect())
}

pub(super) async fn holdings(
    store: &Backend,
    issuer: &Issuer,
    owner: Option<&OwnerId>,
) -> Result<Vec<Holding>, Error> {
    type Row = (Option<i64>, String, Option<String>, String, bool, bool);
    let (key, owner) = (am_key(issuer), owner.map_or("", OwnerId::as_str));
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, path_key, resource_id, marker, state = 'active' AS active, FALSE AS orphan FROM warden_resource_map \
           WHERE am_key = $1 AND ($2 = '' OR owner = $2) \
         UNION ALL SELECT NULL, '', resource_id, marker, FALSE, TRUE FROM warden_orphan \
           WHERE am_key = $1 AND ($2 = '' OR owner = $2) \
         UNION ALL SELECT NULL, '', v.resource_id, v.marker, FALSE, FALSE FROM warden_moving AS v \
           JOIN warden_move AS w ON w.owner = v.owner WHERE w.to_am = $1 AND ($2 = '' OR v.owner = $2)",
    )
    .bind(&key)
    .bind(owner)
    .fetch_all(&mut *store.begin_read().await?)
    .await
    .or_store()?;
    Ok(rows
        .into_iter()
        .map(
            |(map, path_key, resource_id, marker, active, orphan)| Holding {
                map: map.map(|id| MapId::new(id.unsigned_abs())),
                path_key,
                resource_id: resource_id.and_then(|id| ResourceId::parse(&id).ok()),
                marker,
                active,
                orphan,
            },
        )
        .collect())
}

pub(super) async fn sharing_owners(
    store: &Backend,
    after: &str,
    limit: u32,
) -> Result<Vec<OwnerId>, Error> {
    let owners: Vec<String> = sqlx::query_scalar(
        "SELECT o.owner FROM warden_owner AS o WHERE o.owner > $1 \
         AND EXISTS (SELECT 1 FROM warden_connection AS c WHERE c.owner = o.owner AND c.am_key = o.am_key \
                     AND c.state = 'held') \
         AND EXISTS (SELECT 1 FROM warden_resource_map AS m WHERE m.owner = o.owner AND m.state = 'active') \
         ORDER BY o.owner LIMIT $2",
    )
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(&mut *store.begin_read().await?)
    .await
    .or_store()?;
    Ok(owners.into_iter().map(OwnerId::new).collect())
}
