//! Agreement with the router: whatever the spelling, the transport and the mounting, no handler that can reach a mapped
//! object runs for a request without a token.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::{any, get};
use hyper_util::rt::{TokioExecutor, TokioIo};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tower_http::services::ServeDir;
use tower_layer::Layer;
use tower_warden::{
    Am, Audience, CanonicalPath, Evidence, MemoryMaps, OwnerId, Protection, ProtectionError,
    ProtectionErrorKind, Requirements, ResourceMap, Rpt, Unmapped, WardenLayer,
};
use uma_client::{Issuer, PermissionOutcome, ResourceId, Scopes};

/// Targets over HTTP/1.1, for each way of mounting.
const TARGETS: usize = 25_000;
/// Targets over HTTP/2, for each way of mounting.
const TARGETS_H2: usize = 2_500;

/// An AM that is away: whatever is mapped is refused.
struct Away;

impl Protection for Away {
    async fn verify(&self, _: &Requirements, _: &Rpt) -> Result<Evidence, ProtectionError> {
        Err(ProtectionError::new(ProtectionErrorKind::Pat))
    }

    async fn request_permission(
        &self,
        _: &Requirements,
    ) -> Result<PermissionOutcome, ProtectionError> {
        Err(ProtectionError::new(ProtectionErrorKind::Pat))
    }
}

/// Everything of alice's below each kind of route, and some single objects.
const SUBTREES: [&str; 5] = [
    "/api/alice",
    "/api/t/alice",
    "/api/files/alice",
    "/api/svc/alice",
    "/api/disk/alice",
];
const EXACT: [&str; 4] = [
    "/api/bob/photo",
    "/api/files/bob/photo",
    "/api/al@x",
    "/api/disk/bob/photo",
];

fn warden() -> WardenLayer {
    let issuer = Issuer::parse("https://am.example").unwrap();
    let am = Arc::new(Am::new(issuer, Audience::NotChecked));
    let maps = MemoryMaps::new();
    let insert = |path: &str, subtree| {
        let map = ResourceMap::new(
            CanonicalPath::parse(path).unwrap(),
            OwnerId::new("alice"),
            am.clone(),
            ResourceId::parse(path).unwrap(),
            Scopes::parse(["view", "edit", "delete"]).unwrap(),
        );
        maps.insert(map.with_subtree(subtree));
    };
    SUBTREES.iter().for_each(|path| insert(path, true));
    EXACT.iter().for_each(|path| insert(path, false));
    WardenLayer::builder()
        .maps(maps)
        .protection(Away)
        .guard("/api", Unmapped::Pass)
        .build()
        .unwrap()
}

/// The object that a handler would act on, as the value of a field.
fn object(parts: &[&str]) -> HeaderMap {
    let object = utf8_percent_encode(&parts.join("/"), NON_ALPHANUMERIC).to_string();
    let mut headers = HeaderMap::new();
    headers.insert("object", HeaderValue::from_str(&object).unwrap());
    headers
}

type Two = Path<(String, String)>;

fn inner(prefix: &'static str) -> Router {
    let alice = move || async move { object(&[prefix, "alice"]) };
    let one = move |Path(name): Path<String>| async move { object(&[prefix, &name]) };
    let two = move |Path((name, item)): Two| async move { object(&[prefix, &name, &item]) };
    Router::new()
        .route("/alice", get(alice))
        .route("/{name}", any(one))
        .route("/{name}/{item}", get(two))
}

fn routes(disk: &std::path::Path) -> Router {
    let rest = |Path(rest): Path<String>| async move { object(&["", "files", &rest]) };
    let missed = |request: Request| async move {
        object(&["", "svc", request.uri().path().trim_start_matches('/')])
    };
    Router::new()
        .merge(inner(""))
        .route("/files/{*rest}", get(rest))
        .nest("/t", inner("/t"))
        .nest_service("/svc", inner("/svc").fallback(missed))
        .nest_service("/disk", ServeDir::new(disk))
        .fallback(|| async { StatusCode::NOT_FOUND })
}

fn apps(disk: &std::path::Path) -> Vec<(&'static str, Router)> {
    let warden = warden();
    let api = || Router::new().nest("/api", routes(disk));
    let nested = routes(disk).layer(warden.clone());
    vec![
        (
            "around the finished router",
            Router::new().fallback_service(warden.layer(api())),
        ),
        ("Router::layer", api().layer(warden.clone())),
        ("nested router", Router::new().nest("/api", nested)),
        (
            "nested service",
            Router::new().nest_service("/api", warden.layer(routes(disk))),
        ),
    ]
}

const STARTS: [&str; 11] = [
    "/api/",
    "/api/files/",
    "/api/t/",
    "/api/svc/",
    "/api/disk/",
    "/",
    "//api/",
    "/%61pi/",
    "/api;x/",
    "/x/../api/",
    "http://evil/api/",
];
const NAMES: [&str; 40] = [
    "alice",
    "bob",
    "photo",
    "al@x",
    "files",
    "t",
    "svc",
    "disk",
    "api",
    "%61lice",
    "%61%6c%69ce",
    "al%40x",
    "ALICE",
    "alice%00",
    "alice;v=1",
    "alice%3bv",
    "..",
    ".",
    "%2e%2e",
    "%2E.",
    "..;",
    "",
    "%2f",
    "%2F",
    "alice%2fphoto",
    "%5c",
    "\\",
    "alice\\photo",
    "%252f",
    "%2561lice",
    "%25",
    "%zz",
    "%",
    "%c3%a9",
    "%ff",
    "alice%20",
    "alice+",
    "alice.",
    "..%2f",
    "*",
];
const ENDS: [&str; 10] = [
    "", "", "", "/", "//", "?alice", "#alice", ";", "/.", "?/../x",
];

/// Names that are mapped, and all that has ever confused a reader.
fn target() -> impl Strategy<Value = String> {
    let name = prop::sample::select(&NAMES[..]).prop_map(str::to_owned);
    let piece = prop_oneof![4 => name, 1 => "[a-e%2fF.;]{0,4}"];
    let start = prop::sample::select(&STARTS[..]);
    let end = prop::sample::select(&ENDS[..]);
    (start, prop::collection::vec(piece, 0..4), end)
        .prop_map(|(start, pieces, end)| format!("{start}{}{end}", pieces.join("/")))
}

/// What a reader that resolves paths as a file system does makes of an object.
fn resolved(object: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in object.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    format!("/{}", segments.join("/"))
}

fn is_mapped(object: &str) -> bool {
    let object = format!("/api/{}", object.trim_start_matches('/'));
    let literal = object.trim_end_matches('/').to_owned();
    let below = |object: &str, subtree: &str| {
        let rest = object.strip_prefix(subtree);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    [literal, resolved(&object)].iter().any(|object| {
        EXACT.contains(&object.as_str()) || SUBTREES.iter().any(|subtree| below(object, subtree))
    })
}

/// What came back: the object that a handler acted on, if one ran.
struct Outcome {
    status: u16,
    object: Option<String>,
    body: Vec<u8>,
}

impl Outcome {
    fn check(&self, mounted: &str, target: &str) {
        if let Some(object) = &self.object {
            let object = percent_decode_str(object).decode_utf8().unwrap();
            assert!(!is_mapped(&object), "{mounted}: {target} reached {object}");
        }
        let read = self.body.starts_with(b"alice's");
        assert!(!read, "{mounted}: {target} read a mapped file");
    }
}

struct H1(Option<BufReader<TcpStream>>, SocketAddr);

impl H1 {
    async fn send(&mut self, method: &str, target: &str) -> Option<Outcome> {
        let mut stream = match self.0.take() {
            Some(stream) => stream,
            None => BufReader::new(TcpStream::connect(self.1).await.unwrap()),
        };
        stream.get_mut().set_nodelay(true).unwrap();
        let head = format!("{method} {target} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(head.as_bytes()).await.ok()?;
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let status: u16 = line.split(' ').nth(1)?.parse().ok()?;
        let (mut object, mut length, mut close) = (None, 0, false);
        loop {
            line.clear();
            stream.read_line(&mut line).await.ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name {
                "object" => object = Some(value.to_owned()),
                "content-length" => length = value.parse().unwrap(),
                "transfer-encoding" => panic!("chunked: {target}"),
                "connection" => close = value == "close",
                _ => {}
            }
        }
        let mut body = vec![0; if method == "HEAD" { 0 } else { length }];
        stream.read_exact(&mut body).await.ok()?;
        if !close {
            self.0 = Some(stream);
        }
        Some(Outcome {
            status,
            object,
            body,
        })
    }
}

fn runner(seed: usize) -> TestRunner {
    let seed = [u8::try_from(seed).unwrap(); 32];
    TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &seed),
    )
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

fn disk() -> tempfile::TempDir {
    let disk = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("alice/photo", "alice's"),
        ("alice/index.html", "alice's"),
        ("bob/photo", "alice's"),
        ("bob/other", "bob's"),
        ("public", "public"),
    ] {
        let path = disk.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    disk
}

async fn over_http_1(number: usize, mounted: &str, app: Router) {
    let mut client = H1(None, serve(app).await);
    let mut runner = runner(number);
    let (mut ran, mut refused, mut objects) = (0, 0, HashSet::new());
    for count in 0..TARGETS {
        let target = target().new_tree(&mut runner).unwrap().current();
        let method = if count % 7 == 0 { "HEAD" } else { "GET" };
        let Some(outcome) = client.send(method, &target).await else {
            continue;
        };
        outcome.check(mounted, &target);
        refused += usize::from(matches!(outcome.status, 400 | 403));
        if let Some(object) = outcome.object {
            ran += 1;
            objects.insert(object);
        }
    }
    // A test that reached nothing, or was refused nothing, would prove nothing.
    assert!(ran > TARGETS / 50, "{mounted}: {ran} ran");
    assert!(refused > TARGETS / 10, "{mounted}: {refused} refused");
    assert!(objects.len() > 50, "{mounted}: {} objects", objects.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_handler_runs_for_a_mapped_object_over_http_1() {
    let disk = disk();
    let running: Vec<_> = apps(disk.path())
        .into_iter()
        .enumerate()
        .map(|(number, (mounted, app))| tokio::spawn(over_http_1(number, mounted, app)))
        .collect();
    for task in running {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_handler_runs_for_a_mapped_object_over_http_2() {
    use http_body_util::{BodyExt, Empty};
    let disk = disk();
    for (number, (mounted, app)) in apps(disk.path()).into_iter().enumerate() {
        let stream = TcpStream::connect(serve(app).await).await.unwrap();
        let io = TokioIo::new(stream);
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
        let (mut sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        let mut runner = runner(100 + number);
        let mut sent = 0;
        while sent < TARGETS_H2 {
            let target = target().new_tree(&mut runner).unwrap().current();
            let target = target.trim_start_matches("http://evil");
            let Ok(uri) = format!("http://x{target}").parse::<hyper::Uri>() else {
                continue;
            };
            let request = hyper::Request::get(uri)
                .body(Empty::<bytes::Bytes>::new())
                .unwrap();
            sent += 1;
            let Ok(response) = sender.send_request(request).await else {
                continue;
            };
            let (parts, body) = response.into_parts();
            let object = parts.headers.get("object");
            let outcome = Outcome {
                status: parts.status.as_u16(),
                object: object.map(|value| value.to_str().unwrap().to_owned()),
                body: body.collect().await.unwrap().to_bytes().to_vec(),
            };
            outcome.check(mounted, target);
        }
    }
}
