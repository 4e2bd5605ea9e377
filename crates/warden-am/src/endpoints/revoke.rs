//! Token revocation (RFC 7009).

use axum::extract::State;
use http::{HeaderMap, StatusCode};

use super::Am;
use crate::auth::{self, Authorization};
use crate::params::FormBody;
use crate::reply::ApiError;

pub(crate) async fn revoke(
    State(am): Am,
    headers: HeaderMap,
    FormBody(form): FormBody,
) -> Result<StatusCode, ApiError> {
    let authorization = Authorization::read(&headers)?;
    let client = am.read(|state, _| auth::client(state, &authorization, &form))?;
    let token = form.require("token")?;
    am.change(|state, now_ms| state.revoke(token, Some(&client.id), now_ms))?;
    // An unknown token is as good as revoked (RFC 7009 section 2.2).
    Ok(StatusCode::OK)
}
