//! A change of mind: sharing again what was just stopped, or what waits for it, as it was.

use axum::extract::{Request, State};
use axum::response::Response;
use http::{Method, StatusCode};
use tower_warden::{MapState, OwnerId};

use super::failure::Failure;
use super::pages::{Pages, Visit, see_other};
use super::{connect, returns, text};
use crate::{ErrorKind, ReturnPath};

/// Where a form that shares again is sent.
pub(crate) const PATH: &str = "/uma/share-again";
/// Most paths that are shared again at once.
const MOST: usize = 100;
/// Most paths that an undo is offered for: they stand in a link.
pub(crate) const MOST_OFFERED: usize = 20;

/// The paths of `again` in the query that were stopped and can be shared as they were.
pub(crate) async fn offered(pages: &Pages, visit: &Visit) -> Vec<String> {
    let mut offered = Vec::new();
    let Some(me) = visit
        .signed_in
        .as_ref()
        .filter(|_| visit.parts.method == Method::GET)
    else {
        return offered;
    };
    if !matches!(
        visit.fields.optional(returns::NOTICE),
        Ok(Some("stopped" | "stopped-several"))
    ) {
        return offered;
    }
    for uri in visit.fields.all(returns::AGAIN).take(MOST_OFFERED) {
        let host = pages.host();
        let known = host.once_shared(&me.owner, uri).await;
        let shared = host.resource(&me.owner, uri).await;
        if matches!((known, shared), (Ok(Some(_)), Ok(None))) {
            offered.push(uri.to_owned());
        }
    }
    offered
}

/// `POST /uma/share-again`
pub(crate) async fn share_again(State(pages): State<Pages>, request: Request) -> Response {
    let visit = match pages.visit_with_form(request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let back = visit.wish();
    let back = back.as_ref().map_or(returns::LIST_PATH, ReturnPath::as_str);
    let Some(me) = &visit.signed_in else {
        return visit.sign_in_first(&pages, Some(back));
    };
    match carry_out(&pages, &visit, &me.owner).await {
        Ok(code) => see_other(&returns::with_notice(back, code)),
        // Nothing of the form gets lost: where one comes back to, the same button stands.
        Err(failure) if failure.wants_connection && !visit.wants_json => {
            see_other(&connect::href(Some(back)))
        }
        Err(failure) => visit.refuse(&pages, &failure.with_next(back, text::BACK)),
    }
}

async fn carry_out(pages: &Pages, visit: &Visit, owner: &OwnerId) -> Result<&'static str, Failure> {
    let uris: Vec<&str> = visit
        .fields
        .all("uri")
        .filter(|uri| !uri.is_empty())
        .collect();
    if uris.is_empty() || uris.len() > MOST {
        let text = if uris.is_empty() {
            text::AGAIN_NONE
        } else {
            text::STOP_TOO_MANY
        };
        let mut failure = Failure::new(StatusCode::BAD_REQUEST, text::FORM_HEADING, text);
        failure.field = Some("uri");
        return Err(failure);
    }
    let host = pages.host();
    let mut requests = Vec::with_capacity(uris.len());
    for uri in uris {
        match host.once_shared(owner, uri).await? {
            Some(request) => requests.push(request),
            None => {
                let gone = Failure::new(StatusCode::NOT_FOUND, text::UNPROTECTED, text::AGAIN_GONE);
                return Err(gone);
            }
        }
    }
    if let [request] = requests.as_slice() {
        return match host.share(owner, request.clone()).await {
            Ok(resource) if resource.state == MapState::Active => Ok("shared"),
            Ok(_) => Ok("pending"),
            // It is protected already, and tried again by itself.
            Err(error) if error.kind() == ErrorKind::AmUnreachable => Ok("pending"),
            Err(error) => Err(error.into()),
        };
    }
    let bulk = host.share_many(owner, requests).await?;
    match bulk.refused.into_iter().next() {
        Some((_, error)) => Err(error.into()),
        None => Ok("pending"),
    }
}
