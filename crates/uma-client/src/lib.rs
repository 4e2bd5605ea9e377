//! What a host and a requester say to an authorization manager (AM): UMA 2.0 as typed async calls over one HTTP transport.
//!
//! | you are | you want | here |
//! |---|---|---|
//! | a host | to know an AM | [`AmClient`], [`AmClient::metadata`] |
//! | a host | to be known there | [`AmClient::register`] |
//! | a host | to speak for an owner | [`AmClient::authorization`], [`AmClient::exchange_code`], [`PatKeeper`] |
//! | a host | to put a resource under her policies | [`AmClient::create_resource`] |
//! | a host | to judge a token | [`AmClient::introspect`] |
//! | a host | to refuse a request | [`AmClient::request_permission`], [`Dialect::refusal`] |
//! | a host | to speak to an AM of 2012 | [`Dialect::Draft03`], [`wire::draft03`] |
//! | a requester | to read a refusal | [`UmaChallenge`] |
//! | a requester | to earn a token | [`Requester`], [`RefusalGuard`] |
//!
//! # A refusal, from both sides
//!
//! Any `async` closure is a transport, so this runs without a network:
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use uma_client::wire::PermissionRequest;
//! use uma_client::{
//!     AmClient, Challenge, ClientCredentials, Exchange, Http, Issuer, Pat, PermissionOutcome, Requester, TicketExchange,
//!     TransportError, UmaChallenge,
//! };
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! // An AM that says yes to everything.
//! let http = Http::new(|request: Request<Bytes>| async move {
//!     let (status, body) = match request.uri().path() {
//!         "/.well-known/uma2-configuration" => (200, r#"{
//!             "issuer": "https://am.example",
//!             "token_endpoint": "https://am.example/token",
//!             "permission_endpoint": "https://am.example/permission",
//!             "resource_registration_endpoint": "https://am.example/resources"
//!         }"#),
//!         "/permission" => (201, r#"{"ticket": "t-1"}"#),
//!         _ => (200, r#"{"access_token": "an-rpt", "token_type": "Bearer"}"#),
//!     };
//!     let response = Response::builder().status(status).header("content-type", "application/json");
//!     Ok::<_, TransportError>(response.body(Bytes::from(body)).expect("a response"))
//! });
//! let am = AmClient::builder(Issuer::parse("https://am.example")?).http(http).build()?;
//!
//! // The host: a ticket, and the refusal that carries it.
//! let permissions = [PermissionRequest::new("photo-1", ["view"])];
//! let PermissionOutcome::Ticket(ticket) = am.request_permission(&Pat::new("a-pat"), &permissions).await? else {
//!     unreachable!("only a profile can say that none is needed");
//! };
//! let refusal = am.dialect().refusal(&Challenge::new("photos", am.issuer()).with_ticket(&ticket))?;
//!
//! // The requester: reads it, and presents the ticket.
//! let challenge = UmaChallenge::parse(refusal.headers())?.expect("a UMA challenge");
//! assert_eq!(challenge.issuer.as_ref(), Some(am.issuer()));
//! let requester = Requester::new(am.with_credentials(ClientCredentials::basic("viewer", "s3cret")));
//! let exchange = TicketExchange::new(challenge.ticket.expect("a ticket"));
//! let Exchange::Granted(grant) = requester.exchange(exchange).await? else { panic!("it says yes to everything") };
//! assert_eq!(grant.rpt.expose(), "an-rpt");
//! # Ok::<(), uma_client::Error>(())
//! # }).unwrap();
//! ```
//!
//! # Puma's calls
//!
//! | Puma | here |
//! |---|---|
//! | `UMA.discover_am_endpoints` | [`AmClient::metadata`]; a known AM comes from the host's store |
//! | `UMA.register_resource` | [`AmClient::create_resource`], [`AmClient::update_resource`], [`AmClient::read_resource`], [`AmClient::delete_resource`], [`AmClient::list_resources`] |
//! | `UMA.check_token_status` | [`AmClient::introspect`] |
//! | the Warden's ticket call | [`AmClient::request_permission`] |
//! | the Warden's answer to a requester | [`Dialect::refusal`] |
//! | `OAuth.oauth_registration` | [`AmClient::register`] |
//! | `OAuth.get_authz_uri`, `authz_uri_for_user` | [`AmClient::authorization`] |
//! | `OAuth.trade_code_for_hat_and_store` | [`AmClient::exchange_code`], then [`PatKeeper::replace`] |
//! | `OAuth.refresh_token` | [`AmClient::refresh`]; [`PatKeeper`] does it when it is due |
//! | `Pouches.ResourceSetDescription` | [`wire::ResourceDescription`] |
//! | `Pouches.RegistrationData` | [`wire::ClientMetadata`] |
//! | `Util.get_owner_of_resource`, `create_resource_map`, `generate_resource_set_id`; `Storage.*` | the crate `warden-host` |
//!
//! # What holds everywhere
//!
//! * **Secrets** ([`Secret`], [`Pat`], [`Ticket`]) print as `[redacted]`; no error, log line or `Debug` of this crate holds a
//!   token, a ticket, a body, or the query of a URL.
//! * **Limits**: 2 s to connect, 5 s for a call, 2 s for an introspection; 64 KiB for an answer, 256 KiB for metadata and lists.
//!   All can be set. No redirects, no proxy from the environment, no repetition.
//! * **Errors** are one [`Error`] with an [`ErrorKind`]: the status decides first, the AM's code second.
//! * **Reading is strict** on types, on JSON content types, and on members that are there twice; it ignores members that it
//!   does not know.
//! * **Time** comes from a [`Clock`]. All `async` calls need a tokio runtime with time.
//! * A [`Dialect`] is the protocol, an [`AmProfile`] what one make of AM does differently within it.
//!
//! # Features
//!
//! * `reqwest` (default): [`ReqwestTransport`], over rustls. Without it bring a [`Transport`].

mod answer;
mod chain;
mod client;
mod clock;
mod dialect;
mod error;
mod flight;
mod ids;
mod issuer;
mod pat;
mod profile;
mod requester;
mod scope;
mod secret;
#[cfg(test)]
mod testing;
mod transport;
pub mod wire;

pub use chain::Chain;
pub use client::{
    AmClient, AmClientBuilder, AuthorizationRequest, ClientAuth, ClientCredentials, CodeExchange,
    Introspection, IntrospectionCredential, LiveDecision, PendingAuthorization, PermissionOutcome,
    ReadResource, RegisteredResource, Registration, ResourceList, TokenHint, TokenSet,
};
pub use clock::{Clock, ManualClock, SystemClock, epoch_seconds};
pub use dialect::{Challenge, Dialect, TokenState};
pub use error::{Error, ErrorKind};
pub use ids::{Pat, ResourceId, Ticket};
pub use issuer::Issuer;
pub use pat::{MemoryPatStore, PatGrant, PatKeeper, PatState, PatStore, RenewalClaim, StoredPat};
pub use profile::{AmAdvice, AmProfile, IntrospectionAuth, PatDead, RegistrationForm, TicketBody};
pub use requester::{Exchange, Grant, RefusalGuard, Requester, TicketExchange, UmaChallenge};
pub use scope::{Scope, Scopes};
pub use secret::Secret;
#[cfg(feature = "reqwest")]
pub use transport::reqwest::{ReqwestTransport, ReqwestTransportBuilder};
pub use transport::{Http, Limits, Transport, TransportError, TransportErrorKind};
