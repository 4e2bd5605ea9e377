use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::client::discovery::Discovery;
use crate::client::hints::Hints;
use crate::client::{AmClient, ClientCredentials, Shared};
use crate::clock::{Clock, SystemClock};
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::issuer::Issuer;
use crate::profile::AmProfile;
use crate::transport::{Http, Limits};

/// What a client does not change once it is built.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) dialect: Dialect,
    pub(crate) profile: AmProfile,
    pub(crate) discovery_url: Option<Url>,
    pub(crate) allow_http: bool,
    pub(crate) same_origin: bool,
    /// Most calls.
    pub(crate) call: Limits,
    /// Introspection.
    pub(crate) introspection: Limits,
    /// Metadata and lists.
    pub(crate) long: Limits,
}

/// Builds an [`AmClient`].
#[derive(Debug)]
#[must_use]
pub struct AmClientBuilder {
    issuer: Issuer,
    settings: Settings,
    profile: Option<AmProfile>,
    discovery_url: Option<String>,
    http: Option<Http>,
    clock: Arc<dyn Clock>,
    credentials: Option<ClientCredentials>,
}

impl AmClientBuilder {
    pub(crate) fn new(issuer: Issuer) -> Self {
        let call = Limits::default();
        Self {
            issuer,
            settings: Settings {
                dialect: Dialect::default(),
                profile: AmProfile::default(),
                discovery_url: None,
                allow_http: false,
                same_origin: false,
                call,
                introspection: Limits::new(Duration::from_secs(2), call.max_body),
                long: Limits::new(call.timeout, 256 * 1024),
            },
            profile: None,
            discovery_url: None,
            http: None,
            clock: Arc::new(SystemClock::new()),
            credentials: None,
        }
    }

    /// What the AM speaks (default UMA 2.0). A client that names no [profile](Self::profile) uses the dialect's own.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.settings.dialect = dialect;
        self
    }

    /// How the AM departs from that (default: not at all, [`Dialect::profile`]).
    pub fn profile(mut self, profile: AmProfile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Where the metadata are, for an AM that does not serve them below its issuer.
    pub fn discovery_url(mut self, url: impl Into<String>) -> Self {
        self.discovery_url = Some(url.into());
        self
    }

    /// **Not for production.** Allows `http` for this AM: its issuer, its metadata, its endpoints. Tokens and secrets then
    /// go over the network in the clear. Every build of such a client leaves a warning in the log.
    pub fn allow_insecure_http(mut self) -> Self {
        self.settings.allow_http = true;
        self
    }

    /// Refuses metadata that name an endpoint on another origin than the issuer's: for AMs that owners bring.
    pub fn require_same_origin(mut self) -> Self {
        self.settings.same_origin = true;
        self
    }

    /// The transport (default, with the feature `reqwest`: a [`ReqwestTransport`](crate::ReqwestTransport) of its own).
    pub fn http(mut self, http: Http) -> Self {
        self.http = Some(http);
        self
    }

    /// The clock (default: the system's).
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// This client's registration at the AM.
    pub fn credentials(mut self, credentials: ClientCredentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// How long one HTTP call may take (default 5 s), introspection aside.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.settings.call.timeout = timeout;
        self.settings.long.timeout = timeout;
        self
    }

    /// How long an introspection may take (default 2 s).
    pub fn introspection_timeout(mut self, timeout: Duration) -> Self {
        self.settings.introspection.timeout = timeout;
        self
    }

    /// Longest answer, in bytes (default 64 KiB).
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.settings.call.max_body = bytes;
        self.settings.introspection.max_body = bytes;
        self
    }

    /// Longest metadata document and longest list of resources, in bytes (default 256 KiB).
    pub fn max_long_body(mut self, bytes: usize) -> Self {
        self.settings.long.max_body = bytes;
        self
    }

    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Insecure`] when the issuer or the discovery URL is `http` and that is not allowed,
    /// [`ErrorKind::Config`] when the discovery URL is not one, or there is no transport.
    pub fn build(mut self) -> Result<AmClient, Error> {
        let insecure = |what: &'static str| Err(Error::new(ErrorKind::Insecure, what));
        let dialect = self.settings.dialect;
        self.settings.profile = self.profile.unwrap_or_else(|| dialect.profile());
        if self.settings.allow_http {
            tracing::warn!(am = %self.issuer, "INSECURE: plain http is allowed for this AM; not for production");
        } else if !self.issuer.is_https() {
            return insecure("the issuer is http");
        }
        if let Some(text) = &self.discovery_url {
            let url = Url::parse(text)
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::Config,
                        "the discovery URL is not an absolute http(s) URL",
                    )
                })?;
            if url.scheme() != "https" && !self.settings.allow_http {
                return insecure("the discovery URL is http");
            }
            self.settings.discovery_url = Some(url);
        }
        let http = match self.http {
            Some(http) => http,
            None => default_http()?,
        };
        Ok(AmClient {
            shared: Arc::new(Shared {
                discovery: Discovery::new(),
                hints: Hints::default(),
                issuer: self.issuer,
                settings: self.settings,
                http,
                clock: self.clock,
            }),
            credentials: self.credentials.map(Arc::new),
        })
    }
}

#[cfg(feature = "reqwest")]
fn default_http() -> Result<Http, Error> {
    Ok(Http::new(
        crate::transport::reqwest::ReqwestTransport::new()?
    ))
}

#[cfg(not(feature = "reqwest"))]
fn default_http() -> Result<Http, Error> {
    Err(Error::new(
        ErrorKind::Config,
        "a client needs a transport, or the feature `reqwest`",
    ))
}
