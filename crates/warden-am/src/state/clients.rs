//! Registered clients: hosts and requesters.

use serde::{Deserialize, Serialize};
use uma_client::wire::ClientMetadata;

use super::State;
use crate::secrets;

pub(crate) const AUTHORIZATION_CODE: &str = "authorization_code";
pub(crate) const CLIENT_CREDENTIALS: &str = "client_credentials";
pub(crate) const REFRESH_TOKEN: &str = "refresh_token";
pub(crate) const UMA_TICKET: &str = "urn:ietf:params:oauth:grant-type:uma-ticket";
pub(crate) const GRANT_TYPES: [&str; 4] = [
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    REFRESH_TOKEN,
    UMA_TICKET,
];
pub(crate) const AUTH_METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "none"];

/// The scope that makes an access token a PAT (UMA Federated Authorization section 1.3).
pub(crate) const PROTECTION_SCOPE: &str = "uma_protection";
/// With this scope the code grant also answers with a sign-in token for the requesting party.
pub(crate) const OPENID_SCOPE: &str = "openid";
pub(crate) const OAUTH_SCOPES: [&str; 2] = [PROTECTION_SCOPE, OPENID_SCOPE];

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Client {
    pub(crate) id: String,
    /// `None`: a public client.
    pub(crate) secret: Option<String>,
    pub(crate) registration_digest: Option<String>,
    pub(crate) preregistered: bool,
    pub(crate) metadata: ClientMetadata,
}

impl Client {
    /// The name that pages show.
    pub(crate) fn display_name(&self) -> &str {
        self.metadata.client_name.as_deref().unwrap_or(&self.id)
    }

    pub(crate) fn may_use(&self, grant_type: &str) -> bool {
        self.metadata
            .grant_types
            .iter()
            .any(|known| known == grant_type)
    }

    pub(crate) fn is_public(&self) -> bool {
        self.secret.is_none()
    }

    pub(crate) fn has_secret(&self, secret: &str) -> bool {
        self.secret
            .as_deref()
            .is_some_and(|own| secrets::same(own, secret))
    }

    pub(crate) fn has_registration_token(&self, token: &str) -> bool {
        self.registration_digest
            .as_deref()
            .is_some_and(|own| secrets::same(own, &secrets::digest(token)))
    }

    /// True when the client registered this scope.
    pub(crate) fn registered_scope(&self, scope: &str) -> bool {
        self.metadata
            .scope
            .as_deref()
            .is_some_and(|list| list.split(' ').any(|known| known == scope))
    }

    /// The OAuth scopes that a request gets: those asked for, else those registered; `Err` names one that is not to be had.
    pub(crate) fn oauth_scopes(&self, asked: Option<&str>) -> Result<Vec<String>, String> {
        let known = |scope: &str| OAUTH_SCOPES.contains(&scope);
        let Some(asked) = asked else {
            let registered = self.metadata.scope.as_deref().unwrap_or_default();
            return Ok(split_scope(registered)
                .filter(|scope| known(scope))
                .map(str::to_owned)
                .collect());
        };
        let mut scopes: Vec<String> = Vec::new();
        for scope in split_scope(asked) {
            let registered = self.metadata.scope.is_none() || self.registered_scope(scope);
            if !known(scope) || !registered {
                return Err(scope.to_owned());
            }
            if !scopes.iter().any(|have| have == scope) {
                scopes.push(scope.to_owned());
            }
        }
        Ok(scopes)
    }
}

pub(crate) fn split_scope(scope: &str) -> impl Iterator<Item = &str> {
    scope.split(' ').filter(|part| !part.is_empty())
}

impl State {
    /// Removes a client and all that it holds: tokens, codes, and as a host its resources.
    pub(crate) fn remove_client(&mut self, id: &str) {
        self.clients.remove(id);
        self.codes.retain(|code| code.client_id != id);
        self.access_tokens.retain(|token| token.client_id != id);
        self.refresh_tokens.retain(|token| token.client_id != id);
        self.rpts
            .retain(|rpt| rpt.client_id != id && rpt.host != id);
        self.pcts.retain(|pct| pct.client_id != id);
        self.claim_tokens.retain(|token| token.client_id != id);
        let gone: Vec<String> = self
            .resources
            .values()
            .filter(|resource| resource.host == id)
            .map(|resource| resource.id.clone())
            .collect();
        for resource in gone {
            self.remove_resource(&resource);
        }
    }
}
