//! The bodies of the UMA core draft 03 (February 2012), member for member, with the media types that name them.
//!
//! A ticket is a [`TicketResponse`](crate::wire::TicketResponse) of
//! [`media::PERMISSION_TICKET`].
#![allow(
    clippy::exhaustive_structs,
    reason = "wire types mirror a published format, and both sides build them"
)]

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::secret::Secret;

/// The media types of the draft.
///
/// They are sent as they stand here; `application/json` and any `application/…+json` is read in their place, as later drafts
/// and AMs do.
pub mod media {
    /// The token that a ticket was exchanged for: [`AccessToken`](super::AccessToken).
    pub const ACCESS_TOKEN: &str = "application/uma-access-token+json";
    /// The metadata document: [`Configuration`](super::Configuration).
    pub const CONFIGURATION: &str = "application/uma-configuration+json";
    /// A ticket.
    pub const PERMISSION_TICKET: &str = "application/uma-permission-ticket+json";
    /// What a host asks a ticket for: [`RequestedPermission`](super::RequestedPermission).
    pub const REQUESTED_PERMISSION: &str = "application/uma-requested-permission+json";
    /// A resource set: [`ResourceSet`](super::ResourceSet).
    pub const RESOURCE_SET: &str = "application/uma-resource-set+json";
    /// A scope document: [`ScopeDocument`](super::ScopeDocument).
    pub const SCOPE: &str = "application/uma-scope+json";
    /// How a registration ended: [`Status`](super::Status), [`ErrorStatus`](super::ErrorStatus).
    pub const STATUS: &str = "application/uma-status+json";
    /// What a token is worth: [`GrantedPermission`](super::GrantedPermission)s or [`InvalidToken`](super::InvalidToken).
    pub const TOKEN_STATUS: &str = "application/uma-token-status+json";
}

/// The only `version` of a [`Configuration`].
pub const VERSION: &str = "1.0";
/// The token type that `token_types_supported` has to hold.
pub const TOKEN_TYPE: &str = "artifact";

/// The metadata document of an AM, `/.well-known/uma-configuration`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Configuration {
    /// [`VERSION`].
    pub version: String,
    /// The AM.
    pub issuer: String,
    /// `yes` or `no`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynamic_client_registration_supported: Option<String>,
    /// Where clients register. Not in the draft; the SMART AM has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_dynamic_registration_endpoint: Option<String>,
    /// Kinds of requester tokens; [`TOKEN_TYPE`] has to be among them.
    pub token_types_supported: Vec<String>,
    /// Grant types by which a host gets its token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_grant_types_supported: Vec<String>,
    /// Kinds of claims that the AM takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claim_types_supported: Vec<String>,
    /// Where a host gets its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_token_endpoint: Option<String>,
    /// Where an owner lets a host act for her.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_user_endpoint: Option<String>,
    /// What resource sets lie below, at `/resource_set`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_set_registration_endpoint: Option<String>,
    /// Where a host asks what a token is worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_status_endpoint: Option<String>,
    /// Where a host asks for a ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_registration_endpoint: Option<String>,
    /// Where a requester gets its own token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester_token_endpoint: Option<String>,
    /// Where a requester exchanges a ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_request_endpoint: Option<String>,
}

/// A resource set as the host describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ResourceSet {
    /// A name for people.
    pub name: String,
    /// An icon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon_uri: Option<String>,
    /// The URLs of the scopes' documents.
    pub scopes: Vec<String>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A resource set as the AM has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct RegisteredSet {
    /// The id, as the host chose it.
    #[serde(rename = "_id", default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The revision.
    #[serde(
        rename = "_rev",
        default,
        deserialize_with = "revision::deserialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub rev: Option<String>,
    /// Where the owner sets her policies for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// The description.
    #[serde(flatten)]
    pub description: ResourceSet,
}

/// How a registration ended well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Status {
    /// `created` or `updated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The id, as the host chose it.
    #[serde(rename = "_id", default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The revision.
    #[serde(
        rename = "_rev",
        default,
        deserialize_with = "revision::deserialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub rev: Option<String>,
    /// Where the owner sets her policies for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
}

/// How a call ended badly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ErrorStatus {
    /// `error`.
    pub status: String,
    /// The error code.
    pub error: String,
    /// Text for developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
    /// A page about the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_uri: Option<String>,
}

/// What a host asks about a token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct TokenStatusRequest {
    /// The requester's token.
    #[serde(with = "crate::wire::secret")]
    pub token: Secret,
    /// The resource set that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_set_id: Option<String>,
    /// The host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_id: Option<String>,
    /// Where the request came from; advisory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipaddr: Option<String>,
}

/// One entry of the array that a good token is answered with. The array may be empty: good, and permitting nothing here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct GrantedPermission {
    /// The resource set.
    pub resource_set_id: String,
    /// The granted scopes.
    pub scopes: Vec<String>,
    /// When the permission ends, in seconds since 1970. Required.
    pub exp: i64,
    /// Everything else. With it an entry is read from an object alone, never from an array of values.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The object that any other token is answered with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct InvalidToken {
    /// `invalid`.
    pub token_status: String,
}

impl Default for InvalidToken {
    fn default() -> Self {
        Self {
            token_status: "invalid".to_owned(),
        }
    }
}

/// What a host asks a ticket for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct RequestedPermission {
    /// The resource set.
    pub resource_set_id: String,
    /// Scopes of that set, at least one.
    pub scopes: Vec<String>,
}

/// What a ticket is exchanged for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct AccessToken {
    /// The token.
    #[serde(with = "crate::wire::secret")]
    pub token: Secret,
}

/// The document behind the URL of a scope. An AM of 2012 tries to fetch it when a resource set names the scope.
///
/// ```
/// use uma_client::wire::draft03::ScopeDocument;
///
/// let response = ScopeDocument::new("View").with_icon_uri("https://host.example/view.png").to_response()?;
/// assert_eq!(response.headers()["content-type"], "application/uma-scope+json");
/// assert_eq!(response.body(), r#"{"name":"View","icon_uri":"https://host.example/view.png"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ScopeDocument {
    /// What the scope is called for people.
    pub name: String,
    /// An icon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon_uri: Option<String>,
}

impl ScopeDocument {
    /// A document with a name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            icon_uri: None,
        }
    }

    /// Adds an icon.
    #[must_use]
    pub fn with_icon_uri(mut self, uri: impl Into<String>) -> Self {
        self.icon_uri = Some(uri.into());
        self
    }

    /// The answer to a GET of the scope's URL: 200, the draft's media type, good for an hour. The document is for everybody;
    /// let it be fetched without a token.
    ///
    /// # Errors
    /// If it cannot be written as JSON, which does not happen.
    pub fn to_response(&self) -> Result<Response<Bytes>, serde_json::Error> {
        let mut response = Response::new(Bytes::from(serde_json::to_vec(self)?));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media::SCOPE));
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=3600"),
        );
        Ok(response)
    }
}

/// A revision as a string, or as the integer that some AMs count.
mod revision {
    use serde::{Deserialize, Deserializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Revision {
        Text(String),
        Number(u64),
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<String>, D::Error> {
        Ok(
            Option::<Revision>::deserialize(deserializer)?.map(|revision| match revision {
                Revision::Text(text) => text,
                Revision::Number(number) => number.to_string(),
            }),
        )
    }
}
