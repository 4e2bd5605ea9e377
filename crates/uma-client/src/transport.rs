//! The one way out: `http` requests over a [`Transport`].
//!
//! Any `Fn(http::Request<Bytes>) -> Future` is a transport, so tests need no network:
//!
//! ```
//! use bytes::Bytes;
//! use uma_client::{Http, Limits, TransportError};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let http = Http::new(|_request: http::Request<Bytes>| async {
//!     Ok::<_, TransportError>(http::Response::new(Bytes::from_static(b"{}")))
//! });
//! let request = http::Request::get("https://am.example/").body(Bytes::new()).unwrap();
//! assert_eq!(http.send(request, Limits::default()).await.unwrap().body(), "{}");
//! # });
//! ```

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

#[cfg(feature = "reqwest")]
pub(crate) mod reqwest;

/// How long one HTTP call may take, and how long its answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// From the first byte of the connection to the last byte of the answer.
    pub timeout: Duration,
    /// Longest body of an answer, in bytes.
    pub max_body: usize,
}

impl Limits {
    /// Limits of one call.
    pub const fn new(timeout: Duration, max_body: usize) -> Self {
        Self { timeout, max_body }
    }
}

impl Default for Limits {
    /// 5 s, 64 KiB.
    fn default() -> Self {
        Self::new(Duration::from_secs(5), 64 * 1024)
    }
}

/// Sends one HTTP request and reads the whole answer.
///
/// An implementation follows no redirects, asks no proxy that the environment names, keeps no cookies, decompresses
/// nothing, stops reading at `limits.max_body`, and puts neither header nor body nor query of a request into an error or a
/// log line. The deadline is kept by [`Http`] as well, so an implementation may leave it out.
pub trait Transport: Send + Sync + 'static {
    /// Sends `request`. Any status is an answer; an error means that there was none.
    fn send(
        &self,
        request: Request<Bytes>,
        limits: Limits,
    ) -> impl Future<Output = Result<Response<Bytes>, TransportError>> + Send;
}

impl<F, Fut> Transport for F
where
    F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response<Bytes>, TransportError>> + Send + 'static,
{
    fn send(
        &self,
        request: Request<Bytes>,
        _limits: Limits,
    ) -> impl Future<Output = Result<Response<Bytes>, TransportError>> + Send {
        self(request)
    }
}

/// Why there was no answer.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of [`TransportError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The answer is longer than the cap.
    BodyTooLarge,
    /// The connection broke; the request may have been acted on.
    Broken,
    /// There is no connection (name, address, TLS, connect deadline); nothing was sent.
    Connect,
    /// The deadline passed; the request may have been acted on.
    Timeout,
}

impl TransportError {
    /// A new error.
    pub const fn new(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// Adds the error below. It must not show a URL's query, a header, or a body.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportErrorKind::BodyTooLarge => "the answer is longer than the cap",
            TransportErrorKind::Broken => "the connection broke",
            TransportErrorKind::Connect => "no connection",
            TransportErrorKind::Timeout => "the deadline passed",
        })
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

/// A [`Transport`] of any type, to be cloned and shared.
#[derive(Clone)]
pub struct Http(Arc<dyn Erased>);

type Sending<'a> =
    Pin<Box<dyn Future<Output = Result<Response<Bytes>, TransportError>> + Send + 'a>>;

trait Erased: Send + Sync {
    fn send(&self, request: Request<Bytes>, limits: Limits) -> Sending<'_>;
}

impl<T: Transport> Erased for T {
    fn send(&self, request: Request<Bytes>, limits: Limits) -> Sending<'_> {
        Box::pin(Transport::send(self, request, limits))
    }
}

impl Http {
    /// Wraps a transport.
    pub fn new(transport: impl Transport) -> Self {
        Self(Arc::new(transport))
    }

    /// Sends a request within its limits, whatever the transport does about them. Needs a tokio runtime with time.
    ///
    /// # Errors
    /// [`TransportError`] when there was no answer within the limits.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, TransportError> {
        let response = tokio::time::timeout(limits.timeout, self.0.send(request, limits))
            .await
            .map_err(|_| TransportError::new(TransportErrorKind::Timeout))??;
        if response.body().len() > limits.max_body {
            return Err(TransportError::new(TransportErrorKind::BodyTooLarge));
        }
        Ok(response)
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn limits_hold_for_any_transport() {
        let request = || Request::new(Bytes::new());
        let slow = Http::new(|_: Request<Bytes>| std::future::pending());
        let error = slow.send(request(), Limits::default()).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Timeout);

        let long =
            Http::new(|_: Request<Bytes>| async { Ok(Response::new(Bytes::from(vec![b'x'; 11]))) });
        let limits = Limits::new(Duration::from_secs(1), 10);
        assert_eq!(
            long.send(request(), limits).await.unwrap_err().kind(),
            TransportErrorKind::BodyTooLarge
        );
        assert!(
            long.send(request(), Limits::new(Duration::from_secs(1), 11))
                .await
                .is_ok()
        );
    }
}
