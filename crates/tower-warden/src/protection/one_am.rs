//! Protection by a single AM, for which the host speaks with its own credentials.

use std::sync::Arc;

use uma_client::wire::ResourceDescription;
use uma_client::{
    AmClient, AmClientBuilder, AmProfile, ClientCredentials, Clock, Dialect, Error, ErrorKind,
    Http, Issuer, MemoryPatStore, PatGrant, PatKeeper, PermissionOutcome, SystemClock,
};

use super::{Credential, Evidence, Protection, ProtectionError, Rpt};
use crate::{Am, Audience, CanonicalPath, MethodScopes, OwnerId, Requirements, ResourceMap};

/// [`Protection`] by one AM, where the host's client credentials give the PAT: for services whose data is all under one
/// authority. Clones share the PAT.
///
/// Hosts whose owners choose their own AMs use the crate `warden-host`.
#[derive(Debug, Clone)]
pub struct OneAm {
    client: AmClient,
    pats: PatKeeper,
    am: Arc<Am>,
}

impl OneAm {
    /// Begins with the AM's issuer and the host's credentials there.
    pub fn builder(issuer: Issuer, credentials: ClientCredentials) -> OneAmBuilder {
        OneAmBuilder {
            audience: Audience::Expect(credentials.client_id.clone()),
            name: None,
            client: AmClient::builder(issuer).credentials(credentials),
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// What maps say of this AM.
    #[must_use]
    pub fn am(&self) -> &Arc<Am> {
        &self.am
    }

    /// The client that speaks to the AM.
    #[must_use]
    pub fn client(&self) -> &AmClient {
        &self.client
    }

    /// Registers a resource with the scopes of the default [`MethodScopes`], and gives the map of it.
    ///
    /// # Errors
    ///
    /// That of the AM or of the way there.
    pub async fn register(
        &self,
        path: CanonicalPath<'_>,
        owner: OwnerId,
        name: &str,
    ) -> Result<ResourceMap, Error> {
        let scopes = MethodScopes::default()
            .all()
            .ok_or_else(|| Error::new(ErrorKind::Config, "the default verbs need no scopes"))?;
        let description = ResourceDescription::new(scopes.to_strings()).with_name(name);
        let description = &description;
        let create = |pat| async move { self.client.create_resource(&pat, description).await };
        let registered = self.pats.call(create).await?;
        Ok(ResourceMap::new(
            path,
            owner,
            self.am.clone(),
            registered.id,
            scopes,
        ))
    }
}

impl Protection for OneAm {
    async fn verify(&self, _: &Requirements, rpt: &Rpt) -> Result<Evidence, ProtectionError> {
        let introspect = |pat| async move { self.client.introspect(&pat, rpt.secret()).await };
        let introspection = self.pats.call(introspect).await?;
        Ok(Evidence::from_introspection(introspection))
    }

    async fn request_permission(
        &self,
        requirements: &Requirements,
    ) -> Result<PermissionOutcome, ProtectionError> {
        let wanted = &requirements.to_permission_requests();
        let ask = |pat| async move { self.client.request_permission(&pat, wanted).await };
        Ok(self.pats.call(ask).await?)
    }

    fn credential(&self, _: &Requirements) -> Credential {
        Credential::Host
    }
}

/// Builds a [`OneAm`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct OneAmBuilder {
    client: AmClientBuilder,
    audience: Audience,
    name: Option<String>,
    clock: Arc<dyn Clock>,
}

impl OneAmBuilder {
    /// Sets how the AM differs within its dialect; strict UMA 2.0 by default.
    pub fn profile(mut self, profile: AmProfile) -> Self {
        self.client = self.client.profile(profile);
        self
    }

    /// Sets the dialect that the AM speaks.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.client = self.client.dialect(dialect);
        self
    }

    /// Sets the audience that the AM's answers must name: the client id by default.
    pub fn audience(mut self, audience: Audience) -> Self {
        self.audience = audience;
        self
    }

    /// Gives the AM a short name for events and metrics: its issuer by default.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Allows an AM without TLS. For development only.
    pub fn allow_insecure_http(mut self) -> Self {
        self.client = self.client.allow_insecure_http();
        self
    }

    /// Sets the transport.
    pub fn http(mut self, http: Http) -> Self {
        self.client = self.client.http(http);
        self
    }

    /// Sets the clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.client = self.client.clock(clock.clone());
        self.clock = clock;
        self
    }

    /// Builds it. Nothing is asked of the AM yet.
    ///
    /// # Errors
    ///
    /// If the issuer is not https and that was not allowed, or there is no transport.
    pub fn build(self) -> Result<OneAm, Error> {
        let client = self.client.build()?;
        let mut am = Am::new(client.issuer().clone(), self.audience).with_dialect(client.dialect());
        if let Some(name) = self.name {
            am = am.with_name(name);
        }
        let pats = PatKeeper::new(
            client.clone(),
            PatGrant::ClientCredentials,
            MemoryPatStore::default(),
            self.clock,
        );
        Ok(OneAm {
            client,
            pats,
            am: Arc::new(am),
        })
    }
}
