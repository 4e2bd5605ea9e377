//! What is done on one node holds on the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use tower_warden::{MapState, OwnerId, Purge};
use uma_client::Clock;

use super::*;
use crate::testing::{alice, connect, host_over, is_spared, share, until};
use crate::{ShareRequest, Spread};

#[tokio::test]
async fn a_share_is_enforced_on_every_node_when_it_returns() {
    for mode in [MapsMode::Snapshot, READ_THROUGH] {
        let nodes = Two::new(mode).await;
        connect(&nodes.a.host, &alice()).await;
        nodes.b.poll().await;
        assert_eq!(nodes.b.get(PATH).await, 0);
        let polling = nodes.b.keep_polling();
        let shared = share(&nodes.a.host, PATH).await.unwrap();
        drop(polling);
        assert_eq!(shared.spread, Spread::Everywhere);
        assert_eq!(nodes.b.get(PATH).await, 401, "{mode:?}");
        let bulk = ["x", "y"].map(|end| ShareRequest::new(format!("/people/alice/{end}"), "One"));
        let polling = nodes.b.keep_polling();
        let bulk = nodes
            .a
            .host
            .share_many(&alice(), bulk.into())
            .await
            .unwrap();
        drop(polling);
        assert_eq!(bulk.spread, Spread::Everywhere);
        assert_ne!(nodes.b.get("/people/alice/x").await, 0);
        let _ = bulk.finished().await;
        let polling = nodes.b.keep_polling();
        let gone = nodes.a.host.disconnect(&alice()).await.unwrap();
        drop(polling);
        assert_eq!(gone.spread, Spread::Everywhere);
        assert_eq!(nodes.b.get(PATH).await, 403, "withheld there, too");
    }
}

#[tokio::test]
async fn until_then_it_is_being_protected() {
    let nodes = Two::new(MapsMode::Snapshot).await;
    connect(&nodes.a.host, &alice()).await;
    let hasty = nodes.a.host.with_patience(Duration::from_millis(30));
    let shared = share(&hasty, PATH).await.unwrap();
    assert_eq!(shared.state, MapState::Active);
    assert_eq!(shared.spread, Spread::BeingProtected);
    assert_eq!(nodes.a.get(PATH).await, 401);
    let listed = async || hasty.resource(&alice(), PATH).await.unwrap().unwrap();
    assert_eq!(listed().await.spread, Spread::BeingProtected);
    nodes.b.poll().await;
    assert_eq!(listed().await.spread, Spread::Everywhere);
    let query = crate::ResourceQuery::new();
    let page = hasty.resources_page(&alice(), &query).await.unwrap();
    assert_eq!(page.resources, [listed().await]);
    // What has spread is not waited for again.
    assert_eq!(
        share(&hasty, PATH).await.unwrap().spread,
        Spread::Everywhere
    );
}

#[tokio::test]
async fn what_is_stopped_is_open_on_the_other_and_its_answers_are_purged() {
    for mode in [MapsMode::Snapshot, READ_THROUGH] {
        let nodes = Two::new(mode).await;
        connect(&nodes.a.host, &alice()).await;
        let polling = nodes.b.keep_polling();
        let shared = share(&nodes.a.host, PATH).await.unwrap();
        drop(polling);
        nodes.am.permit("rpt", shared.resource_id.as_ref().unwrap());
        let asked = || nodes.am.count("POST /introspect");
        assert_eq!(nodes.b.get_with(PATH, "rpt").await, 200);
        assert_eq!(nodes.b.get_with(PATH, "rpt").await, 200);
        assert_eq!(asked(), 1, "it is cached");
        // Stopped and shared again: the registration is the same, but nothing that was cached counts.
        let stopped = nodes.a.host.stop_sharing(&alice(), PATH).await.unwrap();
        nodes.b.poll().await;
        assert_eq!(nodes.b.get(PATH).await, 0, "{mode:?}");
        assert!(nodes.b.host.epoch() >= stopped.epoch);
        let polling = nodes.b.keep_polling();
        let shared = share(&nodes.a.host, PATH).await.unwrap();
        drop(polling);
        nodes.am.permit("rpt", shared.resource_id.as_ref().unwrap());
        assert_eq!(nodes.b.get_with(PATH, "rpt").await, 200);
        assert_eq!(asked(), 2);
        for purge in [
            Purge::Owner(alice()),
            Purge::Am(shared.am.clone()),
            Purge::Everything,
        ] {
            let before = asked();
            let epoch = nodes.a.host.purge(purge.clone()).await.unwrap();
            nodes.b.poll().await;
            assert_eq!(nodes.b.host.epoch(), epoch);
            assert_eq!(nodes.b.get_with(PATH, "rpt").await, 200);
            assert_eq!(asked(), before + 1, "{purge:?}");
        }
        nodes
            .a
            .host
            .purge(Purge::Owner(OwnerId::new("bob")))
            .await
            .unwrap();
        nodes.b.poll().await;
        let before = asked();
        nodes.b.get_with(PATH, "rpt").await;
        assert_eq!(asked(), before, "another owner's");
    }
}

#[tokio::test]
async fn a_client_that_one_node_renews_is_used_by_the_other() {
    let nodes = Two::new(MapsMode::Snapshot).await;
    connect(&nodes.a.host, &alice()).await;
    let polling = nodes.b.keep_polling();
    share(&nodes.a.host, PATH).await.unwrap();
    drop(polling);
    assert_eq!(nodes.b.get(PATH).await, 401);
    let issuer = uma_client::Issuer::parse(crate::testing::AM).unwrap();
    let inner = &nodes.a.host.inner;
    let mut record = crate::store::Store::am(&inner.store, &issuer)
        .await
        .unwrap()
        .unwrap();
    let before = record.client.client_id.clone();
    record.client.client_id = "client-19".into();
    crate::store::Store::am_registered(&inner.store, &record, Some(&before), 5)
        .await
        .unwrap();
    nodes.b.poll().await;
    let index = nodes.b.host.maps().snapshot().unwrap();
    let map = index.iter().next().unwrap();
    let expected = tower_warden::Audience::Expect("client-19".into());
    assert_eq!(*map.am().audience(), expected);
}

/// What was committed by a node that ended before it told anybody (G-05).
#[tokio::test]
async fn a_poll_finds_what_nobody_has_told() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("host.db").display());
    let (am, clock) = (FakeAm::default(), clock());
    let (host, engine) = host_over(&am, store(&url).await, &clock).await;
    connect(&host, &alice()).await;
    let other = store(&url).await;
    let (one, _) = host_over(&am, other, &clock).await;
    share(&one.with_patience(Duration::ZERO), PATH)
        .await
        .unwrap();
    let begun = Instant::now();
    until(async || get_now(&engine).await == 401).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "by its own poll");
    drop(host);
}

async fn get_now(engine: &Engine) -> u16 {
    tokio::time::sleep(Duration::from_millis(4)).await;
    crate::testing::get(engine, PATH).await
}

/// A clock that breaks once, in the hands of who follows the store.
struct Breaking(ManualClock, AtomicBool);

impl Clock for Breaking {
    fn now(&self) -> SystemTime {
        self.0.now()
    }

    fn monotonic(&self) -> Instant {
        assert!(
            !(is_spared() && self.1.swap(false, Ordering::SeqCst)),
            "on purpose"
        );
        self.0.monotonic()
    }
}

#[tokio::test]
async fn who_follows_begins_again_after_a_panic() {
    let (am, clock) = (FakeAm::default(), clock());
    let breaking = Arc::new(Breaking(clock.clone(), AtomicBool::new(false)));
    let store = store("sqlite::memory:").await;
    let (one, _) = host_over(&am, store.clone(), &clock).await;
    let (two, engine) = host_with(&am, store, &clock, |builder| {
        builder.clock(Arc::clone(&breaking) as Arc<dyn Clock>)
    })
    .await;
    connect(&one, &alice()).await;
    breaking.1.store(true, Ordering::SeqCst);
    until(async || {
        tokio::time::sleep(Duration::from_millis(1)).await;
        !breaking.1.load(Ordering::SeqCst)
    })
    .await;
    let shared = share(&one, PATH).await.unwrap();
    assert_eq!(shared.spread, Spread::Everywhere);
    assert_eq!(crate::testing::get(&engine, PATH).await, 401);
    drop(two);
}
