//! Going back to where one was: always a path of this site, with a short code for what to say there.

use http::header::{HOST, HeaderValue, REFERER};
use http::request::Parts;
use url::Url;
use url::form_urlencoded;

use super::forms::Fields;
use crate::ReturnPath;

/// The query parameter that carries the code of what to say.
pub(crate) const NOTICE: &str = "notice";
/// The query parameter that carries a path that was stopped and can be shared again; repeatable.
pub(crate) const AGAIN: &str = "again";
/// Where one lands when nothing else is known.
pub(crate) const LIST_PATH: &str = "/uma/resources";

/// Pages of ours that ask for one thing and are done with afterwards: nobody is sent back to them.
const STEPS: [&str; 10] = [
    "/uma/share",
    "/uma/register-resource",
    "/uma/stop-sharing",
    "/uma/connect",
    "/uma/edit",
    "/uma/share-again",
    "/uma/disconnect",
    "/uma/move",
    "/uma/move/cancel",
    "/internal/uma_mini_panel",
];

/// Where to go after this request: its `return_to`, else the page that it came from, if that is one of this site's.
pub(crate) fn wish(parts: &Parts, fields: &Fields) -> Option<ReturnPath> {
    asked(fields).or_else(|| came_from(parts))
}

/// The `return_to` of the request; what is no path of this site counts as not given.
pub(crate) fn asked(fields: &Fields) -> Option<ReturnPath> {
    let path = fields.optional("return_to").ok().flatten()?;
    ReturnPath::parse(path)
}

/// The page that led here, without the notice that it showed; `None` for other sites' pages and for our own steps.
pub(crate) fn came_from(parts: &Parts) -> Option<ReturnPath> {
    let referer = Url::parse(parts.headers.get(REFERER)?.to_str().ok()?).ok()?;
    let host = match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => parts.headers.get(HOST)?.to_str().ok()?,
    };
    // The scheme that the browser used is not known behind a proxy, so the referer's counts for both.
    let here = Url::parse(&format!("{}://{host}/", referer.scheme())).ok()?;
    if !matches!(referer.scheme(), "http" | "https") || here.origin() != referer.origin() {
        return None;
    }
    let path = referer.path();
    if path.starts_with("/uma/callback/") || STEPS.contains(&path) {
        return None;
    }
    let whole = match referer.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    ReturnPath::parse(&without_notice(&whole))
}

/// Adds the code to the path's query: other parameters and the fragment stay as they are, an older code goes.
pub(crate) fn with_notice(path: &str, code: &str) -> String {
    let path = without_notice(path);
    let (before, fragment) = split_fragment(&path);
    let joint = match before.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{before}{joint}{NOTICE}={code}{fragment}")
}

/// As [`with_notice`], with the paths that were stopped. Only our own pages offer to share them again.
pub(crate) fn with_undo(path: &str, code: &str, uris: &[&str]) -> String {
    let told = with_notice(path, code);
    if !path.starts_with("/uma/") || uris.len() > super::undo::MOST_OFFERED {
        return told;
    }
    let (before, fragment) = split_fragment(&told);
    let whole = with_query(before, uris.iter().map(|uri| (AGAIN, *uri)));
    let whole = format!("{whole}{fragment}");
    // As long as a link may be.
    if ReturnPath::parse(&whole).is_some() {
        whole
    } else {
        told
    }
}

pub(crate) fn without_notice(path: &str) -> String {
    let (before, fragment) = split_fragment(path);
    let Some((path, query)) = before.split_once('?') else {
        return format!("{before}{fragment}");
    };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !matches!(pair.split('=').next(), Some(NOTICE | AGAIN)))
        .collect();
    if kept.is_empty() {
        format!("{path}{fragment}")
    } else {
        format!("{path}?{}{fragment}", kept.join("&"))
    }
}

fn split_fragment(path: &str) -> (&str, &str) {
    match path.find('#') {
        Some(at) => path.split_at(at),
        None => (path, ""),
    }
}

/// A path with the given parameters, percent-encoded, behind those that it has.
pub(crate) fn with_query<'a>(
    path: &str,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        let joint = if path.contains('?') { '&' } else { '?' };
        format!("{path}{joint}{query}")
    }
}

/// A `Location` value: octets that a header field may not hold are percent-encoded.
pub(crate) fn location(target: &str) -> HeaderValue {
    let mut escaped = String::with_capacity(target.len());
    for byte in target.bytes() {
        if byte.is_ascii_graphic() {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    HeaderValue::try_from(escaped).unwrap_or_else(|_| HeaderValue::from_static(LIST_PATH))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn went_back(uri: &str, host: &str, referer: &str) -> Option<String> {
        came_from(&parts(uri, &[("host", host), ("referer", referer)]))
            .map(|path| path.as_str().to_owned())
    }

    #[test]
    fn a_page_of_this_site_is_gone_back_to_with_its_query() {
        let back = went_back(
            "/uma/x",
            "here.example",
            "https://here.example/album?page=2&notice=shared",
        );
        assert_eq!(back.as_deref(), Some("/album?page=2"));
        let back = went_back("/uma/x", "127.0.0.1:8080", "http://127.0.0.1:8080/");
        assert_eq!(back.as_deref(), Some("/"));
        let back = went_back(
            "http://here.example/uma/x",
            "wrong",
            "http://here.example:80/a",
        );
        assert_eq!(back.as_deref(), Some("/a"));
    }

    #[test]
    fn other_sites_and_our_own_steps_are_not() {
        for referer in [
            "https://there.example/album",
            "http://here.example:8080/album",
            "https://here.example.there.example/",
            "https://here.example@there.example/album",
            "https://here.example//there.example/",
            "https://here.example/uma/share?uri=/a",
            "https://here.example/internal/uma_mini_panel?uri=/a",
            "https://here.example/uma/callback/k?code=1",
            "file:///etc/passwd",
            "no url",
        ] {
            assert_eq!(
                went_back("/uma/x", "here.example", referer),
                None,
                "{referer}"
            );
        }
    }

    #[test]
    fn return_to_beats_the_referer_unless_it_leaves_the_site() {
        let parts = parts("/", &[("host", "h"), ("referer", "http://h/from")]);
        let of = |query: &str| {
            wish(&parts, &Fields::parse(query.as_bytes())).map(|path| path.as_str().to_owned())
        };
        assert_eq!(of("return_to=%2Fasked").as_deref(), Some("/asked"));
        for evil in [
            "https://evil.example",
            "//evil.example",
            "/%5Cevil.example",
            "evil",
        ] {
            assert_eq!(
                of(&format!("return_to={evil}")).as_deref(),
                Some("/from"),
                "{evil}"
            );
        }
    }

    #[test]
    fn the_notice_joins_what_is_there() {
        for (path, expected) in [
            ("/a", "/a?notice=shared"),
            ("/a?", "/a?notice=shared"),
            ("/a?b=1", "/a?b=1&notice=shared"),
            ("/a?notice=stopped&b=1#x", "/a?b=1&notice=shared#x"),
            ("/a#x?y", "/a?notice=shared#x?y"),
            ("/a?notice=stopped", "/a?notice=shared"),
            ("/a?noticed=1", "/a?noticed=1&notice=shared"),
        ] {
            assert_eq!(with_notice(path, "shared"), expected, "{path}");
        }
    }

    #[test]
    fn a_location_is_always_a_header_value() {
        assert_eq!(location("/é x\r\n"), "/%C3%A9%20x%0D%0A");
        assert_eq!(location("/a?b=%2F#c"), "/a?b=%2F#c");
    }

    #[test]
    fn parameters_are_encoded() {
        assert_eq!(with_query("/a", [("b", "/c d&e")]), "/a?b=%2Fc+d%26e");
        assert_eq!(with_query("/a?x=1", [("b", "2")]), "/a?x=1&b=2");
        assert_eq!(with_query("/a", []), "/a");
    }
}
