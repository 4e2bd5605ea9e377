//! An AM in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Notify;
use uma_client::{Dialect, Http, TransportError, TransportErrorKind};
use warden_canary::secret;

use super::AM;

mod draft03;

pub(crate) use draft03::Tags;

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Nothing is sent.
    Unreachable,
    /// The AM does what it is asked; its answer is lost.
    LostAnswer,
    /// The AM answers this and does nothing.
    Status(u16, &'static str),
    /// The AM does what it is asked, and answers this all the same: status, type, body.
    Answers(u16, &'static str, &'static str),
    /// The call never ends, and the AM does nothing.
    HangBefore,
    /// The AM does what it is asked; the call never ends.
    HangAfter,
}

#[derive(Clone, Default)]
struct State {
    /// By owner and id.
    resources: BTreeMap<(String, String), Value>,
    tokens: BTreeSet<String>,
    numbered: u32,
    log: Vec<String>,
    /// Faults of calls whose log line begins with the text; and those of the nth call from now.
    faults: Vec<(String, Fault)>,
    nth: Option<(usize, Fault)>,
    calls: usize,
    list_cap: Option<usize>,
    drops_scopes: bool,
    /// The life of refresh tokens, in seconds, if the AM names it.
    refresh_life: Option<u64>,
    /// Whether tokens come without a refresh token.
    without_refresh: bool,
    /// The most calls that were under way at once, and those that are.
    most_at_once: usize,
    at_once: usize,
    /// The resource that an RPT permits to view.
    permits: BTreeMap<String, String>,
    /// Whether it is of 2012; what it then keeps besides.
    of_2012: bool,
    old: draft03::Old,
}

/// All AMs of a test, in memory. It outlives the hosts that speak to it.
#[derive(Clone, Default)]
pub(crate) struct FakeAm {
    state: Arc<Mutex<State>>,
    pub(crate) hung: Arc<Notify>,
}

impl FakeAm {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// All AMs of a test speak the draft of 2012.
    pub(crate) fn of_2012() -> Self {
        let am = Self::default();
        am.state().of_2012 = true;
        am
    }

    pub(crate) fn dialect(&self) -> Dialect {
        if self.state().of_2012 {
            Dialect::Draft03
        } else {
            Dialect::Uma2
        }
    }

    /// Another AM in the same state.
    pub(crate) fn fork(&self) -> Self {
        Self {
            state: Arc::new(Mutex::new(self.state().clone())),
            hung: Arc::default(),
        }
    }

    pub(crate) fn http(&self) -> Http {
        let am = self.clone();
        Http::new(move |request: Request<Bytes>| {
            let am = am.clone();
            async move { am.answer(request).await }
        })
    }

    /// The next call whose log line begins with `call` fails so.
    pub(crate) fn fail(&self, call: &str, fault: Fault) {
        self.state().faults.push((call.into(), fault));
    }

    /// The nth call from now on fails so; the first is 0. Resets the count of calls.
    pub(crate) fn fail_nth(&self, n: usize, fault: Fault) {
        let mut state = self.state();
        state.calls = 0;
        state.nth = Some((n, fault));
    }

    /// No more faults. Says whether the nth call came about.
    pub(crate) fn mend(&self) -> bool {
        let mut state = self.state();
        state.faults.clear();
        state.nth.take().is_none()
    }

    /// Whether only the first scope of a description is kept.
    pub(crate) fn drop_scopes(&self, drops: bool) {
        self.state().drops_scopes = drops;
    }

    pub(crate) fn refresh_life(&self, seconds: Option<u64>) {
        self.state().refresh_life = seconds;
    }

    pub(crate) fn without_refresh(&self) {
        self.state().without_refresh = true;
    }

    /// The most calls that were under way at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.state().most_at_once
    }

    /// How many tokens live.
    pub(crate) fn tokens(&self) -> usize {
        self.state().tokens.len()
    }

    pub(crate) fn cap_list(&self, cap: Option<usize>) {
        self.state().list_cap = cap;
    }

    /// All PATs and refresh tokens die.
    pub(crate) fn revoke_all(&self) {
        self.state().tokens.clear();
    }

    /// From now on an RPT permits to view a resource.
    pub(crate) fn permit(&self, rpt: &str, id: &str) {
        self.state().permits.insert(rpt.into(), id.into());
    }

    pub(crate) fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.state().log)
    }

    pub(crate) fn count(&self, call: &str) -> usize {
        self.state()
            .log
            .iter()
            .filter(|line| line.starts_with(call))
            .count()
    }

    pub(crate) fn names(&self, owner: &str) -> Vec<String> {
        let state = self.state();
        let of_owner = state.resources.iter().filter(|((of, _), _)| of == owner);
        of_owner
            .map(|(_, value)| value["name"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn description(&self, owner: &str, id: &str) -> Option<Value> {
        self.state()
            .resources
            .get(&(owner.into(), id.into()))
            .cloned()
    }

    pub(crate) fn put(&self, owner: &str, id: &str, description: Value) {
        self.state()
            .resources
            .insert((owner.into(), id.into()), description);
    }

    pub(crate) fn forget(&self, owner: &str, id: &str) -> Option<Value> {
        self.state().resources.remove(&(owner.into(), id.into()))
    }

    async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let line = format!("{} {}", request.method(), request.uri().path());
        let fault = {
            let mut state = self.state();
            state.log.push(line.clone());
            let nth = match state.nth {
                Some((n, fault)) if n == state.calls => {
                    state.nth = None;
                    Some(fault)
                }
                _ => None,
            };
            state.calls += 1;
            let named = state
                .faults
                .iter()
                .position(|(call, _)| line.starts_with(call.as_str()));
            nth.or_else(|| named.map(|at| state.faults.remove(at).1))
        };
        let hang = async || {
            self.hung.notify_one();
            std::future::pending::<()>().await;
        };
        {
            let mut state = self.state();
            state.at_once += 1;
            state.most_at_once = state.most_at_once.max(state.at_once);
        }
        tokio::task::yield_now().await;
        self.state().at_once -= 1;
        match fault {
            None => Ok(self.act(&request)),
            Some(Fault::Unreachable) => Err(TransportError::new(TransportErrorKind::Connect)),
            Some(Fault::Status(status, code)) => Ok(reply(status, &json!({ "error": code }))),
            Some(Fault::LostAnswer) => {
                self.act(&request);
                Err(TransportError::new(TransportErrorKind::Broken))
            }
            Some(Fault::Answers(status, content_type, body)) => {
                self.act(&request);
                let mut answer = reply(status, &Value::Null);
                answer
                    .headers_mut()
                    .insert("content-type", content_type.parse().unwrap());
                *answer.body_mut() = body.into();
                Ok(answer)
            }
            Some(Fault::HangBefore) => {
                hang().await;
                Err(TransportError::new(TransportErrorKind::Timeout))
            }
            Some(Fault::HangAfter) => {
                self.act(&request);
                hang().await;
                Err(TransportError::new(TransportErrorKind::Timeout))
            }
        }
    }

    fn act(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let issuer = format!("https://{}", request.uri().host().unwrap());
        let path = request.uri().path();
        let mut state = self.state();
        if state.of_2012
            && let Some(answer) = state.answer_of_2012(request, &issuer)
        {
            return answer;
        }
        match path {
            "/.well-known/uma2-configuration" => reply(200, &metadata(&issuer)),
            _ if path.starts_with("/.well-known/") => reply(404, &json!({})),
            "/register" => {
                let mut client: Value = serde_json::from_slice(request.body()).unwrap();
                state.numbered += 1;
                client["client_id"] = json!(format!("client-{}", state.numbered));
                client["client_secret"] = json!(secret("client secret", "client-secret-canary"));
                reply(201, &client)
            }
            "/token" => state.token(request),
            "/revoke" => {
                let form: BTreeMap<String, String> = url::form_urlencoded::parse(request.body())
                    .into_owned()
                    .collect();
                state.tokens.remove(&form["token"]);
                reply(200, &Value::Null)
            }
            "/permission" | "/introspect" => state.protected(request, |state, owner| {
                let form: Value = serde_json::from_slice(request.body()).unwrap_or_default();
                if path == "/introspect" {
                    let form: BTreeMap<String, String> = url::form_urlencoded::parse(request.body())
                        .into_owned()
                        .collect();
                    let permits = state.permits.get(&form["token"]);
                    return reply(
                        200,
                        &permits.map_or_else(|| json!({ "active": false }), |id| {
                            json!({ "active": true, "aud": (1..20).map(|n| format!("client-{n}")).collect::<Vec<_>>(),
                                "permissions": [{ "resource_id": id, "resource_scopes": ["view"] }] })
                        }),
                    );
                }
                let id = form["resource_id"].as_str().unwrap().to_owned();
                if state.resources.contains_key(&(owner.to_owned(), id)) {
                    state.numbered += 1;
                    reply(
                        201,
                        &json!({ "ticket": secret("ticket", format!("ticket-{}", state.numbered)) }),
                    )
                } else {
                    reply(400, &json!({ "error": "invalid_resource_id" }))
                }
            }),
            _ => {
                let rest = path
                    .strip_prefix("/resources")
                    .unwrap()
                    .trim_start_matches('/')
                    .to_owned();
                state.protected(request, |state, owner| {
                    state.resource(request, owner, &rest)
                })
            }
        }
    }
}

impl State {
    fn token(&mut self, request: &Request<Bytes>) -> Response<Bytes> {
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(request.body())
            .into_owned()
            .collect();
        let owner = match form["grant_type"].as_str() {
            "authorization_code" => {
                assert!(form["code_verifier"].len() >= 43);
                let owner = form["code"].strip_prefix("code-");
                owner.map(|owner| here(request, owner))
            }
            "refresh_token" if self.tokens.remove(&form["refresh_token"]) => {
                form["refresh_token"].split('-').nth(1).map(str::to_owned)
            }
            "client_credentials" => client_of(request).map(|client| here(request, &client)),
            _ => None,
        };
        let Some(owner) = owner else {
            return reply(400, &json!({ "error": "invalid_grant" }));
        };
        self.numbered += 1;
        let (pat, refresh) = (
            secret("PAT", format!("pat-{owner}-{}-canary", self.numbered)),
            secret(
                "refresh token",
                format!("refresh-{owner}-{}-canary", self.numbered),
            ),
        );
        let mut answer = json!({ "access_token": pat, "token_type": "Bearer", "expires_in": 3600,
            "scope": "uma_protection" });
        self.tokens.insert(pat);
        if !self.without_refresh && form["grant_type"] != "client_credentials" {
            answer["refresh_token"] = json!(refresh);
            self.tokens.insert(refresh);
        }
        if let Some(life) = self.refresh_life {
            answer["refresh_expires_in"] = json!(life);
        }
        reply(200, &answer)
    }

    fn protected(
        &mut self,
        request: &Request<Bytes>,
        act: impl FnOnce(&mut Self, &str) -> Response<Bytes>,
    ) -> Response<Bytes> {
        let token = request.headers()["authorization"]
            .to_str()
            .unwrap()
            .strip_prefix("Bearer ")
            .unwrap();
        if !self.tokens.contains(token) {
            return reply(401, &json!({ "error": "invalid_token" }));
        }
        let owner = token.split('-').nth(1).unwrap().to_owned();
        let (name, _) = owner.split_once('@').unwrap_or((&owner, ""));
        assert_eq!(owner, here(request, name), "a PAT went to another AM");
        act(self, &owner)
    }

    fn resource(&mut self, request: &Request<Bytes>, owner: &str, id: &str) -> Response<Bytes> {
        let key = (owner.to_owned(), id.to_owned());
        let drops_scopes = self.drops_scopes;
        let body = || {
            let mut value: Value = serde_json::from_slice(request.body()).unwrap();
            if drops_scopes {
                value["resource_scopes"].as_array_mut().unwrap().truncate(1);
            }
            value
        };
        let created =
            |id: &str| json!({ "_id": id, "user_access_policy_uri": format!("{AM}/policy/{id}") });
        match (request.method(), id) {
            (&Method::POST, "") => {
                self.numbered += 1;
                let id = format!("r{}", self.numbered);
                self.resources
                    .insert((owner.to_owned(), id.clone()), body());
                reply(201, &created(&id))
            }
            (&Method::GET, "") => {
                let of_owner = self.resources.keys().filter(|(of, _)| of == owner);
                let cap = self.list_cap.unwrap_or(usize::MAX);
                reply(
                    200,
                    &json!(of_owner.map(|(_, id)| id).take(cap).collect::<Vec<_>>()),
                )
            }
            _ if !self.resources.contains_key(&key) => reply(404, &json!({ "error": "not_found" })),
            (&Method::GET, id) => {
                let mut value = self.resources[&key].clone();
                value["_id"] = json!(id);
                reply(200, &value)
            }
            (&Method::PUT, id) => {
                self.resources.insert(key, body());
                reply(200, &created(id))
            }
            (&Method::DELETE, _) => {
                self.resources.remove(&key);
                reply(204, &Value::Null)
            }
            (method, id) => panic!("{method} {id}"),
        }
    }
}

/// An owner as this AM knows one: `alice` at the first, `alice@other.example` elsewhere.
fn here(request: &Request<Bytes>, owner: &str) -> String {
    match request.uri().host().unwrap() {
        "am.example" => owner.to_owned(),
        host => format!("{owner}@{host}"),
    }
}

/// The client that authenticates by HTTP Basic; its number stands in for a name.
fn client_of(request: &Request<Bytes>) -> Option<String> {
    use base64::Engine as _;
    let basic = request.headers().get("authorization")?.to_str().ok()?;
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(basic.strip_prefix("Basic ")?)
        .ok()?;
    let text = String::from_utf8(decoded).ok()?;
    Some(text.split_once(':')?.0.replace('-', ""))
}

fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "registration_endpoint": format!("{issuer}/register"),
        "introspection_endpoint": format!("{issuer}/introspect"),
        "permission_endpoint": format!("{issuer}/permission"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "resource_registration_endpoint": format!("{issuer}/resources"),
        "authorization_response_iss_parameter_supported": true,
        "code_challenge_methods_supported": ["S256"],
    })
}

fn reply(status: u16, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if !body.is_null() {
        response
            .headers_mut()
            .insert("content-type", "application/json".parse().unwrap());
        *response.body_mut() = body.to_string().into();
    }
    response
}
