//! The one error type of this crate.
//!
//! An error says what happened, where, and what to do; it never holds a token, a secret, a ticket, a body, or the query of
//! a URL. Branch on [`Error::kind`], and where that is too coarse on [`Error::status`] and then [`Error::code`].
//!
//! ```
//! use uma_client::{ErrorKind, Issuer};
//!
//! let error = Issuer::parse("am.example").unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::Config);
//! ```

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::issuer::Issuer;

/// Longest error code of an AM that is kept, in bytes.
const MAX_CODE: usize = 64;

/// What went wrong while talking to an AM. Cloning is cheap.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    operation: Option<&'static str>,
    issuer: Option<Issuer>,
    detail: Cow<'static, str>,
    status: Option<StatusCode>,
    code: Option<Box<str>>,
    retry_after: Option<Duration>,
    outcome_unknown: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The AM's answer is longer than the cap.
    BodyTooLarge,
    /// A setting or argument of the caller is wrong; nothing was sent.
    Config,
    /// The AM answered 409: what is to be made is there already.
    Conflict,
    /// The AM's answer is not of a JSON type.
    ContentType,
    /// A URL is not `https`, and plain `http` is not allowed for this AM; nothing was sent.
    Insecure,
    /// The PAT lacks the scope of the protection API (403); renewing it does not help.
    InsufficientScope,
    /// The AM does not know a resource id of a permission request (400 `invalid_resource_id`).
    InvalidResourceId,
    /// A scope is not one, or the AM does not know it for that resource or client (400 `invalid_scope`).
    InvalidScope,
    /// The AM does not accept the ticket: unknown, used or expired. Begin again at the host.
    InvalidTicket,
    /// Metadata or a callback names another issuer than the one that was asked.
    IssuerMismatch,
    /// The AM's answer is not what the specification says: not JSON, a member missing, of the wrong type, or there twice.
    Malformed,
    /// There is no PAT and none can be had without the owner: she has to consent (again).
    NeedsConsent,
    /// The AM answered 404 or 410.
    NotFound,
    /// The AM says that the PAT is dead (expired or revoked).
    PatDead,
    /// The AM answered 412: the resource has another revision. Or none was given where the dialect needs one, and nothing was
    /// sent. Read the resource, and try again with the revision that it has.
    PreconditionFailed,
    /// The AM answered with a redirect; none is followed.
    Redirect,
    /// The AM refused for another reason (4xx).
    Refused,
    /// The `state` that came back is not the one that was sent; nothing was sent.
    StateMismatch,
    /// A store of the host failed.
    Store,
    /// No answer within the deadline.
    Timeout,
    /// The AM is there but cannot serve now (5xx, 408, 429).
    Unavailable,
    /// No connection to the AM, or it broke.
    Unreachable,
    /// The AM, or the dialect or profile in use, does not offer this.
    Unsupported,
}

impl ErrorKind {
    /// What happened, in words.
    fn summary(self) -> &'static str {
        match self {
            Self::BodyTooLarge => "the answer is too long",
            Self::Config => "a setting or argument is wrong",
            Self::Conflict => "the AM has it already",
            Self::ContentType => "the answer is not JSON by its content type",
            Self::Insecure => "the URL is not https",
            Self::InsufficientScope => "the PAT lacks the scope of the protection API",
            Self::InvalidResourceId => "the AM does not know a resource id",
            Self::InvalidScope => "a scope is not valid",
            Self::InvalidTicket => "the AM does not accept the ticket",
            Self::IssuerMismatch => "another issuer answered than was asked",
            Self::Malformed => "the answer is malformed",
            Self::NeedsConsent => "the owner has to consent",
            Self::NotFound => "the AM does not know it",
            Self::PatDead => "the AM says that the PAT is dead",
            Self::PreconditionFailed => {
                "the resource was changed meanwhile, or its revision is missing"
            }
            Self::Redirect => "the AM answered with a redirect",
            Self::Refused => "the AM refused",
            Self::StateMismatch => "the state of the callback is not the one that was sent",
            Self::Store => "the store failed",
            Self::Timeout => "no answer in time",
            Self::Unavailable => "the AM cannot serve now",
            Self::Unreachable => "the AM cannot be reached",
            Self::Unsupported => "this is not offered",
        }
    }

    /// What to do about it, where that is not plain.
    fn advice(self) -> Option<&'static str> {
        Some(match self {
            Self::BodyTooLarge => "raise the limit if the AM is right",
            Self::Insecure => "use https, or allow http for this AM by the switch that says so",
            Self::InsufficientScope => "obtain a PAT with the scope that the AM asks for",
            Self::InvalidTicket => "ask the host for a new ticket",
            Self::IssuerMismatch => "check the issuer's exact spelling",
            Self::NeedsConsent => "send the owner to the AM",
            Self::PatDead => "renew the PAT",
            Self::Redirect => {
                "name the address that the AM redirects to, redirects are not followed"
            }
            Self::StateMismatch => "begin the authorization again",
            Self::Timeout | Self::Unavailable | Self::Unreachable => "try again later",
            _ => return None,
        })
    }
}

impl Error {
    /// A new error. `detail` is shown: it must hold nothing secret and nothing that came over the wire unchecked.
    pub fn new(kind: ErrorKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner {
            kind,
            operation: None,
            issuer: None,
            detail: detail.into(),
            status: None,
            code: None,
            retry_after: None,
            outcome_unknown: false,
            source: None,
        }))
    }

    /// An error of kind [`ErrorKind::Store`], for those who implement a store. `operation` says what the store was to do.
    pub fn store(
        operation: &'static str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::new(ErrorKind::Store, "")
            .at(operation, None)
            .with_source(source)
    }

    /// Adds the error below this one. It is found by [`std::error::Error::source`], and not shown by `Display`.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.edit(|inner| inner.source = Some(Arc::from(source.into())))
    }

    /// Says where: the operation (method and what it was for) and the AM.
    #[must_use]
    pub(crate) fn at(self, operation: &'static str, issuer: Option<&Issuer>) -> Self {
        self.edit(|inner| {
            inner.operation = Some(operation);
            inner.issuer = issuer.cloned();
        })
    }

    #[must_use]
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        self.edit(|inner| inner.status = Some(status))
    }

    /// Adds the AM's error code, if it looks like one (RFC 6749 section 5.2, narrowed): foreign text is never shown.
    #[must_use]
    pub(crate) fn with_code(self, code: Option<&str>) -> Self {
        let fits = |code: &&str| {
            let legal = |b: u8| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-')
            };
            !code.is_empty() && code.len() <= MAX_CODE && code.bytes().all(legal)
        };
        self.edit(|inner| inner.code = code.filter(fits).map(Into::into))
    }

    #[must_use]
    pub(crate) fn with_retry_after(self, after: Option<Duration>) -> Self {
        self.edit(|inner| inner.retry_after = after)
    }

    /// Says that the AM may have acted on the request though its answer is not known.
    #[must_use]
    pub(crate) fn with_outcome_unknown(self, unknown: bool) -> Self {
        self.edit(|inner| inner.outcome_unknown = unknown)
    }

    #[must_use]
    pub(crate) fn with_kind(self, kind: ErrorKind) -> Self {
        self.edit(|inner| inner.kind = kind)
    }

    fn edit(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The HTTP status of the AM's answer, when there was an answer.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// The AM's `error` code, when it sent one of at most 64 characters `[a-z0-9_.-]`.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// After how long the AM wants to be asked again, at most one hour.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The AM that was asked, when there was one.
    pub fn issuer(&self) -> Option<&Issuer> {
        self.0.issuer.as_ref()
    }

    /// What was being done, as `"POST permission request"`.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// Whether the AM may have acted on the request although its answer is not known: look before you repeat what is not
    /// idempotent.
    pub fn outcome_unknown(&self) -> bool {
        self.0.outcome_unknown
    }

    /// Whether there was no connection, or it broke.
    pub fn is_unreachable(&self) -> bool {
        self.kind() == ErrorKind::Unreachable
    }

    /// Whether the deadline passed.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Whether the same call may do better later, with nothing changed: unreachable, too slow, or overloaded.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Unreachable | ErrorKind::Timeout | ErrorKind::Unavailable
        )
    }

    /// Whether the AM says that the PAT is dead.
    pub fn is_pat_dead(&self) -> bool {
        self.kind() == ErrorKind::PatDead
    }

    /// Whether the owner has to consent.
    pub fn needs_consent(&self) -> bool {
        self.kind() == ErrorKind::NeedsConsent
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if let Some(operation) = inner.operation {
            f.write_str(operation)?;
            if let Some(issuer) = &inner.issuer {
                write!(f, " at {issuer}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(inner.kind.summary())?;
        match (inner.status, &inner.code) {
            (Some(status), Some(code)) => write!(f, " ({} {code})", status.as_u16())?,
            (Some(status), None) => write!(f, " ({})", status.as_u16())?,
            (None, Some(code)) => write!(f, " ({code})")?,
            (None, None) => {}
        }
        if !inner.detail.is_empty() {
            write!(f, ": {}", inner.detail)?;
        }
        match inner.kind.advice() {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("operation", &inner.operation)
            .field("issuer", &inner.issuer)
            .field("detail", &inner.detail)
            .field("status", &inner.status)
            .field("code", &inner.code)
            .field("retry_after", &inner.retry_after)
            .field("outcome_unknown", &inner.outcome_unknown)
            .field("source", &inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_where_and_what_to_do() {
        let issuer = Issuer::parse("https://am.example").unwrap();
        let error = Error::new(ErrorKind::PatDead, "")
            .at("POST permission request", Some(&issuer))
            .with_status(StatusCode::UNAUTHORIZED)
            .with_code(Some("invalid_token"));
        assert_eq!(
            error.to_string(),
            "POST permission request at https://am.example: the AM says that the PAT is dead (401 invalid_token); renew the PAT"
        );
    }

    #[test]
    fn foreign_codes_are_kept_only_if_they_are_codes() {
        let keeps = |code: &str| {
            Error::new(ErrorKind::Refused, "")
                .with_code(Some(code))
                .code()
                .is_some()
        };
        assert!(keeps("invalid_grant"));
        for bad in [
            "",
            "Invalid",
            "a b",
            "<script>",
            "ä",
            "a\n",
            &"a".repeat(65),
        ] {
            assert!(!keeps(bad), "{bad:?}");
        }
    }

    #[test]
    fn is_small_shareable_and_has_a_source() {
        fn shareable<T: Send + Sync + 'static>() {}
        shareable::<Error>();
        assert!(size_of::<Error>() <= 16);
        let error = Error::store("save PAT", "disk full");
        assert_eq!(error.source().unwrap().to_string(), "disk full");
        assert!(!error.to_string().contains("disk"));
    }
}
