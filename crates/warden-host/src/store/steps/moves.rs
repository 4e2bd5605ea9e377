//! Moving an owner to another AM: registered there first, switched in one transaction, deleted at the old one afterwards.

use tower_warden::OwnerId;
use uma_client::{Issuer, ResourceId};
use url::Url;
use uuid::Uuid;

use super::connections::consented;
use super::rows::{chosen_am, orphaned};
use super::{Backend, OrStore as _, Write};
use crate::Error;
use crate::am_key::am_key;
use crate::store::rows::{RawMap, select_maps};
use crate::store::{Arrived, Consent, MoveBegun, MoveRecord, Moving};

pub(super) async fn move_begun(
    store: &Backend,
    owner: &OwnerId,
    to: &Issuer,
    consent: &Consent,
    now: i64,
) -> Result<MoveBegun, Error> {
    let mut tx = store.write().await?;
    let Some(from) = chosen_am(&mut tx, owner).await? else {
        return Ok(MoveBegun::NotConnected);
    };
    let key = am_key(to);
    if from == key {
        return Ok(MoveBegun::AlreadyThere);
    }
    let under_way: Option<String> =
        sqlx::query_scalar("SELECT to_am FROM warden_move WHERE owner = $1")
            .bind(owner.as_str())
            .fetch_optional(&mut *tx)
            .await
            .or_store()?;
    match under_way {
        // The same once more: the new consent counts.
        Some(to_am) if to_am == key => {}
        Some(_) => return Ok(MoveBegun::UnderWay),
        None => {
            sqlx::query(
                "INSERT INTO warden_move (owner, from_am, to_am, begun, attempts, next_try) \
                 VALUES ($1, $2, $3, $4, 0, 0)",
            )
            .bind(owner.as_str())
            .bind(&from)
            .bind(&key)
            .bind(now)
            .execute(&mut *tx)
            .await
            .or_store()?;
        }
    }
    consented(store, &mut tx, owner, to, consent, now).await?;
    tx.commit().await?;
    Ok(MoveBegun::Begun)
}

#[derive(sqlx::FromRow)]
struct RawMove {
    from_am: String,
    to_am: String,
    begun: i64,
    problem: Option<String>,
    attempts: i64,
    done: i64,
    total: i64,
}

pub(super) async fn move_of(store: &Backend, owner: &OwnerId) -> Result<Option<MoveRecord>, Error> {
    let raw: Option<RawMove> = sqlx::query_as(
        "SELECT f.issuer AS from_am, t.issuer AS to_am, w.begun, w.problem, w.attempts, \
         (SELECT COUNT(*) FROM warden_moving AS v JOIN warden_resource_map AS m ON m.id = v.map \
          WHERE v.owner = w.owner AND v.resource_id IS NOT NULL AND v.generation = m.generation) AS done, \
         (SELECT COUNT(*) FROM warden_resource_map AS m WHERE m.owner = w.owner AND m.am_key = w.from_am \
          AND m.state NOT IN ('tombstone', 'lost')) AS total \
         FROM warden_move AS w JOIN warden_am AS f ON f.am_key = w.from_am \
         JOIN warden_am AS t ON t.am_key = w.to_am WHERE w.owner = $1",
    )
    .bind(owner.as_str())
    .fetch_optional(&mut *store.begin_read().await?)
    .await
    .or_store()?;
    let Some(raw) = raw else {
        return Ok(None);
    };
    let (Ok(from), Ok(to)) = (Issuer::parse(&raw.from_am), Issuer::parse(&raw.to_am)) else {
        return Ok(None);
    };
    Ok(Some(MoveRecord {
        owner: owner.clone(),
        from,
        to,
        begun: raw.begun,
        problem: raw.problem,
        attempts: raw.attempts,
        done: raw.done.unsigned_abs(),
        total: raw.total.unsigned_abs(),
    }))
}

pub(super) async fn moves_due(
    store: &Backend,
    now: i64,
    limit: u32,
) -> Result<Vec<OwnerId>, Error> {
    let owners: Vec<String> = sqlx::query_scalar(
        "SELECT owner FROM warden_move WHERE next_try <= $1 ORDER BY next_try, owner LIMIT $2",
    )
    .bind(now)
    .bind(i64::from(limit))
    .fetch_all(&mut *store.begin_read().await?)
    .await
    .or_store()?;
    Ok(owners.into_iter().map(OwnerId::new).collect())
}

#[derive(sqlx::FromRow)]
struct RawMoving {
    marker: String,
    resource_id: Option<String>,
    revision: Option<String>,
}

pub(super) async fn move_next(
    store: &Backend,
    owner: &OwnerId,
    limit: u32,
) -> Result<Vec<Moving>, Error> {
    let mut tx = store.write().await?;
    let rows: Vec<RawMap> = sqlx::query_as(select_maps!(
        "JOIN warden_move AS w ON w.owner = m.owner AND w.from_am = m.am_key \
         LEFT JOIN warden_moving AS v ON v.map = m.id \
         WHERE m.owner = $1 AND m.state NOT IN ('tombstone', 'lost') \
         AND (v.map IS NULL OR v.resource_id IS NULL OR v.generation <> m.generation) \
         ORDER BY m.id LIMIT $2"
    ))
    .bind(owner.as_str())
    .bind(i64::from(limit))
    .fetch_all(&mut *tx)
    .await
    .or_store()?;
    let mut next = Vec::with_capacity(rows.len());
    for map in rows.into_iter().filter_map(RawMap::record) {
        let id = map.id.get().cast_signed();
        let known: Option<RawMoving> = sqlx::query_as(
            "SELECT marker, resource_id, revision FROM warden_moving WHERE map = $1",
        )
        .bind(id)
        .fetch_optional(&mut *tx)
        .await
        .or_store()?;
        let (marker, resource_id, revision, fresh) = match known {
            Some(known) => (
                known.marker,
                known.resource_id.and_then(|id| ResourceId::parse(&id).ok()),
                known.revision,
                false,
            ),
            None => {
                let marker = Uuid::new_v4().to_string();
                sqlx::query(
                    "INSERT INTO warden_moving (map, owner, marker, generation) VALUES ($1, $2, $3, 0)",
                )
                .bind(id)
                .bind(owner.as_str())
                .bind(&marker)
                .execute(&mut *tx)
                .await
                .or_store()?;
                (marker, None, None, true)
            }
        };
        next.push(Moving {
            map,
            marker,
            resource_id,
            revision,
            fresh,
        });
    }
    tx.commit().await?;
    Ok(next)
}

pub(super) async fn move_arrived(
    store: &Backend,
    owner: &OwnerId,
    to: &Issuer,
    arrived: &[Arrived],
    now: i64,
) -> Result<(), Error> {
    let mut tx = store.write().await?;
    for one in arrived {
        let id = one.registered.resource_id.as_str();
        let kept = sqlx::query(
            "UPDATE warden_moving SET resource_id = $1, revision = $2, registered_name = $3, policy_uri = $4, \
             generation = $5 WHERE map = $6 AND marker = $7 AND (resource_id IS NULL OR resource_id = $1)",
        )
        .bind(id)
        .bind(one.registered.revision.as_deref())
        .bind(&one.registered.registered_name)
        .bind(one.registered.policy_uri.as_ref().map(Url::as_str))
        .bind(one.generation)
        .bind(one.map.get().cast_signed())
        .bind(&one.marker)
        .execute(&mut *tx)
        .await
        .or_store()?;
        if kept.rows_affected() > 0 {
            continue;
        }
        // Stopped or given up meanwhile, or another node was as quick: nobody's any more.
        let known = sqlx::query(
            "UPDATE warden_orphan SET resource_id = $1, revision = $2 \
             WHERE marker = $3 AND am_key = $4 AND resource_id IS NULL",
        )
        .bind(id)
        .bind(one.registered.revision.as_deref())
        .bind(&one.marker)
        .bind(am_key(to))
        .execute(&mut *tx)
        .await
        .or_store()?;
        if known.rows_affected() == 0 {
            let revision = one.registered.revision.as_deref();
            let key = am_key(to);
            orphaned(&mut tx, owner, &key, Some(id), revision, &one.marker, now).await?;
        }
    }
    sqlx::query(
        "UPDATE warden_move SET problem = NULL, attempts = 0, next_try = 0 WHERE owner = $1",
    )
    .bind(owner.as_str())
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await
}

pub(super) async fn move_failed(
    store: &Backend,
    owner: &OwnerId,
    problem: &str,
    next_try: i64,
) -> Result<(), Error> {
    let mut tx = store.write_apart().await?;
    sqlx::query(
        "UPDATE warden_move SET problem = $1, attempts = attempts + 1, next_try = $2 WHERE owner = $3",
    )
    .bind(problem)
    .bind(next_try)
    .bind(owner.as_str())
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await
}

pub(super) async fn moved(
    store: &Backend,
    owner: &OwnerId,
    now: i64,
) -> Result<Option<u64>, Error> {
    let mut tx = store.write().await?;
    let ends: Option<(String, String)> =
        sqlx::query_as("SELECT from_am, to_am FROM warden_move WHERE owner = $1")
            .bind(owner.as_str())
            .fetch_optional(&mut *tx)
            .await
            .or_store()?;
    let Some((from, to)) = ends else {
        return Ok(None);
    };
    let left: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM warden_resource_map AS m LEFT JOIN warden_moving AS v ON v.map = m.id \
         WHERE m.owner = $1 AND m.am_key = $2 AND m.state NOT IN ('tombstone', 'lost') \
         AND (v.map IS NULL OR v.resource_id IS NULL OR v.generation <> m.generation)",
    )
    .bind(owner.as_str())
    .bind(&from)
    .fetch_one(&mut *tx)
    .await
    .or_store()?;
    if left > 0 {
        return Ok(None);
    }
    // What the old AM has is nobody's from here on.
    sqlx::query(
        "INSERT INTO warden_orphan (owner, am_key, resource_id, revision, marker, attempts, next_try, created) \
         SELECT owner, am_key, resource_id, revision, marker, 0, 0, CAST($1 AS BIGINT) FROM warden_resource_map \
         WHERE owner = $2 AND am_key = $3 AND state <> 'tombstone' AND (resource_id IS NOT NULL OR perhaps = TRUE)",
    )
    .bind(now)
    .bind(owner.as_str())
    .bind(&from)
    .execute(&mut *tx)
    .await
    .or_store()?;
    let epoch = tx.raise_epoch().await?;
    let switched = sqlx::query(
        "UPDATE warden_resource_map AS m SET am_key = $1, resource_id = v.resource_id, revision = v.revision, \
         marker = v.marker, registered_name = v.registered_name, policy_uri = v.policy_uri, state = 'active', synced = TRUE, perhaps = TRUE, \
         withheld = FALSE, problem = NULL, attempts = 0, next_try = 0, generation = m.generation + 1, \
         changed_epoch = $2, updated = $3 \
         FROM warden_moving AS v WHERE v.map = m.id AND v.owner = $4 AND v.resource_id IS NOT NULL \
         AND m.am_key = $5 AND m.state <> 'tombstone'",
    )
    .bind(&to)
    .bind(epoch)
    .bind(now)
    .bind(owner.as_str())
    .bind(&from)
    .execute(&mut *tx)
    .await
    .or_store()?;
    // What is lost moves as lost: it waits for its owner's word at the new AM.
    let lost: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM warden_resource_map WHERE owner = $1 AND am_key = $2 AND state = 'lost'",
    )
    .bind(owner.as_str())
    .bind(&from)
    .fetch_all(&mut *tx)
    .await
    .or_store()?;
    for id in lost {
        sqlx::query(
            "UPDATE warden_resource_map SET am_key = $1, resource_id = NULL, revision = NULL, marker = $2, perhaps = FALSE, withheld = FALSE, \
             generation = generation + 1, changed_epoch = $3, updated = $4 WHERE id = $5",
        )
        .bind(&to)
        .bind(Uuid::new_v4().to_string())
        .bind(epoch)
        .bind(now)
        .bind(id)
        .execute(&mut *tx)
        .await
        .or_store()?;
    }
    for sql in [
        "DELETE FROM warden_moving WHERE owner = $1",
        "DELETE FROM warden_move WHERE owner = $1",
    ] {
        sqlx::query(sql)
            .bind(owner.as_str())
            .execute(&mut *tx)
            .await
            .or_store()?;
    }
    sqlx::query("UPDATE warden_owner SET am_key = $1 WHERE owner = $2")
        .bind(&to)
        .bind(owner.as_str())
        .execute(&mut *tx)
        .await
        .or_store()?;
    tx.commit().await?;
    Ok(Some(switched.rows_affected()))
}

pub(super) async fn move_cancelled(
    store: &Backend,
    owner: &OwnerId,
    now: i64,
) -> Result<bool, Error> {
    let mut tx = store.write().await?;
    let cancelled = give_up_move(&mut tx, owner, now).await?;
    tx.commit().await?;
    Ok(cancelled)
}

/// Ends a move before the switch: what is at the new AM is nobody's.
pub(super) async fn give_up_move(
    tx: &mut Write<'_>,
    owner: &OwnerId,
    now: i64,
) -> Result<bool, Error> {
    sqlx::query(
        "INSERT INTO warden_orphan (owner, am_key, resource_id, revision, marker, attempts, next_try, created) \
         SELECT v.owner, w.to_am, v.resource_id, v.revision, v.marker, 0, 0, CAST($1 AS BIGINT) FROM warden_moving AS v \
         JOIN warden_move AS w ON w.owner = v.owner WHERE v.owner = $2",
    )
    .bind(now)
    .bind(owner.as_str())
    .execute(&mut **tx)
    .await
    .or_store()?;
    sqlx::query("DELETE FROM warden_moving WHERE owner = $1")
        .bind(owner.as_str())
        .execute(&mut **tx)
        .await
        .or_store()?;
    let ended = sqlx::query("DELETE FROM warden_move WHERE owner = $1")
        .bind(owner.as_str())
        .execute(&mut **tx)
        .await
        .or_store()?;
    Ok(ended.rows_affected() > 0)
}

/// A map that moves was stopped: what the new AM has of it is nobody's.
pub(super) async fn leave_behind(tx: &mut Write<'_>, map: i64, now: i64) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO warden_orphan (owner, am_key, resource_id, revision, marker, attempts, next_try, created) \
         SELECT v.owner, w.to_am, v.resource_id, v.revision, v.marker, 0, 0, CAST($1 AS BIGINT) FROM warden_moving AS v \
         JOIN warden_move AS w ON w.owner = v.owner WHERE v.map = $2",
    )
    .bind(now)
    .bind(map)
    .execute(&mut **tx)
    .await
    .or_store()?;
    sqlx::query("DELETE FROM warden_moving WHERE map = $1")
        .bind(map)
        .execute(&mut **tx)
        .await
        .or_store()?;
    Ok(())
}
