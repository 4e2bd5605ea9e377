//! Disconnecting: at once, whatever the AM says, and undone by the owner alone.

use tower_warden::{MapState, OwnerId};

use crate::testing::{
    AM, FakeAm, Fault, OTHER_AM, alice, begin, connect, get, host, move_there, share, until,
};
use crate::{ConnectionState, ErrorKind, ReturnPath};

const PATH: &str = "/people/alice/a";

#[tokio::test]
async fn all_is_denied_and_nothing_is_kept() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    let bob = OwnerId::new("bob");
    connect(&host, &alice()).await;
    connect(&host, &bob).await;
    share(&host, PATH).await.unwrap();
    share(&host, "/people/alice/b").await.unwrap();
    host.share(&bob, crate::ShareRequest::new("/people/bob/a", "Bob's"))
        .await
        .unwrap();
    assert_eq!(am.tokens(), 4);
    let done = host.disconnect(&alice()).await.unwrap();
    assert_eq!((done.am.name.as_str(), done.withheld), ("Home", 2));
    assert_eq!(get(&engine, PATH).await, 403, "at once");
    let row = host.resource(&alice(), PATH).await.unwrap().unwrap();
    assert_eq!((row.state, row.withheld), (MapState::Suspect, true));
    assert!(row.problem.unwrap().contains("disconnected from Home"));
    let connection = host.connection(&alice()).await.unwrap().unwrap();
    assert_eq!(connection.state, ConnectionState::Disconnected);
    until(async || am.tokens() == 2).await;
    assert_eq!(am.count("POST /revoke"), 2);
    // Nothing is tried at the AM any more, and nothing of others is touched.
    am.log();
    host.reconcile().await.unwrap();
    assert!(am.log().is_empty());
    assert_eq!(get(&engine, "/people/bob/a").await, 401);
    let error = share(&host, "/people/alice/c").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    let error = host.disconnect(&alice()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);

    // Connecting again undoes it.
    connect(&host, &alice()).await;
    assert_eq!(get(&engine, PATH).await, 401);
    let row = host.resource(&alice(), PATH).await.unwrap().unwrap();
    assert_eq!((row.state, row.problem), (MapState::Active, None));
    assert_eq!(am.names("alice").len(), 2, "the AM has what it had");
}

#[tokio::test]
async fn an_am_that_is_away_does_not_hold_it_up() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    am.fail("POST /revoke", Fault::HangBefore);
    host.disconnect(&alice()).await.unwrap();
    assert_eq!(get(&engine, PATH).await, 403);
    until(async || am.count("POST /revoke") == 1).await;
}

#[tokio::test]
async fn stopping_decides_about_it_and_the_am_keeps_what_it_has() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    host.disconnect(&alice()).await.unwrap();
    assert_eq!(host.stop_all(&alice()).await.unwrap().count, 1);
    assert_eq!(get(&engine, PATH).await, 0, "the host's own again");
    assert_eq!(host.connection(&alice()).await.unwrap(), None);
    let left = host.leftovers(&alice()).await.unwrap();
    assert_eq!((left.len(), left[0].count, left[0].stuck), (1, 1, true));
    assert_eq!(left[0].am.issuer.as_str(), AM);
    // Whoever comes back cleans up.
    connect(&host, &alice()).await;
    assert_eq!(host.reconcile().await.unwrap().deleted, 1);
    assert!(host.leftovers(&alice()).await.unwrap().is_empty());
    assert!(am.names("alice").is_empty());
}

#[tokio::test]
async fn what_was_begun_before_is_void() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    let url = begin(&host, &alice()).await.unwrap();
    host.disconnect(&alice()).await.unwrap();
    let error = crate::testing::consent(&host, &alice(), &url, AM)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
}

#[tokio::test]
async fn a_renewal_under_way_does_not_bring_it_back() {
    let am = FakeAm::default();
    let (host, _, clock) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    clock.advance(std::time::Duration::from_secs(3600));
    am.fail("POST /token", Fault::HangAfter);
    let renewing = tokio::spawn({
        let host = host.clone();
        async move { share(&host, "/people/alice/b").await }
    });
    am.hung.notified().await;
    host.disconnect(&alice()).await.unwrap();
    renewing.abort();
    let connection = host.connection(&alice()).await.unwrap().unwrap();
    assert_eq!(connection.state, ConnectionState::Disconnected);
    let store = &host.inner.store;
    let issuer = uma_client::Issuer::parse(AM).unwrap();
    let (held, _) = crate::store::Store::pat(store, &alice(), &issuer)
        .await
        .unwrap();
    assert_eq!(held, uma_client::PatState::None);
}

#[tokio::test]
async fn who_has_disconnected_can_move() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    host.disconnect(&alice()).await.unwrap();
    let back = ReturnPath::parse("/").unwrap();
    let error = host
        .begin_connect(&alice(), "s", OTHER_AM, &back)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectedElsewhere);
    move_there(&host, &alice()).await.unwrap();
    assert_eq!(get(&engine, PATH).await, 401);
    let row = host.resource(&alice(), PATH).await.unwrap().unwrap();
    assert_eq!(
        (row.state, row.withheld, row.am.as_str()),
        (MapState::Active, false, OTHER_AM)
    );
    let left = host.leftovers(&alice()).await.unwrap();
    assert!(left[0].stuck && left[0].count == 1, "{left:?}");
}
