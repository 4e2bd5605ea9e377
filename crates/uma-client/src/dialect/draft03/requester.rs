//! The requester's side: a token of its own, and what a ticket is exchanged for.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use url::{Url, form_urlencoded};

use super::shape::{self, malformed};
use super::wire::{AccessToken, media};
use crate::answer::{self, Credential};
use crate::client::{request, with_body};
use crate::dialect::Context;
use crate::error::{Error, ErrorKind};
use crate::ids::{self, Ticket};
use crate::requester::{Exchange, Grant, TicketExchange};
use crate::wire::{ErrorBody, TokenResponse};

const FORM: &str = "application/x-www-form-urlencoded";

/// A ticket is presented with the requester's token: one that it has, or its own.
pub(in crate::dialect) fn exchange_needs_token(exchange: &TicketExchange) -> bool {
    exchange.bearer.is_none() && exchange.rpt.is_none()
}

/// The requester's own token (RFC 6749 section 4.4): the draft leaves the grant open, and this is the one for programs.
pub(in crate::dialect) fn own_token(context: &Context<'_>) -> Result<Request<Bytes>, Error> {
    let Some(credentials) = context.credentials else {
        return Err(Error::new(
            ErrorKind::Config,
            "this needs the client's credentials",
        ));
    };
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    let authorization = credentials.authenticate(credentials.auth, &mut form)?;
    let mut request =
        request(Method::POST, context.endpoints.requester_token()?).header(CONTENT_TYPE, FORM);
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    with_body(request, form.finish())
}

pub(in crate::dialect) fn own_token_given(
    context: &Context<'_>,
    response: &Response<Bytes>,
) -> Result<Grant, Error> {
    if response.status() != StatusCode::OK {
        return Err(answer::refusal(
            context.profile,
            Credential::Other,
            response,
        ));
    }
    let token: TokenResponse = shape::object(response)?;
    Grant::read(token).map_err(|error| answer::unreadable(response, error))
}

/// The ticket goes by GET, which every AM of the draft has to take. Claims go by POST, which it may take: they are nothing
/// for an address.
pub(in crate::dialect) fn exchange(
    context: &Context<'_>,
    exchange: &TicketExchange,
) -> Result<Request<Bytes>, Error> {
    if exchange.pct.is_some() || !exchange.scopes.is_empty() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "this dialect knows no persisted claims token and no scopes beyond those of the ticket",
        ));
    }
    let Some(token) = exchange.bearer.as_ref().or(exchange.rpt.as_ref()) else {
        return Err(Error::new(
            ErrorKind::Config,
            "this dialect exchanges a ticket with a token of the requester",
        ));
    };
    let endpoint = context.endpoints.permission_request()?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("ticket", exchange.ticket.expose());
    for (name, value) in &exchange.extra {
        form.append_pair(name, value.expose());
    }
    let begin = |method: Method, url: &Url| -> Result<http::request::Builder, Error> {
        Ok(Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(ACCEPT, format!("{}, application/json", media::ACCESS_TOKEN))
            .header(AUTHORIZATION, ids::bearer(token)?))
    };
    match &exchange.claim_token {
        None => {
            let mut url = endpoint.clone();
            let pairs = form.finish();
            let query = match endpoint.query() {
                Some(query) if !query.is_empty() => format!("{query}&{pairs}"),
                _ => pairs,
            };
            url.set_query(Some(&query));
            with_body(begin(Method::GET, &url)?, Bytes::new())
        }
        Some((claims, format)) => {
            if claims.expose().is_empty() || format.is_empty() {
                return Err(Error::new(
                    ErrorKind::Config,
                    "a claim token and its format go together",
                ));
            }
            form.append_pair("claim_token", claims.expose());
            form.append_pair("claim_token_format", format);
            let request = begin(Method::POST, endpoint)?.header(CONTENT_TYPE, FORM);
            with_body(request, form.finish())
        }
    }
}

pub(in crate::dialect) fn exchanged(
    context: &Context<'_>,
    sent: &Ticket,
    response: &Response<Bytes>,
) -> Result<Exchange, Error> {
    let refusal = || answer::refusal(context.profile, Credential::Other, response);
    match response.status() {
        StatusCode::CREATED => {
            let answer: AccessToken = shape::object(response)?;
            Grant::read(TokenResponse::bearer(answer.token))
                .map(Exchange::Granted)
                .map_err(|_| malformed(response, "member `token` cannot be sent as a bearer token"))
        }
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN => {
            match answer::error_code(response).as_deref() {
                Some("need_claims") => need_claims(context, sent, response),
                Some("not_authorized_permission") => Ok(Exchange::Denied),
                Some("invalid_requester_ticket" | "expired_requester_ticket") => {
                    Err(refusal().with_kind(ErrorKind::InvalidTicket))
                }
                _ => Err(refusal()),
            }
        }
        _ => Err(refusal()),
    }
}

/// The draft's successors have the code and say nothing of a body: what UMA 2.0 puts there is read, nothing is required, and
/// the ticket stays good.
fn need_claims(
    context: &Context<'_>,
    sent: &Ticket,
    response: &Response<Bytes>,
) -> Result<Exchange, Error> {
    let body: ErrorBody = shape::object(response)?;
    let ticket = match &body.ticket {
        Some(ticket) => Ticket::parse(ticket.expose())?,
        None => sent.clone(),
    };
    let redirect_user = match body.redirect_user.as_deref() {
        None => None,
        Some(text) => Some(
            Url::parse(text)
                .ok()
                .filter(|url| {
                    url.scheme() == "https" || (url.scheme() == "http" && context.allow_http)
                })
                .ok_or_else(|| malformed(response, "member `redirect_user` is not an https URL"))?,
        ),
    };
    Ok(Exchange::NeedInfo {
        ticket,
        required_claims: body.required_claims,
        redirect_user,
    })
}
