//! The host's maps as enforcement sees them: a snapshot of the store that follows its epoch.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tower_warden::{
    Am, Audience, CanonicalPath, Lookup, MapId, MapIndex, MapState, ResourceMap, ResourceMaps,
    Site, Target,
};
use uma_client::{Issuer, ResourceId};

use crate::host::Ams;
use crate::store::{Changes, EnforcedRecord, RowState, Store as _};
use crate::{AnyStore, Error, ErrorKind};

/// The id that stands in maps which have none yet. They are denied whatever it is.
const UNREGISTERED: &str = "unregistered";

/// The maps of a [`Host`](crate::Host), for `WardenLayer::builder().maps(..)`. Clones share them.
///
/// Looking up waits for nothing. A path whose row in the store can't be understood is denied; the others are not touched.
#[derive(Clone)]
pub struct HostMaps {
    shared: Arc<Shared>,
}

struct Shared {
    index: ArcSwap<MapIndex>,
    followed: Mutex<Followed>,
}

/// What the index was made of.
#[derive(Default)]
struct Followed {
    epoch: i64,
    maps: HashMap<MapId, Arc<ResourceMap>>,
}

impl HostMaps {
    pub(crate) fn empty() -> Self {
        Self {
            shared: Arc::new(Shared {
                index: ArcSwap::from_pointee(MapIndex::default()),
                followed: Mutex::new(Followed::default()),
            }),
        }
    }

    /// The maps as they are now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<MapIndex> {
        self.shared.index.load_full()
    }

    /// The key of the map that covers a path.
    pub(crate) fn covering_key(&self, site: &Site, path: &CanonicalPath<'_>) -> Option<String> {
        let index = self.shared.index.load();
        index.covering(site, path).map(|map| map.key().to_owned())
    }

    /// Catches up with the store. When this returns, everything that was committed before it was called is in force.
    pub(crate) async fn refresh(&self, store: &AnyStore, ams: &Ams) -> Result<(), Error> {
        // One at a time, and read under the lock: an older state can't be put over a newer one.
        let mut followed = self.shared.followed.lock().await;
        let mut changes = store.changes_since(followed.epoch).await?;
        if changes.epoch == followed.epoch {
            return Ok(());
        }
        let back = changes.epoch < followed.epoch;
        let anew = back || changes.forgotten;
        if back {
            tracing::error!(
                "the store has gone back in time, as after a restored backup; all maps are loaded anew"
            );
        }
        if anew {
            changes = store.changes_since(0).await?;
        }
        let Changes { epoch, maps, .. } = changes;
        let mut enforced: HashMap<Issuer, Arc<Am>> = HashMap::new();
        for record in &maps {
            if record.state != RowState::Tombstone && !enforced.contains_key(&record.issuer) {
                let am = enforced_am(store, ams, &record.issuer).await?;
                enforced.insert(record.issuer.clone(), am);
            }
        }
        // Nothing fails from here on.
        let base = if anew {
            followed.maps.clear();
            Arc::new(MapIndex::default())
        } else {
            self.shared.index.load_full()
        };
        let mut removed = Vec::new();
        let mut inserted = Vec::with_capacity(maps.len());
        for record in maps {
            let map = match enforced.get(&record.issuer) {
                Some(am) if record.state != RowState::Tombstone => map_of(&record, Arc::clone(am)),
                _ => None,
            };
            match map.map(Arc::new) {
                Some(map) => {
                    // A path never changes, so what was there is replaced where it stands.
                    inserted.push(Arc::clone(&map));
                    followed.maps.insert(record.id, map);
                }
                // A tombstone; or a key that can't be read, which is one that no request can have.
                None => removed.extend(followed.maps.remove(&record.id)),
            }
        }
        let removed = removed
            .iter()
            .map(|map: &Arc<ResourceMap>| (map.site(), map.key()));
        let index = base.changed(removed, inserted);
        self.shared.index.store(Arc::new(index));
        followed.epoch = epoch;
        Ok(())
    }
}

/// The AM of a map. One that this host no longer works with, or whose secrets it can't unseal, expects an audience that no
/// answer has. A store that can't be read is an error: the maps then stay as they were.
async fn enforced_am(store: &AnyStore, ams: &Ams, issuer: &Issuer) -> Result<Arc<Am>, Error> {
    match ams.known(store, issuer).await {
        Ok(Some(entry)) => return Ok(Arc::clone(&entry.enforced)),
        Ok(None) => {
            tracing::error!(am = %issuer, "this host no longer works with an AM that maps are at; they are denied");
        }
        Err(error) if error.kind() == ErrorKind::Store => return Err(error),
        Err(error) => {
            tracing::error!(am = %issuer, error = %error, "an AM that maps are at can't be used; they are denied");
        }
    }
    Ok(Arc::new(Am::new(
        issuer.clone(),
        Audience::Expect(String::new()),
    )))
}

fn map_of(record: &EnforcedRecord, am: Arc<Am>) -> Option<ResourceMap> {
    let path = path_of_key(&record.path_key)?;
    let resource_id = match &record.resource_id {
        Some(id) => id.clone(),
        None => ResourceId::parse(UNREGISTERED).ok()?,
    };
    let unusable = record.denied || *am.audience() == Audience::Expect(String::new());
    let state = match record.state {
        _ if unusable => MapState::Suspect,
        RowState::Active if record.resource_id.is_some() => MapState::Active,
        RowState::Active | RowState::Pending | RowState::Tombstone => MapState::Pending,
        RowState::Suspect => MapState::Suspect,
        RowState::Lost => MapState::Lost,
    };
    Some(
        ResourceMap::new(
            path,
            record.owner.clone(),
            am,
            resource_id,
            record.scopes.clone(),
        )
        .with_id(record.id)
        .with_site(record.site.clone())
        .with_subtree(record.subtree)
        .with_state(state),
    )
}

/// The path that a stored key stands for.
pub(crate) fn path_of_key(key: &str) -> Option<CanonicalPath<'static>> {
    // A key is decoded: a `%` in it is a letter.
    let escaped = key.replace('%', "%25");
    let path = CanonicalPath::parse(&escaped).ok()?.into_owned();
    (path.as_key() == key).then_some(path)
}

/// The path of a stored key as requests spell it.
pub(crate) fn uri_of_key(key: &str) -> String {
    path_of_key(key).map_or_else(|| key.to_owned(), |path| path.to_uri())
}

impl ResourceMaps for HostMaps {
    fn find(&self, target: &Target<'_>) -> Lookup {
        self.shared.index.load().find(target).into()
    }
}

impl fmt::Debug for HostMaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostMaps")
            .field("index", &*self.shared.index.load())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back_as_they_were() {
        for uri in ["/", "/a", "/a/b%25c", "/%C3%A4%20x", "/a%3Fb", "/50%25/x;y"] {
            let path = CanonicalPath::parse(uri).unwrap();
            assert_eq!(path_of_key(path.as_key()).as_ref(), Some(&path), "{uri}");
        }
        for bad in ["", "a", "/a/", "//", "/a/../b", "/a\0"] {
            assert_eq!(path_of_key(bad), None, "{bad:?}");
        }
    }
}
