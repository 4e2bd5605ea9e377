//! A site with pages, a store in memory, and an AM in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use http::header::{ACCEPT, CONTENT_TYPE, HOST, LOCATION, REFERER};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tower_warden::{CanonicalPath, OwnerId, Unmapped, WardenLayer};
use uma_client::{Http, Issuer, TransportError, TransportErrorKind};
use warden_canary::secret;

use crate::web::{self, CurrentOwner, SignedIn, WebBuilder};
use crate::{AmPolicy, AmSetting, AnyStore, BoxError, Catalogue, Host, Outbound, SealingKey};

pub(super) const AM: &str = "https://am.example";

/// `/api/people/{person}/…` is the person's.
struct People;

impl Catalogue for People {
    async fn owner_of(&self, path: &CanonicalPath<'_>) -> Result<Option<OwnerId>, BoxError> {
        let mut segments = path.segments().skip_while(|segment| *segment == "api");
        Ok(match (segments.next(), segments.next()) {
            (Some("people"), Some(person)) => Some(OwnerId::new(person)),
            _ => None,
        })
    }
}

/// The field `user: NAME SESSION` stands for a sign-in.
#[derive(Clone)]
pub(super) struct ByHeader;

impl CurrentOwner for ByHeader {
    async fn current(&self, parts: &Parts) -> Option<SignedIn> {
        let (user, session) = parts.headers.get("user")?.to_str().ok()?.split_once(' ')?;
        Some(SignedIn::new(OwnerId::new(user), session))
    }

    fn sign_in_path(&self) -> &str {
        "/login?from=pages"
    }
}

#[derive(Default)]
struct AmState {
    is_down: bool,
    resources: BTreeMap<String, Value>,
    next: u32,
}

/// The AM behind the site.
#[derive(Clone, Default)]
pub(super) struct ScriptedAm(Arc<Mutex<AmState>>);

impl ScriptedAm {
    pub(super) fn set_down(&self, is_down: bool) {
        self.0.lock().unwrap().is_down = is_down;
    }

    pub(super) fn resources(&self) -> Vec<Value> {
        self.0.lock().unwrap().resources.values().cloned().collect()
    }

    fn http(&self) -> Http {
        let am = self.clone();
        Http::new(move |request: Request<Bytes>| {
            let answer = am.answer(&request);
            async move { answer }
        })
    }

    fn answer(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let mut state = self.0.lock().unwrap();
        if state.is_down {
            return Err(TransportError::new(TransportErrorKind::Connect));
        }
        let path = request.uri().path();
        let id = path
            .strip_prefix("/resources/")
            .unwrap_or_default()
            .to_owned();
        let body = || serde_json::from_slice::<Value>(request.body()).unwrap_or_default();
        let policy = |id: &str| format!("{AM}/policies/{id}");
        Ok(match (request.method(), path) {
            (_, "/.well-known/uma2-configuration") => reply(200, &metadata()),
            (_, "/register") => {
                let mut client = body();
                client["client_id"] = json!("client-1");
                client["client_secret"] = json!(secret("client secret", "canary-secret"));
                reply(201, &client)
            }
            (_, "/token") => reply(
                200,
                &json!({"access_token": secret("PAT", "canary-pat"), "token_type": "Bearer", "expires_in": 3600, "refresh_token": secret("refresh token", "canary-refresh")}),
            ),
            (&Method::POST, "/resources/") => {
                state.next += 1;
                let id = format!("r{}", state.next);
                state.resources.insert(id.clone(), body());
                reply(
                    201,
                    &json!({"_id": id, "user_access_policy_uri": policy(&id)}),
                )
            }
            (&Method::GET, "/resources/") => {
                reply(200, &json!(state.resources.keys().collect::<Vec<_>>()))
            }
            (&Method::DELETE, _) if state.resources.remove(&id).is_some() => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
            (&Method::PUT, _) if state.resources.contains_key(&id) => {
                state.resources.insert(id.clone(), body());
                reply(
                    200,
                    &json!({"_id": id, "user_access_policy_uri": policy(&id)}),
                )
            }
            (&Method::GET, _) if state.resources.contains_key(&id) => {
                let mut resource = state.resources[&id].clone();
                resource["_id"] = json!(id);
                resource["user_access_policy_uri"] = json!(policy(&id));
                reply(200, &resource)
            }
            _ => reply(404, &json!({"error": "not_found"})),
        })
    }
}

fn metadata() -> Value {
    json!({
        "issuer": AM,
        "authorization_endpoint": format!("{AM}/authorize"),
        "token_endpoint": format!("{AM}/token"),
        "registration_endpoint": format!("{AM}/register"),
        "introspection_endpoint": format!("{AM}/introspect"),
        "permission_endpoint": format!("{AM}/permissions"),
        "resource_registration_endpoint": format!("{AM}/resources/"),
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
    })
}

fn reply(status: u16, body: &Value) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .body(Bytes::from(body.to_string()))
        .unwrap()
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn location(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.body);
        self.header(LOCATION.as_str())
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(super) fn shows(&self, text: &str) -> &Self {
        assert!(
            self.body.contains(text),
            "{text:?} is not in {} {}",
            self.status,
            self.body
        );
        self
    }

    #[track_caller]
    pub(super) fn hides(&self, text: &str) -> &Self {
        assert!(!self.body.contains(text), "{text:?} is in {}", self.body);
        self
    }
}

pub(super) struct TestSite {
    router: Router,
    pub(super) am: ScriptedAm,
    /// The value of the field `user`; nobody is signed in without.
    pub(super) user: Option<&'static str>,
    pub(super) referer: Option<&'static str>,
    pub(super) host: Host,
}

impl TestSite {
    /// A site on which alice is signed in.
    pub(super) async fn new() -> Self {
        Self::built(|pages| pages).await
    }

    pub(super) async fn built(set_up: impl FnOnce(WebBuilder) -> WebBuilder) -> Self {
        let am = ScriptedAm::default();
        let setting = AmSetting::new(Issuer::parse(AM).unwrap()).with_name("Example AM");
        let key = SealingKey::generate().unwrap();
        let store = AnyStore::open("sqlite::memory:", key).await.unwrap();
        let host = Host::builder(store)
            .http(am.http())
            .outbound_http(am.http())
            .outbound(Outbound::new().answers_after(Duration::from_millis(10)))
            .callback_base("https://here.example/uma/callback".parse().unwrap())
            .ams(AmPolicy::Any(vec![setting]))
            .catalogue(People)
            .build()
            .await
            .unwrap();
        let layer = WardenLayer::builder()
            .maps(host.maps())
            .protection(host.protection())
            .guard("/api", Unmapped::Pass)
            .build()
            .unwrap();
        host.attach(layer.engine().clone());
        let pages = web::router(host.clone(), ByHeader)
            .title("Here")
            .any_am(true);
        Self {
            router: Router::new().merge(set_up(pages).build().unwrap()),
            am,
            user: Some("alice s1"),
            referer: None,
            host,
        }
    }

    pub(super) async fn send(&self, mut request: Request<Body>) -> Answer {
        let headers = request.headers_mut();
        headers
            .entry(HOST)
            .or_insert("here.example".parse().unwrap());
        if let Some(user) = self.user {
            headers.insert("user", user.parse().unwrap());
        }
        if let Some(referer) = self.referer {
            headers.insert(REFERER, referer.parse().unwrap());
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        };
        assert!(
            !answer.body.contains("canary"),
            "a secret is shown: {}",
            answer.body
        );
        answer
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    pub(super) async fn get_json(&self, path: &str) -> (Answer, Value) {
        let request = Request::get(path).header(ACCEPT, "application/json");
        let answer = self.send(request.body(Body::empty()).unwrap()).await;
        let json = serde_json::from_str(&answer.body).unwrap();
        (answer, json)
    }

    pub(super) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post_with(path, form, &[]).await
    }

    pub(super) async fn post_with(
        &self,
        path: &str,
        form: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let mut request =
            Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Sends alice to the AM and gives the callback that she comes back to.
    pub(super) async fn begin_connect(&self, return_to: &str) -> String {
        let form = [("am", AM), ("return_to", return_to)];
        let answer = self.post("/uma/connect", &form).await;
        let url: url::Url = answer.location().parse().unwrap();
        assert_eq!(url.origin().ascii_serialization(), AM);
        let value = |name: &str| {
            url.query_pairs()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
                .unwrap()
        };
        let callback = value("redirect_uri");
        let path = callback.strip_prefix("https://here.example").unwrap();
        format!("{path}?state={}", value("state"))
    }

    pub(super) async fn connect(&self) {
        let callback = self.begin_connect("/").await;
        let answer = self.get(&format!("{callback}&code=c1")).await;
        assert_eq!(answer.location(), "/?notice=connected");
    }

    pub(super) async fn share(&self, uri: &str, name: &str) -> Answer {
        let form = [("uri", uri), ("resource_name", name)];
        self.post("/uma/register-resource", &form).await
    }
}
