//! What comes of what the AM says.

use tower_warden::MapId;
use uma_client::ResourceId;
use url::Url;

use super::nodes::sweep_leases;
use super::rows::{orphaned, with_id};
use super::{Backend, OrStore as _, Write};
use crate::Error;
use crate::am_key::am_key;
use crate::store::{MapRecord, Registered, RowState};

pub(super) async fn share_registered(
    store: &Backend,
    map: &MapRecord,
    registered: &Registered,
    now: i64,
) -> Result<Option<MapRecord>, Error> {
    let one = [(map.clone(), registered.clone())];
    Ok(shares_registered(store, &one, now).await?.pop().flatten())
}

pub(super) async fn shares_registered(
    store: &Backend,
    shares: &[(MapRecord, Registered)],
    now: i64,
) -> Result<Vec<Option<MapRecord>>, Error> {
    let mut tx = store.write().await?;
    let mut kept = Vec::with_capacity(shares.len());
    for (map, registered) in shares {
        kept.push(register(&mut tx, map, registered, now).await?);
    }
    tx.commit().await?;
    Ok(kept)
}

async fn register(
    tx: &mut Write<'_>,
    map: &MapRecord,
    registered: &Registered,
    now: i64,
) -> Result<Option<MapRecord>, Error> {
    let row = with_id(tx, map.id).await?;
    let current = row.as_ref().filter(|row| {
        row.generation == map.generation
            && matches!(
                row.state,
                RowState::Pending | RowState::Suspect | RowState::Active
            )
    });
    let Some(current) = current else {
        let revision = registered.revision.as_deref();
        moved_on(
            tx,
            map,
            row.as_ref(),
            &registered.resource_id,
            revision,
            now,
        )
        .await?;
        return Ok(None);
    };
    // Telling the AM a new name is nothing to enforcement.
    let enforced_changed = current.state != RowState::Active
        || current.resource_id.as_ref() != Some(&registered.resource_id);
    let epoch = if enforced_changed {
        tx.raise_epoch().await?
    } else {
        current.changed_epoch
    };
    sqlx::query(
        "UPDATE warden_resource_map SET state = 'active', resource_id = $1, revision = $2, registered_name = $3, \
         policy_uri = $4, synced = TRUE, perhaps = TRUE, problem = NULL, attempts = 0, next_try = 0, changed_epoch = $5, updated = $6 \
         WHERE id = $7",
    )
    .bind(registered.resource_id.as_str())
    .bind(registered.revision.as_deref())
    .bind(&registered.registered_name)
    .bind(registered.policy_uri.as_ref().map(Url::as_str))
    .bind(epoch)
    .bind(now)
    .bind(map.id.get().cast_signed())
    .execute(&mut **tx)
    .await
    .or_store()?;
    with_id(tx, map.id).await
}

pub(super) async fn share_half_registered(
    store: &Backend,
    map: &MapRecord,
    id: &ResourceId,
    revision: Option<&str>,
    now: i64,
) -> Result<(), Error> {
    let mut tx = store.write().await?;
    let row = with_id(&mut tx, map.id).await?;
    match row.as_ref().filter(|row| row.generation == map.generation) {
        Some(current) if current.resource_id.as_ref() == Some(id) => {
            if current.revision.as_deref() != revision {
                revised(&mut tx, map, revision).await?;
            }
        }
        // Of a pending row enforcement reads no id, but what it reads is said to raise the epoch.
        Some(_) => found(&mut tx, map, id, revision, now).await?,
        None => moved_on(&mut tx, map, row.as_ref(), id, revision, now).await?,
    }
    tx.commit().await
}

/// Keeps a registration for a row that had another or none.
async fn found(
    tx: &mut Write<'_>,
    map: &MapRecord,
    id: &ResourceId,
    revision: Option<&str>,
    now: i64,
) -> Result<(), Error> {
    let epoch = tx.raise_epoch().await?;
    sqlx::query(
        "UPDATE warden_resource_map SET resource_id = $1, revision = $2, changed_epoch = $3, updated = $4 WHERE id = $5",
    )
    .bind(id.as_str())
    .bind(revision)
    .bind(epoch)
    .bind(now)
    .bind(map.id.get().cast_signed())
    .execute(&mut **tx)
    .await
    .or_store()?;
    Ok(())
}

/// Keeps the revision of the registration that a row has.
async fn revised(tx: &mut Write<'_>, map: &MapRecord, revision: Option<&str>) -> Result<(), Error> {
    sqlx::query("UPDATE warden_resource_map SET revision = $1 WHERE id = $2")
        .bind(revision)
        .bind(map.id.get().cast_signed())
        .execute(&mut **tx)
        .await
        .or_store()?;
    Ok(())
}

/// The AM made a registration for a row that its owner has changed since. It must not be forgotten: it is the row's if
/// the row is still the same share and has none, else an orphan.
async fn moved_on(
    tx: &mut Write<'_>,
    map: &MapRecord,
    row: Option<&MapRecord>,
    id: &ResourceId,
    revision: Option<&str>,
    now: i64,
) -> Result<(), Error> {
    let same_share = row.filter(|row| row.marker == map.marker && row.owner == map.owner);
    match same_share.map(|row| row.resource_id.as_ref()) {
        Some(Some(known)) if known == id => revised(tx, map, revision).await,
        Some(None) => found(tx, map, id, revision, now).await,
        Some(Some(_)) | None => {
            let (key, id) = (am_key(&map.issuer), Some(id.as_str()));
            orphaned(tx, &map.owner, &key, id, revision, &map.marker, now).await
        }
    }
}

pub(super) async fn share_failed(
    store: &Backend,
    map: &MapRecord,
    problem: &str,
    next_try: i64,
) -> Result<(), Error> {
    let mut tx = store.write_apart().await?;
    sqlx::query(
        "UPDATE warden_resource_map SET problem = $1, attempts = attempts + 1, next_try = $2 \
         WHERE id = $3 AND generation = $4",
    )
    .bind(problem)
    .bind(next_try)
    .bind(map.id.get().cast_signed())
    .bind(map.generation)
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await
}

pub(super) async fn share_suspected(
    store: &Backend,
    map: MapId,
    resource_id: &ResourceId,
    now: i64,
) -> Result<bool, Error> {
    let mut tx = store.write().await?;
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM warden_resource_map WHERE id = $1 AND resource_id = $2 AND state = 'active'",
    )
    .bind(map.get().cast_signed())
    .bind(resource_id.as_str())
    .fetch_optional(&mut *tx)
    .await
    .or_store()?;
    if found.is_none() {
        return Ok(false);
    }
    let epoch = tx.raise_epoch().await?;
    sqlx::query(
        "UPDATE warden_resource_map SET state = 'suspect', synced = FALSE, attempts = 0, next_try = 0, \
         changed_epoch = $1, updated = $2 WHERE id = $3",
    )
    .bind(epoch)
    .bind(now)
    .bind(map.get().cast_signed())
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await?;
    Ok(true)
}

pub(super) async fn share_lost(store: &Backend, map: &MapRecord, now: i64) -> Result<bool, Error> {
    let mut tx = store.write().await?;
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM warden_resource_map WHERE id = $1 AND generation = $2 AND state = 'suspect'",
    )
    .bind(map.id.get().cast_signed())
    .bind(map.generation)
    .fetch_optional(&mut *tx)
    .await
    .or_store()?;
    if found.is_none() {
        return Ok(false);
    }
    let epoch = tx.raise_epoch().await?;
    sqlx::query(
        "UPDATE warden_resource_map SET state = 'lost', resource_id = NULL, revision = NULL, policy_uri = NULL, \
         problem = NULL, attempts = 0, changed_epoch = $1, updated = $2 WHERE id = $3",
    )
    .bind(epoch)
    .bind(now)
    .bind(map.id.get().cast_signed())
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await?;
    Ok(true)
}

pub(super) async fn share_recreated(
    store: &Backend,
    map: &MapRecord,
    now: i64,
) -> Result<bool, Error> {
    let mut tx = store.write().await?;
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM warden_resource_map WHERE id = $1 AND generation = $2 AND state = 'lost'",
    )
    .bind(map.id.get().cast_signed())
    .bind(map.generation)
    .fetch_optional(&mut *tx)
    .await
    .or_store()?;
    if found.is_none() {
        return Ok(false);
    }
    let epoch = tx.raise_epoch().await?;
    sqlx::query(
        "UPDATE warden_resource_map SET state = 'pending', synced = FALSE, perhaps = TRUE, attempts = 0, next_try = 0, \
         generation = generation + 1, changed_epoch = $1, updated = $2 WHERE id = $3",
    )
    .bind(epoch)
    .bind(now)
    .bind(map.id.get().cast_signed())
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await?;
    Ok(true)
}

pub(super) async fn registration_gone(
    store: &Backend,
    map: &MapRecord,
    now: i64,
) -> Result<(), Error> {
    let mut tx = store.write().await?;
    if let Some(row) = with_id(&mut tx, map.id).await?
        && row.marker == map.marker
        && row.resource_id == map.resource_id
    {
        let untouched = row.generation == map.generation && row.state == RowState::Tombstone;
        // A tombstone that nothing is left of is nothing to enforcement; a row that was shared again lost its id.
        let epoch = if untouched {
            row.changed_epoch
        } else {
            tx.raise_epoch().await?
        };
        sqlx::query(
            "UPDATE warden_resource_map SET resource_id = NULL, revision = NULL, perhaps = $1, changed_epoch = $2, updated = $3, \
             state = CASE WHEN state = 'active' THEN 'suspect' ELSE state END WHERE id = $4",
        )
        .bind(!untouched)
        .bind(epoch)
        .bind(now)
        .bind(map.id.get().cast_signed())
        .execute(&mut *tx)
        .await
        .or_store()?;
    }
    tx.commit().await
}

pub(super) async fn orphan_gone(store: &Backend, orphan: i64) -> Result<(), Error> {
    let mut tx = store.write_apart().await?;
    sqlx::query("DELETE FROM warden_orphan WHERE id = $1")
        .bind(orphan)
        .execute(&mut *tx)
        .await
        .or_store()?;
    tx.commit().await
}

pub(super) async fn orphan_failed(
    store: &Backend,
    orphan: i64,
    next_try: i64,
) -> Result<(), Error> {
    let mut tx = store.write_apart().await?;
    sqlx::query("UPDATE warden_orphan SET attempts = attempts + 1, next_try = $1 WHERE id = $2")
        .bind(next_try)
        .bind(orphan)
        .execute(&mut *tx)
        .await
        .or_store()?;
    tx.commit().await
}

pub(super) async fn swept(store: &Backend, now: i64, before: i64) -> Result<(), Error> {
    let mut tx = store.write().await?;
    sqlx::query("DELETE FROM warden_pending_authorization WHERE expires < $1")
        .bind(now)
        .execute(&mut *tx)
        .await
        .or_store()?;
    let stones: Vec<i64> = sqlx::query_scalar(
        "DELETE FROM warden_resource_map \
         WHERE state = 'tombstone' AND resource_id IS NULL AND perhaps = FALSE AND updated < $1 RETURNING changed_epoch",
    )
    .bind(before)
    .fetch_all(&mut *tx)
    .await
    .or_store()?;
    let purges: Vec<i64> =
        sqlx::query_scalar("DELETE FROM warden_purge WHERE created < $1 RETURNING epoch")
            .bind(before)
            .fetch_all(&mut *tx)
            .await
            .or_store()?;
    // Who has not followed up to there can't be told any more what changed.
    if let Some(swept) = stones.into_iter().chain(purges).max() {
        sqlx::query("UPDATE warden_epoch SET swept = CASE WHEN swept < $1 THEN $1 ELSE swept END WHERE id = 1")
            .bind(swept)
            .execute(&mut *tx)
            .await
            .or_store()?;
    }
    sweep_leases(store, &mut tx).await?;
    tx.commit().await
}
