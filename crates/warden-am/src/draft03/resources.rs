//! Resource sets, under ids that hosts choose.

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use uma_client::ResourceId;
use uma_client::wire::ResourceDescription;
use uma_client::wire::draft03::{RegisteredSet, ResourceSet, Status, media};

use super::body::Body;
use super::hat;
use super::reply::{StatusError, nothing, typed, with_etag};
use crate::endpoints::Am;
use crate::endpoints::resources::{check_room, checked, policy_path, unknown};
use crate::reply::{self, ApiError};
use crate::secrets;
use crate::state::resources::Resource;

/// Creates a set, or with `If-Match` changes it. An id is used once in the whole AM.
pub(super) async fn write(
    State(am): Am,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, StatusError> {
    let pat = am.read(|state, now_ms| hat(state, &headers, now_ms))?;
    let description = described(body.parse()?)?;
    let condition = Condition::read(&headers)?;
    let revision = secrets::random_id()?;
    let etag = etag(&revision);
    am.change(|state, _| match condition {
        Condition::None => {
            if ResourceId::parse(&id).is_err() {
                return Err(ApiError::invalid_request("the id is too long, or not one"));
            }
            if state.resources.contains_key(&id) {
                return Err(ApiError::invalid_request("the id is used already"));
            }
            check_room(state)?;
            let resource = Resource {
                id: id.clone(),
                owner: pat.owner,
                host: pat.host,
                revision: revision.clone(),
                description,
            };
            state.resources.insert(id.clone(), resource);
            let status = Status {
                status: Some("created".to_owned()),
                id: Some(id.clone()),
                rev: Some(revision),
                policy_uri: Some(am.url(&policy_path(&id))),
            };
            let response = typed(StatusCode::CREATED, media::STATUS, &status);
            Ok(with_etag(response, &etag))
        }
        Condition::Match(tags) => {
            let resource = state
                .resources
                .get_mut(&id)
                .filter(|resource| resource.belongs_to(&pat.owner, &pat.host))
                .ok_or_else(unknown)?;
            check_match(resource, &tags)?;
            resource.description = description;
            resource.revision = revision;
            Ok(with_etag(nothing(), &etag))
        }
    })?
    .map_err(StatusError)
}

pub(super) async fn read(
    State(am): Am,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, StatusError> {
    am.read(|state, now_ms| {
        let pat = hat(state, &headers, now_ms)?;
        let resource = state
            .resource_of(&id, &pat.owner, &pat.host)
            .ok_or_else(unknown)?;
        let described = &resource.description;
        let set = RegisteredSet {
            id: Some(id.clone()),
            rev: Some(resource.revision.clone()),
            policy_uri: Some(am.url(&policy_path(&id))),
            description: ResourceSet {
                name: described.name.clone().unwrap_or_default(),
                icon_uri: described.icon_uri.clone(),
                scopes: described.resource_scopes.clone(),
                extra: described.extra.clone(),
            },
        };
        let response = typed(StatusCode::OK, media::RESOURCE_SET, &set);
        Ok(with_etag(response, &etag(&resource.revision)))
    })
}

pub(super) async fn delete(
    State(am): Am,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, StatusError> {
    let condition = Condition::read(&headers)?;
    am.change(|state, now_ms| {
        let pat = hat(state, &headers, now_ms)?;
        let resource = state
            .resource_of(&id, &pat.owner, &pat.host)
            .ok_or_else(unknown)?;
        let Condition::Match(tags) = condition else {
            return Err(ApiError::invalid_request("If-Match: missing"));
        };
        check_match(resource, &tags)?;
        state.remove_resource(&id);
        Ok(nothing())
    })?
    .map_err(StatusError)
}

pub(super) async fn list(State(am): Am, headers: HeaderMap) -> Result<Response, StatusError> {
    am.read(|state, now_ms| {
        let pat = hat(state, &headers, now_ms)?;
        let ids: Vec<&str> = state
            .resources
            .values()
            .filter(|resource| resource.belongs_to(&pat.owner, &pat.host))
            .map(|resource| resource.id.as_str())
            .collect();
        Ok(reply::json(StatusCode::OK, &ids))
    })
}

fn described(set: ResourceSet) -> Result<ResourceDescription, ApiError> {
    let mut description = ResourceDescription::new(set.scopes);
    description.name = Some(set.name);
    description.icon_uri = set.icon_uri;
    description.extra = set.extra;
    // What a host read back it may send back; all three are the AM's to say.
    for member in ["_id", "_rev", "policy_uri"] {
        description.extra.remove(member);
    }
    checked(description, "scopes")
}

/// What a write depends on.
enum Condition {
    /// Nothing.
    None,
    /// One of these entity tags, or `*`.
    Match(String),
}

impl Condition {
    fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut fields = headers.get_all(header::IF_MATCH).iter();
        let Some(field) = fields.next() else {
            return Ok(Self::None);
        };
        match (field.to_str(), fields.next()) {
            (Ok(tags), None) => Ok(Self::Match(tags.to_owned())),
            _ => Err(ApiError::invalid_request(
                "If-Match: not ASCII, or given more than once",
            )),
        }
    }
}

fn check_match(resource: &Resource, tags: &str) -> Result<(), ApiError> {
    let etag = etag(&resource.revision);
    let good = tags
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag == etag || tag == resource.revision);
    if good {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::PRECONDITION_FAILED,
        "precondition_failed",
        "the resource set has another revision",
    ))
}

fn etag(revision: &str) -> String {
    format!("\"{revision}\"")
}
