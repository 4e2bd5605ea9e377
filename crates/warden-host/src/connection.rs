//! An owner's connection to an AM.

use std::time::SystemTime;

use uma_client::{Issuer, Secret};

use crate::{AmChoice, Epoch, Spread};

/// An owner's connection to the AM that the owner chose.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connection {
    /// The AM.
    pub issuer: Issuer,
    /// The AM's name as shown to people.
    pub name: String,
    /// Since when the owner has been connected to it.
    pub since: SystemTime,
    /// Whether it works.
    pub state: ConnectionState,
    /// When it ends, if it is known that nothing but connecting again can prolong it.
    pub ends: Option<SystemTime>,
}

/// Whether a connection works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// The host holds a PAT, or can get one without asking the owner.
    Connected,
    /// The AM no longer honours what the owner consented to: the owner has to connect again.
    NeedsConsent,
    /// The owner has disconnected. What is shared through it is denied until the owner connects again, moves to another
    /// AM, or stops sharing it.
    Disconnected,
}

/// A connection that its owner has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disconnected {
    /// The AM.
    pub am: AmChoice,
    /// How many resources are denied since, until the owner decides about them.
    pub withheld: u64,
    /// The epoch from which on they are denied.
    pub epoch: Epoch,
    /// Whether every node denies them.
    pub spread: Spread,
}

/// A move to another AM that is under way. Until it is done, the AM that it is from decides.
///
/// What moves are the registrations. Policies are the AMs' own, and do not move.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Move {
    /// The AM that decides until then.
    pub from: AmChoice,
    /// The AM that decides afterwards.
    pub to: AmChoice,
    /// Since when it is under way.
    pub since: SystemTime,
    /// How many resources the new AM has.
    pub moved: u64,
    /// How many there are.
    pub total: u64,
    /// What is wrong, in words for the owner.
    pub problem: Option<String>,
}

/// Registrations that are still to be deleted at an AM. They let nobody in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leftover {
    /// The AM.
    pub am: AmChoice,
    /// How many there are.
    pub count: u64,
    /// Whether the host may no longer act for the owner there: only the owner can delete them, at the AM.
    pub stuck: bool,
}

/// What came back to the callback from the AM (RFC 6749 section 4.1.2, RFC 9207).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AuthorizationAnswer {
    /// The code, when the owner consented.
    pub code: Option<Secret>,
    /// The state that the host had sent along.
    pub state: Option<Secret>,
    /// The issuer, from AMs that name themselves.
    pub iss: Option<String>,
    /// The error code, when the owner did not consent or the AM was in trouble.
    pub error: Option<String>,
}

impl AuthorizationAnswer {
    /// An answer in which nothing stands.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(Secret::new(code));
        self
    }

    /// Sets the state.
    #[must_use]
    pub fn with_state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(Secret::new(state));
        self
    }

    /// Sets the issuer.
    #[must_use]
    pub fn with_iss(mut self, iss: impl Into<String>) -> Self {
        self.iss = Some(iss.into());
        self
    }

    /// Sets the error code.
    #[must_use]
    pub fn with_error(mut self, error: impl Into<String>) -> Self {
        self.error = Some(error.into());
        self
    }
}
