//! Moving to another AM: one decides at every moment, and nothing is left behind.

use serde_json::json;
use tower_warden::MapState;

use crate::testing::{
    AM, FakeAm, Fault, OTHER_AM, Told, alice, clock, connect, get, host, host_with, move_there,
    new_store, share, until,
};
use crate::{ErrorKind, Host, Notice, ReturnPath};

const PATH: &str = "/people/alice/a";
const THERE: &str = "alice@other.example";

async fn at(host: &Host, path: &str) -> (MapState, String) {
    let row = host.resource(&alice(), path).await.unwrap().unwrap();
    (row.state, row.am.as_str().to_owned())
}

#[tokio::test]
async fn all_that_is_shared_moves() {
    let am = FakeAm::default();
    let told = Told::default();
    let hook = told.clone();
    let store = new_store().await;
    let (host, engine) = host_with(&am, store, &clock(), |builder| builder.notify(hook)).await;
    connect(&host, &alice()).await;
    for name in ["a", "b", "c"] {
        share(&host, &format!("/people/alice/{name}"))
            .await
            .unwrap();
    }
    let before = am.names("alice");
    move_there(&host, &alice()).await.unwrap();
    assert_eq!(host.moving(&alice()).await.unwrap(), None);
    let connection = host.connection(&alice()).await.unwrap().unwrap();
    assert_eq!(connection.issuer.as_str(), OTHER_AM);
    assert_eq!(at(&host, PATH).await, (MapState::Active, OTHER_AM.into()));
    assert_eq!(am.names(THERE).len(), 3);
    assert!(
        am.names(THERE).iter().all(|name| !before.contains(name)),
        "each registration has a name of its own"
    );
    am.log();
    assert_eq!(get(&engine, PATH).await, 401);
    assert_eq!(am.log(), ["POST /permission"]);
    // What is left at the old AM is deleted, then its PAT is given back.
    assert_eq!(host.reconcile().await.unwrap().deleted, 3);
    assert!(am.names("alice").is_empty());
    assert!(host.leftovers(&alice()).await.unwrap().is_empty());
    assert_eq!(am.tokens(), 2, "those of the new AM");
    until(async || told.len() == 1).await;
    let (owner, notice) = told.take().remove(0);
    assert_eq!(owner, "alice");
    assert!(matches!(notice, Notice::Moved { am, resources: 3 } if am.name == "Other"));
    // And back again.
    let back = ReturnPath::parse("/back").unwrap();
    let url = host
        .begin_move(&alice(), "session", AM, &back)
        .await
        .unwrap();
    crate::testing::consent(&host, &alice(), &url, AM)
        .await
        .unwrap();
    assert_eq!(at(&host, PATH).await, (MapState::Active, AM.into()));
    host.reconcile().await.unwrap();
    assert_eq!((am.names("alice").len(), am.names(THERE).len()), (3, 0));
}

#[tokio::test]
async fn until_the_switch_the_old_am_decides() {
    let am = FakeAm::default();
    let (host, engine, clock) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    share(&host, "/people/alice/b").await.unwrap();
    // The new AM takes one, and then is away.
    am.fail_nth(3, Fault::Unreachable);
    move_there(&host, &alice()).await.unwrap();
    am.mend();
    let under_way = host.moving(&alice()).await.unwrap().unwrap();
    assert_eq!(
        (under_way.from.name.as_str(), under_way.to.name.as_str()),
        ("Home", "Other")
    );
    assert_eq!(under_way.total, 2);
    assert!(under_way.problem.unwrap().contains("can't be reached"));
    assert_eq!(at(&host, PATH).await, (MapState::Active, AM.into()));
    am.log();
    assert_eq!(get(&engine, PATH).await, 401);
    assert_eq!(am.count("POST /permission"), 1);
    // Sharing goes on meanwhile, and moves, too.
    share(&host, "/people/alice/c").await.unwrap();
    assert_eq!(at(&host, "/people/alice/c").await.1, AM);
    host.stop_sharing(&alice(), "/people/alice/b")
        .await
        .unwrap();
    let mut renamed = crate::ShareRequest::new(PATH, "Winter");
    renamed = renamed.scopes(["view"]);
    host.share(&alice(), renamed).await.unwrap();
    clock.advance(std::time::Duration::from_secs(3600));
    let run = host.reconcile().await.unwrap();
    assert_eq!(run.moved, 1);
    host.reconcile().await.unwrap();
    assert_eq!(at(&host, PATH).await, (MapState::Active, OTHER_AM.into()));
    let names = am.names(THERE);
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("Winter")));
    assert!(am.names("alice").is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_adopted() {
    let am = FakeAm::default();
    let (host, _, clock) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    am.fail("POST /resources", Fault::LostAnswer);
    move_there(&host, &alice()).await.unwrap();
    assert_eq!(at(&host, PATH).await.1, AM);
    clock.advance(std::time::Duration::from_secs(10));
    assert_eq!(host.reconcile().await.unwrap().moved, 1);
    assert_eq!(am.names(THERE).len(), 1, "not a second one");
}

#[tokio::test]
async fn it_can_be_given_up() {
    let am = FakeAm::default();
    let (host, engine, clock) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    share(&host, "/people/alice/b").await.unwrap();
    am.fail_nth(4, Fault::Unreachable);
    move_there(&host, &alice()).await.unwrap();
    am.mend();
    assert!(host.moving(&alice()).await.unwrap().is_some());
    assert!(!am.names(THERE).is_empty());
    assert!(host.cancel_move(&alice()).await.unwrap());
    assert!(!host.cancel_move(&alice()).await.unwrap());
    clock.advance(std::time::Duration::from_secs(10));
    host.reconcile().await.unwrap();
    assert!(am.names(THERE).is_empty());
    assert_eq!(am.names("alice").len(), 2);
    assert_eq!(at(&host, PATH).await, (MapState::Active, AM.into()));
    assert_eq!(get(&engine, PATH).await, 401);
    assert_eq!(am.tokens(), 2, "the new AM's PAT was given back");
}

#[tokio::test]
async fn what_cant_be_moved_is_refused() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    let error = move_there(&host, &alice()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    connect(&host, &alice()).await;
    let back = ReturnPath::parse("/back").unwrap();
    let error = host.begin_move(&alice(), "s", AM, &back).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::AlreadyThere, Some("am"))
    );
    // With nothing shared it is a change of mind.
    move_there(&host, &alice()).await.unwrap();
    let connection = host.connection(&alice()).await.unwrap().unwrap();
    assert_eq!(connection.issuer.as_str(), OTHER_AM);
}

#[tokio::test]
async fn what_is_lost_waits_at_the_new_am() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    let id = share(&host, PATH).await.unwrap().resource_id.unwrap();
    am.forget("alice", &id);
    get(&engine, PATH).await;
    until(async || at(&host, PATH).await.0 == MapState::Suspect).await;
    host.reconcile().await.unwrap();
    assert_eq!(at(&host, PATH).await.0, MapState::Lost);
    move_there(&host, &alice()).await.unwrap();
    assert_eq!(at(&host, PATH).await, (MapState::Lost, OTHER_AM.into()));
    assert!(am.names(THERE).is_empty());
    share(&host, PATH).await.unwrap();
    assert_eq!(at(&host, PATH).await, (MapState::Active, OTHER_AM.into()));
    // A name that looks like ours is not touched.
    am.put(
        "alice",
        "other",
        json!({ "name": "x", "resource_scopes": [] }),
    );
    host.reconcile().await.unwrap();
    assert_eq!(am.names("alice"), ["x"]);
}

#[tokio::test]
async fn a_damaged_row_stops_its_owners_move_and_nothing_else() {
    let am = FakeAm::default();
    let memory = new_store().await;
    let (host, _) = crate::testing::host_over(&am, memory.clone(), &clock()).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    memory.damage_map("/people/alice/a").await;
    move_there(&host, &alice()).await.unwrap();
    let under_way = host.moving(&alice()).await.unwrap().unwrap();
    assert!(under_way.problem.unwrap().contains("damaged"));
    assert_eq!(host.reconcile().await.unwrap().deferred, 1);
    // Stopped, it is in nobody's way.
    host.stop_sharing(&alice(), PATH).await.unwrap();
    assert_eq!(host.reconcile().await.unwrap().moved, 1);
}
