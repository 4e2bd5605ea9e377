//! What Warden costs a request, beside the same router bare and under a layer that does nothing.
//!
//!     cargo bench -p tower-warden
//!     crates/tower-warden/benches/instructions.sh
//!
//! The second counts instructions, which a busy machine does not change.
//!
//! One process, rounds in turn, the median of the paired differences to the identity layer in the same round.

#![allow(missing_docs, clippy::print_stdout, reason = "a benchmark prints")]

mod scene;

use std::time::Instant;

use scene::{Case, Scene};

const ROUNDS: usize = 301;
const BATCH: usize = 500;

const CASES: [Case; 11] = [
    Case::Request,
    Case::RequestJwt,
    Case::Bare,
    Case::Identity,
    Case::NotGuarded,
    Case::Unmapped,
    Case::CachedOpaque,
    Case::CachedJwt,
    Case::BadPath,
    Case::BadHeader,
    Case::BadVerb,
];

fn batch(scene: &Scene, case: Case) -> f64 {
    let begun = Instant::now();
    for _ in 0..BATCH {
        scene.answer(case, scene.make(case));
    }
    begun.elapsed().as_secs_f64() * 1e9 / BATCH as f64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn allocations(scene: &Scene, case: Case) -> u64 {
    let made = scene.make(case);
    allocation_counter::measure(|| scene.answer(case, made)).count_total
}

/// One case, a number of times, for `benches/instructions.sh`.
fn only(scene: &Scene, name: &str, count: usize) {
    for case in CASES {
        if format!("{case:?}") == name {
            scene.run(case);
            for _ in 0..count {
                scene.answer(case, scene.make(case));
            }
        }
    }
}

fn main() {
    let scene = Scene::new();
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, only_one, name, count] = arguments.as_slice()
        && only_one == "--only"
    {
        return only(&scene, name, count.parse().unwrap_or(1));
    }
    let mut times = vec![Vec::with_capacity(ROUNDS); CASES.len()];
    for round in 0..=ROUNDS {
        for (case, times) in CASES.iter().zip(&mut times) {
            if round % 50 == 0 {
                // Kept answers end after ten seconds.
                scene.run(*case);
            }
            let time = batch(&scene, *case);
            // The first round warms up.
            if round > 0 {
                times.push(time);
            }
        }
    }
    let of = |case| {
        let at = CASES.iter().position(|known| *known == case);
        at.and_then(|at| times.get(at)).cloned().unwrap_or_default()
    };
    let (identity, requests, requests_jwt) =
        (of(Case::Identity), of(Case::Request), of(Case::RequestJwt));
    let bare = median(&mut of(Case::Bare)) - median(&mut requests.clone());
    println!("| case | ns | over identity, ns | times the bare route | allocations |");
    println!("|---|---|---|---|---|");
    for (case, times) in CASES.iter().zip(&times) {
        // A longer token takes longer to be made a request of.
        let made = match case {
            Case::RequestJwt | Case::CachedJwt => &requests_jwt,
            _ => &requests,
        };
        let mut own: Vec<f64> = times
            .iter()
            .zip(made)
            .map(|(all, made)| all - made)
            .collect();
        let base = identity.iter().zip(&requests).map(|(all, made)| all - made);
        let mut over: Vec<f64> = own.iter().zip(base).map(|(own, base)| own - base).collect();
        let time = median(&mut own);
        println!(
            "| {case:?} | {:.0} | {:+.0} | {:.2} | {} |",
            time,
            median(&mut over),
            time / bare,
            allocations(&scene, *case)
        );
    }
    let mut misses: Vec<f64> = (0..2000)
        .map(|number| {
            let begun = Instant::now();
            scene.wait(Case::Miss, number);
            begun.elapsed().as_secs_f64() * 1e9
        })
        .collect();
    println!("| Miss, AM in memory | {:.0} | | | |", median(&mut misses));
    lookup();
}

/// Look-ups of uniformly random keys.
fn lookup() {
    use std::sync::Arc;
    use tower_warden::{Am, Audience, CanonicalPath, MapIndex, OwnerId, ResourceMap, Site};
    use uma_client::{Issuer, ResourceId, Scopes};

    let (Ok(issuer), Ok(scopes)) = (Issuer::parse("https://am.example"), Scopes::parse(["view"]))
    else {
        return;
    };
    let am = Arc::new(Am::new(issuer, Audience::NotChecked));
    let site = Site::default();
    println!("\n| maps | exact, ns | below a subtree, ns | bytes a map, strings left out |");
    println!("|---|---|---|---|");
    for count in [10_usize, 1_000, 100_000, 1_000_000] {
        let maps = (0..count).filter_map(|number| {
            let path = format!("/api/people/{number}/album");
            let path = CanonicalPath::parse(&path).ok()?;
            let id = ResourceId::parse("r").ok()?;
            let map = ResourceMap::new(path, OwnerId::new("o"), am.clone(), id, scopes.clone());
            Some(Arc::new(map.with_subtree(true)))
        });
        let maps: Vec<_> = maps.collect();
        let Ok(index) = MapIndex::build(maps) else {
            return;
        };
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut time = |suffix: &str| {
            let paths: Vec<String> = (0..10_000)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    format!("/api/people/{}/album{suffix}", state as usize % count)
                })
                .collect();
            let keys: Vec<_> = paths
                .iter()
                .filter_map(|path| CanonicalPath::parse(path).ok())
                .collect();
            let begun = Instant::now();
            let found = keys
                .iter()
                .filter(|key| index.covering(&site, key).is_some())
                .count();
            assert_eq!(found, keys.len());
            begun.elapsed().as_secs_f64() * 1e9 / keys.len() as f64
        };
        let (exact, below) = (time(""), time("/photos/7"));
        let bytes = size_of::<ResourceMap>()
            + 2 * size_of::<usize>()
            + size_of::<Arc<ResourceMap>>() * 8 / 7
            + 1;
        println!("| {count} | {exact:.0} | {below:.0} | {bytes} |");
    }
}
