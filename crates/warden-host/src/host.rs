//! The host: what it is built from, and what it can do.

mod accesses;
mod again;
mod ams;
mod api;
mod attend;
mod builder;
mod bulk;
mod connect;
mod following;
mod keepers;
mod leaving;
mod listing;
mod pace;
mod paths;
mod reseal;
mod scopes;
mod share;
mod shown;
mod spread;
mod withdrawal;
mod work;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tower_warden::{Engine, OwnerId, Site};
use uma_client::{Clock, epoch_seconds};
use url::Url;

pub use attend::KeptAlive;
pub use builder::HostBuilder;
pub use bulk::{Bulk, BulkDone};
pub use following::{NodeStatus, Wake};
pub use reseal::Resealed;

pub(crate) use ams::{AmEntry, Ams, am_trouble};
pub(crate) use keepers::Keepers;
pub(crate) use pace::Pace;
pub(crate) use paths::{Locks, PathLocks};
pub(crate) use scopes::ScopeDocuments;
pub(crate) use work::{Claim, Work, Worker};

use crate::access_log::Retention;
use crate::catalogue::AnyCatalogue;
use crate::notify::AnyNotify;
use crate::outbound::Enrolments;
use crate::reconcile::{Patience, Visited};
use crate::store::Store as _;
use crate::{
    AccessLog, AmChoice, AnyStore, AuthorizationAnswer, Connection, DriftPolicy, Error, ErrorKind,
    HostMaps, HostProtection, LostPolicy, Reconciled, ReturnPath, ShareRequest, SharedResource,
    Stopped,
};
use connect::Purpose;
use following::Node;

/// A host under Warden: its owners, their AMs and what they share. Clones share everything.
///
/// What an owner asks for is carried through even when the request that asked for it is dropped half-way.
#[derive(Clone)]
pub struct Host {
    pub(crate) inner: Arc<Inner>,
    // Apart from the rest, which the engine's protection holds: no circle keeps a host alive.
    pub(crate) engine: Arc<OnceLock<Engine>>,
    /// How long calls through this handle wait for other nodes.
    pub(crate) patience: Duration,
}

pub(crate) struct Inner {
    pub(crate) store: AnyStore,
    pub(crate) ams: Arc<Ams>,
    pub(crate) maps: HostMaps,
    pub(crate) keepers: Arc<Keepers>,
    pub(crate) worker: Worker,
    node: Node,
    pub(crate) catalogue: AnyCatalogue,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) callback_base: Url,
    pub(crate) own_label: String,
    pub(crate) paths: PathLocks,
    pub(crate) reconciling: Mutex<()>,
    pub(crate) wake: Notify,
    pub(crate) patience: Patience,
    pub(crate) enrolments: Enrolments,
    pub(crate) pace: Pace,
    pub(crate) notify: AnyNotify,
    pub(crate) lost: LostPolicy,
    pub(crate) drift: DriftPolicy,
    pub(crate) visited: Visited,
    pub(crate) access_log: AccessLog,
    pub(crate) retention: Retention,
    /// Wakes who looks whether AMs have what is shared: the store has gone back in time.
    pub(crate) look: Notify,
    /// Who moves, so that each move is gone on with once.
    pub(crate) moving: Locks<OwnerId>,
    publishing: AtomicBool,
}

impl Inner {
    /// Now, as stores keep time: seconds since the epoch.
    pub(crate) fn now(&self) -> i64 {
        epoch_seconds(self.clock.now())
    }

    /// Wakes the reconciler, if one was spawned.
    pub(crate) fn wake_reconciler(&self) {
        self.wake.notify_one();
    }

    /// Shows enforcement what was committed.
    ///
    /// If the store can't be read just now, it is tried again in the background until it can: what was committed must
    /// not go unenforced because the caller has given up.
    pub(crate) async fn publish(self: &Arc<Self>) -> Result<(), Error> {
        let mut published = self.maps.shared.refresh().await;
        if published.is_ok() {
            published = self.note_applied().await;
        }
        if published.is_err() && !self.publishing.swap(true, Ordering::SeqCst) {
            let inner = Arc::clone(self);
            tokio::spawn(async move {
                let mut wait = Duration::from_millis(100);
                while let Err(error) = inner.maps.shared.refresh().await {
                    tracing::error!(error = %error, "the maps can't be brought up to date; it is tried again");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(5));
                }
                inner.publishing.store(false, Ordering::SeqCst);
                // Who failed between the two lines above left it to this task.
                if let Err(error) = inner.maps.shared.refresh().await {
                    tracing::error!(error = %error, "the maps can't be brought up to date");
                }
            });
        }
        published
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.node.stop();
        // Whoever still holds the maps is let in nowhere, so nobody has to wait for this node.
        self.maps.shared.lease.revoke();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (store, node) = (self.store.clone(), self.node.id.clone());
            runtime.spawn(async move { store.node_left(&node).await });
        }
    }
}

impl Host {
    /// Begins to build a host over a store.
    pub fn builder(store: impl Into<AnyStore>) -> HostBuilder {
        HostBuilder::new(store.into())
    }

    /// The maps, for `WardenLayer::builder().maps(..)`. What an owner does is in them when the call returns.
    #[must_use]
    pub fn maps(&self) -> HostMaps {
        self.inner.maps.clone()
    }

    /// What asks each map's AM, with its owner's PAT, for `WardenLayer::builder().protection(..)`.
    #[must_use]
    pub fn protection(&self) -> HostProtection {
        HostProtection::new(Arc::clone(&self.inner))
    }

    /// Gives the host the engine that enforces its maps: from then on paths that it guards can be shared, and a stop, here
    /// or on another node, purges its cache. Only the first engine counts.
    pub fn attach(&self, engine: Engine) {
        self.inner.attach(engine.purger());
        if self.engine.set(engine).is_err() {
            tracing::warn!("an engine is attached already; the second one is ignored");
        }
    }

    /// The AMs that an owner can choose; with [`AmPolicy::Any`](crate::AmPolicy::Any) those suggested.
    #[allow(clippy::unused_async, reason = "choices may come from the store")]
    pub async fn ams(&self) -> Vec<AmChoice> {
        self.inner.ams.choices()
    }

    /// Begins to connect an owner to the AM whose issuer is `am`: discovers it, registers this host there if that was
    /// never done, and gives the URL at the AM to send the owner to.
    ///
    /// The answer to it is good once, for ten minutes, for this owner, session and AM. `return_to` is what
    /// [`Host::finish_connect`] gives back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownAm`], [`ErrorKind::ConnectedElsewhere`] while the owner still shares through another AM,
    /// [`ErrorKind::AmUnreachable`], [`ErrorKind::AmRefused`], and store errors.
    pub async fn begin_connect(
        &self,
        owner: &OwnerId,
        session: &str,
        am: &str,
        return_to: &ReturnPath,
    ) -> Result<Url, Error> {
        let (host, owner, session) = (self.clone(), owner.clone(), session.to_owned());
        let (am, return_to) = (am.to_owned(), return_to.clone());
        carried_through(async move {
            host.connect_begin(&owner, &session, &am, &return_to, Purpose::Connect)
                .await
        })
        .await
    }

    /// Finishes what [`Host::begin_connect`] began, with what came to the callback of the AM whose key is `am_key`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] for an answer that is not this owner's, session's and AM's, or that comes a second time or too
    /// late; [`ErrorKind::NoConsent`] if the owner did not consent; AM and store errors.
    pub async fn finish_connect(
        &self,
        owner: &OwnerId,
        session: &str,
        am_key: &str,
        answer: AuthorizationAnswer,
    ) -> Result<ReturnPath, Error> {
        let (host, owner, session) = (self.clone(), owner.clone(), session.to_owned());
        let am_key = am_key.to_owned();
        carried_through(async move { host.connect_finish(&owner, &session, &am_key, answer).await })
            .await
    }

    /// The owner's connection, if there is one.
    ///
    /// # Errors
    ///
    /// Store errors.
    pub async fn connection(&self, owner: &OwnerId) -> Result<Option<Connection>, Error> {
        self.connection_of(owner).await
    }

    /// Shares a path: it is denied to all but the owner from the moment that this is committed, then registered at the
    /// owner's AM, and from then on the AM decides.
    ///
    /// Sharing what is shared gives what is there, with name, description, icon, scopes and subtree as asked for now.
    ///
    /// When this returns with [`Spread::Everywhere`](crate::Spread::Everywhere), every node enforces it. It waits for that,
    /// longer than the lease of a node that has fallen silent ([`HostBuilder::wait_for_nodes`]); with one node it does not
    /// wait.
    ///
    /// # Errors
    ///
    /// [`Error::field`] names the field of a request that can't be accepted; nothing is changed then.
    /// [`ErrorKind::NotConnected`] and [`ErrorKind::NeedsConsent`] before anything is changed.
    /// [`ErrorKind::AmUnreachable`] and [`ErrorKind::AmRefused`] leave the path denied; [`Host::reconcile`] goes on.
    pub async fn share(
        &self,
        owner: &OwnerId,
        request: ShareRequest,
    ) -> Result<SharedResource, Error> {
        let (host, owner) = (self.clone(), owner.clone());
        carried_through(async move {
            let mut shared = host.share_path(&owner, request).await?;
            shared.spread = host.inner.spread(shared.epoch, host.patience).await;
            Ok(shared)
        })
        .await
    }

    /// Stops sharing a path: when this returns, the path is the host's own again on this node, and within a second on all;
    /// the registration at the AM is deleted in the background. Says whether the path was shared.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadPath`] and store errors.
    pub async fn stop_sharing(&self, owner: &OwnerId, uri: &str) -> Result<Stopped, Error> {
        let (host, owner, uri) = (self.clone(), owner.clone(), uri.to_owned());
        carried_through(async move { host.stop_path(&owner, &uri).await }).await
    }

    /// What the owner shares, by path.
    ///
    /// # Errors
    ///
    /// Store errors.
    pub async fn resources(&self, owner: &OwnerId) -> Result<Vec<SharedResource>, Error> {
        self.shared_by(owner).await
    }

    /// What the owner shares at exactly this path.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadPath`] and store errors.
    pub async fn resource(
        &self,
        owner: &OwnerId,
        uri: &str,
    ) -> Result<Option<SharedResource>, Error> {
        self.shared_at(owner, uri).await
    }

    /// Brings what the store says and what the AMs have together: goes on with moves, finishes what is pending, deletes at
    /// the AM what is no longer shared, clears up what an AM did not know, tells AMs new names.
    ///
    /// The work of one run is bounded, the longest waiting comes first. It does not mind that something was tried a moment
    /// ago; the task of [`Host::spawn_reconciler`] does, and waits longer after each failure.
    ///
    /// # Errors
    ///
    /// Store errors; trouble with AMs is counted in the answer.
    pub async fn reconcile(&self) -> Result<Reconciled, Error> {
        let host = self.clone();
        carried_through(async move { host.reconcile_once(true).await }).await
    }

    /// Reconciles at once, then every `every`, and whenever an AM did not know a resource. Beside that it keeps connections
    /// alive ([`Host::keep_alive`]), seals anew what an older key has sealed, and now and then looks whether AMs have what
    /// is shared ([`DriftPolicy`]). Abort the task to end it.
    #[must_use]
    pub fn spawn_reconciler(&self, every: Duration) -> tokio::task::JoinHandle<()> {
        let host = self.clone();
        tokio::spawn(async move {
            tokio::join!(
                host.reconcile_for_ever(every),
                host.attend_for_ever(every),
                host.look_for_ever(),
            );
        })
    }

    async fn reconcile_for_ever(&self, every: Duration) {
        loop {
            let run = self.clone();
            if let Err(error) =
                carried_through(async move { run.reconcile_once(false).await }).await
            {
                tracing::warn!(error = %error, "reconciling failed; it will be tried again");
            }
            // Time out or woken: both mean another run.
            let _ = tokio::time::timeout(every, self.inner.wake.notified()).await;
        }
    }

    async fn look_for_ever(&self) {
        let host = self.clone();
        if let Err(error) = carried_through(async move { host.reseal_all().await }).await {
            tracing::warn!(error = %error, "not everything could be sealed with the current key");
        }
        loop {
            let host = self.clone();
            let looked = tokio::select! {
                () = pause(self.inner.drift.every) => {
                    carried_through(async move { host.drift_once().await.map(drop) }).await
                }
                // The store has gone back in time: nobody knows what of it the AMs have.
                () = self.inner.look.notified() => {
                    carried_through(async move { host.drift_by_one().await }).await
                }
            };
            if let Err(error) = looked {
                tracing::warn!(error = %error, "it could not be seen whether AMs have what is shared");
            }
        }
    }

    /// The site that is shared on: the engine's.
    pub(crate) fn site(&self) -> Site {
        self.engine
            .get()
            .map_or_else(Site::default, |engine| engine.site().clone())
    }
}

/// For a while, or for ever.
async fn pause(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Runs work in a task of its own, so that a caller who goes away does not leave it half-done.
async fn carried_through<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => Err(Error::new(
            ErrorKind::Store,
            "something went wrong at this site; try again",
        )
        .because(error)),
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("callback_base", &self.inner.callback_base.as_str())
            .field("own_label", &self.inner.own_label)
            .finish_non_exhaustive()
    }
}
