//! The door to the AMs: what Warden asks of the AM of a map.

mod evidence;
mod live;
mod one_am;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use uma_client::{PermissionOutcome, Secret};

pub use evidence::{ActiveToken, Evidence, Permission, Source, Window};
pub use live::LiveDecisions;
pub use one_am::{OneAm, OneAmBuilder};

use crate::Requirements;

/// A requester's bearer token (UMA: requesting party token). Prints as `[redacted]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rpt(Secret);

impl Rpt {
    /// Wraps a token that was read from a request.
    #[must_use]
    pub fn new(token: &str) -> Self {
        Self(Secret::new(token))
    }

    /// The token, as a secret.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

/// Asks the AM of a map. [`OneAm`] does it for a host with one AM; `warden-host` for an AM and a PAT of each owner.
///
/// Neither call may answer from a cache: Warden keeps the answers. Both may take as long as they like: Warden has a
/// deadline for them, and drops them when it is over.
pub trait Protection: Send + Sync + 'static {
    /// What the map's AM says of a token.
    fn verify(
        &self,
        requirements: &Requirements,
        rpt: &Rpt,
    ) -> impl Future<Output = Result<Evidence, ProtectionError>> + Send;

    /// Asks the map's AM for a permission ticket (UMA Federated Authorization 1.0 section 4).
    fn request_permission(
        &self,
        requirements: &Requirements,
    ) -> impl Future<Output = Result<PermissionOutcome, ProtectionError>> + Send;

    /// Which credential `verify` is made with: answers are shared only between requests with the same one.
    fn credential(&self, requirements: &Requirements) -> Credential {
        let _ = requirements;
        Credential::Owner
    }
}

impl<P: Protection> Protection for Arc<P> {
    fn verify(
        &self,
        requirements: &Requirements,
        rpt: &Rpt,
    ) -> impl Future<Output = Result<Evidence, ProtectionError>> + Send {
        (**self).verify(requirements, rpt)
    }

    fn request_permission(
        &self,
        requirements: &Requirements,
    ) -> impl Future<Output = Result<PermissionOutcome, ProtectionError>> + Send {
        (**self).request_permission(requirements)
    }

    fn credential(&self, requirements: &Requirements) -> Credential {
        (**self).credential(requirements)
    }
}

/// The credential that introspection is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Credential {
    /// The PAT of the map's owner, the default of UMA.
    Owner,
    /// One credential of the host for all owners at the AM.
    Host,
}

/// The AM could not be asked, or did not answer.
#[derive(Debug)]
pub struct ProtectionError {
    kind: ProtectionErrorKind,
    retry_after: Option<Duration>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ProtectionError {
    /// An error of a kind.
    #[must_use]
    pub fn new(kind: ProtectionErrorKind) -> Self {
        Self {
            kind,
            retry_after: None,
            source: None,
        }
    }

    /// Adds when to try again.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Adds what caused it.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ProtectionErrorKind {
        self.kind
    }

    /// When it makes sense to try again, where the AM said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

/// What kept the AM from answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtectionErrorKind {
    /// There was no connection to the AM, so that no token can be the cause. Such errors open the AM's circuit breaker.
    Unreachable,
    /// The AM says that the host asks too much (429). It is left alone for as long as it says.
    Busy,
    /// The AM was reached, and was too slow or failed (5xx, a connection that broke): perhaps on this call alone. Such errors
    /// open the circuit breaker when several requesters or owners meet them.
    Am,
    /// The AM answered, and refused the call or answered in a way that can't be trusted.
    Refused,
    /// The host's PAT is dead, or the owner has to consent anew.
    Pat,
    /// The AM does not know the resource or one of its scopes.
    Unregistered,
    /// Something at the host failed: its store, or the AM is not configured.
    Host,
}

impl From<uma_client::Error> for ProtectionError {
    fn from(error: uma_client::Error) -> Self {
        use uma_client::ErrorKind as Uma;
        let kind = match error.kind() {
            Uma::Unreachable if !error.outcome_unknown() => ProtectionErrorKind::Unreachable,
            _ if error.status() == Some(StatusCode::TOO_MANY_REQUESTS) => ProtectionErrorKind::Busy,
            Uma::Unreachable | Uma::Timeout | Uma::Unavailable | Uma::BodyTooLarge => {
                ProtectionErrorKind::Am
            }
            Uma::PatDead | Uma::NeedsConsent | Uma::InsufficientScope => ProtectionErrorKind::Pat,
            Uma::InvalidResourceId | Uma::InvalidScope => ProtectionErrorKind::Unregistered,
            Uma::Config | Uma::Store => ProtectionErrorKind::Host,
            _ => ProtectionErrorKind::Refused,
        };
        Self {
            kind,
            retry_after: error.retry_after(),
            source: Some(error.into()),
        }
    }
}

impl fmt::Display for ProtectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ProtectionErrorKind::Unreachable => "the authorization manager can't be reached",
            ProtectionErrorKind::Busy => "the authorization manager is asked too much",
            ProtectionErrorKind::Am => "the authorization manager did not answer",
            ProtectionErrorKind::Refused => "the authorization manager refused the host's call",
            ProtectionErrorKind::Pat => {
                "the host may no longer speak for the owner: the owner has to connect again"
            }
            ProtectionErrorKind::Unregistered => {
                "the authorization manager does not know the resource or its scopes"
            }
            ProtectionErrorKind::Host => "the host could not ask the authorization manager",
        })
    }
}

impl std::error::Error for ProtectionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

pub(crate) type Asking<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, ProtectionError>> + Send + 'a>>;

/// [`Protection`] with its futures boxed, so that the layer needs no type parameter for it.
pub(crate) trait ErasedProtection: Send + Sync {
    fn verify<'a>(&'a self, requirements: &'a Requirements, rpt: &'a Rpt) -> Asking<'a, Evidence>;
    fn request_permission<'a>(
        &'a self,
        requirements: &'a Requirements,
    ) -> Asking<'a, PermissionOutcome>;
    fn credential(&self, requirements: &Requirements) -> Credential;
}

impl<P: Protection> ErasedProtection for P {
    fn verify<'a>(&'a self, requirements: &'a Requirements, rpt: &'a Rpt) -> Asking<'a, Evidence> {
        Box::pin(Protection::verify(self, requirements, rpt))
    }

    fn request_permission<'a>(
        &'a self,
        requirements: &'a Requirements,
    ) -> Asking<'a, PermissionOutcome> {
        Box::pin(Protection::request_permission(self, requirements))
    }

    fn credential(&self, requirements: &Requirements) -> Credential {
        Protection::credential(self, requirements)
    }
}
