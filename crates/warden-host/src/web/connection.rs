//! The owner's connection: since when and until when, connecting again, leaving, and moving.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use tower_warden::OwnerId;

use super::failure::Failure;
use super::headers::Policy;
use super::look::Shell;
use super::model::{ConnectionView, Kind, MoveView, Validity};
use super::pages::{Pages, Visit, html, see_other};
use super::{returns, text};
use crate::{Connection, Leftover, ResourceQuery};

pub(crate) const PATH: &str = "/uma/connection";
pub(crate) const DISCONNECT_PATH: &str = "/uma/disconnect";
pub(crate) const MOVE_PATH: &str = "/uma/move";
pub(crate) const CANCEL_PATH: &str = "/uma/move/cancel";

/// Something that is still to be deleted at an AM.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LeftoverView {
    text: String,
    stuck: bool,
}

#[derive(Template)]
#[template(path = "connection.html")]
struct ConnectionPage<'a> {
    shell: Shell<'a>,
    connection: Option<ConnectionView>,
    moving: Option<MoveView>,
    leftovers: Vec<LeftoverView>,
    has_elsewhere: bool,
}

/// `GET /uma/connection`
pub(crate) async fn connection(State(pages): State<Pages>, request: Request) -> Response {
    let visit = pages.visit(request).await;
    let Some(me) = &visit.signed_in else {
        return visit.sign_in_first(&pages, None);
    };
    match show(&pages, &visit, &me.owner).await {
        Ok(response) => response,
        Err(failure) => visit.refuse(&pages, &failure),
    }
}

async fn show(pages: &Pages, visit: &Visit, owner: &OwnerId) -> Result<Response, Failure> {
    let host = pages.host();
    let connection = visit.connection()?;
    let moving = host.moving(owner).await?;
    let leftovers = host.leftovers(owner).await?;
    let known = host.ams().await;
    let elsewhere = known
        .iter()
        .any(|am| connection.is_none_or(|connection| am.issuer != connection.issuer));
    let insecure =
        insecure(connection) || known.iter().any(|am| am.issuer.url().scheme() == "http");
    let page = ConnectionPage {
        shell: visit.shell(pages, text::CONNECTION_HEADING, PATH),
        connection: connection.map(|one| ConnectionView::of(one, pages.now())),
        moving: moving.as_ref().map(MoveView::of),
        leftovers: leftovers.iter().map(leftover).collect(),
        has_elsewhere: host.allows_any_am() || elsewhere,
    };
    let mut response = html(StatusCode::OK, &page);
    // Connecting again ends at the AM.
    Policy::page()
        .leading_to_am(insecure)
        .apply(&mut response, pages.look().stylesheet.as_deref());
    Ok(response)
}

/// Whether the AM is met over http, as its setting allows for development.
pub(crate) fn insecure(connection: Option<&Connection>) -> bool {
    connection.is_some_and(|connection| connection.issuer.url().scheme() == "http")
}

fn leftover(leftover: &Leftover) -> LeftoverView {
    LeftoverView {
        text: text::leftover(&leftover.am.name, leftover.count, leftover.stuck),
        stuck: leftover.stuck,
    }
}

#[derive(Template)]
#[template(path = "disconnect.html")]
struct DisconnectPage<'a> {
    shell: Shell<'a>,
    closed: String,
}

/// `GET /uma/disconnect`
pub(crate) async fn ask(State(pages): State<Pages>, request: Request) -> Response {
    let visit = pages.visit(request).await;
    let Some(me) = &visit.signed_in else {
        return visit.sign_in_first(&pages, None);
    };
    match show_question(&pages, &visit, &me.owner).await {
        Ok(response) => response,
        Err(failure) => visit.refuse(&pages, &failure),
    }
}

async fn show_question(pages: &Pages, visit: &Visit, owner: &OwnerId) -> Result<Response, Failure> {
    let Some(connection) = visit.connection()? else {
        return Ok(see_other(PATH));
    };
    let heading = text::disconnect_heading(&connection.name);
    let page = DisconnectPage {
        shell: visit.shell(pages, &heading, PATH),
        closed: text::disconnect_closed(shared(pages, owner).await?),
    };
    Ok(html(StatusCode::OK, &page))
}

/// How much the owner shares.
pub(crate) async fn shared(pages: &Pages, owner: &OwnerId) -> Result<u64, Failure> {
    let one = ResourceQuery::new().page_size(1);
    Ok(pages.host().resources_page(owner, &one).await?.all)
}

/// `POST /uma/disconnect`
pub(crate) async fn disconnect(State(pages): State<Pages>, request: Request) -> Response {
    let visit = match pages.visit_with_form(request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let Some(me) = &visit.signed_in else {
        return visit.sign_in_first(&pages, Some(DISCONNECT_PATH));
    };
    match pages.host().disconnect(&me.owner).await {
        Ok(_) => see_other(&returns::with_notice(PATH, "disconnected")),
        Err(error) => visit.refuse(&pages, &error.into()),
    }
}

/// `POST /uma/move/cancel`
pub(crate) async fn cancel(State(pages): State<Pages>, request: Request) -> Response {
    let visit = match pages.visit_with_form(request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let Some(me) = &visit.signed_in else {
        return visit.sign_in_first(&pages, Some(PATH));
    };
    match pages.host().cancel_move(&me.owner).await {
        Ok(was) => {
            let code = if was { "stays" } else { "not-moving" };
            see_other(&returns::with_notice(PATH, code))
        }
        Err(error) => visit.refuse(&pages, &error.into()),
    }
}
