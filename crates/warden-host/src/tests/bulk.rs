//! Many paths at once.

use tower_warden::MapState;

use crate::testing::{FakeAm, Fault, alice, connect, get, host, share, until};
use crate::{BulkDone, ErrorKind, ShareRequest};

fn requests(count: usize) -> Vec<ShareRequest> {
    (0..count)
        .map(|number| ShareRequest::new(format!("/people/alice/n{number}"), format!("N{number}")))
        .collect()
}

fn done(active: usize, waiting: usize) -> BulkDone {
    BulkDone { active, waiting }
}

#[tokio::test]
async fn many_are_shared_a_few_at_a_time() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, "/people/alice/n7").await.unwrap();
    let mut wanted = requests(300);
    wanted[7].name = "Summer".into();
    wanted.push(ShareRequest::new("/people/alice/n%31/", "twice"));
    wanted.push(ShareRequest::new("/people/bob/a", "not hers"));
    wanted.push(ShareRequest::new("no path", "bad"));
    let before = host.inner.store_epoch().await;
    let bulk = host.share_many(&alice(), wanted).await.unwrap();
    assert_eq!((bulk.accepted, bulk.unchanged), (299, 1));
    let refused: Vec<_> = bulk.refused.iter().map(|(_, error)| error.kind()).collect();
    assert_eq!(refused, [ErrorKind::NotYours, ErrorKind::BadPath]);
    assert_ne!(
        get(&engine, "/people/alice/n299").await,
        0,
        "denied from then on"
    );
    assert_eq!(bulk.finished().await, done(299, 0));
    assert_eq!(get(&engine, "/people/alice/n299").await, 401);
    assert_eq!(am.names("alice").len(), 300);
    assert_eq!(am.count("POST /resources"), 300);
    assert_eq!(am.count("GET /resources"), 0);
    assert!(am.most_at_once() <= 4, "{}", am.most_at_once());
    // Two transactions that enforcement hears of for 256 and 64 rows.
    let epochs = host.inner.store_epoch().await - before;
    assert!(epochs <= 2 + 5, "{epochs}");
    assert_eq!(
        host.reconcile().await.unwrap(),
        crate::Reconciled::default()
    );
}

#[tokio::test]
async fn what_an_am_in_trouble_did_not_take_goes_on_later() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    am.log();
    am.fail_nth(50, Fault::LostAnswer);
    let bulk = host.share_many(&alice(), requests(200)).await.unwrap();
    let result = bulk.finished().await;
    assert_eq!(result.active + result.waiting, 200);
    assert!(result.active >= 47 && result.waiting >= 140, "{result:?}");
    assert!(am.count("POST /resources") <= 60, "no more is asked of it");
    assert_eq!(get(&engine, "/people/alice/n199").await, 403);
    let run = host.reconcile().await.unwrap();
    assert_eq!((run.activated, run.deferred), (result.waiting, 0));
    assert_eq!(am.names("alice").len(), 200, "the lost answer was adopted");
    let looks: Vec<_> = am
        .log()
        .into_iter()
        .filter(|line| !line.starts_with("POST"))
        .collect();
    assert!(looks.len() <= 5, "{looks:?}");
}

#[tokio::test]
async fn a_tree_is_shared() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    let root = ShareRequest::new("/people/alice/t", "Tree").scopes(["view"]);
    let bulk = host.share_tree(&alice(), root).await.unwrap();
    assert_eq!(
        (bulk.accepted, bulk.refused.len()),
        (4, 0),
        "what is not below is left out"
    );
    assert_eq!(bulk.finished().await, done(4, 0));
    let names: Vec<_> = host.resources(&alice()).await.unwrap();
    let names: Vec<_> = names
        .iter()
        .map(|one| (one.uri.as_str(), one.name.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            ("/people/alice/t", "Tree"),
            ("/people/alice/t/deep/er", "er"),
            ("/people/alice/t/x", "x"),
            ("/people/alice/t/y%20z", "y z"),
        ]
    );
}

#[tokio::test]
async fn stopped_meanwhile_is_stopped() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    let bulk = host.share_many(&alice(), requests(100)).await.unwrap();
    assert_eq!(host.stop_all(&alice()).await.unwrap().count, 100);
    bulk.finished().await;
    until(async || {
        host.reconcile().await.unwrap();
        am.names("alice").is_empty()
    })
    .await;
    assert_eq!(get(&engine, "/people/alice/n1").await, 0);
    assert!(
        host.resource(&alice(), "/people/alice/n1")
            .await
            .unwrap()
            .is_none()
    );
    let again = share(&host, "/people/alice/n1").await.unwrap();
    assert_eq!(again.state, MapState::Active);
}

#[tokio::test]
async fn too_many_and_unconnected_are_refused() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    let error = host.share_many(&alice(), requests(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    let error = host
        .share_many(&alice(), requests(100_001))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooMany);
}
