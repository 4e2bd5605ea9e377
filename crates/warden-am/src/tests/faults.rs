use std::io::{Read as _, Write as _};
use std::time::Duration;

use super::*;
use crate::{Endpoint, Fault};

const METADATA: &str = "/.well-known/uma2-configuration";

#[tokio::test]
async fn faults_act_as_often_as_told_and_calls_are_counted() {
    let world = World::new();
    let script = world.script();
    script.fault_times(
        Endpoint::Metadata,
        Fault::Status(StatusCode::BAD_GATEWAY),
        2,
    );
    script.fault_once(Endpoint::Metadata, Fault::malformed_json("{\"issuer\":"));
    let after = Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, Duration::from_secs(7));
    script.fault(Endpoint::Metadata, after);
    assert_eq!(world.get(METADATA).await.status, 502);
    assert_eq!(world.get(METADATA).await.status, 502);
    let malformed = world.get(METADATA).await;
    assert_eq!(malformed.header(header::CONTENT_TYPE), "application/json");
    assert_eq!(
        (malformed.status.as_u16(), malformed.text().as_str()),
        (200, "{\"issuer\":")
    );
    for _ in 0..3 {
        let answer = world.get(METADATA).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header(header::RETRY_AFTER)),
            (429, "7")
        );
    }
    // Other endpoints are not touched.
    assert_eq!(world.get("/signin").await.status, 200);
    script.clear_faults();
    assert_eq!(world.get(METADATA).await.status, 200);
    assert_eq!(script.calls(Endpoint::Metadata), 7);
    assert_eq!(script.calls(Endpoint::Token), 0);
    script.reset_calls();
    assert_eq!(script.calls(Endpoint::Metadata), 0);
}

#[tokio::test(start_paused = true)]
async fn delays_add_up_and_lead_to_the_next_fault() {
    let world = World::new();
    let script = world.script();
    script.fault(Endpoint::Metadata, Fault::Delay(Duration::from_secs(3)));
    script.fault_once(Endpoint::Metadata, Fault::Delay(Duration::from_secs(4)));
    script.fault_once(
        Endpoint::Metadata,
        Fault::Status(StatusCode::SERVICE_UNAVAILABLE),
    );
    let start = tokio::time::Instant::now();
    assert_eq!(world.get(METADATA).await.status, 503);
    assert_eq!(start.elapsed().as_secs(), 7);
    assert_eq!(world.get(METADATA).await.status, 200);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn some_faults_come_before_the_work_and_some_after() {
    let world = World::new();
    let script = world.script();
    let pat = world.pat("alice");
    let body = json!({"resource_scopes": ["view"]});
    script.fault_once(
        Endpoint::Resource,
        Fault::json(StatusCode::CONFLICT, "{\"error\":\"invalid_request\"}"),
    );
    assert_eq!(
        world
            .api(Method::POST, "/resource", &pat, &body)
            .await
            .error(409),
        "invalid_request"
    );
    assert_eq!(script.list_resources("alice").len(), 0);

    let mut answer = http::Response::new(Bytes::from_static(b"{}"));
    *answer.status_mut() = StatusCode::CREATED;
    script.fault_once(Endpoint::Resource, Fault::Answer(Box::new(answer)));
    assert_eq!(
        world
            .api(Method::POST, "/resource", &pat, &body)
            .await
            .json(),
        json!({})
    );
    assert_eq!(script.list_resources("alice").len(), 1);
}

/// What a plain socket reads after it sent a request, and whether the answer came at all.
fn talk(address: std::net::SocketAddr) -> String {
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let body = "grant_type=client_credentials&client_id=m&client_secret=x";
    write!(
        socket,
        "POST /token HTTP/1.1\r\nHost: am\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_connections_carry_no_byte_and_the_server_stops_when_told() {
    let am = builder()
        .client(ClientSpec::new("m").secret("x"))
        .build()
        .unwrap();
    let script = am.script();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(am.clone().serve(listener, async { drop(stopped.await) }));
    let said = async || {
        tokio::task::spawn_blocking(move || talk(address))
            .await
            .unwrap()
    };

    script.fault_once(Endpoint::Token, Fault::DropConnection);
    assert_eq!(said().await, "");
    assert!(am.0.read(|state, _| state.access_tokens.is_empty()));
    script.fault_once(Endpoint::Token, Fault::DropAnswer);
    assert_eq!(said().await, "");
    assert!(am.0.read(|state, _| !state.access_tokens.is_empty()));
    assert!(said().await.starts_with("HTTP/1.1 200"));
    drop(stop);
    server.await.unwrap().unwrap();
}
