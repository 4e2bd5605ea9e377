//! The head of a request, as far as judging needs it.

use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request};

/// The head of a request: the path that the outermost router saw, the verb, the fields, the extensions.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    path: &'a str,
    rewritten: bool,
    stripped: bool,
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
            rewritten: false,
            stripped: false,
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
            // Nesting takes a prefix away; anything else would have the handler act on another path than was judged.
            rewritten: path != "/" && !original.ends_with(path),
            stripped: path.len() != original.len(),
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

    /// Whether what comes behind Warden sees a path that is not a tail of the judged one.
    pub(crate) const fn is_rewritten(&self) -> bool {
        self.rewritten
    }

    /// Whether what comes behind Warden sees another path than the judged one.
    pub(crate) const fn is_stripped(&self) -> bool {
        self.stripped
    }
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
#[derive(Debug)]
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
