//! Nodes that hear nothing, and stores that forget.

use super::*;
use crate::Spread;
use crate::maps::LEASE;
use crate::store::Store as _;
use crate::testing::{alice, connect, share};

#[tokio::test]
async fn a_silent_node_refuses_and_is_waited_for_until_then() {
    for mode in [MapsMode::Snapshot, READ_THROUGH] {
        let nodes = Two::new(mode).await;
        connect(&nodes.a.host, &alice()).await;
        share(&nodes.a.host.with_patience(Duration::ZERO), PATH)
            .await
            .unwrap();
        nodes.b.poll().await;
        assert_eq!(nodes.b.get(PATH).await, 401);
        nodes.clock.advance(LEASE - Duration::from_millis(1));
        assert_eq!(nodes.b.get(PATH).await, 401);
        let host = nodes.a.host.clone();
        let sharing = tokio::spawn(async move { share(&host, OTHER_PATH).await });
        tokio::time::sleep(Duration::from_millis(40)).await;
        assert!(!sharing.is_finished(), "it lives, as far as is known");
        nodes.clock.advance(Duration::from_millis(1));
        for path in [PATH, OTHER_PATH, "/people/bob/unmapped"] {
            assert_eq!(nodes.b.get(path).await, 503, "{path} {mode:?}");
        }
        assert_eq!(
            nodes.b.get("/elsewhere").await,
            0,
            "no business of Warden's"
        );
        let status = nodes.b.host.status();
        assert!(!status.ready && status.lease_age >= Some(LEASE));
        assert!(!sharing.is_finished());
        nodes.leases_pass(LEASE);
        let shared = sharing.await.unwrap().unwrap();
        assert_eq!(shared.spread, Spread::Everywhere);
        // It comes back, and with it all that it has missed.
        nodes.b.poll().await;
        assert_eq!(nodes.b.get(OTHER_PATH).await, 401);
        assert!(nodes.b.host.status().ready);
    }
}

#[tokio::test]
async fn a_node_that_leaves_is_not_waited_for() {
    let nodes = Two::new(MapsMode::Snapshot).await;
    connect(&nodes.a.host, &alice()).await;
    nodes.b.host.leave().await.unwrap();
    assert_eq!(nodes.b.get(PATH).await, 503);
    assert!(nodes.b.host.inner.follow_once(true).await.is_err());
    let hasty = nodes.a.host.with_patience(Duration::ZERO);
    assert_eq!(
        share(&hasty, PATH).await.unwrap().spread,
        Spread::Everywhere
    );
}

#[tokio::test]
async fn a_store_that_goes_back_is_an_incident() {
    for mode in [MapsMode::Snapshot, READ_THROUGH] {
        let nodes = Two::new(mode).await;
        let hasty = nodes.a.host.with_patience(Duration::ZERO);
        connect(&hasty, &alice()).await;
        share(&hasty, PATH).await.unwrap();
        let kept = nodes.a.host.inner.store_epoch().await;
        share(&hasty, OTHER_PATH).await.unwrap();
        nodes.b.poll().await;
        assert_eq!(nodes.b.get(OTHER_PATH).await, 401);
        let maps = &nodes.b.host.inner.maps.shared;
        assert!(!maps.take_went_back());
        nodes.a.host.inner.store.set_back(kept).await;
        nodes.b.poll().await;
        assert!(maps.take_went_back());
        assert_eq!(nodes.b.get(PATH).await, 401, "{mode:?}");
        assert_eq!(nodes.b.get(OTHER_PATH).await, 0, "as the store has it");
        assert_eq!(nodes.b.host.epoch().get(), kept.unsigned_abs());
        nodes.b.poll().await;
        assert!(!maps.take_went_back(), "once");
    }
}

/// The epoch alone does not tell: others have gone on meanwhile.
#[tokio::test]
async fn a_store_that_went_back_and_on_is_found_out() {
    for mode in [MapsMode::Snapshot, READ_THROUGH] {
        let nodes = Two::new(mode).await;
        let hasty = nodes.a.host.with_patience(Duration::ZERO);
        connect(&hasty, &alice()).await;
        share(&hasty, PATH).await.unwrap();
        let kept = nodes.a.host.inner.store_epoch().await;
        share(&hasty, OTHER_PATH).await.unwrap();
        nodes.a.poll().await;
        nodes.b.poll().await;
        assert_eq!(nodes.b.get(OTHER_PATH).await, 401);
        let store = &nodes.a.host.inner.store;
        store.set_back(kept).await;
        for _ in 0..5 {
            store
                .purged(&tower_warden::Purge::Everything, 5)
                .await
                .unwrap();
        }
        nodes.b.poll().await;
        assert!(nodes.b.host.inner.maps.shared.take_went_back());
        assert_eq!(nodes.b.get(PATH).await, 401);
        assert_eq!(nodes.b.get(OTHER_PATH).await, 0, "{mode:?}");
    }
}

#[tokio::test]
async fn nothing_is_let_in_before_the_maps_are_there() {
    for mode in [MapsMode::Snapshot, READ_THROUGH] {
        let (am, clock) = (FakeAm::default(), clock());
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("host.db").display());
        let away = store(&url).await;
        away.close().await;
        let (host, engine) = host_with(&am, away, &clock, |builder| builder.maps(mode)).await;
        assert_eq!(crate::testing::get(&engine, PATH).await, 503);
        assert_eq!(crate::testing::get(&engine, "/elsewhere").await, 0);
        let status = host.status();
        assert!(!status.ready && status.lease_age.is_none());
    }
}

#[tokio::test]
async fn what_a_node_has_missed_for_too_long_is_read_anew() {
    let nodes = Two::new(MapsMode::Snapshot).await;
    let hasty = nodes.a.host.with_patience(Duration::ZERO);
    connect(&hasty, &alice()).await;
    share(&hasty, PATH).await.unwrap();
    nodes.b.poll().await;
    hasty.stop_sharing(&alice(), PATH).await.unwrap();
    crate::testing::until(async || nodes.am.names("alice").is_empty()).await;
    crate::testing::until(async || {
        let store = &nodes.a.host.inner.store;
        store.swept(i64::MAX, i64::MAX).await.unwrap();
        store.changes_since(1).await.unwrap().forgotten
    })
    .await;
    nodes.b.poll().await;
    assert_eq!(nodes.b.get(PATH).await, 0);
    assert!(
        !nodes.b.host.inner.maps.shared.take_went_back(),
        "it is no incident"
    );
}
