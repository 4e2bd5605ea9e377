//! Sign-in tokens: how a requesting party says who she is, without a browser.
//!
//! They look like ID Tokens (`header.payload.tag`, with `iss`, `sub`, `aud`, `exp`), but only this AM can read them: the tag is random, and the AM
//! remembers what it stands for.

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::json;

use super::Am;
use super::token::expiry;
use crate::CLAIM_TOKEN_FORMAT;
use crate::error::Error;
use crate::params::FormBody;
use crate::reply::{self, ApiError};
use crate::secrets;
use crate::shared::Shared;
use crate::state::tickets::ClaimToken;
use crate::state::{State as AmState, limits};

/// A development short cut: name and password for a sign-in token, for the client named.
pub(crate) async fn create(State(am): Am, FormBody(form): FormBody) -> Result<Response, ApiError> {
    let user = form.require("username")?;
    let password = form.require("password")?;
    let client = form.require("client_id")?;
    let token = am.change(|state, now_ms| {
        if !state.clients.contains_key(client) {
            return Err(ApiError::invalid_client("client_id: unknown"));
        }
        if !state.password_is_right(user, password) {
            return Err(ApiError::invalid_grant("username or password: wrong"));
        }
        Ok(mint(&am, state, now_ms, user, client)?)
    })??;
    let body = json!({
        "claim_token": token,
        "claim_token_format": CLAIM_TOKEN_FORMAT,
        "expires_in": am.token_ttl.as_secs(),
    });
    Ok(reply::json(StatusCode::OK, &body))
}

/// Makes a sign-in token of a person for a client.
pub(crate) fn mint(
    am: &Shared,
    state: &mut AmState,
    now_ms: i64,
    subject: &str,
    client_id: &str,
) -> Result<String, Error> {
    let expires_ms = expiry(am, now_ms);
    let header = json!({"alg": "warden-am", "typ": "JWT"});
    let payload = json!({
        "iss": am.issuer,
        "sub": subject,
        "preferred_username": subject,
        "aud": client_id,
        "iat": now_ms / 1_000,
        "exp": expires_ms / 1_000,
    });
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let token = format!(
        "{}.{}.{}{}",
        part(header),
        part(payload),
        state.mark,
        secrets::random_token()?
    );
    let claims = ClaimToken {
        client_id: client_id.to_owned(),
        subject: subject.to_owned(),
    };
    state
        .claim_tokens
        .insert(&token, claims, expires_ms, limits::TOKENS);
    Ok(token)
}

/// Who a pushed claim token speaks of. Both the token itself and its base64url encoding (UMA Grant section 3.3.1) are read.
pub(crate) fn subject(
    state: &AmState,
    now_ms: i64,
    pushed: &str,
    client_id: &str,
) -> Result<String, &'static str> {
    let decoded = URL_SAFE_NO_PAD
        .decode(pushed.trim_end_matches('='))
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let token = decoded.as_deref().unwrap_or(pushed);
    let Some((claims, _)) = state.claim_tokens.get(token, now_ms) else {
        return Err("claim_token: not a live sign-in token of this AM");
    };
    if claims.client_id != client_id {
        return Err("claim_token: made for another client");
    }
    Ok(claims.subject.clone())
}
