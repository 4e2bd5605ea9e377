//! A site with pages, a store in memory, and an AM in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, LOCATION, REFERER};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;
use tower_warden::{CanonicalPath, Engine, OwnerId, RequestHead, Unmapped, WardenLayer};
use uma_client::{Http, Issuer, ManualClock, TransportError, TransportErrorKind};
use warden_canary::secret;

use crate::web::{self, CurrentOwner, SignedIn, WebBuilder};
use crate::{
    AmPolicy, AmSetting, AnyStore, BoxError, Catalogue, Host, HostBuilder, Outbound, SealingKey,
};

pub(super) const AM: &str = "https://am.example";
pub(super) const OTHER: &str = "https://other.example";

/// The AMs that are suggested.
pub(super) fn settings() -> Vec<AmSetting> {
    vec![AmSetting::new(Issuer::parse(AM).unwrap()).with_name("Example AM")]
}

/// Two of them.
pub(super) fn two() -> Vec<AmSetting> {
    let mut two = settings();
    two.push(AmSetting::new(Issuer::parse(OTHER).unwrap()).with_name("Other AM"));
    two
}

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
    /// Whether metadata says that answers carry `iss`.
    names_itself: bool,
    /// Whether the other AM registers nothing.
    refuses: bool,
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

    pub(super) fn names_itself(&self) {
        self.0.lock().unwrap().names_itself = true;
    }

    /// Whether the other AM registers nothing.
    pub(super) fn refuse_registrations(&self, refuses: bool) {
        self.0.lock().unwrap().refuses = refuses;
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
        if state.is_down && request.uri().host() == Some("am.example") {
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
            (_, "/.well-known/uma2-configuration") => {
                reply(200, &metadata(&issuer_of(request), state.names_itself))
            }
            (_, "/introspect") => reply(
                200,
                &json!({"active": true, "username": "bob", "client_id": "=viewer", "iss": issuer_of(request), "aud": "client-1",
                    "permissions": [{"resource_id": "r1", "resource_scopes": ["view"]}]}),
            ),
            (_, "/permissions") => reply(201, &json!({"ticket": "t1"})),
            (_, "/register") => {
                let mut client = body();
                client["client_id"] = json!("client-1");
                client["client_secret"] = json!(secret("client secret", "canary-secret"));
                reply(201, &client)
            }
            (_, "/token") => state.token(request.body()),
            (&Method::POST, "/resources/")
                if state.refuses && request.uri().host() == Some("other.example") =>
            {
                reply(400, &json!({"error": "invalid_request"}))
            }
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

impl AmState {
    /// A code `for.CHALLENGE` is good for the verifier of that challenge alone; any other for every verifier.
    fn token(&self, body: &[u8]) -> Response<Bytes> {
        let fields: BTreeMap<_, _> = url::form_urlencoded::parse(body).into_owned().collect();
        let verifier = fields.get("code_verifier").map_or("", String::as_str);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        let bound = fields
            .get("code")
            .and_then(|code| code.strip_prefix("for."))
            .is_some_and(|wanted| wanted != challenge);
        if bound {
            return reply(400, &json!({"error": "invalid_grant"}));
        }
        let tokens = json!({"access_token": secret("PAT", "canary-pat"), "token_type": "Bearer", "expires_in": 3600, "refresh_token": secret("refresh token", "canary-refresh")});
        reply(200, &tokens)
    }
}

fn issuer_of(request: &Request<Bytes>) -> String {
    // All but these two pass themselves off as the first.
    match request.uri().host() {
        Some("other.example") => OTHER.to_owned(),
        _ => AM.to_owned(),
    }
}

fn metadata(issuer: &str, names_itself: bool) -> Value {
    json!({
        "issuer": issuer,
        "authorization_response_iss_parameter_supported": names_itself,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "registration_endpoint": format!("{issuer}/register"),
        "introspection_endpoint": format!("{issuer}/introspect"),
        "permission_endpoint": format!("{issuer}/permissions"),
        "resource_registration_endpoint": format!("{issuer}/resources/"),
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
    pub(super) clock: ManualClock,
    pub(super) engine: Engine,
}

impl TestSite {
    /// A site on which alice is signed in.
    pub(super) async fn new() -> Self {
        Self::built(|pages| pages).await
    }

    pub(super) async fn built(set_up: impl FnOnce(WebBuilder) -> WebBuilder) -> Self {
        Self::of(|host| host.ams(AmPolicy::Any(settings())), set_up).await
    }

    /// A site whose host is told more, or otherwise.
    pub(super) async fn of(
        tell: impl FnOnce(HostBuilder) -> HostBuilder,
        set_up: impl FnOnce(WebBuilder) -> WebBuilder,
    ) -> Self {
        let am = ScriptedAm::default();
        let clock = ManualClock::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let key = SealingKey::generate().unwrap();
        let store = AnyStore::open("sqlite::memory:", key).await.unwrap();
        let builder = Host::builder(store)
            .http(am.http())
            .outbound_http(am.http())
            .outbound(Outbound::new().answers_after(Duration::from_millis(10)))
            .callback_base("https://here.example/uma/callback".parse().unwrap())
            .catalogue(People)
            .clock(Arc::new(clock.clone()));
        let host = tell(builder).build().await.unwrap();
        let layer = WardenLayer::builder()
            .maps(host.maps())
            .protection(host.protection())
            .guard("/api", Unmapped::Pass)
            .clock(Arc::new(clock.clone()))
            .audit(host.access_log(), 100)
            .build()
            .unwrap();
        host.attach(layer.engine().clone());
        let pages = web::router(host.clone(), ByHeader).title("Here");
        Self {
            router: Router::new().merge(set_up(pages).build().unwrap()),
            am,
            user: Some("alice s1"),
            referer: None,
            host,
            clock,
            engine: layer.engine().clone(),
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
        self.begin_at(AM, "/uma/connect", return_to).await.0
    }

    /// The same at an AM, to connect or to move; with the challenge of the verifier.
    pub(super) async fn begin_at(&self, am: &str, path: &str, return_to: &str) -> (String, String) {
        let form = [("am", am), ("return_to", return_to)];
        let answer = self.post(path, &form).await;
        let url: url::Url = answer.location().parse().unwrap();
        assert_eq!(url.origin().ascii_serialization(), am);
        let value = |name: &str| {
            url.query_pairs()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
                .unwrap()
        };
        let callback = value("redirect_uri");
        let path = callback.strip_prefix("https://here.example").unwrap();
        let callback = format!("{path}?state={}", value("state"));
        (callback, value("code_challenge"))
    }

    pub(super) async fn connect(&self) {
        let callback = self.begin_connect("/").await;
        let answer = self.get(&format!("{callback}&code=c1")).await;
        assert_eq!(answer.location(), "/?notice=connected");
    }

    /// Somebody asks for a path of the host: without a token, or with one. Gives the status, 0 where it passes.
    pub(super) async fn ask(&self, uri: &str, token: Option<&str>) -> u16 {
        let mut request = Request::get(uri);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(()).unwrap();
        let verdict = self.engine.judge(&RequestHead::of(&request)).await;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        self.host.access_log().flush().await.unwrap();
        match verdict {
            tower_warden::Verdict::Refuse(refusal) => refusal.status().as_u16(),
            _ => 0,
        }
    }

    /// The value of a hidden field of a page.
    pub(super) async fn hidden(&self, page: &str, field: &str) -> String {
        let answer = self.get(page).await;
        let before = format!("name=\"{field}\" value=\"");
        let rest = answer.body.split_once(&before).unwrap().1;
        rest.split('"').next().unwrap().to_owned()
    }

    pub(super) async fn share(&self, uri: &str, name: &str) -> Answer {
        let form = [("uri", uri), ("resource_name", name)];
        self.post("/uma/register-resource", &form).await
    }
}
