//! An AM in memory, for tests.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use serde_json::{Value, json};

use crate::client::{AmClient, AmClientBuilder, ClientCredentials};
use crate::clock::ManualClock;
use crate::issuer::Issuer;
use crate::transport::{Http, TransportError, TransportErrorKind};

pub(crate) const ISSUER: &str = "https://am.example";

/// A request as the AM saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The value of a form field; panics when it is there twice.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        let mut values =
            url::form_urlencoded::parse(self.body.as_bytes()).filter(|(key, _)| key == name);
        let value = values.next().map(|(_, value)| value.into_owned());
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }
}

pub(crate) type Reply = Result<Response<Bytes>, TransportErrorKind>;

/// What the AM saw.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Mutex<Vec<Seen>>>);

impl Script {
    /// All requests but those for metadata.
    pub(crate) fn calls(&self) -> Vec<Seen> {
        self.all()
            .into_iter()
            .filter(|seen| !seen.uri.contains("/.well-known/"))
            .collect()
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn last(&self) -> Seen {
        self.all().pop().unwrap()
    }
}

/// An AM that answers everything, metadata too, by `handler`.
pub(crate) fn raw_script<F, Fut>(handler: F) -> (Script, Http)
where
    F: Fn(Seen) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Reply> + Send + 'static,
{
    let script = Script::default();
    let seen_by = script.clone();
    let http = Http::new(move |request: Request<Bytes>| {
        let seen = Seen {
            method: request.method().clone(),
            uri: request.uri().to_string(),
            headers: request.headers().clone(),
            body: String::from_utf8(request.body().to_vec()).unwrap(),
        };
        seen_by.0.lock().unwrap().push(seen.clone());
        let reply = handler(seen);
        Box::pin(async move { reply.await.map_err(TransportError::new) })
            as Pin<Box<dyn Future<Output = Result<Response<Bytes>, TransportError>> + Send>>
    });
    (script, http)
}

/// An AM that serves [`metadata`], and the rest by `handler`.
pub(crate) fn script(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> (Script, Http) {
    raw_script(move |seen| {
        let reply = if seen.uri.contains("/.well-known/") {
            answer(200, metadata())
        } else {
            handler(&seen)
        };
        async move { reply }
    })
}

pub(crate) fn metadata() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://am.example/authorize",
        "token_endpoint": "https://am.example/token",
        "registration_endpoint": "https://am.example/register",
        "introspection_endpoint": "https://am.example/introspect",
        "revocation_endpoint": "https://am.example/revoke",
        "permission_endpoint": "https://am.example/permission",
        "resource_registration_endpoint": "https://am.example/rreg",
        "claims_interaction_endpoint": "https://am.example/claims",
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    })
}

/// A JSON answer.
#[expect(
    clippy::needless_pass_by_value,
    reason = "reads better where it is called"
)]
pub(crate) fn answer(status: u16, body: Value) -> Reply {
    Ok(typed(status, "application/json", &body.to_string()))
}

/// An answer without a body.
pub(crate) fn empty(status: u16) -> Reply {
    Ok(Response::builder()
        .status(status)
        .body(Bytes::new())
        .unwrap())
}

pub(crate) fn typed(status: u16, content_type: &str, body: &str) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap()
}

/// A client of that AM, as the host `h` with the secret `s3cret`.
pub(crate) fn builder(http: &Http) -> AmClientBuilder {
    AmClient::builder(Issuer::parse(ISSUER).unwrap())
        .http(http.clone())
        .credentials(ClientCredentials::basic("h", "s3cret"))
}

pub(crate) fn client(http: &Http) -> AmClient {
    builder(http).build().unwrap()
}

pub(crate) fn clock() -> ManualClock {
    ManualClock::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))
}

/// Lets spawned tasks run.
pub(crate) async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}
