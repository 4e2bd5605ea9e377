//! From a decision to the owner's page.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Request;
use tower_warden::{OwnerId, RequestHead, Unmapped, WardenLayer};
use uma_client::ManualClock;

use crate::testing::{FakeAm, alice, connect, host_with, share, store};
use crate::{AccessQuery, Host, Outcome};

async fn ask(host: &Host, clock: &ManualClock, uri: &str, times: usize) {
    let layer = WardenLayer::builder()
        .maps(host.maps())
        .protection(host.protection())
        .guard("/people", Unmapped::Pass)
        .own_access(|extensions, owner| {
            extensions
                .get::<String>()
                .is_some_and(|me| me == owner.as_str())
        })
        .audit(host.access_log(), 100)
        .clock(Arc::new(clock.clone()))
        .build()
        .unwrap();
    for _ in 0..times {
        let request = Request::get(uri).body(()).unwrap();
        layer.engine().judge(&RequestHead::of(&request)).await;
    }
    // The owner's own door, and what nobody shares, leave nothing.
    let mut own = Request::get(uri).body(()).unwrap();
    own.extensions_mut().insert("alice".to_owned());
    layer.engine().judge(&RequestHead::of(&own)).await;
    let unshared = Request::get("/people/alice/else").body(()).unwrap();
    layer.engine().judge(&RequestHead::of(&unshared)).await;
    assert_eq!(layer.engine().audit_dropped(), 0);
    // The sink has a task of its own.
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    host.access_log().flush().await.unwrap();
}

#[tokio::test]
async fn an_owner_sees_who_wanted_to_get_at_what_is_shared() {
    let am = FakeAm::default();
    let clock = ManualClock::new(SystemTime::UNIX_EPOCH + Duration::from_secs(36_000_000));
    let (host, _) = host_with(&am, store("sqlite::memory:").await, &clock, |builder| {
        builder.keep_accesses(2, 10)
    })
    .await;
    connect(&host, &alice()).await;
    let shared = share(&host, "/people/alice/a").await.unwrap();
    ask(&host, &clock, "/people/alice/a", 3).await;
    let page = host.accesses(&alice(), &AccessQuery::new()).await.unwrap();
    assert_eq!((page.matching, page.page, page.pages), (1, 1, 1));
    let access = &page.accesses[0];
    assert_eq!(access.times, 3);
    assert_eq!(access.map, shared.map);
    assert_eq!(access.outcome, Outcome::Asked);
    assert_eq!(access.resource.as_deref(), Some("Summer"));
    assert_eq!(
        (access.who.as_deref(), access.path.as_str()),
        (None, "/people/alice/a")
    );
    assert_eq!(access.scopes, ["view"]);
    let json = serde_json::to_value(access).unwrap();
    assert_eq!(json["outcome"], "asked");
    let allowed = AccessQuery::new().allowed(true).page(9);
    assert_eq!(host.accesses(&alice(), &allowed).await.unwrap().page, 1);
    let bobs = host
        .accesses(&OwnerId::new("bob"), &AccessQuery::new())
        .await;
    assert_eq!(bobs.unwrap().matching, 0);
    assert_eq!(host.access_log().dropped(), 0);
    clock.advance(Duration::from_secs(3 * 24 * 3600));
    assert_eq!(
        host.accesses(&alice(), &AccessQuery::new())
            .await
            .unwrap()
            .matching,
        0,
        "too old to be shown"
    );
    host.reconcile().await.unwrap();
    clock.set_wall(SystemTime::UNIX_EPOCH + Duration::from_secs(36_000_000));
    assert_eq!(
        host.accesses(&alice(), &AccessQuery::new())
            .await
            .unwrap()
            .matching,
        0,
        "and gone"
    );
}

#[test]
fn reasons_become_outcomes() {
    for (allowed, reason, outcome) in [
        (true, "granted", Outcome::Allowed),
        (true, "open", Outcome::Allowed),
        (false, "no_token", Outcome::Asked),
        (false, "insufficient_scope", Outcome::Refused),
        (false, "uncovered_verb", Outcome::Refused),
        (false, "map_lost", Outcome::Closed),
        (false, "am_unavailable", Outcome::Unknown),
        (false, "maps_unavailable", Outcome::Unknown),
        (false, "something_new", Outcome::Refused),
    ] {
        assert_eq!(Outcome::of(allowed, reason), outcome, "{reason}");
    }
}

#[tokio::test]
async fn when_the_store_is_away_accesses_are_dropped_and_counted() {
    let am = FakeAm::default();
    let clock = crate::testing::clock();
    let all = store("sqlite::memory:").await;
    let (host, _) = host_with(&am, all.clone(), &clock, |builder| builder).await;
    connect(&host, &alice()).await;
    share(&host, "/people/alice/a").await.unwrap();
    ask(&host, &clock, "/people/alice/a", 1).await;
    all.close().await;
    let layer = WardenLayer::builder()
        .maps(host.maps())
        .protection(host.protection())
        .guard("/people", Unmapped::Pass)
        .audit(host.access_log(), 100)
        .build()
        .unwrap();
    let request = Request::get("/people/alice/a").body(()).unwrap();
    layer.engine().judge(&RequestHead::of(&request)).await;
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(host.access_log().flush().await.is_err());
    assert_eq!(host.access_log().dropped(), 1);
}
