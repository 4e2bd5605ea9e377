//! Who got at, or wanted to get at, what owners share.

use std::collections::BTreeSet;

use tower_warden::{MapId, OwnerId};

use super::{OrStore as _, SqliteStore, storable};
use crate::Error;
use crate::store::{AccessRecord, AccessesPage, AccessesQuery};

pub(super) async fn accesses_kept(
    store: &SqliteStore,
    accesses: &[AccessRecord],
    most: u32,
    before: i64,
) -> Result<(), Error> {
    let mut tx = store.write().await?;
    let mut kinds = BTreeSet::new();
    for access in accesses {
        storable([
            access.owner.as_str(),
            &access.method,
            &access.path,
            &access.reason,
            &access.scopes,
            &access.who,
            &access.app,
        ])?;
        sqlx::query(
            "INSERT INTO warden_access (owner, digest, map, first_at, last_at, times, method, path, allowed, reason, \
             scopes, who, app) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (owner, digest) DO UPDATE SET times = warden_access.times + excluded.times, \
             first_at = MIN(warden_access.first_at, excluded.first_at), \
             last_at = MAX(warden_access.last_at, excluded.last_at)",
        )
        .bind(access.owner.as_str())
        .bind(access.digest())
        .bind(access.map.get().cast_signed())
        .bind(access.first)
        .bind(access.last)
        .bind(access.times.cast_signed())
        .bind(&access.method)
        .bind(&access.path)
        .bind(access.allowed)
        .bind(&access.reason)
        .bind(&access.scopes)
        .bind(&access.who)
        .bind(&access.app)
        .execute(&mut *tx)
        .await
        .or_store()?;
        kinds.insert((access.owner.as_str(), access.allowed));
    }
    for (owner, allowed) in kinds {
        sqlx::query(
            "DELETE FROM warden_access WHERE owner = ? AND digest IN (SELECT digest FROM warden_access \
             WHERE owner = ? AND allowed = ? ORDER BY last_at DESC, digest LIMIT -1 OFFSET ?)",
        )
        .bind(owner)
        .bind(owner)
        .bind(allowed)
        .bind(most)
        .execute(&mut *tx)
        .await
        .or_store()?;
    }
    sqlx::query("DELETE FROM warden_access WHERE last_at < ?")
        .bind(before)
        .execute(&mut *tx)
        .await
        .or_store()?;
    tx.commit().await.or_store()
}

/// Which rows fit a query: owner, then map and outcome, each twice, NULL for any; the earliest time.
macro_rules! fitting {
    () => {
        "x.owner = ? AND (? IS NULL OR x.map = ?) AND (? IS NULL OR x.allowed = ?) AND x.last_at >= ?"
    };
}

macro_rules! bound {
    ($select:expr, $owner:expr, $query:expr) => {{
        let map = $query.map.map(|map| map.get().cast_signed());
        $select
            .bind($owner.as_str())
            .bind(map)
            .bind(map)
            .bind($query.allowed)
            .bind($query.allowed)
            .bind($query.since)
    }};
}

#[derive(sqlx::FromRow)]
struct RawAccess {
    map: i64,
    first_at: i64,
    last_at: i64,
    times: i64,
    method: String,
    path: String,
    allowed: bool,
    reason: String,
    scopes: String,
    who: String,
    app: String,
    name: Option<String>,
}

pub(super) async fn accesses_page(
    store: &SqliteStore,
    owner: &OwnerId,
    query: &AccessesQuery,
) -> Result<AccessesPage, Error> {
    let mut tx = store.read().await?;
    let matching: i64 = bound!(
        sqlx::query_scalar(concat!(
            "SELECT COUNT(*) FROM warden_access AS x WHERE ",
            fitting!()
        )),
        owner,
        query
    )
    .fetch_one(&mut *tx)
    .await
    .or_store()?;
    // A path that went to somebody else is called by its own name there, not here.
    let rows: Vec<RawAccess> = bound!(
        sqlx::query_as(concat!(
            "SELECT x.map, x.first_at, x.last_at, x.times, x.method, x.path, x.allowed, x.reason, x.scopes, x.who, x.app, \
             m.name FROM warden_access AS x LEFT JOIN warden_resource_map AS m ON m.id = x.map AND m.owner = x.owner WHERE ",
            fitting!(),
            " ORDER BY x.last_at DESC, x.digest LIMIT ? OFFSET ?"
        )),
        owner,
        query
    )
    .bind(query.limit)
    .bind(i64::try_from(query.offset).unwrap_or(i64::MAX))
    .fetch_all(&mut *tx)
    .await
    .or_store()?;
    Ok(AccessesPage {
        matching: matching.unsigned_abs(),
        accesses: rows
            .into_iter()
            .map(|row| AccessRecord {
                owner: owner.clone(),
                map: MapId::new(row.map.unsigned_abs()),
                first: row.first_at,
                last: row.last_at,
                times: row.times.unsigned_abs(),
                method: row.method,
                path: row.path,
                allowed: row.allowed,
                reason: row.reason,
                scopes: row.scopes,
                who: row.who,
                app: row.app,
                name: row.name,
            })
            .collect(),
    })
}
