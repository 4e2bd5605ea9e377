//! JSON bodies under any of the draft's types, or plainly called JSON.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use super::reply::StatusError;
use crate::params;
use crate::reply::ApiError;

/// A JSON object, not yet looked at.
pub(super) struct Body(Bytes);

impl Body {
    /// Reads the object; the error names the member that is wrong.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let first = self.0.iter().find(|byte| !byte.is_ascii_whitespace());
        if first != Some(&b'{') {
            return Err(ApiError::invalid_request("the body must be a JSON object"));
        }
        axum::Json::<T>::from_bytes(&self.0)
            .map(|axum::Json(value)| value)
            .map_err(|rejection| ApiError::invalid_request(&rejection.body_text()))
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = StatusError;

    async fn from_request(request: Request, state: &S) -> Result<Self, StatusError> {
        if !is_json(request.headers()) {
            return Err(StatusError(ApiError::invalid_request(
                "Content-Type: must be application/json or application/*+json",
            )));
        }
        Ok(Self(params::read(request, state).await?))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    given == "application/json" || (given.starts_with("application/") && given.ends_with("+json"))
}
