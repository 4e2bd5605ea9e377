//! The steps. What differs from the profile so far changes it, and the step is tried again.

use uma_client::wire::{ClientMetadata, Metadata};
use uma_client::{
    AmClient, AmProfile, ClientCredentials, Error, ErrorKind, Issuer, Pat, PatDead, Registration,
    Secret,
};

use crate::report::{Finding, Mark};

mod resource;
mod tokens;

const SCOPES: [&str; 2] = ["view", "edit"];
/// Nobody's token.
const NO_TOKEN: &str = "am-doctor-made-this-up";

/// An AM, and what was found out about it.
pub(crate) struct Examination {
    issuer: Issuer,
    insecure: bool,
    named: Option<AmProfile>,
    profile: AmProfile,
    credentials: Option<ClientCredentials>,
    registration: Option<Registration>,
    findings: Vec<Finding>,
    expects_live: bool,
    complete: bool,
}

impl Examination {
    pub(crate) fn new(issuer: Issuer, insecure: bool, named: Option<AmProfile>) -> Self {
        Self {
            issuer,
            insecure,
            profile: named.clone().unwrap_or_default(),
            named,
            credentials: None,
            registration: None,
            findings: Vec::new(),
            expects_live: false,
            complete: false,
        }
    }

    /// All steps, as far as they lead.
    pub(crate) async fn run(
        &mut self,
        credentials: Option<ClientCredentials>,
        initial_access_token: Option<Secret>,
    ) {
        let Some(metadata) = self.discover().await else {
            return;
        };
        self.credentials = credentials;
        if self.credentials.is_none() && !self.register_client(initial_access_token).await {
            return;
        }
        let Some(pat) = self.pat().await else { return };
        self.dead_pat().await;
        let Some(id) = self.register(&pat).await else {
            return;
        };
        self.read(&pat, &id).await;
        self.list(&pat, &id).await;
        self.ticket(&pat, &id).await;
        self.introspect(&pat).await;
        self.live(&id).await;
        self.delete(&pat, &id).await;
        self.owners(&metadata);
        self.complete = true;
    }

    /// Deletes the client that was registered; what was found.
    pub(crate) async fn end(mut self) -> (Vec<Finding>, Option<AmProfile>) {
        if let Some(registration) = self.registration.take() {
            let deleted = match self.am() {
                Ok(am) => am.delete_registration(&registration).await,
                Err(error) => Err(error),
            };
            match deleted {
                Ok(()) => self.good("clean up", "the client that was registered is deleted"),
                Err(error) => self.bad("clean up", &error),
            }
        }
        let profile = self.complete.then_some(self.profile);
        (self.findings, profile)
    }

    /// A client of the AM, by the profile so far.
    fn am(&self) -> Result<AmClient, Error> {
        let mut am = AmClient::builder(self.issuer.clone()).profile(self.profile.clone());
        if self.insecure {
            am = am.allow_insecure_http();
        }
        if let Some(credentials) = &self.credentials {
            am = am.credentials(credentials.clone());
        }
        am.build()
    }

    fn good(&mut self, step: &'static str, said: impl Into<String>) {
        self.findings.push(Finding::new(step, Mark::Good, said));
    }

    fn different(&mut self, step: &'static str, said: impl Into<String>) {
        self.findings
            .push(Finding::new(step, Mark::Different, said));
    }

    fn bad(&mut self, step: &'static str, error: &Error) {
        self.findings.push(Finding::bad(step, error));
    }

    /// A client of the AM, or a finding that there can be none.
    fn client(&mut self, step: &'static str) -> Option<AmClient> {
        let am = self.am();
        self.found(step, am)
    }

    /// The value, or a finding that it could not be had.
    fn found<T>(&mut self, step: &'static str, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.bad(step, &error)).ok()
    }

    async fn discover(&mut self) -> Option<Metadata> {
        const STEP: &str = "discovery";
        let am = self.client(STEP)?;
        let metadata = self.found(STEP, am.metadata().await)?;
        let recognised = AmProfile::recognise(&metadata);
        self.expects_live = [recognised.as_ref(), self.named.as_ref()]
            .iter()
            .any(|profile| profile.is_some_and(|profile| profile.live_decision));
        match (recognised, &self.named) {
            (Some(profile), None) => {
                self.different(STEP, format!("the metadata are those of {}", profile.name));
                self.profile = profile;
            }
            (Some(profile), Some(named)) if profile.name != named.name => {
                let said = format!(
                    "the metadata are those of {}, but {} was named",
                    profile.name, named.name
                );
                self.different(STEP, said);
            }
            _ => self.good(STEP, "the issuer is as it was named"),
        }
        // A profile may read a second document.
        let am = self.client(STEP)?;
        let metadata = self.found(STEP, am.metadata().await)?;
        let endpoints = [
            ("token_endpoint", metadata.token_endpoint.is_some()),
            (
                "permission_endpoint",
                metadata.permission_endpoint.is_some(),
            ),
            (
                "resource_registration_endpoint",
                metadata.resource_registration_endpoint.is_some(),
            ),
            ("introspection_endpoint", metadata.introspection().is_some()),
        ];
        let missing: Vec<&str> = endpoints
            .iter()
            .filter(|(_, there)| !there)
            .map(|(name, _)| *name)
            .collect();
        if missing.is_empty() {
            return Some(Metadata::clone(&metadata));
        }
        let said = format!(
            "the metadata lack {}: this is no UMA 2.0 AM, or its federated authorization is off",
            missing.join(", ")
        );
        self.findings.push(Finding::new(STEP, Mark::Bad, said));
        None
    }

    async fn register_client(&mut self, token: Option<Secret>) -> bool {
        const STEP: &str = "register client";
        let asked = ClientMetadata {
            client_name: Some("am-doctor".to_owned()),
            redirect_uris: vec!["http://127.0.0.1/am-doctor".to_owned()],
            grant_types: vec!["authorization_code".into(), "client_credentials".into()],
            response_types: vec!["code".to_owned()],
            token_endpoint_auth_method: Some("client_secret_basic".to_owned()),
            ..ClientMetadata::default()
        };
        let Some(am) = self.client(STEP) else {
            return false;
        };
        let registered = am.register(&asked, token.as_ref()).await;
        let Some(registration) = self.found(STEP, registered) else {
            return false;
        };
        self.credentials = Some(registration.credentials.clone());
        self.registration = Some(registration);
        self.good(STEP, "a host can register itself");
        true
    }

    async fn pat(&mut self) -> Option<Pat> {
        const STEP: &str = "PAT";
        let am = self.client(STEP)?;
        let mut tokens = am.client_credentials().await;
        if let Err(error) = &tokens
            && error.kind() == ErrorKind::InvalidScope
            && self.profile.pat_scope.is_some()
        {
            self.different(
                STEP,
                "the scope `uma_protection` is not known: none is asked for",
            );
            self.profile.pat_scope = None;
            let am = self.client(STEP)?;
            tokens = am.client_credentials().await;
        }
        let tokens = self.found(STEP, tokens)?;
        let life = tokens.expires_in.map_or_else(
            || "of unknown life".to_owned(),
            |life| format!("good for {} s", life.as_secs()),
        );
        let refreshed = if tokens.refresh_token.is_some() {
            "with a refresh token"
        } else {
            "without a refresh token"
        };
        self.good(STEP, format!("by client credentials, {life}, {refreshed}"));
        Some(Pat::new(tokens.access_token))
    }

    async fn dead_pat(&mut self) {
        const STEP: &str = "dead PAT";
        let Some(am) = self.client(STEP) else { return };
        let Err(error) = am.list_resources(&Pat::new(NO_TOKEN)).await else {
            let said = "a made-up PAT is accepted: the protection API is open to everybody";
            return self.findings.push(Finding::new(STEP, Mark::Bad, said));
        };
        let Some(status) = error.status() else {
            return self.bad(STEP, &error);
        };
        let code = error.code().map(str::to_owned);
        let said = format!(
            "is told by {} {}",
            status.as_u16(),
            code.as_deref().unwrap_or("")
        );
        if error.kind() == ErrorKind::PatDead {
            return self.good(STEP, said.trim_end());
        }
        let dead = match code {
            Some(code) => PatDead::code(status, code),
            None => PatDead::status(status),
        };
        self.profile.pat_dead = vec![dead];
        self.different(STEP, said.trim_end());
    }

    /// What owners' own PATs need; a browser would have to be there to try.
    fn owners(&mut self, metadata: &Metadata) {
        const STEP: &str = "owners' PATs";
        let methods = &metadata.code_challenge_methods_supported;
        let pkce = methods.is_empty() || methods.iter().any(|method| method == "S256");
        if metadata.authorization_endpoint.is_none() || !pkce {
            let said = "no authorization endpoint, or no PKCE S256: owners can't consent here";
            self.findings.push(Finding::new(STEP, Mark::Bad, said));
        } else if metadata.promises_iss() {
            self.good(
                STEP,
                "code flow with PKCE S256, and `iss` comes back (not tried)",
            );
        } else {
            self.good(STEP, "code flow with PKCE S256 (not tried)");
        }
    }
}
