//! Axum extractors for what Warden decided.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::{Access, Grant, Refusal};

/// The request did not come through Warden, or not by the way that the handler demands.
///
/// It answers 500: a handler that demands a decision was reached without one, which only a wrong set-up can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotDecided;

impl std::fmt::Display for NotDecided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a handler that demands Warden's decision was reached without it")
    }
}

impl std::error::Error for NotDecided {}

impl IntoResponse for NotDecided {
    fn into_response(self) -> Response {
        tracing::error!(target: "tower_warden", "{self}: is the route outside every guard?");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Self::into_response(self)
    }
}

impl<S: Sync> FromRequestParts<S> for Access {
    type Rejection = NotDecided;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotDecided> {
        parts.extensions.get().cloned().ok_or(NotDecided)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Access {
    type Rejection = NotDecided;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, NotDecided> {
        Ok(parts.extensions.get().cloned())
    }
}

impl<S: Sync> FromRequestParts<S> for Grant {
    type Rejection = NotDecided;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotDecided> {
        let access: Option<&Access> = parts.extensions.get();
        access.and_then(Access::grant).cloned().ok_or(NotDecided)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Grant {
    type Rejection = NotDecided;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, NotDecided> {
        let access: Option<&Access> = parts.extensions.get();
        Ok(access.and_then(Access::grant).cloned())
    }
}
