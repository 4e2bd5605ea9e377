//! Who is calling: a client with its credentials, a host with a PAT, a person with a session cookie.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::params::Params;
use crate::reply::ApiError;
use crate::shared::Shared;
use crate::state::clients::{Client, PROTECTION_SCOPE};
use crate::state::{Party, Session, State, limits};

const SESSION_LIFE_MS: i64 = 12 * 3_600_000;

/// The `Authorization` field of a request.
pub(crate) enum Authorization {
    Basic { id: String, secret: String },
    Bearer(String),
    None,
    Other,
}

impl Authorization {
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Ok(Self::None);
        };
        if values.next().is_some() {
            return Err(malformed("given more than once"));
        }
        let value = value.to_str().map_err(|_| malformed("not ASCII"))?;
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            return bearer(rest.trim_matches(' '));
        }
        if scheme.eq_ignore_ascii_case("basic") {
            return basic(rest.trim_matches(' '));
        }
        Ok(Self::Other)
    }
}

fn malformed(what: &str) -> ApiError {
    ApiError::invalid_request(&format!("Authorization: {what}"))
}

fn bearer(token: &str) -> Result<Authorization, ApiError> {
    let body = token.trim_end_matches('=');
    let token68 = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    if body.is_empty() || !body.chars().all(token68) {
        return Err(malformed("not a bearer token"));
    }
    Ok(Authorization::Bearer(token.to_owned()))
}

/// Id and secret are form-encoded before they go into the header (RFC 6749 section 2.3.1).
fn basic(encoded: &str) -> Result<Authorization, ApiError> {
    let wrong = || malformed("not client_id:client_secret in base64");
    let decoded = STANDARD.decode(encoded).map_err(|_| wrong())?;
    let decoded = String::from_utf8(decoded).map_err(|_| wrong())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(wrong)?;
    let form_decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text)
            .decode_utf8()
            .map(String::from)
            .map_err(|_| wrong())
    };
    Ok(Authorization::Basic {
        id: form_decoded(id)?,
        secret: form_decoded(secret)?,
    })
}

/// Authenticates a client by header, by form, or, without a secret, by its id alone. Which of the two ways a confidential client registered is not enforced.
pub(crate) fn client(
    state: &State,
    authorization: &Authorization,
    form: &Params,
) -> Result<Client, ApiError> {
    let form_id = form.get("client_id")?;
    let form_secret = form.get("client_secret")?;
    let (id, secret) = match authorization {
        Authorization::Basic { id, secret } => {
            if form_secret.is_some() {
                return Err(ApiError::invalid_request(
                    "client_secret: given beside an Authorization header",
                ));
            }
            if form_id.is_some_and(|form_id| form_id != id) {
                return Err(ApiError::invalid_request(
                    "client_id: not the client of the Authorization header",
                ));
            }
            (id.as_str(), Some(secret.as_str()))
        }
        Authorization::Bearer(_) | Authorization::Other => {
            return Err(ApiError::invalid_client(
                "Authorization: this scheme does not authenticate a client here",
            ));
        }
        Authorization::None => {
            let id = form_id.ok_or_else(|| ApiError::invalid_client("client_id: missing"))?;
            (id, form_secret)
        }
    };
    let unknown = || ApiError::invalid_client("the client is unknown or its secret is wrong");
    let client = state.clients.get(id).ok_or_else(unknown)?;
    let good = match secret.filter(|secret| !secret.is_empty()) {
        Some(secret) => client.has_secret(secret),
        None => client.is_public(),
    };
    if good {
        Ok(client.clone())
    } else {
        Err(unknown())
    }
}

/// A host that acts for an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pat {
    pub(crate) owner: Party,
    pub(crate) host: String,
}

/// The PAT of a protection API call (UMA Federated Authorization section 1.3).
pub(crate) fn pat(state: &State, headers: &HeaderMap, now_ms: i64) -> Result<Pat, ApiError> {
    match Authorization::read(headers)? {
        Authorization::Bearer(token) => pat_of(state, &token, now_ms),
        _ => Err(ApiError::invalid_token(false)),
    }
}

pub(crate) fn pat_of(state: &State, token: &str, now_ms: i64) -> Result<Pat, ApiError> {
    if let Some((token, _)) = state.access_tokens.get(token, now_ms) {
        if token.scopes.iter().any(|scope| scope == PROTECTION_SCOPE) {
            return Ok(Pat {
                owner: token.party.clone(),
                host: token.client_id.clone(),
            });
        }
        return Err(ApiError::insufficient_scope());
    }
    if state.live_rpt(token, now_ms).is_some() {
        return Err(ApiError::insufficient_scope());
    }
    Err(ApiError::invalid_token(true))
}

/// The name of the cookie of a signed-in person. Cookies know no ports, so AMs and hosts on one address need cookies of
/// different names.
pub(crate) fn session_cookie_name(issuer: &Url) -> String {
    issuer.port().map_or_else(
        || String::from("warden-am-session"),
        |port| format!("warden-am-session-{port}"),
    )
}

/// The person who is signed in.
pub(crate) fn signed_in(am: &Shared, headers: &HeaderMap) -> Option<String> {
    let cookie = session_cookie(am, headers)?;
    am.read(|state, now_ms| {
        let (session, _) = state.sessions.get(cookie, now_ms)?;
        state
            .users
            .contains_key(&session.user)
            .then(|| session.user.clone())
    })
}

pub(crate) fn session_cookie<'a>(am: &Shared, headers: &'a HeaderMap) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == am.session_cookie)
        .map(|(_, value)| value)
}

/// Signs a person in under a new session id, ends the old session, and returns the `Set-Cookie` value.
pub(crate) fn sign_in(
    am: &Shared,
    headers: &HeaderMap,
    user: &str,
) -> Result<String, crate::error::Error> {
    let session = am.change(|state, now_ms| {
        if let Some(old) = session_cookie(am, headers) {
            state.sessions.take(old, now_ms);
        }
        let session = Session {
            user: user.to_owned(),
        };
        let expires_ms = now_ms.saturating_add(SESSION_LIFE_MS);
        state
            .sessions
            .issue(&state.mark, session, expires_ms, limits::SESSIONS)
    })??;
    Ok(set_cookie(am, &session, SESSION_LIFE_MS / 1_000))
}

pub(crate) fn sign_out(am: &Shared, headers: &HeaderMap) -> Result<String, crate::error::Error> {
    if let Some(session) = session_cookie(am, headers) {
        am.change(|state, now_ms| state.sessions.take(session, now_ms))?;
    }
    Ok(set_cookie(am, "", 0))
}

fn set_cookie(am: &Shared, value: &str, max_age: i64) -> String {
    let path = if am.prefix.is_empty() {
        "/"
    } else {
        &am.prefix
    };
    let secure = if am.secure { "; Secure" } else { "" };
    let name = &am.session_cookie;
    format!("{name}={value}; Path={path}; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}")
}
