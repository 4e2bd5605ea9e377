//! A process that is killed (SIGKILL) in the middle of its work, again and again, over a real file and real AMs.
//!
//! The test runs itself once more, with a variable that makes it the host. After each kill the parent opens the file as
//! the next start would, and looks whether what the store says and what the AMs have can be brought together.

#![allow(clippy::unwrap_used, reason = "a test ends at what does not work")]

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tower_warden::{
    CanonicalPath, Engine, MapState, OwnerId, RequestHead, Unmapped, Verdict, WardenLayer,
};
use uma_client::{ClientCredentials, Issuer};
use warden_am::{ClientSpec, Script, WardenAm};
use warden_host::{
    AmPolicy, AmSetting, AnyStore, BoxError, Catalogue, Host, PatStrategy, ReturnPath, SealingKey,
    ShareRequest,
};

const CHILD: &str = "WARDEN_HOST_KILLED_CHILD";
/// How long what a killed process has claimed stays claimed.
const WORK_LEASE: Duration = Duration::from_millis(300);
/// How many times the process is killed.
const KILLS: u64 = 24;

struct Mine;

impl Catalogue for Mine {
    async fn owner_of(&self, path: &CanonicalPath<'_>) -> Result<Option<OwnerId>, BoxError> {
        Ok((path.segments().next() == Some("mine")).then(alice))
    }
}

fn alice() -> OwnerId {
    OwnerId::new("alice")
}

async fn host(file: &str, ams: &[String]) -> (Host, Engine) {
    let key = SealingKey::from_bytes(&[7; 32]).unwrap();
    let store = AnyStore::open(&format!("sqlite://{file}"), key)
        .await
        .unwrap();
    let settings = ams
        .iter()
        .map(|issuer| {
            AmSetting::new(Issuer::parse(issuer).unwrap())
                .with_credentials(ClientCredentials::basic("host", "secret"))
                .with_allow_insecure(true)
                .with_pat(PatStrategy::HostCredentials)
        })
        .collect();
    let host = Host::builder(store)
        .callback_base("https://host.example/uma/callback".parse().unwrap())
        .ams(AmPolicy::Only(settings))
        .catalogue(Mine)
        .background_rate(10_000)
        .work_lease(WORK_LEASE)
        // Nobody serves here but the process itself.
        .wait_for_nodes(Duration::ZERO)
        .build()
        .await
        .unwrap();
    let layer = WardenLayer::builder()
        .maps(host.maps())
        .protection(host.protection())
        .guard("/mine", Unmapped::Pass)
        .build()
        .unwrap();
    host.attach(layer.engine().clone());
    (host, layer.engine().clone())
}

/// The work of the process that is killed: it never ends by itself.
#[test]
#[ignore = "run by the other test, in a process of its own"]
fn child() {
    let Ok(told) = std::env::var(CHILD) else {
        return;
    };
    let mut told = told.split(' ').map(str::to_owned);
    let (file, round) = (told.next().unwrap(), told.next().unwrap());
    let ams: Vec<String> = told.collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (host, _) = host(&file, &ams).await;
        let _reconciler = host.spawn_reconciler(Duration::from_millis(5));
        for turn in 0.. {
            let path = |number: usize| format!("/mine/{round}/{turn}/{number}");
            for number in 0..4 {
                let _ = host
                    .share(&alice(), ShareRequest::new(path(number), "One"))
                    .await;
            }
            let many = (4..40).map(|number| ShareRequest::new(path(number), "Many"));
            if let Ok(bulk) = host.share_many(&alice(), many.collect()).await {
                bulk.finished().await;
            }
            let _ = host.stop_sharing(&alice(), &path(0)).await;
            let stopped: Vec<_> = (2..20).map(path).collect();
            let _ = host.stop_many(&alice(), &stopped).await;
            let _ = host
                .share(&alice(), ShareRequest::new(path(0), "Again"))
                .await;
            let to = if turn % 2 == 0 { &ams[1] } else { &ams[0] };
            let back = ReturnPath::parse("/").unwrap();
            let _ = host.begin_move(&alice(), "s", to, &back).await;
        }
    });
}

fn start(file: &str, round: u64, ams: &[String]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(CHILD, format!("{file} {round} {}", ams.join(" ")))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

async fn am() -> (String, Script) {
    warden_canary::listen();
    warden_canary::planted("secrets of warden-am, by a child");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let client = ClientSpec::new("host")
        .secret("secret")
        .scope("uma_protection");
    let am = WardenAm::builder(&issuer)
        .client(client)
        .secret_prefix(warden_canary::MARK)
        .build()
        .unwrap();
    let script = am.script();
    tokio::spawn(am.serve(listener, std::future::pending()));
    (issuer, script)
}

async fn status(engine: &Engine, path: &str) -> u16 {
    let request = http::Request::get(path).body(()).unwrap();
    match engine.judge(&RequestHead::of(&request)).await {
        Verdict::Refuse(refusal) => refusal.status().as_u16(),
        _ => 0,
    }
}

/// Brings all together as the next start would, and looks whether that went well. Gives how much is shared, and whether
/// anything was left undone.
async fn check(file: &str, ams: &[String], scripts: &[Arc<Script>]) -> (usize, bool) {
    let (host, engine) = host(file, ams).await;
    let undone = host.moving(&alice()).await.unwrap().is_some()
        || !host.leftovers(&alice()).await.unwrap().is_empty()
        || host
            .resources(&alice())
            .await
            .unwrap()
            .iter()
            .any(|resource| resource.state != MapState::Active);
    // As it was when the process was killed: nothing lets anybody in that the store does not say.
    for resource in host.resources(&alice()).await.unwrap().iter().take(40) {
        let expected = if resource.state == MapState::Active {
            401
        } else {
            403
        };
        assert_eq!(
            status(&engine, &resource.uri).await,
            expected,
            "{resource:?}"
        );
    }
    tokio::time::sleep(WORK_LEASE).await;
    for _ in 0..6 {
        host.reconcile().await.unwrap();
    }
    assert_eq!(host.moving(&alice()).await.unwrap(), None);
    assert_eq!(host.leftovers(&alice()).await.unwrap(), []);
    let shared = host.resources(&alice()).await.unwrap();
    for resource in &shared {
        assert_eq!(
            (resource.state, &resource.problem),
            (MapState::Active, &None)
        );
    }
    for (issuer, script) in ams.iter().zip(scripts) {
        let here: BTreeSet<String> = shared
            .iter()
            .filter(|resource| resource.am.as_str() == issuer)
            .filter_map(|resource| resource.resource_id.clone())
            .collect();
        let there: Vec<String> = script
            .list_resources("host")
            .into_iter()
            .map(|one| one.id)
            .collect();
        assert_eq!(
            there.len(),
            here.len(),
            "nothing twice, nothing left behind"
        );
        assert_eq!(there.into_iter().collect::<BTreeSet<_>>(), here);
    }
    let ams_in_use: BTreeSet<_> = shared.iter().map(|resource| resource.am.as_str()).collect();
    assert!(ams_in_use.len() <= 1, "all is at one AM");
    (shared.len(), undone)
}

#[test]
fn a_process_that_is_killed_leaves_nothing_undone() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.db").display().to_string();
    runtime.block_on(async {
        let (first, one) = am().await;
        let (second, two) = am().await;
        let ams = [first, second];
        let scripts = [Arc::new(one), Arc::new(two)];
        {
            let (host, _) = host(&file, &ams).await;
            let back = ReturnPath::parse("/").unwrap();
            host.begin_connect(&alice(), "s", &ams[0], &back)
                .await
                .unwrap();
        }
        let (mut shared, mut undone) = (0, 0);
        let mut seed = 0x9e37_79b9_u64;
        for round in 0..KILLS {
            let mut child = start(&file, round, &ams);
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(round | 1);
            let before = calls(&scripts);
            while calls(&scripts) == before {
                assert_eq!(
                    child.try_wait().unwrap(),
                    None,
                    "it works until it is killed"
                );
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // Somewhere in the middle of its work.
            tokio::time::sleep(Duration::from_micros((seed >> 33) % 150_000)).await;
            child.kill().unwrap();
            child.wait().unwrap();
            let (now, was_undone) = check(&file, &ams, &scripts).await;
            shared = now;
            undone += u64::from(was_undone);
        }
        assert!(shared > 0, "it did something");
        assert!(
            undone > KILLS / 4,
            "it was killed in the middle of things: {undone}"
        );
    });
}

fn calls(scripts: &[Arc<Script>]) -> usize {
    let of = |script: &Arc<Script>| script.calls(warden_am::Endpoint::Resource);
    scripts.iter().map(of).sum()
}
