//! Descriptions of the host's scopes, for AMs that fetch them. They are public, as the scopes are.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::X_CONTENT_TYPE_OPTIONS;
use http::{HeaderValue, StatusCode};

use super::pages::Pages;

/// Where they are.
pub(crate) const PATH: &str = "/uma/scopes/{*scope}";

/// `GET /uma/scopes/{scope}`.
pub(crate) async fn document(State(pages): State<Pages>, Path(scope): Path<String>) -> Response {
    let document = pages.host().scope_document(&scope);
    let Some(response) = document.and_then(|document| document.to_response().ok()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = response.map(Body::from);
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
