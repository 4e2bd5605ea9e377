//! The requester on the command line against a small service and an AM, both on sockets of their own.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::process::Command;
use tower_warden::{CanonicalPath, Grant, MemoryMaps, OneAm, OwnerId, Unmapped, WardenLayer};
use uma_client::{ClientCredentials, Dialect, Issuer, Secret};
use warden_am::{ClientSpec, PolicySpec, Script, WardenAm};

struct Scene {
    url: String,
    resource: String,
    am: Script,
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

impl Scene {
    async fn new(dialect: Dialect) -> Self {
        let (listener, issuer) = listen().await;
        let am = WardenAm::builder(&issuer)
            .dialect(dialect)
            .user("bob", "bob")
            .user("carol", "carol")
            .client(ClientSpec::new("host").secret("host-secret"))
            .client(ClientSpec::new("uma-get"))
            .build()
            .unwrap();
        let script = am.script();
        tokio::spawn(am.serve(listener, std::future::pending()));
        let host = ClientCredentials::basic("host", Secret::new("host-secret"));
        let one_am = OneAm::builder(Issuer::parse(&issuer).unwrap(), host)
            .dialect(dialect)
            .allow_insecure_http()
            .build()
            .unwrap();
        let path = CanonicalPath::parse("/api/photo").unwrap();
        let map = one_am
            .register(path, OwnerId::new("host"), "A photo")
            .await
            .unwrap();
        let resource = map.resource_id().to_string();
        let maps = MemoryMaps::new();
        maps.insert(map);
        let warden = WardenLayer::builder()
            .maps(maps)
            .protection(one_am)
            .guard("/api", Unmapped::Deny)
            .host_id("photos.example")
            .build()
            .unwrap();
        let seen = |grant: Grant| async move { format!("seen by {:?}", grant.subject()) };
        let app = Router::new()
            .route("/api/photo", get(seen).put(seen))
            .layer(warden);
        let (listener, host) = listen().await;
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            url: format!("{host}/api/photo"),
            resource,
            am: script,
        }
    }

    async fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_uma-get"))
            .args(["--client-id", "uma-get"])
            .args(arguments)
            .arg(&self.url)
            .output()
            .await
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_earns_an_rpt_or_says_what_the_am_wants() {
    let scene = Scene::new(Dialect::Uma2).await;
    let (code, _, said) = scene.run(&[]).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(
        said.contains("need_info") && said.contains("--user"),
        "{said}"
    );

    let (code, _, said) = scene.run(&["--user", "bob"]).await;
    // The owner is the service itself, which the AM can't ask.
    assert_eq!(code, Some(6), "{said}");
    assert!(said.contains("request_denied"), "{said}");

    let view = PolicySpec::user("bob", ["view"]);
    scene.am.add_policy("host", &scene.resource, view).unwrap();
    let (code, out, said) = scene.run(&["--user", "bob"]).await;
    assert_eq!(
        (code, out.as_str()),
        (Some(0), "seen by Some(\"bob\")\n"),
        "{said}"
    );

    let (code, _, said) = scene
        .run(&["--user", "bob", "-X", "PUT", "-d", "changed"])
        .await;
    assert_eq!(code, Some(6), "{said}");
    let edit = PolicySpec::user("bob", ["edit"]);
    scene.am.add_policy("host", &scene.resource, edit).unwrap();
    let (code, _, said) = scene
        .run(&["--user", "bob", "-X", "PUT", "-d", "changed"])
        .await;
    assert_eq!(code, Some(0), "{said}");

    let (code, _, said) = scene.run(&["--user", "carol", "--password", "wrong"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.lines().count() == 1 && !said.contains("wrong\""),
        "{said}"
    );
}

/// What is spoken at the AM is told by the challenge.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_speaks_to_an_am_of_2012_by_itself() {
    let scene = Scene::new(Dialect::Draft03).await;
    let (code, _, said) = scene.run(&[]).await;
    assert_eq!(code, Some(4), "{said}");
    let (code, _, said) = scene.run(&["--user", "bob"]).await;
    assert_eq!(code, Some(6), "{said}");
    let view = PolicySpec::user("bob", ["view"]);
    scene.am.add_policy("host", &scene.resource, view).unwrap();
    let (code, out, said) = scene.run(&["--user", "bob"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(out.starts_with("seen by "), "{out}");
    let put = ["--user", "bob", "-X", "PUT", "-d", "changed"];
    let (code, _, said) = scene.run(&put).await;
    assert_eq!(code, Some(6), "{said}");
    let edit = PolicySpec::user("bob", ["edit"]);
    scene.am.add_policy("host", &scene.resource, edit).unwrap();
    let (code, _, said) = scene.run(&put).await;
    assert_eq!(code, Some(0), "{said}");
}
