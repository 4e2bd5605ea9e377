//! Setting an AM up.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use uma_client::Dialect;
use uma_client::wire::ClientMetadata;
use url::Url;

use crate::WardenAm;
use crate::auth;
use crate::draft03;
use crate::endpoints::{self, Routes, register};
use crate::error::{Error, ErrorKind};
use crate::faults::Faults;
use crate::persist::StateFile;
use crate::secrets;
use crate::shared::Shared;
use crate::state::clients::{Client, GRANT_TYPES};
use crate::state::{State, User};

const DEFAULT_NAME: &str = "Warden AM";
const DEFAULT_TTL: Duration = Duration::from_secs(300);
const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(5);
const MAX_NAME: usize = 200;

/// Settings of an AM; made by [`WardenAm::builder`].
#[must_use]
pub struct AmBuilder {
    issuer: String,
    name: String,
    dialect: Dialect,
    users: BTreeMap<String, String>,
    clients: Vec<ClientSpec>,
    initial_access_token: Option<String>,
    state_file: Option<PathBuf>,
    token_ttl: Duration,
    ticket_ttl: Duration,
    poll_interval: Duration,
    resource_id_prefix: String,
    mark: String,
}

impl AmBuilder {
    pub(crate) fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            name: DEFAULT_NAME.to_owned(),
            dialect: Dialect::Uma2,
            users: BTreeMap::new(),
            clients: Vec::new(),
            initial_access_token: None,
            state_file: None,
            token_ttl: DEFAULT_TTL,
            ticket_ttl: DEFAULT_TTL,
            poll_interval: DEFAULT_POLL_INTERVAL,
            resource_id_prefix: String::new(),
            mark: String::new(),
        }
    }

    /// Begins every secret that the AM hands out (tokens, tickets, codes, client secrets, cookies) with this, so that tests can
    /// search for leaks. It has to fit into all of them: letters, digits, `-` and `_`. Default: nothing.
    pub fn secret_prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.mark);
        self
    }

    /// What the pages call the AM, so that people can tell several apart. Default: "Warden AM".
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What the AM speaks. Default: UMA 2.0. With [`Dialect::Draft03`] it is an AM of 2012, of which hosts and requesters of
    /// UMA 2.0 understand nothing; people, pages and scripts stay the same.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Adds a person who can sign in, as an owner and as a requesting party. A later password for the same name counts.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.users.insert(name.into(), password.into());
        self
    }

    /// Adds a client that need not register itself.
    pub fn client(mut self, client: ClientSpec) -> Self {
        self.clients.push(client);
        self
    }

    /// Makes dynamic registration ask for this bearer token (RFC 7591 section 3). Default: open registration.
    pub fn initial_access_token(mut self, token: impl Into<String>) -> Self {
        self.initial_access_token = Some(token.into());
        self
    }

    /// Keeps the state in this file, so that it outlives the process. Its folder must exist. The file is written, readable by its owner alone, after
    /// each change and before the change is answered; the whole state is written each time, which suits a demo, not a load test. Default: nothing is kept.
    pub fn state_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_file = Some(path.into());
        self
    }

    /// Life of PATs, RPTs and sign-in tokens. Default 300 s; what is seen on the wire is whole seconds.
    pub fn token_ttl(mut self, ttl: Duration) -> Self {
        self.token_ttl = ttl;
        self
    }

    /// Life of permission tickets. Default 300 s.
    pub fn ticket_ttl(mut self, ttl: Duration) -> Self {
        self.ticket_ttl = ttl;
        self
    }

    /// The `interval` that a `request_submitted` answer names, in whole seconds. Default 5 s. Polling sooner is not punished.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// Puts this before the id of every new resource: to see that a host takes ids as they come, such as `a b/ü?#%`. Default: nothing.
    pub fn resource_id_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.resource_id_prefix = prefix.into();
        self
    }

    /// Builds the AM, with the state of the state file if there is one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for an issuer that is no absolute http or https URL (or has a query, a fragment or user info), a dialect that is not spoken
    /// here, an empty name of the AM or of a user, a client with unusable metadata; [`ErrorKind::StateFile`] for a state file that can't be read, understood or written.
    pub fn build(self) -> Result<WardenAm, Error> {
        let url = issuer_url(&self.issuer)?;
        let personality = personality(self.dialect)?;
        check_name("AM", &self.name)?;
        let file = self.state_file.map(StateFile::new);
        let mut state = match &file {
            Some(file) => file.load()?.unwrap_or_default(),
            None => State::default(),
        };
        for (name, password) in &self.users {
            check_name("user", name)?;
            state.users.insert(name.clone(), User::new(password));
        }
        for spec in self.clients {
            let client = spec.into_client()?;
            state.clients.insert(client.id.clone(), client);
        }
        state.mark.clone_from(&self.mark);
        if let Some(file) = &file {
            file.write(&state)?;
        }
        let base = self.issuer.strip_suffix('/').unwrap_or(&self.issuer);
        tracing::warn!(issuer = %self.issuer, "warden-am is for development and tests only, not for production");
        Ok(WardenAm(Arc::new(Shared {
            base: base.to_owned(),
            prefix: url.path().trim_end_matches('/').to_owned(),
            secure: url.scheme() == "https",
            session_cookie: auth::session_cookie_name(&url),
            issuer: self.issuer,
            name: self.name,
            personality,
            token_ttl: self.token_ttl,
            ticket_ttl: self.ticket_ttl,
            poll_interval: self.poll_interval,
            resource_id_prefix: self.resource_id_prefix,
            mark: self.mark,
            initial_access_token: self.initial_access_token.as_deref().map(secrets::digest),
            file,
            state: Mutex::new(state),
            clock_offset_ms: AtomicI64::new(0),
            faults: Faults::default(),
        })))
    }
}

impl fmt::Debug for AmBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmBuilder")
            .field("issuer", &self.issuer)
            .field("dialect", &self.dialect)
            .field("users", &self.users.keys().collect::<Vec<_>>())
            .field("clients", &self.clients)
            .field("state_file", &self.state_file)
            .finish_non_exhaustive()
    }
}

/// What this AM can be: the only place that knows one dialect from another.
const PERSONALITIES: [(Dialect, Personality); 2] = [
    (Dialect::Uma2, endpoints::uma2),
    (Dialect::Draft03, draft03::endpoints),
];

/// The endpoints for programs, chosen once.
fn personality(dialect: Dialect) -> Result<Personality, Error> {
    let mut known = PERSONALITIES.iter();
    let found = known.find(|(spoken, _)| *spoken == dialect);
    found.map(|(_, endpoints)| *endpoints).ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            format!("the dialect {} is not spoken here", dialect.as_str()),
        )
    })
}

/// Adds the endpoints that programs call.
pub(crate) type Personality = for<'a> fn(Routes<'a>) -> Routes<'a>;

fn issuer_url(issuer: &str) -> Result<Url, Error> {
    let wrong = |what: &str| Error::new(ErrorKind::Config, format!("issuer {issuer:?}: {what}"));
    let url = Url::parse(issuer).map_err(|error| wrong("not a URL").with_source(error))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("must be an http or https URL"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("must not have a query or a fragment"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must not have user info"));
    }
    let plain = |segment: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        !segment.is_empty() && segment.chars().all(known)
    };
    // The router mounts at this path; the issuer must spell it just so, for endpoint URLs begin with the issuer.
    let spelt = issuer.split_once("://").map_or("", |(_, rest)| rest);
    let spelt = spelt
        .find('/')
        .and_then(|slash| spelt.get(slash..))
        .unwrap_or("/");
    let path = spelt.strip_suffix('/').unwrap_or(spelt);
    if spelt != url.path() || !path.split('/').skip(1).all(plain) {
        return Err(wrong("the path may have letters, digits and -._~ only"));
    }
    Ok(url)
}

pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        let message = format!(
            "{what} name {name:?}: must have 1 to {MAX_NAME} bytes and no control characters"
        );
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(())
}

/// A client that is known to the AM without registering itself. Without further words it may use every grant type.
#[derive(Clone)]
#[must_use]
pub struct ClientSpec {
    id: String,
    secret: Option<String>,
    metadata: ClientMetadata,
}

impl ClientSpec {
    /// A public client, until it gets a [secret](Self::secret).
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            secret: None,
            metadata: ClientMetadata::default(),
        }
    }

    /// Makes it a confidential client.
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// The name that pages show. Default: the client id.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.metadata.client_name = Some(name.into());
        self
    }

    /// Adds a redirect URI for the authorization code grant; it is compared exactly.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.metadata.redirect_uris.push(uri.into());
        self
    }

    /// Adds a redirect URI for the claims interaction; it is compared exactly.
    pub fn claims_redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.metadata.claims_redirect_uris.push(uri.into());
        self
    }

    /// The scopes that the client registers, separated by blanks: only these it can ask for in the `scope` parameter.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.metadata.scope = Some(scope.into());
        self
    }

    /// Allows only these grant types.
    pub fn grant_types<T: Into<String>>(
        mut self,
        grant_types: impl IntoIterator<Item = T>,
    ) -> Self {
        self.metadata.grant_types = grant_types.into_iter().map(Into::into).collect();
        self
    }

    pub(crate) fn into_client(mut self) -> Result<Client, Error> {
        check_name("client", &self.id)?;
        if self.metadata.grant_types.is_empty() {
            self.metadata.grant_types = GRANT_TYPES.map(str::to_owned).into();
            if self.metadata.redirect_uris.is_empty() {
                self.metadata
                    .grant_types
                    .retain(|grant| grant != "authorization_code");
            }
        }
        let method = if self.secret.is_some() {
            "client_secret_basic"
        } else {
            "none"
        };
        self.metadata.token_endpoint_auth_method = Some(method.to_owned());
        let metadata = register::checked(self.metadata).map_err(|error| {
            let message = format!("client {:?}: {}", self.id, error.description());
            Error::new(ErrorKind::Config, message)
        })?;
        Ok(Client {
            id: self.id,
            secret: self.secret,
            registration_digest: None,
            preregistered: true,
            metadata,
        })
    }
}

impl fmt::Debug for ClientSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSpec")
            .field("id", &self.id)
            .field("secret", &self.secret.as_ref().map(|_| "[redacted]"))
            .field("metadata", &self.metadata)
            .finish()
    }
}
