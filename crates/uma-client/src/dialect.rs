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
use http::{HeaderMap, Response};
use url::Url;

use crate::client::is_trusted;
use crate::error::Error;
use crate::ids::ResourceId;
use crate::profile::AmProfile;
use crate::wire::Metadata;

mod calls;
mod challenge;
pub(crate) mod draft03;
mod uma2;
mod urls;

pub(crate) use calls::Context;
pub use challenge::{Challenge, TokenState};

/// The protocol that an AM speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// UMA 2.0 (Kantara Initiative, 2018): the Grant and Federated Authorization.
    #[default]
    Uma2,
    /// The UMA core draft 03 of February 2012, which Puma and the SMART AM spoke. Its wire types are
    /// [`wire::draft03`](crate::wire::draft03).
    Draft03,
}

impl Dialect {
    /// All dialects.
    pub const ALL: &'static [Self] = &[Self::Uma2, Self::Draft03];

    /// The name in settings and stores: `uma2`, `draft03`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Uma2 => "uma2",
            Self::Draft03 => "draft03",
        }
    }

    /// The dialect with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|dialect| dialect.as_str() == name)
            .copied()
    }

    /// The dialect to the letter, as a profile: what a client uses that names none.
    pub fn profile(&self) -> AmProfile {
        match self {
            Self::Uma2 => AmProfile::uma2(),
            Self::Draft03 => draft03::profile(),
        }
    }

    /// Whether it is the host that chooses the ids of resources, and not the AM.
    pub fn host_chooses_ids(&self) -> bool {
        match self {
            Self::Uma2 => false,
            Self::Draft03 => true,
        }
    }

    /// The profile of an AM with these metadata, where they tell it for certain.
    pub(crate) fn recognise(&self, metadata: &Metadata) -> Option<AmProfile> {
        match self {
            Self::Uma2 => AmProfile::recognise(metadata),
            // The AMs of 2012 had nothing by which one could be told from another.
            Self::Draft03 => None,
        }
    }

    /// Whether the refusal of a request without a token needs a ticket. Where not, the AM is not asked for one.
    pub fn tokenless_needs_ticket(&self) -> bool {
        self.needs_ticket(TokenState::None)
    }

    /// Whether the refusal of a request with such a token needs a ticket. Where not, the AM is not asked for one.
    pub fn needs_ticket(&self, token: TokenState) -> bool {
        match self {
            Self::Uma2 => true,
            Self::Draft03 => draft03::needs_ticket(token),
        }
    }

    /// The whole refusal of a request to a protected path: status, headers, and body.
    ///
    /// For [`Dialect::Uma2`] (UMA 2.0 Grant section 3.2.1) it is 401, `Cache-Control: no-store`, an empty body, and exactly
    /// `WWW-Authenticate: UMA realm="…",as_uri="…",ticket="…"`: requesters in use parse with hand-written code, and this is
    /// the one shape that they all can read. For [`Dialect::Draft03`] it is 401 with
    /// `UMA realm="…",host_id="…",am_uri="…"` and no ticket when there is no good token, and 403 with the ticket in that
    /// header and in a JSON body when the token is too weak.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) when realm, host name or ticket cannot be written safely (empty,
    /// longer than 4096 bytes, control characters, non-ASCII, `"`, `\`), [`ErrorKind::Config`](crate::ErrorKind::Config)
    /// when the dialect needs a ticket or a host name and there is none. The caller then answers 403 with the `Warning` of
    /// UMA 2.0 Grant section 3.2.2.
    pub fn refusal(&self, challenge: &Challenge<'_>) -> Result<Response<Bytes>, Error> {
        match self {
            Self::Uma2 => uma2::refusal(challenge),
            Self::Draft03 => draft03::refusal(challenge),
        }
    }

    /// The token of a request that stands where only this dialect looks for one, besides `Authorization: Bearer`, which all
    /// do. Who asks has to have opted in. The text is as it came: whether it can be a token is for the caller to check.
    ///
    /// [`Dialect::Uma2`] knows no such place. [`Dialect::Draft03`] reads a `WWW-Authenticate` field of the request, where
    /// Puma's description puts the token: one field, `Bearer` or `UMA`, and the token behind it.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) when something is there and cannot be read in exactly one way.
    pub fn legacy_token<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h str>, Error> {
        match self {
            Self::Uma2 => Ok(None),
            Self::Draft03 => draft03::legacy_token(headers),
        }
    }

    /// The parameter of a challenge that names the AM: by it a requester knows what is spoken there.
    pub(crate) fn issuer_parameter(&self) -> &'static str {
        match self {
            Self::Uma2 => "as_uri",
            Self::Draft03 => "am_uri",
        }
    }

    /// How a metadata member of UMA 2.0 is called in this dialect: errors name members as the document has them.
    pub(crate) fn member(&self, name: &'static str) -> &'static str {
        match self {
            Self::Uma2 => name,
            Self::Draft03 => draft03::member(name),
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
            .replace("{id}", &urls::encoded(id)),
    )
}
