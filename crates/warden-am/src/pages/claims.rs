//! The claims page: an application wants to know who is asking.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::{Frame, render};
use crate::endpoints::paths;
use crate::shared::Shared;

#[derive(Template)]
#[template(path = "claims.html")]
struct Claims<'a> {
    frame: Frame,
    subject: &'a str,
    client: &'a str,
    action: &'a str,
}

pub(crate) fn show(am: &Shared, user: &str, client: &str, interaction: &str) -> Response {
    let here = am.local(&format!("{}/{interaction}", paths::CLAIMS));
    let page = Claims {
        frame: Frame::new(am, Some(user), &here),
        subject: user,
        client,
        action: &here,
    };
    render(StatusCode::OK, &page)
}
