//! The head of a request, as far as judging needs it.

use std::fmt;

use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request};

/// The head of a request: the path that the outermost router saw, the verb, the fields, the extensions.
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    path: &'a str,
    /// The path that what comes behind Warden sees.
    behind: &'a str,
    /// Whether nesting, which takes the prefix away, accounts for the difference between the two.
    nested: bool,
    method: &'a Method,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
}

impl<'a> RequestHead<'a> {
    /// A head of its parts; `path` is the raw path of the request target as it was sent, without the query.
    #[must_use]
    pub const fn new(
        path: &'a str,
        method: &'a Method,
        headers: &'a HeaderMap,
        extensions: &'a Extensions,
    ) -> Self {
        Self {
            path,
            behind: path,
            nested: false,
            method,
            headers,
            extensions,
        }
    }

    /// The head of a request. With the feature `axum`, the path is that of `OriginalUri` where a router has set it, since
    /// a nested router shows its layers a path without the prefix.
    #[must_use]
    pub fn of<B>(request: &'a Request<B>) -> Self {
        Self::seen(
            request.uri().path(),
            request.method(),
            request.headers(),
            request.extensions(),
        )
    }

    /// As [`RequestHead::of`], for a request that has been taken apart.
    #[must_use]
    pub fn of_parts(parts: &'a Parts) -> Self {
        Self::seen(
            parts.uri.path(),
            &parts.method,
            &parts.headers,
            &parts.extensions,
        )
    }

    fn seen(
        path: &'a str,
        method: &'a Method,
        headers: &'a HeaderMap,
        extensions: &'a Extensions,
    ) -> Self {
        let original = original_path(extensions).unwrap_or(path);
        Self {
            path: original,
            behind: path,
            nested: original != path && is_nested(original, path, extensions),
            method,
            headers,
            extensions,
        }
    }

    /// The raw path.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// The verb.
    #[must_use]
    pub const fn method(&self) -> &'a Method {
        self.method
    }

    /// The verb whose scopes the request needs. A WebSocket over HTTP/2 (an extended `CONNECT`, RFC 8441) needs what it needs
    /// over HTTP/1.1, where it is a `GET` with `Upgrade`.
    pub(crate) fn verb(&self) -> &'a Method {
        match *self.method {
            Method::CONNECT if is_websocket(self.extensions) => &Method::GET,
            _ => self.method,
        }
    }

    /// The fields.
    #[must_use]
    pub const fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// The extensions.
    #[must_use]
    pub const fn extensions(&self) -> &'a Extensions {
        self.extensions
    }

    /// The raw path that what comes behind Warden sees.
    pub(crate) const fn behind(&self) -> &'a str {
        self.behind
    }

    /// Whether what comes behind Warden sees another path than the judged one.
    pub(crate) fn is_changed(&self) -> bool {
        self.path != self.behind
    }

    /// Whether what comes behind Warden acts on another path than the judged one.
    pub(crate) fn is_rewritten(&self) -> bool {
        self.is_changed() && !self.nested
    }
}

impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the fields: there are tokens among them.
        f.debug_struct("RequestHead")
            .field("method", self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Whether `path` is what axum's nesting leaves of `original`: a tail, with as many segments less as the prefix has.
#[cfg(feature = "axum")]
fn is_nested(original: &str, path: &str, extensions: &Extensions) -> bool {
    fn segments(path: &str) -> usize {
        let path = path.trim_matches('/');
        if path.is_empty() {
            0
        } else {
            path.split('/').count()
        }
    }
    let prefix: Option<&axum::extract::NestedPath> = extensions.get();
    prefix.is_some_and(|prefix| {
        (path == "/" || original.ends_with(path))
            && segments(original) == segments(prefix.as_str()) + segments(path)
    })
}

#[cfg(not(feature = "axum"))]
const fn is_nested(_: &str, _: &str, _: &Extensions) -> bool {
    false
}

#[cfg(feature = "http2")]
fn is_websocket(extensions: &Extensions) -> bool {
    extensions
        .get::<hyper::ext::Protocol>()
        .is_some_and(|protocol| protocol.as_str() == "websocket")
}

#[cfg(not(feature = "http2"))]
const fn is_websocket(_: &Extensions) -> bool {
    false
}

#[cfg(feature = "axum")]
fn original_path(extensions: &Extensions) -> Option<&str> {
    extensions
        .get::<axum::extract::OriginalUri>()
        .map(|original| original.0.path())
}

#[cfg(not(feature = "axum"))]
const fn original_path(_: &Extensions) -> Option<&str> {
    None
}

/// A head that outlives its request, for maps that have to be fetched.
pub(crate) struct OwnedHead {
    path: String,
    method: Method,
    headers: HeaderMap,
    extensions: Extensions,
}

impl OwnedHead {
    pub(crate) fn as_head(&self) -> RequestHead<'_> {
        RequestHead::new(&self.path, &self.method, &self.headers, &self.extensions)
    }
}

impl From<&RequestHead<'_>> for OwnedHead {
    fn from(head: &RequestHead<'_>) -> Self {
        Self {
            path: head.path.to_owned(),
            method: head.method.clone(),
            headers: head.headers.clone(),
            extensions: head.extensions.clone(),
        }
    }
}
