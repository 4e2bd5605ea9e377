//! Stop sharing: what will happen, then the deed; one path, several, or all.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use tower_warden::OwnerId;

use super::failure::Failure;
use super::forms::Fields;
use super::look::Shell;
use super::lookup::{self, Found};
use super::model::{Kind, ResourceView};
use super::pages::{Pages, Visit, html, see_other};
use super::share::GENERATION;
use super::{connection, returns, text};
use crate::ReturnPath;

const PATH: &str = "/uma/stop-sharing";

/// The link to the page that asks whether to stop.
pub(crate) fn href(uri: &str, return_to: Option<&ReturnPath>) -> String {
    let mut pairs = vec![("uri", uri)];
    pairs.extend(return_to.map(|path| ("return_to", path.as_str())));
    returns::with_query(PATH, pairs)
}

/// The link to the page that asks whether to stop all.
pub(crate) fn href_of_all() -> String {
    returns::with_query(PATH, [("all", "on")])
}

/// Most paths that are stopped at once, unless it is all of them.
const MOST: usize = 100;

#[derive(Template)]
#[template(path = "stop.html")]
struct StopPage<'a> {
    shell: Shell<'a>,
    resources: Vec<ResourceView>,
    /// How many it is about, where it is all.
    all: Option<u64>,
    covers_more: bool,
    return_to: &'a str,
    /// What went wrong with the form before.
    trouble: Option<&'static str>,
}

/// `GET /uma/stop-sharing`
pub(crate) async fn ask(State(pages): State<Pages>, request: Request) -> Response {
    let visit = pages.visit(request).await;
    let Some(me) = &visit.signed_in else {
        return visit.sign_in_first(&pages, None);
    };
    match show(&pages, &visit, &me.owner, None).await {
        Ok(response) => response,
        Err(failure) => visit.refuse(&pages, &failure),
    }
}

async fn show(
    pages: &Pages,
    visit: &Visit,
    owner: &OwnerId,
    trouble: Option<&'static str>,
) -> Result<Response, Failure> {
    let back = visit.wish();
    let return_to = back.as_ref().map_or(returns::LIST_PATH, ReturnPath::as_str);
    let mut resources = Vec::new();
    let mut all = None;
    if visit.fields.flag("all")? {
        all = Some(connection::shared(pages, owner).await?).filter(|count| *count > 0);
    } else {
        let connection = visit.connection()?;
        let uris = uris(&visit.fields);
        for uri in uris.map_err(|failure| failure.with_next(return_to, text::BACK))? {
            if let Found::Exact(resource) = lookup::at(pages.host(), owner, uri).await? {
                resources.push(ResourceView::of(&resource, connection));
            }
        }
    }
    if resources.is_empty() && all.is_none() {
        let nothing = Failure::new(StatusCode::NOT_FOUND, text::UNPROTECTED, text::STOP_NOTHING);
        return Err(nothing.with_next(return_to, text::BACK));
    }
    let mut shell = visit.shell(pages, text::STOP_HEADING, "");
    shell.erroneous = trouble.is_some();
    let status = if trouble.is_some() {
        StatusCode::CONFLICT
    } else {
        StatusCode::OK
    };
    Ok(html(
        status,
        &StopPage {
            shell,
            covers_more: resources.iter().any(|resource| resource.subtree),
            resources,
            all,
            return_to,
            trouble,
        },
    ))
}

/// The paths that are to be stopped: one or several.
fn uris(fields: &Fields) -> Result<Vec<&str>, Failure> {
    let uris: Vec<&str> = fields.all("uri").filter(|uri| !uri.is_empty()).collect();
    let text = match uris.len() {
        0 => text::STOP_NONE,
        1..=MOST => return Ok(uris),
        _ => text::STOP_TOO_MANY,
    };
    let mut failure = Failure::new(StatusCode::BAD_REQUEST, text::FORM_HEADING, text);
    failure.field = Some("uri");
    Err(failure)
}

/// `POST /uma/stop-sharing`
pub(crate) async fn stop(State(pages): State<Pages>, request: Request) -> Response {
    let visit = match pages.visit_with_form(request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let Some(me) = &visit.signed_in else {
        let back = visit.wish();
        let ask = match uris(&visit.fields).as_deref() {
            Ok([uri]) => href(uri, back.as_ref()),
            _ => returns::LIST_PATH.to_owned(),
        };
        return visit.sign_in_first(&pages, Some(&ask));
    };
    match carry_out(&pages, &visit, &me.owner).await {
        Ok(response) => response,
        Err(failure) => visit.refuse(&pages, &failure),
    }
}

/// Stops all that is named, in one transaction.
async fn carry_out(pages: &Pages, visit: &Visit, owner: &OwnerId) -> Result<Response, Failure> {
    let host = pages.host();
    let back = visit.wish();
    let back = back.as_ref().map_or(returns::LIST_PATH, ReturnPath::as_str);
    if visit.fields.flag("all")? {
        let code = done(host.stop_all(owner).await?.count);
        return Ok(see_other(&returns::with_notice(back, code)));
    }
    let uris = uris(&visit.fields)?;
    let drawn: Vec<&str> = visit.fields.all(GENERATION).collect();
    let mut shared = Vec::new();
    for (number, uri) in uris.iter().enumerate() {
        // Nothing of the owner's may be there: a second click, or somebody else's path.
        let Found::Exact(resource) = lookup::at(host, owner, uri).await? else {
            continue;
        };
        let stale = drawn.len() == uris.len()
            && drawn.get(number) != Some(&resource.generation.to_string().as_str());
        if stale && !visit.wants_json {
            return show(pages, visit, owner, Some(text::CHANGED_STOP)).await;
        }
        shared.push(*uri);
    }
    let paths: Vec<String> = shared.iter().map(|uri| (*uri).to_owned()).collect();
    let code = done(host.stop_many(owner, &paths).await?.count);
    Ok(see_other(&returns::with_undo(back, code, &shared)))
}

fn done(stopped: usize) -> &'static str {
    match stopped {
        0 => "not-shared",
        1 => "stopped",
        _ => "stopped-several",
    }
}
