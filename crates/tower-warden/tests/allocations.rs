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
