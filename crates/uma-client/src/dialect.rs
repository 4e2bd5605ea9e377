//! Dialects: which protocol an AM speaks.
//!
//! A dialect is sans-IO: it builds whole requests and reads whole responses, and it writes the whole refusal that a host
//! gives to a requester. [`AmClient`](crate::AmClient) only sends.
//!
//! ```
//! use uma_client::{Challenge, Dialect, Issuer, Ticket};
//!
//! let issuer = Issuer::parse("https://as.example.com")?;
//! let ticket = Ticket::parse("016f84e8-f9b9-11e0-bd6f-0021cc6004de")?;
//! let refusal = Dialect::Uma2.refusal(&Challenge::new("example", &issuer).with_ticket(&ticket))?;
//! assert_eq!(refusal.status(), 401);
//! assert_eq!(
//!     refusal.headers()["www-authenticate"],
//!     r#"UMA realm="example",as_uri="https://as.example.com",ticket="016f84e8-f9b9-11e0-bd6f-0021cc6004de""#
//! );
//! # Ok::<(), uma_client::Error>(())
//! ```

use bytes::Bytes;
use http::Response;
use url::Url;

use crate::client::is_trusted;
use crate::error::Error;
use crate::ids::{ResourceId, Ticket};
use crate::issuer::Issuer;

mod calls;
mod uma2;

pub(crate) use calls::Context;

/// The protocol that an AM speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// UMA 2.0 (Kantara Initiative, 2018): the Grant and Federated Authorization.
    #[default]
    Uma2,
}

/// What a refusal says to a requester.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Challenge<'a> {
    /// The protection space; never empty.
    pub realm: &'a str,
    /// The AM of the resource, verbatim.
    pub issuer: &'a Issuer,
    /// The ticket that was obtained for this one request.
    pub ticket: Option<&'a Ticket>,
    /// Whether the request bore a token.
    pub token_presented: bool,
    /// The host's name, for dialects whose challenge carries it; empty otherwise.
    pub host_id: &'a str,
}

impl<'a> Challenge<'a> {
    /// A challenge without a ticket, for a request without a token.
    pub fn new(realm: &'a str, issuer: &'a Issuer) -> Self {
        Self {
            realm,
            issuer,
            ticket: None,
            token_presented: false,
            host_id: "",
        }
    }

    /// Adds the ticket.
    #[must_use]
    pub fn with_ticket(mut self, ticket: &'a Ticket) -> Self {
        self.ticket = Some(ticket);
        self
    }

    /// Says whether the request bore a token.
    #[must_use]
    pub fn with_token_presented(mut self, presented: bool) -> Self {
        self.token_presented = presented;
        self
    }

    /// Adds the host's name.
    #[must_use]
    pub fn with_host_id(mut self, host_id: &'a str) -> Self {
        self.host_id = host_id;
        self
    }
}

impl Dialect {
    /// Whether the refusal of a request without a token needs a ticket. Where not, the AM is not asked for one.
    pub fn tokenless_needs_ticket(&self) -> bool {
        match self {
            Self::Uma2 => true,
        }
    }

    /// The whole refusal of a request to a protected path: status, headers, and body.
    ///
    /// UMA 2.0 Grant section 3.2.1. For [`Dialect::Uma2`] it is 401, `Cache-Control: no-store`, an empty body, and exactly
    /// `WWW-Authenticate: UMA realm="…",as_uri="…",ticket="…"`: requesters in use parse with hand-written code, and this is
    /// the one shape that they all can read.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) when realm or ticket cannot be written safely (empty, longer
    /// than 4096 bytes, control characters, non-ASCII, `"`, `\`), [`ErrorKind::Config`](crate::ErrorKind::Config) when the
    /// dialect needs a ticket and there is none. The caller then answers 403 with the `Warning` of UMA 2.0 Grant section
    /// 3.2.2.
    pub fn refusal(&self, challenge: &Challenge<'_>) -> Result<Response<Bytes>, Error> {
        match self {
            Self::Uma2 => uma2::refusal(challenge),
        }
    }
}

/// The policy link of a resource: what the AM named, if a browser may be sent there, else what the profile makes of it.
fn policy_uri(context: &Context<'_>, id: &ResourceId, named: Option<&str>) -> Option<Url> {
    let origins: Vec<&Url> = context
        .endpoints
        .resources()
        .into_iter()
        .chain([context.issuer.url()])
        .collect();
    let trusted = |text: &str| {
        let url = Url::parse(text).ok()?;
        is_trusted(&url, context.allow_http, &origins).then_some(url)
    };
    if let Some(named) = named {
        let url = trusted(named);
        if url.is_none() {
            tracing::warn!(am = %context.issuer, "the AM's policy link is not https on its own origin and is left out");
        }
        return url;
    }
    let template = context.profile.policy_uri_template.as_deref()?;
    trusted(
        &template
            .replace("{issuer}", context.issuer.as_str())
            .replace("{id}", &uma2::encoded(id)),
    )
}
