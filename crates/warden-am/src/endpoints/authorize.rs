//! The authorization endpoint: a person lets a client act for her (RFC 6749 section 4.1, RFC 7636, RFC 9207).

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use super::{Am, paths};
use crate::auth;
use crate::pages::{self, consent};
use crate::params::{FormBody, Params};
use crate::reply::{self, ApiError};
use crate::secrets;
use crate::shared::Shared;
use crate::state::clients::{AUTHORIZATION_CODE, Client};
use crate::state::tokens::Code;
use crate::state::{State as AmState, limits};

const CODE_LIFE_MS: i64 = 60_000;
/// A spent code is remembered this long, so that a replay is noticed.
const CODE_KEPT_MS: i64 = 3_600_000;
const MAX_STATE: usize = 2_000;

/// A request that may be answered by a redirect.
pub(crate) struct Request {
    pub(crate) client: Client,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) challenge: String,
}

enum Refusal {
    /// The client or its redirect URI is not good: the browser stays here.
    Page(ApiError),
    Redirect(String),
}

impl Refusal {
    fn into_response(self, am: &Shared, status: StatusCode) -> Response {
        match self {
            Self::Page(error) => pages::problem(am, &error),
            Self::Redirect(target) => reply::redirect(status, &target),
        }
    }
}

pub(crate) async fn show(State(am): Am, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let params = Params::query(query.as_deref());
    let request = match am.read(|state, _| read(&am, state, &params)) {
        Ok(request) => request,
        Err(refusal) => return refusal.into_response(&am, StatusCode::FOUND),
    };
    match auth::signed_in(&am, &headers) {
        Some(user) => consent::show(&am, &user, &request, StatusCode::OK, None),
        None => pages::signin::first(&am, &authorize_path(&am, &params)),
    }
}

pub(crate) async fn decide(
    State(am): Am,
    headers: HeaderMap,
    FormBody(form): FormBody,
) -> Response {
    let request = match am.read(|state, _| read(&am, state, &form)) {
        Ok(request) => request,
        Err(refusal) => return refusal.into_response(&am, StatusCode::SEE_OTHER),
    };
    let Some(user) = auth::signed_in(&am, &headers) else {
        return pages::signin::first(&am, &authorize_path(&am, &form));
    };
    let shown = form.get("owner").ok().flatten();
    if shown != Some(user.as_str()) {
        let message = "Meanwhile someone else signed in here. Please look again.";
        return consent::show(&am, &user, &request, StatusCode::CONFLICT, Some(message));
    }
    match form.get("decision").ok().flatten() {
        Some("allow") => match allow(&am, &user, &request) {
            Ok(code) => answer(&am, &request, &[("code", &code)]),
            Err(error) => error.into_response(),
        },
        Some("deny") => {
            let pairs = [
                ("error", "access_denied"),
                ("error_description", "the owner said no"),
            ];
            answer(&am, &request, &pairs)
        }
        _ => {
            let message = "Choose one of the two buttons.";
            consent::show(&am, &user, &request, StatusCode::BAD_REQUEST, Some(message))
        }
    }
}

fn allow(am: &Shared, user: &str, request: &Request) -> Result<String, ApiError> {
    let family = secrets::random_id()?;
    let code = am.change(|state, now_ms| {
        let code = Code {
            client_id: request.client.id.clone(),
            user: user.to_owned(),
            scopes: request.scopes.clone(),
            redirect_uri: request.redirect_uri.clone(),
            challenge: request.challenge.clone(),
            family,
            good_until_ms: now_ms.saturating_add(CODE_LIFE_MS),
            used: false,
        };
        state.codes.issue(
            &state.mark,
            code,
            now_ms.saturating_add(CODE_KEPT_MS),
            limits::CODES,
        )
    })??;
    Ok(code)
}

fn answer(am: &Shared, request: &Request, pairs: &[(&str, &str)]) -> Response {
    let target = target(am, &request.redirect_uri, request.state.as_deref(), pairs);
    reply::redirect(StatusCode::SEE_OTHER, &target)
}

/// The client's redirect URI with the answer, the `state` that came, and the issuer.
fn target(am: &Shared, redirect_uri: &str, state: Option<&str>, pairs: &[(&str, &str)]) -> String {
    let mut all = pairs.to_vec();
    all.extend(state.map(|state| ("state", state)));
    all.push(("iss", &am.issuer));
    reply::with_query(redirect_uri, &all)
}

/// Where a person comes back to after signing in: the same request, and nothing else that the query held.
fn authorize_path(am: &Shared, params: &Params) -> String {
    const NAMES: [&str; 7] = [
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "code_challenge",
        "code_challenge_method",
    ];
    let pairs: Vec<(&str, &str)> = NAMES
        .into_iter()
        .filter_map(|name| Some((name, params.get(name).ok().flatten()?)))
        .collect();
    reply::with_query(&am.local(paths::AUTHORIZE), &pairs)
}

fn read(am: &Shared, state: &AmState, params: &Params) -> Result<Request, Refusal> {
    let (client, redirect_uri) = where_to(state, params).map_err(Refusal::Page)?;
    let client_state = params.get("state");
    let back = |code: &str, what: &str| {
        let echoed = client_state.as_ref().ok().copied().flatten();
        let echoed = echoed.filter(|state| state.len() <= MAX_STATE);
        let pairs = [("error", code), ("error_description", what)];
        Refusal::Redirect(target(am, redirect_uri, echoed, &pairs))
    };
    let get = |name: &'static str| {
        params
            .get(name)
            .map_err(|_| back("invalid_request", &format!("{name}: given more than once")))
    };
    let state = get("state")?;
    if state.is_some_and(|state| state.len() > MAX_STATE) {
        return Err(back("invalid_request", "state: longer than 2000 bytes"));
    }
    match get("response_type")? {
        Some("code") => {}
        Some(_) => {
            return Err(back(
                "unsupported_response_type",
                "response_type: must be code",
            ));
        }
        None => return Err(back("invalid_request", "response_type: missing")),
    }
    if !client.may_use(AUTHORIZATION_CODE) {
        return Err(back(
            "unauthorized_client",
            "the client did not register the grant type authorization_code",
        ));
    }
    let challenge = get("code_challenge")?.ok_or_else(|| {
        back(
            "invalid_request",
            "code_challenge: missing (PKCE is required)",
        )
    })?;
    if get("code_challenge_method")? != Some("S256") {
        return Err(back(
            "invalid_request",
            "code_challenge_method: must be S256",
        ));
    }
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if challenge.len() != 43 || !challenge.bytes().all(base64url) {
        return Err(back(
            "invalid_request",
            "code_challenge: not a SHA-256 digest in base64url",
        ));
    }
    let scopes = client
        .oauth_scopes(get("scope")?)
        .map_err(|odd| back("invalid_scope", &format!("scope: {odd} is not to be had")))?;
    Ok(Request {
        redirect_uri: redirect_uri.to_owned(),
        state: state.map(str::to_owned),
        challenge: challenge.to_owned(),
        client: client.clone(),
        scopes,
    })
}

/// The client and its redirect URI, which must be one that it registered, to the letter (RFC 9700 section 2.1).
fn where_to<'a>(state: &'a AmState, params: &'a Params) -> Result<(&'a Client, &'a str), ApiError> {
    let id = params.require("client_id")?;
    let client = state
        .clients
        .get(id)
        .ok_or_else(|| ApiError::invalid_request("client_id: this AM does not know the client"))?;
    let redirect_uri = params.require("redirect_uri")?;
    if !client
        .metadata
        .redirect_uris
        .iter()
        .any(|known| known == redirect_uri)
    {
        return Err(ApiError::invalid_request(
            "redirect_uri: the client did not register it",
        ));
    }
    Ok((client, redirect_uri))
}
