//! The figures that are promised: what sharing, listing, reconciling and starting cost.
//!
//! `cargo bench -p warden-host`. Times are of this machine; calls, changes and ratios are not.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench ends at what does not work"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tower_warden::{CanonicalPath, Engine, OwnerId, Unmapped, WardenLayer};
use uma_client::{Http, Issuer, ManualClock, TransportError};
use warden_host::store::Store as _;
use warden_host::web::{self, CurrentOwner, SignedIn};
use warden_host::{
    AmPolicy, AmSetting, AnyStore, AuthorizationAnswer, BoxError, Catalogue, Host, PatStrategy,
    ResourceQuery, ReturnPath, SealingKey, ShareRequest, Standing,
};

const HOME: &str = "https://home.example";
const AWAY: &str = "https://away.example";
const CONSENT: &str = "https://consent.example";
const MONTH: u64 = 30 * 24 * 3600;

/// AMs in memory, by the host name that they are called at.
#[derive(Clone, Default)]
struct Ams {
    resources: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>,
    calls: Arc<AtomicUsize>,
    number: Arc<AtomicUsize>,
    at_once: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Ams {
    fn http(&self) -> Http {
        let ams = self.clone();
        Http::new(move |request: Request<Bytes>| {
            let ams = ams.clone();
            async move {
                let now = ams.at_once.fetch_add(1, Ordering::SeqCst) + 1;
                ams.most.fetch_max(now, Ordering::SeqCst);
                tokio::task::yield_now().await;
                ams.at_once.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, TransportError>(ams.answer(&request))
            }
        })
    }

    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let host = request.uri().host().unwrap_or("").to_owned();
        let issuer = format!("https://{host}");
        let path = request.uri().path();
        if !path.starts_with("/.well-known") {
            self.calls.fetch_add(1, Ordering::SeqCst);
        }
        let number = self.number.fetch_add(1, Ordering::SeqCst);
        let mut resources = self.resources.lock().unwrap();
        let mine = resources.entry(host).or_default();
        match (request.method(), path) {
            (_, "/.well-known/uma2-configuration") => reply(
                200,
                &json!({
                    "issuer": issuer, "token_endpoint": format!("{issuer}/token"),
                    "authorization_endpoint": format!("{issuer}/authorize"),
                    "registration_endpoint": format!("{issuer}/register"),
                    "introspection_endpoint": format!("{issuer}/introspect"),
                    "permission_endpoint": format!("{issuer}/permission"),
                    "resource_registration_endpoint": format!("{issuer}/resources"),
                    "code_challenge_methods_supported": ["S256"],
                }),
            ),
            (_, "/register") => {
                let mut client: Value = serde_json::from_slice(request.body()).unwrap();
                client["client_id"] = json!("host");
                client["client_secret"] = json!("secret");
                reply(201, &client)
            }
            (_, "/token") => reply(
                200,
                &json!({ "access_token": format!("pat{number}"), "token_type": "Bearer", "expires_in": 3600,
                    "refresh_token": format!("refresh{number}"), "refresh_expires_in": MONTH }),
            ),
            (&Method::POST, "/resources") => {
                let id = format!("r{number}");
                mine.insert(id.clone());
                reply(201, &json!({ "_id": id }))
            }
            (&Method::GET, "/resources") => reply(200, &json!(mine)),
            (&Method::DELETE, path) => {
                mine.remove(path.trim_start_matches("/resources/"));
                reply(204, &Value::Null)
            }
            (_, path) => reply(
                200,
                &json!({ "_id": path.trim_start_matches("/resources/") }),
            ),
        }
    }

    /// How many calls there were since the last time.
    fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::SeqCst)
    }
}

fn reply(status: u16, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status.try_into().unwrap();
    if !body.is_null() {
        let json = "application/json".parse().unwrap();
        response.headers_mut().insert("content-type", json);
        *response.body_mut() = body.to_string().into();
    }
    response
}

/// `/people/{person}/…` is the person's.
struct People;

impl Catalogue for People {
    async fn owner_of(&self, path: &CanonicalPath<'_>) -> Result<Option<OwnerId>, BoxError> {
        Ok(path.segments().nth(1).map(OwnerId::new))
    }
}

async fn open(file: &str) -> AnyStore {
    let key = SealingKey::from_bytes(&[7; 32]).unwrap();
    AnyStore::open(&format!("sqlite://{file}"), key)
        .await
        .unwrap()
}

async fn open_host(ams: &Ams, store: AnyStore, clock: &ManualClock) -> (Host, Engine) {
    let setting =
        |issuer: &str, strategy| AmSetting::new(Issuer::parse(issuer).unwrap()).with_pat(strategy);
    let host = Host::builder(store)
        .http(ams.http())
        .callback_base("https://host.example/uma/callback".parse().unwrap())
        .ams(AmPolicy::Only(vec![
            setting(HOME, PatStrategy::HostCredentials),
            setting(AWAY, PatStrategy::HostCredentials),
            setting(CONSENT, PatStrategy::OwnerConsent),
        ]))
        .catalogue(People)
        .clock(Arc::new(clock.clone()))
        .background_rate(u32::MAX)
        .build()
        .await
        .unwrap();
    let layer = WardenLayer::builder()
        .maps(host.maps())
        .protection(host.protection())
        .guard("/people", Unmapped::Pass)
        .build()
        .unwrap();
    host.attach(layer.engine().clone());
    (host, layer.engine().clone())
}

/// Every change of what enforcement reads: the write transactions of sharing.
async fn changes(store: &AnyStore) -> i64 {
    store.changes_since(i64::MAX - 1).await.unwrap().epoch
}

fn some(owner: &str, count: usize) -> Vec<ShareRequest> {
    (0..count)
        .map(|number| {
            let kind = if number % 2 == 0 { "Album" } else { "Letter" };
            let path = format!("/people/{owner}/things/{number:06}");
            ShareRequest::new(path, format!("{kind} {number}"))
        })
        .collect()
}

async fn connect(host: &Host, owner: &OwnerId) {
    let back = ReturnPath::parse("/").unwrap();
    host.begin_connect(owner, "s", HOME, &back).await.unwrap();
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn line(what: &str, figure: &str, promised: &str) {
    println!("{what:<58} {figure:>34}   {promised}");
}

/// The middle one of some times.
async fn median(rounds: usize, mut work: impl AsyncFnMut()) -> Duration {
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let begin = Instant::now();
        work().await;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    times[rounds / 2]
}

async fn sharing(host: &Host, ams: &Ams, store: &AnyStore, maps: usize) {
    let carol = OwnerId::new("carol");
    let mut number = 0;
    ams.calls();
    let before = changes(store).await;
    let rounds = 200;
    let time = median(rounds, async || {
        number += 1;
        let path = format!("/people/carol/{maps}/{number}");
        host.share(&carol, ShareRequest::new(path, "One"))
            .await
            .unwrap();
    })
    .await;
    let per = |count: f64| format!("{:.2}", count / rounds as f64);
    let calls = per(ams.calls() as f64);
    let transactions = per((changes(store).await - before) as f64);
    line(
        &format!("share one, beside {maps} others"),
        &format!("{calls} calls, {transactions} transactions, {}", ms(time)),
        "1 call, 1 transaction (pending; + 1 activation)",
    );
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.db").display().to_string();
        let clock = ManualClock::new(SystemTime::now());
        let ams = Ams::default();
        let store = open(&file).await;
        let (host, engine) = open_host(&ams, store.clone(), &clock).await;
        let (alice, carol) = (OwnerId::new("alice"), OwnerId::new("carol"));
        for owner in [&alice, &carol] {
            connect(&host, owner).await;
        }
        sharing(&host, &ams, &store, 0).await;

        let before = changes(&store).await;
        ams.calls();
        ams.most.store(0, Ordering::SeqCst);
        let begin = Instant::now();
        let bulk = host
            .share_many(&alice, some("alice", 10_000))
            .await
            .unwrap();
        let committed = begin.elapsed();
        let done = bulk.finished().await;
        assert_eq!(done.active, 10_000);
        let transactions = (changes(&store).await - before) as f64 / 10_000.0;
        line("share 10 000 at once: all denied after", &ms(committed), "");
        line(
            "share 10 000 at once: all active",
            &format!(
                "{} ({} at once)",
                ms(begin.elapsed()),
                ams.most.load(Ordering::SeqCst)
            ),
            "no burst",
        );
        line(
            "share 10 000 at once: per resource",
            &format!(
                "{:.2} calls, {transactions:.3} transactions",
                ams.calls() as f64 / 10_000.0
            ),
            "1 call, 1 transaction",
        );

        for (what, query) in [
            ("first page", ResourceQuery::new()),
            ("last page", ResourceQuery::new().page(200)),
            ("search", ResourceQuery::new().search("letter 77")),
            ("problems", ResourceQuery::new().standing(Standing::Problem)),
        ] {
            let time = median(50, async || {
                host.resources_page(&alice, &query).await.unwrap();
            })
            .await;
            line(
                &format!("list page with 10 000 resources: {what}"),
                &ms(time),
                "< 20 ms",
            );
        }

        pages(&host).await;

        ams.calls();
        let before = changes(&store).await;
        let begin = Instant::now();
        let drift = host.check_drift(&alice).await.unwrap();
        assert!(drift.missing.is_empty() && drift.shared >= 10_000);
        host.reconcile().await.unwrap();
        line(
            "reconcile 10 000 in step",
            &format!(
                "{} calls, {} writes, {}",
                ams.calls(),
                changes(&store).await - before,
                ms(begin.elapsed())
            ),
            "1 call per owner, no write",
        );

        let begin = Instant::now();
        let back = ReturnPath::parse("/").unwrap();
        host.begin_move(&alice, "s", AWAY, &back).await.unwrap();
        while host.moving(&alice).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        line("move 10 000 to another AM", &ms(begin.elapsed()), "");
        let begin = Instant::now();
        assert!(host.disconnect(&alice).await.unwrap().withheld >= 10_000);
        line(
            "disconnect with 10 000: all denied after",
            &ms(begin.elapsed()),
            "",
        );

        for number in 0..9 {
            let owner = format!("owner{number}");
            connect(&host, &OwnerId::new(&*owner)).await;
            let bulk = host
                .share_many(&OwnerId::new(&*owner), some(&owner, 10_000))
                .await
                .unwrap();
            assert_eq!(bulk.finished().await.active, 10_000);
        }
        sharing(&host, &ams, &store, 100_000).await;
        drop((host, engine));
        store.close().await;
        let begin = Instant::now();
        let store = open(&file).await;
        let (host, engine) = open_host(&ams, store.clone(), &clock).await;
        line("start with 100 000 maps", &ms(begin.elapsed()), "< 1 s");
        assert!(
            host.maps()
                .snapshot()
                .is_some_and(|maps| maps.len() >= 100_000)
        );
        drop(engine);

        idle_owners(&host, &ams, &clock).await;
    });
}

/// Alice is signed in, always.
#[derive(Clone)]
struct Alice;

impl CurrentOwner for Alice {
    async fn current(&self, _: &Parts) -> Option<SignedIn> {
        Some(SignedIn::new(OwnerId::new("alice"), "s"))
    }

    fn sign_in_path(&self) -> &str {
        "/login"
    }
}

/// The pages as a browser asks for them, from the request to the last octet.
async fn pages(host: &Host) {
    let router = web::router(host.clone(), Alice).build().unwrap();
    for (what, path) in [
        ("first page", "/uma/resources"),
        ("last page", "/uma/resources?page=200"),
        ("search", "/uma/resources?q=letter+77"),
        ("problems", "/uma/resources?state=problem"),
        (
            "of one resource",
            "/uma/resource?uri=/people/alice/things/000001",
        ),
        ("of problems", "/uma/problems"),
    ] {
        let time = median(50, async || {
            let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            let body = response.into_body().collect().await.unwrap();
            assert!(body.to_bytes().len() > 1000);
        })
        .await;
        line(
            &format!("GET with 10 000 resources: {what}"),
            &ms(time),
            "< 20 ms",
        );
    }
}

/// Owners whom nobody visits.
async fn idle_owners(host: &Host, ams: &Ams, clock: &ManualClock) {
    const OWNERS: usize = 10_000;
    let back = ReturnPath::parse("/").unwrap();
    for number in 0..OWNERS {
        let owner = OwnerId::new(format!("idle{number}"));
        let url = host
            .begin_connect(&owner, "s", CONSENT, &back)
            .await
            .unwrap();
        let value = |name: &str| {
            let mut pairs = url.query_pairs();
            pairs.find(|(key, _)| key == name).unwrap().1.into_owned()
        };
        let answer = AuthorizationAnswer::new()
            .with_state(value("state"))
            .with_code("code");
        let redirect = value("redirect_uri");
        let key = redirect.rsplit('/').next().unwrap();
        host.finish_connect(&owner, "s", key, answer).await.unwrap();
    }
    ams.calls();
    let time = median(20, async || {
        host.keep_alive().await.unwrap();
    })
    .await;
    line(
        &format!("{OWNERS} idle owners, none due"),
        &format!("{} calls, {}", ams.calls(), ms(time)),
        "0 calls",
    );
    let (mut renewed, begin) = (0, Instant::now());
    for _ in 0..30 {
        clock.advance(Duration::from_secs(24 * 3600));
        renewed += host.keep_alive().await.unwrap().renewed;
    }
    line(
        &format!("{OWNERS} idle owners, a month, tokens that live a month"),
        &format!(
            "{:.2} calls each ({:.2} ms each)",
            renewed as f64 / OWNERS as f64,
            begin.elapsed().as_secs_f64() * 1000.0 / renewed.max(1) as f64
        ),
        "< 2: one in each half life",
    );
    assert_eq!(ams.calls(), renewed);
}
