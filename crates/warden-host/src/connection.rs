//! An owner's connection to an AM.

use std::time::SystemTime;

use uma_client::{Issuer, Secret};

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
}

/// Whether a connection works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// The host holds a PAT, or can get one without asking the owner.
    Connected,
    /// The AM no longer honours what the owner consented to: the owner has to connect again.
    NeedsConsent,
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
