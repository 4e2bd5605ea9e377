//! The reconciler: what it finishes, and what it must never take for proof.

use std::time::Duration;

use serde_json::json;
use tower_warden::MapState;

use crate::store::Store as _;
use crate::testing::{
    FakeAm, Fault, alice, clock, connect, get, host, host_of, new_store, settings,
    settings_read_back, share, until,
};
use crate::{Host, Reconciled};

const PATH: &str = "/people/alice/a";

fn done(activated: usize, deleted: usize, lost: usize, deferred: usize) -> Reconciled {
    Reconciled {
        activated,
        deleted,
        lost,
        deferred,
        moved: 0,
    }
}

async fn state(host: &Host) -> MapState {
    host.resource(&alice(), PATH).await.unwrap().unwrap().state
}

#[tokio::test]
async fn a_lost_answer_is_adopted_not_repeated() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    am.fail("POST /resources", Fault::LostAnswer);
    share(&host, PATH).await.unwrap_err();
    // Somebody else's resource, which only looks alike.
    am.put(
        "alice",
        "foreign",
        json!({ "name": "Summer [host.example/x]", "resource_scopes": [] }),
    );
    assert_eq!(host.reconcile().await.unwrap(), done(1, 0, 0, 0));
    assert_eq!(am.names("alice").len(), 2);
    assert_eq!(am.count("POST /resources"), 1);
    assert_eq!(get(&engine, PATH).await, 401);
    am.log();
    assert_eq!(host.reconcile().await.unwrap(), done(0, 0, 0, 0));
    assert!(am.log().is_empty(), "in step costs nothing");
}

#[tokio::test]
async fn a_surplus_with_our_marker_goes() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    am.fail("POST /resources", Fault::LostAnswer);
    share(&host, PATH).await.unwrap_err();
    // A proxy has sent it twice.
    let name = am.names("alice").pop().unwrap();
    am.put(
        "alice",
        "twin",
        json!({ "name": name, "resource_scopes": ["view"] }),
    );
    host.reconcile().await.unwrap();
    assert_eq!(am.names("alice"), [name]);
}

#[tokio::test]
async fn a_capped_or_empty_list_proves_nothing() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    share(&host, "/people/alice/b").await.unwrap();
    am.cap_list(Some(0));
    // One is under suspicion, though the AM has both.
    am.fail(
        "POST /permission",
        Fault::Status(400, "invalid_resource_id"),
    );
    let engine = host.engine.get().unwrap().clone();
    get(&engine, PATH).await;
    until(async || state(&host).await == MapState::Suspect).await;
    assert_eq!(host.reconcile().await.unwrap(), done(1, 0, 0, 0));
    assert_eq!(state(&host).await, MapState::Active);
    assert_eq!(am.names("alice").len(), 2);
    assert_eq!(am.count("DELETE"), 0);
}

#[tokio::test]
async fn pat_trouble_stops_the_run_without_deletes() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    share(&host, "/people/alice/b").await.unwrap();
    am.fail(
        "POST /permission",
        Fault::Status(400, "invalid_resource_id"),
    );
    get(&engine, PATH).await;
    until(async || state(&host).await == MapState::Suspect).await;
    am.revoke_all();
    host.stop_sharing(&alice(), "/people/alice/b")
        .await
        .unwrap();
    // Whichever notes it first: what waits for a consent is not even due.
    let run = host.reconcile().await.unwrap();
    assert_eq!((run.activated, run.deleted, run.lost), (0, 0, 0));
    until(async || {
        let connection = host.connection(&alice()).await.unwrap().unwrap();
        connection.state == crate::ConnectionState::NeedsConsent
    })
    .await;
    am.log();
    assert_eq!(host.reconcile().await.unwrap(), done(0, 0, 0, 0));
    assert!(am.log().is_empty());
    assert_eq!(am.names("alice").len(), 2);
    assert_eq!(state(&host).await, MapState::Suspect);
    connect(&host, &alice()).await;
    assert_eq!(host.reconcile().await.unwrap(), done(1, 1, 0, 0));
    assert_eq!(am.names("alice").len(), 1);
}

#[tokio::test]
async fn a_stop_with_the_am_away_is_finished_later() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    am.log();
    am.fail("DELETE", Fault::Unreachable);
    assert!(
        host.stop_sharing(&alice(), PATH)
            .await
            .unwrap()
            .was_shared()
    );
    assert_eq!(get(&engine, PATH).await, 0);
    until(async || am.count("DELETE") == 1).await;
    assert_eq!(am.names("alice").len(), 1, "an orphan until then");
    until(async || host.reconcile().await.unwrap() == done(0, 1, 0, 0)).await;
    assert!(am.names("alice").is_empty());
    // Gone by other hands is gone.
    share(&host, PATH).await.unwrap();
    am.forget(
        "alice",
        &host
            .resource(&alice(), PATH)
            .await
            .unwrap()
            .unwrap()
            .resource_id
            .unwrap(),
    );
    am.log();
    host.stop_sharing(&alice(), PATH).await.unwrap();
    until(async || am.count("DELETE") == 1).await;
    until(async || host.reconcile().await.unwrap() == done(0, 0, 0, 0)).await;
}

#[tokio::test]
async fn a_share_that_was_stopped_before_it_was_known_leaves_nothing() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    am.fail("POST /resources", Fault::LostAnswer);
    share(&host, PATH).await.unwrap_err();
    assert_eq!(am.names("alice").len(), 1);
    host.stop_sharing(&alice(), PATH).await.unwrap();
    until(async || am.names("alice").is_empty()).await;
}

#[tokio::test]
async fn what_fails_is_left_alone_for_a_while() {
    let am = FakeAm::default();
    let (host, _, clock) = host(&am).await;
    connect(&host, &alice()).await;
    am.fail(
        "POST /resources",
        Fault::Status(503, "temporarily_unavailable"),
    );
    share(&host, PATH).await.unwrap_err();
    am.log();
    assert_eq!(host.reconcile_once(false).await.unwrap(), done(0, 0, 0, 0));
    assert!(am.log().is_empty());
    clock.advance(Duration::from_secs(3));
    assert_eq!(host.reconcile_once(false).await.unwrap(), done(1, 0, 0, 0));
}

#[tokio::test]
async fn one_refusal_does_not_stop_the_others() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    for path in [PATH, "/people/alice/b", "/people/alice/c"] {
        am.fail("POST /resources", Fault::Unreachable);
        share(&host, path).await.unwrap_err();
    }
    am.fail("POST /resources", Fault::Status(400, "invalid_request"));
    assert_eq!(host.reconcile().await.unwrap(), done(2, 0, 0, 1));
    am.fail("GET /resources", Fault::Unreachable);
    assert_eq!(host.reconcile().await.unwrap(), done(0, 0, 0, 1));
    assert_eq!(host.reconcile().await.unwrap(), done(1, 0, 0, 0));
}

#[tokio::test]
async fn a_conflict_is_ours_or_a_refusal() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    am.fail("POST /resources", Fault::Status(409, "invalid_request"));
    let error = share(&host, PATH).await.unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::AmRefused);
    assert!(am.names("alice").is_empty());
    assert_eq!(host.reconcile().await.unwrap(), done(1, 0, 0, 0));
}

#[tokio::test]
async fn an_am_whose_404_proves_nothing_loses_nothing() {
    let am = FakeAm::default();
    let lax = settings().into_iter().map(|setting| {
        let mut profile = uma_client::AmProfile::uma2();
        profile.not_found_proves_absence = false;
        setting.with_profile(profile)
    });
    let (host, engine) = host_of(&am, new_store().await, &clock(), lax.collect()).await;
    connect(&host, &alice()).await;
    let id = share(&host, PATH).await.unwrap().resource_id.unwrap();
    let kept = am.forget("alice", &id).unwrap();
    get(&engine, PATH).await;
    until(async || state(&host).await == MapState::Suspect).await;
    assert_eq!(host.reconcile().await.unwrap(), done(0, 0, 0, 1));
    let row = host.resource(&alice(), PATH).await.unwrap().unwrap();
    assert_eq!(
        (row.state, row.resource_id.as_deref()),
        (MapState::Suspect, Some(id.as_str()))
    );
    assert!(row.problem.unwrap().contains("may be there"));
    // Under another id, but with our marker.
    am.put("alice", "moved", kept);
    assert_eq!(host.reconcile().await.unwrap(), done(1, 0, 0, 0));
    let row = host.resource(&alice(), PATH).await.unwrap().unwrap();
    assert_eq!(row.resource_id.as_deref(), Some("moved"));
    assert_eq!(am.count("POST /resources"), 1);
}

#[tokio::test]
async fn an_am_that_drops_scopes_is_not_trusted_with_the_resource() {
    let am = FakeAm::default();
    let store = new_store().await;
    let (host, engine) = host_of(&am, store, &clock(), settings_read_back()).await;
    connect(&host, &alice()).await;
    am.drop_scopes(true);
    share(&host, PATH).await.unwrap_err();
    assert_eq!(host.reconcile().await.unwrap(), done(0, 0, 0, 1));
    assert_eq!(get(&engine, PATH).await, 403);
    am.drop_scopes(false);
    assert_eq!(host.reconcile().await.unwrap(), done(1, 0, 0, 0));
    assert_eq!(am.names("alice").len(), 1);
}

#[tokio::test]
async fn a_pat_that_may_not_is_not_tried_row_by_row() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    for path in [PATH, "/people/alice/b"] {
        am.fail("POST /resources", Fault::Unreachable);
        share(&host, path).await.unwrap_err();
    }
    am.log();
    am.fail("GET /resources", Fault::Status(403, "insufficient_scope"));
    assert_eq!(host.reconcile().await.unwrap(), done(0, 0, 0, 2));
    assert_eq!(am.log(), ["GET /resources"]);
}

#[tokio::test]
async fn an_orphan_that_a_row_found_again_is_left() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    let id = share(&host, PATH).await.unwrap().resource_id.unwrap();
    // A late answer told of a second registration of the same share.
    let mut late = host.inner.store.maps_of(&alice()).await.unwrap().remove(0);
    late.generation -= 1;
    let twin = uma_client::ResourceId::parse("twin").unwrap();
    host.inner
        .store
        .share_half_registered(&late, &twin, None, 1)
        .await
        .unwrap();
    // And the first one is gone.
    let kept = am.forget("alice", &id).unwrap();
    am.put("alice", "twin", kept);
    get(&engine, PATH).await;
    until(async || state(&host).await == MapState::Suspect).await;
    assert_eq!(host.reconcile().await.unwrap(), done(1, 1, 0, 0));
    assert!(am.description("alice", "twin").is_some());
    assert_eq!(get(&engine, PATH).await, 401);
    // One that is nobody's goes.
    am.put(
        "alice",
        "stray",
        json!({ "name": "x", "resource_scopes": [] }),
    );
    let stray = uma_client::ResourceId::parse("stray").unwrap();
    host.inner
        .store
        .share_half_registered(&late, &stray, None, 1)
        .await
        .unwrap();
    assert_eq!(host.reconcile().await.unwrap(), done(0, 1, 0, 0));
    assert!(am.description("alice", "stray").is_none());
}
