//! What an owner does to a path: share it, stop sharing it.

use std::collections::HashSet;

use sqlx::{Sqlite, Transaction};
use tower_warden::{MapId, OwnerId, Site};
use uma_client::ResourceId;

use super::moves::leave_behind;
use super::rows::{at_path, scopes_to_json, with_id};
use super::{OrStore as _, SqliteStore, raise_epoch, storable};
use crate::am_key::am_key;
use crate::store::{Intended, MapRecord, NewShare, RowState};
use crate::{Error, ErrorKind};

pub(super) async fn share_intended(
    store: &SqliteStore,
    share: &NewShare,
    now: i64,
) -> Result<Intended, Error> {
    check(share)?;
    let mut tx = store.write().await?;
    let intended = intend(&mut tx, share, &mut None, now).await?;
    tx.commit().await.or_store()?;
    Ok(intended)
}

pub(super) async fn shares_intended(
    store: &SqliteStore,
    shares: &[NewShare],
    now: i64,
) -> Result<Vec<Intended>, Error> {
    for share in shares {
        check(share)?;
    }
    let mut tx = store.write().await?;
    let mut epoch = None;
    let mut intended = Vec::with_capacity(shares.len());
    for share in shares {
        intended.push(intend(&mut tx, share, &mut epoch, now).await?);
    }
    tx.commit().await.or_store()?;
    Ok(intended)
}

fn check(share: &NewShare) -> Result<(), Error> {
    storable(
        [
            share.site.as_str(),
            &share.path_key,
            share.owner.as_str(),
            &share.marker,
            &share.name,
        ]
        .into_iter()
        .chain(share.description.as_deref())
        .chain(share.icon_uri.as_deref()),
    )
}

/// Raises the epoch once in a transaction.
pub(super) async fn raised(
    tx: &mut Transaction<'static, Sqlite>,
    epoch: &mut Option<i64>,
) -> Result<i64, Error> {
    if let Some(epoch) = *epoch {
        return Ok(epoch);
    }
    let new = raise_epoch(tx).await?;
    *epoch = Some(new);
    Ok(new)
}

/// Name and path as they are searched.
fn search_text(name: &str, path_key: &str) -> String {
    format!("{name} {path_key}").to_lowercase()
}

async fn intend(
    tx: &mut Transaction<'static, Sqlite>,
    share: &NewShare,
    epoch: &mut Option<i64>,
    now: i64,
) -> Result<Intended, Error> {
    let chosen: Option<Option<String>> =
        sqlx::query_scalar("SELECT am_key FROM warden_owner WHERE owner = ?")
            .bind(share.owner.as_str())
            .fetch_optional(&mut **tx)
            .await
            .or_store()?;
    if chosen.flatten() != Some(am_key(&share.issuer)) {
        return Ok(Intended::OtherAm);
    }
    let row = at_path(tx, &share.site, &share.path_key).await?;
    if row.as_ref().is_some_and(|row| row.broken) {
        return Err(Error::new(
            ErrorKind::Store,
            "what is stored of this path is damaged; whoever runs this site has to look at it",
        ));
    }
    let (id, fresh) = match &row {
        None => (insert(tx, share, epoch, now).await?, true),
        Some(row) if row.state == RowState::Tombstone => {
            (row.id, revive(tx, row, share, epoch, now).await?)
        }
        Some(row) if row.owner != share.owner => return Ok(Intended::Taken),
        Some(row) if row.issuer != share.issuer => return Ok(Intended::OtherAm),
        Some(row) => {
            update(tx, row, share, epoch, now).await?;
            (row.id, false)
        }
    };
    Ok(Intended::Kept {
        map: Box::new(kept(tx, id).await?),
        fresh,
    })
}

/// The row that was just written.
async fn kept(tx: &mut Transaction<'static, Sqlite>, id: MapId) -> Result<MapRecord, Error> {
    with_id(tx, id).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::Store,
            "a row that was just written can't be read",
        )
    })
}

async fn insert(
    tx: &mut Transaction<'static, Sqlite>,
    share: &NewShare,
    epoch: &mut Option<i64>,
    now: i64,
) -> Result<MapId, Error> {
    let epoch = raised(tx, epoch).await?;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO warden_resource_map \
         (site, path_key, subtree, owner, am_key, marker, name, description, icon_uri, scopes, state, synced, \
         perhaps, attempts, next_try, generation, changed_epoch, created, updated, search) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', 0, 1, 0, 0, 1, ?, ?, ?, ?) RETURNING id",
    )
    .bind(share.site.as_str())
    .bind(&share.path_key)
    .bind(share.subtree)
    .bind(share.owner.as_str())
    .bind(am_key(&share.issuer))
    .bind(&share.marker)
    .bind(&share.name)
    .bind(share.description.as_deref())
    .bind(share.icon_uri.as_deref())
    .bind(scopes_to_json(&share.scopes))
    .bind(epoch)
    .bind(now)
    .bind(now)
    .bind(search_text(&share.name, &share.path_key))
    .fetch_one(&mut **tx)
    .await
    .or_store()?;
    Ok(MapId::new(id.unsigned_abs()))
}

/// Makes a tombstone a pending row. Says whether it is certain that the AM has no registration of it.
async fn revive(
    tx: &mut Transaction<'static, Sqlite>,
    row: &MapRecord,
    share: &NewShare,
    epoch: &mut Option<i64>,
    now: i64,
) -> Result<bool, Error> {
    let same = row.owner == share.owner && row.issuer == share.issuer;
    let may_be_there = row.resource_id.is_some() || row.perhaps;
    if !same && may_be_there {
        orphan(
            tx,
            row,
            row.resource_id.as_ref().map(ResourceId::as_str),
            now,
        )
        .await?;
    }
    let epoch = raised(tx, epoch).await?;
    sqlx::query(
        "UPDATE warden_resource_map SET subtree = ?, owner = ?, am_key = ?, resource_id = ?, marker = ?, name = ?, \
         description = ?, icon_uri = ?, scopes = ?, policy_uri = NULL, state = 'pending', synced = 0, perhaps = 1, \
         problem = NULL, attempts = 0, next_try = 0, generation = generation + 1, changed_epoch = ?, created = ?, \
         updated = ?, withheld = 0, search = ? WHERE id = ?",
    )
    .bind(share.subtree)
    .bind(share.owner.as_str())
    .bind(am_key(&share.issuer))
    .bind(row.resource_id.as_ref().filter(|_| same).map(ResourceId::as_str))
    .bind(if same { &row.marker } else { &share.marker })
    .bind(&share.name)
    .bind(share.description.as_deref())
    .bind(share.icon_uri.as_deref())
    .bind(scopes_to_json(&share.scopes))
    .bind(epoch)
    .bind(now)
    .bind(now)
    .bind(search_text(&share.name, &share.path_key))
    .bind(row.id.get().cast_signed())
    .execute(&mut **tx)
    .await
    .or_store()?;
    Ok(!same || !may_be_there)
}

/// Gives a row that is there what its owner wants now; nothing is written if that is what it has.
async fn update(
    tx: &mut Transaction<'static, Sqlite>,
    row: &MapRecord,
    share: &NewShare,
    epoch: &mut Option<i64>,
    now: i64,
) -> Result<(), Error> {
    let scopes_changed = row.scopes != share.scopes;
    let words_changed = row.name != share.name
        || row.description != share.description
        || row.icon_uri != share.icon_uri;
    // What was proved gone is registered anew on the owner's word alone, and this is it.
    let state = match row.state {
        RowState::Lost => RowState::Pending,
        RowState::Active if scopes_changed => RowState::Pending,
        state => state,
    };
    let enforced_changed = state != row.state || scopes_changed || row.subtree != share.subtree;
    if !(enforced_changed || words_changed) {
        return Ok(());
    }
    let epoch = if enforced_changed {
        raised(tx, epoch).await?
    } else {
        row.changed_epoch
    };
    let synced = row.synced && !scopes_changed && !words_changed && state == row.state;
    sqlx::query(
        "UPDATE warden_resource_map SET subtree = ?, name = ?, description = ?, icon_uri = ?, scopes = ?, state = ?, \
         resource_id = ?, synced = ?, next_try = 0, generation = generation + 1, changed_epoch = ?, updated = ?, \
         search = ? WHERE id = ?",
    )
    .bind(share.subtree)
    .bind(&share.name)
    .bind(share.description.as_deref())
    .bind(share.icon_uri.as_deref())
    .bind(scopes_to_json(&share.scopes))
    .bind(state.as_str())
    .bind(
        row.resource_id
            .as_ref()
            .filter(|_| row.state != RowState::Lost)
            .map(ResourceId::as_str),
    )
    .bind(synced)
    .bind(epoch)
    .bind(now)
    .bind(search_text(&share.name, &share.path_key))
    .bind(row.id.get().cast_signed())
    .execute(&mut **tx)
    .await
    .or_store()?;
    Ok(())
}

pub(super) async fn shares_stopped(
    store: &SqliteStore,
    owner: &OwnerId,
    paths: Option<&[(Site, String)]>,
    now: i64,
) -> Result<Vec<MapRecord>, Error> {
    let mut tx = store.write().await?;
    let ids = match paths {
        None => {
            sqlx::query_scalar(
                "SELECT id FROM warden_resource_map WHERE owner = ? AND state <> 'tombstone' ORDER BY id",
            )
            .bind(owner.as_str())
            .fetch_all(&mut *tx)
            .await
            .or_store()?
        }
        Some(paths) => {
            let mut seen = HashSet::new();
            let mut ids: Vec<i64> = Vec::with_capacity(paths.len());
            for (site, path_key) in paths {
                let id: Option<i64> = sqlx::query_scalar(
                    "SELECT id FROM warden_resource_map \
                     WHERE site = ? AND path_key = ? AND owner = ? AND state <> 'tombstone'",
                )
                .bind(site.as_str())
                .bind(path_key)
                .bind(owner.as_str())
                .fetch_optional(&mut *tx)
                .await
                .or_store()?;
                ids.extend(id.filter(|id| seen.insert(*id)));
            }
            ids
        }
    };
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let epoch = raise_epoch(&mut tx).await?;
    let mut stopped = Vec::with_capacity(ids.len());
    for id in ids {
        sqlx::query(
            "UPDATE warden_resource_map SET state = 'tombstone', problem = NULL, attempts = 0, next_try = 0, \
             generation = generation + 1, changed_epoch = ?, updated = ?, withheld = 0 WHERE id = ?",
        )
        .bind(epoch)
        .bind(now)
        .bind(id)
        .execute(&mut *tx)
        .await
        .or_store()?;
        leave_behind(&mut tx, id, now).await?;
        stopped.push(kept(&mut tx, MapId::new(id.unsigned_abs())).await?);
    }
    tx.commit().await.or_store()?;
    Ok(stopped)
}

pub(super) async fn share_stopped(
    store: &SqliteStore,
    owner: &OwnerId,
    site: &Site,
    path_key: &str,
    now: i64,
) -> Result<Option<MapRecord>, Error> {
    let path = [(site.clone(), path_key.to_owned())];
    Ok(shares_stopped(store, owner, Some(&path), now).await?.pop())
}

/// Notes a registration that no map stands for any more.
pub(super) async fn orphan(
    tx: &mut Transaction<'static, Sqlite>,
    map: &MapRecord,
    resource_id: Option<&str>,
    now: i64,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO warden_orphan (owner, am_key, resource_id, marker, attempts, next_try, created) \
         VALUES (?, ?, ?, ?, 0, 0, ?)",
    )
    .bind(map.owner.as_str())
    .bind(am_key(&map.issuer))
    .bind(resource_id)
    .bind(&map.marker)
    .bind(now)
    .execute(&mut **tx)
    .await
    .or_store()?;
    Ok(())
}
