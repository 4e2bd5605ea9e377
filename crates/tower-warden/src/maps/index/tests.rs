use std::cell::Cell;
use std::collections::BTreeMap;

use hashbrown::DefaultHashBuilder;
use uma_client::{Issuer, ResourceId, Scopes};

use super::*;
use crate::{Am, Audience, MapId, OwnerId};

thread_local! {
    static HASHES: Cell<usize> = const { Cell::new(0) };
}

/// The hashes of a table, counted: no entry is looked for without one.
#[derive(Clone, Default)]
pub(super) struct CountedHashes(DefaultHashBuilder);

impl BuildHasher for CountedHashes {
    type Hasher = <DefaultHashBuilder as BuildHasher>::Hasher;

    fn build_hasher(&self) -> Self::Hasher {
        HASHES.set(HASHES.get() + 1);
        self.0.build_hasher()
    }
}

fn map(path: &str, id: u64) -> Arc<ResourceMap> {
    let am = Am::new(
        Issuer::parse("https://am.example").unwrap(),
        Audience::NotChecked,
    );
    let map = ResourceMap::new(
        CanonicalPath::parse(path).unwrap(),
        OwnerId::new("alice"),
        Arc::new(am),
        ResourceId::parse("r").unwrap(),
        Scopes::parse(["view"]).unwrap(),
    );
    Arc::new(map.with_id(MapId::new(id)))
}

fn id_at(index: &MapIndex, path: &str) -> Option<u64> {
    index.get(&Site::default(), path).map(|map| map.id().get())
}

#[test]
fn a_changed_set_leaves_the_old_one_as_it_was() {
    let site = Site::default();
    let old = MapIndex::build([map("/a", 1), map("/b", 2)]).unwrap();
    let new = old.changed(
        [(&site, "/a"), (&site, "/none")],
        [map("/b", 3), map("/c", 4)],
    );
    assert_eq!(
        ["/a", "/b", "/c"].map(|path| id_at(&new, path)),
        [None, Some(3), Some(4)]
    );
    assert_eq!(
        ["/a", "/b", "/c"].map(|path| id_at(&old, path)),
        [Some(1), Some(2), None]
    );
    assert_eq!((old.len(), new.len(), new.iter().count()), (2, 2, 2));
}

/// Many changes, against a map of the simplest kind.
#[test]
fn it_holds_what_a_map_would() {
    let site = Site::default();
    let mut index = MapIndex::default();
    let mut model: BTreeMap<String, u64> = BTreeMap::new();
    let mut state = 42_u64;
    for round in 0..3000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let path = format!("/{}", (state >> 33) % 700);
        if state >> 63 == 0 {
            index = index.changed([], [map(&path, round)]);
            model.insert(path, round);
        } else {
            index = index.changed([(&site, path.as_str())], []);
            model.remove(&path);
        }
    }
    assert_eq!((index.len(), index.is_empty()), (model.len(), false));
    for number in 0..700 {
        let path = format!("/{number}");
        assert_eq!(id_at(&index, &path), model.get(&path).copied());
    }
}

/// The number of probes of a look-up, and whether it found something.
fn probes(index: &MapIndex, path: &str) -> (usize, bool) {
    let path = CanonicalPath::parse(path).unwrap();
    HASHES.set(0);
    let found = index.covering(&Site::default(), &path).is_some();
    (HASHES.get(), found)
}

/// However many maps there are: one probe for each segment, and one more.
#[test]
fn a_look_up_makes_a_probe_for_each_segment_and_one_more() {
    let alice = map("/", 0);
    let map = |path: &str, subtree| {
        let map = ResourceMap::new(
            CanonicalPath::parse(path).unwrap(),
            alice.owner().clone(),
            alice.am().clone(),
            alice.resource_id().clone(),
            alice.scopes().clone(),
        );
        Arc::new(map.with_subtree(subtree))
    };
    let deep = "/d".repeat(126);
    for count in [10, 1_000, 100_000, 1_000_000] {
        let maps = (0..count).map(|number| map(&format!("/api/people/{number}"), number % 2 == 0));
        let index = MapIndex::build(maps).unwrap();
        let mut number: u64 = 42;
        for _ in 0..100 {
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let even = (number >> 33) % count / 2 * 2;
            let base = format!("/api/people/{even}");
            // Exact: the first one hits. Below a subtree: one for each segment below, and one.
            assert_eq!(probes(&index, &base), (1, true));
            assert_eq!(probes(&index, &format!("{base}/album/7")), (3, true));
            // An exact map covers nothing below it: all of the path is looked at, down to the root.
            let odd = format!("/api/people/{}", even + 1);
            assert_eq!(probes(&index, &format!("{odd}/album/7")), (6, false));
            assert_eq!(probes(&index, "/other/people/7"), (4, false));
            assert_eq!(probes(&index, "/"), (1, false));
        }
        assert_eq!(probes(&index, &format!("/api{deep}")), (128, false));
    }
}

/// A change copies the parts that it touches: were most maps in one of them, it would copy most maps.
#[test]
fn parts_are_of_one_size() {
    let index = MapIndex::build((0..20_000).map(|number| map(&format!("/{number}"), number)));
    let sizes = index.unwrap().parts.iter().map(|part| part.len()).max();
    // 39 each, were they quite even.
    assert!(sizes < Some(100), "{sizes:?}");
}

#[test]
fn there_are_none_that_nobody_put_in() {
    let none = MapIndex::default();
    assert!(none.is_empty());
    assert_eq!((none.len(), none.iter().count()), (0, 0));
    assert_eq!(format!("{none:?}"), "MapIndex { len: 0, .. }");
}
