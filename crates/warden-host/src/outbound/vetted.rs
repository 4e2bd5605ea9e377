//! Every call to an AM that an owner brought is looked at before it is made.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use uma_client::{Http, Issuer, Limits, Transport, TransportError, TransportErrorKind};
use url::Url;

use super::Outbound;

/// A transport for one AM that keeps to the rules, whatever URL it is given.
pub(crate) struct Vetted {
    inner: Http,
    issuer: Issuer,
    rules: Arc<Outbound>,
}

impl Vetted {
    pub(crate) fn new(inner: Http, issuer: Issuer, rules: Arc<Outbound>) -> Self {
        Self {
            inner,
            issuer,
            rules,
        }
    }
}

impl Transport for Vetted {
    async fn send(
        &self,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, TransportError> {
        // The resolver never sees addresses: they are told here, after parsing, in all their spellings.
        let vetted = Url::parse(&request.uri().to_string())
            .map_err(|_| "the URL can't be read")
            .and_then(|url| self.rules.check_call(&self.issuer, &url));
        if let Err(why) = vetted {
            tracing::warn!(am = %self.issuer, why, "a call to an AM that an owner brought was not made");
            return Err(TransportError::new(TransportErrorKind::Connect).with_source(why));
        }
        self.inner.send(request, limits).await
    }
}
