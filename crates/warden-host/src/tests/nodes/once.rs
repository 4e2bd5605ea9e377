//! What is done once, whichever node does it.

use tower_warden::MapState;

use super::*;
use crate::ShareRequest;
use crate::testing::{Fault, alice, connect, share, until};

#[tokio::test]
async fn of_two_nodes_one_renews_a_pat() {
    let nodes = Two::new(MapsMode::Snapshot).await;
    let (a, b) = (
        nodes.a.host.with_patience(Duration::ZERO),
        nodes.b.host.with_patience(Duration::ZERO),
    );
    connect(&a, &alice()).await;
    for round in 0..4 {
        nodes.clock.advance(Duration::from_secs(3500));
        nodes.am.log();
        let (one, two) = (
            format!("/people/alice/one/{round}"),
            format!("/people/alice/two/{round}"),
        );
        let (one, two) = tokio::join!(share(&a, &one), share(&b, &two));
        assert_eq!(one.unwrap().state, MapState::Active);
        assert_eq!(two.unwrap().state, MapState::Active);
        assert_eq!(nodes.am.count("POST /token"), 1);
    }
    assert!(a.connection(&alice()).await.unwrap().is_some());
}

/// Two reconcilers on what a share has left (G-18).
#[tokio::test]
async fn two_reconcilers_register_nothing_twice() {
    let nodes = Two::new(MapsMode::Snapshot).await;
    let (a, b) = (
        nodes.a.host.with_patience(Duration::ZERO),
        nodes.b.host.with_patience(Duration::ZERO),
    );
    connect(&a, &alice()).await;
    for number in 0..8 {
        nodes.am.fail("POST /resources", Fault::Unreachable);
        let path = format!("/people/alice/{number}");
        share(&a, &path).await.unwrap_err();
    }
    nodes.am.log();
    let (one, two) = tokio::join!(a.reconcile(), b.reconcile());
    let both = one.unwrap().activated + two.unwrap().activated;
    assert_eq!(both, 8);
    assert_eq!(nodes.am.count("POST /resources"), 8);
    assert_eq!(nodes.am.names("alice").len(), 8);
    let left = b.reconcile().await.unwrap();
    assert_eq!(left, crate::Reconciled::default());
}

async fn many_below(host: Host, path: String) {
    let requests = ["x", "y"].map(|end| ShareRequest::new(format!("{path}/{end}"), "One"));
    let bulk = host.share_many(&alice(), requests.into()).await.unwrap();
    bulk.finished().await;
}

/// The same path on both at once (G-07).
#[tokio::test]
async fn a_path_that_both_share_is_registered_once() {
    let nodes = Two::new(MapsMode::Snapshot).await;
    let (a, b) = (
        nodes.a.host.with_patience(Duration::ZERO),
        nodes.b.host.with_patience(Duration::ZERO),
    );
    connect(&a, &alice()).await;
    for number in 1..=12 {
        let path = format!("/people/alice/{number}");
        let (one, two) = tokio::join!(share(&a, &path), share(&b, &path));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!((one.state, two.state), (MapState::Active, MapState::Active));
        assert_eq!(one.resource_id, two.resource_id);
        assert_eq!(nodes.am.count("POST /resources"), 3 * (number - 1) + 1);
        // And many at once.
        let path = format!("/people/alice/{number}/many");
        let many = |host| many_below(host, path.clone());
        tokio::join!(many(a.clone()), many(b.clone()));
        a.reconcile().await.unwrap();
    }
    until(async || {
        a.reconcile().await.unwrap();
        nodes.am.names("alice").len() == 12 * 3
    })
    .await;
    assert_eq!(nodes.am.count("POST /resources"), 12 * 3);
    // While the reconciler of the other is about, too.
    let (one, two) = tokio::join!(share(&a, OTHER_PATH), async {
        for _ in 0..5 {
            b.reconcile().await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    assert_eq!((one.unwrap().state, two), (MapState::Active, ()));
    assert_eq!(nodes.am.names("alice").len(), 12 * 3 + 1);
}

/// Shared on one and stopped on the other (G-09): what was committed last counts, and the AM ends up in step.
#[tokio::test]
async fn what_was_committed_last_counts() {
    let nodes = Two::new(MapsMode::Snapshot).await;
    let (a, b) = (
        nodes.a.host.with_patience(Duration::ZERO),
        nodes.b.host.with_patience(Duration::ZERO),
    );
    connect(&a, &alice()).await;
    for round in 0..20 {
        let stop = async {
            for _ in 0..round % 5 {
                tokio::task::yield_now().await;
            }
            b.stop_sharing(&alice(), PATH).await.unwrap()
        };
        let (_, stopped) = tokio::join!(share(&a, PATH), stop);
        let now = a.resource(&alice(), PATH).await.unwrap();
        assert!(now.is_some() || stopped.was_shared());
        until(async || {
            a.reconcile().await.unwrap();
            let now = a.resource(&alice(), PATH).await.unwrap();
            let settled = now.as_ref().is_none_or(|now| now.state == MapState::Active);
            settled && nodes.am.names("alice").len() == usize::from(now.is_some())
        })
        .await;
        for node in [&nodes.a, &nodes.b] {
            node.poll().await;
            let expected = if now.is_some() { 401 } else { 0 };
            assert_eq!(node.get(PATH).await, expected, "{round}");
        }
    }
}

#[tokio::test]
async fn what_a_crashed_node_has_claimed_runs_out() {
    let nodes = Two::new(MapsMode::Snapshot).await;
    let (a, b) = (
        nodes.a.host.with_patience(Duration::ZERO),
        nodes.b.host.with_patience(Duration::ZERO),
    );
    connect(&a, &alice()).await;
    nodes.am.fail("POST /resources", Fault::HangBefore);
    let sharing = tokio::spawn(async move { share(&a, PATH).await });
    nodes.am.hung.notified().await;
    let left = b.reconcile().await.unwrap();
    assert_eq!(
        (left.activated, left.deferred),
        (0, 1),
        "the other is at it"
    );
    // Its task hangs for ever, and the claim with it: here is no process that ends. So its lease ends for the other alone.
    b.inner.store.advance(Duration::from_secs(11));
    assert_eq!(b.reconcile().await.unwrap().activated, 1);
    assert_eq!(nodes.am.names("alice").len(), 1);
    sharing.abort();
}
