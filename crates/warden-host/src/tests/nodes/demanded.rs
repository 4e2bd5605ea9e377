//! Requests that demand what another node has changed.

use tower_warden::{MIN_EPOCH_HEADER, Unmapped, WardenLayer};

use super::*;
use crate::testing::{alice, connect, share};

/// The node's engine once more, with what it takes from requests.
fn accepting(node: &Node, clock: &ManualClock) -> Engine {
    let layer = WardenLayer::builder()
        .maps(node.host.maps())
        .protection(node.host.protection())
        .guard("/people", Unmapped::Pass)
        .clock(std::sync::Arc::new(clock.clone()))
        .accept_min_epoch()
        .build()
        .unwrap();
    layer.engine().clone()
}

async fn get(engine: &Engine, epoch: &str) -> u16 {
    let request = http::Request::get(PATH).header(MIN_EPOCH_HEADER, epoch);
    let request = request.body(()).unwrap();
    match engine.judge(&RequestHead::of(&request)).await {
        Verdict::Refuse(refusal) => refusal.status().as_u16(),
        _ => 0,
    }
}

#[tokio::test]
async fn what_was_changed_elsewhere_is_in_force_for_who_demands_it() {
    for mode in [MapsMode::Snapshot, READ_THROUGH] {
        let nodes = Two::new(mode).await;
        let engine = accepting(&nodes.b, &nodes.clock);
        let hasty = nodes.a.host.with_patience(Duration::ZERO);
        connect(&hasty, &alice()).await;
        for _ in 0..3 {
            let shared = share(&hasty, PATH).await.unwrap();
            assert_eq!(
                get(&engine, &shared.epoch.to_string()).await,
                401,
                "{mode:?}"
            );
            let stopped = hasty.stop_sharing(&alice(), PATH).await.unwrap();
            assert_ne!(get(&engine, "1").await, 0, "that is long past");
            assert_eq!(get(&engine, &stopped.epoch.to_string()).await, 0);
        }
        assert_eq!(get(&engine, "one").await, 400);
    }
}

#[tokio::test]
async fn an_epoch_that_is_far_off_costs_the_store_little() {
    let nodes = Two::new(MapsMode::Snapshot).await;
    let engine = accepting(&nodes.b, &nodes.clock);
    let begun = tokio::time::Instant::now();
    let reads = || nodes.b.host.inner.maps.shared.reads();
    let before = reads();
    for far in ["99", "9223372036854775807", "18446744073709551615"] {
        let mut at_once = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let engine = engine.clone();
            at_once.spawn(async move { get(&engine, far).await });
        }
        for status in at_once.join_all().await {
            assert_eq!(status, 503);
        }
    }
    let most = 2 + begun.elapsed().as_millis() / 50;
    let looked = u128::from(reads() - before);
    assert!(
        (1..=most).contains(&looked),
        "{looked} looks, {most} at most"
    );
}

#[tokio::test]
async fn a_store_that_is_away_is_a_refusal() {
    let nodes = Two::new(MapsMode::Snapshot).await;
    let engine = accepting(&nodes.b, &nodes.clock);
    nodes.b.host.inner.store.close().await;
    assert_eq!(get(&engine, "99").await, 503);
    assert_eq!(get(&engine, "0").await, 0, "what it has, it has");
}
