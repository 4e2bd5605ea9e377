//! All that an owner shares, a page at a time: as a page with search and filters, and as JSON.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, LINK, VARY};
use tower_warden::OwnerId;
use uma_client::Issuer;

use super::failure::Failure;
use super::forms::{FieldError, Fields};
use super::look::Shell;
use super::model::{ConnectionView, Kind, ResourceView, Settings};
use super::pages::{Pages, Visit, html};
use super::{connect, returns, stop, text};
use crate::{AmChoice, ResourceQuery, ReturnPath, SharedResource, Standing};

/// Resources on one page, for people and for scripts.
const PER_PAGE: u32 = 50;
const PER_JSON_PAGE: u32 = 200;

/// What the owner looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) query: String,
    pub(crate) state: Option<Standing>,
    pub(crate) manager: String,
    /// Counted from 1.
    pub(crate) page: u64,
}

impl Wanted {
    /// Reads `q`, `state`, `am` and `page`; a state or page that is none counts as not given.
    pub(crate) fn read(fields: &Fields) -> Result<Self, FieldError> {
        let asked = fields.optional("state")?;
        Ok(Self {
            query: fields.optional("q")?.unwrap_or_default().trim().to_owned(),
            state: STATES
                .into_iter()
                .map(|(state, _)| state)
                .find(|state| Some(state.as_str()) == asked),
            manager: fields.optional("am")?.unwrap_or_default().to_owned(),
            page: page_of(fields)?,
        })
    }

    /// Whether anything narrows the list.
    pub(crate) fn narrows(&self) -> bool {
        !self.query.is_empty() || self.state.is_some() || !self.manager.is_empty()
    }

    /// The query; `None` for an AM that can't be one, at which there is nothing.
    fn query(&self, size: u32) -> Option<ResourceQuery> {
        let mut query = ResourceQuery::new()
            .search(&self.query)
            .page(self.page)
            .page_size(size);
        if let Some(state) = self.state {
            query = query.standing(state);
        }
        if !self.manager.is_empty() {
            query = query.am(Issuer::parse(&self.manager).ok()?);
        }
        Some(query)
    }

    fn href(&self, page: u64) -> String {
        let page = page.to_string();
        let mut pairs = vec![
            ("q", self.query.as_str()),
            ("state", self.state.map_or("", Standing::as_str)),
            ("am", self.manager.as_str()),
            ("page", if page == "1" { "" } else { page.as_str() }),
        ];
        pairs.retain(|(_, value)| !value.is_empty());
        returns::with_query(returns::LIST_PATH, pairs)
    }
}

const STATES: [(Standing, &str); 3] = [
    (Standing::Protected, text::STATE_PROTECTED),
    (Standing::Pending, text::PENDING),
    (Standing::Problem, text::PROBLEM),
];

/// The field `page`; what is no page counts as the first.
pub(crate) fn page_of(fields: &Fields) -> Result<u64, FieldError> {
    let page = fields.optional("page")?;
    Ok(page.and_then(|page| page.parse().ok()).unwrap_or(1).max(1))
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
    all: u64,
    count: String,
    /// This very page of the list.
    here: String,
    stop_all: String,
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
        Err(failure) => visit.refuse(pages, &failure),
    }
}

async fn show(pages: &Pages, visit: &Visit, owner: &OwnerId) -> Result<Response, Failure> {
    let wanted = Wanted::read(&visit.fields)?;
    let size = if visit.wants_json {
        PER_JSON_PAGE
    } else {
        PER_PAGE
    };
    let query = wanted.query(size);
    let nowhere = query.is_none();
    let mut found = pages
        .host()
        .resources_page(owner, &query.unwrap_or_default())
        .await?;
    if nowhere {
        found.resources.clear();
        (found.matching, found.page, found.pages) = (0, 1, 1);
    }
    if visit.wants_json {
        let next = (found.page < found.pages).then(|| wanted.href(found.page + 1));
        return Ok(json(&found.resources, next));
    }
    let connection = visit.connection()?;
    let here = ReturnPath::parse(&wanted.href(found.page));
    let rows: Vec<Row> = found
        .resources
        .iter()
        .map(|resource| Row {
            resource: ResourceView::of(resource, connection),
            stop: stop::href(&resource.uri, here.as_ref()),
        })
        .collect();
    let first = (found.page - 1) * u64::from(PER_PAGE);
    let last = first + u64::try_from(rows.len()).unwrap_or(0);
    let page = ListPage {
        shell: visit.shell(pages, text::LIST_HEADING, returns::LIST_PATH),
        connection: connection.map(|one| ConnectionView::of(one, pages.now())),
        connect: connect::href(here.as_ref().map(ReturnPath::as_str)),
        states: states(&wanted),
        managers: managers(&found.ams, &wanted),
        count: text::list_count(first + 1, last, found.matching, found.all),
        previous: (found.page > 1).then(|| wanted.href(found.page - 1)),
        next: (found.page < found.pages).then(|| wanted.href(found.page + 1)),
        rows,
        here: here.map_or_else(|| returns::LIST_PATH.to_owned(), |here| here.to_string()),
        stop_all: stop::href_of_all(),
        all: found.all,
        wanted: &wanted,
    };
    Ok(html(StatusCode::OK, &page))
}

fn states(wanted: &Wanted) -> Vec<Filter> {
    STATES
        .into_iter()
        .map(|(state, label)| Filter {
            value: state.as_str().to_owned(),
            label: label.to_owned(),
            chosen: wanted.state == Some(state),
        })
        .collect()
}

/// The managers that decide over what the owner shares; none to choose from where it is one.
fn managers(ams: &[AmChoice], wanted: &Wanted) -> Vec<Filter> {
    if ams.len() < 2 && wanted.manager.is_empty() {
        return Vec::new();
    }
    ams.iter()
        .map(|am| Filter {
            value: am.issuer.as_str().to_owned(),
            label: am.name.clone(),
            chosen: wanted.manager == am.issuer.as_str(),
        })
        .collect()
}

/// A page of resources as an array; where there is more, the next one is linked to (RFC 8288).
fn json(resources: &[SharedResource], next: Option<String>) -> Response {
    let Ok(body) = serde_json::to_vec(resources) else {
        return super::failure::problem(&Failure::unwritable());
    };
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(link) =
        next.and_then(|next| HeaderValue::try_from(format!("<{next}>; rel=\"next\"")).ok())
    {
        headers.insert(LINK, link);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_comes_from_the_query_and_goes_back_into_it() {
        let wanted = Wanted::read(&Fields::parse(b"q=+Su+mmer&state=problem&page=3")).unwrap();
        assert_eq!(wanted.query, "Su mmer");
        assert_eq!(wanted.state, Some(Standing::Problem));
        assert_eq!(
            wanted.href(4),
            "/uma/resources?q=Su+mmer&state=problem&page=4"
        );
        let odd = Wanted::read(&Fields::parse(b"state=x&page=0")).unwrap();
        assert_eq!((odd.state, odd.page, odd.narrows()), (None, 1, false));
        assert_eq!(odd.href(1), "/uma/resources");
        assert!(Wanted::read(&Fields::parse(b"q=a&q=b")).is_err());
        let nowhere = Wanted::read(&Fields::parse(b"am=no+issuer")).unwrap();
        assert!(nowhere.query(50).is_none());
    }
}
