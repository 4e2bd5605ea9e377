//! The reqwest transport against a real server.
#![cfg(feature = "reqwest")]
#![allow(clippy::unwrap_used, reason = "tests, helper functions included")]

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, StatusCode};
use http_body::Frame;
use uma_client::{
    AmClient, ClientCredentials, ErrorKind, Http, Introspection, Issuer, Limits, Pat,
    ReqwestTransport, Secret, TransportErrorKind,
};

async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn get_request(url: String) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

fn limits(millis: u64, max_body: usize) -> Limits {
    Limits::new(Duration::from_millis(millis), max_body)
}

fn http_client() -> Http {
    Http::new(ReqwestTransport::new().unwrap())
}

#[tokio::test]
async fn answers_come_through_whole() {
    let router = Router::new().route(
        "/echo",
        post(|headers: HeaderMap, body: String| async move {
            (
                StatusCode::IM_A_TEAPOT,
                [("x-seen", headers["x-sent"].clone())],
                body,
            )
        }),
    );
    let address = serve(router).await;
    let request = Request::post(format!("http://{address}/echo?q=1"))
        .header("x-sent", "1")
        .body(Bytes::from("hello"))
        .unwrap();
    let response = http_client()
        .send(request, Limits::default())
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(response.headers()["x-seen"], "1");
    assert_eq!(response.body(), "hello");
}

#[tokio::test]
async fn bodies_are_cut_at_the_cap_whether_they_say_their_length_or_not() {
    let router = Router::new()
        .route("/long", get(|| async { vec![b'x'; 1001] }))
        .route("/fits", get(|| async { vec![b'x'; 1000] }))
        .route("/endless", get(|| async { Body::new(Chunks::Endless) }));
    let address = serve(router).await;
    let http = http_client();
    for path in ["long", "endless"] {
        let begun = Instant::now();
        let error = http
            .send(
                get_request(format!("http://{address}/{path}")),
                limits(5000, 1000),
            )
            .await
            .unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::BodyTooLarge, "{path}");
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
    let fits = http
        .send(
            get_request(format!("http://{address}/fits")),
            limits(5000, 1000),
        )
        .await
        .unwrap();
    assert_eq!(fits.body().len(), 1000);
}

#[tokio::test]
async fn deadlines_hold_before_and_within_the_body() {
    let router = Router::new()
        .route(
            "/silent",
            get(|| async { std::future::pending::<()>().await }),
        )
        .route(
            "/drip",
            get(|| async { Body::new(Chunks::Drip { done: false }) }),
        );
    let address = serve(router).await;
    for path in ["silent", "drip"] {
        let error = http_client()
            .send(
                get_request(format!("http://{address}/{path}?canary")),
                limits(50, 1000),
            )
            .await
            .unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Timeout, "{path}");
        assert!(!format!("{error:?}").contains("canary"));
    }
}

#[tokio::test]
async fn no_connection_is_told_from_a_broken_one_and_no_query_is_shown() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    let error = http_client()
        .send(
            get_request(format!("http://{nobody}/?canary")),
            Limits::default(),
        )
        .await
        .unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Connect);
    assert!(!format!("{error} {error:?}").contains("canary"));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 1024];
            let _ = tokio::io::AsyncReadExt::read(&mut socket, &mut buffer).await;
        }
    });
    let error = http_client()
        .send(
            get_request(format!("http://{address}/?canary")),
            Limits::default(),
        )
        .await
        .unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Broken);
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[tokio::test]
async fn plain_http_can_be_ruled_out_below_everything_else() {
    let address = serve(Router::new().route("/", get(|| async { "hi" }))).await;
    let strict = Http::new(ReqwestTransport::builder().https_only().build().unwrap());
    assert!(
        strict
            .send(get_request(format!("http://{address}/")), Limits::default())
            .await
            .is_err()
    );
    assert!(
        ReqwestTransport::builder()
            .add_root_certificates_pem(b"no certificate")
            .build()
            .is_err()
    );
}

/// A whole client: redirects, content types and deadlines as kinds of error.
#[tokio::test]
async fn the_client_over_real_sockets() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let metadata = format!(
        r#"{{"issuer":"{issuer}","introspection_endpoint":"{issuer}/introspect","token_endpoint":"{issuer}/token",
            "permission_endpoint":"{issuer}/permission","resource_registration_endpoint":"{issuer}/rreg"}}"#
    );
    let json =
        |text: &'static str| move || async move { ([(CONTENT_TYPE, "application/json")], text) };
    let introspect = |body: String| async move {
        match body.as_str() {
            body if body.contains("token=slow") => std::future::pending().await,
            body if body.contains("token=good") => (
                [(CONTENT_TYPE, "application/json")],
                r#"{"active":true,"permissions":[]}"#,
            ),
            _ => ([(CONTENT_TYPE, "text/html")], r#"{"active":true}"#),
        }
        .into_response()
    };
    let router = Router::new()
        .route(
            "/.well-known/uma2-configuration",
            get(move || async move { ([(CONTENT_TYPE, "application/json")], metadata) }),
        )
        .route("/introspect", post(introspect))
        .route(
            "/permission",
            post(|| async { Redirect::temporary("/elsewhere") }),
        )
        .route("/elsewhere", post(json(r#"{"ticket":"stolen"}"#)))
        .route(
            "/token",
            post(json(
                r#"{"access_token":"a","token_type":"Bearer","expires_in":60}"#,
            )),
        )
        .route(
            "/rreg",
            get(|| async {
                (
                    [(CONTENT_TYPE, "application/json")],
                    format!("[\"{}\"]", "x".repeat(300_000)),
                )
            }),
        );
    tokio::spawn(async move { axum::serve(listener, router).await });

    let am = AmClient::builder(Issuer::parse(&issuer).unwrap())
        .allow_insecure_http()
        .credentials(ClientCredentials::basic("h", "s"))
        .introspection_timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    let pat = Pat::new("p");
    let kind = |token: &'static str| {
        let (am, pat) = (am.clone(), pat.clone());
        async move {
            am.introspect(&pat, &Secret::new(token))
                .await
                .map_err(|error| error.kind())
        }
    };
    assert!(matches!(kind("good").await, Ok(Introspection::Active(_))));
    assert_eq!(kind("slow").await.unwrap_err(), ErrorKind::Timeout);
    assert_eq!(kind("html").await.unwrap_err(), ErrorKind::ContentType);
    let asked = am
        .request_permission(
            &pat,
            &[uma_client::wire::PermissionRequest::new("7", ["view"])],
        )
        .await;
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::Redirect);
    assert_eq!(
        am.client_credentials().await.unwrap().access_token.expose(),
        "a"
    );
    assert_eq!(
        am.list_resources(&pat).await.unwrap_err().kind(),
        ErrorKind::BodyTooLarge
    );
}

/// A body of chunks of `x`: without end, or one byte and then silence.
enum Chunks {
    Endless,
    Drip { done: bool },
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Endless => Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'x'; 300]))))),
            Self::Drip { done: true } => Poll::Pending,
            Self::Drip { done } => {
                *done = true;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
            }
        }
    }
}
