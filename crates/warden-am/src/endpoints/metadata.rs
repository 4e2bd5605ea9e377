//! The metadata document (UMA Grant section 2, UMA Federated Authorization section 2, RFC 8414).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use uma_client::wire::Metadata;

use super::{Am, paths};
use crate::reply;
use crate::shared::Shared;
use crate::state::clients::{AUTH_METHODS, GRANT_TYPES, OAUTH_SCOPES};

/// Where RFC 8414 section 3.1 puts the document: between host and path, unlike UMA's append rule.
pub(crate) fn rfc8414_path(am: &Shared) -> String {
    format!("/.well-known/oauth-authorization-server{}", am.prefix)
}

pub(crate) async fn show(State(am): Am) -> Response {
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    let endpoint = |path: &str| Some(am.url(path));
    let document = Metadata {
        issuer: am.issuer.clone(),
        authorization_endpoint: endpoint(paths::AUTHORIZE),
        token_endpoint: endpoint(paths::TOKEN),
        registration_endpoint: endpoint(paths::REGISTER),
        introspection_endpoint: endpoint(paths::INTROSPECT),
        revocation_endpoint: endpoint(paths::REVOKE),
        permission_endpoint: endpoint(paths::PERMISSION),
        resource_registration_endpoint: endpoint(paths::RESOURCE),
        claims_interaction_endpoint: endpoint(paths::CLAIMS),
        scopes_supported: list(&OAUTH_SCOPES),
        response_types_supported: list(&["code"]),
        grant_types_supported: list(&GRANT_TYPES),
        token_endpoint_auth_methods_supported: list(&AUTH_METHODS),
        introspection_endpoint_auth_methods_supported: list(&[
            "Bearer",
            "client_secret_basic",
            "client_secret_post",
        ]),
        revocation_endpoint_auth_methods_supported: list(&AUTH_METHODS),
        code_challenge_methods_supported: list(&["S256"]),
        authorization_response_iss_parameter_supported: Some(true),
        ..Metadata::default()
    };
    let mut response = reply::json(StatusCode::OK, &document).into_response();
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("max-age=60"),
    );
    response
}
