//! What the policy pages show.

use askama::Template;

use super::form::{Draft, written};
use crate::endpoints::{paths, resources};
use crate::pages::Frame;
use crate::shared::Shared;
use crate::state::State;
use crate::state::policies::{AccessRequest, Policy, Subject};
use crate::state::resources::Resource;

#[derive(Template)]
#[template(path = "policies.html")]
pub(super) struct List {
    frame: Frame,
    resources: Vec<Row>,
}

struct Row {
    path: String,
    name: String,
    host: String,
    rules: usize,
    waiting: usize,
}

pub(super) fn list(am: &Shared, state: &State, user: &str) -> List {
    let mine = state
        .resources
        .values()
        .filter(|resource| resource.owner.user() == Some(user));
    let mut resources: Vec<Row> = mine
        .map(|resource| Row {
            path: am.local(&resources::policy_path(&resource.id)),
            name: resource.display_name().to_owned(),
            host: client_name(state, &resource.host),
            rules: state
                .policies
                .values()
                .filter(|p| p.resource_id == resource.id)
                .count(),
            waiting: state
                .requests
                .values()
                .filter(|request| request.resource_id == resource.id && !request.refused)
                .count(),
        })
        .collect();
    resources.sort_by(|a, b| (&a.host, &a.name, &a.path).cmp(&(&b.host, &b.name, &b.path)));
    List {
        frame: Frame::new(am, Some(user), &am.local(paths::POLICIES)),
        resources,
    }
}

#[derive(Template)]
#[template(path = "policy.html")]
pub(super) struct Page {
    frame: Frame,
    done: Option<&'static str>,
    path: String,
    all: String,
    name: String,
    id: String,
    host: String,
    description: Option<String>,
    kind: Option<String>,
    rules: Vec<Rule>,
    waiting: Vec<Request>,
    refused: Vec<Request>,
    people: Vec<String>,
    apps: Vec<App>,
    scopes: Vec<Choice>,
    draft: Draft,
}

struct Rule {
    id: String,
    who: String,
    app: String,
    actions: String,
    until: String,
    ended: bool,
}

struct Request {
    id: String,
    who: String,
    app: String,
    asked: String,
    scopes: Vec<String>,
    error: Option<&'static str>,
}

struct App {
    id: String,
    name: String,
    chosen: bool,
}

struct Choice {
    scope: String,
    chosen: bool,
}

pub(super) fn page(
    am: &Shared,
    state: &State,
    now_ms: i64,
    resource: &Resource,
    done: Option<&'static str>,
    draft: Draft,
) -> Page {
    let path = am.local(&resources::policy_path(&resource.id));
    let of_resource = |id: &str| id == resource.id;
    let requests = |refused: bool| {
        let mut found: Vec<&AccessRequest> = state
            .requests
            .values()
            .filter(|request| of_resource(&request.resource_id) && request.refused == refused)
            .collect();
        found.sort_by_key(|request| (request.asked_ms, &request.id));
        found
            .into_iter()
            .map(|request| shown_request(state, request, &draft))
            .collect()
    };
    let (waiting, refused) = (requests(false), requests(true));
    Page {
        frame: Frame::new(am, resource.owner.user(), &path),
        done,
        path,
        all: am.local(paths::POLICIES),
        name: resource.display_name().to_owned(),
        id: resource.id.clone(),
        host: client_name(state, &resource.host),
        description: resource.description.description.clone(),
        kind: resource.description.resource_type.clone(),
        rules: state
            .policies
            .values()
            .filter(|policy| of_resource(&policy.resource_id))
            .map(|policy| rule(state, policy, now_ms))
            .collect(),
        waiting,
        refused,
        people: state.users.keys().cloned().collect(),
        apps: apps(state, resource, &draft),
        scopes: resource
            .description
            .resource_scopes
            .iter()
            .map(|scope| Choice {
                chosen: draft.scopes.contains(scope),
                scope: scope.clone(),
            })
            .collect(),
        draft,
    }
}

/// The apps to choose from: all clients but the host itself.
fn apps(state: &State, resource: &Resource, draft: &Draft) -> Vec<App> {
    state
        .clients
        .values()
        .filter(|client| client.id != resource.host)
        .map(|client| App {
            id: client.id.clone(),
            name: client.display_name().to_owned(),
            chosen: client.id == draft.client,
        })
        .collect()
}

fn rule(state: &State, policy: &Policy, now_ms: i64) -> Rule {
    Rule {
        id: policy.id.clone(),
        who: match &policy.subject {
            Subject::AnyoneSignedIn => "anyone who signs in".to_owned(),
            Subject::User(name) => name.clone(),
        },
        app: match &policy.client {
            Some(id) => client_name(state, id),
            None => "any app".to_owned(),
        },
        actions: policy.scopes.iter().cloned().collect::<Vec<_>>().join(", "),
        until: policy
            .until_ms
            .map_or_else(|| "removed".to_owned(), written),
        ended: policy.until_ms.is_some_and(|until| until <= now_ms),
    }
}

fn shown_request(state: &State, request: &AccessRequest, draft: &Draft) -> Request {
    Request {
        id: request.id.clone(),
        who: request.subject.clone(),
        app: client_name(state, &request.client),
        asked: written(request.asked_ms),
        scopes: request.scopes.iter().cloned().collect(),
        error: draft
            .request_error
            .as_ref()
            .filter(|(id, _)| *id == request.id)
            .map(|(_, message)| *message),
    }
}

fn client_name(state: &State, id: &str) -> String {
    state
        .clients
        .get(id)
        .map_or_else(|| id.to_owned(), |client| client.display_name().to_owned())
}
