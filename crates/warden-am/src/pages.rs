//! The pages that people see: plain HTML, no script.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::reply::{ApiError, NO_STORE};
use crate::shared::Shared;

pub(crate) mod claims;
pub(crate) mod consent;
pub(crate) mod policies;
pub(crate) mod signin;

/// No `form-action`: browsers hold it against the redirect that follows a form, and consent ends at the client's own address.
const CSP: &str =
    "default-src 'none'; style-src 'self' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::CACHE_CONTROL, NO_STORE),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CSP),
    ),
    (
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    ),
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

/// What the frame around every page needs.
pub(crate) struct Frame {
    pub(crate) issuer: String,
    pub(crate) am: String,
    /// The path that the AM is mounted at.
    pub(crate) prefix: String,
    pub(crate) user: Option<String>,
    /// Where one is: signing out and in again comes back here.
    pub(crate) here: String,
}

impl Frame {
    pub(crate) fn new(am: &Shared, user: Option<&str>, here: &str) -> Self {
        Self {
            issuer: am.issuer.clone(),
            am: am.name.clone(),
            prefix: am.prefix.clone(),
            user: user.map(str::to_owned),
            here: here.to_owned(),
        }
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    frame: Frame,
    message: &'a str,
}

/// A page that says what is wrong.
pub(crate) fn problem(am: &Shared, error: &ApiError) -> Response {
    let page = Problem {
        frame: Frame::new(am, None, ""),
        message: error.description(),
    };
    render(error.status(), &page)
}

pub(crate) fn render<T: Template>(status: StatusCode, page: &T) -> Response {
    match page.render() {
        Ok(html) => (status, HEADERS, html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
