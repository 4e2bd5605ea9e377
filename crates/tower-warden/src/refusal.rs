//! Refusals, and how they are written.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WARNING, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use crate::{Outcome, Reason, Rejection};

pub(crate) type OnReject = dyn Fn(&mut Rejection<'_>) + Send + Sync;

/// UMA 2.0 Grant section 3.2.1.
const UNREACHABLE: HeaderValue =
    HeaderValue::from_static("199 - \"UMA Authorization Server Unreachable\"");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A request that is not let through, and what its sender is told.
pub struct Refusal {
    reason: Reason,
    answer: Answer,
}

/// What decides the status and the fields of a refusal.
enum Answer {
    /// The AM gave a ticket, or the dialect needs none: the dialect has written the challenge.
    Challenge {
        response: Box<Response<Bytes>>,
        ticket: bool,
    },
    /// A challenge that takes no effect, so that no ticket was asked for.
    Unasked,
    /// The AM is or may be the trouble.
    Unreachable {
        status: StatusCode,
        retry_after: Option<Duration>,
    },
    /// The request itself is.
    Plain(StatusCode),
    /// There are too many of them.
    Later(Duration),
}

impl Refusal {
    pub(crate) const fn plain(reason: Reason, status: StatusCode) -> Self {
        Self {
            reason,
            answer: Answer::Plain(status),
        }
    }

    /// 403: the request needs a permission, and no ticket for it is to be had.
    pub(crate) const fn no_ticket(reason: Reason, retry_after: Option<Duration>) -> Self {
        Self {
            reason,
            answer: Answer::Unreachable {
                status: StatusCode::FORBIDDEN,
                retry_after,
            },
        }
    }

    /// 503: it can't be known whether the request is permitted.
    pub(crate) const fn unknown(reason: Reason, retry_after: Duration) -> Self {
        Self {
            reason,
            answer: Answer::Unreachable {
                status: StatusCode::SERVICE_UNAVAILABLE,
                retry_after: Some(retry_after),
            },
        }
    }

    /// 429: the source of the request has spent its budget.
    pub(crate) const fn too_many(reason: Reason, retry_after: Duration) -> Self {
        Self {
            reason,
            answer: Answer::Later(retry_after),
        }
    }

    pub(crate) fn challenge(reason: Reason, challenge: Response<Bytes>, ticket: bool) -> Self {
        Self {
            reason,
            answer: Answer::Challenge {
                response: Box::new(challenge),
                ticket,
            },
        }
    }

    /// What would be a challenge if the guard enforced: no ticket is asked for.
    pub(crate) const fn unasked(reason: Reason) -> Self {
        Self {
            reason,
            answer: Answer::Unasked,
        }
    }

    /// Why the request is refused.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match &self.answer {
            Answer::Challenge { response, .. } => response.status(),
            Answer::Unasked => StatusCode::FORBIDDEN,
            Answer::Unreachable { status, .. } | Answer::Plain(status) => *status,
            Answer::Later(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// Whether the answer carries a ticket or another way to get a token.
    #[must_use]
    pub fn is_challenge(&self) -> bool {
        matches!(self.answer, Answer::Challenge { .. })
    }

    /// What became of the request.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match &self.answer {
            Answer::Challenge { .. } | Answer::Unasked => Outcome::Challenge,
            Answer::Unreachable { .. } => Outcome::Error,
            Answer::Plain(_) | Answer::Later(_) => Outcome::Deny,
        }
    }

    /// Whether a ticket of the AM goes out with it.
    pub(crate) fn has_ticket(&self) -> bool {
        matches!(self.answer, Answer::Challenge { ticket: true, .. })
    }

    /// The answer, with an `application/problem+json` body (RFC 9457) unless the dialect has a body of its own.
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        self.into_response_with(None)
    }

    /// As [`Refusal::into_response`], with what the host's hook makes of it.
    pub(crate) fn into_response_with<B: From<Bytes>>(self, hook: Option<&OnReject>) -> Response<B> {
        let changes = hook.map(|hook| {
            let mut rejection = Rejection::new(&self);
            hook(&mut rejection);
            (rejection.body, rejection.headers)
        });
        let (body, headers) = changes.unwrap_or_default();
        let status = self.status();
        let reason = self.reason;
        let mut response = match self.answer {
            Answer::Challenge { response, .. } => {
                let mut challenge = *response;
                if let Some(value) = challenge.headers_mut().get_mut(WWW_AUTHENTICATE) {
                    value.set_sensitive(true);
                }
                challenge
            }
            Answer::Unreachable { retry_after, .. } => {
                let mut response = Response::default();
                response.headers_mut().insert(WARNING, UNREACHABLE);
                if let Some(after) = retry_after {
                    response.headers_mut().insert(RETRY_AFTER, seconds(after));
                }
                response
            }
            Answer::Later(after) => {
                let mut response = Response::default();
                response.headers_mut().insert(RETRY_AFTER, seconds(after));
                response
            }
            Answer::Plain(_) | Answer::Unasked => Response::default(),
        };
        *response.status_mut() = status;
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        response.extensions_mut().insert(reason);
        for (name, value) in &headers {
            response.headers_mut().append(name, value.clone());
        }
        if let Some((content_type, body)) = body {
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            *response.body_mut() = body;
        } else if response.body().is_empty() {
            response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
            *response.body_mut() = problem(status, reason);
        }
        response.map(B::from)
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the challenge: there is a ticket in it.
        f.debug_struct("Refusal")
            .field("reason", &self.reason)
            .field("status", &self.status())
            .field("is_challenge", &self.is_challenge())
            .finish_non_exhaustive()
    }
}

/// Whole seconds, rounded up: zero would ask for a storm.
fn seconds(after: Duration) -> HeaderValue {
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    HeaderValue::from(seconds.max(1))
}

fn problem(status: StatusCode, reason: Reason) -> Bytes {
    // All parts are our own constants, free of characters that JSON escapes but `"`, which none of them holds.
    let parts = [
        r#"{"title":""#,
        status.canonical_reason().unwrap_or("Refused"),
        r#"","status":"#,
        status.as_str(),
        r#","detail":""#,
        reason.advice(),
        r#"","reason":""#,
        reason.code(),
        r#""}"#,
    ];
    parts.concat().into()
}
