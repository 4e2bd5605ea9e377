//! The owner's policy pages: who may do what with which of her things, until when; who asked and waits.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use super::{render, signin};
use crate::auth;
use crate::endpoints::{Am, paths, resources};
use crate::error::{Error, ErrorKind};
use crate::pages;
use crate::params::{FormBody, Params};
use crate::reply::{self, ApiError};
use crate::shared::Shared;
use crate::state::policies::{Policy, Subject};
use crate::state::resources::Resource;
use crate::state::{Party, State as AmState};

mod form;
mod view;

use form::Draft;

pub(crate) async fn list(State(am): Am, headers: HeaderMap) -> Response {
    let here = am.local(paths::POLICIES);
    let Some(user) = auth::signed_in(&am, &headers) else {
        return signin::first(&am, &here);
    };
    let page = am.read(|state, _| view::list(&am, state, &user));
    render(StatusCode::OK, &page)
}

pub(crate) async fn show(
    State(am): Am,
    headers: HeaderMap,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let user = match owner(&am, &headers, &id) {
        Ok(user) => user,
        Err(response) => return *response,
    };
    let params = Params::query(query.as_deref());
    let done = params.get("done").ok().flatten().and_then(done_message);
    page(&am, &user, &id, StatusCode::OK, done, Draft::default())
}

fn done_message(done: &str) -> Option<&'static str> {
    match done {
        "added" => Some("The rule is in force."),
        "approved" => Some("Approved: the rule is in force."),
        "forgotten" => Some("Forgotten: this can be asked for again."),
        "refused" => Some("Refused."),
        "removed" => Some("The rule is gone: what it allowed ends with it."),
        _ => None,
    }
}

pub(crate) async fn add(
    State(am): Am,
    headers: HeaderMap,
    Path(id): Path<String>,
    FormBody(form): FormBody,
) -> Response {
    let user = match owner(&am, &headers, &id) {
        Ok(user) => user,
        Err(response) => return *response,
    };
    let draft = Draft::read(&form);
    let checked = am.read(|state, now_ms| draft.check(state, &id, now_ms));
    let policy = match checked {
        Ok(policy) => policy,
        Err(errors) => {
            let draft = Draft { errors, ..draft };
            return page(&am, &user, &id, StatusCode::BAD_REQUEST, None, draft);
        }
    };
    let added = am.change(|state, _| {
        own(state, &user, &id)?;
        state.add_policy(policy)
    });
    finish(&am, &id, "added", added)
}

pub(crate) async fn remove(
    State(am): Am,
    headers: HeaderMap,
    Path(id): Path<String>,
    FormBody(form): FormBody,
) -> Response {
    act(&am, &headers, &id, "removed", |state| {
        let policy = field(&form, "policy")?;
        let known = state
            .policies
            .get(policy)
            .is_some_and(|policy| policy.resource_id == id);
        if known {
            state.policies.remove(policy);
        }
        // A rule that is gone already is what was wanted.
        Ok(())
    })
}

pub(crate) async fn approve(
    State(am): Am,
    headers: HeaderMap,
    Path(id): Path<String>,
    FormBody(form): FormBody,
) -> Response {
    let user = match owner(&am, &headers, &id) {
        Ok(user) => user,
        Err(response) => return *response,
    };
    let scopes: BTreeSet<String> = form.all("scope").map(str::to_owned).collect();
    let until = form::until(form.get("until").ok().flatten(), am.now_ms());
    let request = form.get("request").ok().flatten().unwrap_or_default();
    let wrong = match &until {
        _ if scopes.is_empty() => Some("Choose at least one action, or refuse."),
        Err(message) => Some(*message),
        Ok(_) => None,
    };
    if let Some(message) = wrong {
        let draft = Draft {
            request_error: Some((request.to_owned(), message)),
            ..Draft::default()
        };
        return page(&am, &user, &id, StatusCode::BAD_REQUEST, None, draft);
    }
    act(&am, &headers, &id, "approved", |state| {
        belongs(state, request, &id)?;
        state
            .approve(request, Some(&scopes), until.ok().flatten())
            .map(|_| ())
    })
}

pub(crate) async fn refuse(
    State(am): Am,
    headers: HeaderMap,
    Path(id): Path<String>,
    FormBody(form): FormBody,
) -> Response {
    act(&am, &headers, &id, "refused", |state| {
        let request = field(&form, "request")?;
        belongs(state, request, &id)?;
        state.refuse(request)
    })
}

pub(crate) async fn forget(
    State(am): Am,
    headers: HeaderMap,
    Path(id): Path<String>,
    FormBody(form): FormBody,
) -> Response {
    act(&am, &headers, &id, "forgotten", |state| {
        let request = field(&form, "request")?;
        belongs(state, request, &id)?;
        state.requests.remove(request);
        Ok(())
    })
}

/// A change by the owner, then back to the page.
fn act(
    am: &Arc<Shared>,
    headers: &HeaderMap,
    id: &str,
    done: &str,
    change: impl FnOnce(&mut AmState) -> Result<(), Error>,
) -> Response {
    let user = match owner(am, headers, id) {
        Ok(user) => user,
        Err(response) => return *response,
    };
    let changed = am.change(|state, _| {
        own(state, &user, id)?;
        change(state)
    });
    finish(am, id, done, changed)
}

fn finish<T>(
    am: &Shared,
    id: &str,
    done: &str,
    result: Result<Result<T, Error>, Error>,
) -> Response {
    match result {
        Ok(Ok(_)) => {
            let page = am.local(&resources::policy_path(id));
            reply::redirect(
                StatusCode::SEE_OTHER,
                &reply::with_query(&page, &[("done", done)]),
            )
        }
        Ok(Err(error)) if error.is_not_found() => {
            pages::problem(am, &ApiError::not_found(&error.to_string()))
        }
        Ok(Err(error)) if error.kind() == ErrorKind::Config => {
            pages::problem(am, &ApiError::invalid_request(&error.to_string()))
        }
        Ok(Err(error)) | Err(error) => ApiError::from(error).into_response(),
    }
}

fn field<'a>(form: &'a Params, name: &str) -> Result<&'a str, Error> {
    form.require(name)
        .map_err(|error| Error::new(ErrorKind::Config, error.description()))
}

fn belongs(state: &AmState, request: &str, resource: &str) -> Result<(), Error> {
    let known = state
        .requests
        .get(request)
        .is_some_and(|request| request.resource_id == resource);
    if known {
        Ok(())
    } else {
        Err(Error::new(
            ErrorKind::NotFound,
            "this request is not there any more",
        ))
    }
}

/// The signed-in owner of the resource; else the answer: the sign-in page, or that there is no such thing of hers.
fn owner(am: &Shared, headers: &HeaderMap, id: &str) -> Result<String, Box<Response>> {
    let Some(user) = auth::signed_in(am, headers) else {
        let page = signin::first(am, &am.local(&resources::policy_path(id)));
        return Err(Box::new(page));
    };
    match am.read(|state, _| own(state, &user, id).map(|_| ())) {
        Ok(()) => Ok(user),
        Err(error) => Err(Box::new(pages::problem(
            am,
            &ApiError::not_found(&error.to_string()),
        ))),
    }
}

fn own<'a>(state: &'a AmState, user: &str, id: &str) -> Result<&'a Resource, Error> {
    state
        .resources
        .get(id)
        .filter(|resource| matches!(&resource.owner, Party::User(owner) if owner == user))
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "you have nothing like this here"))
}

fn page(
    am: &Shared,
    user: &str,
    id: &str,
    status: StatusCode,
    done: Option<&'static str>,
    draft: Draft,
) -> Response {
    let page = am.read(|state, now_ms| {
        own(state, user, id).map(|resource| view::page(am, state, now_ms, resource, done, draft))
    });
    match page {
        Ok(page) => render(status, &page),
        Err(error) => pages::problem(am, &ApiError::not_found(&error.to_string())),
    }
}

/// A rule as a draft describes it.
fn policy_of(resource: &str, subject: Subject, draft: &Draft, until_ms: Option<i64>) -> Policy {
    Policy {
        id: String::new(),
        resource_id: resource.to_owned(),
        subject,
        client: Some(draft.client.clone()).filter(|client| !client.is_empty()),
        scopes: draft.scopes.clone(),
        until_ms,
    }
}
