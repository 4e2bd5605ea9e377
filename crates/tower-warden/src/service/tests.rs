//! The service as tower wants it: readiness, clones, errors.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use http::{Request, Response, StatusCode};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_layer::Layer;
use tower_test::mock;

use crate::fake::{World, request as full_request};
use crate::{Access, Grant, Unmapped, Warden, WardenLayer};

type Bytes = http_body_util::Full<bytes::Bytes>;

fn layer(world: &World) -> WardenLayer {
    // As on axum: not outermost, so that nesting is understood.
    WardenLayer::builder()
        .maps(world.maps.clone())
        .protection(world.am.clone())
        .guard("/api", Unmapped::Pass)
        .build()
        .unwrap()
}

#[tokio::test]
async fn readiness_and_errors_are_those_of_the_inner_service() {
    let world = World::new();
    let (mut service, mut handle) =
        mock::spawn_with(|inner: mock::Mock<Request<Bytes>, Response<Bytes>>| {
            layer(&world).layer(inner)
        });
    handle.allow(0);
    tokio_test_pending(&mut service);
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    let passed = service.call(full_request("GET", "/other", &[]));
    let (_, respond) = handle.next_request().await.unwrap();
    respond.send_error("the inner service failed");
    assert_eq!(
        passed.await.unwrap_err().to_string(),
        "the inner service failed"
    );
}

fn tokio_test_pending<T>(service: &mut mock::Spawn<T>)
where
    T: Service<Request<Bytes>>,
{
    assert!(service.poll_ready::<Request<Bytes>>().is_pending());
}

#[tokio::test]
async fn the_service_that_was_polled_ready_is_the_one_that_is_called() {
    let world = World::new();
    world.am.grant("good", "/api/mapped", &["view"]);
    let inner = tower::service_fn(|_: Request<Bytes>| async {
        Ok::<_, Infallible>(Response::new(Bytes::default()))
    });
    // A clone that was not polled ready would panic here.
    let mut service = ServiceBuilder::new()
        .layer(layer(&world))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(inner);
    for _ in 0..3 {
        for (path, status) in [("/other", 200), ("/api/mapped", 401)] {
            let response = service
                .ready()
                .await
                .unwrap()
                .call(full_request("GET", path, &[]))
                .await
                .unwrap();
            assert_eq!(response.status(), status);
        }
        world.clock.advance(Duration::from_secs(20));
        let bearing = full_request("GET", "/api/mapped", &[("authorization", "Bearer good")]);
        let response = service.ready().await.unwrap().call(bearing).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

#[tokio::test]
async fn a_head_is_refused_without_a_body_and_with_the_fields_of_a_get() {
    let world = World::new();
    for (path, status) in [("/api/mapped", 401), ("/api//mapped", 400)] {
        let app = world.app();
        let mut get = app.get(path).await;
        let mut head = app.send(full_request("HEAD", path, &[])).await;
        assert_eq!((head.status, head.body.as_str()), (status, ""));
        let length = head.headers.remove("content-length").unwrap();
        assert_eq!(length, get.body.len().to_string());
        // No two tickets are the same.
        for answer in [&mut get, &mut head] {
            answer.headers.remove("www-authenticate");
        }
        assert_eq!(head.headers, get.headers);
    }
}

async fn status(app: &Router, method: &str, path: &str, token: Option<&str>) -> (StatusCode, bool) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = app
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    (
        response.status(),
        response.headers().contains_key("by-handler"),
    )
}

fn routes() -> Router {
    async fn handler() -> ([(&'static str, &'static str); 1], &'static str) {
        ([("by-handler", "1")], "")
    }
    Router::new()
        .route("/mapped", get(handler))
        .route("/unmapped", get(handler))
        .fallback(handler)
}

#[tokio::test]
async fn it_judges_the_outermost_path_wherever_it_is_mounted() {
    let world = World::new();
    world.am.grant("good", "/api/mapped", &["view"]);
    let whole = Router::new().nest("/api", routes()).layer(layer(&world));
    let nested = Router::new().nest("/api", routes().layer(layer(&world)));
    let serviced = Router::new().nest_service("/api", routes().layer(layer(&world)));
    let around =
        Router::new().fallback_service(layer(&world).layer(Router::new().nest("/api", routes())));
    for (name, app) in [
        ("whole", whole),
        ("nested", nested),
        ("serviced", serviced),
        ("around", around),
    ] {
        for (path, token, expected) in [
            ("/api/mapped", None, (StatusCode::UNAUTHORIZED, false)),
            ("/api/mapped/", None, (StatusCode::UNAUTHORIZED, false)),
            (
                "/api/mapped",
                Some("bad"),
                (StatusCode::UNAUTHORIZED, false),
            ),
            ("/api/mapped", Some("good"), (StatusCode::OK, true)),
            ("/api/unmapped", None, (StatusCode::OK, true)),
            ("/api//mapped", None, (StatusCode::BAD_REQUEST, false)),
            ("/api/tree/x/y", None, (StatusCode::UNAUTHORIZED, false)),
        ] {
            assert_eq!(
                status(&app, "GET", path, token).await,
                expected,
                "{name}: {path}"
            );
        }
        assert_eq!(
            status(&app, "DELETE", "/api/mapped", None).await.0,
            401,
            "{name}: a verb without a route"
        );
    }
}

#[tokio::test]
async fn holes_in_the_coverage_are_found() {
    let world = World::new();
    let layer = layer(&world);
    let engine = layer.engine().clone();
    let paths = ["/api/mapped", "/api/tree/x"];
    let whole = Router::new().nest("/api", routes()).layer(layer.clone());
    crate::testing::assert_covered(&engine, whole, paths).await;
    let nested = Router::new().nest("/api", routes().layer(layer.clone()));
    crate::testing::assert_covered(&engine, nested, paths).await;

    let late = Router::new()
        .route("/api/mapped", get(|| async {}))
        .layer(layer.clone());
    let late = late.route("/api/late", get(|| async {}));
    let error = engine.verify(late, ["/api/late"]).await.unwrap_err();
    assert_eq!(error.paths().collect::<Vec<_>>(), ["/api/late"]);
    // `route_layer` leaves the fallback out.
    let route_layer = Router::new()
        .route("/api/mapped", get(|| async {}))
        .route_layer(layer.clone());
    let error = engine
        .verify(route_layer, ["/api/mapped"])
        .await
        .unwrap_err();
    assert!(error.paths().any(|path| path == "/api"), "{error}");
    let rewriting = tower::util::MapRequestLayer::new(|mut request: Request<Body>| {
        *request.uri_mut() = "/api/mapped".parse().unwrap();
        request
    });
    let rewritten = ServiceBuilder::new().layer(rewriting).service(
        Router::new()
            .layer(layer.clone())
            .fallback_service(layer.layer(routes())),
    );
    let error = engine.verify(rewritten, ["/api/tree/x"]).await.unwrap_err();
    assert!(
        error.to_string().contains("Warden sees `/api/mapped`"),
        "{error}"
    );
    let unguarded = Router::new().fallback_service(layer.layer(routes()));
    let error = engine.verify(unguarded, ["/elsewhere"]).await.unwrap_err();
    assert!(
        error.to_string().contains("no guard that enforces"),
        "{error}"
    );
    // Another engine's Warden is no answer.
    let other = Router::new().fallback_service(super::tests::layer(&world).layer(routes()));
    assert!(engine.verify(other, paths).await.is_err());
}

#[tokio::test]
async fn a_path_rewritten_between_router_and_warden_is_refused() {
    let world = World::new();
    let rewrite = tower::util::MapRequestLayer::new(|mut request: Request<Body>| {
        if request.uri().path() == "/api/unmapped" {
            *request.uri_mut() = "/api/mapped".parse().unwrap();
        }
        request
    });
    let app = Router::new()
        .nest("/api", routes())
        .layer(layer(&world))
        .layer(rewrite);
    assert_eq!(
        status(&app, "GET", "/api/unmapped", None).await,
        (StatusCode::BAD_REQUEST, false)
    );
}

#[tokio::test]
async fn handlers_read_what_was_decided() {
    let world = World::new();
    world.am.grant("good", "/api/mapped", &["view"]);
    let granted =
        |grant: Grant| async move { format!("{} {}", grant.owner(), grant.has_scope("view")) };
    let either = |access: Access| async move { format!("{access:?}") };
    let maybe =
        |grant: Option<Grant>, _: Option<Extension<()>>| async move { grant.is_some().to_string() };
    let app = Router::new()
        .route("/api/mapped", get(granted))
        .route("/api/unmapped", get(either))
        .route("/api/maybe", get(maybe))
        .route("/outside", get(either))
        .layer(layer(&world));
    let body = async |path: &str| {
        let request = Request::get(path)
            .header("authorization", "Bearer good")
            .body(Body::empty())
            .unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1000)
            .await
            .unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    assert_eq!(body("/api/mapped").await, (200, "alice true".into()));
    assert_eq!(body("/api/unmapped").await, (200, "Unmapped".into()));
    assert_eq!(body("/api/maybe").await, (200, "false".into()));
    assert_eq!(
        body("/outside").await.0,
        500,
        "a handler that demands a decision fails without one"
    );
}

#[tokio::test]
async fn a_handler_may_demand_a_further_scope() {
    let world = World::new();
    let share = uma_client::Scopes::parse(["view", "edit", "delete", "share"]).unwrap();
    let alices = crate::fake::map("/api/mapped");
    let alices = crate::ResourceMap::new(
        crate::CanonicalPath::parse("/api/mapped").unwrap(),
        alices.owner().clone(),
        alices.am().clone(),
        alices.resource_id().clone(),
        share,
    );
    world.maps.insert(alices);
    world.am.grant("views", "/api/mapped", &["view"]);
    let handler = |grant: Grant| async move {
        grant.require("share").await?;
        Ok::<_, crate::Refusal>("shared on")
    };
    let app = Router::new()
        .route("/api/mapped", get(handler))
        .layer(layer(&world));
    let send = async || {
        let request = Request::get("/api/mapped")
            .header("authorization", "Bearer views")
            .body(Body::empty())
            .unwrap();
        app.clone().oneshot(request).await.unwrap()
    };
    let refused = send().await;
    assert_eq!(refused.status(), 401);
    assert!(
        refused.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("UMA realm=\"warden\"")
    );
    world.am.grant("views", "/api/mapped", &["view", "share"]);
    assert_eq!(
        send().await.status(),
        200,
        "the ticket has forgotten the old answer"
    );
}

#[test]
fn it_is_what_axum_and_tower_need() {
    fn fits<T: Clone + Send + Sync + 'static>() {}
    fits::<WardenLayer>();
    fits::<Warden<Router>>();
}
