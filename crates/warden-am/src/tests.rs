//! Tests of the endpoints and pages through the router, without a socket.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::{AmBuilder, CLAIM_TOKEN_FORMAT, ClientSpec, PolicySpec, Script, WardenAm, secrets};

mod claims;
mod consent;
mod draft03;
mod faults;
mod metadata;
mod persistence;
mod policies;
mod protection;
mod register;
mod signin;
mod tokens;
mod uma;

const ISSUER: &str = "http://am.example";
const HOST: &str = "photo host";
const HOST_SECRET: &str = "cnry5d1f_host secret: 100%";
const HOST_CALLBACK: &str = "https://host.example/cb?am=1";
const APP: &str = "app";
const APP_SECRET: &str = "cnry5d1f_app secret";
const APP_CLAIMS: &str = "https://app.example/claims";
const UMA: &str = "urn:ietf:params:oauth:grant-type:uma-ticket";
const VERIFIER: &str = "abcdefghijklmnopqrstuvwxyz0123456789-._~ABC";

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    fn location(&self) -> &str {
        self.header(header::LOCATION)
    }

    /// A query parameter of the redirect.
    fn sent(&self, name: &str) -> Option<String> {
        let url = Url::parse(ISSUER).unwrap().join(self.location()).unwrap();
        url.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// Asserts the status, and returns the error code.
    #[track_caller]
    fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()["error"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        self.json()
    }

    fn string(&self, member: &str) -> String {
        self.json()[member]
            .as_str()
            .unwrap_or_else(|| panic!("no {member}: {}", self.text()))
            .to_owned()
    }
}

/// One AM with alice, bob and carol, a host and an app; and a browser with one cookie.
struct World {
    am: WardenAm,
    cookie: Option<String>,
}

fn builder() -> AmBuilder {
    warden_canary::listen();
    warden_canary::planted("secrets of warden-am");
    WardenAm::builder(ISSUER)
        .secret_prefix(warden_canary::MARK)
        .user("alice", "alice")
        .user("bob", "bob")
        .user("carol", "carol")
        .client(
            ClientSpec::new(HOST)
                .secret(HOST_SECRET)
                .name("Photo <Host>")
                .redirect_uri(HOST_CALLBACK)
                .scope("uma_protection openid"),
        )
        .client(
            ClientSpec::new(APP)
                .secret(APP_SECRET)
                .claims_redirect_uri(APP_CLAIMS)
                .scope("view print"),
        )
}

impl World {
    fn new() -> Self {
        Self::of(builder())
    }

    fn of(builder: AmBuilder) -> Self {
        Self {
            am: builder.build().unwrap(),
            cookie: None,
        }
    }

    fn script(&self) -> Script {
        self.am.script()
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.am.router().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        Answer {
            status: head.status,
            headers: head.headers,
            body: to_bytes(body, usize::MAX).await.unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        let mut request = Request::get(path);
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, format!("other=1; {cookie}"));
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Posts a form as the browser would.
    async fn submit(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let mut request = form_request(path, pairs);
        if let Some(cookie) = &self.cookie {
            request
                .headers_mut()
                .insert(header::COOKIE, cookie.parse().unwrap());
        }
        self.send(request).await
    }

    /// Posts a form with client credentials in the header.
    async fn call(&self, client: &str, secret: &str, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let mut request = form_request(path, pairs);
        request.headers_mut().insert(
            header::AUTHORIZATION,
            basic(client, secret).parse().unwrap(),
        );
        self.send(request).await
    }

    async fn host(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        self.call(HOST, HOST_SECRET, path, pairs).await
    }

    async fn app(&self, pairs: &[(&str, &str)]) -> Answer {
        let mut all = vec![("grant_type", UMA)];
        all.extend(pairs);
        self.call(APP, APP_SECRET, "/token", &all).await
    }

    async fn api(&self, method: Method, path: &str, token: &str, body: &Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        self.send(request).await
    }

    async fn introspect(&self, pat: &str, token: &str) -> Answer {
        let mut request = form_request("/introspect", &[("token", token)]);
        request.headers_mut().insert(
            header::AUTHORIZATION,
            format!("Bearer {pat}").parse().unwrap(),
        );
        self.send(request).await
    }

    /// Signs in, and keeps the cookie.
    async fn sign_in(&mut self, name: &str) {
        let answer = self
            .submit("/signin", &[("username", name), ("password", name)])
            .await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        let cookie = answer.header(header::SET_COOKIE);
        self.cookie = cookie.split(';').next().map(str::to_owned);
    }

    fn pat(&self, owner: &str) -> String {
        self.script().issue_pat(owner, HOST).unwrap()
    }

    async fn resource(&self, owner: &str, scopes: &[&str]) -> String {
        let body = json!({"resource_scopes": scopes, "name": "Holiday"});
        let answer = self
            .api(Method::POST, "/resource", &self.pat(owner), &body)
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        answer.string("_id")
    }

    async fn ticket(&self, owner: &str, resource: &str, scopes: &[&str]) -> String {
        let body = json!({"resource_id": resource, "resource_scopes": scopes});
        let answer = self
            .api(Method::POST, "/permission", &self.pat(owner), &body)
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        answer.string("ticket")
    }

    /// Presents a ticket for a person, with her sign-in token.
    async fn present(&self, user: &str, ticket: &str, more: &[(&str, &str)]) -> Answer {
        let token = self.script().claim_token(user, APP).unwrap();
        let mut pairs = vec![
            ("ticket", ticket),
            ("claim_token", &token),
            ("claim_token_format", CLAIM_TOKEN_FORMAT),
        ];
        pairs.extend(more);
        self.app(&pairs).await
    }

    fn allow(&self, owner: &str, resource: &str, user: &str, scopes: &[&str]) -> String {
        let policy = PolicySpec::user(user, scopes.iter().copied());
        self.script().add_policy(owner, resource, policy).unwrap()
    }

    /// The scopes that introspection shows for a resource, sorted.
    async fn scopes(&self, owner: &str, rpt: &str, resource: &str) -> Vec<String> {
        let answer = self.introspect(&self.pat(owner), rpt).await.ok();
        assert_eq!(answer["active"], true, "{answer}");
        let of_resource = |entry: &&Value| entry["resource_id"] == resource;
        let mut scopes: Vec<String> = answer["permissions"]
            .as_array()
            .unwrap()
            .iter()
            .filter(of_resource)
            .flat_map(|entry| entry["resource_scopes"].as_array().unwrap())
            .map(|scope| scope.as_str().unwrap().to_owned())
            .collect();
        scopes.sort();
        scopes
    }
}

fn form_request(path: &str, pairs: &[(&str, &str)]) -> Request<Body> {
    let body = Serializer::new(String::new()).extend_pairs(pairs).finish();
    Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .unwrap()
}

fn basic(client: &str, secret: &str) -> String {
    let encode =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", encode(client), encode(secret)))
    )
}

/// The parameters of a good authorization request of the host.
fn authorization_request() -> Vec<(&'static str, String)> {
    vec![
        ("response_type", "code".to_owned()),
        ("client_id", HOST.to_owned()),
        ("redirect_uri", HOST_CALLBACK.to_owned()),
        ("scope", "uma_protection".to_owned()),
        ("state", "a state/&=".to_owned()),
        ("code_challenge", secrets::digest(VERIFIER)),
        ("code_challenge_method", "S256".to_owned()),
    ]
}

/// The same with one parameter changed (`None`: left out).
fn with(name: &str, value: Option<&str>) -> Vec<(&'static str, String)> {
    let mut pairs = authorization_request();
    match value {
        Some(value) => pairs
            .iter_mut()
            .filter(|(key, _)| *key == name)
            .for_each(|pair| pair.1 = value.to_owned()),
        None => pairs.retain(|(key, _)| *key != name),
    }
    pairs
}

fn authorize_path(pairs: &[(&str, String)]) -> String {
    format!(
        "/authorize?{}",
        Serializer::new(String::new()).extend_pairs(pairs).finish()
    )
}

impl World {
    /// Walks sign-in and consent, and returns the code.
    async fn consent(&mut self, user: &str, pairs: &[(&'static str, String)]) -> String {
        self.sign_in(user).await;
        let mut form: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        form.extend([("owner", user), ("decision", "allow")]);
        let answer = self.submit("/consent", &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        answer.sent("code").unwrap()
    }

    async fn exchange(&self, code: &str) -> Answer {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", HOST_CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.host("/token", &pairs).await
    }
}
