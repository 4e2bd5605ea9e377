//! The requester's endpoints, and the host's token endpoint beside them.
//!
//! A ticket stays good until it is exchanged or ends: who is refused may come again with it, when the owner has made up her
//! mind.

use std::collections::BTreeSet;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use uma_client::wire::TokenResponse;
use uma_client::wire::draft03::{AccessToken as Answer, media};

use super::REQUESTER_SCOPE;
use super::reply::{StatusError, typed};
use crate::CLAIM_TOKEN_FORMAT;
use crate::auth::{self, Authorization};
use crate::endpoints::{Am, claim_token, token, uma_grant};
use crate::params::{FormBody, Params};
use crate::reply::{self, ApiError};
use crate::secrets;
use crate::shared::Shared;
use crate::state::clients::{CLIENT_CREDENTIALS, Client, UMA_TICKET};
use crate::state::tickets::Ticket;
use crate::state::tokens::{AccessToken, Rpt};
use crate::state::{Party, State as AmState};

/// The host's token: all of OAuth's grants, and not the grant of UMA 2.0.
pub(super) async fn host_token(
    am: Am,
    headers: HeaderMap,
    FormBody(form): FormBody,
) -> Result<Response, ApiError> {
    if form.get("grant_type")? == Some(UMA_TICKET) {
        return Err(ApiError::bad(
            "unsupported_grant_type",
            "grant_type: not known here",
        ));
    }
    token::grant(am, headers, FormBody(form)).await
}

/// The requester's own token, for a client that says who it is.
pub(super) async fn own_token(
    State(am): Am,
    headers: HeaderMap,
    FormBody(form): FormBody,
) -> Result<Response, ApiError> {
    let authorization = Authorization::read(&headers)?;
    if form.require("grant_type")? != CLIENT_CREDENTIALS {
        return Err(ApiError::bad(
            "unsupported_grant_type",
            "grant_type: must be client_credentials",
        ));
    }
    let token = am.change(|state, now_ms| {
        let client = auth::client(state, &authorization, &form)?;
        if !client.may_use(UMA_TICKET) {
            token::check_grant_type(&client, CLIENT_CREDENTIALS)?;
        }
        let token = AccessToken {
            party: Party::Client(client.id.clone()),
            client_id: client.id,
            scopes: vec![REQUESTER_SCOPE.to_owned()],
            family: secrets::random_id()?,
        };
        Ok::<_, ApiError>(state.issue_access_token(token, token::expiry(&am, now_ms))?)
    })??;
    let mut answer = TokenResponse::bearer(token);
    answer.expires_in = Some(am.token_ttl.as_secs());
    Ok(reply::json(StatusCode::OK, &answer))
}

pub(super) async fn by_query(
    State(am): Am,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, StatusError> {
    exchange(&am, &headers, &Params::query(query.as_deref()))
}

pub(super) async fn by_form(
    State(am): Am,
    headers: HeaderMap,
    FormBody(form): FormBody,
) -> Result<Response, StatusError> {
    exchange(&am, &headers, &form)
}

/// Whether this is a requester's own token: good, without any permission.
pub(super) fn is_own_token(state: &AmState, token: &str, now_ms: i64) -> bool {
    let own = |scope: &String| scope == REQUESTER_SCOPE;
    state
        .access_tokens
        .get(token, now_ms)
        .is_some_and(|(token, _)| token.scopes.iter().any(own))
}

fn exchange(am: &Shared, headers: &HeaderMap, params: &Params) -> Result<Response, StatusError> {
    let authorization = Authorization::read(headers)?;
    let token = am.change(|state, now_ms| {
        let caller = Caller::read(state, now_ms, &authorization)?;
        let presented = params.require("ticket")?;
        let ticket = find_ticket(state, now_ms, presented, &caller.client)?;
        let subject = caller.subject(state, now_ms, params, &ticket)?;
        if let Some(kept) = state.tickets.get_mut(presented, now_ms) {
            kept.client = Some(caller.client.id.clone());
            kept.subject = Some(subject.clone());
        }
        let client = &caller.client.id;
        let assessed =
            uma_grant::assess(state, now_ms, &ticket, &BTreeSet::new(), &subject, client);
        uma_grant::ask_owner(state, now_ms, &ticket, &assessed, &subject, client)?;
        if assessed.granted.is_empty() {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "not_authorized_permission",
                "no policy allows this; the owner was asked, or refused",
            ));
        }
        state.tickets.take(presented, now_ms);
        let mut rpt = Rpt {
            client_id: client.clone(),
            subject,
            owner: ticket.owner,
            host: ticket.host,
            permissions: assessed.granted,
            issued_ms: now_ms,
            expires_ms: token::expiry(am, now_ms),
        };
        if let Some((old_token, old)) = &caller.rpt
            && old.same_parties(&rpt)
        {
            rpt.absorb(old);
            state.rpts.take(old_token, now_ms);
        }
        Ok(state.issue_rpt(rpt)?)
    })??;
    let answer = Answer {
        token: token.into(),
    };
    Ok(typed(StatusCode::CREATED, media::ACCESS_TOKEN, &answer))
}

/// Who presents a ticket.
struct Caller {
    client: Client,
    subject: Option<String>,
    /// A token with permissions, to which more are added.
    rpt: Option<(String, Rpt)>,
}

impl Caller {
    fn read(state: &AmState, now_ms: i64, authorization: &Authorization) -> Result<Self, ApiError> {
        let Authorization::Bearer(token) = authorization else {
            return Err(ApiError::invalid_token(false));
        };
        let invalid = || ApiError::invalid_token(true);
        let client = |id: &str| state.clients.get(id).cloned().ok_or_else(invalid);
        if let Some(rpt) = state.live_rpt(token, now_ms) {
            return Ok(Self {
                client: client(&rpt.client_id)?,
                subject: Some(rpt.subject.clone()),
                rpt: Some((token.clone(), rpt.clone())),
            });
        }
        if !is_own_token(state, token, now_ms) {
            return Err(invalid());
        }
        let (own, _) = state.access_tokens.get(token, now_ms).ok_or_else(invalid)?;
        Ok(Self {
            client: client(&own.client_id)?,
            subject: None,
            rpt: None,
        })
    }

    /// The requesting party: what was pushed now, what the token says, what was pushed with the ticket before.
    fn subject(
        &self,
        state: &AmState,
        now_ms: i64,
        params: &Params,
        ticket: &Ticket,
    ) -> Result<String, ApiError> {
        let need_claims = |why: &str| ApiError::new(StatusCode::FORBIDDEN, "need_claims", why);
        let pushed = params.get("claim_token")?;
        let format = params.get("claim_token_format")?;
        let subject = match (pushed, format) {
            (Some(token), Some(CLAIM_TOKEN_FORMAT)) => {
                claim_token::subject(state, now_ms, token, &self.client.id).map_err(need_claims)?
            }
            (Some(_), _) => return Err(need_claims("claim_token_format: missing, or not known")),
            (None, _) => self
                .subject
                .clone()
                .or_else(|| ticket.subject.clone())
                .ok_or_else(|| need_claims("who is asking is not known"))?,
        };
        if state.users.contains_key(&subject) {
            Ok(subject)
        } else {
            Err(need_claims("who is asking is not known any more"))
        }
    }
}

/// A ticket belongs to the client that presented it first.
fn find_ticket(
    state: &AmState,
    now_ms: i64,
    presented: &str,
    client: &Client,
) -> Result<Ticket, ApiError> {
    let Some((ticket, _)) = state.tickets.get(presented, now_ms) else {
        return Err(if state.tickets.has_ended(presented, now_ms) {
            ApiError::bad("expired_requester_ticket", "ticket: ended")
        } else {
            ApiError::bad("invalid_requester_ticket", "ticket: unknown or used")
        });
    };
    let foreign = |bound: &String| *bound != client.id;
    if ticket.client.as_ref().is_some_and(foreign) {
        return Err(ApiError::bad(
            "invalid_requester_ticket",
            "ticket: belongs to another client",
        ));
    }
    Ok(ticket.clone())
}
