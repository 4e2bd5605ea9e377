//! What a host under Warden keeps: which owner is connected to which authorization manager (AM), which paths are shared,
//! the tokens that this takes, and the pages on which an owner steers it.
//!
//! [`Host`] is the whole of it: connect an owner to an AM, share a path, list, stop sharing. Its two doors to enforcement
//! are [`Host::maps`] and [`Host::protection`], which a `tower_warden::WardenLayer` is built with; after that
//! [`Host::attach`] gives the layer's engine back to the host, so that what an owner does holds at once.
//!
//! ```
//! use tower_warden::{CanonicalPath, OwnerId};
//! use uma_client::Issuer;
//! use warden_host::{AmPolicy, AmSetting, AnyStore, BoxError, Catalogue, Host, SealingKey};
//!
//! /// `/people/{person}/…` is the person's.
//! struct People;
//!
//! impl Catalogue for People {
//!     async fn owner_of(&self, path: &CanonicalPath<'_>) -> Result<Option<OwnerId>, BoxError> {
//!         let mut segments = path.segments();
//!         Ok(match (segments.next(), segments.next()) {
//!             (Some("people"), Some(person)) => Some(OwnerId::new(person)),
//!             _ => None,
//!         })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A real host keeps both: `SealingKey::from_file("data/sealing.key")`, `"sqlite://data/host.db"`.
//! let key = SealingKey::generate()?;
//! let store = AnyStore::open("sqlite::memory:", key).await?;
//! let am = AmSetting::new(Issuer::parse("https://am.example")?).with_name("Example AM");
//! let host = Host::builder(store)
//!     .callback_base("https://host.example/uma/callback".parse()?)
//!     .ams(AmPolicy::Only(vec![am]))
//!     .catalogue(People)
//!     .build()
//!     .await?;
//! // For the layer: `.maps(host.maps()).protection(host.protection())`.
//! assert!(host.maps().snapshot().is_some_and(|maps| maps.is_empty()));
//! assert!(host.connection(&OwnerId::new("alice")).await?.is_none());
//! # Ok(())
//! # }
//! ```
//!
//! # Secrets
//!
//! Tokens and client secrets are sealed one by one with a [`SealingKey`] before they reach the store, bound to the row,
//! owner, AM and column they belong to. RPTs are never stored. A key that does not fit the store refuses to start.

mod access;
mod access_log;
mod am_key;
mod catalogue;
mod connection;
mod epoch;
mod error;
mod host;
mod maps;
mod notify;
mod outbound;
mod policy;
mod protection;
mod query;
mod reconcile;
mod resource;
mod return_path;
mod seal;
pub mod store;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(feature = "web")]
pub mod web;

pub use access::{AccessQuery, Outcome, RecentAccess, RecentAccesses};
pub use access_log::AccessLog;
pub use catalogue::{BoxError, Catalogue};
pub use connection::{
    AuthorizationAnswer, Connection, ConnectionState, Disconnected, Leftover, Move,
};
pub use epoch::{Epoch, Spread};
pub use error::{Error, ErrorKind};
pub use host::{Bulk, BulkDone, Host, HostBuilder, KeptAlive, NodeStatus, Resealed, Wake};
pub use maps::{HostMaps, MapsMode};
pub use notify::{Notice, Notify};
pub use outbound::Outbound;
pub use policy::{AmChoice, AmPolicy, AmSetting, ConnectBy, LostPolicy, PatStrategy};
pub use protection::HostProtection;
pub use query::{ResourceQuery, ResourcesPage, Standing};
pub use reconcile::{Drift, DriftPolicy, Reconciled};
pub use resource::{ShareRequest, SharedResource, Stopped, Trouble, Withdrawal};
pub use return_path::ReturnPath;
pub use seal::{KeyRing, KeySource, SealingKey};
pub use store::AnyStore;
#[cfg(feature = "postgres")]
pub use store::PostgresStore;
