//! How this node stands among others, for operators and load balancers: `GET /_warden/status`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use warden_host::Host;

/// The route. It is under no guard: it answers while governed paths get 503, too.
pub(crate) fn router(host: Host) -> Router {
    Router::new()
        .route("/_warden/status", get(status))
        .with_state(host)
}

/// 200 while requests are judged, otherwise 503. Nothing in it is secret.
async fn status(State(host): State<Host>) -> Response {
    let status = host.status();
    let code = if status.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let maps = host.maps();
    let held = maps.snapshot().map(|maps| maps.len());
    let body = serde_json::json!({
        "node": status.node.as_str(),
        "ready": status.ready,
        "epoch": status.epoch,
        "lease_age_ms": status.lease_age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
        "hears": status.hears,
        "maps": if held.is_some() { "snapshot" } else { "read-through" },
        "maps_held": held,
        "map_fetches": maps.fetches(),
    });
    (code, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
