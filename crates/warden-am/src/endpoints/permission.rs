//! The permission endpoint (UMA Federated Authorization section 4).

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use uma_client::wire::{PermissionRequest, TicketResponse};

use super::Am;
use crate::auth::{self, Pat};
use crate::params::JsonBody;
use crate::reply::{self, ApiError};
use crate::shared::millis;
use crate::state::State as AmState;
use crate::state::tickets::Ticket;

const MAX_PERMISSIONS: usize = 100;

pub(crate) async fn request(
    State(am): Am,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let pat = am.read(|state, now_ms| auth::pat(state, &headers, now_ms))?;
    let asked: Vec<PermissionRequest> = if body.is_array() {
        body.parse()?
    } else {
        vec![body.parse()?]
    };
    if asked.is_empty() || asked.len() > MAX_PERMISSIONS {
        return Err(ApiError::invalid_request(
            "the array must have 1 to 100 permissions",
        ));
    }
    let ticket = am.change(|state, now_ms| {
        let permissions = checked(state, &pat, asked)?;
        let ticket = Ticket {
            owner: pat.owner,
            host: pat.host,
            permissions,
            client: None,
            subject: None,
        };
        let expires_ms = now_ms.saturating_add(millis(am.ticket_ttl));
        state
            .issue_ticket(ticket, expires_ms)
            .map_err(ApiError::from)
    })??;
    let body = TicketResponse {
        ticket: ticket.into(),
    };
    Ok(reply::json(StatusCode::CREATED, &body))
}

/// All or nothing: every resource must be this owner's at this host, and have the scopes. Several entries for one resource are merged.
pub(crate) fn checked(
    state: &AmState,
    pat: &Pat,
    asked: Vec<PermissionRequest>,
) -> Result<BTreeMap<String, BTreeSet<String>>, ApiError> {
    let mut permissions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for permission in asked {
        let Some(resource) = state.resource_of(&permission.resource_id, &pat.owner, &pat.host)
        else {
            return Err(ApiError::bad(
                "invalid_resource_id",
                "resource_id: this owner has no such resource at this host",
            ));
        };
        if !permission
            .resource_scopes
            .iter()
            .all(|scope| resource.has_scope(scope))
        {
            return Err(ApiError::bad(
                "invalid_scope",
                "resource_scopes: a scope is not registered for the resource",
            ));
        }
        permissions
            .entry(permission.resource_id)
            .or_default()
            .extend(permission.resource_scopes);
    }
    Ok(permissions)
}
