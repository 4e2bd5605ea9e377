//! Owners, what they consented to, and what they have begun.

use std::time::{Duration, SystemTime};

use sqlx::{Sqlite, Transaction};
use tower_warden::OwnerId;
use uma_client::{Issuer, PatState, Secret, StoredPat, epoch_seconds};

use super::{OrStore as _, SqliteStore, storable};
use crate::am_key::am_key;
use crate::seal::Place;
use crate::store::{ConnectionRecord, PendingConnect};
use crate::{ConnectionState, Error, ErrorKind, ReturnPath};

/// Most authorizations that an owner can have begun at once.
const MOST_BEGUN: i64 = 10;

fn place<'a>(owner: &'a OwnerId, issuer: &'a Issuer, column: &'static str) -> Place<'a> {
    Place {
        table: "warden_connection",
        row: owner.as_str(),
        owner: owner.as_str(),
        issuer: issuer.as_str(),
        column,
    }
}

fn verifier_place<'a>(state_hash: &'a str, owner: &'a str, issuer: &'a str) -> Place<'a> {
    Place {
        table: "warden_pending_authorization",
        row: state_hash,
        owner,
        issuer,
        column: "verifier",
    }
}

pub(super) async fn connect_begun(
    store: &SqliteStore,
    pending: &PendingConnect,
    now: i64,
) -> Result<(), Error> {
    storable([pending.owner.as_str(), pending.redirect_uri.as_str()])?;
    let place = verifier_place(
        &pending.state_hash,
        pending.owner.as_str(),
        pending.issuer.as_str(),
    );
    let verifier = store.seal(&place, Some(&pending.verifier))?;
    let mut tx = store.write().await?;
    sqlx::query("DELETE FROM warden_pending_authorization WHERE expires < ?")
        .bind(now)
        .execute(&mut *tx)
        .await
        .or_store()?;
    sqlx::query(
        "DELETE FROM warden_pending_authorization WHERE owner = ? AND state_hash NOT IN \
         (SELECT state_hash FROM warden_pending_authorization WHERE owner = ? \
          ORDER BY expires DESC, state_hash LIMIT ?)",
    )
    .bind(pending.owner.as_str())
    .bind(pending.owner.as_str())
    .bind(MOST_BEGUN - 1)
    .execute(&mut *tx)
    .await
    .or_store()?;
    sqlx::query(
        "INSERT INTO warden_pending_authorization \
         (state_hash, owner, session_hash, am_key, verifier, return_path, redirect_uri, expires) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&pending.state_hash)
    .bind(pending.owner.as_str())
    .bind(&pending.session_hash)
    .bind(am_key(&pending.issuer))
    .bind(verifier)
    .bind(pending.return_to.as_str())
    .bind(&pending.redirect_uri)
    .bind(pending.expires)
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await.or_store()
}

#[derive(sqlx::FromRow)]
struct RawPending {
    owner: String,
    session_hash: String,
    issuer: String,
    verifier: Vec<u8>,
    return_path: String,
    redirect_uri: String,
    expires: i64,
}

pub(super) async fn connect_answered(
    store: &SqliteStore,
    state_hash: &str,
) -> Result<Option<PendingConnect>, Error> {
    let mut tx = store.write().await?;
    let raw: Option<RawPending> = sqlx::query_as(
        "SELECT p.owner, p.session_hash, a.issuer, p.verifier, p.return_path, p.redirect_uri, p.expires \
         FROM warden_pending_authorization AS p JOIN warden_am AS a ON a.am_key = p.am_key \
         WHERE p.state_hash = ?",
    )
    .bind(state_hash)
    .fetch_optional(&mut *tx)
    .await
    .or_store()?;
    let Some(raw) = raw else {
        return Ok(None);
    };
    sqlx::query("DELETE FROM warden_pending_authorization WHERE state_hash = ?")
        .bind(state_hash)
        .execute(&mut *tx)
        .await
        .or_store()?;
    // Used up before it is looked at any closer.
    tx.commit().await.or_store()?;
    let verifier = store.key.unseal(
        &verifier_place(state_hash, &raw.owner, &raw.issuer),
        &raw.verifier,
    )?;
    let damaged = || {
        Error::new(
            ErrorKind::Store,
            "a stored authorization can't be understood; begin again",
        )
    };
    Ok(Some(PendingConnect {
        state_hash: state_hash.to_owned(),
        owner: OwnerId::new(raw.owner),
        session_hash: raw.session_hash,
        issuer: Issuer::parse(&raw.issuer).map_err(|error| damaged().because(error))?,
        verifier,
        return_to: ReturnPath::parse(&raw.return_path).ok_or_else(damaged)?,
        redirect_uri: raw.redirect_uri,
        expires: raw.expires,
    }))
}

pub(super) async fn connected(
    store: &SqliteStore,
    owner: &OwnerId,
    issuer: &Issuer,
    pat: &StoredPat,
    now: i64,
) -> Result<bool, Error> {
    storable([owner.as_str()])?;
    let key = am_key(issuer);
    let mut tx = store.write().await?;
    let elsewhere: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM warden_resource_map WHERE owner = ? AND am_key <> ? AND state <> 'tombstone'",
    )
    .bind(owner.as_str())
    .bind(&key)
    .fetch_one(&mut *tx)
    .await
    .or_store()?;
    if elsewhere > 0 {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO warden_owner (owner, am_key) VALUES (?, ?) \
         ON CONFLICT (owner) DO UPDATE SET am_key = excluded.am_key",
    )
    .bind(owner.as_str())
    .bind(&key)
    .execute(&mut *tx)
    .await
    .or_store()?;
    sqlx::query(
        "INSERT INTO warden_connection (owner, am_key, since, consent, state) VALUES (?, ?, ?, 0, 'none') \
         ON CONFLICT (owner, am_key) DO NOTHING",
    )
    .bind(owner.as_str())
    .bind(&key)
    .bind(now)
    .execute(&mut *tx)
    .await
    .or_store()?;
    sqlx::query(
        "UPDATE warden_connection SET consent = consent + 1 WHERE owner = ? AND am_key = ?",
    )
    .bind(owner.as_str())
    .bind(&key)
    .execute(&mut *tx)
    .await
    .or_store()?;
    write_pat(store, &mut tx, owner, issuer, pat).await?;
    // What waited for this consent is due.
    sqlx::query(
        "UPDATE warden_resource_map SET next_try = 0, attempts = 0 WHERE owner = ? AND am_key = ?",
    )
    .bind(owner.as_str())
    .bind(&key)
    .execute(&mut *tx)
    .await
    .or_store()?;
    sqlx::query(
        "UPDATE warden_orphan SET next_try = 0, attempts = 0 WHERE owner = ? AND am_key = ?",
    )
    .bind(owner.as_str())
    .bind(&key)
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await.or_store()?;
    Ok(true)
}

async fn write_pat(
    store: &SqliteStore,
    tx: &mut Transaction<'static, Sqlite>,
    owner: &OwnerId,
    issuer: &Issuer,
    pat: &StoredPat,
) -> Result<(), Error> {
    let access = store.seal(
        &place(owner, issuer, "access_token"),
        Some(&pat.access_token),
    )?;
    let refresh = store.seal(
        &place(owner, issuer, "refresh_token"),
        pat.refresh_token.as_ref(),
    )?;
    storable(pat.scope.as_deref())?;
    sqlx::query(
        "UPDATE warden_connection SET state = 'held', access_token = ?, issued = ?, access_expires = ?, \
         refresh_token = ?, refresh_expires = ?, scope = ? WHERE owner = ? AND am_key = ?",
    )
    .bind(access)
    .bind(epoch_seconds(pat.issued_at))
    .bind(pat.expires_at.map(epoch_seconds))
    .bind(refresh)
    .bind(pat.refresh_expires_at.map(epoch_seconds))
    .bind(pat.scope.as_deref())
    .bind(owner.as_str())
    .bind(am_key(issuer))
    .execute(&mut **tx)
    .await
    .or_store()?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct RawConnection {
    issuer: String,
    since: i64,
    state: String,
}

pub(super) async fn connection(
    store: &SqliteStore,
    owner: &OwnerId,
) -> Result<Option<ConnectionRecord>, Error> {
    let raw: Option<RawConnection> = sqlx::query_as(
        "SELECT a.issuer, c.since, c.state FROM warden_owner AS o \
         JOIN warden_connection AS c ON c.owner = o.owner AND c.am_key = o.am_key \
         JOIN warden_am AS a ON a.am_key = o.am_key WHERE o.owner = ?",
    )
    .bind(owner.as_str())
    .fetch_optional(&store.reader)
    .await
    .or_store()?;
    let Some(raw) = raw else {
        return Ok(None);
    };
    let issuer = Issuer::parse(&raw.issuer).map_err(|error| {
        Error::new(ErrorKind::Store, "the stored AM can't be understood").because(error)
    })?;
    Ok(Some(ConnectionRecord {
        issuer,
        since: raw.since,
        // Whatever is not a PAT in hand takes a consent.
        state: match raw.state.as_str() {
            "held" => ConnectionState::Connected,
            _ => ConnectionState::NeedsConsent,
        },
    }))
}

#[derive(sqlx::FromRow)]
struct RawPat {
    consent: i64,
    state: String,
    access_token: Option<Vec<u8>>,
    issued: Option<i64>,
    access_expires: Option<i64>,
    refresh_token: Option<Vec<u8>>,
    refresh_expires: Option<i64>,
    scope: Option<String>,
}

pub(super) async fn pat(
    store: &SqliteStore,
    owner: &OwnerId,
    issuer: &Issuer,
) -> Result<(PatState, i64), Error> {
    let raw: Option<RawPat> = sqlx::query_as(
        "SELECT consent, state, access_token, issued, access_expires, refresh_token, refresh_expires, scope \
         FROM warden_connection WHERE owner = ? AND am_key = ?",
    )
    .bind(owner.as_str())
    .bind(am_key(issuer))
    .fetch_optional(&store.reader)
    .await
    .or_store()?;
    let Some(raw) = raw else {
        return Ok((PatState::None, 0));
    };
    let unsealed = |column, sealed: Option<&[u8]>| -> Result<Option<Secret>, Error> {
        store.unseal(&place(owner, issuer, column), sealed)
    };
    let state = match (raw.state.as_str(), raw.access_token.as_deref()) {
        ("none", _) => PatState::None,
        ("held", Some(sealed)) => {
            let Some(access_token) = unsealed("access_token", Some(sealed))? else {
                return Ok((PatState::NeedsConsent, raw.consent));
            };
            let mut pat = StoredPat::new(access_token, time(raw.issued.unwrap_or(0)));
            pat.expires_at = raw.access_expires.map(time);
            pat.refresh_token = unsealed("refresh_token", raw.refresh_token.as_deref())?;
            pat.refresh_expires_at = raw.refresh_expires.map(time);
            pat.scope = raw.scope;
            PatState::Held(pat)
        }
        _ => PatState::NeedsConsent,
    };
    Ok((state, raw.consent))
}

/// A stored time. What no clock can say is the epoch: long over.
fn time(seconds: i64) -> SystemTime {
    u64::try_from(seconds)
        .ok()
        .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Whether the consent is still the one that the caller goes by.
async fn is_current(
    tx: &mut Transaction<'static, Sqlite>,
    owner: &OwnerId,
    issuer: &Issuer,
    consent: i64,
) -> Result<bool, Error> {
    let current: Option<i64> =
        sqlx::query_scalar("SELECT consent FROM warden_connection WHERE owner = ? AND am_key = ?")
            .bind(owner.as_str())
            .bind(am_key(issuer))
            .fetch_optional(&mut **tx)
            .await
            .or_store()?;
    Ok(current == Some(consent))
}

pub(super) async fn pat_renewed(
    store: &SqliteStore,
    owner: &OwnerId,
    issuer: &Issuer,
    consent: i64,
    pat: &StoredPat,
) -> Result<bool, Error> {
    let mut tx = store.write().await?;
    if !is_current(&mut tx, owner, issuer, consent).await? {
        return Ok(false);
    }
    write_pat(store, &mut tx, owner, issuer, pat).await?;
    tx.commit().await.or_store()?;
    Ok(true)
}

pub(super) async fn consent_ended(
    store: &SqliteStore,
    owner: &OwnerId,
    issuer: &Issuer,
    consent: i64,
) -> Result<bool, Error> {
    let mut tx = store.write().await?;
    if !is_current(&mut tx, owner, issuer, consent).await? {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE warden_connection SET state = 'needs_consent', access_token = NULL, issued = NULL, \
         access_expires = NULL, refresh_token = NULL, refresh_expires = NULL WHERE owner = ? AND am_key = ?",
    )
    .bind(owner.as_str())
    .bind(am_key(issuer))
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await.or_store()?;
    Ok(true)
}
