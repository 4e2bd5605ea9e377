//! What enforcement knows of an authorization manager.

use std::sync::{Arc, LazyLock};

use uma_client::{Dialect, Issuer};

static UNNAMED: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("unnamed"));

/// An authorization manager (AM) as the maps name it: who it is, how it speaks, and what its answers must say.
///
/// ```
/// use tower_warden::{Am, Audience};
/// use uma_client::Issuer;
///
/// let issuer = Issuer::parse("https://am.example")?;
/// let am = Am::new(issuer, Audience::Expect("host-one".into())).with_name("home");
/// assert_eq!(am.name(), "home");
/// # Ok::<(), uma_client::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Am {
    issuer: Issuer,
    dialect: Dialect,
    name: Arc<str>,
    label: Arc<str>,
    audience: Audience,
}

impl Am {
    /// An AM that speaks UMA 2.0 and is named, in events, by its issuer. In metrics it is one of the `unnamed` ones: owners
    /// may bring AMs of their own, and labels have to be few.
    #[must_use]
    pub fn new(issuer: Issuer, audience: Audience) -> Self {
        Self {
            name: issuer.as_str().into(),
            label: UNNAMED.clone(),
            issuer,
            dialect: Dialect::default(),
            audience,
        }
    }

    /// Says which protocol the AM speaks.
    #[must_use]
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Gives the AM a short name for events and metrics. Names are for the host's operator to give, not for owners: each
    /// makes a time series of its own.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into().into();
        self.label = self.name.clone();
        self
    }

    /// The issuer, by which everything about the AM is keyed.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The protocol that the AM speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The short name, or else the issuer.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The label in metrics: the short name, or `unnamed`.
    #[must_use]
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// What an answer's `aud` must name.
    #[must_use]
    pub fn audience(&self) -> &Audience {
        &self.audience
    }
}

/// What the `aud` of an AM's answer must name (RFC 7662 section 2.2, RFC 9700 section 2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Audience {
    /// `aud` must be there and hold this value: as a rule the host's client id at the AM.
    Expect(String),
    /// The audience is not checked. Say it only of an AM that issues RPTs for this host alone.
    NotChecked,
}
