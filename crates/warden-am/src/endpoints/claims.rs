//! The claims interaction endpoint (UMA Grant section 3.3.2): the requesting party says who she is, in her browser.
//!
//! The ticket is spent when the browser brings it; the page then goes on under an address of its own, so that a reload and the sign-in page work.

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use super::{Am, paths};
use crate::auth;
use crate::pages::{self, claims as page};
use crate::params::{FormBody, Params};
use crate::reply::{self, ApiError};
use crate::shared::millis;
use crate::state::tickets::Interaction;
use crate::state::{State as AmState, limits};

const INTERACTION_LIFE_MS: i64 = 600_000;
const MAX_STATE: usize = 2_000;

pub(crate) async fn start(State(am): Am, RawQuery(query): RawQuery) -> Response {
    let params = Params::query(query.as_deref());
    let started = am.change(|state, now_ms| {
        let (client_id, redirect_uri) = where_to(state, &params).map_err(Stop::Page)?;
        let client_state = params.get("state").map_err(Stop::Page)?.map(str::to_owned);
        let back = |what: &str| {
            let pairs = [("error", "invalid_request"), ("error_description", what)];
            Stop::Redirect(target(&redirect_uri, client_state.as_deref(), &pairs))
        };
        if client_state
            .as_ref()
            .is_some_and(|state| state.len() > MAX_STATE)
        {
            return Err(Stop::Page(ApiError::invalid_request(
                "state: longer than 2000 bytes",
            )));
        }
        let ticket = params
            .require("ticket")
            .map_err(|_| back("ticket: missing, or given more than once"))?;
        let mut ticket = state
            .tickets
            .take(ticket, now_ms)
            .ok_or_else(|| back("ticket: unknown, used or ended"))?;
        if ticket
            .client
            .as_ref()
            .is_some_and(|bound| *bound != client_id)
        {
            return Err(back("ticket: belongs to another client"));
        }
        ticket.client = Some(client_id.clone());
        let interaction = Interaction {
            ticket,
            client_id,
            redirect_uri: redirect_uri.clone(),
            state: client_state.clone(),
        };
        let expires_ms = now_ms.saturating_add(INTERACTION_LIFE_MS);
        state
            .interactions
            // Part of a page's address, which is no secret: whoever opens it has to sign in.
            .issue("", interaction, expires_ms, limits::SESSIONS)
            .map_err(|error| Stop::Page(error.into()))
    });
    match started {
        Ok(Ok(id)) => reply::redirect(
            StatusCode::FOUND,
            &am.local(&format!("{}/{id}", paths::CLAIMS)),
        ),
        Ok(Err(Stop::Redirect(target))) => reply::redirect(StatusCode::FOUND, &target),
        Ok(Err(Stop::Page(error))) => pages::problem(&am, &error),
        Err(error) => ApiError::from(error).into_response(),
    }
}

enum Stop {
    Page(ApiError),
    Redirect(String),
}

pub(crate) async fn show(State(am): Am, headers: HeaderMap, Path(id): Path<String>) -> Response {
    let Some(name) = am.read(|state, now_ms| {
        let (interaction, _) = state.interactions.get(&id, now_ms)?;
        let client = state.clients.get(&interaction.client_id)?;
        Some(client.display_name().to_owned())
    }) else {
        return pages::problem(&am, &gone());
    };
    match auth::signed_in(&am, &headers) {
        Some(user) => page::show(&am, &user, &name, &id),
        None => pages::signin::first(&am, &am.local(&format!("{}/{id}", paths::CLAIMS))),
    }
}

pub(crate) async fn decide(
    State(am): Am,
    headers: HeaderMap,
    Path(id): Path<String>,
    FormBody(form): FormBody,
) -> Response {
    let here = am.local(&format!("{}/{id}", paths::CLAIMS));
    let Some(user) = auth::signed_in(&am, &headers) else {
        return pages::signin::first(&am, &here);
    };
    let decision = form.get("decision").ok().flatten();
    let shown = form.get("subject").ok().flatten();
    let tell = decision == Some("continue") && shown == Some(user.as_str());
    if !tell && decision != Some("cancel") {
        // Someone else signed in meanwhile, or no button was pressed: show it again.
        return reply::redirect(StatusCode::SEE_OTHER, &here);
    }
    let done = am.change(|state, now_ms| {
        let interaction = state.interactions.take(&id, now_ms).ok_or_else(gone)?;
        let Interaction {
            mut ticket,
            redirect_uri,
            state: client_state,
            ..
        } = interaction;
        if !tell {
            let pairs = [("error", "access_denied")];
            return Ok(target(&redirect_uri, client_state.as_deref(), &pairs));
        }
        ticket.subject = Some(user);
        let expires_ms = now_ms.saturating_add(millis(am.ticket_ttl));
        let ticket = state.issue_ticket(ticket, expires_ms)?;
        Ok(target(
            &redirect_uri,
            client_state.as_deref(),
            &[("ticket", &ticket)],
        ))
    });
    match done {
        Ok(Ok(target)) => reply::redirect(StatusCode::SEE_OTHER, &target),
        Ok(Err(error)) => pages::problem(&am, &error),
        Err(error) => ApiError::from(error).into_response(),
    }
}

fn gone() -> ApiError {
    ApiError::not_found("this page has ended: start again at the application")
}

/// The client and where its browser goes back to: a registered URI to the letter, or the only registered one.
fn where_to(state: &AmState, params: &Params) -> Result<(String, String), ApiError> {
    let id = params.require("client_id")?;
    let client = state
        .clients
        .get(id)
        .ok_or_else(|| ApiError::invalid_request("client_id: this AM does not know the client"))?;
    let registered = &client.metadata.claims_redirect_uris;
    let uri = match (params.get("claims_redirect_uri")?, registered.as_slice()) {
        (Some(uri), known) if known.iter().any(|known| known == uri) => uri.to_owned(),
        (Some(_), _) => {
            return Err(ApiError::invalid_request(
                "claims_redirect_uri: the client did not register it",
            ));
        }
        (None, [only]) => only.clone(),
        (None, _) => return Err(ApiError::invalid_request("claims_redirect_uri: missing")),
    };
    Ok((client.id.clone(), uri))
}

fn target(redirect_uri: &str, state: Option<&str>, pairs: &[(&str, &str)]) -> String {
    let mut all = pairs.to_vec();
    all.extend(state.map(|state| ("state", state)));
    reply::with_query(redirect_uri, &all)
}
