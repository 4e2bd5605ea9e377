//! Connections that nobody visits, and being told in time.

use std::time::Duration;

use tower_warden::OwnerId;

use crate::testing::{
    AM, FakeAm, Fault, Told, alice, clock, connect, host_with, new_store, share, until,
};
use crate::{ConnectionState, Host, KeptAlive, Notice};
use uma_client::ManualClock;

const DAY: u64 = 24 * 3600;

async fn host(am: &FakeAm) -> (Host, Told, ManualClock) {
    let (told, clock) = (Told::default(), clock());
    let hook = told.clone();
    let store = new_store().await;
    let (host, _) = host_with(am, store, &clock, |builder| builder.notify(hook)).await;
    (host, told, clock)
}

fn kept(renewed: usize, warned: usize, ended: usize, deferred: usize) -> KeptAlive {
    KeptAlive {
        renewed,
        warned,
        ended,
        deferred,
    }
}

#[tokio::test]
async fn idle_owners_cost_one_renewal_in_each_half_life() {
    let am = FakeAm::default();
    am.refresh_life(Some(30 * DAY));
    let (host, told, clock) = host(&am).await;
    for number in 0..20 {
        connect(&host, &OwnerId::new(format!("owner{number}"))).await;
    }
    am.log();
    let mut renewed = 0;
    for _ in 0..60 {
        clock.advance(Duration::from_secs(DAY));
        renewed += host.keep_alive().await.unwrap().renewed;
    }
    assert_eq!(am.count("POST /token"), renewed);
    let metadata = am.count("GET /.well-known");
    assert!(
        metadata <= 60,
        "once a day at most, for all of them: {metadata}"
    );
    let calls = am.log();
    assert_eq!(calls.len(), renewed + metadata, "nothing else: {calls:?}");
    // In 60 days of tokens that live 30, and are looked at after 15 to 18.75: three or four each.
    assert!((60..=80).contains(&renewed), "{renewed}");
    assert_eq!(told.len(), 0);
    let connection = host
        .connection(&OwnerId::new("owner1"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (connection.state, connection.ends),
        (ConnectionState::Connected, None)
    );
}

#[tokio::test]
async fn what_has_no_end_costs_nothing() {
    let am = FakeAm::default();
    let (host, _, clock) = host(&am).await;
    connect(&host, &alice()).await;
    am.log();
    clock.advance(Duration::from_secs(3650 * DAY));
    assert_eq!(host.keep_alive().await.unwrap(), KeptAlive::default());
    assert!(am.log().is_empty());
}

#[tokio::test]
async fn an_am_that_does_not_prolong_is_not_asked_again() {
    let am = FakeAm::default();
    am.refresh_life(Some(1800));
    let (host, told, clock) = host(&am).await;
    connect(&host, &alice()).await;
    let end = 1_000_000 + 1800;
    // A session at the AM that ends then, whatever is renewed.
    clock.advance(Duration::from_secs(1200));
    am.refresh_life(Some(600));
    assert_eq!(host.keep_alive().await.unwrap(), kept(1, 1, 0, 0));
    until(async || told.len() == 1).await;
    let (owner, notice) = told.take().remove(0);
    assert_eq!(owner, "alice");
    let Notice::ConsentEndsSoon { am: choice, ends } = notice else {
        panic!("{notice:?}");
    };
    assert_eq!(choice.name, "Home");
    let seconds = ends
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert_eq!(seconds, end);
    let connection = host.connection(&alice()).await.unwrap().unwrap();
    assert_eq!(connection.ends, Some(ends));
    am.log();
    for _ in 0..9 {
        clock.advance(Duration::from_secs(60));
        assert_eq!(host.keep_alive().await.unwrap(), KeptAlive::default());
    }
    assert!(am.log().is_empty(), "nothing is gained by asking");
    assert_eq!(told.len(), 0, "once is enough");
    // When it has ended, that is seen, and said.
    am.revoke_all();
    clock.advance(Duration::from_secs(4000));
    assert_eq!(host.keep_alive().await.unwrap(), kept(0, 0, 1, 0));
    until(async || told.len() == 1).await;
    assert!(matches!(told.take()[0].1, Notice::ConsentNeeded { .. }));
    assert_eq!(host.keep_alive().await.unwrap(), KeptAlive::default());
    let connection = host.connection(&alice()).await.unwrap().unwrap();
    assert_eq!(connection.state, ConnectionState::NeedsConsent);
    // A new consent begins anew.
    am.refresh_life(Some(1800));
    connect(&host, &alice()).await;
    clock.advance(Duration::from_secs(1200));
    assert_eq!(host.keep_alive().await.unwrap(), kept(1, 0, 0, 0));
}

#[tokio::test]
async fn without_a_refresh_token_the_owner_is_told_before_the_end() {
    let am = FakeAm::default();
    am.without_refresh();
    let (host, told, clock) = host(&am).await;
    connect(&host, &alice()).await;
    clock.advance(Duration::from_secs(2000));
    assert_eq!(host.keep_alive().await.unwrap(), KeptAlive::default());
    clock.advance(Duration::from_secs(701));
    assert_eq!(host.keep_alive().await.unwrap(), kept(0, 1, 0, 0));
    assert_eq!(host.keep_alive().await.unwrap(), KeptAlive::default());
    clock.advance(Duration::from_secs(900));
    assert_eq!(host.keep_alive().await.unwrap(), kept(0, 0, 1, 0));
    until(async || told.len() == 2).await;
    assert_eq!(am.count("POST /token"), 1, "the consent alone");
}

#[tokio::test]
async fn an_am_that_is_away_is_asked_later_and_the_owner_told_in_time() {
    let am = FakeAm::default();
    am.refresh_life(Some(8000));
    let (host, told, clock) = host(&am).await;
    connect(&host, &alice()).await;
    clock.advance(Duration::from_secs(5001));
    am.fail("POST /token", Fault::Unreachable);
    assert_eq!(host.keep_alive().await.unwrap(), kept(0, 0, 0, 1));
    assert_eq!(
        host.keep_alive().await.unwrap(),
        KeptAlive::default(),
        "not at once"
    );
    assert_eq!(told.len(), 0);
    clock.advance(Duration::from_secs(1500));
    am.fail("POST /token", Fault::Unreachable);
    assert_eq!(host.keep_alive().await.unwrap(), kept(0, 1, 0, 0));
    clock.advance(Duration::from_secs(500));
    assert_eq!(
        host.keep_alive().await.unwrap(),
        kept(1, 0, 0, 0),
        "it came through after all"
    );
}

#[tokio::test]
async fn a_consent_that_the_am_ends_is_told_once() {
    let am = FakeAm::default();
    let (host, told, _) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, "/people/alice/a").await.unwrap();
    am.revoke_all();
    for path in ["/people/alice/b", "/people/alice/c"] {
        share(&host, path).await.unwrap_err();
    }
    host.reconcile().await.unwrap();
    until(async || told.len() == 1).await;
    assert!(matches!(&told.take()[0].1, Notice::ConsentNeeded { am } if am.issuer.as_str() == AM));
}
