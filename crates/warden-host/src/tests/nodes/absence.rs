//! An absence that is out of date lets nobody in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::ShareRequest;
use crate::testing::{alice, connect, share};

#[tokio::test]
async fn what_is_kept_is_not_asked_for_again() {
    let nodes = Two::new(READ_THROUGH).await;
    let hasty = nodes.a.host.with_patience(Duration::ZERO);
    connect(&hasty, &alice()).await;
    share(&hasty, PATH).await.unwrap();
    nodes.b.poll().await;
    let maps = nodes.b.host.maps();
    let fetched = async |path: &str| {
        let before = maps.fetches();
        nodes.b.get(path).await;
        maps.fetches() - before
    };
    assert!(maps.snapshot().is_none());
    assert_eq!(fetched(PATH).await, 1, "with all above it");
    assert_eq!(fetched(PATH).await, 0);
    assert_eq!(fetched("/people/alice/c").await, 1);
    assert_eq!(fetched("/people/alice/c").await, 0);
    // Another's change: absences are asked for anew, what is there is not.
    share(&hasty, OTHER_PATH).await.unwrap();
    nodes.b.poll().await;
    assert_eq!(fetched(PATH).await, 0);
    assert_eq!(fetched("/people/alice/c").await, 1);
    hasty.stop_sharing(&alice(), PATH).await.unwrap();
    nodes.b.poll().await;
    assert_eq!(fetched(PATH).await, 1);
    assert_eq!(nodes.b.get(PATH).await, 0);
}

#[tokio::test]
async fn many_who_ask_the_same_are_one() {
    let nodes = Two::new(READ_THROUGH).await;
    let before = nodes.b.host.maps().fetches();
    let mut at_once = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let engine = nodes.b.engine.clone();
        at_once.spawn(async move { crate::testing::get(&engine, PATH).await });
    }
    assert!(at_once.join_all().await.iter().all(|status| *status == 0));
    assert_eq!(nodes.b.host.maps().fetches() - before, 1);
}

#[tokio::test]
async fn a_map_above_covers_what_is_below() {
    let nodes = Two::new(READ_THROUGH).await;
    let hasty = nodes.a.host.with_patience(Duration::ZERO);
    connect(&hasty, &alice()).await;
    let request = ShareRequest::new("/people/alice/deep", "Deep").subtree(true);
    hasty.share(&alice(), request).await.unwrap();
    share(&hasty, "/people/alice").await.unwrap();
    nodes.b.poll().await;
    for _ in 0..2 {
        assert_eq!(nodes.b.get("/people/alice/deep/er/still").await, 401);
        assert_eq!(nodes.b.get("/people/alice").await, 401);
        assert_eq!(
            nodes.b.get("/people/alice/else").await,
            0,
            "that one covers itself"
        );
    }
    let covering = nodes
        .b
        .host
        .covering(&alice(), "/people/alice/deep/er")
        .await;
    assert_eq!(covering.unwrap().unwrap().uri, "/people/alice/deep");
}

/// Which paths are shared for certain: a share has returned, and no stop was begun since. Each has a number of its own.
#[derive(Default)]
struct Certain(Mutex<BTreeMap<String, u64>>);

impl Certain {
    fn of(&self, path: &str) -> Option<u64> {
        self.0.lock().unwrap().get(path).copied()
    }
}

/// Shares and stops on one node, at random, while the other is asked all the time. Whatever was asked after a share had
/// returned, and answered before the stop began, must not be let through.
async fn absences_against_a_model(mode: MapsMode, seed: u64) {
    let nodes = Arc::new(Two::new(mode).await);
    connect(&nodes.a.host, &alice()).await;
    let certain = Arc::new(Certain::default());
    let over = Arc::new(AtomicBool::new(false));
    let (asked, held) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let path = |number: u64| match number % 6 {
        0 => String::from("/people/alice"),
        number => format!("/people/alice/{number}"),
    };
    let mut asking = tokio::task::JoinSet::new();
    for who in 0..3 {
        let (nodes, certain, over) = (nodes.clone(), certain.clone(), over.clone());
        let (asked, held) = (asked.clone(), held.clone());
        asking.spawn(async move {
            let mut number = who;
            while !over.load(Ordering::SeqCst) {
                number += 1;
                let path = path(number);
                let before = certain.of(&path);
                let status = nodes.b.get(&path).await;
                asked.fetch_add(1, Ordering::Relaxed);
                if before.is_some() && certain.of(&path) == before {
                    held.fetch_add(1, Ordering::Relaxed);
                    assert_ne!(status, 0, "{path} was let through though it is shared");
                }
                tokio::task::yield_now().await;
            }
        });
    }
    let polling = nodes.b.keep_polling();
    let mut state = seed;
    for turn in 0..60 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let path = path(state >> 33);
        if certain.of(&path).is_some() {
            certain.0.lock().unwrap().remove(&path);
            nodes.a.host.stop_sharing(&alice(), &path).await.unwrap();
        } else {
            let shared = share(&nodes.a.host, &path).await.unwrap();
            assert_eq!(shared.spread, crate::Spread::Everywhere);
            certain.0.lock().unwrap().insert(path, turn);
        }
    }
    over.store(true, Ordering::SeqCst);
    drop(polling);
    while let Some(asker) = asking.join_next().await {
        asker.unwrap();
    }
    let (asked, held) = (asked.load(Ordering::Relaxed), held.load(Ordering::Relaxed));
    assert!(
        held > 50 && asked > held,
        "{held} of {asked} said something"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_absence_is_out_of_date() {
    for seed in 0..3 {
        absences_against_a_model(READ_THROUGH, seed).await;
        // So few that most are driven out again.
        let narrow = MapsMode::ReadThrough { capacity: 3 };
        absences_against_a_model(narrow, seed).await;
    }
    absences_against_a_model(MapsMode::Snapshot, 7).await;
}
