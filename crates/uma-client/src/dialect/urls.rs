//! URLs below an endpoint, as all dialects build them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::ids::ResourceId;

/// Everything but the unreserved characters of RFC 3986 section 2.3.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The id as one segment of a path or value of a template.
pub(super) fn encoded(id: &ResourceId) -> String {
    utf8_percent_encode(id.as_str(), SEGMENT).to_string()
}

/// The URL of one resource: the base without query and trailing slashes, and the id as one segment.
pub(super) fn item_url(base: &Url, id: &ResourceId) -> Url {
    below(base, &encoded(id))
}

/// The URL below a base: the base without query and trailing slashes, and what follows it, already encoded.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    let path = format!("{}/{path}", base.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R7: an id is one segment, whatever it holds.
    #[test]
    fn item_urls() {
        let url = |base: &str, id: &str| {
            String::from(item_url(
                &Url::parse(base).unwrap(),
                &ResourceId::parse(id).unwrap(),
            ))
        };
        assert_eq!(url("https://am/rreg", "7"), "https://am/rreg/7");
        assert_eq!(url("https://am/rreg/", "7"), "https://am/rreg/7");
        assert_eq!(url("https://am/rreg//?x=y", "7"), "https://am/rreg/7");
        assert_eq!(url("https://am", "7"), "https://am/7");
        assert_eq!(
            url("https://am/rreg", "a/b?c#d e%ä"),
            "https://am/rreg/a%2Fb%3Fc%23d%20e%25%C3%A4"
        );
        assert_eq!(
            url("https://am/rreg", "https://am/r/1"),
            "https://am/rreg/https%3A%2F%2Fam%2Fr%2F1"
        );
        assert_eq!(url("https://am/rreg", "..."), "https://am/rreg/...");
        assert_eq!(
            url("https://am/rreg", "%2e%2e"),
            "https://am/rreg/%252e%252e"
        );
        assert_eq!(url("https://am/rreg", "../x"), "https://am/rreg/..%2Fx");
        assert_eq!(
            url("https://am/rreg", "a\\..\\b"),
            "https://am/rreg/a%5C..%5Cb"
        );
    }
}
