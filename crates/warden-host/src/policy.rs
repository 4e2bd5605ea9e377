//! Which AMs owners of this host may choose, and how to speak to each.

use tower_warden::Audience;
use uma_client::{AmProfile, ClientCredentials, Dialect, Issuer, Secret};
use url::{Host as UrlHost, Url};

use crate::{Error, ErrorKind};

/// Which AMs owners may choose.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AmPolicy {
    /// These and no others.
    Only(Vec<AmSetting>),
    /// Any AM with a public https address; these are suggested, and trusted in their address.
    Any(Vec<AmSetting>),
}

impl AmPolicy {
    pub(crate) fn settings(&self) -> &[AmSetting] {
        match self {
            Self::Only(settings) | Self::Any(settings) => settings,
        }
    }

    /// The setting for an AM, or why it can't be had. `typed` is what an owner chose or typed.
    pub(crate) fn choose(&self, typed: &str) -> Result<AmSetting, Error> {
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
            Self::Any(_) => public(typed).map(AmSetting::new),
        }
    }
}

fn unknown_am(text: &'static str) -> Error {
    Error::new(ErrorKind::UnknownAm, text).at("am")
}

/// An issuer that an owner may bring: https, the usual port, a public name.
fn public(typed: &str) -> Result<Issuer, Error> {
    const NO: &str = "give the https address of your authorization manager, as it names itself";
    let issuer = Issuer::parse(typed).map_err(|error| unknown_am(NO).because(error))?;
    let url = issuer.url();
    let Some(UrlHost::Domain(name)) = url.host() else {
        return Err(unknown_am(NO));
    };
    let name = name.trim_end_matches('.');
    let private = [
        "localhost",
        "local",
        "internal",
        "home.arpa",
        "test",
        "invalid",
        "onion",
    ];
    let is_private = private
        .iter()
        .any(|suffix| name == *suffix || name.ends_with(&format!(".{suffix}")));
    if url.scheme() != "https" || url.port().is_some() || !name.contains('.') || is_private {
        return Err(unknown_am(NO));
    }
    Ok(issuer)
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
}

impl AmSetting {
    /// An AM that speaks UMA 2.0 strictly, registers clients dynamically, and is named by its host name.
    #[must_use]
    pub fn new(issuer: Issuer) -> Self {
        let name = issuer.url().host_str().unwrap_or("AM").to_owned();
        Self {
            issuer,
            name,
            profile: AmProfile::uma2(),
            dialect: Dialect::default(),
            credentials: None,
            initial_access_token: None,
            allow_insecure: false,
            discovery_url: None,
            audience: None,
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

    /// Sets the protocol that the AM speaks.
    #[must_use]
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_means_only() {
        let known = AmSetting::new(Issuer::parse("https://am.example/realms/a").unwrap());
        let policy = AmPolicy::Only(vec![known]);
        for spelled in [
            "https://am.example/realms/a",
            " https://am.example/realms/a/ ",
        ] {
            let chosen = policy.choose(spelled).unwrap();
            assert_eq!(chosen.issuer.as_str(), "https://am.example/realms/a");
        }
        let error = policy.choose("https://am.example").unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::UnknownAm, Some("am"))
        );
    }

    #[test]
    fn an_owner_brings_public_addresses_alone() {
        let policy = AmPolicy::Any(Vec::new());
        assert!(policy.choose("https://am.example.org/uma").is_ok());
        for bad in [
            "http://am.example.org",
            "https://am.example.org:8443",
            "https://localhost",
            "https://am.localhost",
            "https://am",
            "https://printer.local",
            "https://127.0.0.1",
            "https://2130706433",
            "https://0x7f.1",
            "https://[::1]",
            "https://metadata.google.internal",
            "https://u:p@am.example.org",
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(
                policy.choose(bad).unwrap_err().kind(),
                ErrorKind::UnknownAm,
                "{bad}"
            );
        }
    }
}
