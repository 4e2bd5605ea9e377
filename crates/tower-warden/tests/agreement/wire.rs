//! Clients that send a target as it is, and tell what came back.

use std::net::SocketAddr;

use axum::Router;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::is_mapped;

/// What came back: the object that a handler acted on, if one ran.
pub(crate) struct Outcome {
    pub(crate) status: u16,
    pub(crate) object: Option<String>,
    body: Vec<u8>,
}

impl Outcome {
    /// Whether a handler acted on a mapped object, or a mapped file was read.
    pub(crate) fn reached_a_mapped_object(&self) -> bool {
        let object = self.object.as_deref().unwrap_or_default();
        let object = percent_decode_str(object).decode_utf8().unwrap();
        is_mapped(&object) || self.body.starts_with(b"alice's")
    }

    pub(crate) fn check(&self, mounted: &str, method: &str, target: &str) {
        assert!(
            !self.reached_a_mapped_object(),
            "{mounted}: {method} {target} reached {:?}",
            self.object
        );
    }
}

pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// A client of HTTP/1.1 that writes the target without reading it.
pub(crate) struct H1(Option<BufReader<TcpStream>>, SocketAddr);

impl H1 {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self(None, address)
    }

    pub(crate) async fn send(&mut self, method: &str, target: &str) -> Option<Outcome> {
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
        // What follows a granted CONNECT is a tunnel.
        let tunnel = method == "CONNECT" && status == 200;
        let bodiless = tunnel || method == "HEAD";
        let mut body = vec![0; if bodiless { 0 } else { length }];
        stream.read_exact(&mut body).await.ok()?;
        if !(close || tunnel) {
            self.0 = Some(stream);
        }
        Some(Outcome {
            status,
            object,
            body,
        })
    }
}

/// A client of HTTP/2. Targets that its library does not let through are left out.
pub(crate) struct H2(http2::SendRequest<Empty<bytes::Bytes>>);

impl H2 {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let handshake = http2::handshake(TokioExecutor::new(), io);
        let (sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// None if the target is not one to this library; a connection that the server ended fails the test.
    pub(crate) async fn send(&mut self, method: &str, target: &str) -> Option<Outcome> {
        let uri: hyper::Uri = format!("http://x{target}").parse().ok()?;
        let request = hyper::Request::builder()
            .method(method)
            .uri(uri)
            .body(Empty::new())
            .unwrap();
        self.0.ready().await.unwrap();
        let response = self.0.send_request(request).await.ok()?;
        let (parts, body) = response.into_parts();
        let object = parts.headers.get("object");
        Some(Outcome {
            status: parts.status.as_u16(),
            object: object.map(|value| value.to_str().unwrap().to_owned()),
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        })
    }
}
