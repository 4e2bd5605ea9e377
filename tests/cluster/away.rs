//! The store is away, slow, or damaged, and nodes come and go (section 6.2: F-30 to F-35, F-40).
//!
//! F-33 is about SQLite alone, and F-35 stands with L-06.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::nodes::{
    Cluster, HEARD, LEASE, POLLED, SLACK, Setup, challenged, done, let_in, own, refused, unknown,
};
use crate::person::{ALBUM, PHOTO, Person};
use crate::postgres::OwnServer;
use crate::proxy::Way;
use crate::wire::Wire;

/// Steady again after a fault.
const STEADY: Duration = Duration::from_secs(5);
const OTHER: &str = "/api/people/alice/personal/name";

async fn on_own_server() -> Option<(Cluster, OwnServer)> {
    let own = OwnServer::start().await?;
    let cluster = Cluster::on(&own.server, Setup::with(&["--cache-ttl", "60s"])).await;
    Some((cluster, own))
}

/// Shares a photo, and has each node keep an answer about an RPT for it.
async fn shared_and_kept(cluster: &Cluster, person: &Person) -> String {
    done(&person.share(&cluster.nodes[0].host, PHOTO).await);
    let rpt = cluster.rpt(person, PHOTO).await;
    for reply in cluster.each(PHOTO, Some(&rpt)).await {
        assert!(let_in(&reply), "{reply:?}");
    }
    rpt
}

/// What has to hold as soon as the store is back: the nodes serve, and owners can share.
async fn steady(cluster: &Cluster, person: &Person, rpt: &str) {
    cluster.until(STEADY, PHOTO, Some(rpt), let_in).await;
    let begun = Instant::now();
    loop {
        let answer = person.share(&cluster.nodes[1].host, OTHER).await;
        if answer.status == 303 && answer.location().query() == Some("notice=shared") {
            break;
        }
        assert!(
            begun.elapsed() < STEADY,
            "{} {}",
            answer.status,
            answer.body
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for reply in cluster.each(OTHER, None).await {
        assert!(challenged(&reply), "{reply:?}");
    }
    person.stop(&cluster.nodes[2].host, OTHER).await.expect(303);
    cluster.until(POLLED + SLACK, OTHER, None, own).await;
}

#[tokio::test]
async fn f_31_a_store_that_stands_still_for_5_s_is_not_noticed() {
    let Some((cluster, server)) = on_own_server().await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    let rpt = shared_and_kept(&cluster, &alice).await;
    server.server.tell("freeze").await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        for reply in cluster.each(PHOTO, Some(&rpt)).await {
            assert!(let_in(&reply), "{reply:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Who shares meanwhile is told that it did not happen, in good time.
    let asked = Instant::now();
    let answer = alice.share(&cluster.nodes[0].host, OTHER).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(
        asked.elapsed() < Duration::from_secs(8),
        "{:?}",
        asked.elapsed()
    );
    server.server.tell("thaw").await;
    steady(&cluster, &alice, &rpt).await;
}

#[tokio::test]
#[ignore = "takes more than a minute; CI runs it"]
async fn f_31_a_store_that_stands_still_for_60_s_closes_what_is_governed() {
    let Some((cluster, server)) = on_own_server().await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    let rpt = shared_and_kept(&cluster, &alice).await;
    server.server.tell("freeze").await;
    let begun = Instant::now();
    let mut served = Duration::ZERO;
    while begun.elapsed() < Duration::from_secs(60) {
        for reply in cluster.each(PHOTO, Some(&rpt)).await {
            assert!(let_in(&reply) || unknown(&reply), "{reply:?}");
            if let_in(&reply) {
                served = served.max(reply.sent - begun);
            }
        }
        for node in &cluster.nodes {
            let page = node.ask("/login", None).await;
            assert_eq!(page.status, 200, "what is not governed goes on");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(served > LEASE - Duration::from_secs(3), "{served:?}");
    assert!(served < LEASE + SLACK, "{served:?}");
    server.server.tell("thaw").await;
    steady(&cluster, &alice, &rpt).await;
}

#[tokio::test]
async fn f_31_a_store_that_is_killed_and_started_again() {
    let Some((cluster, server)) = on_own_server().await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    let rpt = shared_and_kept(&cluster, &alice).await;
    server.kill().await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        for reply in cluster.each(PHOTO, Some(&rpt)).await {
            assert!(let_in(&reply), "{reply:?}");
        }
    }
    server.restart().await;
    steady(&cluster, &alice, &rpt).await;
}

#[tokio::test]
async fn f_31_a_node_that_is_cut_off_is_waited_for_until_it_refuses_by_itself() {
    let Some(cluster) = Cluster::start(Setup::with(&["--cache-ttl", "60s"])).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    let lost = &cluster.nodes[2];
    lost.way.set(Way::Silent);
    let cut = Instant::now();
    // The page does not wait so long, and says that it is not yet done.
    let told = alice.share(&cluster.nodes[0].host, PHOTO).await.expect(303);
    assert_eq!(told.location().query(), Some("notice=spreading"));
    assert!(own(&lost.ask(PHOTO, None).await), "it can't know yet");
    for node in &cluster.nodes[..2] {
        assert!(challenged(&node.ask(PHOTO, None).await));
    }
    let spread = loop {
        let list = alice.shared(&cluster.nodes[0].host).await;
        if list[0]["spread"] == "everywhere" {
            break Instant::now();
        }
        assert_eq!(list[0]["spread"], "being_protected", "{list:?}");
        assert!(cut.elapsed() < LEASE + Duration::from_secs(4));
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(spread - cut > LEASE - Duration::from_secs(3));
    let reply = lost.ask(PHOTO, None).await;
    assert!(unknown(&reply), "{reply:?}");
    lost.way.set(Way::Open);
    cluster.until(STEADY, PHOTO, None, challenged).await;
}

#[tokio::test]
async fn f_30_a_node_without_a_store_lets_nobody_in_until_it_has_one() {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    let rpt = shared_and_kept(&cluster, &alice).await;
    let way = crate::proxy::Proxy::to(cluster.database.server.port()).await;
    way.set(Way::Cut);
    let (url, starting) = cluster.starting(&way).await;
    let mut wire = Wire::to(&url);
    let begun = Instant::now();
    let mut refusals = 0;
    while begun.elapsed() < Duration::from_secs(3) {
        for rpt in [None, Some(&*rpt)] {
            if let Some(reply) = wire.get(PHOTO, rpt).await {
                assert!(unknown(&reply), "{reply:?}");
                refusals += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(refusals > 0, "it does not even answer");
    way.set(Way::Open);
    let ready = tokio::time::timeout(STEADY, starting).await.unwrap();
    let host = ready.unwrap();
    let node = crate::nodes::Node { host, way };
    assert!(let_in(&node.ask(PHOTO, Some(&rpt)).await));
    assert!(challenged(&node.ask(PHOTO, None).await));
}

#[tokio::test]
async fn f_32_a_slow_store_holds_up_no_request() {
    let Some(cluster) = Cluster::start(Setup::with(&["--cache-ttl", "60s"])).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    let rpt = shared_and_kept(&cluster, &alice).await;
    let slow = &cluster.nodes[1];
    slow.way.set(Way::Slow(Duration::from_secs(5)));
    // More owners wait than there are connections.
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let (alice, url) = (alice.clone(), slow.host.at("/uma/resources"));
            tokio::spawn(async move {
                let begun = Instant::now();
                (alice.get(&url).await.status, begun.elapsed())
            })
        })
        .collect();
    let begun = Instant::now();
    let mut wire = Wire::to(&slow.host.url);
    while begun.elapsed() < Duration::from_secs(6) {
        let reply = wire.get(PHOTO, Some(&rpt)).await.unwrap();
        assert!(let_in(&reply), "{reply:?}");
        let took = reply.received - reply.sent;
        assert!(took < Duration::from_millis(500), "{took:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for waiting in waiting {
        let (status, took) = waiting.await.unwrap();
        assert_eq!(status, 503);
        assert!(took < Duration::from_secs(8), "{took:?}");
    }
    slow.way.set(Way::Open);
    steady(&cluster, &alice, &rpt).await;
}

#[tokio::test]
async fn f_34_damaged_rows_are_denied_and_no_other() {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    let rpt = shared_and_kept(&cluster, &alice).await;
    done(&alice.share(&cluster.nodes[0].host, ALBUM).await);
    done(&alice.share(&cluster.nodes[0].host, OTHER).await);
    // No scope at all, and a state that a later version may have.
    cluster
        .database
        .run(format!(
            "BEGIN; UPDATE warden_epoch SET value = value + 1; \
             ALTER TABLE warden_resource_map DROP CONSTRAINT warden_resource_map_state_check; \
             UPDATE warden_resource_map SET scopes = '', changed_epoch = (SELECT value FROM warden_epoch) WHERE path_key = '{ALBUM}'; \
             UPDATE warden_resource_map SET state = 'frozen', changed_epoch = (SELECT value FROM warden_epoch) WHERE path_key = '{OTHER}'; \
             COMMIT"
        ))
        .await;
    let closed = |reply: &crate::wire::Reply| !reply.handler && matches!(reply.status, 403 | 503);
    cluster.until(POLLED + SLACK, ALBUM, None, closed).await;
    cluster.until(POLLED + SLACK, OTHER, None, closed).await;
    for reply in cluster.each(PHOTO, Some(&rpt)).await {
        assert!(let_in(&reply), "{reply:?}");
    }
    // A PAT that can't be unsealed: nothing can be asked of the AM, and that is not the token's fault.
    cluster
        .database
        .run("UPDATE warden_connection SET access_token = '\\x00'::bytea")
        .await;
    let mut cluster = cluster;
    let fresh = cluster.node().await;
    let reply = fresh.ask(PHOTO, Some(&rpt)).await;
    assert!(unknown(&reply), "{reply:?}");
    let reply = fresh.ask(PHOTO, None).await;
    assert_eq!((reply.status, reply.handler), (403, false));
    assert!(own(&fresh.ask("/api/people/bob/personal/name", None).await));
}

#[tokio::test]
async fn f_40_a_node_that_is_told_to_end_answers_what_it_was_asked() {
    let Some(mut cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    let rpt = shared_and_kept(&cluster, &alice).await;
    let leaving = cluster.nodes.remove(2);
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (url, rpt, stop) = (leaving.host.url.clone(), rpt.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut counted = 0;
                while !stop.load(Ordering::SeqCst) {
                    let mut wire = Wire::to(&url);
                    while let Some(reply) = wire.get(PHOTO, Some(&rpt)).await {
                        assert!(let_in(&reply) || unknown(&reply), "{reply:?}");
                        counted += 1;
                    }
                    tokio::task::yield_now().await;
                }
                counted
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (code, _, _) = leaving.host.end().await;
    assert_eq!(code, Some(0));
    stop.store(true, Ordering::SeqCst);
    for load in load {
        assert!(load.await.unwrap() > 0);
    }
    // Nobody waits for it.
    let begun = Instant::now();
    done(&alice.share(&cluster.nodes[0].host, OTHER).await);
    assert!(begun.elapsed() < HEARD + SLACK, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn f_40_an_upgrade_goes_node_by_node() {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    let rpt = shared_and_kept(&cluster, &alice).await;
    // A later version has changed the schema, in a way that the present one can live with.
    cluster
        .database
        .run(
            "INSERT INTO warden_migrations (version, description, installed_on, success, checksum, execution_time) \
             VALUES (9999, 'a later version', now(), TRUE, '\\x00', 0); \
             ALTER TABLE warden_resource_map ADD COLUMN later TEXT",
        )
        .await;
    tokio::time::sleep(POLLED).await;
    for reply in cluster.each(PHOTO, Some(&rpt)).await {
        assert!(let_in(&reply), "{reply:?}");
    }
    done(&alice.share(&cluster.nodes[1].host, OTHER).await);
    for reply in cluster.each(OTHER, None).await {
        assert!(refused(&reply), "{reply:?}");
    }
    // One that starts now does not know what it would work on.
    let way = crate::proxy::Proxy::to(cluster.database.server.port()).await;
    let (code, log) = cluster.fails_to_start(&way).await;
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("schema version 9999"), "{log}");
}
