//! Answers with the draft's types.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use uma_client::wire::draft03::{ErrorStatus, media};

use crate::error::Error;
use crate::reply::{self, ApiError};

/// An error in the draft's shape.
#[derive(Debug)]
pub(super) struct StatusError(pub(super) ApiError);

impl From<ApiError> for StatusError {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<Error> for StatusError {
    fn from(error: Error) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for StatusError {
    fn into_response(self) -> Response {
        let body = ErrorStatus {
            status: "error".to_owned(),
            error: self.0.code().to_owned(),
            error_description: Some(self.0.description().to_owned()),
            error_uri: None,
        };
        let (head, _) = self.0.into_response().into_parts();
        let mut response = typed(head.status, media::STATUS, &body);
        if let Some(challenge) = head.headers.get(header::WWW_AUTHENTICATE) {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge.clone());
        }
        response
    }
}

/// A JSON answer with one of the draft's types, that no cache may keep.
pub(super) fn typed<T: Serialize + ?Sized>(
    status: StatusCode,
    content_type: &'static str,
    body: &T,
) -> Response {
    let mut response = reply::json(status, body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Adds the revision.
pub(super) fn with_etag(mut response: Response, etag: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

/// 204.
pub(super) fn nothing() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
