use serde::{Deserialize, Serialize};

use crate::secret::Secret;

use super::object::object_only;

/// The answer of the token endpoint (RFC 6749 section 5.1, UMA 2.0 Grant section 3.3.5).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct TokenResponse {
    /// The access token: a PAT or an RPT.
    #[serde(with = "super::secret")]
    pub access_token: Secret,
    /// Its type; `Bearer` in any case is what this crate can use.
    pub token_type: String,
    /// Its life in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    /// A refresh token.
    #[serde(
        default,
        with = "super::secret::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub refresh_token: Option<Secret>,
    /// The refresh token's life in seconds, where the AM says it (not in RFC 6749); 0 is taken for "not said".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_expires_in: Option<u64>,
    /// The granted scopes, with blanks between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// A persisted claims token (UMA 2.0 Grant section 3.3.3).
    #[serde(
        default,
        with = "super::secret::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub pct: Option<Secret>,
    /// Whether an RPT that was sent along lives on in this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgraded: Option<bool>,
}

impl TokenResponse {
    /// A bearer token of which nothing more is said.
    pub fn bearer(access_token: impl Into<Secret>) -> Self {
        Self {
            access_token: access_token.into(),
            token_type: "Bearer".to_owned(),
            expires_in: None,
            refresh_token: None,
            refresh_expires_in: None,
            scope: None,
            pct: None,
            upgraded: None,
        }
    }
}

/// The body of a refusal, of all endpoints (RFC 6749 section 5.2, UMA 2.0 Grant section 3.3.6, UMA Federated Authorization
/// 1.0 section 6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct ErrorBody {
    /// The error code; an AM may leave it out where the status says enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Text for developers. Never shown to users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
    /// A page about the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_uri: Option<String>,
    /// The new ticket (`need_info`, `request_submitted`).
    #[serde(
        default,
        with = "super::secret::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub ticket: Option<Secret>,
    /// Seconds between polls (`request_submitted`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<u64>,
    /// Claims that the AM wants (`need_info`).
    #[serde(
        default,
        deserialize_with = "super::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub required_claims: Vec<RequiredClaim>,
    /// Where to send the requesting party (`need_info`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_user: Option<String>,
}

/// A claim that the AM wants (UMA 2.0 Grant section 3.3.6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct RequiredClaim {
    /// Formats that would do.
    #[serde(
        default,
        deserialize_with = "super::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub claim_token_format: Vec<String>,
    /// The expected type of the claim's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_type: Option<String>,
    /// The claim's name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friendly_name: Option<String>,
    /// Issuers that would do.
    #[serde(
        default,
        deserialize_with = "super::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub issuer: Vec<String>,
    /// The claim's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

object_only!(TokenResponse);
object_only!(ErrorBody);
