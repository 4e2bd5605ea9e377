//! Resource registration (UMA Federated Authorization 1.0 section 3).

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::answer::{self, Credential};
use crate::client::{ReadResource, RegisteredResource, ResourceList, expect, request, with_body};
use crate::dialect::urls::item_url;
use crate::dialect::{Context, policy_uri};
use crate::error::{Error, ErrorKind};
use crate::ids::{self, Pat, ResourceId};
use crate::wire::{ResourceCreated, ResourceDescription};

pub(crate) fn create(
    context: &Context<'_>,
    pat: &Pat,
    description: &ResourceDescription,
) -> Result<Request<Bytes>, Error> {
    write(
        context,
        Method::POST,
        context.endpoints.resources()?,
        pat,
        description,
    )
}

pub(crate) fn created(
    context: &Context<'_>,
    response: &Response<Bytes>,
) -> Result<RegisteredResource, Error> {
    let created: ResourceCreated = expect(
        context.profile,
        Credential::Pat,
        &[StatusCode::CREATED],
        response,
    )?;
    registered(context, response, &created)
}

pub(crate) fn read(
    context: &Context<'_>,
    pat: &Pat,
    id: &ResourceId,
) -> Result<Request<Bytes>, Error> {
    bare(
        Method::GET,
        &item_url(context.endpoints.resources()?, id),
        pat,
    )
}

pub(crate) fn read_back(
    context: &Context<'_>,
    id: &ResourceId,
    response: &Response<Bytes>,
) -> Result<ReadResource, Error> {
    /// Some AMs answer with objects where the specification has strings.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum ScopeEntry {
        Plain(String),
        Named { name: String },
    }
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "_id")]
        id: Option<String>,
        user_access_policy_uri: Option<String>,
        #[serde(default)]
        resource_scopes: Vec<ScopeEntry>,
        name: Option<String>,
        description: Option<String>,
        icon_uri: Option<String>,
        #[serde(rename = "type")]
        resource_type: Option<String>,
        #[serde(flatten)]
        extra: Map<String, Value>,
    }
    let body: Body = expect(
        context.profile,
        Credential::Pat,
        &[StatusCode::OK],
        response,
    )?;
    same_id(id, body.id.as_deref(), response)?;
    let scopes = body.resource_scopes.into_iter().map(|scope| match scope {
        ScopeEntry::Plain(name) | ScopeEntry::Named { name } => name,
    });
    Ok(ReadResource {
        id: id.clone(),
        policy_uri: policy_uri(context, id, body.user_access_policy_uri.as_deref()),
        description: ResourceDescription {
            resource_scopes: scopes.collect(),
            name: body.name,
            description: body.description,
            icon_uri: body.icon_uri,
            resource_type: body.resource_type,
            extra: body.extra,
        },
        revision: None,
    })
}

pub(crate) fn update(
    context: &Context<'_>,
    pat: &Pat,
    id: &ResourceId,
    description: &ResourceDescription,
) -> Result<Request<Bytes>, Error> {
    let url = item_url(context.endpoints.resources()?, id);
    write(context, Method::PUT, &url, pat, description)
}

pub(crate) fn updated(
    context: &Context<'_>,
    id: &ResourceId,
    response: &Response<Bytes>,
) -> Result<RegisteredResource, Error> {
    let nothing_said = || RegisteredResource {
        id: id.clone(),
        policy_uri: policy_uri(context, id, None),
        revision: None,
    };
    match response.status() {
        StatusCode::NO_CONTENT => Ok(nothing_said()),
        StatusCode::OK if response.body().is_empty() => Ok(nothing_said()),
        StatusCode::OK => {
            let updated: ResourceCreated = answer::json(response)?;
            same_id(id, Some(&updated.id), response)?;
            registered(context, response, &updated)
        }
        _ => Err(answer::refusal(context.profile, Credential::Pat, response)),
    }
}

pub(crate) fn delete(
    context: &Context<'_>,
    pat: &Pat,
    id: &ResourceId,
) -> Result<Request<Bytes>, Error> {
    bare(
        Method::DELETE,
        &item_url(context.endpoints.resources()?, id),
        pat,
    )
}

pub(crate) fn deleted(context: &Context<'_>, response: &Response<Bytes>) -> Result<(), Error> {
    match response.status() {
        StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
        _ => Err(answer::refusal(context.profile, Credential::Pat, response)),
    }
}

pub(crate) fn list(context: &Context<'_>, pat: &Pat) -> Result<Request<Bytes>, Error> {
    let mut url = context.endpoints.resources()?.clone();
    if let Some(max) = context.profile.list_max {
        url.query_pairs_mut().append_pair("max", &max.to_string());
    }
    bare(Method::GET, &url, pat)
}

pub(crate) fn listed(
    context: &Context<'_>,
    response: &Response<Bytes>,
) -> Result<ResourceList, Error> {
    let ids: Vec<String> = expect(
        context.profile,
        Credential::Pat,
        &[StatusCode::OK],
        response,
    )?;
    let ids = ids
        .iter()
        .map(|id| ResourceId::parse(id))
        .collect::<Result<_, _>>();
    Ok(ResourceList {
        ids: ids.map_err(|_| Error::new(ErrorKind::Malformed, "an id of the list is not one"))?,
        complete: context.profile.list_is_complete,
    })
}

fn bare(method: Method, url: &Url, pat: &Pat) -> Result<Request<Bytes>, Error> {
    with_body(
        request(method, url).header(AUTHORIZATION, ids::bearer(pat.secret())?),
        Bytes::new(),
    )
}

fn write(
    context: &Context<'_>,
    method: Method,
    url: &Url,
    pat: &Pat,
    description: &ResourceDescription,
) -> Result<Request<Bytes>, Error> {
    let unwritable = |error| {
        Error::new(ErrorKind::Config, "the description cannot be written").with_source(error)
    };
    let mut value = serde_json::to_value(description).map_err(unwritable)?;
    if let Some(members) = value.as_object_mut() {
        if !context.profile.sends_description {
            members.retain(|name, _| name != "description" && !name.starts_with("description#"));
        }
        for (name, value) in &context.profile.extra_resource_members {
            members.entry(name).or_insert_with(|| value.clone());
        }
    }
    let body = serde_json::to_vec(&value).map_err(unwritable)?;
    let request = request(method, url)
        .header(AUTHORIZATION, ids::bearer(pat.secret())?)
        .header(CONTENT_TYPE, "application/json");
    with_body(request, body)
}

fn registered(
    context: &Context<'_>,
    response: &Response<Bytes>,
    created: &ResourceCreated,
) -> Result<RegisteredResource, Error> {
    let id = ResourceId::parse(&created.id).map_err(|_| {
        answer::unreadable(
            response,
            Error::new(ErrorKind::Malformed, "member `_id` is not a resource id"),
        )
    })?;
    Ok(RegisteredResource {
        policy_uri: policy_uri(context, &id, created.user_access_policy_uri.as_deref()),
        id,
        revision: None,
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
    let error = Error::new(
        ErrorKind::Malformed,
        "member `_id` is not the id that was asked for",
    );
    Err(answer::unreadable(response, error))
}
