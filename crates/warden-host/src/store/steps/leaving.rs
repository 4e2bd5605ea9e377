//! Connections that end here: by the owner's wish, or since nothing is left at the AM.

use tower_warden::OwnerId;
use uma_client::{Issuer, PatState, StoredPat};

use super::moves::give_up_move;
use super::pats::{RawPat, SELECT_PAT};
use super::{OrStore as _, SqliteStore, raise_epoch};
use crate::Error;
use crate::am_key::am_key;
use crate::store::{LeftoverRecord, Severed};

pub(super) async fn disconnected(
    store: &SqliteStore,
    owner: &OwnerId,
    issuer: &Issuer,
    now: i64,
) -> Result<Option<Severed>, Error> {
    let key = am_key(issuer);
    let mut tx = store.write().await?;
    let there: Option<String> = sqlx::query_scalar(
        "SELECT c.state FROM warden_owner AS o JOIN warden_connection AS c ON c.owner = o.owner AND c.am_key = o.am_key \
         WHERE o.owner = ? AND o.am_key = ? AND c.state <> 'none'",
    )
    .bind(owner.as_str())
    .bind(&key)
    .fetch_optional(&mut *tx)
    .await
    .or_store()?;
    if there.is_none() {
        return Ok(None);
    }
    let raw: Option<RawPat> = sqlx::query_as(SELECT_PAT)
        .bind(owner.as_str())
        .bind(&key)
        .fetch_optional(&mut *tx)
        .await
        .or_store()?;
    let pat = raw.and_then(|raw| held(store, owner, issuer, raw));
    give_up_move(&mut tx, owner, now).await?;
    sqlx::query(
        "UPDATE warden_connection SET state = 'none', consent = consent + 1, access_token = NULL, issued = NULL, \
         access_expires = NULL, refresh_token = NULL, refresh_expires = NULL, scope = NULL, attend_at = NULL, \
         client_id = NULL, client_auth = NULL, client_secret = NULL WHERE owner = ? AND am_key = ?",
    )
    .bind(owner.as_str())
    .bind(&key)
    .execute(&mut *tx)
    .await
    .or_store()?;
    sqlx::query("DELETE FROM warden_pending_authorization WHERE owner = ?")
        .bind(owner.as_str())
        .execute(&mut *tx)
        .await
        .or_store()?;
    let shared: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM warden_resource_map WHERE owner = ? AND am_key = ? AND state <> 'tombstone'",
    )
    .bind(owner.as_str())
    .bind(&key)
    .fetch_one(&mut *tx)
    .await
    .or_store()?;
    if shared > 0 {
        let epoch = raise_epoch(&mut tx).await?;
        sqlx::query(
            "UPDATE warden_resource_map SET withheld = 1, changed_epoch = ?, updated = ? \
             WHERE owner = ? AND am_key = ? AND state <> 'tombstone'",
        )
        .bind(epoch)
        .bind(now)
        .bind(owner.as_str())
        .bind(&key)
        .execute(&mut *tx)
        .await
        .or_store()?;
    }
    tx.commit().await.or_store()?;
    Ok(Some(Severed {
        pat,
        withheld: shared.unsigned_abs(),
    }))
}

/// What is held, if it can be unsealed at all: what can't is only wiped.
fn held(store: &SqliteStore, owner: &OwnerId, issuer: &Issuer, raw: RawPat) -> Option<StoredPat> {
    match raw.state(store, owner, issuer) {
        Ok(PatState::Held(pat)) => Some(pat),
        _ => None,
    }
}

pub(super) async fn connection_spent(
    store: &SqliteStore,
    owner: &OwnerId,
    issuer: &Issuer,
) -> Result<Option<Severed>, Error> {
    let key = am_key(issuer);
    let mut tx = store.write().await?;
    let needed: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM warden_owner WHERE owner = ? AND am_key = ?) \
         + (SELECT COUNT(*) FROM warden_move WHERE owner = ? AND (from_am = ? OR to_am = ?)) \
         + (SELECT COUNT(*) FROM warden_resource_map WHERE owner = ? AND am_key = ? \
            AND (state <> 'tombstone' OR resource_id IS NOT NULL OR perhaps = 1)) \
         + (SELECT COUNT(*) FROM warden_orphan WHERE owner = ? AND am_key = ?)",
    )
    .bind(owner.as_str())
    .bind(&key)
    .bind(owner.as_str())
    .bind(&key)
    .bind(&key)
    .bind(owner.as_str())
    .bind(&key)
    .bind(owner.as_str())
    .bind(&key)
    .fetch_one(&mut *tx)
    .await
    .or_store()?;
    if needed > 0 {
        return Ok(None);
    }
    let raw: Option<RawPat> = sqlx::query_as(SELECT_PAT)
        .bind(owner.as_str())
        .bind(&key)
        .fetch_optional(&mut *tx)
        .await
        .or_store()?;
    let Some(raw) = raw else {
        return Ok(None);
    };
    let pat = held(store, owner, issuer, raw);
    sqlx::query("DELETE FROM warden_connection WHERE owner = ? AND am_key = ?")
        .bind(owner.as_str())
        .bind(&key)
        .execute(&mut *tx)
        .await
        .or_store()?;
    tx.commit().await.or_store()?;
    Ok(Some(Severed { pat, withheld: 0 }))
}

pub(super) async fn leftovers(
    store: &SqliteStore,
    owner: &OwnerId,
) -> Result<Vec<LeftoverRecord>, Error> {
    let rows: Vec<(String, i64, bool)> = sqlx::query_as(
        "SELECT a.issuer, COUNT(*) AS count, \
         NOT EXISTS (SELECT 1 FROM warden_connection AS c WHERE c.owner = ? AND c.am_key = a.am_key \
                     AND c.state = 'held') AS stuck \
         FROM (SELECT am_key FROM warden_orphan WHERE owner = ? \
               UNION ALL SELECT am_key FROM warden_resource_map WHERE owner = ? AND state = 'tombstone' \
                         AND (resource_id IS NOT NULL OR perhaps = 1)) AS l \
         JOIN warden_am AS a ON a.am_key = l.am_key GROUP BY a.am_key, a.issuer ORDER BY a.issuer",
    )
    .bind(owner.as_str())
    .bind(owner.as_str())
    .bind(owner.as_str())
    .fetch_all(&store.reader)
    .await
    .or_store()?;
    Ok(rows
        .into_iter()
        .filter_map(|(issuer, count, stuck)| {
            Some(LeftoverRecord {
                issuer: Issuer::parse(&issuer).ok()?,
                count: count.unsigned_abs(),
                stuck,
            })
        })
        .collect())
}
