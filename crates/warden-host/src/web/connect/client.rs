//! Connecting by a client that the owner made at the AM.

use std::borrow::Cow;

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use tower_warden::OwnerId;
use uma_client::ClientCredentials;

use super::{Aim, ConnectForm, arrived, not_begun};
use crate::web::failure::Failure;
use crate::web::look::Shell;
use crate::web::pages::{Pages, Visit, html, see_other};
use crate::web::share::Complaint;
use crate::web::text;
use crate::{AmChoice, ErrorKind, ReturnPath};

#[derive(Template)]
#[template(path = "client.html")]
struct ClientPage<'a> {
    shell: Shell<'a>,
    action: &'static str,
    issuer: &'a str,
    intro: String,
    client_id: &'a str,
    return_to: &'a str,
    complaint: Option<Complaint>,
}

/// Connects by a client that the owner made at the AM; asks for it first.
pub(super) async fn by_client(
    pages: &Pages,
    visit: &Visit,
    owner: &OwnerId,
    form: &ConnectForm,
    aim: Aim,
    choice: &AmChoice,
    back: &ReturnPath,
) -> Response {
    let issuer = choice.issuer.as_str();
    let ask = |status: StatusCode, complaint: Option<Complaint>| {
        let mut shell = visit.shell(pages, text::CONNECT_HEADING, "");
        shell.erroneous = complaint.is_some();
        html(
            status,
            &ClientPage {
                shell,
                action: aim.path(),
                issuer,
                intro: text::connect_client(&choice.name),
                client_id: &form.client_id,
                return_to: back.as_str(),
                complaint,
            },
        )
    };
    let complaint = |text: Cow<'static, str>| {
        Some(Complaint {
            field: "client_id",
            text,
        })
    };
    let secret = match (&form.client_secret, form.client_id.is_empty()) {
        (None, true) => return ask(StatusCode::OK, None),
        (Some(secret), false) => secret.clone(),
        _ => {
            let missing = complaint(text::CONNECT_CLIENT_MISSING.into());
            return ask(StatusCode::BAD_REQUEST, missing);
        }
    };
    let client = ClientCredentials::basic(form.client_id.as_str(), secret);
    let connected = match aim {
        Aim::Connect => pages.host().connect_with(owner, issuer, client).await,
        Aim::Move => pages.host().begin_move_with(owner, issuer, client).await,
    };
    match connected {
        Ok(()) => see_other(&arrived(pages, owner, back).await),
        Err(error) if error.kind() == ErrorKind::ConnectedElsewhere => {
            not_begun(pages, visit, owner, form, aim, error).await
        }
        Err(error) => {
            let failure = Failure::from(error);
            if visit.wants_json || !failure.is_about_the_form() {
                return visit.refuse(pages, &failure);
            }
            ask(failure.status, complaint(failure.text))
        }
    }
}
