//! Keeping PATs: all the logic of having a live one, in one place.
//!
//! A host supplies a [`PatStore`]; [`PatKeeper`] does the rest.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use uma_client::{Secret, StoredPat};
//!
//! let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
//! let pat = StoredPat::new(Secret::new("token"), now).with_expiry(Some(now + Duration::from_secs(300)));
//! assert!(!pat.wants_renewal(now + Duration::from_secs(239)));
//! assert!(pat.wants_renewal(now + Duration::from_secs(241)));
//! ```

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::client::TokenSet;
use crate::error::Error;
use crate::ids::Pat;
use crate::secret::Secret;

mod keeper;

pub use keeper::PatKeeper;

/// Life of a PAT whose AM does not say how long it lives: after this it is renewed, but it is not taken for dead.
const ASSUMED_LIFE: Duration = Duration::from_secs(3600);
/// The longest life that is believed.
const MAX_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A PAT as a store holds it. All of it is secret at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredPat {
    /// The access token.
    pub access_token: Secret,
    /// When the access token dies, if the AM said so.
    pub expires_at: Option<SystemTime>,
    /// When the access token was had.
    pub issued_at: SystemTime,
    /// The refresh token.
    pub refresh_token: Option<Secret>,
    /// When the refresh token dies, if the AM said so.
    pub refresh_expires_at: Option<SystemTime>,
    /// The granted scopes, if the AM said so.
    pub scope: Option<String>,
}

impl StoredPat {
    /// A PAT of which nothing more is known.
    pub fn new(access_token: Secret, issued_at: SystemTime) -> Self {
        Self {
            access_token,
            expires_at: None,
            issued_at,
            refresh_token: None,
            refresh_expires_at: None,
            scope: None,
        }
    }

    /// What the AM gave at `now`. Stated lives are cut at ten years, so no value of an AM can break the arithmetic.
    pub fn from_tokens(tokens: &TokenSet, now: SystemTime) -> Self {
        let end =
            |life: Option<Duration>| life.and_then(|life| now.checked_add(life.min(MAX_LIFE)));
        Self {
            access_token: tokens.access_token.clone(),
            expires_at: end(tokens.expires_in),
            issued_at: now,
            refresh_token: tokens.refresh_token.clone(),
            refresh_expires_at: end(tokens.refresh_expires_in),
            scope: tokens.scope.clone(),
        }
    }

    /// Sets when the access token dies.
    #[must_use]
    pub fn with_expiry(mut self, expires_at: Option<SystemTime>) -> Self {
        self.expires_at = expires_at;
        self
    }

    /// Sets the refresh token, and when it dies.
    #[must_use]
    pub fn with_refresh(mut self, token: Option<Secret>, expires_at: Option<SystemTime>) -> Self {
        self.refresh_token = token;
        self.refresh_expires_at = expires_at;
        self
    }

    /// Sets the granted scopes.
    #[must_use]
    pub fn with_scope(mut self, scope: Option<String>) -> Self {
        self.scope = scope;
        self
    }

    /// The access token.
    pub fn pat(&self) -> Pat {
        Pat::new(self.access_token.clone())
    }

    /// Whether the access token is still alive by its own date. One without a date is.
    pub fn is_alive(&self, now: SystemTime) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether less than a fifth of the access token's life is left (one hour is taken where the AM did not say).
    pub fn wants_renewal(&self, now: SystemTime) -> bool {
        match self.expires_at {
            Some(end) => less_left(self.issued_at, end, now, 5),
            None => elapsed(self.issued_at, now) > ASSUMED_LIFE / 5 * 4,
        }
    }
}

fn elapsed(from: SystemTime, to: SystemTime) -> Duration {
    to.duration_since(from).unwrap_or_default()
}

/// Whether less than the `part`th part of the span from `begin` to `end` is left.
fn less_left(begin: SystemTime, end: SystemTime, now: SystemTime, part: u32) -> bool {
    elapsed(now, end) < elapsed(begin, end) / part || now >= end
}

/// What a store knows of an owner's PAT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatState {
    /// There never was one.
    #[default]
    None,
    /// There is one; it need not be alive.
    Held(StoredPat),
    /// The AM no longer takes the refresh token: the owner has to consent again.
    NeedsConsent,
}

/// How a PAT is had when there is none, or none that lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PatGrant {
    /// The owner consented; it is kept alive by its refresh token.
    OwnerConsent,
    /// The host's client is the owner: a new one is fetched whenever one is needed.
    ClientCredentials,
}

/// Where one owner's PAT is kept. Errors are best made with [`Error::store`].
pub trait PatStore: Send + Sync + 'static {
    /// What is there now; another node may have changed it.
    fn load(&self) -> impl Future<Output = Result<PatState, Error>> + Send;
    /// Puts a PAT in the place of whatever is there. It must be durable when this returns: it is used only then. With an error
    /// of the kind [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) a store says that there is one of a later consent: that
    /// is then loaded, and this one forgotten. After any other error it is tried again.
    fn save(&self, pat: &StoredPat) -> impl Future<Output = Result<(), Error>> + Send;
    /// Notes that the owner has to consent again.
    fn needs_consent(&self) -> impl Future<Output = Result<(), Error>> + Send;
    /// Claims the renewal of this PAT, so that of several nodes one asks the AM: a refresh token that rotates is good once.
    /// While another node has it, this waits a short while, and is then an error that passes ([`Error::store`]). What is
    /// stored is read again under the claim, which is given back when it is dropped. By default there is one node.
    fn claim_renewal(&self) -> impl Future<Output = Result<RenewalClaim, Error>> + Send {
        std::future::ready(Ok(RenewalClaim::alone()))
    }
}

/// The right to renew a PAT, until it is dropped.
pub struct RenewalClaim(Option<Box<dyn Send + Sync>>);

impl RenewalClaim {
    /// A claim that nobody contests.
    pub const fn alone() -> Self {
        Self(None)
    }

    /// A claim that is held as long as `guard`.
    pub fn held(guard: impl Send + Sync + 'static) -> Self {
        Self(Some(Box::new(guard)))
    }

    /// Whether another node could have had the claim before.
    pub(crate) const fn is_contested(&self) -> bool {
        self.0.is_some()
    }
}

impl std::fmt::Debug for RenewalClaim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RenewalClaim")
            .field("contested", &self.is_contested())
            .finish()
    }
}

/// A [`PatStore`] in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryPatStore(Arc<Mutex<PatState>>);

impl MemoryPatStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that holds this.
    pub fn with(state: PatState) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    /// What is there now.
    pub fn state(&self) -> PatState {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, PatState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PatStore for MemoryPatStore {
    async fn load(&self) -> Result<PatState, Error> {
        Ok(self.state())
    }

    async fn save(&self, pat: &StoredPat) -> Result<(), Error> {
        *self.lock() = PatState::Held(pat.clone());
        Ok(())
    }

    async fn needs_consent(&self) -> Result<(), Error> {
        *self.lock() = PatState::NeedsConsent;
        Ok(())
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// [`PatStore`] of any type.
trait ErasedStore: Send + Sync {
    fn load_boxed(&self) -> Boxed<'_, PatState>;
    fn save_boxed<'a>(&'a self, pat: &'a StoredPat) -> Boxed<'a, ()>;
    fn needs_consent_boxed(&self) -> Boxed<'_, ()>;
    fn claim_renewal_boxed(&self) -> Boxed<'_, RenewalClaim>;
}

impl<S: PatStore> ErasedStore for S {
    fn load_boxed(&self) -> Boxed<'_, PatState> {
        Box::pin(PatStore::load(self))
    }

    fn save_boxed<'a>(&'a self, pat: &'a StoredPat) -> Boxed<'a, ()> {
        Box::pin(PatStore::save(self, pat))
    }

    fn needs_consent_boxed(&self) -> Boxed<'_, ()> {
        Box::pin(PatStore::needs_consent(self))
    }

    fn claim_renewal_boxed(&self) -> Boxed<'_, RenewalClaim> {
        Box::pin(PatStore::claim_renewal(self))
    }
}

#[cfg(test)]
mod tests;
