//! Maps that are fetched when they are asked for, for sets that don't fit into memory.
//!
//! What is kept is at every moment a part of the maps as of the epoch that this node has applied: what is fetched is kept
//! only if it is of just that epoch, what changes is dropped in the same step in which the epoch moves on, and an absence
//! counts for its one epoch alone. So what is found here together was so together.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use moka::sync::Cache;
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use tokio::sync::{Notify, Semaphore, watch};
use tower_warden::{CanonicalPath, Lookup, LookupError, Resolution, ResourceMap, Site, Target};

use super::record::EnforcedAms;
use crate::host::Ams;
use crate::store::{EnforcedRecord, Store as _};
use crate::{AnyStore, Error};

/// Most look-ups in the store at once. More wait, as long as a request waits.
const MOST_FETCHES: usize = 64;

/// A bounded cache over the store.
pub(super) struct ReadThrough {
    store: AnyStore,
    ams: Arc<Ams>,
    capacity: u64,
    keys: (u64, u64),
    applied: Arc<AtomicI64>,
    /// Woken when the store turns out to be ahead of this node.
    wake: Arc<Notify>,
    kept: ArcSwap<Kept>,
    /// Held while something is kept, or the epoch moves on.
    changing: Mutex<()>,
    flights: Mutex<HashMap<u128, Landing>>,
    permits: Semaphore,
    fetches: AtomicU64,
}

/// What is kept. It is replaced whole when nothing of it can be trusted.
struct Kept(Cache<u128, Slot>);

#[derive(Clone)]
enum Slot {
    Map(Arc<ResourceMap>),
    /// There was none, in this epoch.
    Nothing(i64),
}

/// What one look-up in the store has brought.
struct Fetched {
    epoch: i64,
    /// Where it was kept, if it was.
    kept: Arc<Kept>,
    covering: Option<Arc<ResourceMap>>,
}

type Landed = Result<Arc<Fetched>, Arc<Error>>;
type Landing = watch::Receiver<Option<Landed>>;

impl ReadThrough {
    pub(super) fn new(
        store: AnyStore,
        ams: Arc<Ams>,
        capacity: u64,
        applied: Arc<AtomicI64>,
        wake: Arc<Notify>,
    ) -> Self {
        let random = RandomState::new();
        Self {
            store,
            ams,
            capacity,
            keys: (random.hash_one(0), random.hash_one(1)),
            applied,
            wake,
            kept: ArcSwap::from_pointee(Kept::new(capacity)),
            changing: Mutex::new(()),
            flights: Mutex::default(),
            permits: Semaphore::new(MOST_FETCHES),
            fetches: AtomicU64::new(0),
        }
    }

    /// The maps of some paths have changed, in epochs up to this one.
    pub(super) fn advance(&self, epoch: i64, changed: &[EnforcedRecord]) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.kept.load();
        for record in changed {
            kept.0.invalidate(&self.key(&record.site, &record.path_key));
        }
        self.applied.store(epoch, Ordering::SeqCst);
    }

    /// Nothing that is kept, or being fetched, can be trusted.
    pub(super) fn reset(&self, epoch: i64) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.kept.store(Arc::new(Kept::new(self.capacity)));
        self.applied.store(epoch, Ordering::SeqCst);
        self.flights
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// How often the store was asked.
    pub(super) fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::Relaxed)
    }

    pub(super) fn find(self: &Arc<Self>, target: &Target<'_>) -> Lookup {
        let asked = self.applied.load(Ordering::SeqCst);
        let kept = self.kept.load();
        let found = self.look(&kept, target.site(), target.path(), asked);
        match found {
            // Nothing changed meanwhile, so what was found was found together.
            Some(covering) if self.applied.load(Ordering::SeqCst) == asked => {
                Lookup::Ready(Ok(resolution(covering.as_ref(), target.method())))
            }
            _ => {
                let this = Arc::clone(self);
                let site = target.site().clone();
                let path = target.path().clone().into_owned();
                let method = target.method().clone();
                Lookup::Later(Box::pin(async move {
                    let covering = this.fetch(site, path, asked).await?;
                    Ok(resolution(covering.as_ref(), &method))
                }))
            }
        }
    }

    /// The map that covers a path as of an epoch; `None` if what is kept does not tell.
    #[allow(clippy::option_option, reason = "known to be none, and not known")]
    fn look(
        &self,
        kept: &Kept,
        site: &Site,
        path: &CanonicalPath<'_>,
        epoch: i64,
    ) -> Option<Option<Arc<ResourceMap>>> {
        for (number, key) in path.covering_keys().enumerate() {
            match kept.0.get(&self.key(site, key))? {
                Slot::Map(map) if map.key() != key || map.site() != site => return None,
                Slot::Map(map) if number == 0 || map.is_subtree() => return Some(Some(map)),
                Slot::Map(_) => {}
                Slot::Nothing(of) if of == epoch => {}
                Slot::Nothing(_) => return None,
            }
        }
        Some(None)
    }

    /// Asks the store, together with others who want to know the same. What it said of an epoch before `asked`, in which
    /// this node was when the request came, does not count.
    async fn fetch(
        self: &Arc<Self>,
        site: Site,
        path: CanonicalPath<'static>,
        asked: i64,
    ) -> Result<Option<Arc<ResourceMap>>, LookupError> {
        // Twice: the flight that is joined first may have begun before the request came.
        for _ in 0..2 {
            let mut landing = self.join(&site, &path);
            let landed = match landing.wait_for(Option::is_some).await {
                Ok(landed) => landed.clone(),
                // It was stopped, or has panicked.
                Err(error) => return Err(LookupError::new(error)),
            };
            let fetched = match landed {
                Some(Ok(fetched)) => fetched,
                Some(Err(error)) => return Err(LookupError::new(error)),
                None => continue,
            };
            if fetched.epoch >= asked && Arc::ptr_eq(&fetched.kept, &self.kept.load()) {
                return Ok(fetched.covering.clone());
            }
        }
        Err(LookupError::new("the store is behind this node"))
    }

    fn join(self: &Arc<Self>, site: &Site, path: &CanonicalPath<'static>) -> Landing {
        let key = self.key(site, path.as_key());
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        let in_flight = flights.get(&key);
        if let Some(landing) = in_flight.filter(|landing| is_pending(landing)) {
            return landing.clone();
        }
        let (sender, landing) = watch::channel(None);
        flights.insert(key, landing.clone());
        let (this, site, path) = (Arc::clone(self), site.clone(), path.clone());
        // A task of its own: who goes away stops nobody else's.
        tokio::spawn(async move {
            let landed = this.read(&site, &path).await;
            sender.send_replace(Some(landed.map(Arc::new).map_err(Arc::new)));
            let mut flights = this.flights.lock().unwrap_or_else(PoisonError::into_inner);
            if flights.get(&key).is_some_and(|other| !is_pending(other)) {
                flights.remove(&key);
            }
        });
        landing
    }

    /// One look into the store, for all maps that can cover a path.
    async fn read(&self, site: &Site, path: &CanonicalPath<'_>) -> Result<Fetched, Error> {
        // Never closed.
        let _permit = self.permits.acquire().await.ok();
        let kept = self.kept.load_full();
        let keys: Vec<String> = path.covering_keys().map(str::to_owned).collect();
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let found = self.store.maps_at(site, &keys).await?;
        let ams = EnforcedAms::of(&found.maps, &self.store, &self.ams).await?;
        let maps: HashMap<&str, Arc<ResourceMap>> = found
            .maps
            .iter()
            .filter_map(|record| Some((record.path_key.as_str(), ams.map(record)?)))
            .collect();
        let covering = keys
            .iter()
            .enumerate()
            .filter_map(|(number, key)| Some((number, maps.get(key.as_str())?)))
            .find(|(number, map)| *number == 0 || map.is_subtree())
            .map(|(_, map)| Arc::clone(map));
        {
            let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            let applied = self.applied.load(Ordering::SeqCst);
            if found.epoch == applied && Arc::ptr_eq(&kept, &self.kept.load()) {
                for key in &keys {
                    let slot = match maps.get(key.as_str()) {
                        Some(map) => Slot::Map(Arc::clone(map)),
                        None => Slot::Nothing(applied),
                    };
                    kept.0.insert(self.key(site, key), slot);
                }
            } else if found.epoch > applied {
                // True now, but not to be mixed with what is kept.
                self.wake.notify_one();
            }
        }
        Ok(Fetched {
            epoch: found.epoch,
            kept,
            covering,
        })
    }

    /// Stands for a site and a path. By a key of this process's own: nobody can choose two that meet.
    fn key(&self, site: &Site, path: &str) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        hasher.write(site.as_str().as_bytes());
        hasher.write_u8(0xff);
        hasher.write(path.as_bytes());
        hasher.finish128().as_u128()
    }
}

fn is_pending(landing: &Landing) -> bool {
    landing.has_changed().is_ok() && landing.borrow().is_none()
}

fn resolution(covering: Option<&Arc<ResourceMap>>, method: &http::Method) -> Resolution {
    covering.map_or(Resolution::Unmapped, |map| Resolution::of_map(map, method))
}

impl Kept {
    fn new(capacity: u64) -> Self {
        Self(Cache::new(capacity))
    }
}

impl fmt::Debug for ReadThrough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadThrough")
            .field("capacity", &self.capacity)
            .field("kept", &self.kept.load().0.entry_count())
            .finish_non_exhaustive()
    }
}
