//! One resource: what is shared, how it stands, and who got at it of late.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use tower_warden::OwnerId;

use super::failure::Failure;
use super::look::Shell;
use super::lookup::{self, Found};
use super::model::{AccessRow, Kind, ResourceView, Settings, Standing, Wish, wishes};
use super::pages::{Pages, Visit, html, see_other};
use super::share::ShareForm;
use super::{access, connect, returns, stop, text};
use crate::{AccessQuery, ReturnPath};

pub(crate) const PATH: &str = "/uma/resource";
/// Rows of recent access on the page.
const ROWS: usize = 10;
/// Accesses that are looked at for wishes.
const LOOKED_AT: u32 = 1000;

/// The link to the page of what is shared at `uri`.
pub(crate) fn href(uri: &str) -> String {
    returns::with_query(PATH, [("uri", uri)])
}

#[derive(Template)]
#[template(path = "resource.html")]
struct ResourcePage<'a> {
    shell: Shell<'a>,
    resource: ResourceView,
    stop: String,
    reconnect: Option<String>,
    rows: Vec<AccessRow>,
    wish: Option<Wish>,
    all_access: String,
    /// Where one came from, if that was a page of this site.
    back: Option<&'a str>,
    here: String,
}

#[derive(Template)]
#[template(path = "unshared.html")]
struct UnsharedPage<'a> {
    shell: Shell<'a>,
    standing: Standing,
    uri: String,
    covered: Option<(String, String)>,
    share: String,
}

/// `GET /uma/resource`
pub(crate) async fn resource(State(pages): State<Pages>, request: Request) -> Response {
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
    let connection = visit.connection()?;
    let back = returns::asked(&visit.fields);
    match lookup::at(pages.host(), owner, uri).await? {
        Found::Exact(shared) => {
            let query = AccessQuery::new().map(shared.map).page_size(LOOKED_AT);
            let accesses = pages.host().accesses(owner, &query).await?.accesses;
            let resource = ResourceView::of(&shared, connection);
            let here = href(&resource.uri);
            let here_path = ReturnPath::parse(&here);
            let heading = resource.name.clone();
            let page = ResourcePage {
                shell: visit.shell(pages, &heading, PATH),
                stop: stop::href(&resource.uri, here_path.as_ref()),
                reconnect: resource
                    .needs_consent
                    .then(|| connect::href(Some(here.as_str()))),
                rows: accesses.iter().take(ROWS).map(AccessRow::of).collect(),
                wish: wishes(&accesses).into_iter().next(),
                all_access: access::href(Some(&resource.uri)),
                back: back.as_ref().map(ReturnPath::as_str),
                here,
                resource,
            };
            Ok(html(StatusCode::OK, &page))
        }
        // A path below what is shared, as recent access names them, is shown as what covers it.
        Found::Covered(covering) if visit.fields.flag("covering")? => {
            Ok(see_other(&href(&covering.uri)))
        }
        found => {
            let covered = match &found {
                Found::Covered(covering) => {
                    Some((text::covered_by(&covering.uri), href(&covering.uri)))
                }
                _ => None,
            };
            let standing = match &found {
                Found::Covered(covering) => ResourceView::of(covering, connection).standing,
                _ => Standing::unprotected(&pages.look().unprotected),
            };
            let form = ShareForm {
                uri: uri.to_owned(),
                return_to: back,
                ..ShareForm::default()
            }
            .with_usual_name();
            let heading = form.name.clone();
            let page = UnsharedPage {
                shell: visit.shell(pages, &heading, PATH),
                standing,
                uri: uri.to_owned(),
                covered,
                share: form.href(),
            };
            Ok(html(StatusCode::OK, &page))
        }
    }
}
