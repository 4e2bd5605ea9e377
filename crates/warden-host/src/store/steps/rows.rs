//! Rows within a transaction.

use sqlx::Database;
use tower_warden::{MapId, OwnerId, Site};

use super::{Db, OrStore as _, Write};
use crate::Error;
use crate::store::MapRecord;
use crate::store::rows::{RawMap, select_maps};

/// The row of a path.
pub(super) async fn at_path(
    tx: &mut <Db as Database>::Connection,
    site: &Site,
    path_key: &str,
) -> Result<Option<MapRecord>, Error> {
    let row: Option<RawMap> = sqlx::query_as(select_maps!("WHERE m.site = $1 AND m.path_key = $2"))
        .bind(site.as_str())
        .bind(path_key)
        .fetch_optional(tx)
        .await
        .or_store()?;
    Ok(row.and_then(RawMap::record))
}

/// The row with a key.
pub(super) async fn with_id(
    tx: &mut <Db as Database>::Connection,
    id: MapId,
) -> Result<Option<MapRecord>, Error> {
    let row: Option<RawMap> = sqlx::query_as(select_maps!("WHERE m.id = $1"))
        .bind(id.get().cast_signed())
        .fetch_optional(tx)
        .await
        .or_store()?;
    Ok(row.and_then(RawMap::record))
}

/// The key of the AM that an owner chose.
pub(super) async fn chosen_am(
    tx: &mut Write<'_>,
    owner: &OwnerId,
) -> Result<Option<String>, Error> {
    let chosen: Option<Option<String>> =
        sqlx::query_scalar("SELECT am_key FROM warden_owner WHERE owner = $1")
            .bind(owner.as_str())
            .fetch_optional(&mut **tx)
            .await
            .or_store()?;
    Ok(chosen.flatten())
}

/// Notes a registration that no map stands for any more.
pub(super) async fn orphaned(
    tx: &mut Write<'_>,
    owner: &OwnerId,
    am_key: &str,
    resource_id: Option<&str>,
    revision: Option<&str>,
    marker: &str,
    now: i64,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO warden_orphan (owner, am_key, resource_id, revision, marker, attempts, next_try, created) \
         VALUES ($1, $2, $3, $4, $5, 0, 0, $6)",
    )
    .bind(owner.as_str())
    .bind(am_key)
    .bind(resource_id)
    .bind(revision)
    .bind(marker)
    .bind(now)
    .execute(&mut **tx)
    .await
    .or_store()?;
    Ok(())
}
