//! Those of the classes that need a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::any;
use http::{Request, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::world;
use crate::fake::World;

/// A host on a socket; what its handlers ran is counted.
struct Wire {
    address: std::net::SocketAddr,
    ran: Arc<AtomicUsize>,
}

impl Wire {
    async fn serve(world: &World) -> Self {
        let ran: Arc<AtomicUsize> = Arc::default();
        let count = ran.clone();
        let mapped = any(move |request: Request<axum::body::Body>| async move {
            count.fetch_add(1, Ordering::SeqCst);
            if request.headers().contains_key("upgrade") {
                let switched = [("connection", "upgrade"), ("upgrade", "chat")];
                (StatusCode::SWITCHING_PROTOCOLS, switched)
            } else {
                (StatusCode::OK, [("connection", "close"), ("x-ran", "1")])
            }
        });
        let app = Router::new()
            .route("/api/mapped", mapped)
            .route("/open", any(|_: String| async { "open" }))
            .layer(world.builder().build().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, ran }
    }

    /// Everything that comes back for these octets, until the server has no more to say.
    async fn send(&self, octets: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(octets.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    async fn statuses(&self, octets: &str) -> Vec<u16> {
        let answer = self.send(octets).await;
        let lines = answer.split("HTTP/1.1 ").skip(1);
        lines
            .map(|line| line.get(..3).unwrap().parse().unwrap())
            .collect()
    }

    fn ran(&self) -> usize {
        self.ran.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn m_06_a_fragment_is_no_part_of_the_path() {
    let wire = Wire::serve(&world()).await;
    for target in [
        "/api/mapped#",
        "/api/mapped#/../../open",
        "/api/mapped?#open",
        "http://x/api/mapped#/open",
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n");
        assert_eq!(wire.statuses(&head).await, [401], "{target}");
    }
    assert_eq!(wire.ran(), 0);
}

#[tokio::test]
async fn m_14_no_field_is_taken_away_by_naming_it_in_connection() {
    let wire = Wire::serve(&world()).await;
    for connection in [
        "close, authorization",
        "authorization, close",
        "x-real-ip, host, close",
    ] {
        let tokenless =
            format!("GET /api/mapped HTTP/1.1\r\nhost: x\r\nconnection: {connection}\r\n\r\n");
        assert_eq!(wire.statuses(&tokenless).await, [401], "{connection}");
        let twice = tokenless.replace(
            "host: x",
            "host: x\r\nauthorization: Bearer bad\r\nauthorization: Bearer views",
        );
        assert_eq!(wire.statuses(&twice).await, [400], "{connection}");
    }
    assert_eq!(wire.ran(), 0);
}

#[tokio::test]
async fn m_17_names_of_fields_have_no_case() {
    let wire = Wire::serve(&world()).await;
    for name in ["Authorization", "AUTHORIZATION", "aUtHoRiZaTiOn"] {
        let one = format!("GET /api/mapped HTTP/1.1\r\nhost: x\r\n{name}: Bearer views\r\n\r\n");
        assert_eq!(wire.statuses(&one).await, [200], "{name}");
        let two = one.replace("host: x", "host: x\r\nauthorization: Bearer bad");
        assert_eq!(wire.statuses(&two).await, [400], "{name}");
    }
    assert_eq!(wire.ran(), 3);
}

#[tokio::test]
async fn m_18_what_is_smuggled_is_judged_like_any_request() {
    let wire = Wire::serve(&world()).await;
    let inner = "GET /api/mapped HTTP/1.1\r\nhost: x\r\n\r\n";
    let outer = |fields: &str, body: &str| {
        format!("POST /open HTTP/1.1\r\nhost: x\r\n{fields}\r\n\r\n{body}")
    };
    for request in [
        // Two lengths, of which a proxy may have believed the other.
        outer(&format!("content-length: {}", inner.len()), inner),
        outer("content-length: 0", inner),
        outer("transfer-encoding: chunked", &format!("0\r\n\r\n{inner}")),
        outer(
            "content-length: 4\r\ntransfer-encoding: chunked",
            &format!("0\r\n\r\n{inner}"),
        ),
        outer(
            "transfer-encoding: chunked\r\ntransfer-encoding: identity",
            &format!("0\r\n\r\n{inner}"),
        ),
        outer("content-length: +0", inner),
        outer("content-length: 0\r\ncontent-length: 5", inner),
        outer(
            "transfer-encoding: \x0bchunked",
            &format!("0\r\n\r\n{inner}"),
        ),
        // An upgrade that nobody has agreed to.
        outer(
            "connection: upgrade\r\nupgrade: chat\r\ncontent-length: 0",
            inner,
        ),
    ] {
        let statuses = wire.statuses(&request).await;
        assert!(
            statuses
                .iter()
                .all(|status| matches!(status, 200 | 400 | 401)),
            "{statuses:?} {request}"
        );
    }
    assert_eq!(wire.ran(), 0);

    // An upgrade needs its scope before 101.
    let upgrade = |token: &str| {
        format!(
            "GET /api/mapped HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: chat\r\n{token}\r\n"
        )
    };
    assert_eq!(wire.statuses(&upgrade("")).await, [401]);
    assert_eq!(
        wire.statuses(&upgrade("authorization: Bearer edits\r\n"))
            .await,
        [401]
    );
    assert_eq!(wire.ran(), 0);
    assert_eq!(
        wire.statuses(&upgrade("authorization: Bearer views\r\n"))
            .await,
        [101]
    );
}
