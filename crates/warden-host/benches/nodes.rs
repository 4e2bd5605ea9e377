//! What many nodes on one Postgres cost: loading, spreading, looking up.
//!
//! `cargo bench -p warden-host --features postgres --bench nodes [-- MAPS]`, a million maps by default. The server is the one
//! at `WARDEN_TEST_POSTGRES`, or one that `scripts/postgres` starts and that ends with this. Each measurement of memory is of
//! a process of its own: this program, started again.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench ends at what does not work"
)]

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tower_warden::{
    CanonicalPath, Lookup, OwnerId, Resolution, ResourceMaps as _, Site, Target, Unmapped,
    WardenLayer,
};
use uma_client::{Http, Issuer, TransportError};
use warden_host::{
    AmPolicy, AmSetting, AnyStore, BoxError, Catalogue, Host, MapsMode, PatStrategy, ReturnPath,
    SealingKey, ShareRequest,
};

const AM: &str = "https://am.example";
const DATABASE: &str = "warden_bench";

/// An AM in memory that knows whatever it is asked for.
fn am() -> Http {
    Http::new(|request: Request<Bytes>| async move {
        let answer = match (request.method(), request.uri().path()) {
            (_, "/.well-known/uma2-configuration") => json!({
                "issuer": AM, "token_endpoint": format!("{AM}/token"),
                "authorization_endpoint": format!("{AM}/authorize"),
                "registration_endpoint": format!("{AM}/register"),
                "introspection_endpoint": format!("{AM}/introspect"),
                "permission_endpoint": format!("{AM}/permission"),
                "resource_registration_endpoint": format!("{AM}/resources"),
            }),
            (_, "/register") => {
                let mut client: Value = serde_json::from_slice(request.body()).unwrap();
                client["client_id"] = json!("host");
                client["client_secret"] = json!("secret");
                client
            }
            (_, "/token") => {
                json!({ "access_token": "pat", "token_type": "Bearer", "expires_in": 36_000 })
            }
            (&Method::POST, "/resources") => {
                let number: u64 = SEED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                json!({ "_id": format!("r{number}") })
            }
            (&Method::GET, "/resources") => json!([]),
            (_, path) => json!({ "_id": path.trim_start_matches("/resources/") }),
        };
        let created = [Method::POST].contains(request.method())
            && matches!(request.uri().path(), "/resources" | "/register");
        let mut response = Response::new(Bytes::from(answer.to_string()));
        *response.status_mut() = if created { 201 } else { 200 }.try_into().unwrap();
        let json = "application/json".parse().unwrap();
        response.headers_mut().insert("content-type", json);
        Ok::<_, TransportError>(response)
    })
}

static SEED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// `/people/{person}/…` is the person's.
struct People;

impl Catalogue for People {
    async fn owner_of(&self, path: &CanonicalPath<'_>) -> Result<Option<OwnerId>, BoxError> {
        Ok(path.segments().nth(1).map(OwnerId::new))
    }
}

async fn node(url: &str, mode: MapsMode) -> Host {
    let key = SealingKey::from_bytes(&[7; 32]).unwrap();
    let store = AnyStore::open(url, key).await.unwrap();
    let setting = AmSetting::new(Issuer::parse(AM).unwrap()).with_pat(PatStrategy::HostCredentials);
    let host = Host::builder(store)
        .http(am())
        .callback_base("https://host.example/uma/callback".parse().unwrap())
        .ams(AmPolicy::Only(vec![setting]))
        .catalogue(People)
        .background_rate(u32::MAX)
        .maps(mode)
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
    host
}

async fn run(url: &str, sql: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection);
    done.await.unwrap();
    connection.close().await.unwrap();
}

async fn number(url: &str, sql: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
    let number = number.fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    number
}

/// A path of the many: a hundred to each person.
fn path_of(number: u64) -> String {
    format!(
        "/people/person{}/albums/summer/photos/{number}",
        number / 100
    )
}

/// As many maps as asked for, each like one that was shared.
async fn fill(server: &str, url: &str, maps: u64) {
    run(
        server,
        &format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"),
    )
    .await;
    run(
        server,
        &format!("CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8'"),
    )
    .await;
    let host = node(url, MapsMode::Snapshot).await;
    let owner = OwnerId::new("person0");
    let back = ReturnPath::parse("/").unwrap();
    host.begin_connect(&owner, "s", AM, &back).await.unwrap();
    let first = ShareRequest::new("/people/person0/first", "The first");
    host.share(&owner, first).await.unwrap();
    host.leave().await.unwrap();
    run(
        url,
        &format!(
            "BEGIN; UPDATE warden_epoch SET value = value + 1; \
             INSERT INTO warden_resource_map (site, path_key, subtree, owner, am_key, resource_id, marker, name, \
                scopes, state, synced, perhaps, attempts, next_try, generation, changed_epoch, created, updated, search) \
             SELECT site, '/people/person' || (n / 100) || '/albums/summer/photos/' || n, FALSE, 'person' || (n / 100), am_key, \
                gen_random_uuid()::text, gen_random_uuid()::text, 'Photo ' || n, scopes, 'active', TRUE, FALSE, 0, 0, 1, \
                (SELECT value FROM warden_epoch), created, updated, 'photo ' || n \
             FROM warden_resource_map, generate_series(0, {}) n; COMMIT; ANALYZE",
            maps - 1
        ),
    )
    .await;
}

fn line(what: &str, figure: &str, target: &str) {
    println!("{what:<64} {figure:>34}   {target}");
}

/// Resident memory, now and at most, in KiB.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or_default()
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// In a process of its own: loads, and says what that took.
async fn load(url: &str) {
    let (before, _) = memory();
    let begun = Instant::now();
    let host = node(url, MapsMode::Snapshot).await;
    let took = begun.elapsed();
    let (after, most) = memory();
    let maps = host.maps().snapshot().unwrap().len();
    println!("{maps} {} {before} {after} {most}", took.as_millis());
    host.leave().await.unwrap();
}

fn loading(server: &str, maps: u64) {
    let program = std::env::current_exe().unwrap();
    for _ in 0..3 {
        let output = Command::new(&program)
            .args(["load", server])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let figures: Vec<u64> = text
            .split_whitespace()
            .map(|figure| figure.parse().unwrap())
            .collect();
        let [loaded, ms, before, after, most] = figures[..] else {
            panic!("{text}")
        };
        assert_eq!(loaded, maps + 1);
        let figure = format!(
            "{ms} ms, {} MiB more ({} at most)",
            (after - before) / 1024,
            most / 1024
        );
        let target = if maps == 1_000_000 {
            "< 3 s, < 400 MiB"
        } else {
            ""
        };
        line(&format!("snapshot of {maps} maps loaded"), &figure, target);
    }
}

fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() * part / 1000).min(times.len() - 1)];
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    format!(
        "p50 {:.1}, p99 {:.1}, most {:.1} ms",
        ms(at(500)),
        ms(at(990)),
        ms(at(1000))
    )
}

fn looks_up(host: &Host, path: &str) -> bool {
    let path = CanonicalPath::parse(path).unwrap();
    let site = Site::default();
    match host.maps().find(&Target::new(&site, &path, &Method::GET)) {
        Lookup::Ready(found) => matches!(found, Ok(Resolution::Mapped(_))),
        Lookup::Later(_) => panic!("a snapshot waits for nothing"),
    }
}

/// A hundred changes a second on one node; when each holds on the other.
async fn spreading(url: &str, maps: u64) {
    let one = node(url, MapsMode::Snapshot)
        .await
        .with_patience(Duration::ZERO);
    let other = node(url, MapsMode::Snapshot).await;
    while !other.status().hears {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let owner = OwnerId::new("person0");
    let mut due = tokio::time::interval(Duration::from_millis(10));
    let mut waiting = Vec::new();
    for number in 0..2000_u64 {
        due.tick().await;
        let (one, other, owner) = (one.clone(), other.clone(), owner.clone());
        // Each is a path of its own, so that none hides another.
        let shares = number >= 100;
        let path = if shares {
            format!("/people/person0/new/{number}")
        } else {
            path_of(number)
        };
        waiting.push(tokio::spawn(async move {
            let begun = Instant::now();
            let called = path.clone();
            let call = tokio::spawn(async move {
                if shares {
                    let new = ShareRequest::new(called, "New");
                    one.share(&owner, new).await.map(|_| ())
                } else {
                    one.stop_sharing(&owner, &called).await.map(|_| ())
                }
            });
            while looks_up(&other, &path) != shares {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let took = begun.elapsed();
            call.await.unwrap().unwrap();
            took
        }));
    }
    let begun = Instant::now();
    let mut times = Vec::with_capacity(waiting.len());
    for waiting in waiting {
        times.push(waiting.await.unwrap());
    }
    line(
        &format!("a change holds on another node, 100 a second, {maps} maps"),
        &quantiles(times),
        "p99 < 1 s",
    );
    assert!(begun.elapsed() < Duration::from_secs(5), "it fell behind");
    one.leave().await.unwrap();
    other.leave().await.unwrap();
}

/// Numbers that look like chance (splitmix64).
fn chance(state: &mut u64, end: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % end
}

async fn looked_up(host: &Host, path: &str) {
    let path = CanonicalPath::parse(path).unwrap();
    let site = Site::default();
    match host.maps().find(&Target::new(&site, &path, &Method::GET)) {
        Lookup::Ready(found) => assert!(matches!(found, Ok(Resolution::Mapped(_)))),
        Lookup::Later(found) => assert!(matches!(found.await, Ok(Resolution::Mapped(_)))),
    }
}

/// Look-ups of which a part is for paths that are kept; eight at once, as requests come.
async fn reading_through(url: &str, maps: u64) {
    const HOT: u64 = 1000;
    const AT_ONCE: u64 = 8;
    for (percent, count) in [(1, 2000), (10, 2000), (90, 8000), (100, 200_000)] {
        let host = Arc::new(node(url, MapsMode::ReadThrough { capacity: 100_000 }).await);
        for number in 0..HOT {
            looked_up(&host, &path_of(maps - 1 - number)).await;
        }
        let before = host.maps().fetches();
        let committed =
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
        let transactions = number(url, committed).await;
        let begun = Instant::now();
        let looking: Vec<_> = (0..AT_ONCE)
            .map(|worker| {
                let host = Arc::clone(&host);
                tokio::spawn(async move {
                    let mut state = worker;
                    let mut times = Vec::with_capacity(usize::try_from(count / AT_ONCE).unwrap());
                    // Paths that nobody has asked for yet.
                    let mut cold = 200 + worker * (maps - HOT - 200) / AT_ONCE;
                    for _ in 0..count / AT_ONCE {
                        let wanted = if chance(&mut state, 100) < percent {
                            maps - 1 - chance(&mut state, HOT)
                        } else {
                            cold += 1;
                            cold
                        };
                        let path = path_of(wanted);
                        let begun = Instant::now();
                        looked_up(&host, &path).await;
                        times.push(begun.elapsed());
                    }
                    times
                })
            })
            .collect();
        let mut times = Vec::new();
        for looking in looking {
            times.extend(looking.await.unwrap());
        }
        let took = begun.elapsed();
        times.sort_unstable();
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        let mean = times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap();
        line(
            &format!("read-through of {maps} maps, {percent} % hits, 8 at once"),
            &format!(
                "mean {:.1} us, p50 {:.1}, p99 {:.1}",
                us(mean),
                us(times[times.len() / 2]),
                us(times[times.len() * 99 / 100])
            ),
            "",
        );
        let fetched = host.maps().fetches() - before;
        // Statistics of other sessions arrive late.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let transactions = number(url, committed).await - transactions;
        line(
            "  look-ups in the store, and transactions, for each request",
            &format!(
                "{:.4}, {:.4} ({:.0} requests/s)",
                fetched as f64 / count as f64,
                transactions as f64 / count as f64,
                count as f64 / took.as_secs_f64()
            ),
            if percent == 100 { "0 look-ups" } else { "" },
        );
        host.leave().await.unwrap();
    }
}

/// What a node that has nothing to do costs the store.
async fn idle(url: &str) {
    let committed = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
    let nodes = [
        node(url, MapsMode::ReadThrough { capacity: 1000 }).await,
        node(url, MapsMode::ReadThrough { capacity: 1000 }).await,
    ];
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = number(url, committed).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let counted = number(url, committed).await - before;
    line(
        "transactions a second for each node that has nothing to do",
        &format!("{:.1}", counted as f64 / 20.0 / nodes.len() as f64),
        "",
    );
    for node in nodes {
        node.leave().await.unwrap();
    }
}

/// A server, unless there is one.
fn server() -> String {
    if let Ok(url) = std::env::var("WARDEN_TEST_POSTGRES") {
        return url;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/postgres");
    let output = Command::new(script)
        .args(["start", "--port", "0", "--while"])
        .arg(std::process::id().to_string())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "there is no Postgres here");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, url] = &arguments[..]
        && command == "load"
    {
        return runtime.block_on(load(url));
    }
    let maps = arguments
        .iter()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1_000_000);
    let server = server();
    let (rest, _) = server.rsplit_once('/').unwrap();
    let url = format!("{rest}/{DATABASE}");
    runtime.block_on(async {
        let begun = Instant::now();
        fill(&server, &url, maps).await;
        line(
            &format!("{maps} maps put in"),
            &format!("{:.1?}", begun.elapsed()),
            "",
        );
        loading(&url, maps);
        spreading(&url, maps).await;
        reading_through(&url, maps).await;
        idle(&url).await;
        run(&server, &format!("DROP DATABASE {DATABASE} WITH (FORCE)")).await;
    });
}
