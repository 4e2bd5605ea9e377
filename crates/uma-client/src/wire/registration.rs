use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::secret::Secret;

/// What a client says about itself when it registers (RFC 7591 section 2, UMA 2.0 Grant section 2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ClientMetadata {
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// The client's home page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Where authorization responses may go, compared exactly.
    #[serde(
        default,
        deserialize_with = "super::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub redirect_uris: Vec<String>,
    /// Grant types that the client will use.
    #[serde(
        default,
        deserialize_with = "super::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub grant_types: Vec<String>,
    /// Response types that the client will use.
    #[serde(
        default,
        deserialize_with = "super::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub response_types: Vec<String>,
    /// How the client authenticates: `client_secret_basic`, `client_secret_post`, `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_method: Option<String>,
    /// Scopes that the client may ask for, with blanks between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Which software this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// Which version of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// Where claims interaction may come back to (UMA 2.0 Grant section 2), compared exactly.
    #[serde(
        default,
        deserialize_with = "super::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub claims_redirect_uris: Vec<String>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The AM's answer to a registration (RFC 7591 section 3.2.1, RFC 7592 section 3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ClientInformation {
    /// The client's id at this AM.
    pub client_id: String,
    /// Its secret.
    #[serde(
        default,
        with = "super::secret::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub client_secret: Option<Secret>,
    /// When the secret dies, in seconds since 1970; 0 is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_expires_at: Option<u64>,
    /// The token for the client's own registration.
    #[serde(
        default,
        with = "super::secret::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub registration_access_token: Option<Secret>,
    /// Where that registration is read, changed and deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_client_uri: Option<String>,
    /// What was registered.
    #[serde(flatten)]
    pub metadata: ClientMetadata,
}
