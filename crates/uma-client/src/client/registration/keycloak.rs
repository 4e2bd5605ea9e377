//! Keycloak's own form of a registration: its client representation, at the provider `default`.

use bytes::Bytes;
use http::header::LOCATION;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::answer::{self, Credential};
use crate::client::{AmClient, expect};
use crate::error::Error;
use crate::secret::Secret;
use crate::wire::{ClientInformation, ClientMetadata};

/// The role by which a user's token becomes a PAT.
const PAT_ROLE: &str = "uma_protection";

/// A client as the host asks for it. A resource server, whose PAT role all users get.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_url: Option<&'a str>,
    redirect_uris: &'a [String],
    public_client: bool,
    standard_flow_enabled: bool,
    direct_access_grants_enabled: bool,
    service_accounts_enabled: bool,
    authorization_services_enabled: bool,
    default_roles: [&'static str; 1],
}

impl<'a> Asked<'a> {
    /// What is asked for, for a client that is registered already if it has an id.
    pub(super) fn new(metadata: &'a ClientMetadata, client_id: Option<&'a str>) -> Self {
        Self {
            client_id,
            name: metadata.client_name.as_deref(),
            base_url: metadata.client_uri.as_deref(),
            redirect_uris: &metadata.redirect_uris,
            public_client: false,
            standard_flow_enabled: true,
            direct_access_grants_enabled: false,
            service_accounts_enabled: true,
            authorization_services_enabled: true,
            default_roles: [PAT_ROLE],
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Representation {
    client_id: String,
    name: Option<String>,
    secret: Option<String>,
    registration_access_token: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
}

/// The provider `default` beside the provider that the metadata name.
pub(super) fn endpoint(registration: &Url) -> Url {
    let mut url = registration.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().pop().push("default");
    }
    url
}

/// Reads the answer. `url` is where the request went; `asked` what it asked for, if anything.
pub(super) fn information(
    client: &AmClient,
    response: &Response<Bytes>,
    url: &Url,
    asked: Option<&ClientMetadata>,
) -> Result<ClientInformation, Error> {
    let due = [StatusCode::CREATED, StatusCode::OK];
    let got: Representation = expect(client.profile(), Credential::Other, &due, response)?;
    let location = response.headers().get(LOCATION);
    let uri = match location.map(|value| value.to_str()) {
        Some(Ok(location)) => location.to_owned(),
        Some(Err(_)) => return Err(answer::unexpected_status(response)),
        None => url.as_str().to_owned(),
    };
    Ok(ClientInformation {
        client_id: got.client_id,
        client_secret: got.secret.map(Secret::new),
        client_secret_expires_at: None,
        registration_access_token: got.registration_access_token.map(Secret::new),
        registration_client_uri: Some(uri),
        metadata: ClientMetadata {
            client_name: got.name,
            redirect_uris: got.redirect_uris,
            token_endpoint_auth_method: Some("client_secret_basic".to_owned()),
            grant_types: asked.map_or_else(Vec::new, |asked| asked.grant_types.clone()),
            response_types: asked.map_or_else(Vec::new, |asked| asked.response_types.clone()),
            ..ClientMetadata::default()
        },
    })
}
