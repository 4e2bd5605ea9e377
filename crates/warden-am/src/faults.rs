//! Counting calls and, when a test asks for it, answering them badly.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State as Extract};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use crate::shared::Shared;

/// A part of the AM whose calls are counted, and which can be told to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// The authorization endpoint and its consent form.
    Authorize,
    /// The development endpoint that makes sign-in tokens.
    ClaimToken,
    /// The claims interaction endpoint and its form.
    ClaimsInteraction,
    /// Token introspection; the token status of 2012.
    Introspect,
    /// The metadata documents.
    Metadata,
    /// The permission endpoint; permission registration of 2012.
    Permission,
    /// The owners' policy pages.
    Policy,
    /// Dynamic client registration and its management.
    Register,
    /// The resource registration endpoint.
    Resource,
    /// Token revocation.
    Revoke,
    /// The sign-in page.
    SignIn,
    /// The token endpoint, all grants; the host's and the requester's token endpoint and the permission request of 2012.
    Token,
}

/// What goes wrong with a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The AM does what was asked, then answers with this instead.
    Answer(Box<http::Response<Bytes>>),
    /// The call waits this long, then goes on (also to the next fault).
    Delay(Duration),
    /// The AM does what was asked, and the connection ends without an answer: the caller can't know.
    DropAnswer,
    /// The connection ends before anything was done.
    DropConnection,
    /// Nothing is done; the answer is 200 with these bytes.
    Malformed {
        /// The `Content-Type` of the answer, such as `application/json`.
        content_type: String,
        /// The body.
        body: Bytes,
    },
    /// Nothing is done; this answer is given: any status, headers and body.
    Reply(Box<http::Response<Bytes>>),
    /// Nothing is done; the answer is this status with an empty body.
    Status(StatusCode),
}

impl Fault {
    /// A refusal with `Retry-After` in whole seconds: nothing is done.
    pub fn retry_after(status: StatusCode, after: Duration) -> Self {
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs()));
        Self::Reply(Box::new(response))
    }

    /// An answer with this status and JSON text: nothing is done.
    pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        let mut response = http::Response::new(body.into());
        *response.status_mut() = status;
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        Self::Reply(Box::new(response))
    }

    /// 200 with a body that is not the JSON it claims to be: nothing is done.
    pub fn malformed_json(body: impl Into<Bytes>) -> Self {
        Self::Malformed {
            content_type: "application/json".to_owned(),
            body: body.into(),
        }
    }
}

struct Active {
    fault: Fault,
    /// `None`: until cleared.
    left: Option<u32>,
}

#[derive(Default)]
struct Switches {
    calls: HashMap<Endpoint, usize>,
    active: HashMap<Endpoint, Vec<Active>>,
}

/// The switches of one AM.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Switches>);

impl Faults {
    pub(crate) fn add(&self, endpoint: Endpoint, fault: Fault, times: Option<u32>) {
        if times != Some(0) {
            self.with(|switches| {
                let active = Active { fault, left: times };
                switches.active.entry(endpoint).or_default().push(active);
            });
        }
    }

    pub(crate) fn clear(&self) {
        self.with(|switches| switches.active.clear());
    }

    pub(crate) fn calls(&self, endpoint: Endpoint) -> usize {
        self.with(|switches| switches.calls.get(&endpoint).copied().unwrap_or_default())
    }

    pub(crate) fn reset_calls(&self) {
        self.with(|switches| switches.calls.clear());
    }

    /// Counts a call, and says what is to go wrong with it: all delays up to the first other fault, and that one.
    fn next(&self, endpoint: Endpoint) -> (Duration, Option<Fault>) {
        self.with(|switches| {
            *switches.calls.entry(endpoint).or_default() += 1;
            let mut delay = Duration::ZERO;
            let mut last = None;
            let Some(active) = switches.active.get_mut(&endpoint) else {
                return (delay, last);
            };
            for entry in active.iter_mut() {
                if let Some(left) = &mut entry.left {
                    *left -= 1;
                }
                match &entry.fault {
                    Fault::Delay(more) => delay = delay.saturating_add(*more),
                    other => {
                        last = Some(other.clone());
                        break;
                    }
                }
            }
            active.retain(|entry| entry.left != Some(0));
            (delay, last)
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Switches) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The middleware in front of every endpoint.
pub(crate) async fn apply(
    Extract((am, endpoint)): Extract<(Arc<Shared>, Endpoint)>,
    request: Request,
    next: Next,
) -> Response {
    let (delay, fault) = am.faults.next(endpoint);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match fault {
        None | Some(Fault::Delay(_)) => next.run(request).await,
        Some(Fault::Answer(answer)) => {
            next.run(request).await;
            answer.map(Body::from)
        }
        Some(Fault::DropAnswer) => {
            next.run(request).await;
            broken()
        }
        Some(Fault::DropConnection) => broken(),
        Some(Fault::Malformed { content_type, body }) => {
            let mut response = Response::new(Body::from(body));
            if let Ok(value) = HeaderValue::from_str(&content_type) {
                response.headers_mut().insert(header::CONTENT_TYPE, value);
            }
            response
        }
        Some(Fault::Reply(answer)) => answer.map(Body::from),
        Some(Fault::Status(status)) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status;
            response
        }
    }
}

/// A response whose body fails at once: the server closes the connection before it wrote a byte.
fn broken() -> Response {
    Response::new(Body::new(Broken))
}

struct Broken;

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, io::Error>>> {
        Poll::Ready(Some(Err(io::Error::other("connection dropped on purpose"))))
    }
}
