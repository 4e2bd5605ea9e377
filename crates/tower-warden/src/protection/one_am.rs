//! Protection by a single AM, for which the host speaks with its own credentials.

use std::sync::Arc;

use uma_client::wire::ResourceDescription;
use uma_client::{
    AmClient, AmClientBuilder, AmProfile, ClientCredentials, Clock, Dialect, Error, ErrorKind,
    Http, IntrospectionAuth, IntrospectionCredential, Issuer, MemoryPatStore, PatGrant, PatKeeper,
    PermissionOutcome, ResourceId, SystemClock,
};

use super::{Credential, Evidence, LiveDecisions, Protection, ProtectionError, Rpt};
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
    live: LiveDecisions,
}

impl OneAm {
    /// Begins with the AM's issuer and the host's credentials there.
    pub fn builder(issuer: Issuer, credentials: ClientCredentials) -> OneAmBuilder {
        OneAmBuilder {
            audience: Audience::Expect(credentials.client_id.clone()),
            name: None,
            live: LiveDecisions::never(),
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

    /// Registers a resource with the scopes of the default [`MethodScopes`], and gives the map of it. At an AM where the
    /// host has a resource of that name already, as from an earlier start, that one is taken: names are unique.
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
        let id = match self.pats.call(create).await {
            Ok(registered) => registered.id,
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.adopt(description, name).await?.ok_or(error)?
            }
            Err(error) => return Err(error),
        };
        // What was read once by its host stays known: some AMs forget others for a while.
        let id = &id;
        let read = |pat| async move { self.client.read_resource(&pat, id).await };
        let read = self.pats.call(read).await?;
        Ok(ResourceMap::new(
            path,
            owner,
            self.am.clone(),
            read.id,
            scopes,
        ))
    }

    /// The host's resource of a name, brought to what is described.
    async fn adopt(
        &self,
        description: &ResourceDescription,
        name: &str,
    ) -> Result<Option<ResourceId>, Error> {
        let find = |pat| async move { self.client.find_resource(&pat, name).await };
        let Some(id) = self.pats.call(find).await? else {
            return Ok(None);
        };
        let (client, found) = (&self.client, &id);
        let update = |pat| async move { client.update_resource(&pat, found, description).await };
        self.pats.call(update).await?;
        Ok(Some(id))
    }
}

impl Protection for OneAm {
    async fn verify(&self, _: &Requirements, rpt: &Rpt) -> Result<Evidence, ProtectionError> {
        let client = &self.client;
        let introspection = match client.profile().introspection_auth {
            IntrospectionAuth::Pat => {
                let ask = |pat| async move { client.introspect(&pat, rpt.secret()).await };
                self.pats.call(ask).await?
            }
            _ => {
                client
                    .introspect(IntrospectionCredential::Client, rpt.secret())
                    .await?
            }
        };
        let evidence = Evidence::from_introspection(introspection);
        Ok(self.live.confirm(client, rpt, evidence).await?)
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
    live: LiveDecisions,
    clock: Arc<dyn Clock>,
}

impl OneAmBuilder {
    /// Sets how the AM differs within its dialect; not at all by default.
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

    /// Has the AM asked on each check of a token what its policies permit now; for no resource by default.
    pub fn live_decisions(mut self, live: LiveDecisions) -> Self {
        self.live = live;
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
    /// If the issuer is not https and that was not allowed, there is no transport, or live decisions are wanted and the
    /// AM's profile has none.
    pub fn build(self) -> Result<OneAm, Error> {
        let client = self.client.build()?;
        if self.live.are_made() && !client.profile().live_decision {
            return Err(Error::new(
                ErrorKind::Config,
                "live decisions are wanted of an AM whose profile has none",
            ));
        }
        let name = self
            .name
            .unwrap_or_else(|| client.issuer().as_str().to_owned());
        let am = Am::new(client.issuer().clone(), self.audience)
            .with_dialect(client.dialect())
            .with_name(name);
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
            live: self.live,
        })
    }
}

#[cfg(test)]
mod tests;
