//! Owners, what they consented to, and what they have begun.

use tower_warden::OwnerId;
use uma_client::Issuer;

use super::moves::give_up_move;
use super::pats::{place, write_pat};
use super::rows::chosen_am;
use super::{Backend, OrStore as _, Write};
use crate::am_key::am_key;
use crate::seal::Place;
use crate::store::{ConnectionRecord, Consent, PendingConnect};
use crate::{ConnectionState, Error, ErrorKind, ReturnPath};

/// Most authorizations that an owner can have begun at once.
const MOST_BEGUN: i64 = 10;

pub(super) fn verifier_place<'a>(
    state_hash: &'a str,
    owner: &'a str,
    issuer: &'a str,
) -> Place<'a> {
    Place {
        table: "warden_pending_authorization",
        row: state_hash,
        owner,
        issuer,
        column: "verifier",
    }
}

pub(super) async fn connect_begun(
    store: &Backend,
    pending: &PendingConnect,
    now: i64,
) -> Result<(), Error> {
    let place = verifier_place(
        &pending.state_hash,
        pending.owner.as_str(),
        pending.issuer.as_str(),
    );
    let verifier = store.seal(&place, Some(&pending.verifier))?;
    let mut tx = store.write_apart().await?;
    sqlx::query("DELETE FROM warden_pending_authorization WHERE expires < $1")
        .bind(now)
        .execute(&mut *tx)
        .await
        .or_store()?;
    sqlx::query(
        "DELETE FROM warden_pending_authorization WHERE owner = $1 AND state_hash NOT IN \
         (SELECT state_hash FROM warden_pending_authorization WHERE owner = $1 \
          ORDER BY expires DESC, state_hash LIMIT $2)",
    )
    .bind(pending.owner.as_str())
    .bind(MOST_BEGUN - 1)
    .execute(&mut *tx)
    .await
    .or_store()?;
    sqlx::query(
        "INSERT INTO warden_pending_authorization \
         (state_hash, owner, session_hash, am_key, verifier, return_path, redirect_uri, expires, moves) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&pending.state_hash)
    .bind(pending.owner.as_str())
    .bind(&pending.session_hash)
    .bind(am_key(&pending.issuer))
    .bind(verifier)
    .bind(pending.return_to.as_str())
    .bind(&pending.redirect_uri)
    .bind(pending.expires)
    .bind(pending.moves)
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await
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
    moves: bool,
}

pub(super) async fn connect_answered(
    store: &Backend,
    state_hash: &str,
) -> Result<Option<PendingConnect>, Error> {
    let mut tx = store.write_apart().await?;
    let raw: Option<RawPending> = sqlx::query_as(
        "SELECT p.owner, p.session_hash, a.issuer, p.verifier, p.return_path, p.redirect_uri, p.expires, \
         p.moves \
         FROM warden_pending_authorization AS p JOIN warden_am AS a ON a.am_key = p.am_key \
         WHERE p.state_hash = $1",
    )
    .bind(state_hash)
    .fetch_optional(&mut *tx)
    .await
    .or_store()?;
    let Some(raw) = raw else {
        return Ok(None);
    };
    let taken = sqlx::query("DELETE FROM warden_pending_authorization WHERE state_hash = $1")
        .bind(state_hash)
        .execute(&mut *tx)
        .await
        .or_store()?;
    // Used up before it is looked at any closer.
    tx.commit().await?;
    if taken.rows_affected() == 0 {
        // Another node was quicker.
        return Ok(None);
    }
    let verifier = store.keys.unseal(
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
        moves: raw.moves,
    }))
}

pub(super) async fn connected(
    store: &Backend,
    owner: &OwnerId,
    issuer: &Issuer,
    consent: &Consent,
    now: i64,
) -> Result<bool, Error> {
    let key = am_key(issuer);
    let mut tx = store.write().await?;
    let elsewhere: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM warden_resource_map WHERE owner = $1 AND am_key <> $2 AND state <> 'tombstone'",
    )
    .bind(owner.as_str())
    .bind(&key)
    .fetch_one(&mut *tx)
    .await
    .or_store()?;
    if elsewhere > 0 {
        return Ok(false);
    }
    if chosen_am(&mut tx, owner).await?.as_ref() != Some(&key) {
        // Whoever goes somewhere else is no longer on the way.
        give_up_move(&mut tx, owner, now).await?;
    }
    sqlx::query(
        "INSERT INTO warden_owner (owner, am_key) VALUES ($1, $2) \
         ON CONFLICT (owner) DO UPDATE SET am_key = excluded.am_key",
    )
    .bind(owner.as_str())
    .bind(&key)
    .execute(&mut *tx)
    .await
    .or_store()?;
    consented(store, &mut tx, owner, issuer, consent, now).await?;
    // What was denied since the owner had disconnected is the AM's to decide again.
    let withheld: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM warden_resource_map WHERE owner = $1 AND am_key = $2 AND withheld = TRUE",
    )
    .bind(owner.as_str())
    .bind(&key)
    .fetch_one(&mut *tx)
    .await
    .or_store()?;
    if withheld > 0 {
        let epoch = tx.raise_epoch().await?;
        sqlx::query(
            "UPDATE warden_resource_map SET withheld = FALSE, changed_epoch = $1, updated = $2 \
             WHERE owner = $3 AND am_key = $4 AND withheld = TRUE",
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
    Ok(true)
}

/// Keeps what an owner connects by, and makes due what waited for it. The owner's row is there.
pub(super) async fn consented(
    store: &Backend,
    tx: &mut Write<'_>,
    owner: &OwnerId,
    issuer: &Issuer,
    consent: &Consent,
    now: i64,
) -> Result<(), Error> {
    let key = am_key(issuer);
    sqlx::query(
        "INSERT INTO warden_connection (owner, am_key, since, consent, state) VALUES ($1, $2, $3, 0, 'none') \
         ON CONFLICT (owner, am_key) DO NOTHING",
    )
    .bind(owner.as_str())
    .bind(&key)
    .bind(now)
    .execute(&mut **tx)
    .await
    .or_store()?;
    let client = match consent {
        Consent::Client(client) => Some(client),
        Consent::Pat(_) | Consent::Host => None,
    };
    let secret = store.seal(
        &place(owner, issuer, "client_secret"),
        client.and_then(|client| client.secret.as_ref()),
    )?;
    // `since` begins anew when the owner had disconnected.
    sqlx::query(
        "UPDATE warden_connection SET consent = consent + 1, warned = FALSE, prolongs = TRUE, attend_at = NULL, \
         since = CASE WHEN state = 'none' THEN $1 ELSE since END, state = 'held', \
         client_id = $2, client_auth = $3, client_secret = $4 WHERE owner = $5 AND am_key = $6",
    )
    .bind(now)
    .bind(client.map(|client| client.client_id.as_str()))
    .bind(client.map(|client| client.auth.as_str()))
    .bind(secret)
    .bind(owner.as_str())
    .bind(&key)
    .execute(&mut **tx)
    .await
    .or_store()?;
    if let Consent::Pat(pat) = consent {
        write_pat(store, tx, owner, issuer, pat, true).await?;
    }
    for due in [
        "UPDATE warden_resource_map SET next_try = 0, attempts = 0 WHERE owner = $1 AND am_key = $2",
        "UPDATE warden_orphan SET next_try = 0, attempts = 0 WHERE owner = $1 AND am_key = $2",
    ] {
        sqlx::query(due)
            .bind(owner.as_str())
            .bind(&key)
            .execute(&mut **tx)
            .await
            .or_store()?;
    }
    sqlx::query("UPDATE warden_move SET next_try = 0, attempts = 0 WHERE owner = $1")
        .bind(owner.as_str())
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
    prolongs: bool,
    refreshes: bool,
    access_expires: Option<i64>,
    refresh_expires: Option<i64>,
    withheld: bool,
}

pub(super) async fn connection(
    store: &Backend,
    owner: &OwnerId,
) -> Result<Option<ConnectionRecord>, Error> {
    let raw: Option<RawConnection> = sqlx::query_as(
        "SELECT a.issuer, c.since, c.state, c.prolongs, c.refresh_token IS NOT NULL AS refreshes, \
         c.access_expires, c.refresh_expires, \
         EXISTS (SELECT 1 FROM warden_resource_map AS m WHERE m.owner = o.owner AND m.am_key = o.am_key \
                 AND m.withheld = TRUE AND m.state <> 'tombstone') AS withheld \
         FROM warden_owner AS o \
         JOIN warden_connection AS c ON c.owner = o.owner AND c.am_key = o.am_key \
         JOIN warden_am AS a ON a.am_key = o.am_key WHERE o.owner = $1",
    )
    .bind(owner.as_str())
    .fetch_optional(&mut *store.begin_read().await?)
    .await
    .or_store()?;
    let Some(raw) = raw else {
        return Ok(None);
    };
    let issuer = Issuer::parse(&raw.issuer).map_err(|error| {
        Error::new(ErrorKind::Store, "the stored AM can't be understood").because(error)
    })?;
    let state = match raw.state.as_str() {
        "held" => ConnectionState::Connected,
        "none" if raw.withheld => ConnectionState::Disconnected,
        // Nothing is left to decide about.
        "none" => return Ok(None),
        // Whatever is not a PAT in hand takes a consent.
        _ => ConnectionState::NeedsConsent,
    };
    let ends = match (raw.refreshes, raw.prolongs) {
        (true, true) => None,
        (true, false) => raw.refresh_expires,
        (false, _) => raw.access_expires,
    };
    Ok(Some(ConnectionRecord {
        issuer,
        since: raw.since,
        state,
        ends,
    }))
}
