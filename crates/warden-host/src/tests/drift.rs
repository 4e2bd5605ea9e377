//! AMs that have not what is shared.

use serde_json::json;
use tower_warden::MapState;

use crate::testing::{
    FakeAm, Told, alice, clock, connect, get, host, host_with, new_store, share, until,
};
use crate::{DriftPolicy, Host, LostPolicy, Notice, ShareRequest};

async fn share_some(host: &Host, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let path = format!("/people/alice/n{number}");
        let request = ShareRequest::new(path, format!("N{number}"));
        ids.extend(host.share(&alice(), request).await.unwrap().resource_id);
    }
    ids
}

#[tokio::test]
async fn in_step_costs_one_list_and_no_write() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    share_some(&host, 20).await;
    am.log();
    let epoch = host.inner.store_epoch().await;
    let drift = host.check_drift(&alice()).await.unwrap();
    assert_eq!((drift.shared, drift.listed, drift.complete), (20, 20, true));
    assert!(drift.missing.is_empty() && !drift.alarm);
    assert_eq!(am.log(), ["GET /resources"]);
    assert_eq!(host.inner.store_epoch().await, epoch);
    assert!(host.check_all_drift().await.unwrap().is_empty());
    assert_eq!(am.log(), ["GET /resources"]);
}

#[tokio::test]
async fn a_few_are_looked_into_one_by_one() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    let ids = share_some(&host, 10).await;
    am.forget("alice", &ids[3]);
    // The label is this host's, the marker nobody's; and one that is none of ours.
    am.put(
        "alice",
        "stray",
        json!({ "name": "X [host.example/0000]", "resource_scopes": [] }),
    );
    am.put(
        "alice",
        "foreign",
        json!({ "name": "X [other.example/0000]", "resource_scopes": [] }),
    );
    let drift = host.check_drift(&alice()).await.unwrap();
    assert_eq!(drift.missing, ["/people/alice/n3"]);
    assert_eq!(
        (drift.suspected, drift.surplus, drift.removed, drift.alarm),
        (1, 1, 1, false)
    );
    assert!(am.description("alice", "stray").is_none());
    assert!(am.description("alice", "foreign").is_some());
    assert_eq!(get(&engine, "/people/alice/n3").await, 403);
    assert_eq!(host.reconcile().await.unwrap().lost, 1);
    let row = host
        .resource(&alice(), "/people/alice/n3")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.state, MapState::Lost);
}

/// G-20: an AM that lost its data, or says so.
#[tokio::test]
async fn too_much_at_once_is_not_believed() {
    let am = FakeAm::default();
    let told = Told::default();
    let hook = told.clone();
    let store = new_store().await;
    let (host, engine) = host_with(&am, store, &clock(), |builder| builder.notify(hook)).await;
    connect(&host, &alice()).await;
    let ids = share_some(&host, 10).await;
    for id in &ids {
        am.forget("alice", id);
    }
    am.log();
    let drift = host.check_drift(&alice()).await.unwrap();
    assert!(drift.alarm);
    assert_eq!((drift.missing.len(), drift.suspected), (10, 0));
    assert_eq!(am.log(), ["GET /resources"]);
    assert!(
        host.resources(&alice())
            .await
            .unwrap()
            .iter()
            .all(|one| one.state == MapState::Active)
    );
    until(async || told.len() == 1).await;
    assert!(matches!(
        told.take()[0].1,
        Notice::Drift {
            missing: 10,
            of: 10,
            ..
        }
    ));
    assert_eq!(
        get(&engine, "/people/alice/n1").await,
        403,
        "and nobody is let in by that"
    );
}

/// As after a restored backup: the AM has what this host has forgotten.
#[tokio::test]
async fn much_surplus_is_left_alone() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    share_some(&host, 2).await;
    for number in 0..6 {
        let name = format!("X [host.example/{number}]");
        am.put(
            "alice",
            &format!("s{number}"),
            json!({ "name": name, "resource_scopes": [] }),
        );
    }
    let drift = host.check_drift(&alice()).await.unwrap();
    assert_eq!((drift.surplus, drift.removed, drift.alarm), (6, 0, true));
    assert_eq!(am.count("DELETE"), 0);
}

#[tokio::test]
async fn a_capped_list_proves_nothing() {
    let am = FakeAm::default();
    let mut profile = uma_client::AmProfile::uma2();
    profile.list_is_complete = false;
    let settings = crate::testing::settings()
        .into_iter()
        .map(|setting| setting.with_profile(profile.clone()))
        .collect();
    let memory = new_store().await;
    let (host, _) = crate::testing::host_of(&am, memory, &clock(), settings).await;
    connect(&host, &alice()).await;
    share_some(&host, 3).await;
    am.cap_list(Some(1));
    let drift = host.check_drift(&alice()).await.unwrap();
    assert!(!drift.complete && drift.missing.is_empty());
}

#[tokio::test]
async fn what_is_lost_may_be_made_anew() {
    let am = FakeAm::default();
    let told = Told::default();
    let hook = told.clone();
    let memory = new_store().await;
    let (host, engine) = host_with(&am, memory, &clock(), |builder| {
        builder
            .lost(LostPolicy::Recreate)
            .drift(DriftPolicy::default().alarm_percent(100))
            .notify(hook)
    })
    .await;
    connect(&host, &alice()).await;
    let ids = share_some(&host, 2).await;
    am.forget("alice", &ids[0]);
    host.check_drift(&alice()).await.unwrap();
    let run = host.reconcile().await.unwrap();
    assert_eq!((run.activated, run.lost), (1, 0));
    let row = host
        .resource(&alice(), "/people/alice/n0")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.state, MapState::Active);
    assert_ne!(row.resource_id.as_deref(), Some(ids[0].as_str()));
    assert_eq!(get(&engine, "/people/alice/n0").await, 401);
    assert_eq!((am.names("alice").len(), told.len()), (2, 0));
}

#[tokio::test]
async fn who_waits_is_told_what_is_lost() {
    let am = FakeAm::default();
    let told = Told::default();
    let hook = told.clone();
    let memory = new_store().await;
    let (host, _) = host_with(&am, memory, &clock(), |builder| builder.notify(hook)).await;
    connect(&host, &alice()).await;
    let id = share(&host, "/people/alice/a%20b")
        .await
        .unwrap()
        .resource_id
        .unwrap();
    am.forget("alice", &id);
    host.check_drift(&alice()).await.unwrap();
    host.reconcile().await.unwrap();
    until(async || told.len() == 1).await;
    let (_, notice) = told.take().remove(0);
    assert!(
        matches!(&notice, Notice::ResourceLost { uri, name, .. } if uri == "/people/alice/a%20b" && name == "Summer"),
        "{notice:?}"
    );
}

/// What the store has forgotten may be what an owner shared last: not even a little of it goes by itself.
#[tokio::test]
async fn after_the_store_went_back_surplus_is_left_alone() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    share_some(&host, 2).await;
    let forgotten = json!({ "name": "X [host.example/0]", "resource_scopes": [] });
    am.put("alice", "forgotten", forgotten);
    host.drift_by_one().await.unwrap();
    assert!(am.description("alice", "forgotten").is_some());
    host.check_drift(&alice()).await.unwrap();
    assert!(am.description("alice", "forgotten").is_none());
}
