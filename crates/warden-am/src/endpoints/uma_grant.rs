//! The UMA grant (UMA Grant section 3.3): from a ticket to an RPT, or to what is still needed.

use std::collections::{BTreeMap, BTreeSet};

use axum::response::Response;
use http::StatusCode;
use uma_client::wire::{RequiredClaim, TokenResponse};

use super::{claim_token, paths, token};
use crate::CLAIM_TOKEN_FORMAT;
use crate::auth::{self, Authorization};
use crate::params::Params;
use crate::reply::{self, ApiError};
use crate::shared::{Shared, millis};
use crate::state::clients::{Client, OPENID_SCOPE, UMA_TICKET, split_scope};
use crate::state::policies::Asked;
use crate::state::tickets::{Pct, Ticket};
use crate::state::tokens::{Granted, Rpt};
use crate::state::{Party, State, limits};

const PCT_LIFE_MS: i64 = 24 * 3_600_000;

pub(crate) fn grant(
    am: &Shared,
    state: &mut State,
    now_ms: i64,
    authorization: &Authorization,
    form: &Params,
) -> Result<Response, ApiError> {
    let (client, bearer) = client(state, now_ms, authorization, form)?;
    token::check_grant_type(&client, UMA_TICKET)?;
    let presented = Presented::read(form)?;
    let mut ticket = take_ticket(state, now_ms, presented.ticket, &client)?;
    let extra = extra_scopes(state, &client, &ticket, presented.scope)?;
    let subject = match identify(state, now_ms, &client, &ticket, &presented, bearer) {
        Ok(subject) => subject,
        Err(why) => return Err(need_info(am, state, now_ms, ticket, why)),
    };
    ticket.subject = Some(subject.clone());
    let assessed = assess(state, now_ms, &ticket, &extra, &subject, &client.id);
    let waiting = ask_owner(state, now_ms, &ticket, &assessed, &subject, &client.id)?;
    if !assessed.granted.is_empty() {
        return issue(
            am, state, now_ms, &client, ticket, &subject, assessed, &presented,
        );
    }
    if waiting {
        return Err(submitted(am, state, now_ms, ticket));
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "request_denied",
        "no policy allows this, and the owner refused or can't be asked",
    ))
}

struct Presented<'a> {
    ticket: &'a str,
    claim_token: Option<(&'a str, &'a str)>,
    pct: Option<&'a str>,
    rpt: Option<&'a str>,
    scope: Option<&'a str>,
}

impl<'a> Presented<'a> {
    fn read(form: &'a Params) -> Result<Self, ApiError> {
        let claim_token = match (form.get("claim_token")?, form.get("claim_token_format")?) {
            (None, None) => None,
            (Some(token), Some(format)) => Some((token, format)),
            (Some(_), None) => {
                return Err(ApiError::invalid_request("claim_token_format: missing"));
            }
            (None, Some(_)) => return Err(ApiError::invalid_request("claim_token: missing")),
        };
        Ok(Self {
            ticket: form.require("ticket")?,
            claim_token,
            pct: form.get("pct")?,
            rpt: form.get("rpt")?,
            scope: form.get("scope")?,
        })
    }
}

/// The client, and the requesting party when the request bears her own access token (with the scope `openid`) instead of client credentials.
fn client(
    state: &State,
    now_ms: i64,
    authorization: &Authorization,
    form: &Params,
) -> Result<(Client, Option<String>), ApiError> {
    let Authorization::Bearer(token) = authorization else {
        return Ok((auth::client(state, authorization, form)?, None));
    };
    let invalid = || ApiError::invalid_token(true);
    let (token, _) = state.access_tokens.get(token, now_ms).ok_or_else(invalid)?;
    let client = state.clients.get(&token.client_id).ok_or_else(invalid)?;
    if form.get("client_id")?.is_some_and(|id| id != client.id) {
        return Err(ApiError::invalid_request(
            "client_id: not the client of the bearer token",
        ));
    }
    let identifies = token.scopes.iter().any(|scope| scope == OPENID_SCOPE);
    match token.party.user() {
        Some(user) if identifies => Ok((client.clone(), Some(user.to_owned()))),
        _ => Err(ApiError::invalid_client(
            "Authorization: only a person's access token with the scope openid says who is asking",
        )),
    }
}

/// A ticket is spent when it is presented, and belongs to the client that presented it first.
fn take_ticket(
    state: &mut State,
    now_ms: i64,
    presented: &str,
    client: &Client,
) -> Result<Ticket, ApiError> {
    let mut ticket = state
        .tickets
        .take(presented, now_ms)
        .ok_or_else(|| ApiError::invalid_grant("ticket: unknown, used or ended"))?;
    if ticket
        .client
        .as_ref()
        .is_some_and(|bound| *bound != client.id)
    {
        return Err(ApiError::invalid_grant("ticket: belongs to another client"));
    }
    ticket.client = Some(client.id.clone());
    Ok(ticket)
}

/// The scopes that the client asks for beyond the ticket's: only those it registered count (UMA Grant section 3.3.4).
fn extra_scopes(
    state: &State,
    client: &Client,
    ticket: &Ticket,
    scope: Option<&str>,
) -> Result<BTreeSet<String>, ApiError> {
    let mut extra = BTreeSet::new();
    for scope in split_scope(scope.unwrap_or_default()) {
        let known = ticket
            .permissions
            .keys()
            .filter_map(|id| state.resources.get(id))
            .any(|resource| resource.has_scope(scope));
        if !known {
            let what = format!("scope: none of the ticket's resources has {scope}");
            return Err(ApiError::bad("invalid_scope", &what));
        }
        if client.registered_scope(scope) {
            extra.insert(scope.to_owned());
        }
    }
    Ok(extra)
}

/// Who is asking; `Err` says why that is not known.
fn identify(
    state: &State,
    now_ms: i64,
    client: &Client,
    ticket: &Ticket,
    presented: &Presented<'_>,
    bearer: Option<String>,
) -> Result<String, &'static str> {
    let subject = match presented.claim_token {
        Some((_, format)) if format != CLAIM_TOKEN_FORMAT => {
            return Err("claim_token_format: not known here");
        }
        Some((pushed, _)) => claim_token::subject(state, now_ms, pushed, &client.id)?,
        None => bearer
            .or_else(|| ticket.subject.clone())
            .or_else(|| pct(state, now_ms, client, presented.pct).map(|pct| pct.subject.clone()))
            .ok_or("who is asking is not known")?,
    };
    if state.users.contains_key(&subject) {
        Ok(subject)
    } else {
        Err("who is asking is not known any more")
    }
}

fn pct<'a>(
    state: &'a State,
    now_ms: i64,
    client: &Client,
    presented: Option<&str>,
) -> Option<&'a Pct> {
    let (pct, _) = state.pcts.get(presented?, now_ms)?;
    (pct.client_id == client.id).then_some(pct)
}

/// What of a ticket the policies allow, and what not.
#[derive(Default)]
pub(crate) struct Assessed {
    pub(crate) granted: BTreeMap<String, Granted>,
    missing: BTreeMap<String, BTreeSet<String>>,
}

/// Holds what is asked for against the policies, scope by scope. A ticket without scopes asks for whatever the owner allows.
pub(crate) fn assess(
    state: &State,
    now_ms: i64,
    ticket: &Ticket,
    extra: &BTreeSet<String>,
    subject: &str,
    client: &str,
) -> Assessed {
    let mut assessed = Assessed::default();
    for (id, scopes) in &ticket.permissions {
        let Some(resource) = state.resources.get(id) else {
            continue;
        };
        let of_resource = |scope: &&String| resource.has_scope(scope);
        let asked: BTreeSet<String> = scopes.union(extra).filter(of_resource).cloned().collect();
        let allowed = state.allowed(id, subject, client, now_ms);
        let open_ended = asked.is_empty();
        let asked = if open_ended {
            resource
                .description
                .resource_scopes
                .iter()
                .cloned()
                .collect()
        } else {
            asked
        };
        let (by_policy, missing): (BTreeSet<String>, BTreeSet<String>) = asked
            .into_iter()
            .partition(|scope| allowed.contains_key(scope));
        let wanting = !missing.is_empty() && (!open_ended || by_policy.is_empty());
        if wanting {
            assessed.missing.insert(id.clone(), missing);
        }
        if !by_policy.is_empty() {
            let granted = Granted {
                by_policy,
                by_script: BTreeSet::new(),
            };
            assessed.granted.insert(id.clone(), granted);
        }
    }
    assessed
}

/// Asks the owner for what no policy allows. True when something waits for her.
pub(crate) fn ask_owner(
    state: &mut State,
    now_ms: i64,
    ticket: &Ticket,
    assessed: &Assessed,
    subject: &str,
    client: &str,
) -> Result<bool, ApiError> {
    if matches!(ticket.owner, Party::Client(_)) {
        return Ok(false);
    }
    let mut waiting = false;
    for (resource, scopes) in &assessed.missing {
        let asked = state.ask_owner(resource, subject, client, scopes, now_ms)?;
        waiting |= asked == Asked::Waiting;
    }
    Ok(waiting)
}

#[expect(clippy::too_many_arguments, reason = "the last step of one flow")]
fn issue(
    am: &Shared,
    state: &mut State,
    now_ms: i64,
    client: &Client,
    ticket: Ticket,
    subject: &str,
    assessed: Assessed,
    presented: &Presented<'_>,
) -> Result<Response, ApiError> {
    let mut rpt = Rpt {
        client_id: client.id.clone(),
        subject: subject.to_owned(),
        owner: ticket.owner,
        host: ticket.host,
        permissions: assessed.granted,
        issued_ms: now_ms,
        expires_ms: token::expiry(am, now_ms),
    };
    let mut upgraded = None;
    if let Some(old_token) = presented.rpt {
        let old = state.rpts.get(old_token, now_ms).map(|(old, _)| old);
        if let Some(old) = old.filter(|old| old.same_parties(&rpt)) {
            rpt.absorb(old);
            state.rpts.take(old_token, now_ms);
            upgraded = Some(true);
        }
    }
    let known = pct(state, now_ms, client, presented.pct).is_some_and(|pct| pct.subject == subject);
    let pct = match presented.pct.filter(|_| known) {
        Some(pct) => pct.to_owned(),
        None => {
            let pct = Pct {
                client_id: client.id.clone(),
                subject: subject.to_owned(),
            };
            let expires_ms = now_ms.saturating_add(PCT_LIFE_MS);
            state
                .pcts
                .issue(&state.mark, pct, expires_ms, limits::TOKENS)?
        }
    };
    let answer = TokenResponse {
        access_token: state.issue_rpt(rpt)?.into(),
        token_type: "Bearer".to_owned(),
        expires_in: Some(am.token_ttl.as_secs()),
        refresh_token: None,
        refresh_expires_in: None,
        scope: None,
        pct: Some(pct.into()),
        upgraded,
    };
    Ok(reply::json(StatusCode::OK, &answer))
}

fn rotated(
    am: &Shared,
    state: &mut State,
    now_ms: i64,
    ticket: Ticket,
) -> Result<String, ApiError> {
    let expires_ms = now_ms.saturating_add(millis(am.ticket_ttl));
    state
        .issue_ticket(ticket, expires_ms)
        .map_err(ApiError::from)
}

fn need_info(am: &Shared, state: &mut State, now_ms: i64, ticket: Ticket, why: &str) -> ApiError {
    let ticket = match rotated(am, state, now_ms, ticket) {
        Ok(ticket) => ticket,
        Err(error) => return error,
    };
    let mut error = ApiError::new(StatusCode::FORBIDDEN, "need_info", why);
    let body = error.body_mut();
    body.ticket = Some(ticket.into());
    body.redirect_user = Some(am.url(paths::CLAIMS));
    body.required_claims = vec![RequiredClaim {
        claim_token_format: vec![CLAIM_TOKEN_FORMAT.to_owned()],
        claim_type: Some("string".to_owned()),
        friendly_name: Some("Who you are at this authorization manager".to_owned()),
        issuer: vec![am.issuer.clone()],
        name: Some("sub".to_owned()),
    }];
    error
}

fn submitted(am: &Shared, state: &mut State, now_ms: i64, ticket: Ticket) -> ApiError {
    let ticket = match rotated(am, state, now_ms, ticket) {
        Ok(ticket) => ticket,
        Err(error) => return error,
    };
    let mut error = ApiError::new(
        StatusCode::FORBIDDEN,
        "request_submitted",
        "the owner was asked; poll with the new ticket",
    );
    let body = error.body_mut();
    body.ticket = Some(ticket.into());
    body.interval = Some(am.poll_interval.as_secs().max(1));
    error
}
