//! What nodes hear, and what they find though they don't hear it (section 4.3: L-01 to L-08).
//!
//! L-09, a task that follows the store and panics, can't be brought about from outside; its test stands with the task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tower_warden::OwnerId;
use warden_host::ShareRequest;

use crate::nodes::{Cluster, POLLED, Setup, challenged, done, let_in, own, refused, unknown};
use crate::person::{ALBUM, PHOTO};
use crate::pooler::Pooler;
use crate::postgres::Server;
use crate::proxy::{Proxy, Way};
use crate::wire::Wire;

fn alice() -> OwnerId {
    OwnerId::new("alice")
}

fn path(number: usize) -> String {
    format!("/api/people/alice/many/{number}")
}

/// A path of which no handler knows: what the host says by itself.
const MISSING: u16 = 404;

#[tokio::test]
async fn l_01_no_change_is_lost_while_listeners_are_cut_off() {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let _alice = cluster.connected("alice").await;
    let operator = cluster.operator().await;
    let stop = Arc::new(AtomicBool::new(false));
    let cutting = {
        let (database, stop) = (cluster.database.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut cut = 0;
            while !stop.load(Ordering::SeqCst) {
                cut += database.cut("query LIKE 'LISTEN%'").await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            cut
        })
    };
    // A thousand writes: a share is two, a stop is one.
    let writers = (0..8_usize).map(|writer| {
        let operator = operator.with_patience(Duration::ZERO);
        tokio::spawn(async move {
            for number in (writer..360).step_by(8) {
                let request = ShareRequest::new(path(number), "One of many");
                operator.share(&alice(), request).await.unwrap();
                if number % 3 != 0 {
                    operator
                        .stop_sharing(&alice(), &path(number))
                        .await
                        .unwrap();
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    tokio::time::sleep(POLLED).await;
    stop.store(true, Ordering::SeqCst);
    assert!(cutting.await.unwrap() > 0, "no listener was cut off");
    for node in &cluster.nodes {
        let mut wire = Wire::to(&node.host.url);
        for number in 0..360 {
            let reply = wire.get(&path(number), None).await.unwrap();
            let shared = number % 3 == 0;
            assert_eq!(refused(&reply), shared, "{number}: {reply:?}");
            assert!(shared || reply.status == MISSING, "{number}: {reply:?}");
        }
    }
}

#[tokio::test]
async fn l_02_what_is_not_heard_is_found_by_asking() {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    for node in &cluster.nodes {
        node.way.set(Way::Deaf);
    }
    for round in 0..3 {
        let at = &cluster.nodes[round].host;
        done(&alice.share(at, PHOTO).await);
        for reply in cluster.each(PHOTO, None).await {
            assert!(challenged(&reply), "{reply:?}");
        }
        alice.stop(at, PHOTO).await.expect(303);
        cluster.until(POLLED, PHOTO, None, own).await;
    }
}

#[tokio::test]
async fn l_03_who_commits_late_is_not_overlooked() {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let person = cluster.connected("alice").await;
    done(&person.share(&cluster.nodes[0].host, PHOTO).await);
    done(&person.share(&cluster.nodes[0].host, ALBUM).await);
    // The first takes its epoch, and commits only when others have tried to get by.
    let first = {
        let database = cluster.database.clone();
        let sql = format!(
            "BEGIN; UPDATE warden_epoch SET value = value + 1; \
             UPDATE warden_resource_map SET state = 'tombstone', changed_epoch = (SELECT value FROM warden_epoch) \
             WHERE path_key = '{PHOTO}'; SELECT pg_sleep(1); COMMIT"
        );
        tokio::spawn(async move { database.run(sql).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    person.stop(&cluster.nodes[1].host, ALBUM).await.expect(303);
    first.await.unwrap();
    cluster.until(POLLED, ALBUM, None, own).await;
    cluster.until(POLLED, PHOTO, None, own).await;
}

#[tokio::test]
async fn l_04_behind_a_pooler_in_transaction_mode_nodes_go_on_by_asking() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let Some(pooler) = Pooler::before(&server).await else {
        return;
    };
    let setup = Setup {
        by: Some(pooler.port),
        query: pooler.query,
        ..Setup::default()
    };
    let cluster = Cluster::on(&server, setup).await;
    let alice = cluster.connected("alice").await;
    for round in 0..6 {
        let at = &cluster.nodes[round % 3].host;
        done(&alice.share(at, PHOTO).await);
        let rpt = cluster.rpt(&alice, PHOTO).await;
        for reply in cluster.each(PHOTO, None).await {
            assert!(challenged(&reply), "{reply:?}");
        }
        for reply in cluster.each(PHOTO, Some(&rpt)).await {
            assert!(let_in(&reply), "{reply:?}");
        }
        alice.stop(at, PHOTO).await.expect(303);
        cluster.until(POLLED, PHOTO, Some(&rpt), own).await;
    }
    for node in &cluster.nodes {
        let log = node.host.log();
        assert!(log.contains("poll only"), "{log}");
        assert!(!log.contains("can't be followed"), "{log}");
        assert!(!log.contains("prepared statement"), "{log}");
    }
}

#[tokio::test]
async fn l_04_a_pooler_that_mixes_up_prepared_statements_is_refused() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let Some(pooler) = Pooler::careless_before(&server).await else {
        return;
    };
    let cluster = Cluster::on(&server, Setup::default()).await;
    let way = Proxy::to(pooler.port).await;
    let (code, log) = cluster.fails_to_start(&way).await;
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("PgBouncer"), "{log}");
}

#[tokio::test]
async fn l_05_changes_are_committed_though_they_cant_be_told() {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    // As with a full queue: whatever would be told fails.
    for node in &cluster.nodes {
        node.way.set(Way::Mute);
    }
    for round in 0..3 {
        let at = &cluster.nodes[round].host;
        done(&alice.share(at, PHOTO).await);
        for reply in cluster.each(PHOTO, None).await {
            assert!(challenged(&reply), "{reply:?}");
        }
        alice.stop(at, PHOTO).await.expect(303);
        cluster.until(POLLED, PHOTO, None, own).await;
    }
}

/// Puts what a database was in its place, while no node can see it.
struct Backup<'a>(&'a Cluster, String);

impl<'a> Backup<'a> {
    async fn of(cluster: &'a Cluster) -> Self {
        let copy = format!("{}_backup", cluster.database.name);
        let this = Self(cluster, copy);
        this.alone(&["CREATE DATABASE {copy} TEMPLATE {name}"])
            .await;
        this
    }

    async fn restore(&self) {
        self.alone(&[
            "ALTER DATABASE {name} RENAME TO {copy}_lost",
            "ALTER DATABASE {copy} RENAME TO {name}",
        ])
        .await;
    }

    /// Does something for which nobody may be connected.
    async fn alone(&self, statements: &[&str]) {
        let Self(cluster, copy) = self;
        for node in &cluster.nodes {
            node.way.set(Way::Cut);
        }
        let name = &cluster.database.name;
        let server = &cluster.database.server;
        server
            .run(format!(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
            ))
            .await;
        for statement in statements {
            let sql = statement.replace("{name}", name).replace("{copy}", copy);
            server.run(sql).await;
        }
        for node in &cluster.nodes {
            node.way.set(Way::Open);
        }
    }
}

/// The store goes back: `writes` are made again after it, before nodes can see it.
async fn goes_back(writes: bool) {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    let at = &cluster.nodes[0].host;
    done(&alice.share(at, ALBUM).await);
    let rpt = cluster.rpt(&alice, ALBUM).await;
    let backup = Backup::of(&cluster).await;
    cluster
        .until(Duration::from_secs(5), ALBUM, None, challenged)
        .await;
    // What the backup does not know: it is lost, and whoever has seen it must notice.
    done(&alice.share(at, PHOTO).await);
    for reply in cluster.each(PHOTO, None).await {
        assert!(challenged(&reply), "{reply:?}");
    }
    let stop = Arc::new(AtomicBool::new(false));
    let watching: Vec<_> = cluster
        .nodes
        .iter()
        .map(|node| {
            let (mut wire, stop) = (Wire::to(&node.host.url), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    if let Some(reply) = wire.get(ALBUM, None).await {
                        assert!(refused(&reply), "what both know is never open: {reply:?}");
                    }
                }
            })
        })
        .collect();
    backup.restore().await;
    if writes {
        // Beyond the epoch that the nodes have seen, so that the number alone does not tell.
        let sql = "UPDATE warden_epoch SET value = value + 1; \
             UPDATE warden_resource_map SET changed_epoch = (SELECT value FROM warden_epoch)";
        for _ in 0..20 {
            cluster.database.run(sql).await;
        }
    }
    cluster
        .until(Duration::from_secs(10), PHOTO, None, own)
        .await;
    cluster
        .until(Duration::from_secs(10), ALBUM, None, challenged)
        .await;
    for reply in cluster.each(ALBUM, Some(&rpt)).await {
        assert!(let_in(&reply), "{reply:?}");
    }
    stop.store(true, Ordering::SeqCst);
    for watching in watching {
        watching.await.unwrap();
    }
    for node in &cluster.nodes {
        let log = node.host.log();
        assert!(log.contains("gone back in time"), "it is told: {log}");
    }
    // The list of the AM shows what the host has forgotten. It may be what the owner shared last: it is told, and stays.
    let told = || {
        let mut nodes = cluster.nodes.iter();
        nodes.any(|node| {
            node.host
                .log()
                .contains("an AM has other things than this host")
        })
    };
    let begun = Instant::now();
    while !told() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is told");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(cluster.ams[0].script.list_resources("alice").len(), 2);
}

#[tokio::test]
async fn l_06_f_35_an_epoch_that_goes_back_is_an_incident() {
    goes_back(false).await;
}

#[tokio::test]
async fn l_07_f_35_a_restored_backup_is_noticed_though_its_epoch_is_higher() {
    goes_back(true).await;
}

#[tokio::test]
async fn l_08_a_hundred_thousand_changes_in_one_transaction() {
    let Some(cluster) = Cluster::start(Setup::default()).await else {
        return;
    };
    let alice = cluster.connected("alice").await;
    done(&alice.share(&cluster.nodes[0].host, PHOTO).await);
    let rpt = cluster.rpt(&alice, PHOTO).await;
    cluster
        .database
        .run(
            "BEGIN; UPDATE warden_epoch SET value = value + 1; \
             INSERT INTO warden_resource_map (site, path_key, subtree, owner, am_key, resource_id, marker, name, \
                scopes, state, synced, perhaps, attempts, next_try, generation, changed_epoch, created, updated, search) \
             SELECT site, '/api/people/alice/many/' || n, FALSE, owner, am_key, 'r' || n, 'marker' || n, 'n' || n, \
                scopes, 'active', TRUE, FALSE, 0, 0, 1, (SELECT value FROM warden_epoch), created, updated, '' \
             FROM warden_resource_map, generate_series(1, 100000) n; COMMIT; NOTIFY warden_epoch",
        )
        .await;
    let committed = Instant::now();
    let last = path(100_000);
    // All of them or none: whoever sees the last sees the first.
    for node in &cluster.nodes {
        let mut wire = Wire::to(&node.host.url);
        loop {
            let shared = wire.get(PHOTO, Some(&rpt)).await.unwrap();
            assert!(let_in(&shared) || unknown(&shared), "{shared:?}");
            let reply = wire.get(&last, None).await.unwrap();
            if reply.status != MISSING {
                let first = wire.get(&path(1), None).await.unwrap();
                assert_ne!(first.status, MISSING);
                break;
            }
            assert!(committed.elapsed() < Duration::from_secs(30));
        }
    }
}
