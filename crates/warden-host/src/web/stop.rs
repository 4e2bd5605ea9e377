//! Stop sharing: what will happen, then the deed.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use tower_warden::OwnerId;

use super::failure::Failure;
use super::forms::Fields;
use super::lookup::{self, Found};
use super::model::ResourceView;
use super::pages::{Pages, Shell, Visit, html, see_other};
use super::{returns, text};
use crate::ReturnPath;

const PATH: &str = "/uma/stop-sharing";

/// The link to the page that asks whether to stop.
pub(crate) fn href(uri: &str, return_to: Option<&ReturnPath>) -> String {
    let mut pairs = vec![("uri", uri)];
    pairs.extend(return_to.map(|path| ("return_to", path.as_str())));
    returns::with_query(PATH, pairs)
}

/// Most paths that are stopped at once.
const MOST: usize = 100;

#[derive(Template)]
#[template(path = "stop.html")]
struct StopPage<'a> {
    shell: Shell<'a>,
    resources: Vec<ResourceView>,
    covers_more: bool,
    return_to: &'a str,
}

/// `GET /uma/stop-sharing`
pub(crate) async fn ask(State(pages): State<Pages>, request: Request) -> Response {
    let visit = pages.visit(request).await;
    let Some(me) = &visit.signed_in else {
        return visit.sign_in_first(&pages, None);
    };
    match show(&pages, &visit, &me.owner).await {
        Ok(response) => response,
        Err(failure) => pages.refuse(visit.wants_json, &failure),
    }
}

async fn show(pages: &Pages, visit: &Visit, owner: &OwnerId) -> Result<Response, Failure> {
    let back = visit.wish();
    let return_to = back.as_ref().map_or(returns::LIST_PATH, ReturnPath::as_str);
    let mut resources = Vec::new();
    for uri in uris(&visit.fields).map_err(|failure| failure.with_next(return_to, text::BACK))? {
        if let Found::Exact(resource) = lookup::at(pages.host(), owner, uri).await? {
            resources.push(ResourceView::of(&resource, None));
        }
    }
    if resources.is_empty() {
        let nothing = Failure::new(StatusCode::NOT_FOUND, text::UNPROTECTED, text::STOP_NOTHING);
        return Err(nothing.with_next(return_to, text::BACK));
    }
    Ok(html(
        StatusCode::OK,
        &StopPage {
            shell: pages.shell(text::STOP_HEADING),
            covers_more: resources.iter().any(|resource| resource.subtree),
            resources,
            return_to,
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
    let uris = match uris(&visit.fields) {
        Ok(uris) => uris,
        Err(failure) => return pages.refuse(visit.wants_json, &failure),
    };
    let back = visit.wish();
    let Some(me) = &visit.signed_in else {
        let ask = match uris.as_slice() {
            [uri] => href(uri, back.as_ref()),
            _ => returns::LIST_PATH.to_owned(),
        };
        return visit.sign_in_first(&pages, Some(&ask));
    };
    match carry_out(&pages, &me.owner, &uris).await {
        Ok(code) => {
            let back = back.as_ref().map_or(returns::LIST_PATH, ReturnPath::as_str);
            see_other(&returns::with_notice(back, code))
        }
        Err(failure) => pages.refuse(visit.wants_json, &failure),
    }
}

/// Stops one after the other; what was stopped before something failed stays stopped, and the form can be sent again.
async fn carry_out(pages: &Pages, owner: &OwnerId, uris: &[&str]) -> Result<&'static str, Failure> {
    let mut stopped = 0;
    for uri in uris {
        if pages.host().stop_sharing(owner, uri).await?.was_shared() {
            stopped += 1;
        } else {
            // Nothing of the owner's was there: a second click, or somebody else's path.
            lookup::at(pages.host(), owner, uri).await?;
        }
    }
    Ok(match stopped {
        0 => "not-shared",
        1 => "stopped",
        _ => "stopped-several",
    })
}
