use std::borrow::Cow;

use http::StatusCode;

/// What to change at an AM when it answers a call with this status and this error code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AmAdvice {
    /// The status of the answer.
    pub status: StatusCode,
    /// Its error code.
    pub code: Cow<'static, str>,
    /// What to do, in a few words for operators.
    pub text: Cow<'static, str>,
}

impl AmAdvice {
    /// Advice for answers with this status and this error code.
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            text: text.into(),
        }
    }
}

pub(super) fn keycloak() -> Vec<AmAdvice> {
    [
        (
            StatusCode::UNAUTHORIZED,
            "unauthorized_client",
            "the client's secret is wrong: copy it from the client's tab \"Credentials\"",
        ),
        (
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "there is no such client in this realm, or it is disabled",
        ),
        (
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            "the client lacks a flow: switch on \"Standard flow\" and \"Service accounts roles\"",
        ),
        (
            StatusCode::BAD_REQUEST,
            "not_supported",
            "switch on \"Remote resource management\" in the client's tab \"Authorization\", settings",
        ),
        (
            StatusCode::FORBIDDEN,
            "invalid_clientId",
            "the client is no resource server: switch on \"Authorization\" in its settings",
        ),
        (
            StatusCode::FORBIDDEN,
            "invalid_scope",
            "give the user this client's role uma_protection, or put it into the realm's default roles",
        ),
        (
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            "registering needs an initial access token: the realm's page \"Clients\", tab \"Initial access token\"",
        ),
        (
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            "the initial or registration access token is used up, expired or replaced: get a new one",
        ),
    ]
    .into_iter()
    .map(|(status, code, text)| AmAdvice::new(status, code, text))
    .collect()
}
