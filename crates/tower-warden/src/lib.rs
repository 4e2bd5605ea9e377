//! Tower middleware that lets the people whose data a service hosts decide, at an authorization manager (AM) of their own
//! choosing, who may touch it.
//!
//! It speaks User-Managed Access (UMA) 2.0. A request to a path that an owner shares needs a bearer token from her AM;
//! [`WardenLayer`] asks the AM what the token permits, keeps the answer for a few seconds, maps the verb to scopes, and
//! answers a request that does not hold them with a ticket with which its sender can ask the AM. A path that nobody shares
//! is the host's own.
//!
//! # A protected router
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use tower_warden::{CanonicalPath, Grant, MemoryMaps, OneAm, OwnerId, Unmapped, WardenLayer};
//! use uma_client::{ClientCredentials, Issuer, Secret};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let host = ClientCredentials::basic("host-one", Secret::new(std::env::var("HOST_SECRET")?));
//! let am = OneAm::builder(Issuer::parse("https://am.example")?, host).build()?;
//! let maps = MemoryMaps::new();
//! let path = CanonicalPath::parse("/api/photos")?;
//! maps.insert(am.register(path, OwnerId::new("alice"), "Photos").await?.with_subtree(true));
//!
//! let warden = WardenLayer::builder()
//!     .maps(maps)
//!     .protection(am)
//!     .guard("/api", Unmapped::Deny)
//!     .build()?;
//! let app: Router = Router::new()
//!     .route("/api/photos/{photo}", get(|grant: Grant| async move { format!("shared by {}", grant.owner()) }))
//!     .layer(warden);
//! # Ok(())
//! # }
//! ```
//!
//! What is not shared gets what its guard says; what has two readings gets nowhere:
//!
//! ```
//! use axum::body::Body;
//! use axum::http::Request;
//! use axum::{Router, routing::get};
//! use tower::ServiceExt;
//! use tower_warden::{MemoryMaps, OneAm, Unmapped, WardenLayer};
//! use uma_client::{ClientCredentials, Issuer, Secret};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let host = ClientCredentials::basic("host-one", Secret::new("secret"));
//! let am = OneAm::builder(Issuer::parse("https://am.example")?, host).build()?;
//! let warden = WardenLayer::builder()
//!     .maps(MemoryMaps::new())
//!     .protection(am)
//!     .guard("/api", Unmapped::Pass)
//!     .guard("/api/private", Unmapped::Deny)
//!     .build()?;
//! let app: Router = Router::new()
//!     .route("/api/{*rest}", get(|| async { "the host's own logic" }))
//!     .layer(warden);
//!
//! for (path, status) in [("/api/x", 200), ("/api/private/x", 404), ("/api/x/../private/x", 400)] {
//!     let request = Request::get(path).body(Body::empty())?;
//!     assert_eq!(app.clone().oneshot(request).await?.status(), status);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The way of a request
//!
//! 1. [`CanonicalPath`] reads the path once. What could be read in two ways is refused where one of them is guarded.
//! 2. The guard says what an unmapped path gets. There is no default.
//! 3. [`ResourceMaps`] finds the map: it names the owner and the AM. The token plays no part in that.
//! 4. The owner's own door, if the host has opened one ([`WardenBuilder::own_access`]).
//! 5. The bearer token; the AM's answer on it, kept or asked for through [`Protection`]; [`decide`].
//! 6. [`Access`] in the request's extensions, or a [`Refusal`].
//!
//! # Features
//!
//! * `axum` (default): understands `OriginalUri`, so that the layer may be nested, and makes [`Access`] and [`Grant`]
//!   extractors. Without it the builder has to be told that Warden is [outermost](WardenBuilder::outermost).

mod access;
mod am;
mod answers;
mod audit;
mod bearer;
mod builder;
mod coverage;
mod decision;
mod engine;
mod event;
mod explain;
#[cfg(feature = "axum")]
mod extract;
#[cfg(test)]
mod fake;
mod future;
mod gate;
mod guard;
mod head;
mod ids;
mod layer;
mod map;
mod maps;
mod meter;
mod method_scopes;
mod outcome;
mod path;
mod peer;
mod protection;
mod reason;
mod refusal;
mod rejection;
mod requirements;
mod service;
mod stranger;
#[cfg(feature = "axum")]
pub mod testing;
mod verdict;

pub use access::{Access, Grant};
pub use am::{Am, Audience};
pub use answers::{MAX_CACHE_TTL, Purge};
pub use audit::{AuditSink, DecisionRecord};
pub use builder::{BuildError, BuildErrorKind, WardenBuilder};
pub use coverage::Uncovered;
pub use decision::{CLOCK_SKEW_SECONDS, Decision, Insufficiency, decide};
pub use engine::{Engine, MIN_EPOCH_HEADER, Purger};
pub use event::CacheState;
pub use explain::{AnswerBrief, Explanation};
#[cfg(feature = "axum")]
pub use extract::NotDecided;
pub use future::ResponseFuture;
pub use gate::{GateLimits, Rate};
pub use guard::{Mode, Unmapped};
pub use head::RequestHead;
pub use ids::{MapId, OwnerId, Site};
pub use layer::WardenLayer;
pub use map::{MapState, ResourceMap};
pub use maps::{
    DuplicateMap, Lookup, LookupError, MapIndex, MemoryMaps, Reach, Resolution, ResourceMaps,
    Target,
};
pub use method_scopes::MethodScopes;
pub use outcome::Outcome;
pub use path::{CanonicalPath, MAX_PATH_BYTES, MAX_SEGMENTS, PathError, PathErrorKind};
pub use peer::Peer;
pub use protection::{
    ActiveToken, Credential, Evidence, LiveDecisions, OneAm, OneAmBuilder, Permission, Protection,
    ProtectionError, ProtectionErrorKind, Rpt, Source, Window,
};
pub use reason::Reason;
pub use refusal::Refusal;
pub use rejection::Rejection;
pub use requirements::{MixedRequirements, Requirement, Requirements};
pub use service::Warden;
pub use verdict::{Judgement, Verdict};

/// The examples of the README, compiled with the documentation's own.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
