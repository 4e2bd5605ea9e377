//! The token status.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use uma_client::wire::draft03::{GrantedPermission, InvalidToken, TokenStatusRequest, media};

use super::body::Body;
use super::reply::{StatusError, typed};
use super::{hat, requester};
use crate::auth::Pat;
use crate::endpoints::{Am, introspect};
use crate::state::State as AmState;

/// How long a host may use an answer.
const FRESHNESS: HeaderValue = HeaderValue::from_static("private, max-age=10");

pub(super) async fn ask(
    State(am): Am,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, StatusError> {
    let pat = am.read(|state, now_ms| hat(state, &headers, now_ms))?;
    let asked: TokenStatusRequest = body.parse()?;
    let granted = am.read(|state, now_ms| granted(state, &pat, asked.token.expose(), now_ms));
    let mut response = match granted {
        Some(mut granted) => {
            if let Some(id) = &asked.resource_set_id {
                granted.retain(|permission| permission.resource_set_id == *id);
            }
            typed(StatusCode::OK, media::TOKEN_STATUS, &granted)
        }
        None => typed(
            StatusCode::OK,
            media::TOKEN_STATUS,
            &InvalidToken::default(),
        ),
    };
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, FRESHNESS);
    Ok(response)
}

/// What a good token permits at this host for this owner: perhaps nothing. `None`: it is not good.
fn granted(state: &AmState, pat: &Pat, token: &str, now_ms: i64) -> Option<Vec<GrantedPermission>> {
    let Some(rpt) = state.live_rpt(token, now_ms) else {
        return requester::is_own_token(state, token, now_ms).then(Vec::new);
    };
    if rpt.owner != pat.owner || rpt.host != pat.host {
        return Some(Vec::new());
    }
    let live = rpt
        .permissions
        .iter()
        .flat_map(|(id, granted)| introspect::live(state, rpt, id, granted, now_ms));
    let granted = live.map(|permission| GrantedPermission {
        resource_set_id: permission.resource_id,
        scopes: permission.resource_scopes,
        exp: permission.exp.unwrap_or(rpt.expires_ms / 1_000),
        ..GrantedPermission::default()
    });
    Some(granted.collect())
}
