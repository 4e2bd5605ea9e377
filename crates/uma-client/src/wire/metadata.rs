use serde::{Deserialize, Serialize};

/// The metadata document of an AM: `/.well-known/uma2-configuration` (UMA 2.0 Grant section 2, UMA Federated
/// Authorization 1.0 section 2, RFC 8414 section 2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Metadata {
    /// The AM's issuer; must equal the issuer that was asked, byte for byte.
    pub issuer: String,
    /// Where owners consent (authorization code flow).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// Where tokens are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// Where clients register (RFC 7591).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_endpoint: Option<String>,
    /// Where tokens are introspected (RFC 7662, UMA Federated Authorization 1.0 section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_endpoint: Option<String>,
    /// The older name of `introspection_endpoint`; counts only when that is missing. See [`Metadata::introspection`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_introspection_endpoint: Option<String>,
    /// Where tokens are revoked (RFC 7009).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// The AM's keys (RFC 7517).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Where hosts ask for permission tickets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_endpoint: Option<String>,
    /// Where hosts register resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_registration_endpoint: Option<String>,
    /// Where requesting parties are sent to give claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_interaction_endpoint: Option<String>,
    /// UMA profiles and extensions that the AM offers.
    #[serde(
        default,
        deserialize_with = "super::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub uma_profiles_supported: Vec<String>,
    /// Scopes that may be asked for.
    #[serde(
        default,
        deserialize_with = "super::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub scopes_supported: Vec<String>,
    /// Response types that may be asked for.
    #[serde(
        default,
        deserialize_with = "super::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub response_types_supported: Vec<String>,
    /// Grant types that the token endpoint takes.
    #[serde(
        default,
        deserialize_with = "super::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub grant_types_supported: Vec<String>,
    /// How clients may authenticate at the token endpoint.
    #[serde(
        default,
        deserialize_with = "super::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// How callers may authenticate at the introspection endpoint.
    #[serde(
        default,
        deserialize_with = "super::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// How clients may authenticate at the revocation endpoint.
    #[serde(
        default,
        deserialize_with = "super::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// PKCE methods (RFC 7636).
    #[serde(
        default,
        deserialize_with = "super::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub code_challenge_methods_supported: Vec<String>,
    /// Whether authorization responses carry `iss` (RFC 9207 section 3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_response_iss_parameter_supported: Option<bool>,
    /// Where requesters get a token of their own. Only dialects that have it fill it in; it is not read from this document.
    #[serde(skip)]
    pub requester_token_endpoint: Option<String>,
    /// Where requesters exchange tickets, where that is not the token endpoint. As `requester_token_endpoint`.
    #[serde(skip)]
    pub permission_request_endpoint: Option<String>,
    /// A page for developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_documentation: Option<String>,
}

impl Metadata {
    /// The introspection endpoint under its proper name, else under the older one.
    pub fn introspection(&self) -> Option<&str> {
        self.introspection_endpoint
            .as_deref()
            .or(self.token_introspection_endpoint.as_deref())
    }

    /// Whether a missing `iss` in an authorization response is an error (RFC 9207 section 2.4).
    pub fn promises_iss(&self) -> bool {
        self.authorization_response_iss_parameter_supported == Some(true)
    }

    /// Takes from `other` what is missing here; the issuer stays. For AMs that spread their metadata over two documents.
    pub fn fill_from(&mut self, other: Self) {
        fn one<T>(mine: &mut Option<T>, theirs: Option<T>) {
            if mine.is_none() {
                *mine = theirs;
            }
        }
        fn many(mine: &mut Vec<String>, theirs: Vec<String>) {
            if mine.is_empty() {
                *mine = theirs;
            }
        }
        one(
            &mut self.authorization_endpoint,
            other.authorization_endpoint,
        );
        one(&mut self.token_endpoint, other.token_endpoint);
        one(&mut self.registration_endpoint, other.registration_endpoint);
        one(
            &mut self.introspection_endpoint,
            other.introspection_endpoint,
        );
        one(
            &mut self.token_introspection_endpoint,
            other.token_introspection_endpoint,
        );
        one(&mut self.revocation_endpoint, other.revocation_endpoint);
        one(&mut self.jwks_uri, other.jwks_uri);
        one(&mut self.permission_endpoint, other.permission_endpoint);
        one(
            &mut self.resource_registration_endpoint,
            other.resource_registration_endpoint,
        );
        one(
            &mut self.claims_interaction_endpoint,
            other.claims_interaction_endpoint,
        );
        one(
            &mut self.authorization_response_iss_parameter_supported,
            other.authorization_response_iss_parameter_supported,
        );
        one(
            &mut self.requester_token_endpoint,
            other.requester_token_endpoint,
        );
        one(
            &mut self.permission_request_endpoint,
            other.permission_request_endpoint,
        );
        one(&mut self.service_documentation, other.service_documentation);
        many(
            &mut self.uma_profiles_supported,
            other.uma_profiles_supported,
        );
        many(&mut self.scopes_supported, other.scopes_supported);
        many(
            &mut self.response_types_supported,
            other.response_types_supported,
        );
        many(&mut self.grant_types_supported, other.grant_types_supported);
        many(
            &mut self.token_endpoint_auth_methods_supported,
            other.token_endpoint_auth_methods_supported,
        );
        many(
            &mut self.introspection_endpoint_auth_methods_supported,
            other.introspection_endpoint_auth_methods_supported,
        );
        many(
            &mut self.revocation_endpoint_auth_methods_supported,
            other.revocation_endpoint_auth_methods_supported,
        );
        many(
            &mut self.code_challenge_methods_supported,
            other.code_challenge_methods_supported,
        );
    }
}
