//! The whole service: pages and API, with Warden and the sign-in around them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WARNING, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method};
use axum::middleware;
use axum::response::IntoResponse;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::trace::{DefaultOnFailure, TraceLayer};
use tower_warden::{Unmapped, WardenLayer};
use tracing::Level;
use warden_host::{Host, web};

use crate::data::Data;
use crate::notices::Notices;
use crate::session::{self, SessionKey, Sessions, SignedIn};
use crate::{Failure, api, pages, status};

/// Decisions that may wait to be kept; more are dropped and counted.
const ACCESSES: usize = 1024;

/// What can be set of the service.
pub(crate) struct AppOptions {
    pub(crate) unmapped: Unmapped,
    pub(crate) cache_ttl: Duration,
    pub(crate) host_id: String,
    pub(crate) accept_legacy_tokens: bool,
    pub(crate) allow_origin: Vec<String>,
    pub(crate) session_key: SessionKey,
    pub(crate) notices: Notices,
}

/// Puts everything together around a host.
pub(crate) async fn app(host: &Host, options: AppOptions) -> Result<Router, Failure> {
    let mut warden = WardenLayer::builder()
        .maps(host.maps())
        .protection(host.protection())
        .guard("/api", options.unmapped)
        .realm("host-one")
        .host_id(options.host_id)
        .cache_ttl(options.cache_ttl)
        // What owners see as recent access.
        .audit(host.access_log(), ACCESSES)
        .own_access(|extensions, owner| {
            let signed_in: Option<&SignedIn> = extensions.get();
            signed_in.is_some_and(|signed_in| signed_in.user() == owner.as_str())
        })
        .outermost()
        .accept_min_epoch();
    if options.accept_legacy_tokens {
        warden = warden.accept_legacy_tokens();
    }
    let warden = warden.build()?;
    host.attach(warden.engine().clone());

    let sharing = web::router(host.clone(), Sessions)
        .title("Host One")
        .stylesheet(pages::STYLE_PATH)
        .header(pages::header)
        .footer(pages::footer)
        .unprotected_means("Only you get at it, by signing in here.")
        .build()?;
    let routes = Router::new()
        .merge(
            pages::router(host.clone(), options.session_key.clone(), options.notices).layer(
                CsrfLayer::new().with_rejection_response(|_| pages::foreign_form().into_response()),
            ),
        )
        .merge(sharing)
        .merge(status::router(host.clone()))
        .merge(api::router(Arc::new(Data::demo())));

    // Around the finished router, so that nothing that is added to it escapes.
    let guarded = Router::new().fallback_service(tower::Layer::layer(&warden, routes));
    let mut app = guarded
        .layer(RequestBodyLimitLayer::new(64 * 1024))
        .layer(middleware::from_fn_with_state(
            options.session_key,
            session::remember,
        ))
        .layer(CatchPanicLayer::new());
    // Without an origin to allow, `OPTIONS` is a verb like any other.
    if !options.allow_origin.is_empty() {
        app = app.layer(cors(&options.allow_origin)?);
    }
    let app = app.layer(
        TraceLayer::new_for_http()
            // Not the query: codes and tokens may stand there.
            .make_span_with(|request: &Request| {
                tracing::debug_span!("request", method = %request.method(), path = request.uri().path())
            })
            .on_failure(DefaultOnFailure::new().level(Level::DEBUG)),
    );
    // Does not start with a hole.
    warden.engine().verify(app.clone(), api::EXAMPLES).await?;
    Ok(app)
}

/// Outside Warden: it answers preflights, and its fields stand on refusals, too.
fn cors(origins: &[String]) -> Result<CorsLayer, Failure> {
    let origins = origins
        .iter()
        .map(|origin| HeaderValue::from_str(origin))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::HEAD, Method::PUT, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .expose_headers([WWW_AUTHENTICATE, WARNING, RETRY_AFTER]))
}
