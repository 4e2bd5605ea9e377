//! What Warden allocates on the way of a request that waits for nothing.

#![cfg(not(feature = "metrics"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../benches/scene/mod.rs"]
mod scene;

use scene::{Case, Scene};

/// Allocations of a request, beside those of making it.
fn allocations(scene: &Scene, case: Case) -> i64 {
    // Once before, so that lazily made things are there.
    scene.run(case);
    let made = scene.make(case);
    let measured = allocation_counter::measure(|| scene.answer(case, made));
    i64::try_from(measured.count_total).unwrap()
}

#[test]
fn the_hot_path_keeps_to_its_budget() {
    let scene = Scene::new();
    let identity = allocations(&scene, Case::Identity);
    for (case, budget) in [
        (Case::NotGuarded, 0),
        // The typed value in the request's extensions is a box, and axum's table of extensions grows by it.
        (Case::Unmapped, 2),
        (Case::CachedOpaque, 2),
        (Case::CachedJwt, 2),
    ] {
        let more = allocations(&scene, case) - identity;
        assert!(
            more <= budget,
            "{case:?}: {more} allocations more than an identity layer, budget {budget}"
        );
    }
}

/// What a map costs beside the octets of its path and the AM's id for it.
#[test]
fn a_map_takes_at_most_150_octets_beside_its_strings() {
    use std::sync::Arc;
    use tower_warden::{Am, Audience, CanonicalPath, MapIndex, OwnerId, ResourceMap};
    use uma_client::{Issuer, ResourceId, Scopes};

    let issuer = Issuer::parse("https://am.example").unwrap();
    let am = Arc::new(Am::new(issuer, Audience::NotChecked));
    let owner = OwnerId::new("alice");
    let scopes = Scopes::parse(["view", "edit"]).unwrap();
    let map = |number: usize| {
        let path = format!("/api/people/{number:07}");
        let map = ResourceMap::new(
            CanonicalPath::parse(&path).unwrap(),
            owner.clone(),
            am.clone(),
            ResourceId::parse(&format!("{number:08}")).unwrap(),
            scopes.clone(),
        );
        Arc::new(map)
    };
    // Lazily made things are there before.
    drop(map(0));
    // A path of 19 octets; an id of 8 that is shared by counting, behind two counters.
    let strings = 19 + (16 + 8);
    // Some are just above a number at which the tables double.
    for count in [30_000_usize, 58_000, 100_000, 120_000] {
        let mut index = None;
        let taken = allocation_counter::measure(|| {
            index = MapIndex::build((0..count).map(map)).ok();
        });
        assert_eq!(index.map(|index| index.len()), Some(count));
        let each = taken.bytes_current / i64::try_from(count).unwrap() - strings;
        assert!(each <= 150, "{count} maps: {each} octets each");
    }
}
