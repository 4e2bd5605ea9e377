//! Which mounts the coverage check proves, and what it finds.

use axum::Router;
use axum::routing::{get, post};
use tower_layer::Layer;

use crate::fake::World;
use crate::testing::{assert_covered, assert_routes_covered};
use crate::{Unmapped, WardenLayer};

fn layer() -> WardenLayer {
    let world = World::new();
    WardenLayer::builder()
        .maps(world.maps.clone())
        .protection(world.am.clone())
        .guard("/api", Unmapped::Pass)
        .build()
        .unwrap()
}

async fn nothing() {}

fn routes() -> Router {
    Router::new()
        .route("/api/photos", get(nothing).post(nothing))
        .route("/api/albums/{album}", get(nothing))
}

const PATHS: [&str; 2] = ["/api/photos", "/api/albums/7"];

#[tokio::test]
async fn around_everything_or_on_the_whole_router_all_is_covered() {
    let layer = layer();
    let engine = layer.engine().clone();
    let around = Router::new().fallback_service(layer.clone().layer(routes()));
    assert_covered(&engine, around, PATHS).await;
    let on_top = routes().fallback(nothing).layer(layer.clone());
    assert_covered(&engine, on_top, PATHS).await;
    let nested = Router::new().nest(
        "/api",
        Router::new()
            .route("/photos", get(nothing))
            .fallback(nothing)
            .layer(layer.clone()),
    );
    assert_covered(&engine, nested, ["/api/photos"]).await;
}

#[tokio::test]
async fn layers_on_routes_are_covered_route_by_route_and_leave_the_fallback_out() {
    let layer = layer();
    let engine = layer.engine().clone();
    let on_routes = routes().route_layer(layer.clone());
    assert_routes_covered(&engine, on_routes.clone(), PATHS).await;
    assert_routes_covered(
        &engine,
        on_routes.clone(),
        ["GET /api/photos", "POST /api/photos"],
    )
    .await;
    let error = engine.verify(on_routes.clone(), PATHS).await.unwrap_err();
    let holes: Vec<_> = error.paths().collect();
    let fallback = [
        "/api",
        "/api/albums/7/warden-coverage",
        "/api/photos/warden-coverage",
        "/api/warden-coverage",
    ];
    assert_eq!(holes, fallback, "the routes are not among the holes");
    // A route that came too late.
    let late = on_routes.route("/api/late", get(nothing));
    let error = engine
        .verify_routes(late, ["/api/photos", "/api/late"])
        .await;
    assert_eq!(
        error.unwrap_err().paths().collect::<Vec<_>>(),
        ["/api/late"]
    );
}

#[tokio::test]
async fn a_layer_on_a_method_router_is_proved_verb_by_verb() {
    let layer = layer();
    let engine = layer.engine().clone();
    let half = get(nothing).layer(layer.clone()).merge(post(nothing));
    let app = Router::new().route("/api/photos", half);
    assert_routes_covered(&engine, app.clone(), ["GET /api/photos"]).await;
    assert_routes_covered(&engine, app.clone(), ["HEAD /api/photos"]).await;
    for route in [
        "POST /api/photos",
        "DELETE /api/photos",
        "nonsense",
        "G\u{e9}T /api/photos",
    ] {
        assert!(
            engine.verify_routes(app.clone(), [route]).await.is_err(),
            "{route}"
        );
    }
}

#[tokio::test]
async fn a_nested_router_without_a_fallback_of_its_own_leaves_a_hole() {
    let layer = layer();
    let engine = layer.engine().clone();
    let inner = Router::new()
        .route("/photos", get(nothing))
        .layer(layer.clone());
    let app = Router::new().nest("/api", inner).fallback(nothing);
    let found = engine.verify(app.clone(), ["/api/photos"]).await;
    let hole = found.err().map(|error| error.to_string());
    // Whether the layer runs there is axum's to say; what counts is that the check says the same as a request.
    let mut request = http::Request::get("/api/warden-coverage")
        .body(axum::body::Body::empty())
        .unwrap();
    request
        .extensions_mut()
        .insert(super::Probe(engine.shared.clone()));
    let answer = tower::ServiceExt::oneshot(app, request).await.unwrap();
    let covered = answer.extensions().get::<super::Seen>().is_some();
    assert_eq!(hole.is_none(), covered, "{hole:?}");
}
