//! The token endpoint: all grants (RFC 6749 sections 4 and 6, RFC 7636), the UMA grant in [`super::uma_grant`].

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use uma_client::wire::TokenResponse;

use super::{Am, claim_token, uma_grant};
use crate::auth::{self, Authorization};
use crate::params::{FormBody, Params};
use crate::reply::{self, ApiError};
use crate::secrets;
use crate::shared::{Shared, millis};
use crate::state::clients::{
    AUTHORIZATION_CODE, CLIENT_CREDENTIALS, Client, OPENID_SCOPE, REFRESH_TOKEN, UMA_TICKET,
    split_scope,
};
use crate::state::tokens::{AccessToken, RefreshToken};
use crate::state::{Party, State as AmState};

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    token: TokenResponse,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

pub(crate) async fn grant(
    State(am): Am,
    headers: HeaderMap,
    FormBody(form): FormBody,
) -> Result<Response, ApiError> {
    let authorization = Authorization::read(&headers)?;
    let grant_type = form.require("grant_type")?;
    am.change(|state, now_ms| {
        if grant_type == UMA_TICKET {
            return uma_grant::grant(&am, state, now_ms, &authorization, &form);
        }
        let client = auth::client(state, &authorization, &form)?;
        let answer = match grant_type {
            AUTHORIZATION_CODE => code(&am, state, now_ms, &client, &form),
            CLIENT_CREDENTIALS => client_credentials(&am, state, now_ms, &client, &form),
            REFRESH_TOKEN => refresh(&am, state, now_ms, &client, &form),
            _ => Err(ApiError::bad(
                "unsupported_grant_type",
                "grant_type: not known here",
            )),
        }?;
        Ok(reply::json(StatusCode::OK, &answer))
    })?
}

pub(crate) fn check_grant_type(client: &Client, grant_type: &str) -> Result<(), ApiError> {
    if client.may_use(grant_type) {
        return Ok(());
    }
    let what = format!("the client did not register the grant type {grant_type}");
    Err(ApiError::bad("unauthorized_client", &what))
}

fn code(
    am: &Shared,
    state: &mut AmState,
    now_ms: i64,
    client: &Client,
    form: &Params,
) -> Result<Answer, ApiError> {
    check_grant_type(client, AUTHORIZATION_CODE)?;
    let secret = form.require("code")?;
    let redirect_uri = form.require("redirect_uri")?;
    let verifier = form.require("code_verifier")?;
    let Some(code) = state.codes.get_mut(secret, now_ms) else {
        return Err(ApiError::invalid_grant("code: unknown or ended"));
    };
    let replayed = code.used;
    // The first try spends the code, whatever comes of it.
    code.used = true;
    let code = code.clone();
    if replayed {
        state.revoke_family(&code.family);
        return Err(ApiError::invalid_grant(
            "code: used before; what it was exchanged for is revoked",
        ));
    }
    if code.good_until_ms <= now_ms {
        return Err(ApiError::invalid_grant("code: unknown or ended"));
    }
    if code.client_id != client.id {
        return Err(ApiError::invalid_grant("code: not this client's"));
    }
    if code.redirect_uri != redirect_uri {
        return Err(ApiError::invalid_grant(
            "redirect_uri: not the one of the authorization request",
        ));
    }
    if !is_verifier(verifier) || !secrets::same(&secrets::digest(verifier), &code.challenge) {
        return Err(ApiError::invalid_grant(
            "code_verifier: does not match the code_challenge",
        ));
    }
    let granted = Granted {
        party: Party::User(code.user),
        scopes: code.scopes,
        family: code.family,
    };
    issue(am, state, now_ms, client, granted)
}

/// RFC 7636 section 4.1.
fn is_verifier(verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved)
}

fn client_credentials(
    am: &Shared,
    state: &mut AmState,
    now_ms: i64,
    client: &Client,
    form: &Params,
) -> Result<Answer, ApiError> {
    check_grant_type(client, CLIENT_CREDENTIALS)?;
    if client.is_public() {
        return Err(ApiError::bad(
            "unauthorized_client",
            "a public client has no credentials",
        ));
    }
    let scopes = client
        .oauth_scopes(form.get("scope")?)
        .map_err(|odd| invalid_scope(&odd))?;
    let token = AccessToken {
        client_id: client.id.clone(),
        party: Party::Client(client.id.clone()),
        scopes: scopes.clone(),
        family: secrets::random_id()?,
    };
    let access_token = state.issue_access_token(token, expiry(am, now_ms))?;
    Ok(Answer {
        token: token_response(am, access_token, None, &scopes),
        id_token: None,
    })
}

fn refresh(
    am: &Shared,
    state: &mut AmState,
    now_ms: i64,
    client: &Client,
    form: &Params,
) -> Result<Answer, ApiError> {
    check_grant_type(client, REFRESH_TOKEN)?;
    let secret = form.require("refresh_token")?;
    let asked = form.get("scope")?;
    let Some(token) = state.refresh_tokens.get_mut(secret, now_ms) else {
        return Err(ApiError::invalid_grant(
            "refresh_token: unknown, ended or revoked",
        ));
    };
    if token.client_id != client.id {
        return Err(ApiError::invalid_grant("refresh_token: not this client's"));
    }
    if token.used {
        let family = token.family.clone();
        state.revoke_family(&family);
        return Err(ApiError::invalid_grant(
            "refresh_token: used before; its whole family is revoked",
        ));
    }
    let scopes = match asked {
        None => token.scopes.clone(),
        Some(asked) => {
            let asked: Vec<String> = split_scope(asked).map(str::to_owned).collect();
            if let Some(odd) = asked.iter().find(|scope| !token.scopes.contains(scope)) {
                return Err(invalid_scope(odd));
            }
            asked
        }
    };
    token.used = true;
    let granted = Granted {
        party: token.party.clone(),
        family: token.family.clone(),
        scopes,
    };
    issue(am, state, now_ms, client, granted)
}

struct Granted {
    party: Party,
    scopes: Vec<String>,
    family: String,
}

/// An access token, a refresh token when the client registered for it, a sign-in token with the scope `openid`.
fn issue(
    am: &Shared,
    state: &mut AmState,
    now_ms: i64,
    client: &Client,
    granted: Granted,
) -> Result<Answer, ApiError> {
    let Granted {
        party,
        scopes,
        family,
    } = granted;
    let access = AccessToken {
        client_id: client.id.clone(),
        party: party.clone(),
        scopes: scopes.clone(),
        family: family.clone(),
    };
    let access_token = state.issue_access_token(access, expiry(am, now_ms))?;
    let refresh_token = if client.may_use(REFRESH_TOKEN) {
        let refresh = RefreshToken {
            client_id: client.id.clone(),
            party: party.clone(),
            scopes: scopes.clone(),
            family,
            used: false,
        };
        Some(state.issue_refresh_token(refresh, now_ms)?)
    } else {
        None
    };
    let id_token = match party.user() {
        Some(user) if scopes.iter().any(|scope| scope == OPENID_SCOPE) => {
            Some(claim_token::mint(am, state, now_ms, user, &client.id)?)
        }
        _ => None,
    };
    Ok(Answer {
        token: token_response(am, access_token, refresh_token, &scopes),
        id_token,
    })
}

fn token_response(
    am: &Shared,
    access_token: String,
    refresh_token: Option<String>,
    scopes: &[String],
) -> TokenResponse {
    TokenResponse {
        access_token: access_token.into(),
        token_type: "Bearer".to_owned(),
        expires_in: Some(am.token_ttl.as_secs()),
        refresh_token: refresh_token.map(Into::into),
        refresh_expires_in: None,
        scope: Some(scopes.join(" ")),
        pct: None,
        upgraded: None,
    }
}

pub(crate) fn expiry(am: &Shared, now_ms: i64) -> i64 {
    now_ms.saturating_add(millis(am.token_ttl))
}

fn invalid_scope(odd: &str) -> ApiError {
    ApiError::bad("invalid_scope", &format!("scope: {odd} is not to be had"))
}
