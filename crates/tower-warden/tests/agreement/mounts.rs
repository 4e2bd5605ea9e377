//! One host, its routes of every kind, and Warden mounted on it in each of the ways that there are.

use std::path::Path as Disk;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::{any, get};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tower_http::services::ServeDir;
use tower_layer::Layer;
use tower_warden::{
    Am, Audience, CanonicalPath, Evidence, MemoryMaps, OwnerId, Protection, ProtectionError,
    ProtectionErrorKind, Requirements, ResourceMap, Rpt, Unmapped, WardenLayer,
};
use uma_client::{Issuer, PermissionOutcome, ResourceId, Scopes};

/// An AM that is away: whatever is mapped is refused.
struct Away;

impl Protection for Away {
    async fn verify(&self, _: &Requirements, _: &Rpt) -> Result<Evidence, ProtectionError> {
        Err(ProtectionError::new(ProtectionErrorKind::Pat))
    }

    async fn request_permission(
        &self,
        _: &Requirements,
    ) -> Result<PermissionOutcome, ProtectionError> {
        Err(ProtectionError::new(ProtectionErrorKind::Pat))
    }
}

/// Everything of alice's below each kind of route, and some single objects.
pub(crate) const SUBTREES: [&str; 7] = [
    "/api/alice",
    "/api/t/alice",
    "/api/files/alice",
    "/api/svc/alice",
    "/api/fb/alice",
    "/api/only/alice",
    "/api/disk/alice",
];
pub(crate) const EXACT: [&str; 5] = [
    "/api/bob/photo",
    "/api/files/bob/photo",
    "/api/fb/bob/photo",
    "/api/al@x",
    "/api/disk/bob/photo",
];

fn warden() -> WardenLayer {
    let issuer = Issuer::parse("https://am.example").unwrap();
    let am = Arc::new(Am::new(issuer, Audience::NotChecked));
    let maps = MemoryMaps::new();
    let insert = |path: &str, subtree| {
        let map = ResourceMap::new(
            CanonicalPath::parse(path).unwrap(),
            OwnerId::new("alice"),
            am.clone(),
            ResourceId::parse(path).unwrap(),
            Scopes::parse(["view", "edit", "delete"]).unwrap(),
        );
        maps.insert(map.with_subtree(subtree));
    };
    SUBTREES.iter().for_each(|path| insert(path, true));
    EXACT.iter().for_each(|path| insert(path, false));
    WardenLayer::builder()
        .maps(maps)
        .protection(Away)
        .guard("/api", Unmapped::Pass)
        .build()
        .unwrap()
}

/// The object that a handler would act on, as the value of a field.
fn object(parts: &[&str]) -> HeaderMap {
    let object = utf8_percent_encode(&parts.join("/"), NON_ALPHANUMERIC).to_string();
    let mut headers = HeaderMap::new();
    headers.insert("object", HeaderValue::from_str(&object).unwrap());
    headers
}

/// The object of a handler that reads the whole path itself, and decodes it.
fn whole(below: &'static str, request: &Request) -> HeaderMap {
    let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
    object(&[below, path.trim_start_matches('/')])
}

type Two = Path<(String, String)>;

/// Handlers below a prefix; each runs under any verb.
fn inner(prefix: &'static str) -> Router {
    let alice = move || async move { object(&[prefix, "alice"]) };
    let one = move |Path(name): Path<String>| async move { object(&[prefix, &name]) };
    let two = move |Path((name, item)): Two| async move { object(&[prefix, &name, &item]) };
    Router::new()
        .route("/alice", any(alice))
        .route("/{name}", any(one))
        .route("/{name}/{item}", get(two).fallback(two))
}

/// Routes of every kind; `fallbacks` says whether objects are served by the fallback of the router itself, too.
fn routes(disk: &Disk, fallbacks: bool) -> Router {
    let rest = |Path(rest): Path<String>| async move { object(&["/api/files", &rest]) };
    let only = |Path(name): Path<String>| async move { object(&["/api/only", &name]) };
    let missed = |request: Request| async move {
        object(&["/api/svc", request.uri().path().trim_start_matches('/')])
    };
    let router = Router::new()
        .merge(inner("/api"))
        .route("/files/{*rest}", any(rest))
        .route("/only/{name}", get(only).fallback(only))
        .nest("/t", inner("/api/t"))
        .nest_service("/svc", inner("/api/svc").fallback(missed))
        .nest_service("/disk", ServeDir::new(disk));
    if fallbacks {
        let below = |request: Request| async move { whole("/api/fb", &request) };
        let other = |request: Request| async move { whole("/api", &request) };
        router
            .nest("/fb", Router::new().fallback(below))
            .fallback(other)
    } else {
        router.fallback(|| async { StatusCode::NOT_FOUND })
    }
}

/// The same host without Warden.
pub(crate) fn bare(disk: &Disk) -> Router {
    Router::new().nest("/api", routes(&disk.join("api/disk"), true))
}

/// Warden in every place that it can be put. The disk holds `api/disk/…`.
pub(crate) fn apps(disk: &Disk) -> Vec<(&'static str, Router)> {
    let warden = warden();
    let below = disk.join("api/disk");
    let routes = |fallbacks| routes(&below, fallbacks);
    let api = || Router::new().nest("/api", routes(true));
    let root = |request: Request| async move { whole("", &request) };
    vec![
        (
            "around the finished router",
            Router::new().fallback_service(warden.layer(api().fallback(root))),
        ),
        (
            "Router::layer",
            api()
                .fallback_service(ServeDir::new(disk))
                .layer(warden.clone()),
        ),
        (
            // It covers routes alone, so that fallbacks must not serve objects.
            "Router::route_layer",
            Router::new()
                .nest("/api", routes(false))
                .route_layer(warden.clone()),
        ),
        (
            "nested router",
            Router::new().nest("/api", routes(true).layer(warden.clone())),
        ),
        (
            "nested service",
            Router::new().nest_service("/api", warden.layer(routes(true))),
        ),
        (
            "merged routers",
            Router::new()
                .route("/open/{*rest}", any(|| async {}))
                .merge(api().layer(warden.clone())),
        ),
        (
            "twice",
            Router::new()
                .nest("/api", routes(true).layer(warden.clone()))
                .layer(warden.clone()),
        ),
        (
            "a route's own layer",
            Router::new().route("/{*rest}", any(root).layer(warden.clone())),
        ),
    ]
}
