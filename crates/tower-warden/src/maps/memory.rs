//! Maps that live in memory.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::{DuplicateMap, Lookup, MapIndex, ResourceMaps, Target};
use crate::{CanonicalPath, ResourceMap, Site};

/// Maps in memory, for hosts that keep few of them or load them at start. Clones share the maps.
///
/// Reading waits for nothing. Writing copies the set: keep to [`MemoryMaps::replace`] for many maps at once.
#[derive(Debug, Clone, Default)]
pub struct MemoryMaps {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    index: ArcSwap<MapIndex>,
    writing: Mutex<()>,
}

impl MemoryMaps {
    /// No maps.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a map; one of the same site and path gives way to it. Holds for every request that comes after.
    pub fn insert(&self, map: ResourceMap) {
        self.change(|maps| {
            maps.retain(|old| !(old.key() == map.key() && old.site() == map.site()));
            maps.push(Arc::new(map));
        });
    }

    /// Takes the map of exactly this site and path away; says whether there was one.
    pub fn remove(&self, site: &Site, path: &CanonicalPath<'_>) -> bool {
        let mut found = false;
        self.change(|maps| {
            let before = maps.len();
            maps.retain(|old| !(old.key() == path.as_key() && old.site() == site));
            found = maps.len() != before;
        });
        found
    }

    /// Replaces all maps at once.
    ///
    /// # Errors
    ///
    /// [`DuplicateMap`] if two of them have one site and path; the maps then stay as they were.
    pub fn replace(
        &self,
        maps: impl IntoIterator<Item = Arc<ResourceMap>>,
    ) -> Result<(), DuplicateMap> {
        let index = MapIndex::build(maps)?;
        let _writing = self
            .shared
            .writing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.shared.index.store(Arc::new(index));
        Ok(())
    }

    /// The maps as they are now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<MapIndex> {
        self.shared.index.load_full()
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<ResourceMap>>)) {
        let _writing = self
            .shared
            .writing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut maps = self.shared.index.load().iter().cloned().collect();
        change(&mut maps);
        // `change` leaves no duplicates, so building can't fail; were it to, the old maps stay.
        if let Ok(index) = MapIndex::build(maps) {
            self.shared.index.store(Arc::new(index));
        }
    }
}

impl ResourceMaps for MemoryMaps {
    fn find(&self, target: &Target<'_>) -> Lookup {
        self.shared.index.load().find(target).into()
    }

    fn candidates(&self, target: &Target<'_>) -> Vec<Arc<ResourceMap>> {
        self.shared.index.load().candidates(target)
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use uma_client::{Issuer, ResourceId, Scopes};

    use super::*;
    use crate::{Am, Audience, OwnerId, Resolution};

    fn map(path: &str, subtree: bool) -> ResourceMap {
        let am = Am::new(
            Issuer::parse("https://am.example").unwrap(),
            Audience::NotChecked,
        );
        ResourceMap::new(
            CanonicalPath::parse(path).unwrap(),
            OwnerId::new("alice"),
            Arc::new(am),
            ResourceId::parse(path).unwrap(),
            Scopes::parse(["view"]).unwrap(),
        )
        .with_subtree(subtree)
    }

    fn found(maps: &MemoryMaps, path: &str, method: &Method) -> String {
        let path = CanonicalPath::parse(path).unwrap();
        match maps.find(&Target::new(&Site::default(), &path, method)) {
            Lookup::Ready(Ok(Resolution::Mapped(requirements))) => {
                requirements.first().map().key().to_owned()
            }
            Lookup::Ready(Ok(Resolution::Uncovered(map))) => format!("no scope: {}", map.key()),
            Lookup::Ready(Ok(Resolution::Unmapped)) => String::from("unmapped"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn exact_goes_before_the_nearest_subtree() {
        let maps = MemoryMaps::new();
        maps.insert(map("/a", true));
        maps.insert(map("/a/b", false));
        maps.insert(map("/a/b/c", true));
        maps.insert(map("/a/b/c/d", false));
        for (path, key) in [
            ("/a", "/a"),
            ("/a/", "/a"),
            ("/%61/x", "/a"),
            ("/a/b", "/a/b"),
            ("/a/b/x", "/a"),
            ("/a/b/c/x/y/z", "/a/b/c"),
            ("/a/b/c/d", "/a/b/c/d"),
            ("/a/b/c/d/e", "/a/b/c"),
            ("/ab", "unmapped"),
            ("/", "unmapped"),
        ] {
            assert_eq!(found(&maps, path, &Method::GET), key, "{path}");
        }
        maps.insert(map("/", true));
        assert_eq!(found(&maps, "/ab", &Method::GET), "/");
    }

    #[test]
    fn a_verb_whose_scope_is_not_registered_is_not_covered() {
        let maps = MemoryMaps::new();
        maps.insert(map("/a", false));
        assert_eq!(found(&maps, "/a", &Method::PUT), "no scope: /a");
        assert_eq!(found(&maps, "/a", &Method::OPTIONS), "no scope: /a");
        assert_eq!(found(&maps, "/a", &Method::HEAD), "/a");
    }

    #[test]
    fn sites_are_apart() {
        let maps = MemoryMaps::new();
        maps.insert(map("/a", true).with_site(Site::new("other")));
        assert_eq!(found(&maps, "/a", &Method::GET), "unmapped");
        assert!(!maps.remove(&Site::default(), &CanonicalPath::parse("/a").unwrap()));
        assert!(maps.remove(&Site::new("other"), &CanonicalPath::parse("/a/").unwrap()));
        assert!(maps.snapshot().is_empty());
    }

    #[test]
    fn duplicates_are_refused_whole() {
        let maps = MemoryMaps::new();
        maps.insert(map("/kept", false));
        let twice = [Arc::new(map("/a", false)), Arc::new(map("/a/", true))];
        let error = maps.replace(twice).unwrap_err();
        assert_eq!(error.to_string(), "`/a` is mapped more than once");
        assert_eq!(found(&maps, "/kept", &Method::GET), "/kept");
    }
}
