//! Following the store: what has changed, put into force.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep_until, timeout};
use tower_warden::{MapIndex, Purge, Purger};
use uma_client::Clock;

use super::MapsMode;
use super::lease::{Lease, Moment};
use super::read_through::ReadThrough;
use super::record::EnforcedAms;
use crate::host::{Ams, Keepers};
use crate::store::{Changes, EnforcedRecord, Store as _};
use crate::{AnyStore, Error, ErrorKind};

/// How long the store may take to tell what has changed.
const CHANGES_LIMIT: Duration = Duration::from_secs(10);
/// How long it may take to tell everything.
const ALL_LIMIT: Duration = Duration::from_secs(600);
/// How long requests that demand an epoch leave the store alone after a look that did not find it.
const PACE: Duration = Duration::from_millis(50);
/// More maps than these are purged by owner; more owners than these, all at once.
const MOST_PURGES: usize = 256;

/// The maps, and what it takes to follow the store.
pub(crate) struct Shared {
    pub(super) store: AnyStore,
    ams: Arc<Ams>,
    keepers: Arc<Keepers>,
    purger: OnceLock<Purger>,
    pub(crate) lease: Lease,
    pub(super) held: Held,
    /// The epoch that the maps are of.
    applied: Arc<AtomicI64>,
    /// The epoch of which all is done, the cached answers included.
    pub(super) reached: AtomicI64,
    loaded: AtomicBool,
    reading: Mutex<Reading>,
    /// Wakes who follows the store, before the next poll.
    pub(crate) wake: Arc<Notify>,
    /// Whether the store has gone back since this was last asked.
    went_back: AtomicBool,
    #[cfg(test)]
    reads: std::sync::atomic::AtomicU64,
}

/// Where the maps are.
pub(super) enum Held {
    Snapshot(ArcSwap<MapIndex>),
    ReadThrough(Arc<ReadThrough>),
}

#[derive(Default)]
struct Reading {
    /// When the last look that went well began.
    begun: Option<Instant>,
}

impl Shared {
    pub(crate) fn new(
        mode: MapsMode,
        store: AnyStore,
        ams: Arc<Ams>,
        keepers: Arc<Keepers>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let applied = Arc::new(AtomicI64::new(0));
        let wake = Arc::new(Notify::new());
        let held = match mode {
            MapsMode::Snapshot => Held::Snapshot(ArcSwap::from_pointee(MapIndex::default())),
            MapsMode::ReadThrough { capacity } => Held::ReadThrough(Arc::new(ReadThrough::new(
                store.clone(),
                Arc::clone(&ams),
                capacity,
                Arc::clone(&applied),
                Arc::clone(&wake),
            ))),
        };
        Self {
            store,
            ams,
            keepers,
            purger: OnceLock::new(),
            lease: Lease::new(clock),
            held,
            applied,
            reached: AtomicI64::new(0),
            loaded: AtomicBool::new(false),
            reading: Mutex::default(),
            wake,
            went_back: AtomicBool::new(false),
            #[cfg(test)]
            reads: std::sync::atomic::AtomicU64::new(0),
        }
    }

    /// Takes what purges the cached answers of the engine that these maps are for.
    pub(crate) fn attach(&self, purger: Purger) {
        // Only the first engine counts.
        let _ = self.purger.set(purger);
    }

    /// How often the store was asked.
    #[cfg(test)]
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    /// The epoch of which all is in force on this node.
    pub(crate) fn epoch(&self) -> i64 {
        self.reached.load(Ordering::SeqCst)
    }

    /// Whether the maps were ever read.
    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::SeqCst)
    }

    /// Whether the store has gone back since this was last asked.
    pub(crate) fn take_went_back(&self) -> bool {
        self.went_back.swap(false, Ordering::SeqCst)
    }

    /// Catches up with the store. When this returns, everything that was committed before it was called is in force.
    pub(crate) async fn refresh(&self) -> Result<(), Error> {
        let arrived = Instant::now();
        // One at a time, and read under the lock: an older state can't be put over a newer one.
        let mut reading = self.reading.lock().await;
        if self.is_loaded() && reading.begun.is_some_and(|begun| begun > arrived) {
            return Ok(());
        }
        self.read(&mut reading).await
    }

    /// Catches up with the store, which knows that this node lives since a question that was sent after `asked`. From then
    /// on this node may go by its maps for a lease. `lost` says that the store does not remember what this node had applied.
    pub(crate) async fn confirm(&self, asked: Moment, lost: bool) -> Result<(), Error> {
        let mut reading = self.reading.lock().await;
        if lost {
            self.lose_ground("it has forgotten what this node had applied");
        }
        self.read(&mut reading).await?;
        // Under the lock: who finds meanwhile that the store has gone back must not be overruled.
        self.lease.confirm(asked);
        Ok(())
    }

    /// Catches up with the store, for a request that demands an epoch; says whether that was reached. However many ask, one
    /// looks, and not at once again: an epoch that is not there yet costs the store little.
    pub(super) async fn catch_up(&self, wanted: i64) -> Result<bool, Error> {
        let reached = || self.reached.load(Ordering::SeqCst) >= wanted;
        let arrived = Instant::now();
        let mut reading = self.reading.lock().await;
        let Some(begun) = reading.begun else {
            return Ok(false);
        };
        if reached() || begun > arrived {
            return Ok(reached());
        }
        sleep_until(begun + PACE).await;
        self.read(&mut reading).await?;
        Ok(reached())
    }

    /// The store has lost what this node knows: nothing counts until all is read anew.
    fn lose_ground(&self, why: &'static str) {
        tracing::error!(
            why,
            "the store has gone back in time, as after a restored backup or a failover that lost something; nobody is let in until all maps are loaded anew"
        );
        self.lease.revoke();
        self.loaded.store(false, Ordering::SeqCst);
        self.went_back.store(true, Ordering::SeqCst);
    }

    async fn read(&self, reading: &mut Reading) -> Result<(), Error> {
        let begun = Instant::now();
        #[cfg(test)]
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.is_loaded() {
            let applied = self.applied.load(Ordering::SeqCst);
            let changes = in_time(CHANGES_LIMIT, self.store.changes_since(applied)).await?;
            if changes.epoch < applied {
                self.lose_ground("its epoch is lower than before");
            } else if !changes.forgotten {
                if changes.epoch > applied {
                    self.apply(&changes).await?;
                }
                reading.begun = Some(begun);
                return Ok(());
            }
        }
        self.load().await?;
        reading.begun = Some(begun);
        Ok(())
    }

    /// Reads everything anew.
    async fn load(&self) -> Result<(), Error> {
        self.ams.forget_all();
        // Not the PATs: what a node holds of them may be newer than what the store has been set back to.
        self.keepers.drop_clients(None);
        let epoch = match &self.held {
            Held::Snapshot(index) => {
                let all = in_time(ALL_LIMIT, self.store.changes_since(0)).await?;
                let ams = EnforcedAms::of(&all.maps, &self.store, &self.ams).await?;
                let maps = given_up(all.maps).filter_map(|record| ams.map(&record));
                index.store(Arc::new(MapIndex::default().changed([], maps)));
                self.applied.store(all.epoch, Ordering::SeqCst);
                all.epoch
            }
            Held::ReadThrough(maps) => {
                let epoch = in_time(CHANGES_LIMIT, self.store.epoch()).await?;
                maps.reset(epoch);
                epoch
            }
        };
        self.purge(Purge::Everything);
        self.loaded.store(true, Ordering::SeqCst);
        self.reached.store(epoch, Ordering::SeqCst);
        Ok(())
    }

    async fn apply(&self, changes: &Changes) -> Result<(), Error> {
        for purge in &changes.purges {
            match purge {
                Purge::Am(issuer) => {
                    // The host's client there may be another one now.
                    self.ams.forget(issuer);
                    self.keepers.drop_am(issuer);
                }
                Purge::Owner(owner) => self.keepers.drop_clients(Some(owner)),
                _ => {}
            }
        }
        match &self.held {
            Held::Snapshot(index) => {
                let ams = EnforcedAms::of(&changes.maps, &self.store, &self.ams).await?;
                // Nothing fails from here on.
                let mut removed = Vec::new();
                let mut inserted = Vec::with_capacity(changes.maps.len());
                for record in &changes.maps {
                    match ams.map(record) {
                        Some(map) => inserted.push(map),
                        None => removed.push((&record.site, record.path_key.as_str())),
                    }
                }
                let changed = index.load().changed(removed, inserted);
                index.store(Arc::new(changed));
                self.applied.store(changes.epoch, Ordering::SeqCst);
            }
            Held::ReadThrough(maps) => maps.advance(changes.epoch, &changes.maps),
        }
        for purge in changes.purges.iter().cloned() {
            self.purge(purge);
        }
        for purge in purges_for(&changes.maps) {
            self.purge(purge);
        }
        self.reached.store(changes.epoch, Ordering::SeqCst);
        Ok(())
    }

    fn purge(&self, purge: Purge) {
        if let Some(purger) = self.purger.get() {
            purger.purge(purge);
        }
    }
}

/// The items of a list, from its end, and meanwhile their memory: there may be a million, and each becomes something else.
fn given_up<T>(mut items: Vec<T>) -> impl Iterator<Item = T> {
    const AT_ONCE: usize = 0x10000;
    std::iter::from_fn(move || {
        let item = items.pop();
        if items.len().is_multiple_of(AT_ONCE) {
            items.shrink_to_fit();
        }
        item
    })
}

/// Whose cached answers are to count no more when maps have changed: each map's, or more where that would be many.
fn purges_for(changed: &[EnforcedRecord]) -> Vec<Purge> {
    if changed.len() <= MOST_PURGES {
        return changed.iter().map(|record| Purge::Map(record.id)).collect();
    }
    let owners: HashSet<_> = changed.iter().map(|record| &record.owner).collect();
    if owners.len() <= MOST_PURGES {
        return owners.into_iter().cloned().map(Purge::Owner).collect();
    }
    vec![Purge::Everything]
}

/// A store that does not answer must not keep this node from asking again.
async fn in_time<T>(
    limit: Duration,
    asked: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(limit, asked).await.unwrap_or_else(|late| {
        Err(Error::new(ErrorKind::Store, "the store does not answer").because(late))
    })
}

/// The store does not have an epoch that a request demands, or not yet.
#[derive(Debug)]
pub(super) struct Behind;

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store has not reached the epoch that is demanded")
    }
}

impl std::error::Error for Behind {}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(index) => f.debug_tuple("Snapshot").field(&*index.load()).finish(),
            Self::ReadThrough(maps) => f.debug_tuple("ReadThrough").field(maps).finish(),
        }
    }
}
