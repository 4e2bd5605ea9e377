//! All maps of a host, indexed by site and key; immutable, so that it can be swapped whole. It is kept in parts, and one that
//! differs a little shares all parts but those that differ.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;

use super::{Resolution, Target};
use crate::{CanonicalPath, ResourceMap, Site};

/// Parts of an index; a power of two. With 100 000 maps, a change copies some 200 pointers to maps and these to parts.
const PARTS: usize = 512;

type Part = HashTable<Arc<ResourceMap>>;

#[cfg(not(test))]
type HashKeys = hashbrown::DefaultHashBuilder;
#[cfg(test)]
type HashKeys = tests::CountedHashes;

/// An immutable set of maps.
///
/// A look-up makes at most one probe for each segment of the path and one more.
pub struct MapIndex {
    parts: Box<[Arc<Part>]>,
    hasher: HashKeys,
    len: usize,
}

impl MapIndex {
    /// Indexes maps.
    ///
    /// # Errors
    ///
    /// [`DuplicateMap`] if two maps have one site and path.
    pub fn build(maps: impl IntoIterator<Item = Arc<ResourceMap>>) -> Result<Self, DuplicateMap> {
        let mut index = Self::default();
        for map in maps {
            let key = Arc::clone(&map);
            if index.put(map).is_some() {
                return Err(DuplicateMap {
                    key: key.key().into(),
                });
            }
        }
        Ok(index)
    }

    /// This set with the maps of some sites and paths taken out, then others put in; one put in takes the place of that of
    /// its site and path. It costs what it changes, not what there is.
    #[must_use]
    pub fn changed<'a>(
        &self,
        removed: impl IntoIterator<Item = (&'a Site, &'a str)>,
        inserted: impl IntoIterator<Item = Arc<ResourceMap>>,
    ) -> Self {
        let mut changed = Self {
            parts: self.parts.clone(),
            hasher: self.hasher.clone(),
            len: self.len,
        };
        for (site, key) in removed {
            let hash = changed.hash(site, key);
            if let Some(part) = changed.part_mut(hash)
                && let Ok(entry) = part.find_entry(hash, |map| is(map, site, key))
            {
                entry.remove();
                changed.len -= 1;
            }
        }
        for map in inserted {
            changed.put(map);
        }
        changed
    }

    /// Puts a map in, and gives the one whose place it takes.
    fn put(&mut self, map: Arc<ResourceMap>) -> Option<Arc<ResourceMap>> {
        let hash = self.hash(map.site(), map.key());
        let hasher = self.hasher.clone();
        let part = self.part_mut(hash)?;
        if let Some(there) = part.find_mut(hash, |one| is(one, map.site(), map.key())) {
            return Some(std::mem::replace(there, map));
        }
        part.insert_unique(hash, map, |one| hasher.hash_one((one.site(), one.key())));
        self.len += 1;
        None
    }

    /// The map of exactly this site and key.
    #[must_use]
    pub fn get(&self, site: &Site, key: &str) -> Option<&Arc<ResourceMap>> {
        let hash = self.hash(site, key);
        let part = self.parts.get(part_of(hash))?;
        part.find(hash, |map| is(map, site, key))
    }

    /// The map that covers a path: the exact one first, else the nearest ancestor's that covers its subtree.
    #[must_use]
    pub fn covering(&self, site: &Site, path: &CanonicalPath<'_>) -> Option<&Arc<ResourceMap>> {
        let mut keys = path.covering_keys();
        let exact = keys.next().and_then(|key| self.get(site, key));
        exact.or_else(|| {
            keys.filter_map(|key| self.get(site, key))
                .find(|map| map.is_subtree())
        })
    }

    /// The maps of a path and of its ancestors, the nearest first, whether they cover it or not.
    #[must_use]
    pub fn candidates(&self, target: &Target<'_>) -> Vec<Arc<ResourceMap>> {
        target
            .path()
            .covering_keys()
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
        self.parts.iter().flat_map(|part| part.iter())
    }

    /// How many maps there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn hash(&self, site: &Site, key: &str) -> u64 {
        self.hasher.hash_one((site, key))
    }

    /// A part to be changed: this index's own from now on.
    fn part_mut(&mut self, hash: u64) -> Option<&mut Part> {
        self.parts.get_mut(part_of(hash)).map(Arc::make_mut)
    }
}

fn is(map: &ResourceMap, site: &Site, key: &str) -> bool {
    map.key() == key && map.site() == site
}

/// The part by bits that the tables do not go by: those take the lowest and the highest.
fn part_of(hash: u64) -> usize {
    usize::try_from((hash >> 32) & (PARTS as u64 - 1)).unwrap_or(0)
}

impl Default for MapIndex {
    fn default() -> Self {
        let empty = Arc::new(Part::new());
        Self {
            parts: std::iter::repeat_n(empty, PARTS).collect(),
            hasher: HashKeys::default(),
            len: 0,
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

#[cfg(test)]
mod tests;
