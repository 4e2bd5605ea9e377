//! One axum application, bare and under layers, and requests to it: shared by the benchmark and the test of allocations.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    missing_debug_implementations,
    missing_docs,
    unreachable_pub,
    reason = "measurements"
)]

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{Request, Response};
use axum::routing::get;
use tower::Service;
use tower_layer::layer_fn;
use tower_warden::{
    Am, Audience, CanonicalPath, Credential, Evidence, MemoryMaps, OwnerId, Permission, Protection,
    ProtectionError, Requirements, ResourceMap, Rpt, Unmapped, WardenLayer,
};
use uma_client::{Issuer, PermissionOutcome, ResourceId, Scopes, Ticket};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Making the request alone.
    Request,
    /// The same, with the token of 1 200 octets.
    RequestJwt,
    /// The router by itself.
    Bare,
    /// The router under a layer that does nothing.
    Identity,
    /// A path that no guard covers.
    NotGuarded,
    /// A guarded path that nobody has mapped.
    Unmapped,
    /// A permitted request, by a kept answer, with a token of 43 octets.
    CachedOpaque,
    /// The same, with a token of 1 200 octets.
    CachedJwt,
    /// A path with two readings.
    BadPath,
    /// An `Authorization` field that can't be read.
    BadHeader,
    /// A verb that no scope covers.
    BadVerb,
    /// A token that the AM, in memory, is asked about.
    Miss,
}

/// An AM in memory that permits everything.
struct Permits;

impl Protection for Permits {
    async fn verify(
        &self,
        requirements: &Requirements,
        _: &Rpt,
    ) -> Result<Evidence, ProtectionError> {
        let id = requirements.first().map().resource_id().clone();
        let permission = Permission::new(id, vec!["view".to_owned()]);
        Ok(Evidence::Active(tower_warden::ActiveToken::new(vec![
            permission,
        ])))
    }

    async fn request_permission(
        &self,
        _: &Requirements,
    ) -> Result<PermissionOutcome, ProtectionError> {
        Ok(PermissionOutcome::Ticket(
            Ticket::parse("ticket").map_err(ProtectionError::from)?,
        ))
    }

    fn credential(&self, _: &Requirements) -> Credential {
        Credential::Host
    }
}

pub const MAPS: usize = 1_000;

pub struct Scene {
    pub engine: tower_warden::Engine,
    bare: Router,
    identity: Router,
    pub warden: Router,
    jwt: String,
    runtime: tokio::runtime::Runtime,
}

fn routes() -> Router {
    Router::new()
        .route(
            "/api/{owner}/{photo}",
            get(|Path((_, photo)): Path<(String, String)>| async move { photo }),
        )
        .route(
            "/free/{owner}/{photo}",
            get(|Path((_, photo)): Path<(String, String)>| async move { photo }),
        )
}

impl Scene {
    pub fn new() -> Self {
        let am = Arc::new(Am::new(
            Issuer::parse("https://am.example").unwrap(),
            Audience::NotChecked,
        ));
        let maps = MemoryMaps::new();
        let all = (0..MAPS).map(|number| {
            let path = format!("/api/alice/{number}");
            Arc::new(ResourceMap::new(
                CanonicalPath::parse(&path).unwrap(),
                OwnerId::new("alice"),
                am.clone(),
                ResourceId::parse(&path).unwrap(),
                Scopes::parse(["view", "edit"]).unwrap(),
            ))
        });
        maps.replace(all).unwrap();
        let layer = WardenLayer::builder()
            .maps(maps)
            .protection(Permits)
            .guard("/api", Unmapped::Pass)
            .build()
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        // As every layer with settings of its own, it carries a pointer: axum clones its layers for each request.
        let settings = Arc::new(());
        let identity = layer_fn(move |inner: axum::routing::Route| {
            let _ = &settings;
            inner
        });
        Self {
            engine: layer.engine().clone(),
            bare: routes(),
            identity: routes().layer(identity),
            warden: routes().layer(layer),
            jwt: format!(
                "{}.{}.{}",
                "a".repeat(100),
                "b".repeat(756),
                "c".repeat(342)
            ),
            runtime,
        }
    }

    /// Makes the request of a case.
    pub fn make(&self, case: Case) -> Request<Body> {
        self.make_numbered(case, 0)
    }

    /// Makes the request of a case; a miss bears another token for each number.
    pub fn make_numbered(&self, case: Case, number: u64) -> Request<Body> {
        const OPAQUE: &str = "Bearer mF_9.B5f-4.1JqM0123456789abcdefghijklmnopqrst";
        let (path, field) = match case {
            Case::NotGuarded => ("/free/alice/7", OPAQUE.to_owned()),
            Case::Unmapped => ("/api/nobody/7", OPAQUE.to_owned()),
            Case::CachedJwt | Case::RequestJwt => ("/api/alice/7", format!("Bearer {}", self.jwt)),
            Case::BadPath => ("/api//7", OPAQUE.to_owned()),
            Case::BadHeader => ("/api/alice/7", "Bearer a b".to_owned()),
            Case::Miss => ("/api/alice/7", format!("Bearer miss{number}")),
            _ => ("/api/alice/7", OPAQUE.to_owned()),
        };
        let method = if case == Case::BadVerb {
            "TRACE"
        } else {
            "GET"
        };
        Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", field)
            .body(Body::empty())
            .unwrap()
    }

    /// Answers a request that was made.
    pub fn answer(&self, case: Case, request: Request<Body>) {
        let router = match case {
            Case::Request | Case::RequestJwt => {
                drop(std::hint::black_box(request));
                return;
            }
            Case::Bare => &self.bare,
            Case::Identity => &self.identity,
            _ => &self.warden,
        };
        let mut router: axum::routing::RouterIntoService<Body> = router.clone().into_service();
        let mut future = std::pin::pin!(router.call(request));
        let ready = match future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(response) => response,
            Poll::Pending => panic!("{case:?} waits"),
        };
        check(case, &ready);
    }

    pub fn run(&self, case: Case) {
        if matches!(case, Case::CachedOpaque | Case::CachedJwt | Case::Miss) {
            let mut router: axum::routing::RouterIntoService<Body> =
                self.warden.clone().into_service();
            let response = self.runtime.block_on(router.call(self.make(case)));
            check(case, &response);
        }
        if case != Case::Miss {
            self.answer(case, self.make(case));
        }
    }

    /// Answers a request that may wait.
    pub fn wait(&self, case: Case, number: u64) {
        let mut router: axum::routing::RouterIntoService<Body> = self.warden.clone().into_service();
        let response = self
            .runtime
            .block_on(router.call(self.make_numbered(case, number)));
        check(case, &response);
    }
}

fn check(case: Case, response: &Result<Response<Body>, Infallible>) {
    let Ok(response) = response else {
        panic!("{case:?} fails");
    };
    let expected = match case {
        Case::BadPath | Case::BadHeader => 400,
        Case::BadVerb => 403,
        _ => 200,
    };
    assert_eq!(response.status().as_u16(), expected, "{case:?}");
}
