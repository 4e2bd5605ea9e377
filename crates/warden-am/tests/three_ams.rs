//! One host, three owners, three AMs (UMA 2.0, the draft of 2012, and UMA 2.0 with another issuer), in one process and without
//! a socket: each path is refused in the dialect of its AM, and an RPT of one AM opens nothing of another.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests, helper functions included"
)]

use std::collections::HashMap;

use axum::body::{Body, to_bytes};
use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use http::{Request, StatusCode};
use tower::ServiceExt as _;
use tower_warden::{
    Access, CanonicalPath, Credential, Evidence, MemoryMaps, OneAm, OwnerId, Protection,
    ProtectionError, ProtectionErrorKind, Requirements, Rpt, Unmapped, WardenLayer,
};
use uma_client::{
    AmClient, ClientCredentials, Dialect, Exchange, Http, Issuer, PermissionOutcome, Requester,
    Secret, TicketExchange, TransportError, UmaChallenge,
};
use warden_am::{CLAIM_TOKEN_FORMAT, ClientSpec, PolicySpec, WardenAm};

/// Asks the AM that the map names.
struct ByIssuer(HashMap<Issuer, OneAm>);

impl ByIssuer {
    fn of(&self, requirements: &Requirements) -> Result<&OneAm, ProtectionError> {
        self.0
            .get(requirements.am().issuer())
            .ok_or_else(|| ProtectionError::new(ProtectionErrorKind::Host))
    }
}

impl Protection for ByIssuer {
    async fn verify(&self, r: &Requirements, rpt: &Rpt) -> Result<Evidence, ProtectionError> {
        self.of(r)?.verify(r, rpt).await
    }
    async fn request_permission(
        &self,
        r: &Requirements,
    ) -> Result<PermissionOutcome, ProtectionError> {
        self.of(r)?.request_permission(r).await
    }
    fn credential(&self, _: &Requirements) -> Credential {
        Credential::Host
    }
}

struct At {
    am: WardenAm,
    one: OneAm,
    path: &'static str,
    requester: Requester,
    dialect: Dialect,
    resource: String,
}

fn http(am: &WardenAm) -> Http {
    let router = am.router();
    Http::new(move |request: Request<Bytes>| {
        let router = router.clone();
        async move {
            let response = router.oneshot(request.map(Body::from)).await.unwrap();
            let (head, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            Ok::<_, TransportError>(http::Response::from_parts(head, body))
        }
    })
}

async fn at(issuer: &str, dialect: Dialect, path: &'static str, maps: &MemoryMaps) -> At {
    warden_canary::listen();
    warden_canary::planted("secrets of three AMs");
    let am = WardenAm::builder(issuer)
        .dialect(dialect)
        .secret_prefix(warden_canary::MARK)
        .user("bob", "bob")
        .client(ClientSpec::new("host").secret("s").scope("uma_protection"))
        .client(ClientSpec::new("app").secret("s"))
        .build()
        .unwrap();
    let issuer = Issuer::parse(issuer).unwrap();
    let one = OneAm::builder(issuer.clone(), ClientCredentials::basic("host", "s"))
        .dialect(dialect)
        .allow_insecure_http()
        .http(http(&am))
        .build()
        .unwrap();
    let map = one
        .register(
            CanonicalPath::parse(path).unwrap(),
            OwnerId::new(path),
            path,
        )
        .await
        .unwrap();
    let resource = map.resource_id().as_str().to_owned();
    maps.insert(map);
    let requester = Requester::new(
        AmClient::builder(issuer)
            .dialect(dialect)
            .allow_insecure_http()
            .http(http(&am))
            .credentials(ClientCredentials::basic("app", "s"))
            .build()
            .unwrap(),
    );
    At {
        am,
        one,
        path,
        requester,
        dialect,
        resource,
    }
}

struct Answer(StatusCode, http::HeaderMap, Bytes);

async fn call(app: &Router, path: &str, token: Option<&Secret>) -> Answer {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {}", token.expose()));
    }
    let response = app
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (head, body) = response.into_parts();
    Answer(
        head.status,
        head.headers,
        to_bytes(body, usize::MAX).await.unwrap(),
    )
}

#[tokio::test]
async fn three_ams_at_one_host() {
    let maps = MemoryMaps::new();
    let ams = [
        at("http://new.example", Dialect::Uma2, "/api/new", &maps).await,
        at("http://old.example", Dialect::Draft03, "/api/old", &maps).await,
        at("http://other.example", Dialect::Uma2, "/api/other", &maps).await,
    ];
    let by_issuer = ams
        .iter()
        .map(|at| (at.one.am().issuer().clone(), at.one.clone()))
        .collect();
    let layer = WardenLayer::builder()
        .maps(maps)
        .protection(ByIssuer(by_issuer))
        .guard("/api", Unmapped::Deny)
        .host_id("photos.example")
        .outermost()
        .build()
        .unwrap();
    let handler = |Extension(access): Extension<Access>| async move {
        assert!(access.grant().is_some());
        "in"
    };
    let app = Router::new()
        .route("/api/{name}", get(handler))
        .layer(layer);

    let mut tokens = Vec::new();
    for at in &ams {
        let mut answer = call(&app, at.path, None).await;
        assert_eq!(answer.0, 401);
        let mut challenge = UmaChallenge::parse_response(&answer.1, &answer.2)
            .unwrap()
            .unwrap();
        assert_eq!(challenge.dialect, at.dialect);
        assert_eq!(challenge.issuer.as_ref(), Some(at.one.am().issuer()));
        let mut own = None;
        if challenge.ticket.is_none() {
            own = Some(at.requester.own_token().await.unwrap().rpt);
            answer = call(&app, at.path, own.as_ref()).await;
            assert_eq!(answer.0, 403, "{:?}", answer.2);
            challenge = UmaChallenge::parse_response(&answer.1, &answer.2)
                .unwrap()
                .unwrap();
        }
        at.am
            .script()
            .add_policy("host", &at.resource, PolicySpec::user("bob", ["view"]))
            .unwrap();
        let bob = at.am.script().claim_token("bob", "app").unwrap();
        let mut exchange =
            TicketExchange::new(challenge.ticket.unwrap()).claim_token(bob, CLAIM_TOKEN_FORMAT);
        if let Some(own) = own {
            exchange = exchange.bearer(own);
        }
        let Exchange::Granted(grant) = at.requester.exchange(exchange).await.unwrap() else {
            panic!("a policy allows it");
        };
        tokens.push(grant.rpt);
    }
    for (i, token) in tokens.iter().enumerate() {
        for (j, at) in ams.iter().enumerate() {
            let answer = call(&app, at.path, Some(token)).await;
            let due = if i == j { 200 } else { 401 };
            assert_eq!(answer.0, due, "token {i} at {}", at.path);
        }
    }
}
