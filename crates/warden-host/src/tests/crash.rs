//! The process ends at every call to the AM, before and after the AM acts, and at every step of the store, before and after
//! it is committed; and starts again on the same store.

use std::time::Duration;

use tower_warden::{Engine, MapState};

use crate::testing::{
    FakeAm, Fault, OTHER_AM, Place, alice, arm, clock, connect, disarm, get, host_over, move_there,
    share, store, until,
};
use crate::{Host, ShareRequest};

const PATH: &str = "/people/alice/a";

/// Runs work in a process of its own: when the AM hangs, the process ends, and all that it had not committed is gone.
fn process(am: &FakeAm, url: &str, work: impl AsyncFnOnce(Host, Engine)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (host, engine) = host_over(am, store(url).await, &clock()).await;
        tokio::select! {
            () = work(host, engine) => {}
            () = am.hung.notified() => {}
        }
    });
    runtime.shutdown_timeout(Duration::from_millis(1));
}

/// Lets time pass for leases, so that nobody waits for the processes before this one.
fn pass(host: &Host, seconds: u64) {
    host.inner.store.advance(Duration::from_secs(seconds));
}

/// Waits, outside of any process.
fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}

/// Where a process ends.
#[derive(Debug, Clone, Copy)]
enum Crash {
    /// At a call to the AM, which the AM never gets, or whose answer never comes.
    Call(Fault),
    /// Before or after a step of the store.
    Step,
}

/// Prepares, then does `work` again and again, ended at each of its calls in each way, and at each of its steps in the
/// store, and checks each time; at an AM of UMA 2.0, and at one of 2012. Gives the lesser count of points.
fn at_every_point(
    prepare: &impl AsyncFn(&Host, &FakeAm),
    work: &impl AsyncFn(&Host, &FakeAm),
    check: &impl AsyncFn(&Host, &Engine, &FakeAm),
) -> usize {
    [FakeAm::default(), FakeAm::of_2012()]
        .iter()
        .map(|am| at_every_point_with(am, prepare, work, check))
        .min()
        .unwrap()
}

fn at_every_point_with(
    prepared_am: &FakeAm,
    prepare: &impl AsyncFn(&Host, &FakeAm),
    work: &impl AsyncFn(&Host, &FakeAm),
    check: &impl AsyncFn(&Host, &Engine, &FakeAm),
) -> usize {
    let prepared = wait(Place::new());
    process(prepared_am, &prepared.url(), async |host, _| {
        connect(&host, &alice()).await;
        prepare(&host, prepared_am).await;
        host.inner.store.close().await;
    });
    let mut points = 0;
    for crash in [
        Crash::Call(Fault::HangBefore),
        Crash::Call(Fault::HangAfter),
        Crash::Step,
    ] {
        for n in 0.. {
            let place = wait(prepared.copy());
            let url = place.url();
            let am = prepared_am.fork();
            match crash {
                Crash::Call(fault) => am.fail_nth(n, fault),
                Crash::Step => {}
            }
            let hung = std::sync::Arc::clone(&am.hung);
            process(&am, &url, async |host, _| {
                pass(&host, 60);
                if let Crash::Step = crash {
                    // Behind the start of the host, which only reads.
                    arm(n, hung);
                }
                work(&host, &am).await;
            });
            let came_about = match crash {
                Crash::Call(_) => am.mend(),
                Crash::Step => disarm(),
            };
            process(&am, &url, async |host, engine| {
                // What the one that ended had claimed runs out.
                pass(&host, 120);
                check(&host, &engine, &am).await;
            });
            if !came_about {
                assert!(n > 0, "there is something to be ended at");
                break;
            }
            points += 1;
        }
    }
    points
}

async fn active_once(host: &Host, engine: &Engine, am: &FakeAm) {
    let Some(row) = host.resource(&alice(), PATH).await.unwrap() else {
        // Ended before anything was committed: then nothing is anywhere (G-01).
        assert_eq!(get(engine, PATH).await, 0);
        assert!(am.names("alice").is_empty());
        return;
    };
    let before = get(engine, PATH).await;
    assert!(
        before == 403 || (before == 401 && row.state == MapState::Active),
        "{before}"
    );
    host.reconcile().await.unwrap();
    let row = host.resource(&alice(), PATH).await.unwrap().unwrap();
    assert_eq!((row.state, row.problem), (MapState::Active, None));
    assert_eq!(am.names("alice").len(), 1);
    assert!(am.description("alice", &row.resource_id.unwrap()).is_some());
    assert_eq!(get(engine, PATH).await, 401);
    assert_eq!(
        host.reconcile().await.unwrap(),
        crate::Reconciled::default()
    );
}

#[test]
fn sharing_survives() {
    let points = at_every_point(
        &async |_, _| {},
        &async |host, _| {
            share(host, PATH).await.unwrap();
        },
        &active_once,
    );
    assert!(
        points >= 14,
        "discovery, creation, twice, and the steps: {points}"
    );
}

#[test]
fn sharing_again_survives() {
    let changed = || ShareRequest::new(PATH, "Winter").scopes(["view"]);
    at_every_point(
        &async |host, _| {
            share(host, PATH).await.unwrap();
        },
        &async |host, _| {
            host.share(&alice(), changed()).await.unwrap();
        },
        &async |host, engine, am| {
            active_once(host, engine, am).await;
            let row = host.resource(&alice(), PATH).await.unwrap().unwrap();
            let at_am = am.description("alice", &row.resource_id.unwrap()).unwrap();
            assert_eq!(at_am["resource_scopes"], serde_json::json!(row.scopes));
            // As it was, or as it was wanted; not in between.
            assert!(row.scopes == ["view"] || row.scopes.len() == 3);
            assert_eq!(row.name == "Winter", row.scopes == ["view"]);
        },
    );
}

#[test]
fn stopping_survives() {
    at_every_point(
        &async |host, _| {
            share(host, PATH).await.unwrap();
        },
        &async |host, am| {
            host.stop_sharing(&alice(), PATH).await.unwrap();
            until(async || am.count("DELETE") == 1).await;
        },
        &async |host, engine, am| {
            let stopped = get(engine, PATH).await == 0;
            let shared = host.resource(&alice(), PATH).await.unwrap();
            assert_eq!(
                shared.is_none(),
                stopped,
                "the host's own from the commit on"
            );
            if !stopped {
                active_once(host, engine, am).await;
                host.stop_sharing(&alice(), PATH).await.unwrap();
            }
            host.reconcile().await.unwrap();
            assert!(am.names("alice").is_empty());
            assert!(host.resources(&alice()).await.unwrap().is_empty());
            // And what was stopped can be shared again.
            until(async || {
                host.reconcile().await.unwrap();
                am.names("alice").is_empty()
            })
            .await;
            share(host, PATH).await.unwrap();
            active_once(host, engine, am).await;
        },
    );
}

#[test]
fn stopping_and_sharing_again_survives() {
    at_every_point(
        &async |host, am| {
            share(host, PATH).await.unwrap();
            am.fail("DELETE", Fault::Unreachable);
            host.stop_sharing(&alice(), PATH).await.unwrap();
            until(async || am.count("DELETE") == 1).await;
        },
        &async |host, _| {
            let _ = share(host, PATH).await;
        },
        &async |host, engine, am| {
            // Ended before it was shared again: stopped, as it was.
            if host.resource(&alice(), PATH).await.unwrap().is_none() {
                assert_eq!(get(engine, PATH).await, 0);
                share(host, PATH).await.unwrap();
            }
            active_once(host, engine, am).await;
        },
    );
}

#[test]
fn reconciling_survives() {
    let points = at_every_point(
        &async |host, am| {
            am.fail(am.creates(), Fault::LostAnswer);
            share(host, PATH).await.unwrap_err();
        },
        &async |host, _| {
            host.reconcile().await.unwrap();
        },
        &active_once,
    );
    assert!(
        points >= 18,
        "discovery, list, looking, telling, twice, and the steps: {points}"
    );
}

#[test]
fn connecting_survives() {
    for fault in [Fault::HangBefore, Fault::HangAfter] {
        let place = wait(Place::new());
        let url = place.url();
        let am = FakeAm::default();
        for call in ["GET /.well-known", "POST /register", "POST /token"] {
            am.fail(call, fault);
            process(&am, &url, async |host, _| connect(&host, &alice()).await);
        }
        process(&am, &url, async |host, _| {
            assert_eq!(host.connection(&alice()).await.unwrap(), None);
            connect(&host, &alice()).await;
            share(&host, PATH).await.unwrap();
        });
    }
}

/// The AM that a refusal names, with its status.
async fn who_decides(engine: &Engine, path: &str) -> (u16, Option<String>) {
    let request = http::Request::get(path).body(()).unwrap();
    let head = tower_warden::RequestHead::of(&request);
    let tower_warden::Verdict::Refuse(refusal) = engine.judge(&head).await else {
        return (0, None);
    };
    let response = refusal.into_response::<bytes::Bytes>();
    let named = response.headers().get("www-authenticate").map(|challenge| {
        let text = challenge.to_str().unwrap();
        let named = text.split_once("as_uri=\"");
        let rest = named.or_else(|| text.split_once("am_uri=\"")).unwrap().1;
        rest.split_once('"').unwrap().0.to_owned()
    });
    (response.status().as_u16(), named)
}

/// C-05, G-16: at every point exactly one AM decides, and in the end all is at one, and nothing at the other.
#[test]
fn moving_survives() {
    const SECOND: &str = "/people/alice/b";
    let points = at_every_point(
        &async |host, _| {
            share(host, PATH).await.unwrap();
            share(host, SECOND).await.unwrap();
        },
        &async |host, _| {
            let _ = move_there(host, &alice()).await;
            host.reconcile().await.unwrap();
        },
        &async |host, engine, am| {
            let mut ams = Vec::new();
            for path in [PATH, SECOND] {
                let row = host.resource(&alice(), path).await.unwrap().unwrap();
                let (status, named) = who_decides(engine, path).await;
                assert_eq!((status, row.state), (401, MapState::Active));
                assert_eq!(
                    named.as_deref(),
                    Some(row.am.as_str()),
                    "it is who is asked"
                );
                ams.push(row.am);
            }
            assert_eq!(ams[0], ams[1], "all of it, or nothing");
            for _ in 0..3 {
                host.reconcile().await.unwrap();
            }
            assert!(host.moving(&alice()).await.unwrap().is_none());
            let moved = who_decides(engine, PATH).await.1.unwrap() == OTHER_AM;
            let counts = (
                am.names("alice").len(),
                am.names("alice@other.example").len(),
            );
            assert_eq!(counts, if moved { (0, 2) } else { (2, 0) });
            assert!(host.leftovers(&alice()).await.unwrap().is_empty());
        },
    );
    assert!(points >= 60, "{points}");
}

/// G-15: denied from the commit on, and nothing half-wiped.
#[test]
fn disconnecting_survives() {
    at_every_point(
        &async |host, _| {
            share(host, PATH).await.unwrap();
        },
        &async |host, am| {
            host.disconnect(&alice()).await.unwrap();
            // The AM of 2012 takes nothing back.
            until(async || am.count("POST /revoke") == am.takes_back()).await;
        },
        &async |host, engine, am| {
            let connection = host.connection(&alice()).await.unwrap().unwrap();
            let row = host.resource(&alice(), PATH).await.unwrap().unwrap();
            let status = get(engine, PATH).await;
            if row.withheld {
                assert_eq!(connection.state, crate::ConnectionState::Disconnected);
                assert_eq!(status, 403);
                connect(host, &alice()).await;
            } else {
                assert_eq!(connection.state, crate::ConnectionState::Connected);
                assert_eq!(status, 401);
            }
            active_once(host, engine, am).await;
        },
    );
}

/// Many at once: what was committed is denied, and becomes active; nothing is registered twice.
#[test]
fn sharing_many_survives() {
    at_every_point(
        &async |_, _| {},
        &async |host, _| {
            let requests = ["a", "b", "c"]
                .map(|name| ShareRequest::new(format!("/people/alice/{name}"), name));
            let bulk = host.share_many(&alice(), requests.into()).await.unwrap();
            bulk.finished().await;
        },
        &async |host, engine, am| {
            let before = host.resources(&alice()).await.unwrap();
            assert!(before.is_empty() || before.len() == 3, "one transaction");
            for row in &before {
                let status = get(engine, &row.uri).await;
                assert_eq!(status == 401, row.state == MapState::Active, "{status}");
            }
            host.reconcile().await.unwrap();
            let after = host.resources(&alice()).await.unwrap();
            assert!(after.iter().all(|row| row.state == MapState::Active));
            assert_eq!(am.names("alice").len(), after.len());
            assert_eq!(
                host.reconcile().await.unwrap(),
                crate::Reconciled::default()
            );
        },
    );
}
