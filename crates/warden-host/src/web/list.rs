//! All that an owner shares: as a page with search, filters and paging, and as JSON.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, VARY};
use tower_warden::OwnerId;

use super::failure::Failure;
use super::forms::{FieldError, Fields};
use super::model::{ConnectionView, Kind, ResourceView, Settings};
use super::pages::{Pages, Shell, Visit, html};
use super::{connect, returns, stop, text};
use crate::{Connection, ReturnPath, SharedResource};

/// Resources on one page.
const PER_PAGE: usize = 50;

/// What the owner looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) query: String,
    /// The query in lower case.
    needle: String,
    pub(crate) state: Option<Kind>,
    pub(crate) manager: String,
    /// Counted from 1.
    pub(crate) page: usize,
}

impl Wanted {
    /// Reads `q`, `state`, `am` and `page`; a state or page that is none counts as not given.
    pub(crate) fn read(fields: &Fields) -> Result<Self, FieldError> {
        let state = [Kind::Protected, Kind::Pending, Kind::Problem];
        let asked = fields.optional("state")?;
        let query = fields.optional("q")?.unwrap_or_default().trim().to_owned();
        Ok(Self {
            needle: query.to_lowercase(),
            query,
            state: state.into_iter().find(|kind| Some(kind.key()) == asked),
            manager: fields.optional("am")?.unwrap_or_default().to_owned(),
            page: fields
                .optional("page")?
                .and_then(|page| page.parse().ok())
                .unwrap_or(1)
                .max(1),
        })
    }

    /// Whether anything narrows the list.
    pub(crate) fn narrows(&self) -> bool {
        !self.query.is_empty() || self.state.is_some() || !self.manager.is_empty()
    }

    fn fits(&self, resource: &SharedResource, connection: Option<&Connection>) -> bool {
        let by_text = self.query.is_empty()
            || resource.name.to_lowercase().contains(&self.needle)
            || resource.uri.to_lowercase().contains(&self.needle);
        let by_manager = self.manager.is_empty() || resource.am.as_str() == self.manager;
        by_text
            && by_manager
            && self
                .state
                .is_none_or(|kind| ResourceView::of(resource, connection).standing.kind == kind)
    }

    fn href(&self, page: usize) -> String {
        let page = page.to_string();
        let mut pairs = vec![
            ("q", self.query.as_str()),
            ("state", self.state.map_or("", Kind::key)),
            ("am", self.manager.as_str()),
            ("page", if page == "1" { "" } else { page.as_str() }),
        ];
        pairs.retain(|(_, value)| !value.is_empty());
        returns::with_query(returns::LIST_PATH, pairs)
    }
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) resource: ResourceView,
    pub(crate) stop: String,
}

/// A state or manager to filter by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) chosen: bool,
}

#[derive(Template)]
#[template(path = "resources.html")]
struct ListPage<'a> {
    shell: Shell<'a>,
    connection: Option<ConnectionView>,
    connect: String,
    wanted: &'a Wanted,
    states: Vec<Filter>,
    managers: Vec<Filter>,
    rows: Vec<Row>,
    all: usize,
    count: String,
    /// This very page of the list.
    here: String,
    previous: Option<String>,
    next: Option<String>,
}

/// `GET /uma/resources`
pub(crate) async fn list(State(pages): State<Pages>, request: Request) -> Response {
    let visit = pages.visit(request).await;
    let mut response = answer(&pages, &visit).await;
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("Accept, Cookie"));
    response
}

async fn answer(pages: &Pages, visit: &Visit) -> Response {
    let Some(me) = &visit.signed_in else {
        return visit.sign_in_first(pages, None);
    };
    match show(pages, visit, &me.owner).await {
        Ok(response) => response,
        Err(failure) => pages.refuse(visit.wants_json, &failure),
    }
}

async fn show(pages: &Pages, visit: &Visit, owner: &OwnerId) -> Result<Response, Failure> {
    let wanted = Wanted::read(&visit.fields)?;
    let all = pages.host().resources(owner).await?;
    let connection = pages.host().connection(owner).await?;
    let connection = connection.as_ref();
    let fitting: Vec<&SharedResource> = all
        .iter()
        .filter(|resource| wanted.fits(resource, connection))
        .collect();
    if visit.wants_json {
        return Ok(json(&fitting));
    }
    let last_page = fitting.len().div_ceil(PER_PAGE).max(1);
    let page = wanted.page.min(last_page);
    let first = (page - 1) * PER_PAGE;
    let here = ReturnPath::parse(&wanted.href(page));
    let rows: Vec<Row> = fitting
        .iter()
        .skip(first)
        .take(PER_PAGE)
        .map(|resource| Row {
            resource: ResourceView::of(resource, connection),
            stop: stop::href(&resource.uri, here.as_ref()),
        })
        .collect();
    let mut shell = pages.shell(text::LIST_HEADING);
    shell.notice = visit.notice();
    shell.place = returns::LIST_PATH;
    let page = ListPage {
        shell,
        connection: connection.map(ConnectionView::of),
        connect: connect::href(here.as_ref().map(ReturnPath::as_str)),
        states: states(&wanted),
        managers: managers(&all, &wanted),
        count: text::list_count(first + 1, first + rows.len(), fitting.len(), all.len()),
        previous: (page > 1).then(|| wanted.href(page - 1)),
        next: (page < last_page).then(|| wanted.href(page + 1)),
        rows,
        here: here.map_or_else(|| returns::LIST_PATH.to_owned(), |here| here.to_string()),
        all: all.len(),
        wanted: &wanted,
    };
    Ok(html(StatusCode::OK, &page))
}

fn states(wanted: &Wanted) -> Vec<Filter> {
    [
        (Kind::Protected, text::STATE_PROTECTED),
        (Kind::Pending, text::PENDING),
        (Kind::Problem, text::PROBLEM),
    ]
    .into_iter()
    .map(|(kind, label)| Filter {
        value: kind.key().to_owned(),
        label: label.to_owned(),
        chosen: wanted.state == Some(kind),
    })
    .collect()
}

/// The managers that decide over what the owner shares; none to choose from where it is one.
fn managers(all: &[SharedResource], wanted: &Wanted) -> Vec<Filter> {
    let mut managers: Vec<Filter> = Vec::new();
    for resource in all {
        let issuer = resource.am.as_str();
        if managers.iter().all(|known| known.value != issuer) {
            managers.push(Filter {
                value: issuer.to_owned(),
                label: resource.am_name.clone(),
                chosen: wanted.manager == issuer,
            });
        }
    }
    if managers.len() < 2 && wanted.manager.is_empty() {
        managers.clear();
    }
    managers
}

fn json(resources: &[&SharedResource]) -> Response {
    match serde_json::to_vec(resources) {
        Ok(body) => {
            let mut response = Response::new(body.into());
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(error) => {
            tracing::error!(%error, "the list could not be written");
            super::failure::problem(&Failure::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                text::STORE_HEADING,
                text::STORE_TEXT,
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_comes_from_the_query_and_goes_back_into_it() {
        let wanted = Wanted::read(&Fields::parse(b"q=+Su+mmer&state=problem&page=3")).unwrap();
        assert_eq!(wanted.query, "Su mmer");
        assert_eq!(wanted.state, Some(Kind::Problem));
        assert_eq!(
            wanted.href(4),
            "/uma/resources?q=Su+mmer&state=problem&page=4"
        );
        let odd = Wanted::read(&Fields::parse(b"state=x&page=0")).unwrap();
        assert_eq!((odd.state, odd.page, odd.narrows()), (None, 1, false));
        assert_eq!(odd.href(1), "/uma/resources");
        assert!(Wanted::read(&Fields::parse(b"q=a&q=b")).is_err());
    }
}
