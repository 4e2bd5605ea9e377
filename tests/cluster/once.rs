//! What happens once, whichever node does it (section 6.3: G-05, G-07, G-09, G-18).

use std::time::{Duration, Instant};

use http::StatusCode;
use tower_warden::OwnerId;
use warden_am::{Endpoint, Fault};
use warden_host::ShareRequest;

use crate::nodes::{Cluster, POLLED, SLACK, Setup, challenged, done, own, refused};
use crate::person::PHOTO;

fn alice() -> OwnerId {
    OwnerId::new("alice")
}

#[tokio::test]
async fn g_05_what_was_committed_and_not_told_holds_within_a_poll() {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let person = cluster.connected("alice").await;
    done(&person.share(&cluster.nodes[0].host, PHOTO).await);
    person.stop(&cluster.nodes[0].host, PHOTO).await.expect(303);
    cluster.until(POLLED, PHOTO, None, own).await;
    // A node that dies between its commit and its word: the row is there, and nobody says so.
    cluster
        .database
        .run(format!(
            "BEGIN; UPDATE warden_epoch SET value = value + 1; \
             UPDATE warden_resource_map SET state = 'pending', resource_id = NULL, changed_epoch = (SELECT value FROM warden_epoch) \
             WHERE path_key = '{PHOTO}'; COMMIT"
        ))
        .await;
    let took = cluster.until(POLLED + SLACK, PHOTO, None, refused).await;
    println!("found after {took:?}");
}

#[tokio::test]
async fn g_07_of_two_nodes_that_share_the_same_path_one_is_first() {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let person = cluster.connected("alice").await;
    for round in 0..5 {
        let url = format!("/api/people/alice/albums/summer/photos/{}", round % 2 + 1);
        let shares = cluster
            .nodes
            .iter()
            .map(|node| person.share(&node.host, &url));
        let mut shared = 0;
        for answer in futures_join(shares).await {
            assert!(
                matches!(answer.status, 303 | 409),
                "{} {}",
                answer.status,
                answer.body
            );
            shared += usize::from(answer.status == 303);
        }
        assert!(shared > 0);
        for reply in cluster.each(&url, None).await {
            assert!(challenged(&reply), "{reply:?}");
        }
        let at_am = cluster.ams[0].script.list_resources("alice");
        assert_eq!(at_am.len(), 1, "{at_am:?}");
        person.stop(&cluster.nodes[0].host, &url).await.expect(303);
        nothing_at_the_am(&cluster).await;
    }
}

/// Waits for all of them; they run beside each other.
async fn futures_join<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = all.map(Box::pin).collect();
    let mut ended: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, ended) in running.iter_mut().zip(&mut ended) {
            if ended.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *ended = Some(output);
            }
        }
        if ended.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    ended.into_iter().flatten().collect()
}

async fn nothing_at_the_am(cluster: &Cluster) {
    let begun = Instant::now();
    let script = &cluster.ams[0].script;
    while !script.list_resources("alice").is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn g_09_sharing_and_stopping_the_same_path_on_two_nodes_ends_as_the_last_commit_says() {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let person = cluster.connected("alice").await;
    for round in 0..10 {
        let [one, two, _] = &cluster.nodes[..] else {
            panic!("three nodes")
        };
        let share = async {
            tokio::time::sleep(Duration::from_millis(round % 5)).await;
            person.share(&one.host, PHOTO).await
        };
        let stop = async {
            tokio::time::sleep(Duration::from_millis(round / 2)).await;
            person.stop(&two.host, PHOTO).await
        };
        let (shared, stopped) = tokio::join!(share, stop);
        assert!(matches!(shared.status, 303 | 409), "{}", shared.body);
        assert_eq!(stopped.status, 303, "{}", stopped.body);
        // What the store says now is what all nodes enforce, and what the AM knows.
        let open = cluster
            .database
            .number(&format!(
                "SELECT count(*) FROM warden_resource_map WHERE path_key = '{PHOTO}' AND state <> 'tombstone'"
            ))
            .await
            == 0;
        let wanted = if open { own } else { challenged };
        cluster.until(POLLED + SLACK, PHOTO, None, wanted).await;
        for _ in 0..3 {
            for reply in cluster.each(PHOTO, None).await {
                assert!(wanted(&reply), "{round}: {reply:?}");
            }
        }
        if !open {
            assert_eq!(cluster.ams[0].script.list_resources("alice").len(), 1);
            person.stop(&one.host, PHOTO).await.expect(303);
        }
        cluster.until(POLLED + SLACK, PHOTO, None, own).await;
        nothing_at_the_am(&cluster).await;
    }
}

#[tokio::test]
async fn g_18_of_several_sweepers_one_does_the_work() {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let person = cluster.connected("alice").await;
    let script = &cluster.ams[0].script;
    let sweepers = [
        cluster.operator().await,
        cluster.operator().await,
        cluster.operator().await,
    ];
    // The AM is away while these are shared: they wait for a sweeper.
    script.fault(
        Endpoint::Resource,
        Fault::Status(StatusCode::SERVICE_UNAVAILABLE),
    );
    for number in 0..12 {
        let request = ShareRequest::new(format!("/api/people/alice/many/{number}"), "One of many");
        let host = sweepers[0].with_patience(Duration::ZERO);
        let shared = host.share(&alice(), request).await;
        assert!(shared.is_err(), "{shared:?}");
    }
    script.clear_faults();
    cluster
        .database
        .run("UPDATE warden_resource_map SET next_try = 0, attempts = 0")
        .await;
    script.reset_calls();
    let (one, two, three) = tokio::join!(
        sweepers[0].reconcile(),
        sweepers[1].reconcile(),
        sweepers[2].reconcile()
    );
    for reconciled in [one, two, three] {
        reconciled.unwrap();
    }
    let at_am = script.list_resources("alice").len();
    assert_eq!(at_am, 12);
    // One list, one registration each, at most one look at each.
    assert!(
        script.calls(Endpoint::Resource) <= 12 + 12 + 1,
        "{}",
        script.calls(Endpoint::Resource)
    );
    let path = "/api/people/alice/many/3";
    cluster.until(POLLED + SLACK, path, None, challenged).await;
    let _ = person;
}
