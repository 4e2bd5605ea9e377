//! What is kept of owners' consents: PATs, and clients that owners made for this host.

use std::time::{Duration, SystemTime};

use tower_warden::OwnerId;
use uma_client::{
    ClientAuth, ClientCredentials, Issuer, PatState, Secret, StoredPat, epoch_seconds,
};

use super::{Backend, OrStore as _, Write, locked};
use crate::am_key::am_key;
use crate::seal::Place;
use crate::store::attention::Life;
use crate::{Error, ErrorKind};

pub(super) fn place<'a>(owner: &'a OwnerId, issuer: &'a Issuer, column: &'static str) -> Place<'a> {
    Place {
        table: "warden_connection",
        row: owner.as_str(),
        owner: owner.as_str(),
        issuer: issuer.as_str(),
        column,
    }
}

/// Writes a PAT, and when to look at it again. `prolongs` says whether its end moves with each renewal.
pub(super) async fn write_pat(
    store: &Backend,
    tx: &mut Write<'_>,
    owner: &OwnerId,
    issuer: &Issuer,
    pat: &StoredPat,
    prolongs: bool,
) -> Result<(), Error> {
    let access = store.seal(
        &place(owner, issuer, "access_token"),
        Some(&pat.access_token),
    )?;
    let refresh = store.seal(
        &place(owner, issuer, "refresh_token"),
        pat.refresh_token.as_ref(),
    )?;
    let attend_at = Life::of(pat).map(|life| life.attend_at(owner, prolongs));
    sqlx::query(
        "UPDATE warden_connection SET state = 'held', access_token = $1, issued = $2, access_expires = $3, \
         refresh_token = $4, refresh_expires = $5, scope = $6, prolongs = $7, \
         warned = CASE WHEN $7 THEN FALSE ELSE warned END, \
         attend_at = CASE WHEN NOT $7 AND warned THEN NULL ELSE $8 END \
         WHERE owner = $9 AND am_key = $10",
    )
    .bind(access)
    .bind(epoch_seconds(pat.issued_at))
    .bind(pat.expires_at.map(epoch_seconds))
    .bind(refresh)
    .bind(pat.refresh_expires_at.map(epoch_seconds))
    .bind(pat.scope.as_deref())
    .bind(prolongs)
    .bind(attend_at)
    .bind(owner.as_str())
    .bind(am_key(issuer))
    .execute(&mut **tx)
    .await
    .or_store()?;
    Ok(())
}

#[derive(sqlx::FromRow)]
pub(super) struct RawPat {
    pub(super) consent: i64,
    state: String,
    access_token: Option<Vec<u8>>,
    issued: Option<i64>,
    access_expires: Option<i64>,
    refresh_token: Option<Vec<u8>>,
    refresh_expires: Option<i64>,
    scope: Option<String>,
}

/// `SELECT` of [`RawPat`], by owner and AM.
macro_rules! select_pat {
    () => {
        "SELECT consent, state, access_token, issued, access_expires, refresh_token, refresh_expires, scope \
         FROM warden_connection WHERE owner = $1 AND am_key = $2"
    };
}

/// What is held, and nobody changes it until the transaction ends.
pub(super) async fn pat_to_change(
    tx: &mut Write<'_>,
    owner: &OwnerId,
    issuer: &Issuer,
) -> Result<Option<RawPat>, Error> {
    sqlx::query_as(locked!(select_pat!(), "warden_connection"))
        .bind(owner.as_str())
        .bind(am_key(issuer))
        .fetch_optional(&mut **tx)
        .await
        .or_store()
}

impl RawPat {
    pub(super) fn state(
        self,
        store: &Backend,
        owner: &OwnerId,
        issuer: &Issuer,
    ) -> Result<PatState, Error> {
        let unsealed = |column, sealed: Option<&[u8]>| -> Result<Option<Secret>, Error> {
            store.unseal(&place(owner, issuer, column), sealed)
        };
        match (self.state.as_str(), self.access_token.as_deref()) {
            ("none", _) => Ok(PatState::None),
            ("held", Some(sealed)) => {
                let Some(access_token) = unsealed("access_token", Some(sealed))? else {
                    return Ok(PatState::NeedsConsent);
                };
                let mut pat = StoredPat::new(access_token, time(self.issued.unwrap_or(0)));
                pat.expires_at = self.access_expires.map(time);
                pat.refresh_token = unsealed("refresh_token", self.refresh_token.as_deref())?;
                pat.refresh_expires_at = self.refresh_expires.map(time);
                pat.scope = self.scope;
                Ok(PatState::Held(pat))
            }
            _ => Ok(PatState::NeedsConsent),
        }
    }
}

pub(super) async fn pat(
    store: &Backend,
    owner: &OwnerId,
    issuer: &Issuer,
) -> Result<(PatState, i64), Error> {
    let raw: Option<RawPat> = sqlx::query_as(select_pat!())
        .bind(owner.as_str())
        .bind(am_key(issuer))
        .fetch_optional(&mut *store.begin_read().await?)
        .await
        .or_store()?;
    let Some(raw) = raw else {
        return Ok((PatState::None, 0));
    };
    let consent = raw.consent;
    Ok((raw.state(store, owner, issuer)?, consent))
}

/// A stored time. What no clock can say is the epoch: long over.
fn time(seconds: i64) -> SystemTime {
    u64::try_from(seconds)
        .ok()
        .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// When what is held ends, if the consent is still the one that the caller goes by; outside of that what ends is unknown.
async fn current(
    tx: &mut Write<'_>,
    owner: &OwnerId,
    issuer: &Issuer,
    consent: i64,
) -> Result<Option<Option<i64>>, Error> {
    sqlx::query_scalar(locked!(
        "SELECT refresh_expires FROM warden_connection WHERE owner = $1 AND am_key = $2 AND consent = $3",
        "warden_connection"
    ))
    .bind(owner.as_str())
    .bind(am_key(issuer))
    .bind(consent)
    .fetch_optional(&mut **tx)
    .await
    .or_store()
}

pub(super) async fn pat_renewed(
    store: &Backend,
    owner: &OwnerId,
    issuer: &Issuer,
    consent: i64,
    pat: &StoredPat,
) -> Result<bool, Error> {
    let mut tx = store.write_apart().await?;
    let Some(before) = current(&mut tx, owner, issuer, consent).await? else {
        return Ok(false);
    };
    let prolongs = match (Life::of(pat), before) {
        (Some(life), Some(before)) if life.refreshable => life.is_longer_than(before),
        _ => true,
    };
    write_pat(store, &mut tx, owner, issuer, pat, prolongs).await?;
    tx.commit().await?;
    Ok(true)
}

pub(super) async fn consent_ended(
    store: &Backend,
    owner: &OwnerId,
    issuer: &Issuer,
    consent: i64,
) -> Result<bool, Error> {
    let mut tx = store.write_apart().await?;
    let ended = sqlx::query(
        "UPDATE warden_connection SET state = 'needs_consent', access_token = NULL, issued = NULL, \
         access_expires = NULL, refresh_token = NULL, refresh_expires = NULL, attend_at = NULL \
         WHERE owner = $1 AND am_key = $2 AND consent = $3 AND state = 'held'",
    )
    .bind(owner.as_str())
    .bind(am_key(issuer))
    .bind(consent)
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await?;
    Ok(ended.rows_affected() > 0)
}

pub(super) async fn owner_client(
    store: &Backend,
    owner: &OwnerId,
    issuer: &Issuer,
) -> Result<Option<ClientCredentials>, Error> {
    type Raw = (Option<String>, Option<String>, Option<Vec<u8>>);
    let raw: Option<Raw> = sqlx::query_as(
        "SELECT client_id, client_auth, client_secret FROM warden_connection \
         WHERE owner = $1 AND am_key = $2 AND state = 'held'",
    )
    .bind(owner.as_str())
    .bind(am_key(issuer))
    .fetch_optional(&mut *store.begin_read().await?)
    .await
    .or_store()?;
    let Some((Some(id), Some(auth), sealed)) = raw else {
        return Ok(None);
    };
    let auth = ClientAuth::from_name(&auth).ok_or_else(|| {
        Error::new(
            ErrorKind::Store,
            "a stored client can't be understood; it may be of a later version",
        )
    })?;
    let secret = store.unseal(&place(owner, issuer, "client_secret"), sealed.as_deref())?;
    Ok(Some(ClientCredentials::new(id, secret, auth)))
}

pub(super) async fn consent_unreadable(
    store: &Backend,
    owner: &OwnerId,
    issuer: &Issuer,
) -> Result<bool, Error> {
    let mut tx = store.write_apart().await?;
    let unreadable = pat_to_change(&mut tx, owner, issuer)
        .await?
        .and_then(|raw| raw.state(store, owner, issuer).err())
        .is_some_and(|error| error.kind() == ErrorKind::Sealed);
    if !unreadable {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE warden_connection SET state = 'needs_consent', access_token = NULL, issued = NULL, \
         access_expires = NULL, refresh_token = NULL, refresh_expires = NULL, attend_at = NULL \
         WHERE owner = $1 AND am_key = $2",
    )
    .bind(owner.as_str())
    .bind(am_key(issuer))
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await?;
    Ok(true)
}
