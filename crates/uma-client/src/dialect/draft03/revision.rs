//! The revision of a resource set: what the AM says in `ETag` or `_rev`, and what goes back in `If-Match`.
//!
//! It is kept as an entity tag, just as `If-Match` takes it (RFC 9110 section 8.8.3), so that what a store holds is what is
//! sent.

use bytes::Bytes;
use http::header::ETAG;
use http::{HeaderValue, Response};

use super::shape::malformed;
use crate::error::{Error, ErrorKind};

/// Longest revision that is kept, in bytes.
const MAX_REVISION: usize = 256;

/// The revision that an answer names: its `ETag`, else its `_rev`.
pub(super) fn revision(response: &Response<Bytes>, rev: Option<&str>) -> Result<String, Error> {
    let mut fields = response.headers().get_all(ETAG).iter();
    if let Some(field) = fields.next() {
        if fields.next().is_some() {
            return Err(malformed(response, "the header `ETag` is there twice"));
        }
        return field
            .to_str()
            .ok()
            .map(str::trim)
            .filter(|tag| is_tag(tag))
            .map(str::to_owned)
            .ok_or_else(|| malformed(response, "the header `ETag` is not one entity tag"));
    }
    match rev {
        Some(rev) if is_opaque(rev) => Ok(format!("\"{rev}\"")),
        Some(_) => Err(malformed(response, "member `_rev` is not a revision")),
        None => Err(malformed(
            response,
            "neither the header `ETag` nor the member `_rev` says the revision",
        )),
    }
}

/// `If-Match`, with the revision that the caller holds.
pub(super) fn if_match(revision: Option<&str>) -> Result<HeaderValue, Error> {
    let refuse = |why: &'static str| Error::new(ErrorKind::Config, why);
    let revision = revision.ok_or_else(|| {
        Error::new(
            ErrorKind::PreconditionFailed,
            "this needs the revision of the resource, and none was given: read it first",
        )
    })?;
    if !is_tag(revision) {
        return Err(refuse("the revision is not one that an AM gave"));
    }
    HeaderValue::try_from(revision).map_err(|_| refuse("the revision cannot stand in a header"))
}

/// One entity tag: quoted, weak, or bare as AMs of the time had them. Never `*` and never a list, which would match more than
/// the one revision.
fn is_tag(tag: &str) -> bool {
    let quoted = tag.strip_prefix("W/").unwrap_or(tag);
    match quoted.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').is_some_and(is_opaque),
        None => is_opaque(tag) && quoted == tag && !tag.contains(',') && tag != "*",
    }
}

fn is_opaque(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\');
    !text.is_empty() && text.len() <= MAX_REVISION && text.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tags: &[&str], rev: Option<&str>) -> Result<String, Error> {
        let mut response = Response::new(Bytes::new());
        for tag in tags {
            let value = HeaderValue::from_bytes(tag.as_bytes()).unwrap();
            response.headers_mut().append(ETAG, value);
        }
        revision(&response, rev)
    }

    #[test]
    fn what_is_read_can_be_sent_back() {
        for (tag, rev, kept) in [
            (Some("\"1-a\""), None, "\"1-a\""),
            (Some("W/\"1\""), Some("2"), "W/\"1\""),
            (Some("1-a"), None, "1-a"),
            (Some("\"a,b\""), None, "\"a,b\""),
            (None, Some("1-a"), "\"1-a\""),
            (None, Some("*"), "\"*\""),
        ] {
            let tags: Vec<&str> = tag.into_iter().collect();
            let revision = read(&tags, rev).unwrap();
            assert_eq!(revision, kept);
            assert_eq!(if_match(Some(&revision)).unwrap(), kept);
        }
    }

    /// A tag that matches more than one revision would let a stale update through.
    #[test]
    fn what_matches_more_than_one_revision_is_refused() {
        for bad in [
            "",
            "*",
            "a,b",
            "\"a\",\"b\"",
            "\"a",
            "a b",
            "\"a b\"",
            "\"\"",
            "W/",
            "W/\"",
            "\"a\\\"",
            "ä",
        ] {
            assert!(read(&[bad], Some("1")).is_err(), "{bad}");
            assert!(if_match(Some(bad)).is_err(), "{bad}");
        }
        assert!(read(&["\"a\"", "\"a\""], None).is_err());
        let long = "a".repeat(257);
        for bad in ["", "a b", "a\"b", "ä", &long] {
            assert!(read(&[], Some(bad)).is_err(), "{bad}");
        }
        assert!(read(&[], None).unwrap_err().to_string().contains("`_rev`"));
        assert!(
            if_match(None)
                .unwrap_err()
                .to_string()
                .contains("read it first")
        );
    }
}
