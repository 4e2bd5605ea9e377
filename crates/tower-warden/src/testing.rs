//! For the tests of services that use Warden.

use axum::body::Body;
use http::{Request, Response};
use tower_service::Service;

use crate::Engine;

/// Asserts that a service stands behind Warden: [`Engine::verify`], for tests.
///
/// # Panics
///
/// If a path is a hole; the message names each.
#[allow(clippy::panic, reason = "an assertion for tests")]
pub async fn assert_covered<S, R>(
    engine: &Engine,
    app: S,
    paths: impl IntoIterator<Item = impl AsRef<str>>,
) where
    S: Service<Request<Body>, Response = Response<R>>,
{
    if let Err(uncovered) = engine.verify(app, paths).await {
        panic!("{uncovered}");
    }
}

/// Asserts that routes stand behind Warden, one by one: [`Engine::verify_routes`], for tests.
///
/// # Panics
///
/// If a route is a hole; the message names each.
#[allow(clippy::panic, reason = "an assertion for tests")]
pub async fn assert_routes_covered<S, R>(
    engine: &Engine,
    app: S,
    routes: impl IntoIterator<Item = impl AsRef<str>>,
) where
    S: Service<Request<Body>, Response = Response<R>>,
{
    if let Err(uncovered) = engine.verify_routes(app, routes).await {
        panic!("{uncovered}");
    }
}
