//! Connections that are to be looked at.

use tower_warden::OwnerId;
use uma_client::Issuer;

use super::{Backend, OrStore as _};
use crate::Error;
use crate::am_key::am_key;
use crate::store::Attention;

#[derive(sqlx::FromRow)]
struct RawAttention {
    owner: String,
    issuer: String,
    consent: i64,
    issued: i64,
    ends: i64,
    prolongs: bool,
    warned: bool,
}

pub(super) async fn attention_due(
    store: &Backend,
    now: i64,
    limit: u32,
) -> Result<Vec<Attention>, Error> {
    // Of a connection without a refresh token, the access token's end is what counts.
    let rows: Vec<RawAttention> = sqlx::query_as(
        "SELECT c.owner, a.issuer, c.consent, COALESCE(c.issued, 0) AS issued, \
         COALESCE(CASE WHEN c.refresh_token IS NULL THEN c.access_expires ELSE c.refresh_expires END, 0) AS ends, \
         CASE WHEN c.refresh_token IS NULL THEN FALSE ELSE c.prolongs END AS prolongs, c.warned \
         FROM warden_connection AS c JOIN warden_am AS a ON a.am_key = c.am_key \
         WHERE c.state = 'held' AND c.attend_at IS NOT NULL AND c.attend_at <= $1 \
         ORDER BY c.attend_at LIMIT $2",
    )
    .bind(now)
    .bind(i64::from(limit))
    .fetch_all(&mut *store.begin_read().await?)
    .await
    .or_store()?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some(Attention {
                owner: OwnerId::new(row.owner),
                issuer: Issuer::parse(&row.issuer).ok()?,
                consent: row.consent,
                issued: row.issued,
                ends: row.ends,
                prolongs: row.prolongs,
                warned: row.warned,
            })
        })
        .collect())
}

pub(super) async fn attended(
    store: &Backend,
    attention: &Attention,
    next: Option<i64>,
    warned: bool,
) -> Result<bool, Error> {
    let mut tx = store.write_apart().await?;
    let done = sqlx::query(
        "UPDATE warden_connection SET attend_at = $1, warned = $2 \
         WHERE owner = $3 AND am_key = $4 AND consent = $5 AND COALESCE(issued, 0) = $6",
    )
    .bind(next)
    .bind(warned)
    .bind(attention.owner.as_str())
    .bind(am_key(&attention.issuer))
    .bind(attention.consent)
    .bind(attention.issued)
    .execute(&mut *tx)
    .await
    .or_store()?;
    tx.commit().await?;
    Ok(done.rows_affected() > 0)
}
