//! Permission registration: one permission for a ticket.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};

use super::resources::call;
use super::scope_to_wire;
use super::shape;
use super::wire::{RequestedPermission, media};
use crate::answer::{self, Credential};
use crate::client::{PermissionOutcome, with_body};
use crate::dialect::Context;
use crate::error::{Error, ErrorKind};
use crate::ids::{Pat, Ticket};
use crate::wire::{PermissionRequest, TicketResponse};

pub(in crate::dialect) fn ask(
    context: &Context<'_>,
    pat: &Pat,
    permissions: &[PermissionRequest],
) -> Result<Request<Bytes>, Error> {
    let refuse = |kind, why: &'static str| Err(Error::new(kind, why));
    let permission = match permissions {
        [] => {
            return refuse(
                ErrorKind::Config,
                "a permission request holds at least one permission",
            );
        }
        [one] if one.resource_scopes.is_empty() => {
            return refuse(
                ErrorKind::Config,
                "a permission request of this dialect holds at least one scope",
            );
        }
        [one] => RequestedPermission {
            resource_set_id: one.resource_id.clone(),
            scopes: one
                .resource_scopes
                .iter()
                .map(|scope| scope_to_wire(context, scope))
                .collect(),
        },
        _ => {
            return refuse(
                ErrorKind::Unsupported,
                "this dialect takes one permission per request",
            );
        }
    };
    let body = serde_json::to_vec(&permission).map_err(|error| {
        Error::new(
            ErrorKind::Config,
            "the permission request cannot be written",
        )
        .with_source(error)
    })?;
    let url = context.endpoints.permission()?;
    let request = call(Method::POST, url, pat, media::PERMISSION_TICKET)?
        .header(CONTENT_TYPE, media::REQUESTED_PERMISSION);
    with_body(request, body)
}

pub(in crate::dialect) fn asked(
    context: &Context<'_>,
    response: &Response<Bytes>,
) -> Result<PermissionOutcome, Error> {
    if response.status() != StatusCode::CREATED {
        return Err(answer::refusal(context.profile, Credential::Pat, response));
    }
    let answer: TicketResponse = shape::object(response)?;
    let ticket = Ticket::parse(answer.ticket.expose())
        .map_err(|error| answer::unreadable(response, error))?;
    Ok(PermissionOutcome::Ticket(ticket))
}
