//! The transport over reqwest and rustls.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use reqwest::dns::Resolve;
use reqwest::redirect;

use crate::error::{Error, ErrorKind};
use crate::transport::{Limits, Transport, TransportError, TransportErrorKind};

/// The [`Transport`] over reqwest with rustls: no redirects, no proxy, no cookies, no decompression, no repetition; the
/// body is cut off at the cap while it streams.
///
/// ```
/// # fn main() -> Result<(), uma_client::Error> {
/// use std::time::Duration;
/// use uma_client::{Http, ReqwestTransport};
///
/// let http = Http::new(ReqwestTransport::builder().connect_timeout(Duration::from_secs(1)).build()?);
/// # let _ = http;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ReqwestTransport {
    client: reqwest::Client,
}

/// Builds a [`ReqwestTransport`].
#[derive(Debug)]
#[must_use]
pub struct ReqwestTransportBuilder {
    builder: reqwest::ClientBuilder,
    problem: Option<Error>,
}

impl ReqwestTransport {
    /// A transport with the system's root certificates and DNS, and 2 s to connect.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when TLS cannot be set up.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A builder with the same defaults.
    pub fn builder() -> ReqwestTransportBuilder {
        ReqwestTransportBuilder {
            builder: reqwest::Client::builder()
                .redirect(redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .no_proxy()
                .connect_timeout(Duration::from_secs(2))
                .pool_idle_timeout(Duration::from_secs(60)),
            problem: None,
        }
    }
}

impl ReqwestTransportBuilder {
    /// How long a connection, TLS included, may take to come up (default 2 s).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.builder = self.builder.connect_timeout(timeout);
        self
    }

    /// Trusts the certificates of this PEM file too. What is wrong with it is said by [`build`](Self::build).
    pub fn add_root_certificates_pem(mut self, pem: &[u8]) -> Self {
        match reqwest::Certificate::from_pem_bundle(pem) {
            Ok(certificates) if !certificates.is_empty() => {
                self.builder = self.builder.tls_certs_merge(certificates);
            }
            Ok(_) => {
                self.problem = Some(Error::new(
                    ErrorKind::Config,
                    "the PEM text holds no certificate",
                ));
            }
            Err(error) => {
                self.problem = Some(
                    Error::new(ErrorKind::Config, "the root certificates are not PEM")
                        .with_source(error),
                );
            }
        }
        self
    }

    /// Resolves names by this instead of the system, for instance to refuse addresses that are not public.
    pub fn dns_resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.builder = self.builder.dns_resolver(resolver);
        self
    }

    /// Refuses every URL that is not `https`, below all other checks.
    pub fn https_only(mut self) -> Self {
        self.builder = self.builder.https_only(true);
        self
    }

    /// The transport.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when a certificate is not one, or TLS cannot be set up.
    pub fn build(self) -> Result<ReqwestTransport, Error> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let client = self.builder.build().map_err(|error| {
            Error::new(ErrorKind::Config, "the HTTP client cannot be set up")
                .with_source(error.without_url())
        })?;
        Ok(ReqwestTransport { client })
    }
}

impl Transport for ReqwestTransport {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: Limits,
    ) -> impl Future<Output = Result<Response<Bytes>, TransportError>> + Send {
        let client = self.client.clone();
        async move {
            let request = reqwest::Request::try_from(request).map_err(into_error)?;
            let mut response = client.execute(request).await.map_err(into_error)?;
            let too_large = || TransportError::new(TransportErrorKind::BodyTooLarge);
            let cap = limits.max_body;
            if response
                .content_length()
                .is_some_and(|length| length > cap as u64)
            {
                return Err(too_large());
            }
            let mut body = BytesMut::new();
            while let Some(chunk) = response.chunk().await.map_err(into_error)? {
                if body.len().saturating_add(chunk.len()) > cap {
                    return Err(too_large());
                }
                body.extend_from_slice(&chunk);
            }
            let mut answer = Response::new(body.freeze());
            *answer.status_mut() = response.status();
            *answer.headers_mut() = std::mem::take(response.headers_mut());
            Ok(answer)
        }
    }
}

/// Takes the URL out: its query could be secret.
fn into_error(error: reqwest::Error) -> TransportError {
    let kind = if error.is_connect() || error.is_builder() {
        TransportErrorKind::Connect
    } else if error.is_timeout() {
        TransportErrorKind::Timeout
    } else {
        TransportErrorKind::Broken
    };
    TransportError::new(kind).with_source(error.without_url())
}
