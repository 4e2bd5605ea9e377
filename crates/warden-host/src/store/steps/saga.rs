//! What an owner does to a path: share it, stop sharing it.

use std::collections::HashSet;

use tower_warden::{MapId, OwnerId, Site};
use uma_client::ResourceId;

use super::moves::leave_behind;
use super::rows::{at_path, chosen_am, orphaned, with_id};
use super::{Backend, OrStore as _, Write};
use crate::am_key::am_key;
use crate::store::rows::scopes_to_json;
use crate::store::{Intended, MapRecord, NewShare, RowState};
use crate::{Error, ErrorKind};

pub(super) async fn share_intended(
    store: &Backend,
    share: &NewShare,
    now: i64,
) -> Result<Intended, Error> {
    let mut tx = store.write().await?;
    let intended = intend(&mut tx, share, now).await?;
    tx.commit().await?;
    Ok(intended)
}

pub(super) async fn shares_intended(
    store: &Backend,
    shares: &[NewShare],
    now: i64,
) -> Result<Vec<Intended>, Error> {
    let mut tx = store.write().await?;
    let mut intended = Vec::with_capacity(shares.len());
    for share in shares {
        intended.push(intend(&mut tx, share, now).await?);
    }
    tx.commit().await?;
    Ok(intended)
}

/// Name and path as they are searched.
fn search_text(name: &str, path_key: &str) -> String {
    format!("{name} {path_key}").to_lowercase()
}

async fn intend(tx: &mut Write<'_>, share: &NewShare, now: i64) -> Result<Intended, Error> {
    if chosen_am(tx, &share.owner).await? != Some(am_key(&share.issuer)) {
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
        None => (insert(tx, share, now).await?, true),
        Some(row) if row.state == RowState::Tombstone => {
            (row.id, revive(tx, row, share, now).await?)
        }
        Some(row) if row.owner != share.owner => return Ok(Intended::Taken),
        Some(row) if row.issuer != share.issuer => return Ok(Intended::OtherAm),
        Some(row) => {
            update(tx, row, share, now).await?;
            (row.id, false)
        }
    };
    Ok(Intended::Kept {
        map: Box::new(kept(tx, id).await?),
        fresh,
    })
}

/// The row that was just written.
async fn kept(tx: &mut Write<'_>, id: MapId) -> Result<MapRecord, Error> {
    with_id(tx, id).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::Store,
            "a row that was just written can't be read",
        )
    })
}

async fn insert(tx: &mut Write<'_>, share: &NewShare, now: i64) -> Result<MapId, Error> {
    let epoch = tx.raise_epoch().await?;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO warden_resource_map \
         (site, path_key, subtree, owner, am_key, marker, name, description, icon_uri, scopes, state, synced, \
         perhaps, attempts, next_try, generation, changed_epoch, created, updated, search) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'pending', FALSE, TRUE, 0, 0, 1, $11, $12, $13, $14) RETURNING id",
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
    tx: &mut Write<'_>,
    row: &MapRecord,
    share: &NewShare,
    now: i64,
) -> Result<bool, Error> {
    let same = row.owner == share.owner && row.issuer == share.issuer;
    let may_be_there = row.resource_id.is_some() || row.perhaps;
    if !same && may_be_there {
        let id = row.resource_id.as_ref().map(ResourceId::as_str);
        let (key, revision) = (am_key(&row.issuer), row.revision.as_deref());
        orphaned(tx, &row.owner, &key, id, revision, &row.marker, now).await?;
    }
    let epoch = tx.raise_epoch().await?;
    sqlx::query(
        "UPDATE warden_resource_map SET subtree = $1, owner = $2, am_key = $3, resource_id = $4, revision = $5, marker = $6, name = $7, \
         description = $8, icon_uri = $9, scopes = $10, policy_uri = NULL, state = 'pending', synced = FALSE, perhaps = TRUE, \
         problem = NULL, attempts = 0, next_try = 0, generation = generation + 1, changed_epoch = $11, created = $12, \
         updated = $13, withheld = FALSE, search = $14 WHERE id = $15",
    )
    .bind(share.subtree)
    .bind(share.owner.as_str())
    .bind(am_key(&share.issuer))
    .bind(row.resource_id.as_ref().filter(|_| same).map(ResourceId::as_str))
    .bind(row.revision.as_ref().filter(|_| same))
    .bind(if same && may_be_there { &row.marker } else { &share.marker })
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
    tx: &mut Write<'_>,
    row: &MapRecord,
    share: &NewShare,
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
        tx.raise_epoch().await?
    } else {
        row.changed_epoch
    };
    let synced = row.synced && !scopes_changed && !words_changed && state == row.state;
    sqlx::query(
        "UPDATE warden_resource_map SET subtree = $1, name = $2, description = $3, icon_uri = $4, scopes = $5, state = $6, \
         resource_id = $7, revision = $8, synced = $9, next_try = 0, generation = generation + 1, changed_epoch = $10, updated = $11, \
         search = $12 WHERE id = $13",
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
    .bind(
        row.revision
            .as_ref()
            .filter(|_| row.state != RowState::Lost),
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
    store: &Backend,
    owner: &OwnerId,
    paths: Option<&[(Site, String)]>,
    now: i64,
) -> Result<Vec<MapRecord>, Error> {
    let mut tx = store.write().await?;
    let ids = match paths {
        None => {
            sqlx::query_scalar(
                "SELECT id FROM warden_resource_map WHERE owner = $1 AND state <> 'tombstone' ORDER BY id",
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
                     WHERE site = $1 AND path_key = $2 AND owner = $3 AND state <> 'tombstone'",
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
    let epoch = tx.raise_epoch().await?;
    let mut stopped = Vec::with_capacity(ids.len());
    for id in ids {
        sqlx::query(
            "UPDATE warden_resource_map SET state = 'tombstone', problem = NULL, attempts = 0, next_try = 0, \
             generation = generation + 1, changed_epoch = $1, updated = $2, withheld = FALSE WHERE id = $3",
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
    tx.commit().await?;
    Ok(stopped)
}

pub(super) async fn share_stopped(
    store: &Backend,
    owner: &OwnerId,
    site: &Site,
    path_key: &str,
    now: i64,
) -> Result<Option<MapRecord>, Error> {
    let path = [(site.clone(), path_key.to_owned())];
    Ok(shares_stopped(store, owner, Some(&path), now).await?.pop())
}
