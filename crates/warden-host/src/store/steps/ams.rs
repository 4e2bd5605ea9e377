//! AMs and the host's client there.

use tower_warden::Purge;
use uma_client::{ClientAuth, ClientCredentials, Issuer};
use url::Url;

use super::nodes::log_purge;
use super::{Backend, OrStore as _};
use crate::am_key::am_key;
use crate::seal::Place;
use crate::store::AmRecord;
use crate::{Error, ErrorKind};

#[derive(sqlx::FromRow)]
struct RawAm {
    dialect: String,
    profile: String,
    client_id: String,
    client_auth: String,
    client_secret: Option<Vec<u8>>,
    secret_expires: Option<i64>,
    registration_token: Option<Vec<u8>>,
    registration_uri: Option<String>,
}

const SELECT: &str = "SELECT dialect, profile, client_id, client_auth, client_secret, secret_expires, \
     registration_token, registration_uri FROM warden_am WHERE am_key = $1 AND issuer = $2";

pub(super) fn place<'a>(issuer: &'a Issuer, key: &'a str, column: &'static str) -> Place<'a> {
    Place {
        table: "warden_am",
        row: key,
        owner: "",
        issuer: issuer.as_str(),
        column,
    }
}

fn record(store: &Backend, issuer: &Issuer, key: &str, raw: RawAm) -> Result<AmRecord, Error> {
    let auth = ClientAuth::from_name(&raw.client_auth).ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            "a stored AM can't be understood; it may be of a later version",
        )
    })?;
    let secret = store.unseal(
        &place(issuer, key, "client_secret"),
        raw.client_secret.as_deref(),
    )?;
    let registration_token = store.unseal(
        &place(issuer, key, "registration_token"),
        raw.registration_token.as_deref(),
    )?;
    Ok(AmRecord {
        issuer: issuer.clone(),
        dialect: raw.dialect,
        profile: raw.profile,
        client: ClientCredentials::new(raw.client_id, secret, auth),
        secret_expires: raw.secret_expires,
        registration_token,
        registration_uri: raw.registration_uri.and_then(|uri| Url::parse(&uri).ok()),
    })
}

pub(super) async fn am(store: &Backend, issuer: &Issuer) -> Result<Option<AmRecord>, Error> {
    let key = am_key(issuer);
    let raw: Option<RawAm> = sqlx::query_as(SELECT)
        .bind(&key)
        .bind(issuer.as_str())
        .fetch_optional(&mut *store.begin_read().await?)
        .await
        .or_store()?;
    raw.map(|raw| record(store, issuer, &key, raw)).transpose()
}

pub(super) async fn am_registered(
    store: &Backend,
    am: &AmRecord,
    replaces: Option<&str>,
    now: i64,
) -> Result<AmRecord, Error> {
    let issuer = &am.issuer;
    let key = am_key(issuer);
    let client = &am.client;
    let secret = store.seal(
        &place(issuer, &key, "client_secret"),
        client.secret.as_ref(),
    )?;
    let token = store.seal(
        &place(issuer, &key, "registration_token"),
        am.registration_token.as_ref(),
    )?;
    let mut tx = store.write().await?;
    let kept: Option<RawAm> = sqlx::query_as(SELECT)
        .bind(&key)
        .bind(issuer.as_str())
        .fetch_optional(&mut *tx)
        .await
        .or_store()?;
    if let Some(kept) = kept {
        if replaces != Some(kept.client_id.as_str()) {
            return record(store, issuer, &key, kept);
        }
        // Enforcement expects the client id in answers for every map of this AM.
        let changed = kept.client_id != client.client_id.as_str();
        let before = record(store, issuer, &key, kept);
        let other = before.map_or(true, |before| before.client != *client);
        sqlx::query(
            "UPDATE warden_am SET dialect = $1, profile = $2, client_id = $3, client_auth = $4, client_secret = $5, \
             secret_expires = $6, registration_token = $7, registration_uri = $8, updated = $9 WHERE am_key = $10",
        )
        .bind(&am.dialect)
        .bind(&am.profile)
        .bind(client.client_id.as_str())
        .bind(client.auth.as_str())
        .bind(secret)
        .bind(am.secret_expires)
        .bind(token)
        .bind(am.registration_uri.as_ref().map(Url::as_str))
        .bind(now)
        .bind(&key)
        .execute(&mut *tx)
        .await
        .or_store()?;
        if other {
            // Other nodes hold the client as it was.
            let epoch = tx.raise_epoch().await?;
            log_purge(&mut tx, &Purge::Am(issuer.clone()), epoch, now).await?;
            if changed {
                sqlx::query("UPDATE warden_resource_map SET changed_epoch = $1 WHERE am_key = $2")
                    .bind(epoch)
                    .bind(&key)
                    .execute(&mut *tx)
                    .await
                    .or_store()?;
            }
        }
    } else {
        sqlx::query(
            "INSERT INTO warden_am (am_key, issuer, dialect, profile, client_id, client_auth, client_secret, \
             secret_expires, registration_token, registration_uri, created, updated) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(&key)
        .bind(issuer.as_str())
        .bind(&am.dialect)
        .bind(&am.profile)
        .bind(client.client_id.as_str())
        .bind(client.auth.as_str())
        .bind(secret)
        .bind(am.secret_expires)
        .bind(token)
        .bind(am.registration_uri.as_ref().map(Url::as_str))
        .bind(now)
        .bind(now)
        .execute(&mut *tx)
        .await
        .or_store()?;
    }
    tx.commit().await?;
    Ok(am.clone())
}
