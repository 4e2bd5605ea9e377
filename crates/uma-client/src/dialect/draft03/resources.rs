//! Resource set registration: `{resource_set_registration_endpoint}/resource_set[/{id}]`.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use http::request::Builder;
use http::{Method, Request, Response, StatusCode};
use url::Url;

use super::revision::{if_match, revision};
use super::shape::{self, malformed};
use super::wire::{RegisteredSet, ResourceSet, Status, media};
use super::{scope_to_wire, scopes_from_wire};
use crate::answer::{self, Credential};
use crate::client::{ReadResource, RegisteredResource, ResourceList, with_body};
use crate::dialect::urls::{below, item_url};
use crate::dialect::{Context, policy_uri};
use crate::error::{Error, ErrorKind};
use crate::ids::{self, Pat, ResourceId};
use crate::wire::ResourceDescription;

pub(in crate::dialect) fn create(
    context: &Context<'_>,
    pat: &Pat,
    proposed: Option<&ResourceId>,
    description: &ResourceDescription,
) -> Result<Request<Bytes>, Error> {
    let id = proposed.ok_or_else(no_id)?;
    let request = call(Method::PUT, &set_url(context, id)?, pat, media::STATUS)?;
    write(context, request, id, description)
}

pub(in crate::dialect) fn created(
    context: &Context<'_>,
    proposed: Option<&ResourceId>,
    response: &Response<Bytes>,
) -> Result<RegisteredResource, Error> {
    let id = proposed.ok_or_else(no_id)?;
    match response.status() {
        StatusCode::CREATED => registered(context, id, response),
        _ => Err(answer::refusal(context.profile, Credential::Pat, response)),
    }
}

pub(in crate::dialect) fn read(
    context: &Context<'_>,
    pat: &Pat,
    id: &ResourceId,
) -> Result<Request<Bytes>, Error> {
    let url = set_url(context, id)?;
    with_body(
        call(Method::GET, &url, pat, media::RESOURCE_SET)?,
        Bytes::new(),
    )
}

pub(in crate::dialect) fn read_back(
    context: &Context<'_>,
    id: &ResourceId,
    response: &Response<Bytes>,
) -> Result<ReadResource, Error> {
    if response.status() != StatusCode::OK {
        return Err(answer::refusal(context.profile, Credential::Pat, response));
    }
    let set: RegisteredSet = shape::object(response)?;
    same_id(id, set.id.as_deref(), response)?;
    let description = set.description;
    Ok(ReadResource {
        id: id.clone(),
        policy_uri: policy_uri(context, id, set.policy_uri.as_deref()),
        revision: Some(revision(response, set.rev.as_deref())?),
        description: ResourceDescription {
            resource_scopes: scopes_from_wire(context, description.scopes),
            name: Some(description.name),
            icon_uri: description.icon_uri,
            extra: description.extra,
            ..ResourceDescription::default()
        },
    })
}

pub(in crate::dialect) fn update(
    context: &Context<'_>,
    pat: &Pat,
    id: &ResourceId,
    revision: Option<&str>,
    description: &ResourceDescription,
) -> Result<Request<Bytes>, Error> {
    let request = call(Method::PUT, &set_url(context, id)?, pat, media::STATUS)?
        .header(IF_MATCH, if_match(revision)?);
    write(context, request, id, description)
}

/// The text of the draft has 204, its example 201 with a body: both are an update.
pub(in crate::dialect) fn updated(
    context: &Context<'_>,
    id: &ResourceId,
    response: &Response<Bytes>,
) -> Result<RegisteredResource, Error> {
    match response.status() {
        StatusCode::NO_CONTENT => Ok(RegisteredResource {
            id: id.clone(),
            policy_uri: policy_uri(context, id, None),
            revision: Some(revision(response, None)?),
        }),
        StatusCode::CREATED => registered(context, id, response),
        _ => Err(answer::refusal(context.profile, Credential::Pat, response)),
    }
}

pub(in crate::dialect) fn delete(
    context: &Context<'_>,
    pat: &Pat,
    id: &ResourceId,
    revision: Option<&str>,
) -> Result<Request<Bytes>, Error> {
    let request = call(Method::DELETE, &set_url(context, id)?, pat, media::STATUS)?
        .header(IF_MATCH, if_match(revision)?);
    with_body(request, Bytes::new())
}

pub(in crate::dialect) fn deleted(
    context: &Context<'_>,
    response: &Response<Bytes>,
) -> Result<(), Error> {
    match response.status() {
        StatusCode::NO_CONTENT | StatusCode::OK => Ok(()),
        _ => Err(answer::refusal(context.profile, Credential::Pat, response)),
    }
}

pub(in crate::dialect) fn list(context: &Context<'_>, pat: &Pat) -> Result<Request<Bytes>, Error> {
    let url = sets_url(context)?;
    with_body(call(Method::GET, &url, pat, media::STATUS)?, Bytes::new())
}

pub(in crate::dialect) fn listed(
    context: &Context<'_>,
    response: &Response<Bytes>,
) -> Result<ResourceList, Error> {
    if response.status() != StatusCode::OK {
        return Err(answer::refusal(context.profile, Credential::Pat, response));
    }
    let ids: Vec<String> = shape::array(response)?;
    let ids = ids
        .iter()
        .map(|id| ResourceId::parse(id))
        .collect::<Result<_, _>>();
    Ok(ResourceList {
        ids: ids.map_err(|_| malformed(response, "an id of the list is not one"))?,
        complete: context.profile.list_is_complete,
    })
}

fn sets_url(context: &Context<'_>) -> Result<Url, Error> {
    Ok(below(context.endpoints.resources()?, "resource_set"))
}

fn set_url(context: &Context<'_>, id: &ResourceId) -> Result<Url, Error> {
    Ok(item_url(&sets_url(context)?, id))
}

/// Begins a call that bears the host's token. The draft's type is preferred, and plain JSON taken.
pub(super) fn call(method: Method, url: &Url, pat: &Pat, wants: &str) -> Result<Builder, Error> {
    Ok(Request::builder()
        .method(method)
        .uri(url.as_str())
        .header(ACCEPT, format!("{wants}, application/json"))
        .header(AUTHORIZATION, ids::bearer(pat.secret())?))
}

fn write(
    context: &Context<'_>,
    request: Builder,
    id: &ResourceId,
    description: &ResourceDescription,
) -> Result<Request<Bytes>, Error> {
    let scopes = &description.resource_scopes;
    let mut extra = description.extra.clone();
    for (name, value) in &context.profile.extra_resource_members {
        extra.entry(name).or_insert_with(|| value.clone());
    }
    // The draft has neither; an AM that is said to take them gets them.
    if context.profile.sends_description {
        let texts = [
            ("description", &description.description),
            ("type", &description.resource_type),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                extra.insert(name.to_owned(), text.as_str().into());
            }
        }
    }
    let set = ResourceSet {
        // The name is required: an owner who gave none sees the id.
        name: description
            .name
            .clone()
            .unwrap_or_else(|| id.as_str().to_owned()),
        icon_uri: description.icon_uri.clone(),
        scopes: scopes
            .iter()
            .map(|scope| scope_to_wire(context, scope))
            .collect(),
        extra,
    };
    let body = serde_json::to_vec(&set).map_err(|error| {
        Error::new(ErrorKind::Config, "the description cannot be written").with_source(error)
    })?;
    with_body(request.header(CONTENT_TYPE, media::RESOURCE_SET), body)
}

fn registered(
    context: &Context<'_>,
    id: &ResourceId,
    response: &Response<Bytes>,
) -> Result<RegisteredResource, Error> {
    let status: Status = shape::object(response)?;
    if !matches!(status.status.as_deref(), None | Some("created" | "updated")) {
        return Err(malformed(
            response,
            "member `status` is neither created nor updated",
        ));
    }
    same_id(id, status.id.as_deref(), response)?;
    Ok(RegisteredResource {
        id: id.clone(),
        policy_uri: policy_uri(context, id, status.policy_uri.as_deref()),
        revision: Some(revision(response, status.rev.as_deref())?),
    })
}

fn same_id(
    asked: &ResourceId,
    answered: Option<&str>,
    response: &Response<Bytes>,
) -> Result<(), Error> {
    if answered.is_none_or(|id| id == asked.as_str()) {
        return Ok(());
    }
    Err(malformed(
        response,
        "member `_id` is not the id that was asked for",
    ))
}

fn no_id() -> Error {
    Error::new(ErrorKind::Config, "the host has to choose an id")
}
