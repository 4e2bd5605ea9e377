//! Which keys are in use, and sealing anew with the current one.

use tower_warden::OwnerId;
use uma_client::{Issuer, Secret};

use super::ams;
use super::connections::verifier_place;
use super::pats;
use super::{Backend, OrStore as _, Write, locked};
use crate::seal::{Place, unknown_key};
use crate::store::{ResealedBatch, SealedRow};
use crate::{Error, ErrorKind};

const CANARY: Place<'_> = Place {
    table: "warden_canary",
    row: "1",
    owner: "",
    issuer: "",
    column: "sealed",
};
const CANARY_TEXT: &str = "the key fits";

/// A wrong or missing key is told now rather than by the first owner whose PAT can't be read.
pub(in super::super) async fn check_keys(store: &Backend) -> Result<(), Error> {
    let mut tx = store.write().await?;
    let in_use: Vec<(String, Vec<u8>)> = sqlx::query_as("SELECT key_id, sealed FROM warden_key")
        .fetch_all(&mut *tx)
        .await
        .or_store()?;
    for (id, sealed) in &in_use {
        if !store.keys.holds(id) {
            return Err(unknown_key(id));
        }
        store.keys.unseal(&CANARY, sealed).map_err(|error| {
            Error::new(
                ErrorKind::Sealed,
                "the sealing key is not the one that this database was sealed with",
            )
            .because(error)
        })?;
    }
    let current = store.keys.current_id();
    if !in_use.iter().any(|(id, _)| *id == current) {
        let sealed = store.keys.seal(&CANARY, &Secret::new(CANARY_TEXT))?;
        sqlx::query("INSERT INTO warden_key (key_id, sealed) VALUES ($1, $2)")
            .bind(&current)
            .bind(sealed)
            .execute(&mut *tx)
            .await
            .or_store()?;
    }
    tx.commit().await
}

/// Seals a value anew if an older key sealed it. `None` if it can't be unsealed.
fn anew(store: &Backend, place: &Place<'_>, sealed: Option<Vec<u8>>) -> Option<Option<Vec<u8>>> {
    let Some(sealed) = sealed else {
        return Some(None);
    };
    if !store.keys.is_old(&sealed) {
        return Some(Some(sealed));
    }
    let secret = store.keys.unseal(place, &sealed).ok()?;
    Some(Some(store.keys.seal(place, &secret).ok()?))
}

pub(super) async fn resealed(
    store: &Backend,
    after: Option<&SealedRow>,
    limit: u32,
) -> Result<ResealedBatch, Error> {
    let mut batch = ResealedBatch::default();
    if !store.keys.has_old() {
        return Ok(batch);
    }
    let mut tx = store.write().await?;
    if after.is_none() {
        reseal_ams(store, &mut tx, &mut batch).await?;
        reseal_pending(store, &mut tx, &mut batch).await?;
    }
    batch.next = reseal_connections(store, &mut tx, after, limit, &mut batch).await?;
    if batch.next.is_none() {
        drop_unused_keys(store, &mut tx).await?;
    }
    tx.commit().await?;
    Ok(batch)
}

async fn reseal_ams(
    store: &Backend,
    tx: &mut Write<'_>,
    batch: &mut ResealedBatch,
) -> Result<(), Error> {
    type Row = (String, String, Option<Vec<u8>>, Option<Vec<u8>>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT am_key, issuer, client_secret, registration_token FROM warden_am \
         WHERE substr(client_secret, 2, 4) <> $1 OR substr(registration_token, 2, 4) <> $1",
    )
    .bind(store.keys.current_raw_id())
    .fetch_all(&mut **tx)
    .await
    .or_store()?;
    for (key, issuer, secret, token) in rows {
        let Ok(issuer) = Issuer::parse(&issuer) else {
            batch.unreadable += 1;
            continue;
        };
        let secret = anew(store, &ams::place(&issuer, &key, "client_secret"), secret);
        let token = anew(
            store,
            &ams::place(&issuer, &key, "registration_token"),
            token,
        );
        let (Some(secret), Some(token)) = (secret, token) else {
            // The host's client there is lost; whoever runs the site has to look at it.
            batch.unreadable += 1;
            continue;
        };
        sqlx::query(
            "UPDATE warden_am SET client_secret = $1, registration_token = $2 WHERE am_key = $3",
        )
        .bind(secret)
        .bind(token)
        .bind(&key)
        .execute(&mut **tx)
        .await
        .or_store()?;
        batch.done += 1;
    }
    Ok(())
}

async fn reseal_pending(
    store: &Backend,
    tx: &mut Write<'_>,
    batch: &mut ResealedBatch,
) -> Result<(), Error> {
    let rows: Vec<(String, String, String, Vec<u8>)> = sqlx::query_as(
        "SELECT p.state_hash, p.owner, a.issuer, p.verifier FROM warden_pending_authorization AS p \
         JOIN warden_am AS a ON a.am_key = p.am_key WHERE substr(p.verifier, 2, 4) <> $1",
    )
    .bind(store.keys.current_raw_id())
    .fetch_all(&mut **tx)
    .await
    .or_store()?;
    for (state, owner, issuer, verifier) in rows {
        let place = verifier_place(&state, &owner, &issuer);
        if let Some(verifier) = anew(store, &place, Some(verifier)) {
            sqlx::query(
                "UPDATE warden_pending_authorization SET verifier = $1 WHERE state_hash = $2",
            )
            .bind(verifier)
            .bind(&state)
            .execute(&mut **tx)
            .await
            .or_store()?;
            batch.done += 1;
        } else {
            // Whoever began it begins again.
            sqlx::query("DELETE FROM warden_pending_authorization WHERE state_hash = $1")
                .bind(&state)
                .execute(&mut **tx)
                .await
                .or_store()?;
            batch.unreadable += 1;
        }
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct RawSealed {
    owner: String,
    am_key: String,
    issuer: String,
    access_token: Option<Vec<u8>>,
    refresh_token: Option<Vec<u8>>,
    client_secret: Option<Vec<u8>>,
}

async fn reseal_connections(
    store: &Backend,
    tx: &mut Write<'_>,
    after: Option<&SealedRow>,
    limit: u32,
    batch: &mut ResealedBatch,
) -> Result<Option<SealedRow>, Error> {
    let (owner, key) = after.map_or(("", ""), |after| (after.owner.as_str(), &after.am_key));
    let rows: Vec<RawSealed> = sqlx::query_as(locked!(
        "SELECT c.owner, c.am_key, a.issuer, c.access_token, c.refresh_token, c.client_secret \
         FROM warden_connection AS c JOIN warden_am AS a ON a.am_key = c.am_key \
         WHERE (c.owner > $1 OR (c.owner = $1 AND c.am_key > $2)) \
         AND (substr(c.access_token, 2, 4) <> $3 OR substr(c.refresh_token, 2, 4) <> $3 \
              OR substr(c.client_secret, 2, 4) <> $3) \
         ORDER BY c.owner, c.am_key LIMIT $4",
        "c"
    ))
    .bind(owner)
    .bind(key)
    .bind(store.keys.current_raw_id())
    .bind(i64::from(limit))
    .fetch_all(&mut **tx)
    .await
    .or_store()?;
    let full = rows.len() >= limit as usize;
    let mut last = None;
    for row in rows {
        let owner = OwnerId::new(row.owner.clone());
        let sealed = Issuer::parse(&row.issuer).ok().and_then(|issuer| {
            let place = |column| pats::place(&owner, &issuer, column);
            Some((
                anew(store, &place("access_token"), row.access_token)?,
                anew(store, &place("refresh_token"), row.refresh_token)?,
                anew(store, &place("client_secret"), row.client_secret)?,
            ))
        });
        if let Some((access, refresh, client)) = sealed {
            sqlx::query(
                "UPDATE warden_connection SET access_token = $1, refresh_token = $2, client_secret = $3 \
                 WHERE owner = $4 AND am_key = $5",
            )
            .bind(access)
            .bind(refresh)
            .bind(client)
            .bind(&row.owner)
            .bind(&row.am_key)
            .execute(&mut **tx)
            .await
            .or_store()?;
            batch.done += 1;
        } else {
            sqlx::query(
                "UPDATE warden_connection SET state = 'needs_consent', access_token = NULL, issued = NULL, \
                 access_expires = NULL, refresh_token = NULL, refresh_expires = NULL, client_secret = NULL, \
                 attend_at = NULL WHERE owner = $1 AND am_key = $2",
            )
            .bind(&row.owner)
            .bind(&row.am_key)
            .execute(&mut **tx)
            .await
            .or_store()?;
            batch.unreadable += 1;
        }
        last = Some(SealedRow {
            owner: row.owner,
            am_key: row.am_key,
        });
    }
    Ok(last.filter(|_| full))
}

/// Forgets the keys that nothing is sealed with any more: the store then starts without them.
async fn drop_unused_keys(store: &Backend, tx: &mut Write<'_>) -> Result<(), Error> {
    let left: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM warden_am \
            WHERE substr(client_secret, 2, 4) <> $1 OR substr(registration_token, 2, 4) <> $1) \
         + (SELECT COUNT(*) FROM warden_pending_authorization WHERE substr(verifier, 2, 4) <> $1) \
         + (SELECT COUNT(*) FROM warden_connection WHERE substr(access_token, 2, 4) <> $1 \
            OR substr(refresh_token, 2, 4) <> $1 OR substr(client_secret, 2, 4) <> $1)",
    )
    .bind(store.keys.current_raw_id())
    .fetch_one(&mut **tx)
    .await
    .or_store()?;
    if left > 0 {
        return Ok(());
    }
    let dropped = sqlx::query("DELETE FROM warden_key WHERE key_id <> $1")
        .bind(store.keys.current_id())
        .execute(&mut **tx)
        .await
        .or_store()?;
    if dropped.rows_affected() > 0 {
        tracing::info!(
            "all secrets are sealed with the current key; older keys are no longer needed"
        );
    }
    Ok(())
}
