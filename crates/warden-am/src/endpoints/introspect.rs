//! Token introspection with UMA permissions (RFC 7662, UMA Federated Authorization section 5).

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use uma_client::wire::{IntrospectionResponse, Permission};

use super::Am;
use crate::auth::{self, Authorization};
use crate::params::{FormBody, Params};
use crate::reply::{self, ApiError};
use crate::state::tokens::{Granted, Rpt};
use crate::state::{Party, State as AmState};

pub(crate) async fn introspect(
    State(am): Am,
    headers: HeaderMap,
    FormBody(form): FormBody,
) -> Result<Response, ApiError> {
    let authorization = Authorization::read(&headers)?;
    let answer = am.read(|state, now_ms| {
        let caller = caller(state, &authorization, &form, now_ms)?;
        let token = form.require("token")?;
        Ok::<_, ApiError>(match state.live_rpt(token, now_ms) {
            Some(rpt) if caller.may_see(rpt) => active(state, rpt, &am.issuer, now_ms),
            // Another owner's or another host's token is as unknown as one that never was.
            _ => IntrospectionResponse::default(),
        })
    })?;
    Ok(reply::json(StatusCode::OK, &answer))
}

/// A host with a PAT sees the tokens of that owner, one with its client credentials those of all its owners.
struct Caller {
    host: String,
    owner: Option<Party>,
}

impl Caller {
    fn may_see(&self, rpt: &Rpt) -> bool {
        rpt.host == self.host && self.owner.as_ref().is_none_or(|owner| *owner == rpt.owner)
    }
}

fn caller(
    state: &AmState,
    authorization: &Authorization,
    form: &Params,
    now_ms: i64,
) -> Result<Caller, ApiError> {
    if let Authorization::Bearer(token) = authorization {
        let pat = auth::pat_of(state, token, now_ms)?;
        return Ok(Caller {
            host: pat.host,
            owner: Some(pat.owner),
        });
    }
    if matches!(authorization, Authorization::None) && form.get("client_secret")?.is_none() {
        return Err(ApiError::invalid_token(false));
    }
    let client = auth::client(state, authorization, form)?;
    Ok(Caller {
        host: client.id,
        owner: None,
    })
}

fn active(state: &AmState, rpt: &Rpt, issuer: &str, now_ms: i64) -> IntrospectionResponse {
    let mut permissions = Vec::new();
    for (resource_id, granted) in &rpt.permissions {
        permissions.extend(live(state, rpt, resource_id, granted, now_ms));
    }
    IntrospectionResponse {
        active: true,
        exp: Some(rpt.expires_ms / 1_000),
        iat: Some(rpt.issued_ms / 1_000),
        permissions: Some(permissions),
        iss: Some(issuer.to_owned()),
        aud: vec![rpt.host.clone()],
        sub: Some(rpt.subject.clone()),
        client_id: Some(rpt.client_id.clone()),
        username: Some(rpt.subject.clone()),
        token_type: Some("Bearer".to_owned()),
        ..IntrospectionResponse::default()
    }
}

/// What still holds of a permission: what a policy allows now, and what a script put there. Scopes whose policies end at different times
/// become entries of their own.
pub(crate) fn live(
    state: &AmState,
    rpt: &Rpt,
    resource_id: &str,
    granted: &Granted,
    now_ms: i64,
) -> Vec<Permission> {
    let Some(resource) = state.resources.get(resource_id) else {
        return Vec::new();
    };
    let allowed = state.allowed(resource_id, &rpt.subject, &rpt.client_id, now_ms);
    let mut by_end: BTreeMap<Option<i64>, BTreeSet<&String>> = BTreeMap::new();
    for scope in &granted.by_script {
        if resource.has_scope(scope) {
            by_end.entry(None).or_default().insert(scope);
        }
    }
    for scope in granted.by_policy.difference(&granted.by_script) {
        if let Some(until_ms) = allowed.get(scope) {
            let end = until_ms.filter(|until| *until < rpt.expires_ms);
            by_end.entry(end).or_default().insert(scope);
        }
    }
    by_end
        .into_iter()
        .map(|(end, scopes)| Permission {
            resource_id: resource_id.to_owned(),
            resource_scopes: scopes.into_iter().cloned().collect(),
            exp: end.map(|end| end / 1_000),
            ..Permission::default()
        })
        .collect()
}
