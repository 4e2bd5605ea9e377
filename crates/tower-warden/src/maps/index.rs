//! All maps of a host, indexed by site and key; immutable, so that it can be swapped whole.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::{Resolution, Target};
use crate::{CanonicalPath, ResourceMap, Site};

/// An immutable set of maps.
///
/// A look-up makes at most one probe for each segment of the path and one more.
pub struct MapIndex {
    maps: HashTable<Arc<ResourceMap>>,
    hasher: DefaultHashBuilder,
}

impl MapIndex {
    /// Indexes maps.
    ///
    /// # Errors
    ///
    /// [`DuplicateMap`] if two maps have one site and path.
    pub fn build(maps: impl IntoIterator<Item = Arc<ResourceMap>>) -> Result<Self, DuplicateMap> {
        let maps = maps.into_iter();
        let mut index = Self {
            maps: HashTable::with_capacity(maps.size_hint().0),
            hasher: DefaultHashBuilder::default(),
        };
        for map in maps {
            if index.get(map.site(), map.key()).is_some() {
                return Err(DuplicateMap {
                    key: map.key().into(),
                });
            }
            let hash = hash(&index.hasher, map.site(), map.key());
            let hasher = &index.hasher;
            index
                .maps
                .insert_unique(hash, map, |map| hash_of(hasher, map));
        }
        Ok(index)
    }

    /// The map of exactly this site and key.
    #[must_use]
    pub fn get(&self, site: &Site, key: &str) -> Option<&Arc<ResourceMap>> {
        self.maps.find(hash(&self.hasher, site, key), |map| {
            map.key() == key && map.site() == site
        })
    }

    /// The map that covers a path: the exact one first, else the nearest ancestor's that covers its subtree.
    #[must_use]
    pub fn covering(&self, site: &Site, path: &CanonicalPath<'_>) -> Option<&Arc<ResourceMap>> {
        let key = path.as_key();
        self.get(site, key).or_else(|| {
            ancestors(key)
                .filter_map(|key| self.get(site, key))
                .find(|map| map.is_subtree())
        })
    }

    /// The maps of a path and of its ancestors, the nearest first, whether they cover it or not.
    #[must_use]
    pub fn candidates(&self, target: &Target<'_>) -> Vec<Arc<ResourceMap>> {
        let key = target.path().as_key();
        std::iter::once(key)
            .chain(ancestors(key))
            .filter_map(|key| self.get(target.site(), key))
            .cloned()
            .collect()
    }

    /// What the maps say about a target.
    #[must_use]
    pub fn find(&self, target: &Target<'_>) -> Resolution {
        self.covering(target.site(), target.path())
            .map_or(Resolution::Unmapped, |map| {
                Resolution::of_map(map, target.method())
            })
    }

    /// All maps, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ResourceMap>> {
        self.maps.iter()
    }

    /// How many maps there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.maps.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.maps.is_empty()
    }
}

/// The keys above a key, the nearest first.
fn ancestors(key: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(key), |key| match key.rfind('/') {
        _ if *key == "/" => None,
        Some(at) if at > 0 => key.get(..at),
        _ => Some("/"),
    })
    .skip(1)
}

fn hash(hasher: &DefaultHashBuilder, site: &Site, key: &str) -> u64 {
    hasher.hash_one((site, key))
}

fn hash_of(hasher: &DefaultHashBuilder, map: &ResourceMap) -> u64 {
    hash(hasher, map.site(), map.key())
}

impl Default for MapIndex {
    fn default() -> Self {
        Self {
            maps: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl fmt::Debug for MapIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapIndex")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Two maps have the same site and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateMap {
    key: Box<str>,
}

impl fmt::Display for DuplicateMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is mapped more than once", self.key)
    }
}

impl std::error::Error for DuplicateMap {}
