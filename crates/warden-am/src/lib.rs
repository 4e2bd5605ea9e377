//! An in-process UMA 2.0 authorization manager (AM) to develop and test against.
//!
//! **For development and tests only, not for production.** Passwords are unsalted digests, sign-in is not throttled, anyone may register a client unless
//! an initial access token is set, all state sits in one process behind one lock. Every page and every start says so.
//!
//! It speaks the whole protocol: metadata, dynamic registration (RFC 7591, RFC 7592), the authorization code grant with PKCE and `iss` (RFC 7636,
//! RFC 9207), refresh tokens with rotation, client credentials, revocation (RFC 7009), the protection API and introspection (UMA Federated
//! Authorization 1.0), and the UMA grant with the claims interaction (UMA 2.0 Grant). Owners have pages on which they set their policies and answer requests.
//!
//! With [`AmBuilder::dialect`] and [`Dialect::Draft03`](uma_client::Dialect::Draft03) it is an AM of 2012 instead, as Puma and the SMART AM knew it:
//! `/.well-known/uma-configuration`, resource sets under ids that the host chooses, with revisions, the token status, and the requester's endpoints. Its
//! addresses below `/api/uma` are the SMART AM's. People, pages, policies and scripts are the same. Stricter than the draft: the code flow asks for PKCE.
//! Beyond the draft: a requester pushes a sign-in token (`claim_token`, `claim_token_format`) with its ticket, and the code of a later draft,
//! `need_claims`, asks for it.
//!
//! A [`Script`] steers an AM from a test: it adds policies, issues and upgrades tokens, moves the clock, counts calls, and makes endpoints fail.
//!
//! ```
//! use axum::body::{Body, to_bytes};
//! use axum::http::Request;
//! use tower::ServiceExt as _;
//! use warden_am::WardenAm;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let issuer = format!("http://{}", listener.local_addr()?);
//! let am = WardenAm::builder(&issuer).user("alice", "alice").build()?;
//!
//! // Over a socket, until the future ends:
//! let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! let server = tokio::spawn(am.clone().serve(listener, async { drop(stopped.await) }));
//!
//! // Or without one:
//! let request = Request::get("/.well-known/uma2-configuration").body(Body::empty())?;
//! let response = am.router().oneshot(request).await?;
//! let metadata: serde_json::Value = serde_json::from_slice(&to_bytes(response.into_body(), 65_536).await?)?;
//! assert_eq!(metadata["issuer"], issuer.as_str());
//!
//! drop(stop);
//! server.await??;
//! # Ok(())
//! # }
//! ```
//!
//! # Pages and forms
//!
//! A script with a cookie jar can walk the pages: it posts the forms below without an `Origin` header. Every path lies below the issuer's.
//!
//! | page | form | fields |
//! |---|---|---|
//! | sign-in | `POST /signin` | `username`, `password`, `return_to` (a path of the AM) |
//! | sign-out | `POST /signout` | `return_to` |
//! | consent (`GET /authorize`) | `POST /consent` | the parameters of the authorization request, `owner` (who is signed in), `decision` = `allow` or `deny` |
//! | claims (`GET /claims`, which leads to `/claims/{interaction}`) | `POST /claims/{interaction}` | `subject` (who is signed in), `decision` = `continue` or `cancel` |
//! | policies of one resource (`GET /policies/{resource}`) | `POST /policies/{resource}/add` | `subject_kind` = `user` or `anyone`, `subject`, `client` (empty: any), `scope` (repeatable), `until` (UTC, may be empty) |
//! | | `POST /policies/{resource}/remove` | `policy` |
//! | | `POST /policies/{resource}/approve` | `request`, `scope` (repeatable), `until` |
//! | | `POST /policies/{resource}/refuse`, `POST /policies/{resource}/forget` | `request` |
//!
//! `POST /claim-token` (`username`, `password`, `client_id`) is a short cut that is in no specification: it answers with a `claim_token` for the UMA grant.

use std::fmt;
use std::sync::Arc;

mod auth;
mod builder;
mod draft03;
mod endpoints;
mod error;
mod faults;
mod pages;
mod params;
mod persist;
mod reply;
mod script;
mod secrets;
mod shared;
mod state;

pub use builder::{AmBuilder, ClientSpec};
pub use error::{Error, ErrorKind};
pub use faults::{Endpoint, Fault};
pub use script::{PendingRequest, PolicySpec, ResourceView, Script};
pub use state::policies::Subject;

use shared::Shared;

/// The `claim_token_format` of this AM's sign-in tokens, which look like ID Tokens.
pub const CLAIM_TOKEN_FORMAT: &str = "http://openid.net/specs/openid-connect-core-1_0.html#IDToken";

/// An authorization manager. Clones are the same AM.
#[derive(Clone)]
pub struct WardenAm(Arc<Shared>);

impl WardenAm {
    /// Starts to set up an AM with this issuer: an absolute http or https URL, which goes into the metadata to the letter. Its path may have letters,
    /// digits and `-._~` only.
    pub fn builder(issuer: &str) -> AmBuilder {
        AmBuilder::new(issuer)
    }

    /// The issuer, to the letter.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// All endpoints and pages, at the issuer's path. Merge it into a router that serves the issuer's origin; do not nest it.
    pub fn router(&self) -> axum::Router {
        endpoints::router(Arc::clone(&self.0))
    }

    /// Serves the AM on a listener until `shutdown` ends; answers that are under way are finished.
    ///
    /// # Errors
    ///
    /// When the listener fails.
    pub async fn serve(
        self,
        listener: tokio::net::TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        axum::serve(listener, self.router())
            .with_graceful_shutdown(shutdown)
            .await
    }

    /// The handle for tests and demos.
    pub fn script(&self) -> Script {
        Script(Arc::clone(&self.0))
    }
}

impl fmt::Debug for WardenAm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WardenAm")
            .field("issuer", &self.0.issuer)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
