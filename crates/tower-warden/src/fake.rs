//! An AM in memory, and a host around it, for the tests of this crate.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::sync::Notify;
use tower::{ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_layer::Layer;
use uma_client::{Issuer, ManualClock, PermissionOutcome, ResourceId, Scopes, Ticket};

use warden_canary::MARK;

use crate::*;

pub(crate) const NOW: u64 = 1_800_000_000;

/// What the fake AM does instead of answering.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    Unreachable,
    /// Reached, and answers 500.
    Fails,
    Hangs,
    Panics,
    Refuses,
}

/// Answers by table, counts what it is asked.
#[derive(Clone, Default)]
pub(crate) struct FakeAm(Arc<Inner>);

#[derive(Default)]
struct Inner {
    answers: Mutex<HashMap<String, Evidence>>,
    ticket: Mutex<Option<String>>,
    verify_trouble: Mutex<Option<Trouble>>,
    ticket_trouble: Mutex<Option<Trouble>>,
    hold: Mutex<Option<Arc<Notify>>>,
    /// Tokens, unmarked, at which the AM fails.
    stumbles: Mutex<Vec<String>>,
    open: AtomicBool,
    verified: AtomicUsize,
    tickets: AtomicUsize,
}

impl FakeAm {
    pub(crate) fn grant(&self, token: &str, resource: &str, scopes: &[&str]) {
        self.answer(token, Evidence::Active(token_for(resource, scopes)));
    }

    pub(crate) fn answer(&self, token: &str, evidence: Evidence) {
        self.0
            .answers
            .lock()
            .unwrap()
            .insert(token.into(), evidence);
    }

    pub(crate) fn give_ticket(&self, ticket: &str) {
        *self.0.ticket.lock().unwrap() = Some(ticket.into());
    }

    pub(crate) fn fail_verify(&self, trouble: Option<Trouble>) {
        *self.0.verify_trouble.lock().unwrap() = trouble;
    }

    pub(crate) fn fail_tickets(&self, trouble: Option<Trouble>) {
        *self.0.ticket_trouble.lock().unwrap() = trouble;
    }

    /// From now on the AM fails at tokens that begin like this.
    pub(crate) fn stumble_over(&self, token: &str) {
        self.0.stumbles.lock().unwrap().push(token.into());
    }

    /// Whether the AM says that no token is needed.
    pub(crate) fn wants_no_token(&self, open: bool) {
        self.0.open.store(open, Ordering::SeqCst);
    }

    /// Answers are looked up when asked, but given only when notified.
    pub(crate) fn hold(&self) -> Arc<Notify> {
        let notify = Arc::new(Notify::new());
        *self.0.hold.lock().unwrap() = Some(notify.clone());
        notify
    }

    pub(crate) fn release(&self) {
        if let Some(notify) = self.0.hold.lock().unwrap().take() {
            notify.notify_waiters();
        }
    }

    pub(crate) fn verified(&self) -> usize {
        self.0.verified.load(Ordering::SeqCst)
    }

    pub(crate) fn tickets(&self) -> usize {
        self.0.tickets.load(Ordering::SeqCst)
    }
}

async fn suffer(trouble: Option<Trouble>) -> Result<(), ProtectionError> {
    match trouble {
        None => Ok(()),
        Some(Trouble::Unreachable) => Err(ProtectionError::new(ProtectionErrorKind::Unreachable)),
        Some(Trouble::Fails) => Err(ProtectionError::new(ProtectionErrorKind::Am)),
        Some(Trouble::Hangs) => std::future::pending().await,
        Some(Trouble::Refuses) => Err(ProtectionError::new(ProtectionErrorKind::Refused)),
        Some(Trouble::Panics) => panic!("an AM that panics"),
    }
}

impl Protection for FakeAm {
    async fn verify(&self, _: &Requirements, rpt: &Rpt) -> Result<Evidence, ProtectionError> {
        self.0.verified.fetch_add(1, Ordering::SeqCst);
        let trouble = *self.0.verify_trouble.lock().unwrap();
        suffer(trouble).await?;
        let token = rpt.secret().expose();
        let token = token.strip_prefix(MARK).unwrap_or(token);
        let stumbles = self.0.stumbles.lock().unwrap().clone();
        if stumbles.iter().any(|begin| token.starts_with(begin)) {
            suffer(Some(Trouble::Fails)).await?;
        }
        let answer = self.0.answers.lock().unwrap().get(token).cloned();
        let hold = self.0.hold.lock().unwrap().clone();
        if let Some(hold) = hold {
            hold.notified().await;
        }
        Ok(answer.unwrap_or(Evidence::Inactive))
    }

    async fn request_permission(
        &self,
        _: &Requirements,
    ) -> Result<PermissionOutcome, ProtectionError> {
        let number = self.0.tickets.fetch_add(1, Ordering::SeqCst);
        let trouble = *self.0.ticket_trouble.lock().unwrap();
        suffer(trouble).await?;
        let fixed = self.0.ticket.lock().unwrap().clone();
        if self.0.open.load(Ordering::SeqCst) {
            return Ok(PermissionOutcome::NoneNeeded);
        }
        let ticket =
            fixed.unwrap_or_else(|| warden_canary::secret("ticket", format!("ticket-{number}")));
        Ok(PermissionOutcome::Ticket(
            Ticket::parse(&ticket).map_err(ProtectionError::from)?,
        ))
    }
}

/// A token as it is borne: with the mark by which leaks are found.
pub(crate) fn token_of(name: &str) -> String {
    warden_canary::secret("token", name)
}

pub(crate) fn token_for(resource: &str, scopes: &[&str]) -> ActiveToken {
    let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
    ActiveToken::new(vec![Permission::new(
        ResourceId::parse(resource).unwrap(),
        scopes,
    )])
}

pub(crate) fn am(issuer: &str) -> Arc<Am> {
    Arc::new(Am::new(
        Issuer::parse(issuer).unwrap(),
        Audience::NotChecked,
    ))
}

/// Alice's map of a path; the resource's id is the path.
pub(crate) fn map(path: &str) -> ResourceMap {
    map_at(path, "alice", &am("https://am.example"))
}

pub(crate) fn map_at(path: &str, owner: &str, am: &Arc<Am>) -> ResourceMap {
    ResourceMap::new(
        CanonicalPath::parse(path).unwrap(),
        OwnerId::new(owner),
        am.clone(),
        ResourceId::parse(path).unwrap(),
        Scopes::parse(["view", "edit", "delete"]).unwrap(),
    )
}

/// What the tests sign owners in with.
#[derive(Clone)]
pub(crate) struct SignedIn(pub(crate) &'static str);

/// A host with `/api/mapped` (Alice's, exact) and `/api/tree` (Alice's, subtree) shared.
pub(crate) struct World {
    pub(crate) am: FakeAm,
    pub(crate) maps: MemoryMaps,
    pub(crate) clock: ManualClock,
    pub(crate) handled: Arc<AtomicUsize>,
}

impl World {
    pub(crate) fn new() -> Self {
        warden_canary::listen();
        let maps = MemoryMaps::new();
        maps.insert(map("/api/mapped"));
        maps.insert(map("/api/tree").with_subtree(true));
        Self {
            am: FakeAm::default(),
            maps,
            clock: ManualClock::new(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)),
            handled: Arc::default(),
        }
    }

    pub(crate) fn builder(&self) -> WardenBuilder {
        WardenLayer::builder()
            .maps(self.maps.clone())
            .protection(self.am.clone())
            .clock(Arc::new(self.clock.clone()))
            .outermost()
            .guard("/api", Unmapped::Pass)
            .guard("/api/private", Unmapped::Deny)
            .own_access(|extensions, owner| {
                let who: Option<&SignedIn> = extensions.get();
                who.is_some_and(|who| who.0 == owner.as_str())
            })
    }

    pub(crate) fn app(&self) -> App {
        self.serve(&self.builder().build().unwrap())
    }

    pub(crate) fn serve(&self, layer: &WardenLayer) -> App {
        let handled = self.handled.clone();
        let handler = service_fn(move |request: Request<Full<Bytes>>| {
            handled.fetch_add(1, Ordering::SeqCst);
            async move {
                let access = request
                    .extensions()
                    .get::<Access>()
                    .map(|access| format!("{access:?}"));
                let mut response = Response::new(Full::from(access.unwrap_or_default()));
                response
                    .headers_mut()
                    .insert("host-handler", http::HeaderValue::from_static("1"));
                response.headers_mut().insert(
                    "cache-control",
                    http::HeaderValue::from_static("public, max-age=60"),
                );
                if let Some(value) = request.headers().get("authorization") {
                    response
                        .headers_mut()
                        .insert("saw-authorization", value.clone());
                }
                Ok::<_, Infallible>(response)
            }
        });
        App {
            engine: layer.engine().clone(),
            service: BoxCloneSyncService::new(layer.layer(handler)),
        }
    }
}

#[derive(Clone)]
pub(crate) struct App {
    pub(crate) engine: Engine,
    pub(crate) service:
        BoxCloneSyncService<Request<Full<Bytes>>, Response<Full<Bytes>>, Infallible>,
}

#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
    pub(crate) by_handler: bool,
}

impl Answered {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().unwrap());
        assert!(values.next().is_none(), "{name} is repeated");
        value
    }

    pub(crate) fn ticket(&self) -> Option<&str> {
        self.header("www-authenticate")?
            .rsplit("ticket=\"")
            .next()?
            .strip_suffix('"')
            .map(|ticket| ticket.strip_prefix(MARK).unwrap_or(ticket))
    }

    pub(crate) fn reason(&self) -> String {
        let problem: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], self.status);
        problem["reason"].as_str().unwrap().to_owned()
    }
}

impl App {
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answered {
        let response = self.service.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let answered = Answered {
            status: parts.status.as_u16(),
            by_handler: parts.headers.contains_key("host-handler"),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        };
        // A dialect's own body carries the ticket, as its challenge does.
        if answered.header("content-type") == Some("application/problem+json") {
            warden_canary::shown(&answered.body);
        }
        answered
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.send(request("GET", path, &[])).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, token: &str) -> Answered {
        let value = format!("Bearer {}", token_of(token));
        self.send(request(method, path, &[("authorization", &value)]))
            .await
    }
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

/// Lets the others go on until a condition holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if condition() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never came to pass");
}
