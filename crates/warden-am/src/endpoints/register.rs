//! Dynamic client registration (RFC 7591) and its management (RFC 7592).

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use uma_client::wire::{ClientInformation, ClientMetadata};
use url::Url;

use super::{Am, paths};
use crate::auth::Authorization;
use crate::params::JsonBody;
use crate::reply::{self, ApiError};
use crate::secrets;
use crate::shared::Shared;
use crate::state::clients::{AUTH_METHODS, AUTHORIZATION_CODE, Client, GRANT_TYPES};
use crate::state::{State as AmState, limits};

const MAX_URIS: usize = 20;
const MAX_TEXT: usize = 2_000;

pub(crate) async fn create(
    State(am): Am,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    if let Some(expected) = &am.initial_access_token {
        match Authorization::read(&headers)? {
            Authorization::Bearer(token) if secrets::same(&secrets::digest(&token), expected) => {}
            Authorization::Bearer(_) => return Err(ApiError::invalid_token(true)),
            _ => return Err(ApiError::invalid_token(false)),
        }
    }
    let metadata = checked(body.parse()?)?;
    let public = metadata.token_endpoint_auth_method.as_deref() == Some("none");
    let secret = || secrets::random_token().map(|secret| format!("{}{secret}", am.mark));
    let registration_token = secret()?;
    let client = Client {
        id: secrets::random_id()?,
        secret: if public { None } else { Some(secret()?) },
        registration_digest: Some(secrets::digest(&registration_token)),
        preregistered: false,
        metadata,
    };
    let client = am.change(|state, _| {
        if state.clients.len() >= limits::CLIENTS {
            return Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "the AM holds as many clients as it can",
            ));
        }
        state.clients.insert(client.id.clone(), client.clone());
        Ok(client)
    })??;
    let information = information(&am, &client, &registration_token);
    Ok(reply::json(StatusCode::CREATED, &information))
}

pub(crate) async fn read(
    State(am): Am,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let token = registration_token(&headers)?;
    let client = am.read(|state, _| own(state, &id, &token).cloned())?;
    Ok(reply::json(
        StatusCode::OK,
        &information(&am, &client, &token),
    ))
}

pub(crate) async fn update(
    State(am): Am,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let token = registration_token(&headers)?;
    am.read(|state, _| own(state, &id, &token).map(|_| ()))?;
    let asked: ClientInformation = body.parse()?;
    let extra_fields = asked.registration_access_token.is_some()
        || asked.registration_client_uri.is_some()
        || asked.client_secret_expires_at.is_some();
    if extra_fields {
        // RFC 7592 section 2.2 forbids them in a request.
        return Err(ApiError::invalid_request(
            "registration_access_token, registration_client_uri, client_secret_expires_at: not allowed in an update",
        ));
    }
    if asked.client_id != id {
        return Err(metadata_error("client_id", "must be the client's own"));
    }
    let metadata = checked(asked.metadata)?;
    let client = am.change(|state, _| {
        let known = own(state, &id, &token)?;
        let secret_differs = asked
            .client_secret
            .as_ref()
            .is_some_and(|secret| !known.has_secret(secret.expose()));
        if secret_differs {
            return Err(metadata_error(
                "client_secret",
                "a client can't choose its secret",
            ));
        }
        let public = metadata.token_endpoint_auth_method.as_deref() == Some("none");
        if public != known.is_public() {
            return Err(metadata_error(
                "token_endpoint_auth_method",
                "a client can't become public or confidential later",
            ));
        }
        let changed = Client {
            metadata,
            ..known.clone()
        };
        state.clients.insert(id.clone(), changed.clone());
        Ok(changed)
    })??;
    Ok(reply::json(
        StatusCode::OK,
        &information(&am, &client, &token),
    ))
}

pub(crate) async fn delete(
    State(am): Am,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let token = registration_token(&headers)?;
    am.change(|state, _| {
        own(state, &id, &token)?;
        state.remove_client(&id);
        Ok::<_, ApiError>(())
    })??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn registration_token(headers: &HeaderMap) -> Result<String, ApiError> {
    match Authorization::read(headers)? {
        Authorization::Bearer(token) => Ok(token),
        _ => Err(ApiError::invalid_token(false)),
    }
}

/// The client whose registration token this is. An unknown client answers as a wrong token does (RFC 7592 section 2.1).
fn own<'a>(state: &'a AmState, id: &str, token: &str) -> Result<&'a Client, ApiError> {
    state
        .clients
        .get(id)
        .filter(|client| client.has_registration_token(token))
        .ok_or_else(|| ApiError::invalid_token(true))
}

fn information(am: &Shared, client: &Client, registration_token: &str) -> ClientInformation {
    ClientInformation {
        client_id: client.id.clone(),
        client_secret: client.secret.as_deref().map(Into::into),
        client_secret_expires_at: client.secret.as_ref().map(|_| 0),
        registration_access_token: Some(registration_token.into()),
        registration_client_uri: Some(am.url(&format!("{}/{}", paths::REGISTER, client.id))),
        metadata: client.metadata.clone(),
    }
}

fn metadata_error(field: &str, what: &str) -> ApiError {
    ApiError::bad("invalid_client_metadata", &format!("{field}: {what}"))
}

/// Fills in the defaults of RFC 7591 section 2, and refuses what can't be registered.
pub(crate) fn checked(mut metadata: ClientMetadata) -> Result<ClientMetadata, ApiError> {
    for (field, uris) in [
        ("redirect_uris", &metadata.redirect_uris),
        ("claims_redirect_uris", &metadata.claims_redirect_uris),
    ] {
        if uris.len() > MAX_URIS || !uris.iter().all(|uri| is_redirect_uri(uri)) {
            let what = format!(
                "{field}: at most {MAX_URIS} absolute http or https URLs without a fragment"
            );
            return Err(ApiError::bad("invalid_redirect_uri", &what));
        }
    }
    if metadata.grant_types.is_empty() {
        metadata.grant_types.push(AUTHORIZATION_CODE.to_owned());
    }
    if let Some(odd) = metadata
        .grant_types
        .iter()
        .find(|grant| !GRANT_TYPES.contains(&grant.as_str()))
    {
        return Err(metadata_error(
            "grant_types",
            &format!("{odd} is not supported"),
        ));
    }
    let uses_code = metadata
        .grant_types
        .iter()
        .any(|grant| grant == AUTHORIZATION_CODE);
    if uses_code && metadata.redirect_uris.is_empty() {
        return Err(ApiError::bad(
            "invalid_redirect_uri",
            "redirect_uris: the authorization code grant needs one",
        ));
    }
    if metadata.response_types.is_empty() && uses_code {
        metadata.response_types.push("code".to_owned());
    }
    if !metadata
        .response_types
        .iter()
        .all(|kind| uses_code && kind == "code")
    {
        return Err(metadata_error(
            "response_types",
            "only code, with the authorization code grant",
        ));
    }
    let method = metadata
        .token_endpoint_auth_method
        .get_or_insert_with(|| "client_secret_basic".to_owned());
    if !AUTH_METHODS.contains(&method.as_str()) {
        let what = format!("must be one of {}", AUTH_METHODS.join(", "));
        return Err(metadata_error("token_endpoint_auth_method", &what));
    }
    for (field, text) in [
        ("client_name", &metadata.client_name),
        ("client_uri", &metadata.client_uri),
        ("scope", &metadata.scope),
        ("software_id", &metadata.software_id),
        ("software_version", &metadata.software_version),
    ] {
        if text
            .as_ref()
            .is_some_and(|text| text.len() > MAX_TEXT || text.chars().any(char::is_control))
        {
            return Err(metadata_error(
                field,
                "too long, or with control characters",
            ));
        }
    }
    let web =
        |uri: &String| Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if metadata.client_uri.as_ref().is_some_and(|uri| !web(uri)) {
        // Pages link to it: no javascript: and its like.
        return Err(metadata_error("client_uri", "must be an http or https URL"));
    }
    Ok(metadata)
}

fn is_redirect_uri(uri: &str) -> bool {
    let visible = uri.len() <= MAX_TEXT && uri.bytes().all(|byte| byte.is_ascii_graphic());
    visible
        && !uri.contains(['#', '\\'])
        && Url::parse(uri).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
        })
}
