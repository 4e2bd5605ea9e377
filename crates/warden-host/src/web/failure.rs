//! What a page says when something cannot be done: a status, our own words, and what to do next.

use std::borrow::Cow;

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use super::forms::FieldError;
use super::look::Shell;
use super::pages::{Pages, Visit, html};
use super::{returns, text};
use crate::{Error, ErrorKind};

/// An answer that is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) heading: &'static str,
    pub(crate) text: Cow<'static, str>,
    pub(crate) field: Option<&'static str>,
    /// Where to go next.
    pub(crate) next: Option<Next>,
    /// Whether connecting to an AM is what has to be done first.
    pub(crate) wants_connection: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) href: String,
    pub(crate) label: &'static str,
}

impl Failure {
    pub(crate) fn new(
        status: StatusCode,
        heading: &'static str,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            heading,
            text: text.into(),
            field: None,
            next: None,
            wants_connection: false,
        }
    }

    pub(crate) fn with_next(mut self, href: impl Into<String>, label: &'static str) -> Self {
        self.next = Some(Next {
            href: href.into(),
            label,
        });
        self
    }

    pub(crate) fn media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            text::MEDIA_TYPE_HEADING,
            text::MEDIA_TYPE_TEXT,
        )
    }

    /// What was to be given could not be written.
    pub(crate) fn unwritable() -> Self {
        tracing::error!("an answer could not be written");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            text::STORE_HEADING,
            text::STORE_TEXT,
        )
    }

    pub(crate) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            text::TOO_LARGE_HEADING,
            text::TOO_LARGE_TEXT,
        )
    }

    pub(crate) fn broken_body() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            text::FORM_HEADING,
            text::BROKEN_BODY_TEXT,
        )
    }

    pub(crate) fn cross_site() -> Self {
        Self::new(StatusCode::FORBIDDEN, text::CSRF_HEADING, text::CSRF_TEXT)
            .with_next(returns::LIST_PATH, text::BACK_TO_LIST)
    }

    pub(crate) fn not_signed_in(href: String) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            text::SIGN_IN_HEADING,
            text::SIGN_IN_TEXT,
        )
        .with_next(href, text::SIGN_IN)
    }

    /// Whether it is about the form as it was filled in, so that the form should be shown again.
    pub(crate) fn is_about_the_form(&self) -> bool {
        self.field.is_some() && self.status != StatusCode::FORBIDDEN
            || self.status.is_server_error()
            || self.status == StatusCode::CONFLICT
    }
}

impl From<FieldError> for Failure {
    fn from(error: FieldError) -> Self {
        let mut failure = Self::new(StatusCode::BAD_REQUEST, text::FORM_HEADING, error.text());
        failure.field = Some(error.field);
        failure
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        use StatusCode as S;
        let (status, heading, fixed) = match error.kind() {
            ErrorKind::NeedsConsent => (S::CONFLICT, text::CONSENT_HEADING, None),
            ErrorKind::ConnectedElsewhere
            | ErrorKind::AlreadyThere
            | ErrorKind::MoveUnderWay
            | ErrorKind::CredentialsNeeded => (S::CONFLICT, text::ELSEWHERE_HEADING, None),
            ErrorKind::TooMany => (S::TOO_MANY_REQUESTS, text::UNREACHABLE_HEADING, None),
            ErrorKind::Changed => (S::CONFLICT, text::CHANGED_HEADING, None),
            ErrorKind::AlreadyShared => (S::CONFLICT, text::UNGUARDED_HEADING, None),
            ErrorKind::NotYours => (
                S::FORBIDDEN,
                text::FORBIDDEN_HEADING,
                Some(text::FORBIDDEN_TEXT),
            ),
            ErrorKind::NotGuarded => (S::UNPROCESSABLE_ENTITY, text::UNGUARDED_HEADING, None),
            ErrorKind::BadPath => (S::UNPROCESSABLE_ENTITY, text::BAD_PATH_HEADING, None),
            ErrorKind::BadName
            | ErrorKind::BadDescription
            | ErrorKind::BadIcon
            | ErrorKind::BadScope => (S::UNPROCESSABLE_ENTITY, text::SUMMARY_HEADING, None),
            ErrorKind::UnknownAm if error.field().is_some() => {
                (S::UNPROCESSABLE_ENTITY, text::SUMMARY_HEADING, None)
            }
            ErrorKind::NotConnected | ErrorKind::UnknownAm => {
                (S::CONFLICT, text::NOT_CONNECTED_HEADING, None)
            }
            ErrorKind::AmUnreachable => (S::BAD_GATEWAY, text::UNREACHABLE_HEADING, None),
            ErrorKind::AmRefused => (S::BAD_GATEWAY, text::REFUSED_HEADING, None),
            ErrorKind::State => (S::BAD_REQUEST, text::STATE_HEADING, None),
            ErrorKind::NoConsent => (S::FORBIDDEN, text::DECLINED_HEADING, None),
            ErrorKind::Store | ErrorKind::Catalogue => (
                S::SERVICE_UNAVAILABLE,
                text::STORE_HEADING,
                Some(text::STORE_TEXT),
            ),
            ErrorKind::Sealed | ErrorKind::StoreTooNew | ErrorKind::Config => (
                S::INTERNAL_SERVER_ERROR,
                text::STORE_HEADING,
                Some(text::STORE_TEXT),
            ),
        };
        if status.is_server_error() {
            tracing::warn!(kind = ?error.kind(), error = %uma_client::Chain(&error), "a page could not do what was asked");
        }
        let text = fixed.map_or_else(|| Cow::Owned(words(&error)), Cow::Borrowed);
        let mut failure = Self::new(status, heading, text);
        failure.field = error.field();
        failure.wants_connection = error.wants_connection();
        if failure.wants_connection {
            failure = failure.with_next("/uma/connect", text::CONNECT_CHOOSE);
        }
        failure
    }
}

/// The error as a sentence that stands beside its field, so without the field's name.
fn words(error: &Error) -> String {
    let whole = error.to_string();
    let text = error
        .field()
        .and_then(|field| whole.strip_prefix(field)?.strip_prefix(": "))
        .unwrap_or(&whole);
    text::sentence(text)
}

/// The body of a refusal for scripts (RFC 9457).
#[derive(Debug, Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

/// The failure as `application/problem+json`.
pub(crate) fn problem(failure: &Failure) -> Response {
    let body = serde_json::to_vec(&Problem {
        r#type: "about:blank",
        title: failure.heading,
        status: failure.status.as_u16(),
        detail: &failure.text,
        field: failure.field,
    })
    .unwrap_or_default();
    let mut response = Response::new(body.into());
    *response.status_mut() = failure.status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    shell: Shell<'a>,
    failure: &'a Failure,
}

/// The failure as a page of its own.
pub(crate) fn page(pages: &Pages, visit: Option<&Visit>, failure: &Failure) -> Response {
    let shell = match visit {
        Some(visit) => visit.shell(pages, failure.heading, ""),
        None => Shell::new(pages.look(), failure.heading),
    };
    html(failure.status, &MessagePage { shell, failure })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_beside_a_field_is_a_sentence_without_the_field() {
        let error = Error::new(ErrorKind::BadName, "the name is too long").at("resource_name");
        let failure = Failure::from(error);
        assert_eq!(failure.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(failure.field, Some("resource_name"));
        assert_eq!(failure.text, "The name is too long.");
    }

    #[test]
    fn kinds_have_their_statuses_and_inner_trouble_is_not_told() {
        for (kind, status) in [
            (ErrorKind::AmUnreachable, 502),
            (ErrorKind::AmRefused, 502),
            (ErrorKind::NotGuarded, 422),
            (ErrorKind::State, 400),
            (ErrorKind::ConnectedElsewhere, 409),
        ] {
            let failure = Failure::from(Error::new(kind, "words for the owner"));
            assert_eq!(failure.status.as_u16(), status, "{kind:?}");
            assert_eq!(failure.text, "Words for the owner.", "{kind:?}");
        }
        for (kind, status) in [
            (ErrorKind::Store, 503),
            (ErrorKind::Sealed, 500),
            (ErrorKind::NotYours, 403),
        ] {
            let failure = Failure::from(Error::new(kind, "inner words"));
            assert_eq!(failure.status.as_u16(), status, "{kind:?}");
            assert!(!failure.text.contains("inner"), "{kind:?}");
        }
    }

    #[test]
    fn a_problem_names_status_and_field() {
        let failure = Failure::from(FieldError {
            field: "uri",
            problem: super::super::forms::FieldProblem::Missing,
        });
        let response = problem(&failure);
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(
            response.headers().get(CONTENT_TYPE).unwrap(),
            "application/problem+json"
        );
    }
}
