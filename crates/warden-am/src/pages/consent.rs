//! The consent page.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::{Frame, render};
use crate::endpoints::authorize::Request;
use crate::endpoints::paths;
use crate::shared::Shared;
use crate::state::clients::{OPENID_SCOPE, PROTECTION_SCOPE};

#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'a> {
    frame: Frame,
    owner: &'a str,
    client: &'a str,
    client_uri: Option<&'a str>,
    protects: bool,
    identifies: bool,
    message: Option<&'a str>,
    client_id: &'a str,
    redirect_uri: &'a str,
    /// Where the answer goes, as people can check it.
    back_to: &'a str,
    scope: String,
    state: Option<&'a str>,
    challenge: &'a str,
}

pub(crate) fn show(
    am: &Shared,
    user: &str,
    request: &Request,
    status: StatusCode,
    message: Option<&str>,
) -> Response {
    let asks = |scope: &str| request.scopes.iter().any(|asked| asked == scope);
    let scope = request.scopes.join(" ");
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", request.client.id.as_str()),
        ("redirect_uri", request.redirect_uri.as_str()),
        ("code_challenge", request.challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    if !scope.is_empty() {
        pairs.push(("scope", &scope));
    }
    pairs.extend(request.state.as_deref().map(|state| ("state", state)));
    let here = crate::reply::with_query(&am.local(paths::AUTHORIZE), &pairs);
    let page = Consent {
        frame: Frame::new(am, Some(user), &here),
        owner: user,
        client: request.client.display_name(),
        client_uri: request.client.metadata.client_uri.as_deref(),
        protects: asks(PROTECTION_SCOPE),
        identifies: asks(OPENID_SCOPE),
        message,
        client_id: &request.client.id,
        redirect_uri: &request.redirect_uri,
        back_to: request.redirect_uri.split('?').next().unwrap_or_default(),
        state: request.state.as_deref(),
        challenge: &request.challenge,
        scope,
    };
    render(status, &page)
}
