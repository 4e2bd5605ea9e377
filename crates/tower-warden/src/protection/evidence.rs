//! What an AM has said of a token: everything that a decision may lean on.

use std::time::Duration;

use uma_client::{Introspection, ResourceId, wire};

/// What the AM of a map says of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evidence {
    /// The token is not active there: unknown, expired, revoked, or not for this host.
    Inactive,
    /// The token is active and carries these permissions.
    Active(ActiveToken),
}

impl Evidence {
    /// Reads an introspection answer. `permissions` alone counts; `scope` never stands in for it (UMA Federated
    /// Authorization 1.0 section 5.1.1).
    #[must_use]
    pub fn from_introspection(introspection: Introspection) -> Self {
        match introspection {
            Introspection::Active(answer) => Self::Active(answer.into()),
            _ => Self::Inactive,
        }
    }
}

/// An active token and what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActiveToken {
    /// The `iss` of the answer, if there was one.
    pub issuer: Option<String>,
    /// The `aud` of the answer; empty if there was none.
    pub audience: Vec<String>,
    /// When the token as a whole is good.
    pub window: Window,
    /// Whether the token is bound to a key (`cnf`, RFC 7800, or the type `DPoP`), so that presenting it proves nothing.
    pub bound: bool,
    /// What the token permits.
    pub permissions: Vec<Permission>,
    /// Who asks, if the AM says: for display and audit.
    pub subject: Option<String>,
    /// The application that asks, if the AM says: for display and audit.
    pub client_id: Option<String>,
    /// How the evidence was come by.
    pub source: Source,
    /// How long the AM lets its answer be used, where it says so.
    pub fresh_for: Option<Duration>,
}

impl ActiveToken {
    /// An active token with permissions, without any other claim.
    #[must_use]
    pub fn new(permissions: Vec<Permission>) -> Self {
        Self {
            issuer: None,
            audience: Vec::new(),
            window: Window::default(),
            bound: false,
            permissions,
            subject: None,
            client_id: None,
            source: Source::Introspection,
            fresh_for: None,
        }
    }
}

impl From<wire::IntrospectionResponse> for ActiveToken {
    fn from(answer: wire::IntrospectionResponse) -> Self {
        Self {
            issuer: answer.iss,
            audience: answer.aud,
            window: Window {
                not_before: answer.nbf,
                issued_at: answer.iat,
                expires: answer.exp,
            },
            // RFC 9449 section 7.1: such a token must not be borne, whether its key is named or not.
            bound: answer.cnf.is_some()
                || answer
                    .token_type
                    .is_some_and(|kind| kind.eq_ignore_ascii_case("dpop")),
            permissions: answer
                .permissions
                .unwrap_or_default()
                .into_iter()
                // An id that can't be one is the id of none of our resources.
                .filter_map(|permission| Permission::try_from(permission).ok())
                .collect(),
            subject: answer.username.or(answer.sub),
            client_id: answer.client_id,
            source: Source::Introspection,
            fresh_for: answer.fresh_for,
        }
    }
}

/// One resource and the scopes that are permitted on it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permission {
    /// The resource's id at the AM.
    pub resource_id: ResourceId,
    /// The scopes, as the AM spells them; none grants nothing.
    pub scopes: Vec<String>,
    /// When this permission is good; a bound that is absent here is the token's.
    pub window: Window,
}

impl Permission {
    /// A permission that is good as long as its token is.
    #[must_use]
    pub fn new(resource_id: ResourceId, scopes: Vec<String>) -> Self {
        Self {
            resource_id,
            scopes,
            window: Window::default(),
        }
    }
}

impl TryFrom<wire::Permission> for Permission {
    type Error = uma_client::Error;

    fn try_from(permission: wire::Permission) -> Result<Self, Self::Error> {
        Ok(Self {
            resource_id: ResourceId::parse(&permission.resource_id)?,
            scopes: permission.resource_scopes,
            window: Window {
                not_before: permission.nbf,
                issued_at: permission.iat,
                expires: permission.exp,
            },
        })
    }
}

/// A span of time, in seconds since the epoch; an absent bound bounds nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Window {
    /// `nbf`: not before this second.
    pub not_before: Option<i64>,
    /// `iat`: made in this second.
    pub issued_at: Option<i64>,
    /// `exp`: not in this second or after it.
    pub expires: Option<i64>,
}

impl Window {
    /// A window with all of its bounds.
    #[must_use]
    pub const fn new(
        not_before: Option<i64>,
        issued_at: Option<i64>,
        expires: Option<i64>,
    ) -> Self {
        Self {
            not_before,
            issued_at,
            expires,
        }
    }

    /// The narrower of two windows: the earlier end, the later starts (UMA Federated Authorization 1.0 section 5.1.1).
    #[must_use]
    pub fn within(self, outer: Self) -> Self {
        Self {
            not_before: self.not_before.max(outer.not_before),
            issued_at: self.issued_at.max(outer.issued_at),
            expires: match (self.expires, outer.expires) {
                (Some(own), Some(outer)) => Some(own.min(outer)),
                (own, outer) => own.or(outer),
            },
        }
    }
}

/// How evidence was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The AM was asked (RFC 7662).
    Introspection,
    /// The AM was asked, and asked again what its policies permit at that moment: what both permit is left
    /// ([`LiveDecisions`](crate::LiveDecisions)).
    LiveDecision,
}
