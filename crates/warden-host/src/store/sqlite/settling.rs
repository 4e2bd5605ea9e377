//! What comes of what the AM says.

use sqlx::{Sqlite, Transaction};
use tower_warden::MapId;
use uma_client::ResourceId;
use url::Url;

use super::nodes::sweep_leases;
use super::rows::with_id;
use super::saga::{orphan, raised};
use super::{OrStore as _, SqliteStore, raise_epoch, storable};
use crate::Error;
use crate::store::{MapRecord, Registered, RowState};

pub(super) async fn share_registered(
    store: &SqliteStore,
    map: &MapRecord,
    registered: &Registered,
    now: i64,
) -> Result<Option<MapRecord>, Error> {
    let one = [(map.clone(), registered.clone())];
    Ok(shares_registered(store, &one, now).await?.pop().flatten())
}

pub(super) async fn shares_registered(
    store: &SqliteStore,
    shares: &[(MapRecord, Registered)],
    now: i64,
) -> Result<Vec<Option<MapRecord>>, Error> {
    storable(
        shares
            .iter()
            .map(|(_, registered)| registered.registered_name.as_str()),
    )?;
    let mut tx = store.write().await?;
    let mut epoch = None;
    let mut kept = Vec::with_capacity(shares.len());
    for (map, registered) in shares {
        kept.push(register(&mut tx, map, registered, &mut epoch, now).await?);
    }
    tx.commit().await.or_store()?;
    Ok(kept)
}

async fn register(
    tx: &mut Transaction<'static, Sqlite>,
    map: &MapRecord,
    registered: &Registered,
    epoch: &mut Option<i64>,
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
        moved_on(tx, map, row.as_ref(), &registered.resource_id, now).await?;
        return Ok(None);
    };
    // Telling the AM a new name is nothing to enforcement.
    let enforced_changed = current.state != RowState::Active
        || current.resource_id.as_ref() != Some(&registered.resource_id);
    let epoch = if enforced_changed {
        raised(tx, epoch).await?
    } else {
        current.changed_epoch
    };
    sqlx::query(
        "UPDATE warden_resource_map SET state = 'active', resource_id = ?, registered_name = ?, policy_uri = ?, \
         synced = 1, perhaps = 1, problem = NULL, attempts = 0, next_try = 0, changed_epoch = ?, updated = ? \
         WHERE id = ?",
    )
    .bind(registered.resource_id.as_str())
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
    store: &SqliteStore,
    map: &MapRecord,
    id: &ResourceId,
    now: i64,
) -> Result<(), Error> {
    let mut tx = store.write().await?;
    let row = with_id(&mut tx, map.id).await?;
    if let Some(current) = row.as_ref().filter(|row| row.generation == map.generation) {
        if current.resource_id.as_ref() != Some(id) {
            // Of a pending row enforcement reads no id, but what it reads is said to raise the epoch.
            let epoch = raise_epoch(&mut tx).await?;
            sqlx::query(
                "UPDATE warden_resource_map SET resource_id = ?, changed_epoch = ?, updated = ? WHERE id = ?",
            )
            .bind(id.as_str())
            .bind(epoch)
            .bind(now)
            .bind(map.id.get().cast_signed())
            .execute(&mut *tx)
            .await
            .or_store()?;
        }
    } else {
        moved_on(&mut tx, map, row.as_ref(), id, now).await?;
    }
    tx.commit().await.or_store()
}

/// The AM made a registration for a row that its owner has changed since. It must not be forgotten: it is the row's if
/// the row is still the same share and has none, else an orphan.
async fn moved_on(
    tx: &mut Transaction<'static, Sqlite>,
    map: &MapRecord,
    row: Option<&MapRecord>,
    id: &ResourceId,
    now: i64,
) -> Result<(), Error> {
    let same_share = row.filter(|row| row.marker == map.marker && row.owner == map.owner);
    match same_share.map(|row| row.resource_id.as_ref()) {
        Some(Some(known)) if known == id => Ok(()),
        Some(None) => {
            let epoch = raise_epoch(tx).await?;
            sqlx::query(
                "UPDATE warden_resource_map SET resource_id = ?, changed_epoch = ? WHERE id = ?",
            )
            .bind(id.as_str())
            .bind(epoch)
            .bind(map.id.get().cast_signed())
            .execute(&mut **tx)
            .await
            .or_store()?;
            Ok(())
        }
        Some(Some(_)) | None => orphan(tx, map, Some(id.as_str()), now).await,
    }
}

pub(super) async fn share_failed(
    store: &SqliteStore,
    map: &MapRecord,
    problem: &str,
    next_try: i64,
) -> Result<(), Error> {
    storable([problem])?;
    let mut tx = store.write().await?;
    sqlx::query(
        "UPDATE warden_resource_map SET problem = ?, attempts = attempts + 1, next_try = ? \
         WHERE id = ? AND generation = ?",
    )
    .bind(problem)
    .bind(next_try)
    .bind(map.id.get().cast_signed())
    .bind(map.generation)
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await.or_store()
}

pub(super) async fn share_suspected(
    store: &SqliteStore,
    map: MapId,
    resource_id: &ResourceId,
    now: i64,
) -> Result<bool, Error> {
    let mut tx = store.write().await?;
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM warden_resource_map WHERE id = ? AND resource_id = ? AND state = 'active'",
    )
    .bind(map.get().cast_signed())
    .bind(resource_id.as_str())
    .fetch_optional(&mut *tx)
    .await
    .or_store()?;
    if found.is_none() {
        return Ok(false);
    }
    let epoch = raise_epoch(&mut tx).await?;
    sqlx::query(
        "UPDATE warden_resource_map SET state = 'suspect', synced = 0, attempts = 0, next_try = 0, \
         changed_epoch = ?, updated = ? WHERE id = ?",
    )
    .bind(epoch)
    .bind(now)
    .bind(map.get().cast_signed())
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await.or_store()?;
    Ok(true)
}

pub(super) async fn share_lost(
    store: &SqliteStore,
    map: &MapRecord,
    now: i64,
) -> Result<bool, Error> {
    let mut tx = store.write().await?;
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM warden_resource_map WHERE id = ? AND generation = ? AND state = 'suspect'",
    )
    .bind(map.id.get().cast_signed())
    .bind(map.generation)
    .fetch_optional(&mut *tx)
    .await
    .or_store()?;
    if found.is_none() {
        return Ok(false);
    }
    let epoch = raise_epoch(&mut tx).await?;
    sqlx::query(
        "UPDATE warden_resource_map SET state = 'lost', resource_id = NULL, policy_uri = NULL, problem = NULL, \
         attempts = 0, changed_epoch = ?, updated = ? WHERE id = ?",
    )
    .bind(epoch)
    .bind(now)
    .bind(map.id.get().cast_signed())
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await.or_store()?;
    Ok(true)
}

pub(super) async fn share_recreated(
    store: &SqliteStore,
    map: &MapRecord,
    now: i64,
) -> Result<bool, Error> {
    let mut tx = store.write().await?;
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM warden_resource_map WHERE id = ? AND generation = ? AND state = 'lost'",
    )
    .bind(map.id.get().cast_signed())
    .bind(map.generation)
    .fetch_optional(&mut *tx)
    .await
    .or_store()?;
    if found.is_none() {
        return Ok(false);
    }
    let epoch = raise_epoch(&mut tx).await?;
    sqlx::query(
        "UPDATE warden_resource_map SET state = 'pending', synced = 0, perhaps = 1, attempts = 0, next_try = 0, \
         generation = generation + 1, changed_epoch = ?, updated = ? WHERE id = ?",
    )
    .bind(epoch)
    .bind(now)
    .bind(map.id.get().cast_signed())
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await.or_store()?;
    Ok(true)
}

pub(super) async fn registration_gone(
    store: &SqliteStore,
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
            raise_epoch(&mut tx).await?
        };
        sqlx::query(
            "UPDATE warden_resource_map SET resource_id = NULL, perhaps = ?, changed_epoch = ?, updated = ?, \
             state = CASE WHEN state = 'active' THEN 'suspect' ELSE state END WHERE id = ?",
        )
        .bind(!untouched)
        .bind(epoch)
        .bind(now)
        .bind(map.id.get().cast_signed())
        .execute(&mut *tx)
        .await
        .or_store()?;
    }
    tx.commit().await.or_store()
}

pub(super) async fn orphan_gone(store: &SqliteStore, orphan: i64) -> Result<(), Error> {
    let mut tx = store.write().await?;
    sqlx::query("DELETE FROM warden_orphan WHERE id = ?")
        .bind(orphan)
        .execute(&mut *tx)
        .await
        .or_store()?;
    tx.commit().await.or_store()
}

pub(super) async fn orphan_failed(
    store: &SqliteStore,
    orphan: i64,
    next_try: i64,
) -> Result<(), Error> {
    let mut tx = store.write().await?;
    sqlx::query("UPDATE warden_orphan SET attempts = attempts + 1, next_try = ? WHERE id = ?")
        .bind(next_try)
        .bind(orphan)
        .execute(&mut *tx)
        .await
        .or_store()?;
    tx.commit().await.or_store()
}

pub(super) async fn swept(store: &SqliteStore, now: i64, before: i64) -> Result<(), Error> {
    let mut tx = store.write().await?;
    sqlx::query("DELETE FROM warden_pending_authorization WHERE expires < ?")
        .bind(now)
        .execute(&mut *tx)
        .await
        .or_store()?;
    let stones: Vec<i64> = sqlx::query_scalar(
        "DELETE FROM warden_resource_map \
         WHERE state = 'tombstone' AND resource_id IS NULL AND perhaps = 0 AND updated < ? RETURNING changed_epoch",
    )
    .bind(before)
    .fetch_all(&mut *tx)
    .await
    .or_store()?;
    let purges: Vec<i64> =
        sqlx::query_scalar("DELETE FROM warden_purge WHERE created < ? RETURNING epoch")
            .bind(before)
            .fetch_all(&mut *tx)
            .await
            .or_store()?;
    // Who has not followed up to there can't be told any more what changed.
    if let Some(swept) = stones.into_iter().chain(purges).max() {
        sqlx::query("UPDATE warden_epoch SET swept = max(swept, ?) WHERE id = 1")
            .bind(swept)
            .execute(&mut *tx)
            .await
            .or_store()?;
    }
    sweep_leases(store, &mut tx).await?;
    tx.commit().await.or_store()
}
