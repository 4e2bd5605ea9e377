//! What all pages share: the host and its sign-in; reading a request; answering with a page.

use std::sync::Arc;
use std::time::SystemTime;

use askama::Template;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};

use super::current::AnyCurrent;
use super::failure::{self, Failure};
use super::forms::Fields;
use super::look::{Look, Shell};
use super::model::Banner;
use super::{SignedIn, returns, text, undo};
use crate::{Connection, Host, ReturnPath};

/// The state of the router.
#[derive(Clone)]
pub(crate) struct Pages(Arc<Inner>);

struct Inner {
    host: Host,
    current: Box<dyn AnyCurrent>,
    look: Look,
}

impl Pages {
    pub(crate) fn new(host: Host, current: Box<dyn AnyCurrent>, look: Look) -> Self {
        Self(Arc::new(Inner {
            host,
            current,
            look,
        }))
    }

    pub(crate) fn host(&self) -> &Host {
        &self.0.host
    }

    pub(crate) fn look(&self) -> &Look {
        &self.0.look
    }

    /// Now, by the host's clock.
    pub(crate) fn now(&self) -> SystemTime {
        self.0.host.inner.clock.now()
    }

    /// Reads a request whose fields are in its query.
    pub(crate) async fn visit(&self, request: Request) -> Visit {
        let (parts, _) = request.into_parts();
        let fields = Fields::of_query(&parts);
        self.seen(parts, fields).await
    }

    /// Reads a request whose fields are in its body.
    pub(crate) async fn visit_with_form(&self, request: Request) -> Result<Visit, Response> {
        let (parts, body) = request.into_parts();
        let whole = Request::from_parts(parts.clone(), body);
        match Fields::of_body(whole).await {
            Ok(fields) => Ok(self.seen(parts, fields).await),
            Err(failure) if wants_json(&parts.headers) => Err(failure::problem(&failure)),
            Err(failure) => Err(failure::page(self, None, &failure)),
        }
    }

    async fn seen(&self, parts: Parts, fields: Fields) -> Visit {
        let signed_in = self.0.current.current(&parts).await;
        let connection = match &signed_in {
            Some(me) => self
                .0
                .host
                .connection(&me.owner)
                .await
                .map_err(Failure::from),
            None => Ok(None),
        };
        let header = self.0.look.header.write(&parts);
        let footer = self.0.look.footer.write(&parts);
        let mut visit = Visit {
            wants_json: wants_json(&parts.headers),
            parts,
            fields,
            signed_in,
            connection,
            undo: Vec::new(),
            header,
            footer,
        };
        visit.undo = undo::offered(self, &visit).await;
        visit
    }

    /// The URL of the host's sign-in page that leads back to `back`.
    pub(crate) fn sign_in(&self, back: &str) -> String {
        returns::with_query(self.0.current.sign_in_path(), [("return_to", back)])
    }
}

/// A request as the pages see it.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) parts: Parts,
    pub(crate) fields: Fields,
    pub(crate) signed_in: Option<SignedIn>,
    pub(crate) wants_json: bool,
    /// The owner's connection.
    pub(crate) connection: Result<Option<Connection>, Failure>,
    /// What was just stopped and can be shared again.
    pub(crate) undo: Vec<String>,
    /// The host's own HTML above and below the page.
    pub(crate) header: String,
    pub(crate) footer: String,
}

impl Visit {
    /// The frame of a page at `place` in the navigation.
    pub(crate) fn shell<'a>(
        &'a self,
        pages: &'a Pages,
        heading: &'a str,
        place: &'static str,
    ) -> Shell<'a> {
        let connection = self.connection.as_ref().ok().and_then(Option::as_ref);
        let mut shell = Shell::new(pages.look(), heading);
        shell.place = place;
        shell.notice = self.notice();
        shell.undo = &self.undo;
        shell.header = &self.header;
        shell.footer = &self.footer;
        shell.here = self.here();
        shell.banner = connection.and_then(|connection| Banner::of(connection, pages.now()));
        shell
    }

    /// This very page, without what it says about what was just done.
    pub(crate) fn here(&self) -> String {
        let path = self.parts.uri.path_and_query();
        let path = path.map_or(returns::LIST_PATH, |path| path.as_str());
        ReturnPath::parse(&returns::without_notice(path)).map_or_else(
            || returns::LIST_PATH.to_owned(),
            |path| path.as_str().to_owned(),
        )
    }

    /// The owner's connection.
    pub(crate) fn connection(&self) -> Result<Option<&Connection>, Failure> {
        self.connection
            .as_ref()
            .map(Option::as_ref)
            .map_err(Failure::clone)
    }

    /// The failure, as a page or for a script.
    pub(crate) fn refuse(&self, pages: &Pages, failure: &Failure) -> Response {
        if self.wants_json {
            failure::problem(failure)
        } else {
            failure::page(pages, Some(self), failure)
        }
    }

    /// Where the owner wants to be after this.
    pub(crate) fn wish(&self) -> Option<ReturnPath> {
        returns::wish(&self.parts, &self.fields)
    }

    /// What to say about what was just done.
    pub(crate) fn notice(&self) -> Option<&'static str> {
        let code = self.fields.optional(returns::NOTICE).ok().flatten()?;
        super::notice_text(code)
    }

    /// The answer for somebody who has to sign in first, to come back to `back`; by default to this very page.
    pub(crate) fn sign_in_first(&self, pages: &Pages, back: Option<&str>) -> Response {
        let here = self
            .parts
            .uri
            .path_and_query()
            .map_or(returns::LIST_PATH, |path| path.as_str());
        let href = pages.sign_in(back.unwrap_or(here));
        if self.wants_json || self.parts.method == Method::POST {
            self.refuse(pages, &Failure::not_signed_in(href))
        } else {
            see_other(&href)
        }
    }
}

/// A page.
pub(crate) fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(body) => {
            let mut response = Response::new(body.into());
            *response.status_mut() = status;
            response.headers_mut().insert(
                CONTENT_TYPE,
                HeaderValue::from_static("text/html; charset=utf-8"),
            );
            response
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            (StatusCode::INTERNAL_SERVER_ERROR, text::STORE_TEXT).into_response()
        }
    }
}

/// 303 to a path of this site or, in the one case of going to consent, to an AM.
pub(crate) fn see_other(target: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    response
        .headers_mut()
        .insert(LOCATION, returns::location(target));
    response
}

/// Whether the request would rather have JSON than a page (RFC 9110 section 12.5.1).
pub(crate) fn wants_json(headers: &HeaderMap) -> bool {
    let mut json = 0;
    let mut page = 0;
    for value in headers.get_all(http::header::ACCEPT) {
        for item in value.to_str().unwrap_or_default().split(',') {
            let mut pieces = item.split(';').map(str::trim);
            let range = pieces.next().unwrap_or_default();
            let weight = pieces
                .find_map(|piece| {
                    piece
                        .strip_prefix("q=")
                        .or_else(|| piece.strip_prefix("Q="))
                })
                .map_or(1000, thousandths);
            if ["application/json", "application/problem+json"]
                .iter()
                .any(|json| range.eq_ignore_ascii_case(json))
            {
                json = json.max(weight);
            } else if range.eq_ignore_ascii_case("text/html")
                || range.eq_ignore_ascii_case("application/xhtml+xml")
            {
                page = page.max(weight);
            }
        }
    }
    json > page
}

/// A weight such as `0.8` in thousandths; what is none counts as nothing.
fn thousandths(weight: &str) -> u32 {
    let weight: f32 = weight.parse().unwrap_or(0.0);
    // Weights lie between 0 and 1, so that nothing is cut off.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let thousandths = (weight.clamp(0.0, 1.0) * 1000.0) as u32;
    thousandths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_only_for_those_who_prefer_it() {
        let of = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("accept", accept.parse().unwrap());
            wants_json(&headers)
        };
        assert!(of("application/json"));
        assert!(of("APPLICATION/JSON;q=0.9, text/html;q=0.5"));
        assert!(!of(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        ));
        assert!(!of("*/*"));
        assert!(!of("application/json;q=0"));
        assert!(!of("application/json, text/html"));
        assert!(!wants_json(&HeaderMap::new()));
    }
}
