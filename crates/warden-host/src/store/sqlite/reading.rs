//! What is read.

use tower_warden::{OwnerId, Site};
use uma_client::{Issuer, ResourceId};

use super::rows::{RawMap, at_path, select_maps};
use super::{OrStore as _, SqliteStore};
use crate::Error;
use crate::am_key::am_key;
use crate::store::{Changes, MapRecord, Orphan};

fn records(rows: Vec<RawMap>) -> Vec<MapRecord> {
    rows.into_iter().filter_map(RawMap::record).collect()
}

pub(super) async fn changes_since(store: &SqliteStore, epoch: i64) -> Result<Changes, Error> {
    let mut tx = store.read().await?;
    let now: i64 = sqlx::query_scalar("SELECT value FROM warden_epoch WHERE id = 1")
        .fetch_one(&mut *tx)
        .await
        .or_store()?;
    if now == epoch {
        return Ok(Changes {
            epoch,
            maps: Vec::new(),
        });
    }
    let rows = sqlx::query_as(select_maps!(
        "WHERE m.changed_epoch > ? AND (m.state <> 'tombstone' OR ? > 0)"
    ))
    .bind(epoch)
    .bind(epoch)
    .fetch_all(&mut *tx)
    .await
    .or_store()?;
    Ok(Changes {
        epoch: now,
        maps: records(rows),
    })
}

pub(super) async fn map_at(
    store: &SqliteStore,
    site: &Site,
    path_key: &str,
) -> Result<Option<MapRecord>, Error> {
    at_path(&mut store.read().await?, site, path_key).await
}

pub(super) async fn maps_of(store: &SqliteStore, owner: &OwnerId) -> Result<Vec<MapRecord>, Error> {
    let rows = sqlx::query_as(select_maps!(
        "WHERE m.owner = ? ORDER BY m.path_key, m.site"
    ))
    .bind(owner.as_str())
    .fetch_all(&store.reader)
    .await
    .or_store()?;
    Ok(records(rows))
}

pub(super) async fn ams_due(store: &SqliteStore, now: i64) -> Result<Vec<Issuer>, Error> {
    let issuers: Vec<String> = sqlx::query_scalar(
        "SELECT a.issuer FROM warden_am AS a WHERE \
         EXISTS (SELECT 1 FROM warden_resource_map AS m WHERE m.am_key = a.am_key AND m.next_try <= ? AND \
           (m.state IN ('pending', 'suspect') OR (m.state = 'active' AND m.synced = 0) OR \
            (m.state = 'tombstone' AND (m.resource_id IS NOT NULL OR m.perhaps = 1)))) \
         OR EXISTS (SELECT 1 FROM warden_orphan AS o WHERE o.am_key = a.am_key AND o.next_try <= ?) \
         ORDER BY a.issuer",
    )
    .bind(now)
    .bind(now)
    .fetch_all(&store.reader)
    .await
    .or_store()?;
    Ok(issuers
        .iter()
        .filter_map(|issuer| Issuer::parse(issuer).ok())
        .collect())
}

pub(super) async fn maps_due(
    store: &SqliteStore,
    issuer: &Issuer,
    now: i64,
    limit: u32,
) -> Result<Vec<MapRecord>, Error> {
    let rows = sqlx::query_as(select_maps!(
        "WHERE m.am_key = ? AND m.next_try <= ? AND \
         (m.state IN ('pending', 'suspect') OR (m.state = 'active' AND m.synced = 0) OR \
          (m.state = 'tombstone' AND (m.resource_id IS NOT NULL OR m.perhaps = 1))) \
         ORDER BY m.next_try, m.id LIMIT ?"
    ))
    .bind(am_key(issuer))
    .bind(now)
    .bind(limit)
    .fetch_all(&store.reader)
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
    marker: String,
    attempts: i64,
}

pub(super) async fn orphans_due(
    store: &SqliteStore,
    issuer: &Issuer,
    now: i64,
    limit: u32,
) -> Result<Vec<Orphan>, Error> {
    let rows: Vec<RawOrphan> = sqlx::query_as(
        "SELECT id, owner, resource_id, marker, attempts FROM warden_orphan \
         WHERE am_key = ? AND next_try <= ? ORDER BY next_try, id LIMIT ?",
    )
    .bind(am_key(issuer))
    .bind(now)
    .bind(limit)
    .fetch_all(&store.reader)
    .await
    .or_store()?;
    Ok(rows
        .into_iter()
        .map(|row| Orphan {
            id: row.id,
            owner: OwnerId::new(row.owner),
            issuer: issuer.clone(),
            resource_id: row.resource_id.and_then(|id| ResourceId::parse(&id).ok()),
            marker: row.marker,
            attempts: row.attempts,
        })
        .collect())
}
