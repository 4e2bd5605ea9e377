//! Which AMs owners of this host may choose, and how to speak to each.

use std::sync::Arc;

use tower_warden::{Audience, ResourceMap};
use uma_client::{AmProfile, ClientCredentials, Dialect, Issuer, Secret};
use url::Url;

use crate::protection::LiveChoice;
use crate::{Error, ErrorKind, Outbound};

/// Which AMs owners may choose.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AmPolicy {
    /// These and no others.
    Only(Vec<AmSetting>),
    /// Any AM, within the rules for those that owners bring ([`Outbound`](crate::Outbound)); these are suggested, and
    /// trusted in their address. What an AM that an owner brings speaks, and how, is told from its metadata where that is
    /// certain ([`AmClient::detected`](uma_client::AmClient::detected)); where not, it is taken for a strict UMA 2.0 AM.
    Any(Vec<AmSetting>),
}

impl AmPolicy {
    pub(crate) fn settings(&self) -> &[AmSetting] {
        match self {
            Self::Only(settings) | Self::Any(settings) => settings,
        }
    }

    /// The setting for an AM, or why it can't be had. `typed` is what an owner chose or typed.
    pub(crate) fn choose(&self, typed: &str, rules: &Outbound) -> Result<AmSetting, Error> {
        let typed = typed.trim();
        // A slash at the end is how people spell it; the issuer itself is compared byte for byte.
        let spelled = |setting: &&AmSetting| {
            let known = setting.issuer.as_str();
            known == typed || known.trim_end_matches('/') == typed.trim_end_matches('/')
        };
        if let Some(setting) = self.settings().iter().find(spelled) {
            return Ok(setting.clone());
        }
        match self {
            Self::Only(_) => Err(unknown_am(
                "this host does not work with that authorization manager; choose one of those offered",
            )),
            Self::Any(_) => rules.issuer(typed).map(|issuer| brought(issuer, rules)),
        }
    }
}

/// An AM that an owner brings: UMA 2.0 to the letter, until its metadata tell otherwise.
pub(crate) fn brought(issuer: Issuer, rules: &Outbound) -> AmSetting {
    let insecure = rules.is_loopback(issuer.url());
    AmSetting::new(issuer).with_allow_insecure(insecure)
}

fn unknown_am(text: &'static str) -> Error {
    Error::new(ErrorKind::UnknownAm, text).at("am")
}

/// What becomes of a shared resource that is proved gone at its AM, and with it what its owner had allowed there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LostPolicy {
    /// It stays denied until its owner shares it again or stops sharing it: the owner may have meant it.
    #[default]
    Wait,
    /// It is registered anew. What its owner had allowed is gone all the same; nobody is let in until that is set anew.
    Recreate,
}

/// How this host comes by the PATs of an AM's owners.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PatStrategy {
    /// Each owner consents at the AM (authorization code with PKCE).
    #[default]
    OwnerConsent,
    /// The host's client is the owner at the AM: one PAT by client credentials for all owners of this host. Nobody is
    /// asked at the AM; who connects is taken at the host's word.
    HostCredentials,
    /// Each owner makes a client for this host at the AM and gives its id and secret to the host.
    OwnerCredentials,
}

/// What an owner does to connect to an AM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectBy {
    /// Consents at the AM.
    #[default]
    Consent,
    /// Nothing more than to say so.
    Host,
    /// Gives the id and secret of a client that the owner made at the AM: [`Host::connect_with`](crate::Host::connect_with).
    Credentials,
}

impl From<PatStrategy> for ConnectBy {
    fn from(strategy: PatStrategy) -> Self {
        match strategy {
            PatStrategy::OwnerConsent => Self::Consent,
            PatStrategy::HostCredentials => Self::Host,
            PatStrategy::OwnerCredentials => Self::Credentials,
        }
    }
}

/// One AM: its issuer, its name for people, and how to speak to it.
#[derive(Debug, Clone)]
pub struct AmSetting {
    pub(crate) issuer: Issuer,
    pub(crate) name: String,
    pub(crate) profile: AmProfile,
    pub(crate) dialect: Dialect,
    pub(crate) credentials: Option<ClientCredentials>,
    pub(crate) initial_access_token: Option<Secret>,
    pub(crate) allow_insecure: bool,
    pub(crate) discovery_url: Option<Url>,
    pub(crate) audience: Option<Audience>,
    pub(crate) live: LiveChoice,
    pub(crate) pat: PatStrategy,
}

impl AmSetting {
    /// An AM that speaks UMA 2.0 strictly, registers clients dynamically, and is named by its issuer without the scheme:
    /// two AMs may share a host, or a host and a port.
    #[must_use]
    pub fn new(issuer: Issuer) -> Self {
        let name = issuer
            .as_str()
            .split_once("://")
            .map_or(issuer.as_str(), |(_, rest)| rest)
            .trim_end_matches('/')
            .to_owned();
        Self {
            issuer,
            name,
            profile: Dialect::default().profile(),
            dialect: Dialect::default(),
            credentials: None,
            initial_access_token: None,
            allow_insecure: false,
            discovery_url: None,
            audience: None,
            live: LiveChoice::None,
            pat: PatStrategy::default(),
        }
    }

    /// The AM's issuer.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Sets the name shown to people.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets what the AM does differently within its dialect.
    #[must_use]
    pub fn with_profile(mut self, profile: AmProfile) -> Self {
        self.profile = profile;
        self
    }

    /// Sets the protocol that the AM speaks, to the letter unless [`with_profile`](Self::with_profile) says otherwise.
    #[must_use]
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
        if self.profile == self.dialect.profile() {
            self.profile = dialect.profile();
        }
        self.dialect = dialect;
        self
    }

    /// Gives the host's client at the AM, where it is made by hand; without, it is registered dynamically (RFC 7591).
    #[must_use]
    pub fn with_credentials(mut self, credentials: ClientCredentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Sets the token that the AM wants for dynamic registration (RFC 7591 section 3).
    #[must_use]
    pub fn with_initial_access_token(mut self, token: Secret) -> Self {
        self.initial_access_token = Some(token);
        self
    }

    /// Allows an AM without TLS, or on this machine: for development alone.
    #[must_use]
    pub fn with_allow_insecure(mut self, allow: bool) -> Self {
        self.allow_insecure = allow;
        self
    }

    /// Sets where the AM's metadata is, where it is not at the usual place.
    #[must_use]
    pub fn with_discovery_url(mut self, url: Url) -> Self {
        self.discovery_url = Some(url);
        self
    }

    /// Sets how the host comes by PATs there; without, each owner consents.
    #[must_use]
    pub fn with_pat(mut self, strategy: PatStrategy) -> Self {
        self.pat = strategy;
        self
    }

    /// Has the AM asked on each check of a token what its policies permit at that moment
    /// ([`LiveDecisions`](tower_warden::LiveDecisions)), so that an owner's "no" there holds within the time to live of
    /// cached answers. The AM's profile has to have that; without, nobody gets in.
    #[must_use]
    pub fn with_live_decisions(mut self) -> Self {
        self.live = LiveChoice::All;
        self
    }

    /// As [`with_live_decisions`](Self::with_live_decisions), for the resources of some maps alone. `wanted` goes by what
    /// stays: path, owner, scopes. A token for several resources is asked about for the others as well.
    #[must_use]
    pub fn with_live_decisions_for(
        mut self,
        wanted: impl Fn(&ResourceMap) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.live = LiveChoice::Some(Arc::new(wanted));
        self
    }

    /// Sets what the `aud` of the AM's answers must name; without, it is the host's client id there.
    #[must_use]
    pub fn with_audience(mut self, audience: Audience) -> Self {
        self.audience = Some(audience);
        self
    }
}

/// An AM that an owner can choose.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AmChoice {
    /// The issuer.
    pub issuer: Issuer,
    /// The name shown to people.
    pub name: String,
    /// What an owner does to connect to it.
    pub how: ConnectBy,
}

impl AmChoice {
    pub(crate) fn of(setting: &AmSetting) -> Self {
        Self {
            issuer: setting.issuer.clone(),
            name: setting.name.clone(),
            how: setting.pat.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ams_have_two_names() {
        let name = |issuer| AmSetting::new(Issuer::parse(issuer).unwrap()).name;
        assert_eq!(name("https://am.example"), "am.example");
        assert_eq!(name("https://am.example:8443/"), "am.example:8443");
        assert_eq!(name("https://am.example/realms/a"), "am.example/realms/a");
    }

    #[test]
    fn only_means_only() {
        let known = AmSetting::new(Issuer::parse("https://am.example/realms/a").unwrap());
        let policy = AmPolicy::Only(vec![known]);
        for spelled in [
            "https://am.example/realms/a",
            " https://am.example/realms/a/ ",
        ] {
            let chosen = policy.choose(spelled, &Outbound::new()).unwrap();
            assert_eq!(chosen.issuer.as_str(), "https://am.example/realms/a");
        }
        let error = policy
            .choose("https://am.example", &Outbound::new())
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::UnknownAm, Some("am"))
        );
    }
}
