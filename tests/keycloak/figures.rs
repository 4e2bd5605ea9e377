//! What Warden costs Keycloak and requests: `benches/keycloak.sh` runs it and prints the tables of `docs/performance.md`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use axum::routing::get;
use bytes::Bytes;
use reqwest::Method;
use serde_json::json;
use tower::ServiceExt as _;
use tower_warden::{
    CanonicalPath, LiveDecisions, MemoryMaps, OneAm, OwnerId, Unmapped, WardenLayer,
};
use uma_client::{
    AmProfile, ClientCredentials, Http, Issuer, ReqwestTransport, Transport as _, TransportError,
};

use crate::realm::Realm;
use crate::shared::text;

const PATHS: [(&str, &str); 2] = [("/data/alice", "alice"), ("/data/bob", "bob")];

/// What the host has sent to Keycloak, by endpoint.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<BTreeMap<String, usize>>>);

impl Calls {
    fn take(&self) -> usize {
        let calls = std::mem::take(&mut *self.0.lock().unwrap());
        calls.values().sum()
    }

    fn of(&self, end: &str) -> usize {
        let calls = self.0.lock().unwrap();
        calls
            .iter()
            .filter(|(path, _)| path.ends_with(end))
            .map(|(_, count)| count)
            .sum()
    }
}

struct Bench {
    realm: Realm,
    app: Router,
    calls: Calls,
    ids: Vec<String>,
}

impl Bench {
    /// A service with the resources of two owners, that bob may read.
    async fn new(live: LiveDecisions) -> Option<Self> {
        let realm = Realm::fresh().await?;
        let calls = Calls::default();
        let seen = calls.clone();
        let transport = Arc::new(ReqwestTransport::new().unwrap());
        let http = Http::new(move |request: Request<Bytes>| {
            let path = request.uri().path().to_owned();
            *seen.0.lock().unwrap().entry(path).or_default() += 1;
            let transport = Arc::clone(&transport);
            async move {
                let limits = uma_client::Limits::new(Duration::from_secs(5), 1 << 20);
                transport.send(request, limits).await as Result<_, TransportError>
            }
        });
        let client = ClientCredentials::basic("host-one", "host-one-secret");
        let am = OneAm::builder(Issuer::parse(&realm.issuer).unwrap(), client)
            .profile(AmProfile::keycloak())
            .allow_insecure_http()
            .live_decisions(live)
            .http(http)
            .build()
            .unwrap();
        let maps = MemoryMaps::new();
        let mut ids = Vec::new();
        for (path, owner) in PATHS {
            let path = CanonicalPath::parse(path).unwrap();
            let name = format!("of {owner}");
            let map = am.register(path, OwnerId::new(owner), &name).await.unwrap();
            ids.push(map.resource_id().as_str().to_owned());
            maps.insert(map);
        }
        let warden = WardenLayer::builder()
            .maps(maps)
            .protection(am)
            .guard("/data", Unmapped::Deny)
            .build()
            .unwrap();
        let app = Router::new()
            .route("/data/{owner}", get(|| async { "ok" }))
            .layer(warden);
        let this = Self {
            realm,
            app,
            calls,
            ids,
        };
        this.permit_bob().await;
        Some(this)
    }

    async fn permit_bob(&self) {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "host-one"),
            ("client_secret", "host-one-secret"),
        ];
        let (_, pat) = self.realm.token(&form, None).await;
        let pat = text(&pat, "access_token");
        for id in &self.ids {
            let policy = json!({"name": id, "scopes": ["view"], "users": ["bob"]});
            let url = format!("{}/authz/protection/uma-policy/{id}", self.realm.issuer);
            let made = crate::realm::plain()
                .request(Method::POST, url)
                .bearer_auth(&pat)
                .json(&policy)
                .send()
                .await
                .unwrap();
            assert_eq!(made.status(), 200);
        }
    }

    /// RPTs of bob's for both resources.
    async fn rpts(&self, count: usize) -> Vec<String> {
        let bearer = text(
            &self.realm.sign_in("requester", "bob").await,
            "access_token",
        );
        let wanted: Vec<String> = self.ids.iter().map(|id| format!("{id}#view")).collect();
        let mut form = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:uma-ticket"),
            ("audience", "host-one"),
        ];
        form.extend(wanted.iter().map(|one| ("permission", one.as_str())));
        let mut rpts = Vec::with_capacity(count);
        for _ in 0..count {
            let (status, granted) = self.realm.token(&form, Some(&bearer)).await;
            assert_eq!(status, 200, "{granted}");
            rpts.push(text(&granted, "access_token"));
        }
        rpts
    }

    async fn get(&self, n: usize, token: &str) -> (u16, Duration) {
        let request = Request::builder()
            .uri(PATHS[n % PATHS.len()].0)
            .header("authorization", format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap();
        let begun = Instant::now();
        let response: Response<Body> = self.app.clone().oneshot(request).await.unwrap();
        (response.status().as_u16(), begun.elapsed())
    }

    /// Sends `count` requests evenly over `time`, with one token after the other: all are let in.
    async fn paced(&self, rpts: &[String], count: usize, time: Duration) {
        let begun = tokio::time::Instant::now();
        for n in 0..count {
            let due = begun + time * u32::try_from(n).unwrap() / u32::try_from(count).unwrap();
            tokio::time::sleep_until(due).await;
            let (status, _) = self.get(n, &rpts[n % rpts.len()]).await;
            assert_eq!(status, 200);
        }
    }
}

/// Median, 99th percentile and greatest, in microseconds.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_micros();
    format!("{} / {} / {} µs", at(50), at(99), at(100))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes two minutes; benches/keycloak.sh runs it"]
async fn figures() {
    const REQUESTS: usize = 10_000;
    const TIME: Duration = Duration::from_secs(30);
    let Some(bench) = Bench::new(LiveDecisions::never()).await else {
        return;
    };
    let bench = Arc::new(bench);
    let rpts = bench.rpts(100).await;
    for rpt in &rpts {
        bench.get(0, rpt).await;
    }
    // Warm.
    tokio::time::sleep(Duration::from_secs(11)).await;

    bench.calls.take();
    bench.paced(&rpts[..1], REQUESTS, TIME).await;
    println!(
        "| 10 000 allowed requests in 30 s, one RPT, two owners' resources | {} calls |",
        bench.calls.take()
    );
    bench.paced(&rpts, REQUESTS, TIME).await;
    println!("| the same with 100 RPTs | {} calls |", bench.calls.take());

    let mut hits = Vec::new();
    for n in 0..REQUESTS {
        let (status, time) = bench.get(n, &rpts[n % 100]).await;
        assert_eq!(status, 200);
        hits.push(time);
    }
    println!("| a hit, median / p99 / greatest | {} |", spread(hits));
    println!(
        "| a miss, one at a time | {} |",
        spread(misses(&bench).await)
    );
    storm(&bench, &rpts[0]).await;
    if let Some(live) = Bench::new(LiveDecisions::always()).await {
        misses(&live).await;
        live.calls.take();
        println!(
            "| a miss with a live decision | {} |",
            spread(misses(&live).await)
        );
    }
}

/// The first requests with fresh RPTs.
async fn misses(bench: &Bench) -> Vec<Duration> {
    let mut times = Vec::new();
    for rpt in bench.rpts(200).await {
        let (status, time) = bench.get(0, &rpt).await;
        assert_eq!(status, 200);
        times.push(time);
    }
    times
}

/// 1 000 made-up tokens a second for 10 s, while a good one goes on 100 times a second.
async fn storm(bench: &Arc<Bench>, good: &str) {
    static MADE_UP: AtomicUsize = AtomicUsize::new(0);
    tokio::time::sleep(Duration::from_secs(3)).await;
    bench.calls.take();
    let begun = tokio::time::Instant::now();
    let attack = Arc::clone(bench);
    let attack = tokio::spawn(async move {
        let mut at_work = tokio::task::JoinSet::new();
        for tick in 0..1000_u32 {
            tokio::time::sleep_until(begun + Duration::from_millis(10) * tick).await;
            for _ in 0..10 {
                let bench = Arc::clone(&attack);
                at_work.spawn(async move {
                    let n = MADE_UP.fetch_add(1, Ordering::Relaxed);
                    bench.get(n, &format!("made-up-{n}")).await.0
                });
            }
        }
        let mut answers: BTreeMap<u16, usize> = BTreeMap::new();
        while let Some(status) = at_work.join_next().await {
            *answers.entry(status.unwrap()).or_default() += 1;
        }
        answers
    });
    let mut times = Vec::new();
    let mut refused = 0;
    for tick in 0..1000_u32 {
        tokio::time::sleep_until(begun + Duration::from_millis(10) * tick).await;
        let (status, time) = bench.get(0, good).await;
        refused += usize::from(status != 200);
        times.push(time);
    }
    let answers = attack.await.unwrap();
    let introspections = bench.calls.of("/introspect");
    let tickets = bench.calls.of("/permission");
    println!(
        "| a storm of 1 000 bad tokens a second for 10 s: introspections at Keycloak | {introspections} |"
    );
    println!("| tickets at Keycloak | {tickets} |");
    println!("| answers to the storm, by status | {answers:?} |");
    println!("| a good RPT meanwhile: refused of 1 000 | {refused} |");
    println!("| its median / p99 / greatest | {} |", spread(times));
}
