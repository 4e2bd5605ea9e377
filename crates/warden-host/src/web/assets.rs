//! The stylesheet of the pages.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};

/// Where the stylesheet is.
pub(crate) const CSS_PATH: &str = "/uma/assets/warden.css";
const CSS: &str = include_str!("../../assets/warden.css");

static TAG: LazyLock<String> =
    LazyLock::new(|| format!("\"{}\"", URL_SAFE_NO_PAD.encode(Sha256::digest(CSS))));

/// The link to the stylesheet as it is now: pages of a new version never wear the look of an older one.
pub(crate) fn css_href() -> &'static str {
    static HREF: LazyLock<String> =
        LazyLock::new(|| format!("{CSS_PATH}?v={}", TAG.trim_matches('"')));
    &HREF
}

/// `GET /uma/assets/warden.css`: revalidated after some minutes, for pages of the host's own that link to it.
pub(crate) async fn css(headers: HeaderMap) -> Response {
    let common = [
        (ETAG, TAG.as_str()),
        (CACHE_CONTROL, "public, max-age=300"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let is_known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim().trim_start_matches("W/") == TAG.as_str());
    if is_known {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, [(CONTENT_TYPE, "text/css; charset=utf-8")], CSS).into_response()
}
