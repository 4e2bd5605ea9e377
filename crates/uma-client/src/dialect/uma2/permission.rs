//! Permission requests and introspection (UMA Federated Authorization 1.0 sections 4 and 5).

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use url::form_urlencoded;

use crate::answer::{self, Credential};
use crate::client::{
    ClientAuth, Introspection, IntrospectionCredential, PermissionOutcome, expect, request,
    with_body,
};
use crate::dialect::Context;
use crate::error::{Error, ErrorKind};
use crate::ids::{self, Pat, Ticket};
use crate::profile::{IntrospectionAuth, TicketBody};
use crate::secret::Secret;
use crate::wire::{IntrospectionResponse, PermissionRequest, TicketResponse};

pub(crate) fn ask(
    context: &Context<'_>,
    pat: &Pat,
    permissions: &[PermissionRequest],
) -> Result<Request<Bytes>, Error> {
    let body = match permissions {
        [] => {
            return Err(Error::new(
                ErrorKind::Config,
                "a permission request holds at least one permission",
            ));
        }
        [one] if context.profile.ticket_body == TicketBody::Object => serde_json::to_vec(one),
        [_, _, ..] if !context.profile.several_permissions => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this AM takes one permission per request",
            ));
        }
        several => serde_json::to_vec(several),
    };
    let body = body.map_err(|error| {
        Error::new(
            ErrorKind::Config,
            "the permission request cannot be written",
        )
        .with_source(error)
    })?;
    let request = request(Method::POST, context.endpoints.permission()?)
        .header(AUTHORIZATION, ids::bearer(pat.secret())?)
        .header(CONTENT_TYPE, "application/json");
    with_body(request, body)
}

pub(crate) fn asked(
    context: &Context<'_>,
    response: &Response<Bytes>,
) -> Result<PermissionOutcome, Error> {
    if context.profile.accept_200_no_ticket
        && matches!(response.status(), StatusCode::OK | StatusCode::NO_CONTENT)
        && answer::json::<TicketResponse>(response).is_err()
    {
        return Ok(PermissionOutcome::NoneNeeded);
    }
    let due: &[StatusCode] = if context.profile.accept_200_no_ticket {
        &[StatusCode::CREATED, StatusCode::OK]
    } else {
        &[StatusCode::CREATED]
    };
    let answer: TicketResponse = expect(context.profile, Credential::Pat, due, response)?;
    let ticket = Ticket::parse(answer.ticket.expose())
        .map_err(|error| answer::unreadable(response, error))?;
    Ok(PermissionOutcome::Ticket(ticket))
}

pub(crate) fn introspect(
    context: &Context<'_>,
    credential: IntrospectionCredential<'_>,
    token: &Secret,
) -> Result<Request<Bytes>, Error> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("token", token.expose());
    if let Some(hint) = &context.profile.token_type_hint {
        form.append_pair("token_type_hint", hint);
    }
    let by_client =
        |form: &mut form_urlencoded::Serializer<'_, String>, method| match context.credentials {
            Some(credentials) => credentials.authenticate(method, form),
            None => Err(Error::new(
                ErrorKind::Config,
                "introspection here needs the client's credentials",
            )),
        };
    let authorization = match (context.profile.introspection_auth, credential) {
        (IntrospectionAuth::Pat, IntrospectionCredential::Pat(pat)) => {
            Some(ids::bearer(pat.secret())?)
        }
        (IntrospectionAuth::Pat, IntrospectionCredential::Client) => {
            return Err(Error::new(
                ErrorKind::Config,
                "introspection here needs a PAT",
            ));
        }
        (IntrospectionAuth::ClientSecretBasic, _) => by_client(&mut form, ClientAuth::Basic)?,
        (IntrospectionAuth::ClientSecretPost, _) => by_client(&mut form, ClientAuth::Post)?,
    };
    let mut request = request(Method::POST, context.endpoints.introspection()?)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    with_body(request, form.finish())
}

pub(crate) fn introspected(
    context: &Context<'_>,
    response: &Response<Bytes>,
) -> Result<Introspection, Error> {
    let credential = match context.profile.introspection_auth {
        IntrospectionAuth::Pat => Credential::Pat,
        _ => Credential::Other,
    };
    let answer: IntrospectionResponse =
        expect(context.profile, credential, &[StatusCode::OK], response)?;
    Ok(if answer.active {
        Introspection::Active(answer)
    } else {
        Introspection::Inactive
    })
}
