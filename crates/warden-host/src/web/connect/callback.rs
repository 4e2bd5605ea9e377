//! The way back from an AM.

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{ALLOW, HeaderValue};

use super::{PATH, arrived};
use crate::web::failure::Failure;
use crate::web::forms::{FieldError, Fields};
use crate::web::pages::{Pages, see_other};
use crate::web::text;
use crate::{AuthorizationAnswer, ErrorKind};

/// `GET /uma/callback/{am_key}`: what the AM answered, by way of the owner's browser.
///
/// Nothing of what came is shown: an error code picks one of our own texts.
pub(crate) async fn callback(
    State(pages): State<Pages>,
    Path(am_key): Path<String>,
    request: Request,
) -> Response {
    let visit = pages.visit(request).await;
    let Some(me) = &visit.signed_in else {
        // The code in this URL is good for the session that began, so the URL leads nowhere after another sign-in.
        let failure = Failure::not_signed_in(pages.sign_in(PATH));
        return visit.refuse(&pages, &failure);
    };
    let answer = match answer(&visit.fields) {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(field = error.field, "an answer of an AM repeats a field");
            return visit.refuse(&pages, &start_again(text::STATE_TEXT));
        }
    };
    let finished = pages
        .host()
        .finish_connect(&me.owner, &me.session, &am_key, answer)
        .await;
    match finished {
        Ok(back) => see_other(&arrived(&pages, &me.owner, &back).await),
        Err(error) => {
            let kind = error.kind();
            let mut failure = Failure::from(error).with_next(PATH, text::CONNECT_AGAIN);
            if matches!(kind, ErrorKind::AmUnreachable | ErrorKind::AmRefused) {
                failure.text = text::CALLBACK_FAILED_TEXT.into();
            }
            visit.refuse(&pages, &failure)
        }
    }
}

/// `HEAD` on the callback: a preview must not use the answer up.
pub(crate) async fn callback_head() -> Response {
    let mut response = StatusCode::METHOD_NOT_ALLOWED.into_response();
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET"));
    response
}

fn start_again(text: &'static str) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, text::STATE_HEADING, text)
        .with_next(PATH, text::CONNECT_AGAIN)
}

/// The answer (RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207).
fn answer(fields: &Fields) -> Result<AuthorizationAnswer, FieldError> {
    let mut answer = AuthorizationAnswer::new();
    if let Some(code) = fields.optional("code")? {
        answer = answer.with_code(code);
    }
    if let Some(state) = fields.optional("state")? {
        answer = answer.with_state(state);
    }
    if let Some(iss) = fields.optional("iss")? {
        answer = answer.with_iss(iss);
    }
    if let Some(error) = fields.optional("error")? {
        answer = answer.with_error(error);
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_with_two_codes_is_none() {
        assert!(answer(&Fields::parse(b"code=1&code=2&state=s")).is_err());
        let answer = answer(&Fields::parse(b"error=access_denied&state=s")).unwrap();
        assert_eq!(answer.error.as_deref(), Some("access_denied"));
    }
}
