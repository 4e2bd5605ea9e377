//! Answers for programs: JSON, OAuth errors, redirects.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use uma_client::wire::ErrorBody;

use crate::error::Error;

pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An OAuth or UMA error answer.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    body: Box<ErrorBody>,
    challenge: Option<&'static str>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &str, description: &str) -> Self {
        Self {
            status,
            body: Box::new(ErrorBody {
                error: Some(code.to_owned()),
                error_description: Some(plain(description)),
                ..ErrorBody::default()
            }),
            challenge: None,
        }
    }

    pub(crate) fn bad(code: &str, description: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, description)
    }

    pub(crate) fn invalid_request(description: &str) -> Self {
        Self::bad("invalid_request", description)
    }

    pub(crate) fn invalid_grant(description: &str) -> Self {
        Self::bad("invalid_grant", description)
    }

    pub(crate) fn not_found(description: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", description)
    }

    /// 401 for a client that could not be authenticated (RFC 6749 section 5.2).
    pub(crate) fn invalid_client(description: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", description)
            .challenge("Basic realm=\"warden-am\"")
    }

    /// 401 for a bearer token that is not good, or not there (RFC 6750 section 3).
    pub(crate) fn invalid_token(presented: bool) -> Self {
        if presented {
            Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "the token is unknown, ended or revoked",
            )
            .challenge("Bearer realm=\"warden-am\",error=\"invalid_token\"")
        } else {
            Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_request",
                "Authorization: a bearer token is needed",
            )
            .challenge("Bearer realm=\"warden-am\"")
        }
    }

    /// 403 for a token that is no PAT.
    pub(crate) fn insufficient_scope() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            "the token lacks the scope uma_protection",
        )
        .challenge(
            "Bearer realm=\"warden-am\",error=\"insufficient_scope\",scope=\"uma_protection\"",
        )
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn code(&self) -> &str {
        self.body.error.as_deref().unwrap_or_default()
    }

    pub(crate) fn description(&self) -> &str {
        self.body.error_description.as_deref().unwrap_or_default()
    }

    pub(crate) fn body_mut(&mut self) -> &mut ErrorBody {
        &mut self.body
    }

    fn challenge(mut self, value: &'static str) -> Self {
        self.challenge = Some(value);
        self
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        tracing::error!(%error, "the embedded AM could not do its work");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "server_error",
            "the AM could not store or make what it needs; its log says why",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = json(self.status, &*self.body);
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(challenge),
            );
        }
        response
    }
}

/// A JSON answer that no cache may keep.
pub(crate) fn json<T: Serialize + ?Sized>(status: StatusCode, body: &T) -> Response {
    let Ok(bytes) = serde_json::to_vec(body) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, JSON),
        (header::CACHE_CONTROL, NO_STORE),
    ];
    (status, headers, bytes).into_response()
}

/// A redirect; 400 when the target can't stand in a header.
pub(crate) fn redirect(status: StatusCode, target: &str) -> Response {
    match HeaderValue::from_str(target) {
        Ok(location) => {
            let headers = [
                (header::LOCATION, location),
                (header::CACHE_CONTROL, NO_STORE),
            ];
            (status, headers).into_response()
        }
        Err(_) => ApiError::invalid_request("the redirect target is not a URL").into_response(),
    }
}

/// `uri`, verbatim, with parameters appended to its query.
pub(crate) fn with_query(uri: &str, pairs: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    let glue = match uri.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some((_, query)) if query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{uri}{glue}{query}")
}

/// Keeps a description within the characters of RFC 6749 section 5.2.
fn plain(description: &str) -> String {
    let allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    description
        .chars()
        .map(|c| match c {
            '"' | '\\' => '\'',
            c if allowed(c) => c,
            _ => '?',
        })
        .collect()
}
