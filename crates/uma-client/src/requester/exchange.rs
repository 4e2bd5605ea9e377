use std::time::Duration;

use bytes::Bytes;
use http::Response;
use url::Url;

use crate::answer;
use crate::error::{Error, ErrorKind};
use crate::ids::{self, Ticket};
use crate::profile::AmProfile;
use crate::scope::Scope;
use crate::secret::Secret;
use crate::wire::{ErrorBody, RequiredClaim, TokenResponse};

/// A ticket, and what is presented with it (UMA 2.0 Grant section 3.3.1).
#[derive(Clone, Debug)]
#[must_use]
pub struct TicketExchange {
    pub(crate) ticket: Ticket,
    pub(crate) bearer: Option<Secret>,
    pub(crate) claim_token: Option<(Secret, String)>,
    pub(crate) pct: Option<Secret>,
    pub(crate) rpt: Option<Secret>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) extra: Vec<(String, Secret)>,
}

impl TicketExchange {
    /// The newest ticket of the process.
    pub fn new(ticket: Ticket) -> Self {
        Self {
            ticket,
            bearer: None,
            claim_token: None,
            pct: None,
            rpt: None,
            scopes: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// Whether nobody but the client itself is spoken for.
    pub(crate) fn is_unattended(&self) -> bool {
        let somebody = |(name, _): &(String, Secret)| name == "subject_token";
        self.bearer.is_none() && self.claim_token.is_none() && !self.extra.iter().any(somebody)
    }

    /// Pushes claims about the requesting party: a token, and the name of its format.
    pub fn claim_token(mut self, token: impl Into<Secret>, format: impl Into<String>) -> Self {
        self.claim_token = Some((token.into(), format.into()));
        self
    }

    /// Claims that the AM kept from an earlier exchange.
    pub fn pct(mut self, pct: impl Into<Secret>) -> Self {
        self.pct = Some(pct.into());
        self
    }

    /// An RPT that is to be upgraded; it may be dead.
    pub fn rpt(mut self, rpt: impl Into<Secret>) -> Self {
        self.rpt = Some(rpt.into());
        self
    }

    /// Asks for a scope besides those of the ticket.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scopes.push(scope);
        self
    }

    /// Authenticates with this access token instead of the client's credentials, for AMs that take the requesting party's own
    /// token.
    pub fn bearer(mut self, token: impl Into<Secret>) -> Self {
        self.bearer = Some(token.into());
        self
    }

    /// Adds a parameter that only this AM knows.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.extra.push((name.into(), value.into()));
        self
    }
}

/// How an exchange ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exchange {
    /// An RPT. It may permit less than the host asks for: see [`RefusalGuard`](crate::RefusalGuard).
    Granted(Grant),
    /// The AM wants to know more (UMA 2.0 Grant section 3.3.6): push the claims, or send the requesting party there.
    NeedInfo {
        /// The ticket to go on with.
        ticket: Ticket,
        /// Claims that would help.
        required_claims: Vec<RequiredClaim>,
        /// Where to send the requesting party; see [`Requester::interaction_url`](crate::Requester::interaction_url).
        redirect_user: Option<Url>,
    },
    /// The AM waits for somebody, as the owner: poll with the new ticket.
    Submitted {
        /// The ticket to poll with.
        ticket: Ticket,
        /// How long to wait before that: 5 s where the AM does not say, 1 s to 60 s.
        interval: Duration,
    },
    /// No.
    Denied,
}

/// An RPT and what came with it (UMA 2.0 Grant section 3.3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// The RPT.
    pub rpt: Secret,
    /// Claims that the AM kept, for the next exchange.
    pub pct: Option<Secret>,
    /// Whether the RPT that was sent along lives on in this one; drop the old one then.
    pub upgraded: bool,
    /// The RPT's life, where the AM says it.
    pub expires_in: Option<Duration>,
    /// A refresh token, where the AM gives one. Refreshing does not ask the policies again.
    pub refresh_token: Option<Secret>,
}

impl Grant {
    pub(crate) fn read(answer: TokenResponse) -> Result<Self, Error> {
        if !answer.token_type.eq_ignore_ascii_case("bearer") {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "member `token_type` is not Bearer",
            ));
        }
        if !ids::is_token(answer.access_token.expose()) {
            return Err(Error::new(
                ErrorKind::Malformed,
                "member `access_token` cannot be sent as a bearer token",
            ));
        }
        Ok(Self {
            rpt: answer.access_token,
            pct: answer.pct,
            upgraded: answer.upgraded == Some(true),
            expires_in: answer.expires_in.map(Duration::from_secs),
            refresh_token: answer.refresh_token,
        })
    }
}

/// Whether an answer that denies says, in the words of the profile, that the owner was asked.
pub(crate) fn was_submitted(profile: &AmProfile, response: &Response<Bytes>) -> bool {
    let Some(said) = &profile.submitted_description else {
        return false;
    };
    answer::json::<ErrorBody>(response)
        .is_ok_and(|body| body.error_description.as_deref() == Some(&**said))
}
