//! This node among others: it follows the store, tells it that it lives, and knows when it may not go by what it knows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower_warden::Purger;

use super::Inner;
use crate::maps::LEASE;
use crate::store::{Heard, Listener, NodeId, Store as _};
use crate::{Error, ErrorKind};

/// How often the store is asked, in the middle.
const POLL: Duration = Duration::from_secs(1);
/// How long the store may take to note that this node lives.
const RENEWAL_LIMIT: Duration = Duration::from_secs(5);
/// The least time between two looks for which there was a call: what changes meanwhile is read at once.
const BREATH: Duration = Duration::from_millis(10);
/// How long a word to this node itself may take.
const ECHO: Duration = Duration::from_secs(5);
/// How long until hearing is tried again.
const LISTEN_AGAIN: Duration = Duration::from_secs(30);

/// How a node learns of changes that other nodes have made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wake {
    /// As they are committed, where the store can tell (Postgres); and by a poll each second in any case.
    #[default]
    Notify,
    /// By a poll each second alone. For stores that can't tell, and behind poolers that don't pass it on.
    PollOnly,
}

/// How this node stands, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStatus {
    /// The node, as others know it.
    pub node: NodeId,
    /// Whether requests are judged; otherwise those to guarded paths get 503.
    pub ready: bool,
    /// The epoch of which all is in force here.
    pub epoch: u64,
    /// The time since the store has confirmed what this node knows; it is ready up to 15 s.
    pub lease_age: Option<Duration>,
    /// Whether changes are heard as they are committed; otherwise a poll finds them within about a second.
    pub hears: bool,
}

/// What a node is.
pub(super) struct Node {
    pub(super) id: NodeId,
    wake: Wake,
    /// The epoch that the store has last noted for this node.
    noted: AsyncMutex<Option<i64>>,
    hears: AtomicBool,
    left: AtomicBool,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Node {
    pub(super) fn new(id: NodeId, wake: Wake) -> Self {
        Self {
            id,
            wake,
            noted: AsyncMutex::new(None),
            hears: AtomicBool::new(false),
            left: AtomicBool::new(false),
            tasks: Mutex::default(),
        }
    }

    /// Ends what follows the store.
    pub(super) fn stop(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.drain(..).for_each(|task| task.abort());
    }
}

impl Inner {
    /// Begins to follow the store. Without one that answers, this node is not ready, and tries again until it is.
    pub(super) async fn begin_to_follow(self: &Arc<Self>) {
        if let Err(error) = self.follow_once(true).await {
            tracing::error!(error = %error, "the maps could not be loaded; until they are, requests to guarded paths get 503");
        }
        let weak = Arc::downgrade(self);
        let following = tokio::spawn(kept_running("following the store", move || {
            follow(weak.clone())
        }));
        let mut tasks = vec![following.abort_handle()];
        match self.node.wake {
            Wake::PollOnly => {
                tracing::info!("poll only: changes made on other nodes are found by a poll");
            }
            Wake::Notify => {
                let weak = Arc::downgrade(self);
                let listening = tokio::spawn(kept_running("hearing of changes", move || {
                    listen(weak.clone())
                }));
                tasks.push(listening.abort_handle());
            }
        }
        let mut kept = self
            .node
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        kept.extend(tasks);
    }

    /// One look at the store. A `poll` tells the store first that this node lives; only that prolongs the time for which
    /// this node may go by its maps. Since the store knows of this node before it is read, nobody's share can pass it by.
    pub(crate) async fn follow_once(&self, poll: bool) -> Result<(), Error> {
        if self.node.left.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Store, "this node has left"));
        }
        let maps = &self.maps.shared;
        let mut noted = self.node.noted.lock().await;
        if poll {
            let asked = maps.lease.now();
            let lost = self.note(&mut noted).await?;
            maps.confirm(asked, lost).await?;
        } else {
            maps.refresh().await?;
        }
        // Who waits for this node is to know at once.
        if noted.is_some_and(|noted| noted != maps.epoch()) {
            let asked = maps.lease.now();
            if self.note(&mut noted).await? {
                maps.confirm(asked, true).await?;
            }
        }
        Ok(())
    }

    /// Tells the store that this node lives, and what it has applied. Says whether the store has forgotten what it was told
    /// before: then it has lost what was committed before that, too.
    async fn note(&self, noted: &mut Option<i64>) -> Result<bool, Error> {
        let applied = self.maps.shared.epoch();
        let renewal = self.store.node_renewed(&self.node.id, applied, LEASE);
        let before = timeout(RENEWAL_LIMIT, renewal)
            .await
            .unwrap_or_else(|late| {
                Err(Error::new(ErrorKind::Store, "the store does not answer").because(late))
            })?;
        let lost = noted.is_some_and(|noted| before.is_none_or(|before| before < noted));
        *noted = Some(applied);
        Ok(lost)
    }

    /// Tells the store what this node has applied, if nothing else does so at once: were that lost with the store's last
    /// moments, the store's memory of this node tells.
    pub(crate) async fn note_applied(&self) -> Result<(), Error> {
        if self.node.wake == Wake::Notify || self.node.left.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.follow_once(false).await
    }

    /// How this node stands.
    pub(crate) fn status(&self) -> NodeStatus {
        let maps = &self.maps.shared;
        NodeStatus {
            node: self.node.id.clone(),
            ready: maps.lease.is_alive(),
            epoch: maps.epoch().unsigned_abs(),
            lease_age: maps.lease.age(),
            hears: self.node.hears.load(Ordering::SeqCst),
        }
    }

    /// Serves nothing any more, and says so: nobody waits for this node.
    pub(crate) async fn leave(&self) -> Result<(), Error> {
        self.node.left.store(true, Ordering::SeqCst);
        self.node.stop();
        // Behind whatever was under way.
        let _noted = self.node.noted.lock().await;
        self.maps.shared.lease.revoke();
        self.store.node_left(&self.node.id).await
    }

    /// The engine's cached answers are purged from here on.
    pub(super) fn attach(&self, purger: Purger) {
        self.maps.shared.attach(purger);
    }

    #[cfg(test)]
    pub(crate) fn fall_silent(&self) {
        self.node.stop();
    }
}

/// Follows the store until the host is gone.
async fn follow(inner: Weak<Inner>) {
    let mut due = Instant::now() + POLL;
    let mut failing = false;
    loop {
        let Some(wake) = inner
            .upgrade()
            .map(|inner| Arc::clone(&inner.maps.shared.wake))
        else {
            return;
        };
        tokio::select! {
            () = sleep_until(due) => {}
            () = wake.notified() => {}
        }
        let Some(inner) = inner.upgrade() else {
            return;
        };
        // What was not confirmed is to be, whoever calls.
        let poll = Instant::now() >= due || failing || !inner.maps.shared.lease.is_alive();
        let followed = spared(inner.follow_once(poll)).await;
        match &followed {
            Ok(()) if failing => tracing::info!("the store can be followed again"),
            Err(error) if !failing => {
                tracing::error!(error = %error, "the store can't be followed; if that lasts, requests to guarded paths get 503");
            }
            _ => {}
        }
        failing = followed.is_err();
        if poll {
            due = Instant::now() + jittered(POLL);
        }
        if inner.maps.shared.take_went_back() {
            inner.look.notify_one();
        }
        meter(&inner);
        drop(inner);
        sleep(BREATH).await;
    }
}

/// Up to a tenth less or more, so that nodes do not ask all at once.
fn jittered(time: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness it is the middle.
    let part = getrandom::fill(&mut byte)
        .map_or(128, |()| u32::from(byte.first().copied().unwrap_or(128)));
    time * (1152 + part) / 1280
}

/// Hears of changes until the host is gone, or for as long as the store can tell.
async fn listen(inner: Weak<Inner>) {
    let mut told = false;
    while let Some(strong) = inner.upgrade() {
        let (wake, node) = (Arc::clone(&strong.maps.shared.wake), strong.node.id.clone());
        let store = strong.store.clone();
        drop(strong);
        let why = match spared(store.listen()).await {
            Ok(None) => {
                tracing::info!("poll only: this store can't tell of changes; a poll finds them");
                return;
            }
            Ok(Some(mut listener)) => {
                // What was committed before is read now.
                wake.notify_one();
                let word = node.as_str();
                let proven = spared(store.said(word)).await.is_ok()
                    && timeout(ECHO, echo(&mut listener, word))
                        .await
                        .unwrap_or(false);
                if proven {
                    tracing::info!("changes are heard as they are committed");
                    told = false;
                    hear(&inner, &mut listener).await;
                    String::from("the way to the store was cut off")
                } else {
                    String::from(
                        "what this node tells itself by way of the store is not heard, as behind a pooler in transaction mode",
                    )
                }
            }
            Err(error) => error.to_string(),
        };
        // Once for each time that it is so.
        if !told {
            tracing::warn!(
                why,
                "poll only: changes made on other nodes are found by a poll, until hearing works"
            );
            told = true;
        }
        wake.notify_one();
        sleep(LISTEN_AGAIN).await;
    }
}

/// Whether this node hears its own word.
async fn echo(listener: &mut Listener, word: &str) -> bool {
    loop {
        match listener.heard().await {
            Ok(Heard::Word(heard)) if heard == word => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

/// Wakes who follows, at whatever is heard, until nothing can be heard any more.
async fn hear(inner: &Weak<Inner>, listener: &mut Listener) {
    let hears = |hears| {
        let inner = inner.upgrade()?;
        inner.node.hears.store(hears, Ordering::SeqCst);
        Some(Arc::clone(&inner.maps.shared.wake))
    };
    while let Some(wake) = hears(true) {
        match listener.heard().await {
            // A gap may have swallowed something.
            Ok(Heard::Changed | Heard::Gap) => wake.notify_one(),
            Ok(Heard::Word(_)) => {}
            Err(error) => {
                tracing::info!(error = %error, "changes are not heard any more");
                break;
            }
        }
    }
    hears(false);
}

/// Runs work that ends by itself when it is done, and begins it again when it panics.
async fn kept_running<F>(what: &'static str, work: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let mut running = Running(tokio::spawn(work()));
        match (&mut running.0).await {
            Ok(()) => return,
            Err(error) => {
                tracing::error!(error = %error, what, "a task has ended in a panic; it begins again");
            }
        }
        sleep(BREATH).await;
    }
}

/// A task that ends with who started it.
struct Running(tokio::task::JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(not(test))]
async fn spared<T>(work: impl Future<Output = T>) -> T {
    work.await
}

#[cfg(test)]
use crate::testing::spared;

/// Counts for operators, through the `metrics` facade. Without the feature `metrics` nothing is counted.
fn meter(inner: &Inner) {
    #[cfg(feature = "metrics")]
    {
        let status = inner.status();
        // Before the first confirmation it is as if the last one were long ago.
        let age = status
            .lease_age
            .map_or(f64::INFINITY, |age| age.as_secs_f64());
        metrics::gauge!("warden_map_lease_age_seconds").set(age);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("warden_map_epoch").set(status.epoch as f64);
    }
    #[cfg(not(feature = "metrics"))]
    let _ = inner;
}
