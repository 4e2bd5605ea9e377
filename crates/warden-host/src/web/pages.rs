//! What all pages share: the host, its sign-in and its look; reading a request; answering with a page.

use std::sync::Arc;

use askama::Template;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};

use super::current::AnyCurrent;
use super::failure::{self, Failure};
use super::forms::Fields;
use super::{SignedIn, returns, text};
use crate::{Host, ReturnPath};

/// The state of the router.
#[derive(Clone)]
pub(crate) struct Pages(Arc<Inner>);

struct Inner {
    host: Host,
    current: Box<dyn AnyCurrent>,
    look: Look,
}

/// What a host sets about the look of the pages.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) title: String,
    pub(crate) home: String,
    pub(crate) stylesheet: Option<String>,
    /// Whether the connect page has a field for an AM that is not among those suggested.
    pub(crate) any_am: bool,
    /// Who may frame the mini panel, as the directive's value.
    pub(crate) frame_ancestors: String,
}

/// What every whole page needs for its frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shell<'a> {
    pub(crate) look: &'a Look,
    /// The page's heading, which is also the first part of its title.
    pub(crate) heading: &'a str,
    /// What to say about what was just done.
    pub(crate) notice: Option<&'static str>,
    /// Whether the title says that there is an error.
    pub(crate) erroneous: bool,
    /// The path of the page in the navigation.
    pub(crate) place: &'static str,
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

    pub(crate) fn shell<'a>(&'a self, heading: &'a str) -> Shell<'a> {
        Shell {
            look: &self.0.look,
            heading,
            notice: None,
            erroneous: false,
            place: "",
        }
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
            Err(failure) => Err(self.refuse(wants_json(&parts.headers), &failure)),
        }
    }

    async fn seen(&self, parts: Parts, fields: Fields) -> Visit {
        let signed_in = self.0.current.current(&parts).await;
        Visit {
            wants_json: wants_json(&parts.headers),
            parts,
            fields,
            signed_in,
        }
    }

    /// The URL of the host's sign-in page that leads back to `back`.
    pub(crate) fn sign_in(&self, back: &str) -> String {
        returns::with_query(self.0.current.sign_in_path(), [("return_to", back)])
    }

    /// The failure, as a page or for a script.
    pub(crate) fn refuse(&self, as_json: bool, failure: &Failure) -> Response {
        if as_json {
            failure::problem(failure)
        } else {
            failure::page(self, failure)
        }
    }
}

/// A request as the pages see it.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) parts: Parts,
    pub(crate) fields: Fields,
    pub(crate) signed_in: Option<SignedIn>,
    pub(crate) wants_json: bool,
}

impl Visit {
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
            pages.refuse(self.wants_json, &Failure::not_signed_in(href))
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
