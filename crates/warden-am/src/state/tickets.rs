//! Permission tickets, the claims interaction, and what the AM knows of a requesting party.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Party, State, limits};
use crate::error::Error;

/// An ended ticket is remembered this long, for dialects that tell it from one that never was.
pub(crate) const ENDED_TICKET_KEPT_MS: i64 = 3_600_000;

/// A permission ticket: single-use, and replaced at every step.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Ticket {
    pub(crate) owner: Party,
    /// The client id of the host that asked.
    pub(crate) host: String,
    /// Resource id to the scopes that the host asked for.
    pub(crate) permissions: BTreeMap<String, BTreeSet<String>>,
    /// The client that presented it first.
    pub(crate) client: Option<String>,
    /// The requesting party, once known from the interaction page.
    pub(crate) subject: Option<String>,
}

/// A requesting party's visit to the claims interaction page.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Interaction {
    pub(crate) ticket: Ticket,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
}

/// A persisted claims token: who the requesting party of this client is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Pct {
    pub(crate) client_id: String,
    pub(crate) subject: String,
}

/// What a sign-in token says.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ClaimToken {
    pub(crate) client_id: String,
    pub(crate) subject: String,
}

impl State {
    pub(crate) fn issue_ticket(
        &mut self,
        ticket: Ticket,
        expires_ms: i64,
    ) -> Result<String, Error> {
        self.tickets
            .issue(&self.mark, ticket, expires_ms, limits::TICKETS)
    }
}
