//! What a host may change of a refusal.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, TRANSFER_ENCODING, WARNING,
    WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::{Reason, Refusal};

/// A refusal on its way out, as [`WardenBuilder::on_reject`](crate::WardenBuilder::on_reject) sees it: its body can be
/// replaced and fields be added; status, challenge and the fields that go with them stay.
#[derive(Debug)]
pub struct Rejection<'a> {
    refusal: &'a Refusal,
    pub(crate) body: Option<(HeaderValue, Bytes)>,
    pub(crate) headers: HeaderMap,
}

/// Fields that are Warden's own.
const KEPT: [HeaderName; 7] = [
    CACHE_CONTROL,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    RETRY_AFTER,
    TRANSFER_ENCODING,
    WARNING,
    WWW_AUTHENTICATE,
];

impl<'a> Rejection<'a> {
    pub(crate) fn new(refusal: &'a Refusal) -> Self {
        Self {
            refusal,
            body: None,
            headers: HeaderMap::new(),
        }
    }

    /// Why the request is refused.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.refusal.reason()
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.refusal.status()
    }

    /// Replaces the body.
    pub fn set_body(&mut self, content_type: HeaderValue, body: impl Into<Bytes>) {
        self.body = Some((content_type, body.into()));
    }

    /// Adds a field. Fields that say what Warden decided can't be added: it returns whether this one was.
    pub fn add_header(&mut self, name: HeaderName, value: HeaderValue) -> bool {
        let free = !KEPT.contains(&name);
        if free {
            self.headers.append(name, value);
        }
        free
    }
}
