//! Who got at, or wanted to get at, what owners share.

use std::collections::BTreeSet;

use tower_warden::{MapId, OwnerId};

use super::{Backend, OrStore as _};
use crate::Error;
use crate::store::{AccessRecord, AccessesPage, AccessesQuery};

pub(super) async fn accesses_kept(
    store: &Backend,
    accesses: &[AccessRecord],
    most: u32,
    before: i64,
) -> Result<(), Error> {
    let mut tx = store.write_apart().await?;
    let mut kinds = BTreeSet::new();
    // On all nodes in one order, so that two of them don't wait for each other.
    let mut accesses: Vec<_> = accesses.iter().map(|one| (one.digest(), one)).collect();
    accesses.sort_by(|(a, one), (b, other)| (&one.owner, a).cmp(&(&other.owner, b)));
    for (digest, access) in accesses {
        sqlx::query(
            "INSERT INTO warden_access (owner, digest, map, first_at, last_at, times, method, path, allowed, reason, \
             scopes, who, app) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
             ON CONFLICT (owner, digest) DO UPDATE SET times = warden_access.times + excluded.times, \
             first_at = CASE WHEN excluded.first_at < warden_access.first_at THEN excluded.first_at ELSE warden_access.first_at END, \
             last_at = CASE WHEN excluded.last_at > warden_access.last_at THEN excluded.last_at ELSE warden_access.last_at END",
        )
        .bind(access.owner.as_str())
        .bind(digest)
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
            "DELETE FROM warden_access WHERE owner = $1 AND digest IN (SELECT digest FROM warden_access \
             WHERE owner = $1 AND allowed = $2 ORDER BY last_at DESC, digest LIMIT 9223372036854775807 OFFSET $3)",
        )
        .bind(owner)
        .bind(allowed)
        .bind(i64::from(most))
        .execute(&mut *tx)
        .await
        .or_store()?;
    }
    sqlx::query("DELETE FROM warden_access WHERE last_at < $1")
        .bind(before)
        .execute(&mut *tx)
        .await
        .or_store()?;
    tx.commit().await
}

/// Which rows fit a query: owner, then map and outcome, NULL for any; the earliest time.
macro_rules! fitting {
    () => {
        "x.owner = $1 AND (CAST($2 AS BIGINT) IS NULL OR x.map = $2) \
         AND (CAST($3 AS BOOLEAN) IS NULL OR x.allowed = $3) AND x.last_at >= $4"
    };
}

macro_rules! bound {
    ($select:expr, $owner:expr, $query:expr) => {{
        let map = $query.map.map(|map| map.get().cast_signed());
        $select
            .bind($owner.as_str())
            .bind(map)
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
    store: &Backend,
    owner: &OwnerId,
    query: &AccessesQuery,
) -> Result<AccessesPage, Error> {
    let mut tx = store.begin_read().await?;
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
            " ORDER BY x.last_at DESC, x.digest LIMIT $5 OFFSET $6"
        )),
        owner,
        query
    )
    .bind(i64::from(query.limit))
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
