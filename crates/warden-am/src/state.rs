//! Everything the AM remembers, as one value that can be written to a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::secrets;

pub(crate) mod clients;
pub(crate) mod expiring;
pub(crate) mod policies;
pub(crate) mod resources;
pub(crate) mod tickets;
pub(crate) mod tokens;

use clients::Client;
use expiring::Expiring;
use policies::{AccessRequest, Policy};
use resources::Resource;
use tickets::{ClaimToken, Interaction, Pct, Ticket};
use tokens::{AccessToken, Code, RefreshToken, Rpt};

/// How many of each thing are kept; of what ends by itself the oldest makes room.
pub(crate) mod limits {
    pub(crate) const CLIENTS: usize = 1_000;
    pub(crate) const CODES: usize = 1_000;
    pub(crate) const POLICIES: usize = 10_000;
    pub(crate) const REQUESTS: usize = 1_000;
    pub(crate) const RESOURCES: usize = 10_000;
    pub(crate) const SESSIONS: usize = 1_000;
    pub(crate) const TICKETS: usize = 10_000;
    pub(crate) const TOKENS: usize = 10_000;
}

/// Who a token or a resource belongs to: a person, or a client acting for itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Party {
    Client(String),
    User(String),
}

impl Party {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Client(name) | Self::User(name) => name,
        }
    }

    pub(crate) fn user(&self) -> Option<&str> {
        match self {
            Self::User(name) => Some(name),
            Self::Client(_) => None,
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct User {
    password_sha256: String,
}

impl User {
    pub(crate) fn new(password: &str) -> Self {
        Self {
            password_sha256: secrets::digest(password),
        }
    }

    pub(crate) fn has_password(&self, password: &str) -> bool {
        secrets::same(&self.password_sha256, &secrets::digest(password))
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Session {
    pub(crate) user: String,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct State {
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) clients: BTreeMap<String, Client>,
    pub(crate) sessions: Expiring<Session>,
    pub(crate) codes: Expiring<Code>,
    pub(crate) access_tokens: Expiring<AccessToken>,
    pub(crate) refresh_tokens: Expiring<RefreshToken>,
    pub(crate) rpts: Expiring<Rpt>,
    pub(crate) tickets: Expiring<Ticket>,
    pub(crate) interactions: Expiring<Interaction>,
    pub(crate) pcts: Expiring<Pct>,
    pub(crate) claim_tokens: Expiring<ClaimToken>,
    pub(crate) resources: BTreeMap<String, Resource>,
    pub(crate) policies: BTreeMap<String, Policy>,
    pub(crate) requests: BTreeMap<String, AccessRequest>,
    /// What secrets begin with.
    #[serde(skip)]
    pub(crate) mark: String,
    #[serde(skip)]
    pruned_ms: i64,
}

impl State {
    /// Drops what has ended, at most once a second.
    pub(crate) fn prune(&mut self, now_ms: i64) {
        if now_ms.saturating_sub(self.pruned_ms).unsigned_abs() < 1_000 {
            return;
        }
        self.pruned_ms = now_ms;
        self.sessions.prune(now_ms);
        self.codes.prune(now_ms);
        self.access_tokens.prune(now_ms);
        self.refresh_tokens.prune(now_ms);
        self.rpts.prune(now_ms);
        self.tickets
            .prune(now_ms.saturating_sub(tickets::ENDED_TICKET_KEPT_MS));
        self.interactions.prune(now_ms);
        self.pcts.prune(now_ms);
        self.claim_tokens.prune(now_ms);
    }

    /// True when the person exists and the password is hers.
    pub(crate) fn password_is_right(&self, name: &str, password: &str) -> bool {
        // An unknown name costs the same comparison as a known one.
        let nobody = User {
            password_sha256: String::new(),
        };
        self.users
            .get(name)
            .unwrap_or(&nobody)
            .has_password(password)
    }

    /// The owner that a name means: a person first, else a client that owns things itself.
    pub(crate) fn party(&self, name: &str) -> Option<Party> {
        if self.users.contains_key(name) {
            Some(Party::User(name.to_owned()))
        } else if self.clients.contains_key(name) {
            Some(Party::Client(name.to_owned()))
        } else {
            None
        }
    }

    /// Like an AM that lost its database: people and pre-registered clients are all that is left.
    pub(crate) fn forget_everything(&mut self) {
        let users = std::mem::take(&mut self.users);
        let mut clients = std::mem::take(&mut self.clients);
        clients.retain(|_, client| client.preregistered);
        *self = Self {
            users,
            clients,
            ..Self::default()
        };
    }
}
