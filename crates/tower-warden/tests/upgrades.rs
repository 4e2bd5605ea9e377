//! A connection that is to leave HTTP needs its scope before it does, over real sockets.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use http::StatusCode;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower_warden::{
    ActiveToken, Am, Audience, CanonicalPath, Evidence, MemoryMaps, OwnerId, Permission,
    Protection, ProtectionError, Requirements, ResourceMap, Rpt, Unmapped, WardenLayer,
};
use uma_client::{Issuer, PermissionOutcome, ResourceId, Scopes, Ticket};

/// A token is what it permits.
struct ByName;

impl Protection for ByName {
    async fn verify(
        &self,
        requirements: &Requirements,
        rpt: &Rpt,
    ) -> Result<Evidence, ProtectionError> {
        let id = requirements.first().map().resource_id().clone();
        let scope = rpt
            .secret()
            .expose()
            .trim_start_matches(warden_canary::MARK);
        let permission = Permission::new(id, vec![scope.to_owned()]);
        Ok(Evidence::Active(ActiveToken::new(vec![permission])))
    }

    async fn request_permission(
        &self,
        _: &Requirements,
    ) -> Result<PermissionOutcome, ProtectionError> {
        let ticket = Ticket::parse(&warden_canary::secret("ticket", "t"))?;
        Ok(PermissionOutcome::Ticket(ticket))
    }
}

/// Answers that it changes the protocol, and echoes from then on.
async fn switch(mut request: Request) -> Response {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut io = TokioIo::new(upgraded.await.unwrap());
        let mut word = [0; 4];
        io.read_exact(&mut word).await.unwrap();
        io.write_all(&word).await.unwrap();
        io.flush().await.unwrap();
    });
    let mut response = Response::new(Body::empty());
    if request.version() == http::Version::HTTP_11 {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        for (name, value) in [("connection", "upgrade"), ("upgrade", "websocket")] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
    }
    response
}

async fn host() -> SocketAddr {
    warden_canary::listen();
    let issuer = Issuer::parse("https://am.example").unwrap();
    let maps = MemoryMaps::new();
    maps.insert(ResourceMap::new(
        CanonicalPath::parse("/api/chat").unwrap(),
        OwnerId::new("alice"),
        Arc::new(Am::new(issuer, Audience::NotChecked)),
        ResourceId::parse("chat").unwrap(),
        Scopes::parse(["view", "edit"]).unwrap(),
    ));
    let layer = WardenLayer::builder()
        .maps(maps)
        .protection(ByName)
        .guard("/api", Unmapped::Deny)
        .build()
        .unwrap();
    let app = Router::new().route("/api/chat", any(switch)).layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn bearer(scope: &str) -> String {
    format!("Bearer {}", warden_canary::secret("token", scope))
}

#[tokio::test]
async fn over_http1_there_is_no_101_without_the_scope() {
    let address = host().await;
    for (token, status) in [(None, 401), (Some("edit"), 401), (Some("view"), 101)] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let field = token.map_or_else(String::new, |token| {
            format!("authorization: {}\r\n", bearer(token))
        });
        let head = format!(
            "GET /api/chat HTTP/1.1\r\nhost: host.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n{field}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(answer.get(..read).unwrap()).into_owned();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{token:?}"
        );
        if status == 101 {
            stream.write_all(b"ping").await.unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).await.unwrap();
            assert_eq!(&word, b"ping");
        } else {
            assert!(answer.contains("www-authenticate: UMA realm="));
            assert!(!answer.to_ascii_lowercase().contains("upgrade: websocket"));
        }
    }
}

#[tokio::test]
async fn over_http2_an_extended_connect_needs_what_a_get_needs() {
    // Without the feature it is a verb that no scope covers: refused as well.
    let with = cfg!(feature = "http2");
    let address = host().await;
    let stream = TcpStream::connect(address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let handshake = hyper::client::conn::http2::handshake(executor, TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let request = |method: &str, protocol: Option<&'static str>, token: Option<&str>| {
        let mut request = http::Request::builder()
            .method(method)
            .uri("https://host.example/api/chat");
        if let Some(token) = token {
            request = request.header("authorization", bearer(token));
        }
        let mut request = request.body(Body::empty()).unwrap();
        if let Some(protocol) = protocol {
            let protocol = hyper::ext::Protocol::from_static(protocol);
            request.extensions_mut().insert(protocol);
        }
        request
    };
    // The server says at the beginning that it knows extended CONNECT.
    let first = sender.send_request(request("GET", None, None)).await;
    assert_eq!(first.unwrap().status(), 401);
    for (protocol, token, status) in [
        ("websocket", None, if with { 401 } else { 403 }),
        ("websocket", Some("edit"), if with { 401 } else { 403 }),
        ("connect-udp", Some("view"), 403),
        ("websocket", Some("view"), if with { 200 } else { 403 }),
    ] {
        let sent = sender.send_request(request("CONNECT", Some(protocol), token));
        let response = sent.await.unwrap();
        assert_eq!(response.status(), status, "{protocol} {token:?}");
        if status == 200 {
            let mut io = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
            io.write_all(b"ping").await.unwrap();
            let mut word = [0; 4];
            io.read_exact(&mut word).await.unwrap();
            assert_eq!(&word, b"ping");
        }
    }
}
