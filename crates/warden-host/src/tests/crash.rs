//! The process ends at every call to the AM, before and after the AM acts, and starts again on the same file.

use std::time::Duration;

use tower_warden::{Engine, MapState};

use crate::testing::{FakeAm, Fault, alice, clock, connect, get, host_over, share, store, until};
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

/// Prepares, then does `work` again and again, ended at each of its calls in each way, and checks each time.
fn at_every_call(
    prepare: &impl AsyncFn(&Host, &FakeAm),
    work: &impl AsyncFn(&Host, &FakeAm),
    check: &impl AsyncFn(&Host, &Engine, &FakeAm),
) -> usize {
    let mut calls = 0;
    for fault in [Fault::HangBefore, Fault::HangAfter] {
        for n in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let url = format!("sqlite://{}", folder.path().join("host.db").display());
            let am = FakeAm::default();
            process(&am, &url, async |host, _| {
                connect(&host, &alice()).await;
                prepare(&host, &am).await;
            });
            am.fail_nth(n, fault);
            process(&am, &url, async |host, _| work(&host, &am).await);
            let came_about = am.mend();
            process(&am, &url, async |host, engine| {
                check(&host, &engine, &am).await;
            });
            if !came_about {
                assert!(n > 0, "the work makes calls");
                break;
            }
            calls += 1;
        }
    }
    calls
}

async fn active_once(host: &Host, engine: &Engine, am: &FakeAm) {
    let row = host.resource(&alice(), PATH).await.unwrap().unwrap();
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
    let calls = at_every_call(
        &async |_, _| {},
        &async |host, _| {
            share(host, PATH).await.unwrap();
        },
        &active_once,
    );
    assert!(
        calls >= 6,
        "discovery, creation, reading back, twice: {calls}"
    );
}

#[test]
fn sharing_again_survives() {
    let changed = || ShareRequest::new(PATH, "Winter").scopes(["view"]);
    at_every_call(
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
            assert_eq!(row.scopes, ["view"]);
        },
    );
}

#[test]
fn stopping_survives() {
    at_every_call(
        &async |host, _| {
            share(host, PATH).await.unwrap();
        },
        &async |host, am| {
            host.stop_sharing(&alice(), PATH).await.unwrap();
            until(async || am.count("DELETE") == 1).await;
        },
        &async |host, engine, am| {
            assert_eq!(
                get(engine, PATH).await,
                0,
                "the host's own from the commit on"
            );
            host.reconcile().await.unwrap();
            assert!(am.names("alice").is_empty());
            assert!(host.resources(&alice()).await.unwrap().is_empty());
            // And what was stopped can be shared again.
            share(host, PATH).await.unwrap();
            active_once(host, engine, am).await;
        },
    );
}

#[test]
fn stopping_and_sharing_again_survives() {
    at_every_call(
        &async |host, am| {
            share(host, PATH).await.unwrap();
            am.fail("DELETE", Fault::Unreachable);
            host.stop_sharing(&alice(), PATH).await.unwrap();
            until(async || am.count("DELETE") == 1).await;
        },
        &async |host, _| {
            let _ = share(host, PATH).await;
        },
        &active_once,
    );
}

#[test]
fn reconciling_survives() {
    let calls = at_every_call(
        &async |host, am| {
            am.fail("POST /resources", Fault::LostAnswer);
            share(host, PATH).await.unwrap_err();
        },
        &async |host, _| {
            host.reconcile().await.unwrap();
        },
        &active_once,
    );
    assert!(
        calls >= 8,
        "discovery, list, looking, telling, reading back, twice: {calls}"
    );
}

#[test]
fn connecting_survives() {
    for fault in [Fault::HangBefore, Fault::HangAfter] {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("host.db").display());
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
