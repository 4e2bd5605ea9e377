//! Changing what is shared: the share form, filled in with how it is, and bound to what it was drawn from.

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use tower_warden::OwnerId;

use super::failure::Failure;
use super::lookup::{self, Found};
use super::pages::{Pages, Visit, see_other};
use super::share::{self, ShareForm, Showing};
use super::{resource, returns};
use crate::{ReturnPath, SharedResource};

const PATH: &str = "/uma/edit";

/// The link to the form that changes what is shared at `uri`.
pub(crate) fn href(uri: &str) -> String {
    returns::with_query(PATH, [("uri", uri)])
}

/// `GET /uma/edit`
pub(crate) async fn edit(State(pages): State<Pages>, request: Request) -> Response {
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
    let uri = visit.fields.required("uri")?;
    let Found::Exact(shared) = lookup::at(pages.host(), owner, uri).await? else {
        return Ok(see_other(&resource::href(uri)));
    };
    let form = as_it_is(&shared);
    Ok(share::page(
        pages,
        visit,
        &form,
        Showing::new(StatusCode::OK),
    ))
}

/// The form as the resource is now.
pub(crate) fn as_it_is(shared: &SharedResource) -> ShareForm {
    ShareForm {
        uri: shared.uri.clone(),
        name: shared.name.clone(),
        description: shared.description.clone().unwrap_or_default(),
        icon_uri: shared.icon_uri.clone().unwrap_or_default(),
        scopes: shared.scopes.clone(),
        chosen: true,
        subtree: shared.subtree,
        return_to: ReturnPath::parse(&resource::href(&shared.uri)),
        generation: Some(shared.generation),
    }
}
