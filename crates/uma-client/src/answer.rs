//! Reading answers: content type, JSON, error codes. Nothing of a body gets into an error but names that this crate knows.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::error::{Error, ErrorKind};
use crate::profile::AmProfile;

/// The longest `Retry-After` that is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// What a request was authenticated with: the same status means different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A PAT.
    Pat,
    /// Anything else, or nothing.
    Other,
}

/// Whether the content type is `application/json` or `application/*+json`.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else {
        return false;
    };
    let essence = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence.strip_prefix("application/").is_some_and(|subtype| {
        subtype == "json"
            || subtype
                .strip_suffix("+json")
                .is_some_and(|name| !name.is_empty())
    })
}

/// Reads a JSON body, with the content type checked first.
pub(crate) fn json<T: DeserializeOwned>(response: &Response<Bytes>) -> Result<T, Error> {
    expect_json(response)?;
    parse(response.body()).map_err(|error| unreadable(response, error))
}

/// Refuses an answer that does not call itself JSON.
pub(crate) fn expect_json(response: &Response<Bytes>) -> Result<(), Error> {
    if is_json(response.headers()) {
        return Ok(());
    }
    Err(unreadable(response, Error::new(ErrorKind::ContentType, "")))
}

/// An answer that cannot be read: after a success the AM has acted.
pub(crate) fn unreadable(response: &Response<Bytes>, error: Error) -> Error {
    error
        .with_status(response.status())
        .with_outcome_unknown(response.status().is_success())
}

/// An answer with a status that means nothing here.
pub(crate) fn unexpected_status(response: &Response<Bytes>) -> Error {
    unreadable(
        response,
        Error::new(
            ErrorKind::Malformed,
            "the status is not one that is due here",
        ),
    )
}

/// Reads JSON; the error names the member, never a value.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value =
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| describe(&error))?;
    deserializer.end().map_err(|_| {
        Error::new(
            ErrorKind::Malformed,
            "there is something behind the JSON value",
        )
    })?;
    Ok(value)
}

/// What is wrong with JSON, without a word of it: serde's own text quotes values.
pub(crate) fn describe(error: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    let inner = error.inner();
    let detail: Cow<'static, str> = match inner.classify() {
        Category::Io | Category::Syntax => "the body is not JSON".into(),
        Category::Eof => "the body ends too early".into(),
        Category::Data => {
            let text = inner.to_string();
            // These two texts name members of our own types only.
            let own_name = |prefix: &str| {
                text.strip_prefix(prefix)
                    .and_then(|rest| rest.split('`').next())
            };
            if let Some(name) = own_name("missing field `") {
                format!("member `{name}` is missing").into()
            } else if let Some(name) = own_name("duplicate field `") {
                format!("member `{name}` is there twice").into()
            } else {
                let path = error.path().to_string();
                let legal = |b: u8| {
                    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'[' | b']')
                };
                if !path.is_empty() && path != "." && path.len() <= 64 && path.bytes().all(legal) {
                    format!("member `{path}` has a wrong type or value").into()
                } else {
                    "a member has a wrong type or value".into()
                }
            }
        }
    };
    Error::new(ErrorKind::Malformed, detail)
}

/// The error code of a refusal, if there is one.
pub(crate) fn error_code(response: &Response<Bytes>) -> Option<String> {
    #[derive(Deserialize)]
    struct Code {
        error: Option<String>,
    }
    if !is_json(response.headers()) {
        return None;
    }
    serde_json::from_slice::<Code>(response.body()).ok()?.error
}

/// The error that an answer stands for which is not the success that was hoped for: status first, code second.
pub(crate) fn refusal(
    profile: &AmProfile,
    credential: Credential,
    response: &Response<Bytes>,
) -> Error {
    let status = response.status();
    if status.is_success() || status.is_informational() {
        return unexpected_status(response);
    }
    let code = error_code(response);
    let code = code.as_deref();
    let kind = match status {
        _ if status.is_redirection() => ErrorKind::Redirect,
        _ if credential == Credential::Pat && profile.is_pat_dead(status, code) => {
            ErrorKind::PatDead
        }
        StatusCode::BAD_REQUEST => match code {
            Some("invalid_resource_id" | "invalid_resource_set_id") => ErrorKind::InvalidResourceId,
            Some("invalid_scope") => ErrorKind::InvalidScope,
            Some(
                "unsupported_token_type"
                | "unsupported_grant_type"
                | "unsupported_response_type"
                | "not_supported",
            ) => ErrorKind::Unsupported,
            _ => ErrorKind::Refused,
        },
        StatusCode::FORBIDDEN if credential == Credential::Pat => match code {
            Some("insufficient_scope" | "invalid_scope") => ErrorKind::InsufficientScope,
            _ => ErrorKind::Refused,
        },
        StatusCode::NOT_FOUND | StatusCode::GONE => ErrorKind::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ErrorKind::Unsupported,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => ErrorKind::Unavailable,
        StatusCode::CONFLICT => ErrorKind::Conflict,
        StatusCode::PRECONDITION_FAILED => ErrorKind::PreconditionFailed,
        _ if status.is_server_error() => ErrorKind::Unavailable,
        _ => ErrorKind::Refused,
    };
    let advice = profile.advice(status, code).cloned().unwrap_or_default();
    Error::new(kind, advice)
        .with_status(status)
        .with_code(code)
        .with_retry_after(retry_after(response.headers()))
        .with_outcome_unknown(status.is_server_error())
}

/// `Retry-After` in seconds, at most one hour. A date is not read.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = text.parse().unwrap_or(u64::MAX);
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{IntrospectionResponse, ResourceCreated};

    fn answer(status: u16, content_type: &str, body: &str) -> Response<Bytes> {
        Response::builder()
            .status(status)
            .header(CONTENT_TYPE, content_type)
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .unwrap()
    }

    #[test]
    fn json_content_types() {
        for good in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/token-introspection+json",
        ] {
            assert!(is_json(answer(200, good, "").headers()), "{good}");
        }
        for bad in [
            "text/html",
            "text/json",
            "application/jwt",
            "application/+json",
            "application/jsonp",
            "json",
            "",
        ] {
            assert!(!is_json(answer(200, bad, "").headers()), "{bad}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }

    #[test]
    fn errors_name_members_and_quote_nothing() {
        let text = |body: &str| {
            parse::<IntrospectionResponse>(body.as_bytes())
                .unwrap_err()
                .to_string()
        };
        assert!(text(r#"{"active":"canary"}"#).contains("`active`"));
        assert!(text("{}").contains("`active` is missing"));
        assert!(text(r#"{"active":true,"active":true}"#).contains("`active` is there twice"));
        assert!(
            text(r#"{"active":true,"permissions":[{"resource_id":"canary"}]}"#)
                .contains("`resource_scopes`")
        );
        for body in [
            r#"{"active":"canary"}"#,
            r#"{"active":true,"exp":"canary"}"#,
            r#"{"active":true,"canary":nul}"#,
            r#"{"active":true,"permissions":["canary"]}"#,
            r#"{"active":true}canary"#,
            "canary",
        ] {
            let error = parse::<IntrospectionResponse>(body.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{body}");
        }
    }

    #[test]
    fn status_first_code_second() {
        let kind = |status, code: &str| {
            let body = format!(r#"{{"error":"{code}"}}"#);
            refusal(
                &AmProfile::uma2(),
                Credential::Pat,
                &answer(status, "application/json", &body),
            )
            .kind()
        };
        assert_eq!(kind(401, "invalid_token"), ErrorKind::PatDead);
        assert_eq!(kind(401, ""), ErrorKind::PatDead);
        assert_eq!(
            kind(403, "insufficient_scope"),
            ErrorKind::InsufficientScope
        );
        assert_eq!(kind(403, "invalid_resource_id"), ErrorKind::Refused);
        assert_eq!(
            kind(400, "invalid_resource_id"),
            ErrorKind::InvalidResourceId
        );
        assert_eq!(kind(400, "invalid_scope"), ErrorKind::InvalidScope);
        assert_eq!(kind(400, "not_found"), ErrorKind::Refused);
        assert_eq!(kind(404, "invalid_scope"), ErrorKind::NotFound);
        assert_eq!(kind(405, ""), ErrorKind::Unsupported);
        assert_eq!(kind(409, ""), ErrorKind::Conflict);
        assert_eq!(kind(412, ""), ErrorKind::PreconditionFailed);
        assert_eq!(kind(429, ""), ErrorKind::Unavailable);
        assert_eq!(kind(503, "invalid_scope"), ErrorKind::Unavailable);
        assert_eq!(kind(302, ""), ErrorKind::Redirect);
        assert_eq!(kind(200, ""), ErrorKind::Malformed);
        let keycloak = |status, code: &str| {
            let body = format!(r#"{{"error":"{code}"}}"#);
            refusal(
                &AmProfile::keycloak(),
                Credential::Pat,
                &answer(status, "application/json", &body),
            )
            .kind()
        };
        assert_eq!(keycloak(403, "invalid_bearer_token"), ErrorKind::PatDead);
        assert_eq!(keycloak(403, "invalid_clientId"), ErrorKind::Refused);
        assert_eq!(keycloak(403, "invalid_scope"), ErrorKind::InsufficientScope);
        assert_eq!(keycloak(401, ""), ErrorKind::Refused);
    }

    #[test]
    fn outcome_is_unknown_only_where_the_am_may_have_acted() {
        let unknown = |status| {
            refusal(
                &AmProfile::uma2(),
                Credential::Pat,
                &answer(status, "text/html", ""),
            )
            .outcome_unknown()
        };
        assert!(unknown(500) && unknown(200));
        assert!(!unknown(400) && !unknown(302) && !unknown(429));
        assert!(
            json::<ResourceCreated>(&answer(201, "application/json", "{}"))
                .unwrap_err()
                .outcome_unknown()
        );
    }

    #[test]
    fn retry_after_is_seconds_and_capped() {
        let after = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(after("30"), Some(Duration::from_secs(30)));
        assert_eq!(after("99999999999999999999999"), Some(MAX_RETRY_AFTER));
        for bad in ["-1", "1.5", "", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            assert_eq!(after(bad), None);
        }
    }
}
