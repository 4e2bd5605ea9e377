use crate::ids::{MAX_TICKET, Ticket};
use crate::issuer::Issuer;

/// What the token of a refused request was worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenState {
    /// There was none.
    #[default]
    None,
    /// The AM does not take it for good: unknown, ended, revoked, or not for this host.
    Invalid,
    /// It is good, and does not permit what was to be done.
    Insufficient,
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
    /// What the token of the request was worth.
    pub token: TokenState,
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
            token: TokenState::None,
            host_id: "",
        }
    }

    /// Adds the ticket.
    #[must_use]
    pub fn with_ticket(mut self, ticket: &'a Ticket) -> Self {
        self.ticket = Some(ticket);
        self
    }

    /// Says what the token of the request was worth.
    #[must_use]
    pub fn with_token(mut self, token: TokenState) -> Self {
        self.token = token;
        self
    }

    /// Adds the host's name.
    #[must_use]
    pub fn with_host_id(mut self, host_id: &'a str) -> Self {
        self.host_id = host_id;
        self
    }
}

/// Whether a text can stand in a quoted string as it is: not empty, not too long, visible ASCII or blanks, no `"`, no `\`.
pub(super) fn is_quotable(text: &str) -> bool {
    let safe = |b: u8| (b.is_ascii_graphic() || b == b' ') && !matches!(b, b'"' | b'\\');
    !text.is_empty() && text.len() <= MAX_TICKET && text.bytes().all(safe)
}
