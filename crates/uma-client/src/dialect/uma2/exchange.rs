//! The UMA grant (UMA 2.0 Grant section 3.3): a ticket for an RPT, at the token endpoint.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use url::{Url, form_urlencoded};

use crate::answer::{self, Credential};
use crate::client::{request, with_body};
use crate::dialect::Context;
use crate::error::{Error, ErrorKind};
use crate::ids::{self, Ticket};
use crate::requester::{
    DEFAULT_INTERVAL, Exchange, Grant, MAX_INTERVAL, MIN_INTERVAL, TicketExchange,
};
use crate::scope::Scope;
use crate::wire::{ErrorBody, TokenResponse};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:uma-ticket";

/// A requester of UMA 2.0 authenticates with its client credentials, and has no token of its own.
pub(in crate::dialect) fn own_token<T>() -> Result<T, Error> {
    Err(Error::new(
        ErrorKind::Unsupported,
        "in UMA 2.0 a requester has no token of its own",
    ))
}

pub(in crate::dialect) fn exchange(
    context: &Context<'_>,
    exchange: &TicketExchange,
) -> Result<Request<Bytes>, Error> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    parameters(exchange, &mut form)?;
    let authorization = match (&exchange.bearer, context.credentials) {
        (Some(bearer), _) => Some(ids::bearer(bearer)?),
        (None, Some(credentials)) => credentials.authenticate(credentials.auth, &mut form)?,
        (None, None) => {
            return Err(Error::new(
                ErrorKind::Config,
                "this needs the client's credentials or a bearer token",
            ));
        }
    };
    let mut request = request(Method::POST, context.endpoints.token()?)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    with_body(request, form.finish())
}

pub(in crate::dialect) fn exchanged(
    context: &Context<'_>,
    sent: &Ticket,
    response: &Response<Bytes>,
) -> Result<Exchange, Error> {
    if response.status() == StatusCode::OK {
        let answer: TokenResponse = answer::json(response)?;
        return Grant::read(answer)
            .map(Exchange::Granted)
            .map_err(|error| answer::unreadable(response, error));
    }
    let refusal = || answer::refusal(context.profile, Credential::Other, response);
    let by_code = matches!(
        response.status(),
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
    );
    let code = answer::error_code(response).filter(|_| by_code);
    match code.as_deref() {
        Some("need_info") => need_info(context, sent, response),
        Some("request_submitted") => submitted(sent, response),
        Some("request_denied" | "access_denied") => Ok(Exchange::Denied),
        Some("invalid_grant" | "invalid_ticket" | "expired_ticket") => {
            Err(refusal().with_kind(ErrorKind::InvalidTicket))
        }
        Some("invalid_scope") => Err(refusal().with_kind(ErrorKind::InvalidScope)),
        _ => Err(refusal()),
    }
}

fn parameters(
    exchange: &TicketExchange,
    form: &mut form_urlencoded::Serializer<'_, String>,
) -> Result<(), Error> {
    form.append_pair("grant_type", GRANT_TYPE);
    form.append_pair("ticket", exchange.ticket.expose());
    if let Some((token, format)) = &exchange.claim_token {
        if token.expose().is_empty() || format.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "a claim token and its format go together",
            ));
        }
        form.append_pair("claim_token", token.expose());
        form.append_pair("claim_token_format", format);
    }
    if let Some(pct) = &exchange.pct {
        form.append_pair("pct", pct.expose());
    }
    if let Some(rpt) = &exchange.rpt {
        form.append_pair("rpt", rpt.expose());
    }
    if !exchange.scopes.is_empty() {
        let scopes: Vec<&str> = exchange.scopes.iter().map(Scope::as_str).collect();
        form.append_pair("scope", &scopes.join(" "));
    }
    for (name, value) in &exchange.extra {
        form.append_pair(name, value.expose());
    }
    Ok(())
}

fn need_info(
    context: &Context<'_>,
    sent: &Ticket,
    response: &Response<Bytes>,
) -> Result<Exchange, Error> {
    let body: ErrorBody = answer::json(response)?;
    let ticket = next_ticket(sent, &body)?;
    let redirect_user = match body.redirect_user.as_deref() {
        None => None,
        Some(text) => Some(
            Url::parse(text)
                .ok()
                .filter(|url| {
                    url.scheme() == "https" || (url.scheme() == "http" && context.allow_http)
                })
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::Malformed,
                        "member `redirect_user` is not an https URL",
                    )
                })?,
        ),
    };
    if redirect_user.is_none() && body.required_claims.is_empty() {
        return Err(Error::new(
            ErrorKind::Malformed,
            "`need_info` without `required_claims` and without `redirect_user`",
        ));
    }
    Ok(Exchange::NeedInfo {
        ticket,
        required_claims: body.required_claims,
        redirect_user,
    })
}

fn submitted(sent: &Ticket, response: &Response<Bytes>) -> Result<Exchange, Error> {
    let body: ErrorBody = answer::json(response)?;
    let interval = body.interval.map_or(DEFAULT_INTERVAL, Duration::from_secs);
    Ok(Exchange::Submitted {
        ticket: next_ticket(sent, &body)?,
        interval: interval.clamp(MIN_INTERVAL, MAX_INTERVAL),
    })
}

/// Tickets rotate (UMA 2.0 Grant section 3.3.6): the new one differs from the one that was sent.
fn next_ticket(sent: &Ticket, body: &ErrorBody) -> Result<Ticket, Error> {
    let Some(ticket) = &body.ticket else {
        return Err(Error::new(
            ErrorKind::Malformed,
            "member `ticket` is missing",
        ));
    };
    let ticket = Ticket::parse(ticket.expose())?;
    if ticket == *sent {
        return Err(Error::new(
            ErrorKind::Malformed,
            "member `ticket` is the ticket that was sent",
        ));
    }
    Ok(ticket)
}
