//! The page for problems: each that there is, what it means, and the button that helps.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use tower_warden::OwnerId;

use super::failure::Failure;
use super::headers::Policy;
use super::look::Shell;
use super::model::{Act, Facts, Kind, Problem};
use super::pages::{Pages, Visit, html};
use super::text;
use crate::{ResourceQuery, Standing};

pub(crate) const PATH: &str = "/uma/problems";
/// Resources of one standing that are looked at.
const LOOKED_AT: u32 = 200;

#[derive(Template)]
#[template(path = "problems.html")]
struct ProblemsPage<'a> {
    shell: Shell<'a>,
    problems: Vec<Problem>,
    connected: bool,
}

/// `GET /uma/problems`
pub(crate) async fn problems(State(pages): State<Pages>, request: Request) -> Response {
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
    let mut resources = Vec::new();
    for standing in [Standing::Problem, Standing::Pending] {
        let query = ResourceQuery::new().standing(standing).page_size(LOOKED_AT);
        resources.extend(host.resources_page(owner, &query).await?.resources);
    }
    let moving = host.moving(owner).await?;
    let leftovers = host.leftovers(owner).await?;
    let page = ProblemsPage {
        shell: visit.shell(pages, text::PROBLEMS_HEADING, PATH),
        problems: Problem::all(Facts {
            connection,
            moving: moving.as_ref(),
            is_away: connection.is_some_and(|connection| host.is_away(&connection.issuer)),
            leftovers: &leftovers,
            resources: &resources,
            now: pages.now(),
        }),
        connected: connection.is_some(),
    };
    let mut response = html(StatusCode::OK, &page);
    // Connecting again ends at the AM.
    Policy::page()
        .leading_to_am(super::connection::insecure(connection))
        .apply(&mut response, pages.look().stylesheet.as_deref());
    Ok(response)
}
