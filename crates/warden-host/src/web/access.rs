//! Recent access: the page, and the same to take away as CSV and JSON.

mod export;

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use http::header::{HeaderValue, VARY};
use tower_warden::OwnerId;

use super::failure::Failure;
use super::list::{Filter, page_of};
use super::look::Shell;
use super::lookup::{self, Found};
use super::model::{AccessRow, Kind, Wish, wishes};
use super::pages::{Pages, Visit, html};
use super::{resource, returns, text};
use crate::{AccessQuery, RecentAccess, SharedResource};

pub(crate) use export::{csv, json};

pub(crate) const PATH: &str = "/uma/access";
const CSV_PATH: &str = "/uma/access.csv";
const JSON_PATH: &str = "/uma/access.json";
/// Rows on one page.
const PER_PAGE: u32 = 50;
/// Accesses that are looked at for wishes.
const LOOKED_AT: u32 = 1000;

/// The link to recent access, to all or to what is shared at `uri`.
pub(crate) fn href(uri: Option<&str>) -> String {
    returns::with_query(PATH, uri.map(|uri| ("uri", uri)))
}

/// What the owner wants to see.
#[derive(Debug, Clone, Default)]
struct Wanted {
    about: Option<SharedResource>,
    uri: String,
    allowed: Option<bool>,
    page: u64,
}

impl Wanted {
    async fn read(pages: &Pages, visit: &Visit, owner: &OwnerId) -> Result<Self, Failure> {
        let about = match visit.fields.optional("uri")? {
            None => None,
            Some(uri) => match lookup::at(pages.host(), owner, uri).await? {
                Found::Exact(shared) => Some(*shared),
                Found::Covered(_) | Found::Nothing => {
                    let nothing =
                        Failure::new(StatusCode::NOT_FOUND, text::UNPROTECTED, text::STOP_NOTHING);
                    return Err(nothing.with_next(PATH, text::ACCESS_ALL));
                }
            },
        };
        Ok(Self {
            uri: about
                .as_ref()
                .map_or_else(String::new, |about| about.uri.clone()),
            about,
            allowed: match visit.fields.optional("show")? {
                Some("allowed") => Some(true),
                Some("refused") => Some(false),
                _ => None,
            },
            page: page_of(&visit.fields)?,
        })
    }

    fn query(&self) -> AccessQuery {
        let mut query = AccessQuery::new().page(self.page);
        if let Some(about) = &self.about {
            query = query.map(about.map);
        }
        if let Some(allowed) = self.allowed {
            query = query.allowed(allowed);
        }
        query
    }

    fn show(&self) -> &'static str {
        match self.allowed {
            None => "",
            Some(true) => "allowed",
            Some(false) => "refused",
        }
    }

    fn href(&self, path: &str, page: u64) -> String {
        let page = page.to_string();
        let mut pairs = vec![
            ("uri", self.uri.as_str()),
            ("show", self.show()),
            ("page", if page == "1" { "" } else { page.as_str() }),
        ];
        pairs.retain(|(_, value)| !value.is_empty());
        returns::with_query(path, pairs)
    }
}

#[derive(Template)]
#[template(path = "access.html")]
struct AccessPage<'a> {
    shell: Shell<'a>,
    wanted: &'a Wanted,
    about: Option<(String, String)>,
    filters: Vec<Filter>,
    wishes: Vec<Wish>,
    rows: Vec<AccessRow>,
    count: String,
    csv: String,
    json: String,
    previous: Option<String>,
    next: Option<String>,
}

/// `GET /uma/access`
pub(crate) async fn access(State(pages): State<Pages>, request: Request) -> Response {
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
    if visit.wants_json {
        return export::answer(pages, visit, export::Format::Json).await;
    }
    match show(pages, visit, &me.owner).await {
        Ok(response) => response,
        Err(failure) => visit.refuse(pages, &failure),
    }
}

async fn show(pages: &Pages, visit: &Visit, owner: &OwnerId) -> Result<Response, Failure> {
    let wanted = Wanted::read(pages, visit, owner).await?;
    let query = wanted.query().page_size(PER_PAGE);
    let found = pages.host().accesses(owner, &query).await?;
    let wishes = if found.page == 1 && wanted.allowed != Some(true) {
        let mut all = AccessQuery::new().page_size(LOOKED_AT);
        if let Some(about) = &wanted.about {
            all = all.map(about.map);
        }
        wishes(&pages.host().accesses(owner, &all).await?.accesses)
    } else {
        Vec::new()
    };
    let first = (found.page - 1) * u64::from(PER_PAGE);
    let rows: Vec<AccessRow> = found.accesses.iter().map(AccessRow::of).collect();
    let last = first + u64::try_from(rows.len()).unwrap_or(0);
    let page = AccessPage {
        shell: visit.shell(pages, text::ACCESS_HEADING, PATH),
        about: wanted
            .about
            .as_ref()
            .map(|about| (about.name.clone(), resource::href(&about.uri))),
        filters: [
            ("", text::ACCESS_FILTER_ALL),
            ("allowed", text::ACCESS_FILTER_IN),
            ("refused", text::ACCESS_FILTER_OUT),
        ]
        .into_iter()
        .map(|(value, label)| Filter {
            value: value.to_owned(),
            label: label.to_owned(),
            chosen: wanted.show() == value,
        })
        .collect(),
        wishes,
        rows,
        count: text::list_count(first + 1, last, found.matching, found.matching),
        csv: wanted.href(CSV_PATH, 1),
        json: wanted.href(JSON_PATH, 1),
        previous: (found.page > 1).then(|| wanted.href(PATH, found.page - 1)),
        next: (found.page < found.pages).then(|| wanted.href(PATH, found.page + 1)),
        wanted: &wanted,
    };
    Ok(html(StatusCode::OK, &page))
}

/// All that is kept and wanted.
async fn all(
    pages: &Pages,
    owner: &OwnerId,
    wanted: &Wanted,
) -> Result<Vec<RecentAccess>, Failure> {
    let mut all = Vec::new();
    let mut number = 1;
    loop {
        let query = wanted.query().page(number).page_size(LOOKED_AT);
        let page = pages.host().accesses(owner, &query).await?;
        // A page that came back as an earlier one means that there is no more.
        if page.page != number {
            return Ok(all);
        }
        all.extend(page.accesses);
        if number >= page.pages {
            return Ok(all);
        }
        number += 1;
    }
}
