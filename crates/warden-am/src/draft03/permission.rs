//! Permission registration: a ticket for one permission.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use uma_client::wire::TicketResponse;
use uma_client::wire::draft03::{RequestedPermission, media};

use super::body::Body;
use super::reply::{StatusError, typed};
use super::{hat, paths};
use crate::endpoints::Am;
use crate::reply::ApiError;
use crate::secrets;
use crate::shared::millis;
use crate::state::tickets::Ticket;

pub(super) async fn register(
    State(am): Am,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, StatusError> {
    let pat = am.read(|state, now_ms| hat(state, &headers, now_ms))?;
    let asked: RequestedPermission = body.parse()?;
    let ticket = am.change(|state, now_ms| {
        let Some(resource) = state.resource_of(&asked.resource_set_id, &pat.owner, &pat.host)
        else {
            return Err(ApiError::bad(
                "invalid_resource_set_id",
                "resource_set_id: this owner has no such resource set at this host",
            ));
        };
        let known = |scope: &String| resource.has_scope(scope);
        if asked.scopes.is_empty() || !asked.scopes.iter().all(known) {
            return Err(ApiError::bad(
                "invalid_scope",
                "scopes: none, or one that is not registered for the resource set",
            ));
        }
        let scopes = asked.scopes.into_iter().collect();
        let ticket = Ticket {
            owner: pat.owner,
            host: pat.host,
            permissions: [(asked.resource_set_id, scopes)].into(),
            client: None,
            subject: None,
        };
        let expires_ms = now_ms.saturating_add(millis(am.ticket_ttl));
        Ok(state.issue_ticket(ticket, expires_ms)?)
    })??;
    let body = TicketResponse {
        ticket: ticket.into(),
    };
    let mut response = typed(StatusCode::CREATED, media::PERMISSION_TICKET, &body);
    // The address says nothing: the ticket is a secret.
    let location = am.url(&format!("{}/{}", paths::PERMISSION, secrets::random_id()?));
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
