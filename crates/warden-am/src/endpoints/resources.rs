//! The resource registration endpoint (UMA Federated Authorization section 3.2).

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use uma_client::wire::{ResourceCreated, ResourceDescription};

use super::{Am, paths};
use crate::auth;
use crate::params::JsonBody;
use crate::reply::{self, ApiError};
use crate::secrets;
use crate::shared::Shared;
use crate::state::resources::Resource;
use crate::state::{State as AmState, limits};

const MAX_SCOPES: usize = 100;
const MAX_SCOPE: usize = 256;
const MAX_TEXT: usize = 4_000;
/// What stays as it is in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

#[derive(Serialize)]
struct Described<'a> {
    #[serde(flatten)]
    reference: ResourceCreated,
    #[serde(flatten)]
    description: &'a ResourceDescription,
}

pub(crate) async fn create(
    State(am): Am,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let pat = am.read(|state, now_ms| auth::pat(state, &headers, now_ms))?;
    let description = checked(body.parse()?, "resource_scopes")?;
    let id = am.change(|state, _| {
        check_room(state)?;
        let id = format!("{}{}", am.resource_id_prefix, secrets::random_id()?);
        let resource = Resource {
            id: id.clone(),
            owner: pat.owner,
            host: pat.host,
            revision: String::new(),
            description,
        };
        state.resources.insert(id.clone(), resource);
        Ok::<_, ApiError>(id)
    })??;
    let location = am.url(&format!("{}/{}", paths::RESOURCE, segment(&id)));
    let mut response = reply::json(StatusCode::CREATED, &reference(&am, &id));
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

pub(crate) async fn read(
    State(am): Am,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    am.read(|state, now_ms| {
        let pat = auth::pat(state, &headers, now_ms)?;
        let resource = state
            .resource_of(&id, &pat.owner, &pat.host)
            .ok_or_else(unknown)?;
        let described = Described {
            reference: reference(&am, &id),
            description: &resource.description,
        };
        Ok(reply::json(StatusCode::OK, &described))
    })
}

pub(crate) async fn update(
    State(am): Am,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let pat = am.read(|state, now_ms| {
        let pat = auth::pat(state, &headers, now_ms)?;
        state
            .resource_of(&id, &pat.owner, &pat.host)
            .ok_or_else(unknown)?;
        Ok::<_, ApiError>(pat)
    })?;
    let description = checked(body.parse()?, "resource_scopes")?;
    am.change(|state, _| {
        let resource = state
            .resources
            .get_mut(&id)
            .filter(|resource| resource.belongs_to(&pat.owner, &pat.host))
            .ok_or_else(unknown)?;
        resource.description = description;
        Ok::<_, ApiError>(())
    })??;
    Ok(reply::json(StatusCode::OK, &reference(&am, &id)))
}

pub(crate) async fn delete(
    State(am): Am,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    am.change(|state, now_ms| {
        let pat = auth::pat(state, &headers, now_ms)?;
        state
            .resource_of(&id, &pat.owner, &pat.host)
            .ok_or_else(unknown)?;
        state.remove_resource(&id);
        Ok::<_, ApiError>(())
    })??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn list(State(am): Am, headers: HeaderMap) -> Result<Response, ApiError> {
    am.read(|state, now_ms| {
        let pat = auth::pat(state, &headers, now_ms)?;
        let ids: Vec<&str> = state
            .resources
            .values()
            .filter(|resource| resource.belongs_to(&pat.owner, &pat.host))
            .map(|resource| resource.id.as_str())
            .collect();
        Ok(reply::json(StatusCode::OK, &ids))
    })
}

/// Where the owner sets her policies for a resource.
pub(crate) fn policy_path(id: &str) -> String {
    format!("{}/{}", paths::POLICIES, segment(id))
}

pub(crate) fn segment(id: &str) -> String {
    utf8_percent_encode(id, SEGMENT).to_string()
}

fn reference(am: &Shared, id: &str) -> ResourceCreated {
    ResourceCreated {
        id: id.to_owned(),
        user_access_policy_uri: Some(am.url(&policy_path(id))),
    }
}

/// Refuses one resource more than the AM holds.
pub(crate) fn check_room(state: &AmState) -> Result<(), ApiError> {
    if state.resources.len() < limits::RESOURCES {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "temporarily_unavailable",
        "the AM holds as many resources as it can",
    ))
}

pub(crate) fn unknown() -> ApiError {
    ApiError::not_found("this owner has no such resource at this host")
}

/// Checks a description; `scopes_member` is what the dialect calls its scopes.
pub(crate) fn checked(
    mut description: ResourceDescription,
    scopes_member: &str,
) -> Result<ResourceDescription, ApiError> {
    // What a host read back it may send back; both are the AM's to say.
    description.extra.remove("_id");
    description.extra.remove("user_access_policy_uri");
    let wrong = |field: &str, what: &str| ApiError::invalid_request(&format!("{field}: {what}"));
    let scopes = &mut description.resource_scopes;
    if scopes.is_empty() || scopes.len() > MAX_SCOPES {
        return Err(wrong(scopes_member, "must have 1 to 100 scopes"));
    }
    if !scopes.iter().all(|scope| is_scope(scope)) {
        let what = "each must have 1 to 256 visible ASCII characters, no quote and no backslash";
        return Err(wrong(scopes_member, what));
    }
    let mut seen = std::collections::BTreeSet::new();
    scopes.retain(|scope| seen.insert(scope.clone()));
    for (field, text) in [
        ("name", &description.name),
        ("description", &description.description),
        ("icon_uri", &description.icon_uri),
        ("type", &description.resource_type),
    ] {
        if text.as_ref().is_some_and(|text| text.len() > MAX_TEXT) {
            return Err(wrong(field, "longer than 4000 bytes"));
        }
    }
    Ok(description)
}

/// The characters of RFC 6749 section 3.3.
fn is_scope(scope: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    !scope.is_empty() && scope.len() <= MAX_SCOPE && scope.bytes().all(good)
}
