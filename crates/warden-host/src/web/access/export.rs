//! Recent access to take away.

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};

use super::{Wanted, all};
use crate::RecentAccess;
use crate::web::date::Moment;
use crate::web::failure::Failure;
use crate::web::model::actions;
use crate::web::pages::{Pages, Visit};

/// What it is taken away as.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    Csv,
    Json,
}

/// `GET /uma/access.csv`
pub(crate) async fn csv(State(pages): State<Pages>, request: Request) -> Response {
    let visit = pages.visit(request).await;
    answer(&pages, &visit, Format::Csv).await
}

/// `GET /uma/access.json`
pub(crate) async fn json(State(pages): State<Pages>, request: Request) -> Response {
    let visit = pages.visit(request).await;
    answer(&pages, &visit, Format::Json).await
}

pub(super) async fn answer(pages: &Pages, visit: &Visit, format: Format) -> Response {
    match write(pages, visit, format).await {
        Some(Ok(response)) => response,
        Some(Err(failure)) => visit.refuse(pages, &failure),
        None => visit.sign_in_first(pages, None),
    }
}

async fn write(pages: &Pages, visit: &Visit, format: Format) -> Option<Result<Response, Failure>> {
    let me = visit.signed_in.as_ref()?;
    let written = async {
        let wanted = Wanted::read(pages, visit, &me.owner).await?;
        let accesses = all(pages, &me.owner, &wanted).await?;
        match format {
            Format::Csv => Ok((
                to_csv(&accesses).into_bytes(),
                "text/csv; charset=utf-8",
                "attachment; filename=\"recent-access.csv\"",
            )),
            Format::Json => Ok((
                serde_json::to_vec(&accesses).map_err(|_| Failure::unwritable())?,
                "application/json",
                "attachment; filename=\"recent-access.json\"",
            )),
        }
    };
    Some(written.await.map(|(body, kind, name)| {
        let mut response = Response::new(body.into());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(name));
        response
    }))
}

const COLUMNS: [&str; 11] = [
    "first", "last", "times", "who", "app", "method", "actions", "resource", "path", "outcome",
    "reason",
];

/// As RFC 4180 says, with the names of the columns in the first line.
fn to_csv(accesses: &[RecentAccess]) -> String {
    let mut text = String::new();
    let mut line = |cells: &[&str]| {
        let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    };
    line(&COLUMNS);
    for access in accesses {
        line(&[
            &Moment::of(access.first).iso,
            &Moment::of(access.last).iso,
            &access.times.to_string(),
            access.who.as_deref().unwrap_or(""),
            access.app.as_deref().unwrap_or(""),
            &access.method,
            &actions(&access.scopes),
            access.resource.as_deref().unwrap_or(""),
            &access.path,
            access.outcome.as_str(),
            &access.reason,
        ]);
    }
    text
}

/// A cell in quotes. Names are others' words: one that a spreadsheet would take for a formula gets a `'` before it, as
/// OWASP advises (CSV injection).
fn cell(text: &str) -> String {
    let harmless = text.replace('"', "\"\"");
    let first = text.trim_start_matches(' ').chars().next();
    let is_formula = matches!(
        first,
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
    );
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{harmless}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (text, written) in [
            ("bob", "\"bob\""),
            ("", "\"\""),
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("  =1", "\"'  =1\""),
            ("＝1", "\"'＝1\""),
            ("=\"a\",b\n", "\"'=\"\"a\"\",b\n\""),
            ("a=1", "\"a=1\""),
        ] {
            assert_eq!(cell(text), written, "{text:?}");
        }
    }
}
