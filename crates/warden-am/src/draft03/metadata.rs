//! The metadata document.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use uma_client::wire::draft03::{Configuration, TOKEN_TYPE, VERSION, media};

use super::paths;
use super::reply::typed;
use crate::endpoints::{self, Am};

pub(super) async fn show(State(am): Am) -> Response {
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    let endpoint = |path: &str| Some(am.url(path));
    let document = Configuration {
        version: VERSION.to_owned(),
        issuer: am.issuer.clone(),
        dynamic_client_registration_supported: Some("yes".to_owned()),
        client_dynamic_registration_endpoint: endpoint(endpoints::paths::REGISTER),
        token_types_supported: list(&[TOKEN_TYPE]),
        host_grant_types_supported: list(&["authorization_code", "client_credentials"]),
        claim_types_supported: list(&["openid"]),
        host_token_endpoint: endpoint(paths::HOST_TOKEN),
        host_user_endpoint: endpoint(endpoints::paths::AUTHORIZE),
        resource_set_registration_endpoint: endpoint(paths::RESOURCES),
        token_status_endpoint: endpoint(paths::STATUS),
        permission_registration_endpoint: endpoint(paths::PERMISSION),
        requester_token_endpoint: endpoint(paths::REQUESTER_TOKEN),
        permission_request_endpoint: endpoint(paths::PERMISSION_REQUEST),
    };
    let mut response = typed(StatusCode::OK, media::CONFIGURATION, &document);
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("max-age=60"),
    );
    response
}
