//! The host's maps as enforcement sees them: all of them in memory, or those that are asked for; both follow the store.

mod following;
mod lease;
mod read_through;
mod record;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tower_warden::{
    CanonicalPath, Lookup, LookupError, MapIndex, Reach, ResourceMap, ResourceMaps, Site, Target,
};

pub(crate) use following::Shared;
use following::{Behind, Held};
pub(crate) use lease::LEASE;
pub(crate) use record::{path_of_key, uri_of_key};

use crate::Error;
use crate::store::Store as _;

/// How a host holds its maps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapsMode {
    /// All in memory, swapped whole: looking up waits for nothing.
    #[default]
    Snapshot,
    /// Those that requests ask for, for sets that don't fit into memory. What is not kept is fetched from the store, one
    /// query for a path and all above it.
    ReadThrough {
        /// How many paths are kept, those without a map included. Each takes some hundred bytes.
        capacity: u64,
    },
}

/// The maps of a [`Host`](crate::Host), for `WardenLayer::builder().maps(..)`. Clones share them.
///
/// A path whose row in the store can't be understood is denied; the others are not touched. While the store has not
/// confirmed for 15 s what this node knows, nothing is found at all, and requests to guarded paths get 503.
#[derive(Clone)]
pub struct HostMaps {
    pub(crate) shared: Arc<Shared>,
}

impl HostMaps {
    /// The maps as they are now; `None` where they are not all in memory.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<MapIndex>> {
        match &self.shared.held {
            Held::Snapshot(index) => Some(index.load_full()),
            Held::ReadThrough(_) => None,
        }
    }

    /// How often the store was asked for the maps of a path; never where they are all in memory.
    #[must_use]
    pub fn fetches(&self) -> u64 {
        match &self.shared.held {
            Held::Snapshot(_) => 0,
            Held::ReadThrough(maps) => maps.fetches(),
        }
    }

    /// The key of the map that covers a path.
    pub(crate) async fn covering_key(
        &self,
        site: &Site,
        path: &CanonicalPath<'_>,
    ) -> Result<Option<String>, Error> {
        if let Held::Snapshot(index) = &self.shared.held {
            let index = index.load();
            return Ok(index.covering(site, path).map(|map| map.key().to_owned()));
        }
        let keys: Vec<String> = path.covering_keys().map(str::to_owned).collect();
        let found = self.shared.store.maps_at(site, &keys).await?;
        let covers = |key: &String| {
            let own = key == path.as_key();
            let mut maps = found.maps.iter();
            maps.any(|map| map.path_key == *key && (own || map.subtree))
        };
        Ok(keys.iter().find(|key| covers(key)).cloned())
    }
}

impl ResourceMaps for HostMaps {
    fn find(&self, target: &Target<'_>) -> Lookup {
        let shared = &self.shared;
        if !shared.lease.is_alive() {
            return Lookup::Ready(Err(LookupError::new(Unconfirmed)));
        }
        match &shared.held {
            Held::Snapshot(index) => index.load().find(target).into(),
            Held::ReadThrough(maps) => match maps.find(target) {
                Lookup::Ready(found) => Lookup::Ready(found),
                Lookup::Later(finding) => {
                    let shared = Arc::clone(shared);
                    Lookup::Later(Box::pin(async move {
                        let found = finding.await?;
                        if shared.lease.is_alive() {
                            Ok(found)
                        } else {
                            Err(LookupError::new(Unconfirmed))
                        }
                    }))
                }
            },
        }
    }

    fn reach(&self, epoch: u64) -> Reach {
        let wanted = i64::try_from(epoch).unwrap_or(i64::MAX);
        if self.shared.reached.load(Ordering::SeqCst) >= wanted {
            return Reach::Now;
        }
        let shared = Arc::clone(&self.shared);
        Reach::Later(Box::pin(async move {
            match shared.catch_up(wanted).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(LookupError::new(Behind)),
                Err(error) => Err(LookupError::new(error)),
            }
        }))
    }

    fn candidates(&self, target: &Target<'_>) -> Vec<Arc<ResourceMap>> {
        self.snapshot()
            .map(|index| index.candidates(target))
            .unwrap_or_default()
    }
}

/// This node may not go by what it knows.
#[derive(Debug)]
struct Unconfirmed;

impl fmt::Display for Unconfirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store has not confirmed what this node knows of late")
    }
}

impl std::error::Error for Unconfirmed {}

impl fmt::Debug for HostMaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostMaps")
            .field("held", &self.shared.held)
            .finish_non_exhaustive()
    }
}
