//! What an owner does on one node holds on all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::header::LOCATION;
use tower_warden::{OwnerId, Purge};
use uma_client::Issuer;
use warden_am::Endpoint;
use warden_host::{AuthorizationAnswer, ReturnPath};

use crate::nodes::{Cluster, HEARD, POLLED, Setup, challenged, done, let_in, own, refused};
use crate::person::{Answer, PHOTO, Person};
use crate::wire::{Reply, Wire};

const NAME: &str = "/api/people/alice/personal/name";

/// Asks a node again and again until it is told to stop; what was answered.
fn hammer(
    url: &str,
    path: &'static str,
    stop: &Arc<AtomicBool>,
) -> tokio::task::JoinHandle<Vec<Reply>> {
    let (mut wire, stop) = (Wire::to(url), Arc::clone(stop));
    tokio::spawn(async move {
        let mut replies = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            replies.extend(wire.get(path, None).await);
        }
        replies
    })
}

#[tokio::test]
async fn a_share_is_refused_everywhere_from_its_success_on() {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    let mut asked = 0;
    for round in 0..6 {
        let stop = Arc::new(AtomicBool::new(false));
        let hammers: Vec<_> = cluster
            .nodes
            .iter()
            .map(|node| hammer(&node.host.url, PHOTO, &stop))
            .collect();
        let at = &cluster.nodes[round % 3].host;
        done(&alice.share(at, PHOTO).await);
        let shared = Instant::now();
        tokio::time::sleep(Duration::from_millis(50)).await;
        stop.store(true, Ordering::SeqCst);
        for hammer in hammers {
            for reply in hammer.await.unwrap() {
                asked += 1;
                assert_ne!(reply.status, 200, "nobody gets in without a token");
                assert!(reply.sent < shared || refused(&reply), "{reply:?}");
            }
        }
        alice.stop(at, PHOTO).await.expect(303);
        cluster.until(HEARD, PHOTO, None, own).await;
    }
    assert!(asked > 100, "{asked}");
}

#[tokio::test]
async fn what_is_stopped_is_the_hosts_own_everywhere_and_no_answer_is_kept() {
    let Some(cluster) = Cluster::start(Setup::with(&["--cache-ttl", "60s"])).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    for round in 0..4 {
        let at = &cluster.nodes[round % 3].host;
        done(&alice.share(at, PHOTO).await);
        let rpt = cluster.rpt(&alice, PHOTO).await;
        for reply in cluster.each(PHOTO, Some(&rpt)).await {
            assert!(let_in(&reply), "{reply:?}");
        }
        alice.stop(at, PHOTO).await.expect(303);
        let took = cluster.until(HEARD, PHOTO, Some(&rpt), own).await;
        assert!(took < HEARD, "{took:?}");
        // Shared again, the old token is worth nothing, though each node has an answer about it.
        done(&alice.share(at, PHOTO).await);
        let id = cluster.resource(&alice, PHOTO).await;
        let again = cluster.ams[0]
            .script
            .issue_rpt("bob", "app", &[(&id, &["view"])]);
        cluster.ams[0].script.revoke(&rpt).unwrap();
        for reply in cluster.each(PHOTO, Some(&rpt)).await {
            assert!(challenged(&reply), "{reply:?}");
        }
        for reply in cluster.each(PHOTO, Some(&again.unwrap())).await {
            assert!(let_in(&reply), "{reply:?}");
        }
        alice.stop(at, PHOTO).await.expect(303);
        cluster.until(HEARD, PHOTO, None, own).await;
    }
}

#[tokio::test]
async fn a_purge_on_one_node_empties_all() {
    let Some(cluster) = Cluster::start(Setup::with(&["--cache-ttl", "60s"])).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    done(&alice.share(&cluster.nodes[0].host, PHOTO).await);
    let operator = cluster.operator().await;
    let owner = || Purge::Owner(OwnerId::new("alice"));
    let am = || Purge::Am(Issuer::parse(&cluster.ams[0].issuer).unwrap());
    for purge in [owner(), am(), Purge::Everything] {
        let rpt = cluster.rpt(&alice, PHOTO).await;
        for _ in 0..2 {
            for reply in cluster.each(PHOTO, Some(&rpt)).await {
                assert!(let_in(&reply), "{reply:?}");
            }
        }
        cluster.ams[0].script.revoke(&rpt).unwrap();
        for reply in cluster.each(PHOTO, Some(&rpt)).await {
            assert!(let_in(&reply), "kept for a minute, unless it is purged");
        }
        operator.purge(purge).await.unwrap();
        cluster.until(HEARD, PHOTO, Some(&rpt), challenged).await;
    }
}

#[tokio::test]
async fn who_disconnects_has_nothing_let_in_anywhere() {
    let Some(cluster) = Cluster::start(Setup::with(&["--cache-ttl", "60s"])).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    done(&alice.share(&cluster.nodes[0].host, PHOTO).await);
    let rpt = cluster.rpt(&alice, PHOTO).await;
    for reply in cluster.each(PHOTO, Some(&rpt)).await {
        assert!(let_in(&reply), "{reply:?}");
    }
    let operator = cluster.operator().await;
    operator.disconnect(&OwnerId::new("alice")).await.unwrap();
    cluster.until(HEARD, PHOTO, Some(&rpt), refused).await;
    tokio::time::sleep(POLLED).await;
    for reply in cluster.each(PHOTO, Some(&rpt)).await {
        assert!(refused(&reply), "{reply:?}");
    }
}

#[tokio::test]
async fn after_a_move_the_other_am_decides_everywhere() {
    let Some(cluster) = Cluster::start(Setup::with(&["--cache-ttl", "60s"])).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    done(&alice.share(&cluster.nodes[0].host, PHOTO).await);
    let old = cluster.rpt(&alice, PHOTO).await;
    for reply in cluster.each(PHOTO, Some(&old)).await {
        assert!(let_in(&reply), "{reply:?}");
    }
    let operator = cluster.operator().await;
    let owner = OwnerId::new("alice");
    let to = &cluster.ams[1];
    let asked = operator
        .begin_move(
            &owner,
            "session",
            &to.issuer,
            &ReturnPath::parse("/").unwrap(),
        )
        .await
        .unwrap();
    let led = Answer {
        url: asked.clone(),
        status: 303,
        headers: [(LOCATION, asked.as_str().parse().unwrap())]
            .into_iter()
            .collect(),
        body: String::new(),
    };
    let back = alice.decide(led, &to.issuer, "allow").await;
    let mut answer = AuthorizationAnswer::new();
    for (name, value) in back.query_pairs() {
        match &*name {
            "code" => answer = answer.with_code(value),
            "state" => answer = answer.with_state(value),
            "iss" => answer = answer.with_iss(value),
            _ => {}
        }
    }
    let am_key = back
        .path_segments()
        .unwrap()
        .next_back()
        .unwrap()
        .to_owned();
    operator
        .finish_connect(&owner, "session", &am_key, answer)
        .await
        .unwrap();
    let moved = tokio::time::timeout(Duration::from_secs(10), async {
        while operator.moving(&owner).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    moved.await.expect("the move comes to its end");
    cluster.until(HEARD, PHOTO, Some(&old), challenged).await;
    for node in &cluster.nodes {
        Person::new("app")
            .get(&node.host.at(PHOTO))
            .await
            .ticket(&to.issuer);
    }
    let id = cluster.resource(&alice, PHOTO).await;
    let new = to
        .script
        .issue_rpt("bob", "app", &[(&id, &["view"])])
        .unwrap();
    for reply in cluster.each(PHOTO, Some(&new)).await {
        assert!(let_in(&reply), "{reply:?}");
    }
}

#[tokio::test]
async fn pages_and_their_sessions_work_on_any_node() {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let [one, two, three] = &cluster.nodes[..] else {
        panic!("three nodes")
    };
    let alice = Person::new("alice");
    alice.sign_in(&one.host).await;
    let mut back = alice.consent(&one.host, "allow").await;
    // The balancer leads to another node.
    let port = two.host.url.rsplit(':').next().unwrap().parse().unwrap();
    back.set_port(Some(port)).unwrap();
    let connected = alice.get(back.as_str()).await.expect(303);
    assert_eq!(connected.location().query(), Some("notice=connected"));
    // An answer counts once, on whatever node.
    let again = alice.get(back.as_str()).await;
    assert!((400..500).contains(&again.status), "{}", again.status);
    done(&alice.share(&three.host, NAME).await);
    for node in [one, two, three] {
        let list = alice.shared(&node.host).await;
        assert_eq!((list.len(), list[0]["uri"].as_str()), (1, Some(NAME)));
        alice.get(&node.host.at(NAME)).await.expect(200);
        assert!(refused(&node.ask(NAME, None).await));
    }
    alice.stop(&two.host, NAME).await.expect(303);
    cluster.until(HEARD, NAME, None, own).await;
    // Bob's session is not alice's.
    let bob = Person::new("bob");
    bob.sign_in(&one.host).await;
    bob.get(&three.host.at(NAME)).await.expect(403);
}

#[tokio::test]
async fn two_nodes_that_need_a_pat_renew_it_once() {
    let Some(mut cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    done(&alice.share(&cluster.nodes[0].host, PHOTO).await);
    // They live on: work that a node had claimed which was killed waits for its lease.
    let mut living = Vec::new();
    for _ in 0..3 {
        // Nodes that have just come read what the store holds: a PAT that is about to end.
        cluster
            .database
            .run("UPDATE warden_connection SET issued = issued - 100000, access_expires = 1")
            .await;
        let fresh = [cluster.node().await, cluster.node().await];
        let script = &cluster.ams[0].script;
        script.reset_calls();
        let counted = AtomicUsize::new(0);
        let ask = async |node: usize| {
            let reply = fresh[node].ask(PHOTO, None).await;
            assert!(challenged(&reply), "{reply:?}");
            counted.fetch_add(1, Ordering::SeqCst);
        };
        tokio::join!(ask(0), ask(1), ask(0), ask(1));
        assert_eq!(counted.into_inner(), 4);
        // The next round would fail if what the AM rotated were lost.
        assert_eq!(script.calls(Endpoint::Token), 1);
        living.push(fresh);
    }
}

#[tokio::test]
async fn a_request_can_demand_what_another_node_has_done() {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    done(&alice.share(&cluster.nodes[0].host, PHOTO).await);
    let operator = cluster.operator().await;
    // Deaf nodes would find it by their next poll.
    for node in &cluster.nodes {
        node.way.set(crate::proxy::Way::Deaf);
    }
    let app = Person::new("app");
    let demand = async |node: usize, epoch: &str| {
        let url = cluster.nodes[node].host.at(PHOTO);
        let request = app.client.get(url).header("warden-min-epoch", epoch);
        app.send(request).await
    };
    for node in [1, 2, 1, 2] {
        let stopped = operator
            .stop_sharing(&OwnerId::new("alice"), PHOTO)
            .await
            .unwrap();
        let seen = demand(node, &stopped.epoch.to_string()).await;
        assert_eq!((seen.status, seen.handler().is_some()), (403, true));
        done(&alice.share(&cluster.nodes[0].host, PHOTO).await);
    }
    let never = demand(1, "999999999").await;
    assert_eq!((never.status, never.handler()), (503, None));
    assert!(never.header("retry-after").is_some());
}
