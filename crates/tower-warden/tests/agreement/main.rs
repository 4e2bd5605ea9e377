//! Agreement with the router: whatever the spelling, the verb, the transport and the mounting, no handler that can reach a
//! mapped object runs for a request without a token.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod mounts;
mod wire;

use std::collections::HashSet;

use axum::Router;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use mounts::{EXACT, SUBTREES, apps, bare};
use wire::{H1, H2, Outcome, serve};

/// Targets over HTTP/1.1, for each way of mounting.
const TARGETS: usize = 13_000;
/// Targets over HTTP/2, for each way of mounting.
const TARGETS_H2: usize = 1_500;

/// Every other request is a `GET`.
const VERBS: [&str; 20] = [
    "GET", "HEAD", "GET", "POST", "GET", "PUT", "GET", "PATCH", "GET", "DELETE", "GET", "OPTIONS",
    "GET", "TRACE", "GET", "PURGE", "GET", "get", "GET", "QUERY",
];
/// So many requests apart, over HTTP/1.1, one is a `CONNECT`, with which hyper ends the connection.
const CONNECT_EVERY: usize = 97;

const STARTS: [&str; 14] = [
    "/api/",
    "/api/files/",
    "/api/t/",
    "/api/svc/",
    "/api/fb/",
    "/api/only/",
    "/api/disk/",
    "/open/../api/",
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
    let literal = object.trim_end_matches('/').to_owned();
    let below = |object: &str, subtree: &str| {
        let rest = object.strip_prefix(subtree);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    [literal, resolved(object)].iter().any(|object| {
        EXACT.contains(&object.as_str()) || SUBTREES.iter().any(|subtree| below(object, subtree))
    })
}

fn runner(seed: usize) -> TestRunner {
    let seed = [u8::try_from(seed).unwrap(); 32];
    TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &seed),
    )
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
        let path = disk.path().join("api/disk").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    disk
}

/// What one way of mounting let through and refused.
#[derive(Default)]
struct Tally {
    sent: usize,
    ran: usize,
    refused: usize,
    objects: HashSet<String>,
    verbs: HashSet<&'static str>,
}

impl Tally {
    fn add(&mut self, method: &'static str, outcome: Outcome) {
        self.sent += 1;
        self.refused += usize::from(matches!(outcome.status, 400 | 403));
        if let Some(object) = outcome.object {
            self.ran += 1;
            self.objects.insert(object);
            self.verbs.insert(method);
        }
    }

    /// A test that reached nothing, or was refused nothing, would prove nothing.
    fn check(&self, mounted: &str, verbs: &[&'static str]) {
        assert!(self.ran > self.sent / 50, "{mounted}: {} ran", self.ran);
        assert!(
            self.refused > self.sent / 10,
            "{mounted}: {} refused",
            self.refused
        );
        assert!(
            self.objects.len() > 30,
            "{mounted}: {} objects",
            self.objects.len()
        );
        let all: HashSet<_> = verbs.iter().copied().collect();
        assert_eq!(self.verbs, all, "{mounted}: the verbs that ran");
    }
}

async fn over_http_1(number: usize, mounted: &str, app: Router) {
    let mut client = H1::new(serve(app).await);
    let mut runner = runner(number);
    let mut tally = Tally::default();
    for count in 0..TARGETS {
        let target = target().new_tree(&mut runner).unwrap().current();
        let method = if count % CONNECT_EVERY == 0 {
            "CONNECT"
        } else {
            VERBS[count % VERBS.len()]
        };
        let Some(outcome) = client.send(method, &target).await else {
            continue;
        };
        outcome.check(mounted, method, &target);
        tally.add(method, outcome);
    }
    let verbs = [&VERBS[..], &["CONNECT"]].concat();
    tally.check(mounted, &verbs);
}

async fn over_http_2(number: usize, mounted: &str, app: Router) {
    let mut client = H2::connect(serve(app).await).await;
    let mut runner = runner(100 + number);
    let mut tally = Tally::default();
    while tally.sent < TARGETS_H2 {
        let target = target().new_tree(&mut runner).unwrap().current();
        let target = target.trim_start_matches("http://evil");
        let method = VERBS[tally.sent % VERBS.len()];
        if let Some(outcome) = client.send(method, target).await {
            outcome.check(mounted, method, target);
            tally.add(method, outcome);
        }
    }
    tally.check(mounted, &VERBS);
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
    let disk = disk();
    let running: Vec<_> = apps(disk.path())
        .into_iter()
        .enumerate()
        .map(|(number, (mounted, app))| tokio::spawn(over_http_2(number, mounted, app)))
        .collect();
    for task in running {
        task.await.unwrap();
    }
}

/// Else none of this would prove anything.
#[tokio::test]
async fn without_warden_every_mapped_object_is_reached() {
    let disk = disk();
    let mut client = H1::new(serve(bare(disk.path())).await);
    for subtree in SUBTREES {
        let target = match subtree {
            "/api/disk/alice" => "/api/disk/alice/photo",
            other => other,
        };
        let outcome = client.send("GET", target).await.unwrap();
        assert!(outcome.reached_a_mapped_object(), "{target}");
    }
    for target in EXACT {
        let outcome = client.send("GET", target).await.unwrap();
        assert!(outcome.reached_a_mapped_object(), "{target}");
    }
}
