//! Two windows, and a change of mind.

use tower_warden::OwnerId;

use crate::testing::{FakeAm, alice, connect, host, share};
use crate::{ErrorKind, ShareRequest, Trouble};

const PATH: &str = "/people/alice/a";

#[tokio::test]
async fn a_window_that_does_not_know_of_another_changes_nothing() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    let asked = |name: &str, generation| {
        ShareRequest::new(PATH, name)
            .scopes(["view"])
            .if_generation(generation)
    };
    let first = host.share(&alice(), asked("One", 0)).await.unwrap();
    assert!(first.generation > 0);
    assert_eq!(first.trouble, None);
    let twice = host.share(&alice(), asked("One", 0)).await.unwrap();
    assert_eq!(twice, first, "a double click is no conflict");
    let stale = host.share(&alice(), asked("Two", 0)).await.unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Changed);
    let second = host
        .share(&alice(), asked("Two", first.generation))
        .await
        .unwrap();
    assert_eq!(second.name, "Two");
    assert_ne!(second.generation, first.generation);
    let stale = host
        .share(&alice(), asked("Three", first.generation))
        .await
        .unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Changed);
    host.stop_sharing(&alice(), PATH).await.unwrap();
    let stale = host
        .share(&alice(), asked("Two", second.generation))
        .await
        .unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Changed, "it is not shared again");
    assert!(host.resource(&alice(), PATH).await.unwrap().is_none());
}

#[tokio::test]
async fn what_was_stopped_can_be_shared_again_as_it_was() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    assert!(host.once_shared(&alice(), PATH).await.unwrap().is_none());
    let request = ShareRequest::new(PATH, "Summer")
        .description("All of it")
        .scopes(["view"])
        .subtree(true);
    let before = host.share(&alice(), request.clone()).await.unwrap();
    host.stop_sharing(&alice(), PATH).await.unwrap();
    let again = host.once_shared(&alice(), PATH).await.unwrap().unwrap();
    assert_eq!(again, request);
    let bob = OwnerId::new("bob");
    assert!(host.once_shared(&bob, PATH).await.unwrap().is_none());
    let after = host.share(&alice(), again).await.unwrap();
    assert_eq!((after.map, after.uri), (before.map, before.uri));
}

#[tokio::test]
async fn an_am_that_can_not_be_reached_is_known_to_be_away() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    let home = host.ams().await[0].issuer.clone();
    assert!(!host.is_away(&home));
    am.fail("POST /resources", crate::testing::Fault::Unreachable);
    let tried = share(&host, PATH).await;
    assert!(tried.is_err());
    let waits = host.resource(&alice(), PATH).await.unwrap().unwrap();
    assert_eq!(waits.trouble, Some(Trouble::Failing));
}
