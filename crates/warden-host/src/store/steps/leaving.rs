//! Connections that end here: by the owner's wish, or since nothing is left at the AM.

use tower_warden::OwnerId;
use uma_client::{Issuer, PatState, StoredPat};

use super::moves::give_up_move;
use super::pats::{RawPat, pat_to_change};
use super::{Backend, OrStore as _};
use crate::Error;
use crate::am_key::am_key;
use crate::store::{LeftoverRecord, Severed};

pub(super) async fn disconnected(
    store: &Backend,
    owner: &OwnerId,
    issuer: &Issuer,
    now: i64,
) -> Result<Option<Severed>, Error> {
    let key = am_key(issuer);
    let mut tx = store.write().await?;
    let there: Option<String> = sqlx::query_scalar(
        "SELECT c.state FROM warden_owner AS o JOIN warden_connection AS c ON c.owner = o.owner AND c.am_key = o.am_key \
         WHERE o.owner = $1 AND o.am_key = $2 AND c.state <> 'none'",
    )
    .bind(owner.as_str())
    .bind(&key)
    .fetch_optional(&mut *tx)
    .await
    .or_store()?;
    if there.is_none() {
        return Ok(None);
    }
    let raw = pat_to_change(&mut tx, owner, issuer).await?;
    let pat = raw.and_then(|raw| held(store, owner, issuer, raw));
    give_up_move(&mut tx, owner, now).await?;
    sqlx::query(
        "UPDATE warden_connection SET state = 'none', consent = consent + 1, access_token = NULL, issued = NULL, \
         access_expires = NULL, refresh_token = NULL, refresh_expires = NULL, scope = NULL, attend_at = NULL, \
         client_id = NULL, client_auth = NULL, client_secret = NULL WHERE owner = $1 AND am_key = $2",
    )
    .bind(owner.as_str())
    .bind(&key)
    .execute(&mut *tx)
    .await
    .or_store()?;
    sqlx::query("DELETE FROM warden_pending_authorization WHERE owner = $1")
        .bind(owner.as_str())
        .execute(&mut *tx)
        .await
        .or_store()?;
    let shared: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM warden_resource_map WHERE owner = $1 AND am_key = $2 AND state <> 'tombstone'",
    )
    .bind(owner.as_str())
    .bind(&key)
    .fetch_one(&mut *tx)
    .await
    .or_store()?;
    if shared > 0 {
        let epoch = tx.raise_epoch().await?;
        sqlx::query(
            "UPDATE warden_resource_map SET withheld = TRUE, changed_epoch = $1, updated = $2 \
             WHERE owner = $3 AND am_key = $4 AND state <> 'tombstone'",
        )
        .bind(epoch)
        .bind(now)
        .bind(owner.as_str())
        .bind(&key)
        .execute(&mut *tx)
        .await
        .or_store()?;
    }
    tx.commit().await?;
    Ok(Some(Severed {
        pat,
        withheld: shared.unsigned_abs(),
    }))
}

/// What is held, if it can be unsealed at all: what can't is only wiped.
fn held(store: &Backend, owner: &OwnerId, issuer: &Issuer, raw: RawPat) -> Option<StoredPat> {
    match raw.state(store, owner, issuer) {
        Ok(PatState::Held(pat)) => Some(pat),
        _ => None,
    }
}

pub(super) async fn connection_spent(
    store: &Backend,
    owner: &OwnerId,
    issuer: &Issuer,
) -> Result<Option<Severed>, Error> {
    let key = am_key(issuer);
    let mut tx = store.write().await?;
    let needed: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM warden_owner WHERE owner = $1 AND am_key = $2) \
         + (SELECT COUNT(*) FROM warden_move WHERE owner = $1 AND (from_am = $2 OR to_am = $2)) \
         + (SELECT COUNT(*) FROM warden_resource_map WHERE owner = $1 AND am_key = $2 \
            AND (state <> 'tombstone' OR resource_id IS NOT NULL OR perhaps = TRUE)) \
         + (SELECT COUNT(*) FROM warden_orphan WHERE owner = $1 AND am_key = $2)",
    )
    .bind(owner.as_str())
    .bind(&key)
    .fetch_one(&mut *tx)
    .await
    .or_store()?;
    if needed > 0 {
        return Ok(None);
    }
    let Some(raw) = pat_to_change(&mut tx, owner, issuer).await? else {
        return Ok(None);
    };
    let pat = held(store, owner, issuer, raw);
    sqlx::query("DELETE FROM warden_connection WHERE owner = $1 AND am_key = $2")
        .bind(owner.as_str())
        .bind(&key)
        .execute(&mut *tx)
        .await
        .or_store()?;
    tx.commit().await?;
    Ok(Some(Severed { pat, withheld: 0 }))
}

pub(super) async fn leftovers(
    store: &Backend,
    owner: &OwnerId,
) -> Result<Vec<LeftoverRecord>, Error> {
    let rows: Vec<(String, i64, bool)> = sqlx::query_as(
        "SELECT a.issuer, COUNT(*) AS count, \
         NOT EXISTS (SELECT 1 FROM warden_connection AS c WHERE c.owner = $1 AND c.am_key = a.am_key \
                     AND c.state = 'held') AS stuck \
         FROM (SELECT am_key FROM warden_orphan WHERE owner = $1 \
               UNION ALL SELECT am_key FROM warden_resource_map WHERE owner = $1 AND state = 'tombstone' \
                         AND (resource_id IS NOT NULL OR perhaps = TRUE)) AS l \
         JOIN warden_am AS a ON a.am_key = l.am_key GROUP BY a.am_key, a.issuer ORDER BY a.issuer",
    )
    .bind(owner.as_str())
    .fetch_all(&mut *store.begin_read().await?)
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
