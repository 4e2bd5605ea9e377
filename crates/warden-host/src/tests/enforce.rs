//! What enforcement sees of the host.

use std::time::Duration;

use tower_warden::{MapState, OwnerId};

use crate::testing::{
    FakeAm, Fault, alice, clock, connect, get, host, host_over, new_store, share, until,
};

const PATH: &str = "/people/alice/a";

#[tokio::test]
async fn what_the_am_does_not_know_becomes_suspect_and_nothing_is_created() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    let shared = share(&host, PATH).await.unwrap();
    let id = shared.resource_id.unwrap();
    let kept = am.forget("alice", &id).unwrap();
    am.log();
    assert_eq!(get(&engine, PATH).await, 403);
    let state = async || host.resource(&alice(), PATH).await.unwrap().unwrap().state;
    until(async || state().await == MapState::Suspect).await;
    // Committed first, enforced a moment later.
    let enforced = || host.maps().snapshot().unwrap();
    until(async || {
        enforced()
            .iter()
            .all(|map| map.state() == MapState::Suspect)
    })
    .await;
    assert_eq!(get(&engine, PATH).await, 403);
    assert_eq!(
        am.log(),
        ["POST /permission"],
        "denied without asking again, and nothing is registered"
    );
    // Found again.
    am.put("alice", &id, kept);
    assert_eq!(host.reconcile().await.unwrap().activated, 1);
    assert_eq!(get(&engine, PATH).await, 401);
    // Proved gone.
    am.forget("alice", &id);
    get(&engine, PATH).await;
    until(async || state().await == MapState::Suspect).await;
    assert_eq!(host.reconcile().await.unwrap().lost, 1);
    assert_eq!(
        host.reconcile().await.unwrap(),
        crate::Reconciled::default(),
        "lost stays lost"
    );
    let lost = host.resource(&alice(), PATH).await.unwrap().unwrap();
    assert_eq!((lost.state, lost.resource_id), (MapState::Lost, None));
    assert_eq!(get(&engine, PATH).await, 403);
    assert_eq!(am.count("POST /resources"), 0);
    // The owner's click.
    assert_eq!(share(&host, PATH).await.unwrap().state, MapState::Active);
    assert_eq!(get(&engine, PATH).await, 401);
}

#[tokio::test]
async fn a_scope_that_the_am_does_not_know_is_mended_by_one_update() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    am.fail("POST /permission", Fault::Status(400, "invalid_scope"));
    assert_eq!(get(&engine, PATH).await, 403);
    let suspect =
        async || host.resource(&alice(), PATH).await.unwrap().unwrap().state == MapState::Suspect;
    until(suspect).await;
    am.log();
    host.reconcile().await.unwrap();
    assert_eq!(
        (am.count("PUT /resources"), am.count("POST /resources")),
        (1, 0)
    );
    assert_eq!(get(&engine, PATH).await, 401);
}

#[tokio::test]
async fn one_owners_dead_pat_is_not_anothers() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    let bob = OwnerId::new("bob");
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    am.revoke_all();
    connect(&host, &bob).await;
    let request = crate::ShareRequest::new("/people/bob/b", "Bob's");
    host.share(&bob, request).await.unwrap();
    assert_eq!(get(&engine, PATH).await, 403);
    assert_eq!(get(&engine, "/people/bob/b").await, 401);
    let state = host.resource(&alice(), PATH).await.unwrap().unwrap().state;
    assert_eq!(
        state,
        MapState::Active,
        "a dead PAT says nothing about the resource"
    );
}

#[tokio::test]
async fn maps_of_an_am_that_is_no_longer_worked_with_are_denied() {
    let am = FakeAm::default();
    let clock = clock();
    let store = new_store().await;
    let (host, _) = host_over(&am, store.clone(), &clock).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    let narrow = crate::Host::builder(store)
        .http(am.http())
        .callback_base("https://host.example/cb".parse().unwrap())
        .ams(crate::AmPolicy::Only(Vec::new()))
        .catalogue(Nobodys)
        .build()
        .await
        .unwrap();
    let layer = tower_warden::WardenLayer::builder()
        .maps(narrow.maps())
        .protection(narrow.protection())
        .guard("/people", tower_warden::Unmapped::Pass)
        .build()
        .unwrap();
    assert_eq!(get(layer.engine(), PATH).await, 403);
    assert_eq!(
        narrow.reconcile().await.unwrap(),
        crate::Reconciled::default()
    );
}

/// Nothing is anybody's.
struct Nobodys;

impl crate::Catalogue for Nobodys {
    async fn owner_of(
        &self,
        _: &tower_warden::CanonicalPath<'_>,
    ) -> Result<Option<OwnerId>, crate::BoxError> {
        Ok(None)
    }
}

#[tokio::test]
async fn the_reconciler_wakes_by_itself() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    let id = share(&host, PATH).await.unwrap().resource_id.unwrap();
    let task = host.spawn_reconciler(Duration::from_secs(3600));
    am.fail(
        "POST /permission",
        Fault::Status(400, "invalid_resource_id"),
    );
    assert_eq!(get(&engine, PATH).await, 403);
    until(async || get(&engine, PATH).await == 401).await;
    assert!(am.description("alice", &id).is_some());
    task.abort();
}

#[tokio::test]
async fn a_path_is_denied_before_the_am_hears_of_it() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    am.fail("POST /resources", Fault::HangBefore);
    let caller = tokio::spawn({
        let host = host.clone();
        async move { share(&host, PATH).await }
    });
    am.hung.notified().await;
    assert_eq!(get(&engine, PATH).await, 403);
    // The caller goes away; the owner thinks again. Nothing waits for the AM.
    caller.abort();
    assert!(
        host.stop_sharing(&alice(), PATH)
            .await
            .unwrap()
            .was_shared()
    );
    assert_eq!(get(&engine, PATH).await, 0);
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_leave_it_half_done() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    let mut caller = Box::pin(share(&host, PATH));
    // Polled once, then dropped.
    assert!(
        tokio::time::timeout(Duration::ZERO, &mut caller)
            .await
            .is_err()
    );
    drop(caller);
    until(async || get(&engine, PATH).await == 401).await;
}

#[tokio::test]
async fn a_host_that_is_dropped_is_gone() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    get(&engine, PATH).await;
    let inner = std::sync::Arc::downgrade(&host.inner);
    drop((host, engine));
    until(async || inner.upgrade().is_none()).await;
}
