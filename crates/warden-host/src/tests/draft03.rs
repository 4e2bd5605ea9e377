//! The whole life of a share at an AM of 2012: ids that the host chooses, revisions, and what goes wrong with both.

use tower_warden::{Engine, MapState};
use uma_client::ManualClock;

use crate::store::{MapRecord, Store as _};
use crate::testing::{
    FakeAm, Fault, Tags, alice, begin, clock, connect, get, host, host_over, move_there, share,
    store, until,
};
use crate::{ErrorKind, Host, ShareRequest};

const PATH: &str = "/people/alice/a";
const SETS: &str = "/sets/resource_set";

async fn of_2012() -> (FakeAm, Host, Engine, ManualClock) {
    let am = FakeAm::of_2012();
    let (host, engine, clock) = host(&am).await;
    connect(&host, &alice()).await;
    (am, host, engine, clock)
}

async fn row(host: &Host) -> MapRecord {
    let found = host.inner.store.map_at(&host.site(), PATH).await;
    found.unwrap().unwrap()
}

/// The row is active here, and the AM has what the owner wants; once.
async fn in_step(host: &Host, engine: &Engine, am: &FakeAm, name: &str) {
    let row = row(host).await;
    assert_eq!(
        (row.state.as_str(), row.synced, row.problem),
        ("active", true, None)
    );
    let id = row.resource_id.unwrap();
    assert_eq!(id.as_str(), row.marker, "the id is the host's choice");
    let there = am.description("alice", id.as_str()).unwrap();
    assert!(there["name"].as_str().unwrap().starts_with(name), "{there}");
    assert_eq!(am.names("alice").len(), 1);
    assert_eq!(get(engine, PATH).await, 401);
    let idle = host.reconcile().await.unwrap();
    assert_eq!(idle, crate::Reconciled::default());
}

#[tokio::test]
async fn a_path_is_shared_renamed_and_stopped() {
    let (am, host, engine, _) = of_2012().await;
    am.log();
    let shared = share(&host, PATH).await.unwrap();
    let id = shared.resource_id.clone().unwrap();
    assert_eq!(
        shared.policy_uri.unwrap().as_str(),
        format!("https://am.example/policy/{id}")
    );
    assert_eq!(am.log().pop().unwrap(), format!("PUT {SETS}/{id}"));
    assert_eq!(
        am.scopes_on_the_wire()[0],
        "https://host.example/uma/scopes/delete",
        "a scope is the URL of its description"
    );
    assert_eq!(row(&host).await.revision.as_deref(), Some("\"1\""));
    in_step(&host, &engine, &am, "Summer [").await;

    am.log();
    let renamed = ShareRequest::new(PATH, "Winter").scopes(["view"]);
    host.share(&alice(), renamed).await.unwrap();
    assert_eq!(
        am.log(),
        [format!("PUT {SETS}/{id}")],
        "its revision was kept"
    );
    assert_eq!(row(&host).await.revision.as_deref(), Some("\"2\""));
    in_step(&host, &engine, &am, "Winter [").await;

    am.log();
    assert!(
        host.stop_sharing(&alice(), PATH)
            .await
            .unwrap()
            .was_shared()
    );
    assert_eq!(get(&engine, PATH).await, 0);
    until(async || am.names("alice").is_empty()).await;
    assert_eq!(am.log(), [format!("DELETE {SETS}/{id}")]);
    until(async || row(&host).await.resource_id.is_none()).await;
    // Nobody who was let in under the old id is let in under the new one.
    let again = share(&host, PATH).await.unwrap();
    assert_ne!(again.resource_id, Some(id));
    in_step(&host, &engine, &am, "Summer [").await;
}

/// The host chose the id before the AM heard of it: one look tells what became of a call.
#[tokio::test]
async fn a_registration_whose_answer_was_lost_is_found_by_its_id() {
    for fault in [
        Fault::LostAnswer,
        Fault::Answers(201, "text/html", "<p>created</p>"),
        Fault::Answers(201, "application/json", "[]"),
        Fault::Answers(
            201,
            "application/json",
            "{\"status\":\"created\",\"_id\":\"another\"}",
        ),
        Fault::Answers(200, "application/json", "{}"),
    ] {
        let (am, host, engine, _) = of_2012().await;
        am.fail("PUT", fault);
        let first = share(&host, PATH).await;
        if let Err(error) = &first {
            assert!(matches!(
                error.kind(),
                ErrorKind::AmUnreachable | ErrorKind::AmRefused
            ));
            assert_eq!(get(&engine, PATH).await, 403, "{fault:?}");
        }
        am.log();
        host.reconcile().await.unwrap();
        let lists = am.log();
        assert!(!lists.contains(&format!("GET {SETS}")), "{lists:?}");
        in_step(&host, &engine, &am, "Summer [").await;
    }
}

/// An id that is used already is called an invalid request, as is whatever else is wrong with one.
#[tokio::test]
async fn an_invalid_request_is_one_unless_the_id_is_there() {
    let (am, host, engine, _) = of_2012().await;
    am.fail("PUT", Fault::Status(400, "invalid_request"));
    let error = share(&host, PATH).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AmRefused);
    assert_eq!(get(&engine, PATH).await, 403);
    let waiting = host.resource(&alice(), PATH).await.unwrap().unwrap();
    assert_eq!(waiting.state, MapState::Pending);
    assert!(waiting.problem.unwrap().contains("did not register it"));
    host.reconcile().await.unwrap();
    in_step(&host, &engine, &am, "Summer [").await;
}

#[tokio::test]
async fn a_stale_revision_is_read_and_what_the_owner_wants_is_told() {
    let (am, host, engine, _) = of_2012().await;
    let id = share(&host, PATH).await.unwrap().resource_id.unwrap();
    am.revise("alice", &id);
    am.log();
    let renamed = ShareRequest::new(PATH, "Winter");
    host.share(&alice(), renamed).await.unwrap();
    let one = format!("{SETS}/{id}");
    let calls = [
        format!("PUT {one}"),
        format!("GET {one}"),
        format!("PUT {one}"),
    ];
    assert_eq!(am.log(), calls);
    assert_eq!(row(&host).await.revision.as_deref(), Some("\"3\""));
    in_step(&host, &engine, &am, "Winter [").await;
    // And one that is not known at all.
    let mut forgotten = row(&host).await;
    forgotten.revision = None;
    host.inner
        .store
        .share_half_registered(&forgotten, &forgotten.resource_id.clone().unwrap(), None, 1)
        .await
        .unwrap();
    am.revise("alice", &id);
    host.share(&alice(), ShareRequest::new(PATH, "Autumn"))
        .await
        .unwrap();
    in_step(&host, &engine, &am, "Autumn [").await;
    am.revise("alice", &id);
    host.stop_sharing(&alice(), PATH).await.unwrap();
    until(async || am.names("alice").is_empty()).await;
}

/// An AM at which somebody else is always faster: denied where that matters, said in words, and tried again.
#[tokio::test]
async fn a_revision_that_is_stale_twice_waits() {
    let (am, host, engine, _) = of_2012().await;
    share(&host, PATH).await.unwrap();
    for _ in 0..2 {
        am.fail("PUT", Fault::Status(412, "precondition_failed"));
    }
    let narrowed = ShareRequest::new(PATH, "Summer").scopes(["view"]);
    let error = host.share(&alice(), narrowed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AmRefused);
    assert_eq!(get(&engine, PATH).await, 403);
    let waiting = host.resource(&alice(), PATH).await.unwrap().unwrap();
    assert!(waiting.problem.unwrap().contains("by somebody else"));
    for _ in 0..2 {
        am.fail("DELETE", Fault::Status(412, "precondition_failed"));
    }
    host.reconcile().await.unwrap();
    in_step(&host, &engine, &am, "Summer [").await;
    host.stop_sharing(&alice(), PATH).await.unwrap();
    until(async || am.count("DELETE") == 2).await;
    assert_eq!(
        get(&engine, PATH).await,
        0,
        "the path is the host's own all the same"
    );
    until(async || {
        host.reconcile().await.unwrap();
        am.names("alice").is_empty()
    })
    .await;
}

/// An AM that is sparing with its revisions is asked; one that has none at all is an error, and nothing is lost.
#[tokio::test]
async fn revisions_that_are_missing_are_read() {
    for tags in [Tags::InBodies, Tags::WhenRead] {
        let (am, host, engine, _) = of_2012().await;
        am.tag(tags);
        share(&host, PATH).await.unwrap();
        in_step(&host, &engine, &am, "Summer [").await;
        host.share(&alice(), ShareRequest::new(PATH, "Winter"))
            .await
            .unwrap();
        in_step(&host, &engine, &am, "Winter [").await;
        host.stop_sharing(&alice(), PATH).await.unwrap();
        until(async || am.names("alice").is_empty()).await;
    }
    let (am, host, engine, _) = of_2012().await;
    am.tag(Tags::Nowhere);
    let error = share(&host, PATH).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AmRefused);
    assert_eq!(get(&engine, PATH).await, 403);
    let waiting = host.resource(&alice(), PATH).await.unwrap().unwrap();
    assert!(waiting.problem.unwrap().contains("can't trust"));
    host.stop_sharing(&alice(), PATH).await.unwrap();
    until(async || am.count("GET /sets") >= 2).await;
    assert_eq!(
        host.reconcile().await.unwrap().deferred,
        1,
        "it is known to be there"
    );
    am.tag(Tags::Everywhere);
    assert_eq!(host.reconcile().await.unwrap().deleted, 1);
    assert!(am.names("alice").is_empty());
}

#[tokio::test]
async fn what_the_am_forgot_is_lost_and_made_anew_on_the_owners_word() {
    let (am, host, engine, _) = of_2012().await;
    let id = share(&host, PATH).await.unwrap().resource_id.unwrap();
    am.forget("alice", &id);
    // The draft asks for a ticket for good tokens alone, so this comes by the comparison.
    let drift = host.check_drift(&alice()).await.unwrap();
    assert_eq!((drift.missing.len(), drift.suspected), (1, 1));
    assert_eq!(host.reconcile().await.unwrap().lost, 1);
    assert_eq!(get(&engine, PATH).await, 403);
    share(&host, PATH).await.unwrap();
    in_step(&host, &engine, &am, "Summer [").await;
    // Found again under suspicion, with another revision.
    let id = row(&host).await.resource_id.unwrap();
    let kept = am.forget("alice", id.as_str()).unwrap();
    host.check_drift(&alice()).await.unwrap();
    am.put("alice", id.as_str(), kept);
    am.revise("alice", id.as_str());
    host.reconcile().await.unwrap();
    in_step(&host, &engine, &am, "Summer [").await;
    // What nothing here stands for goes, revision and all.
    am.put(
        "alice",
        "stray",
        serde_json::json!({ "name": "X [host.example/0000]", "resource_scopes": [] }),
    );
    let drift = host.check_drift(&alice()).await.unwrap();
    assert_eq!((drift.surplus, drift.removed), (1, 1));
}

/// Nothing is taken back at such an AM, and nobody waits for it.
#[tokio::test]
async fn owners_leave_and_move() {
    let (am, host, engine, _) = of_2012().await;
    share(&host, PATH).await.unwrap();
    move_there(&host, &alice()).await.unwrap();
    host.reconcile().await.unwrap();
    assert!(am.names("alice").is_empty());
    assert_eq!(am.names("alice@other.example").len(), 1);
    let moved = row(&host).await;
    assert_eq!(moved.revision.as_deref(), Some("\"1\""));
    assert_eq!(get(&engine, PATH).await, 401);
    assert!(host.leftovers(&alice()).await.unwrap().is_empty());
    host.disconnect(&alice()).await.unwrap();
    assert_eq!(get(&engine, PATH).await, 403);
    assert_eq!(am.count("POST /revoke"), 0);
    host.stop_sharing(&alice(), PATH).await.unwrap();
    assert_eq!(get(&engine, PATH).await, 0);
}

#[tokio::test]
async fn lists_and_objects_are_not_mixed_up() {
    let (am, host, engine, _) = of_2012().await;
    share(&host, PATH).await.unwrap();
    for body in ["{}", "{\"ids\":[]}", "[1]", "[[]]", "\"x\"", "null"] {
        am.fail(
            "GET /sets/resource_set",
            Fault::Answers(200, "application/json", body),
        );
        let error = host.check_drift(&alice()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AmRefused, "{body}");
        in_step(&host, &engine, &am, "Summer [").await;
    }
    let html = Fault::Answers(200, "text/html", "[]");
    am.fail("GET /sets/resource_set", html);
    assert!(host.check_drift(&alice()).await.is_err());
    in_step(&host, &engine, &am, "Summer [").await;
}

/// No PAT goes over the network in the clear, whatever the metadata say; and nothing that was known is forgotten.
#[tokio::test]
async fn addresses_without_tls_are_refused() {
    let am = FakeAm::of_2012();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("host.db").display());
    let (host, _) = host_over(&am, store(&url).await, &clock()).await;
    am.by_http(true);
    let error = begin(&host, &alice()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AmRefused);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains("resource_set_registration_endpoint") && cause.contains("http"),
        "{cause}"
    );
    am.by_http(false);
    let (host, _) = host_over(&am, store(&url).await, &clock()).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    // Another start, at which the AM names such an address.
    am.by_http(true);
    let (host, engine) = host_over(&am, store(&url).await, &clock()).await;
    am.log();
    let narrowed = ShareRequest::new(PATH, "Summer").scopes(["view"]);
    host.share(&alice(), narrowed).await.unwrap_err();
    assert_eq!(get(&engine, PATH).await, 403);
    assert_eq!(am.count("PUT"), 0);
    host.stop_sharing(&alice(), PATH).await.unwrap();
    host.reconcile().await.unwrap();
    assert_eq!(am.names("alice").len(), 1, "it is known to be there");
    am.by_http(false);
    let (host, _) = host_over(&am, store(&url).await, &clock()).await;
    host.reconcile().await.unwrap();
    assert!(am.names("alice").is_empty());
}
