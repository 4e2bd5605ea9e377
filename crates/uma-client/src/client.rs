//! [`AmClient`]: everything that is said to one AM.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

use crate::answer;
use crate::clock::Clock;
use crate::dialect::{Context, Dialect};
use crate::error::{Error, ErrorKind};
use crate::issuer::Issuer;
use crate::profile::AmProfile;
use crate::transport::{Http, Limits, TransportErrorKind};
use crate::wire;

mod builder;
mod credentials;
mod detect;
mod discovery;
mod endpoints;
mod hints;
mod live;
mod named;
mod oauth;
mod protection;
mod registration;

pub use builder::AmClientBuilder;
pub(crate) use builder::Settings;
pub use credentials::{ClientAuth, ClientCredentials};
pub(crate) use discovery::Discovered;
pub(crate) use endpoints::{Endpoints, is_trusted};
pub use live::LiveDecision;
pub use oauth::{AuthorizationRequest, CodeExchange, PendingAuthorization, TokenHint, TokenSet};
pub use protection::{
    Introspection, IntrospectionCredential, PermissionOutcome, ReadResource, RegisteredResource,
    ResourceList,
};
pub use registration::Registration;

/// A client of one AM. Cloning is cheap; clones share the metadata.
///
/// All calls need a tokio runtime with time. Metadata are fetched when first needed and kept fresh by themselves. No call is
/// repeated by itself, and no redirect is followed.
///
/// ```no_run
/// # #[cfg(feature = "reqwest")]
/// # async fn example() -> Result<(), uma_client::Error> {
/// use uma_client::{AmClient, ClientCredentials, Issuer};
///
/// let am = AmClient::builder(Issuer::parse("https://am.example.com")?)
///     .credentials(ClientCredentials::basic("photo-host", "s3cret"))
///     .build()?;
/// println!("tickets at {:?}", am.metadata().await?.permission_endpoint);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AmClient {
    shared: Arc<Shared>,
    credentials: Option<Arc<ClientCredentials>>,
}

pub(crate) struct Shared {
    issuer: Issuer,
    settings: Settings,
    http: Http,
    clock: Arc<dyn Clock>,
    discovery: discovery::Discovery,
    hints: hints::Hints,
}

impl AmClient {
    /// A builder for a client of this AM.
    pub fn builder(issuer: Issuer) -> AmClientBuilder {
        AmClientBuilder::new(issuer)
    }

    /// The AM.
    pub fn issuer(&self) -> &Issuer {
        &self.shared.issuer
    }

    /// What the AM speaks.
    pub fn dialect(&self) -> Dialect {
        self.shared.settings.dialect
    }

    /// How the AM departs from that.
    pub fn profile(&self) -> &AmProfile {
        &self.shared.settings.profile
    }

    /// The same client under other credentials; the metadata are shared.
    #[must_use]
    pub fn with_credentials(&self, credentials: ClientCredentials) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            credentials: Some(Arc::new(credentials)),
        }
    }

    /// The credentials of this client.
    pub fn credentials(&self) -> Option<&ClientCredentials> {
        self.credentials.as_deref()
    }

    /// The AM's metadata, checked: the issuer equals the one asked for byte for byte, and all endpoints are `https` (UMA 2.0
    /// Grant section 2, RFC 8414 section 3.3).
    ///
    /// Fresh as long as `Cache-Control: max-age` says (10 s to 24 h), else for one hour. However many callers wait, one
    /// task fetches. What is no longer fresh is used while it is being fetched anew, and for as long as that fails, unless
    /// the AM now names another issuer. A failed first fetch is remembered for one second.
    ///
    /// # Errors
    /// [`ErrorKind::IssuerMismatch`], [`ErrorKind::Insecure`], [`ErrorKind::Malformed`], and what a call may end with.
    pub async fn metadata(&self) -> Result<Arc<wire::Metadata>, Error> {
        Ok(Arc::clone(&self.discovered().await?.metadata))
    }

    /// Has the metadata fetched anew by the next call that needs them; until they are there the old ones serve.
    pub fn expire_metadata(&self) {
        self.shared.discovery.expire(&*self.shared.clock);
    }

    pub(crate) async fn discovered(&self) -> Result<Arc<Discovered>, Error> {
        discovery::discovered(&self.shared).await
    }

    pub(crate) fn limits(&self) -> Limits {
        self.shared.settings.call
    }

    /// What a dialect needs to know of this client and its AM.
    pub(crate) fn context<'a>(&'a self, discovered: &'a Discovered) -> Context<'a> {
        Context {
            issuer: &self.shared.issuer,
            profile: &self.shared.settings.profile,
            endpoints: &discovered.endpoints,
            credentials: self.credentials.as_deref(),
            allow_http: self.shared.settings.allow_http,
        }
    }

    /// Builds a request, sends it, reads the answer, and puts the operation and the AM into whatever error there is.
    async fn run<T>(
        &self,
        operation: &'static str,
        limits: Limits,
        build: impl FnOnce(&Context<'_>) -> Result<Request<Bytes>, Error> + Send,
        read: impl FnOnce(&Context<'_>, &Response<Bytes>) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        let discovered = self.discovered().await?;
        let context = self.context(&discovered);
        let at = |error: Error| error.at(operation, Some(self.issuer()));
        let response = self
            .send(operation, build(&context).map_err(at)?, limits)
            .await?;
        read(&context, &response).map_err(at)
    }

    /// Passes a result on; an endpoint that is not there casts doubt on the metadata.
    fn doubting<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if result
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::NotFound)
        {
            self.shared.discovery.doubt(&*self.shared.clock);
        }
        result
    }

    /// Sends a request; a redirect is an error.
    pub(crate) async fn send(
        &self,
        operation: &'static str,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, Error> {
        self.shared.send(operation, request, limits).await
    }
}

impl Shared {
    async fn send(
        &self,
        operation: &'static str,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, Error> {
        let begun = self.clock.monotonic();
        let sent = self.http.send(request, limits).await;
        let millis = self
            .clock
            .monotonic()
            .saturating_duration_since(begun)
            .as_millis();
        let result = match sent {
            Ok(response) if response.status().is_redirection() => {
                Err(Error::new(ErrorKind::Redirect, "").with_status(response.status()))
            }
            Ok(response) => {
                tracing::debug!(operation, am = %self.issuer, status = response.status().as_u16(), millis, "AM answered");
                return Ok(response);
            }
            Err(error) => {
                let kind = match error.kind() {
                    TransportErrorKind::BodyTooLarge => ErrorKind::BodyTooLarge,
                    TransportErrorKind::Timeout => ErrorKind::Timeout,
                    TransportErrorKind::Broken | TransportErrorKind::Connect => {
                        ErrorKind::Unreachable
                    }
                };
                let unknown = error.kind() != TransportErrorKind::Connect;
                Err(Error::new(kind, "")
                    .with_outcome_unknown(unknown)
                    .with_source(error))
            }
        };
        result.map_err(|error: Error| {
            let error = error.at(operation, Some(&self.issuer));
            tracing::debug!(operation, am = %self.issuer, kind = ?error.kind(), millis, "no usable answer from the AM");
            error
        })
    }
}

impl std::fmt::Debug for AmClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AmClient")
            .field("issuer", self.issuer())
            .field("dialect", &self.dialect())
            .field("profile", &self.profile().name)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// Begins a request to an endpoint that asks for JSON.
pub(crate) fn request(method: http::Method, url: &url::Url) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(url.as_str())
        .header(http::header::ACCEPT, "application/json")
}

/// Ends a request.
pub(crate) fn with_body(
    builder: http::request::Builder,
    body: impl Into<Bytes>,
) -> Result<Request<Bytes>, Error> {
    builder.body(body.into()).map_err(|error| {
        Error::new(ErrorKind::Config, "the request cannot be written").with_source(error)
    })
}

/// Reads a JSON answer with this status, or says what the answer stands for.
pub(crate) fn expect<T: serde::de::DeserializeOwned>(
    profile: &AmProfile,
    credential: answer::Credential,
    due: &[http::StatusCode],
    response: &Response<Bytes>,
) -> Result<T, Error> {
    if due.contains(&response.status()) {
        answer::json(response)
    } else {
        Err(answer::refusal(profile, credential, response))
    }
}
