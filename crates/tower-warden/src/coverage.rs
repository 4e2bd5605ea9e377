//! Finding out whether a service really stands behind Warden.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri};
use tower_service::Service;

use crate::engine::Shared;
use crate::{CanonicalPath, Engine, Mode, RequestHead};

/// The segment that is tried below each guard and each listed path: it is nobody's.
const BELOW: &str = "warden-coverage";
/// A verb that no route has.
const VERB: &[u8] = b"WARDEN-COVERAGE";

/// Marks a request as a question to Warden. Nothing that comes over a wire can make one.
#[derive(Clone)]
pub(crate) struct Probe(Arc<Shared>);

/// Warden's answer to a question.
#[derive(Clone)]
struct Seen {
    path: String,
    enforced: bool,
}

impl Probe {
    /// Answers a probe of this engine, before anything else is done with it.
    pub(crate) fn answer<B: From<Bytes>, R>(
        engine: &Engine,
        request: &Request<R>,
    ) -> Option<Response<B>> {
        let probe: &Self = request.extensions().get()?;
        if !Arc::ptr_eq(&probe.0, &engine.shared) {
            return None;
        }
        let head = RequestHead::of(request);
        let guard = CanonicalPath::parse(head.path())
            .ok()
            .and_then(|path| engine.shared.guards.covering(&path).map(|guard| guard.mode));
        let mut response = Response::new(B::from(Bytes::new()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.extensions_mut().insert(Seen {
            path: head.path().to_owned(),
            enforced: guard == Some(Mode::Enforce),
        });
        Some(response)
    }
}

impl Engine {
    /// Checks that requests to these paths, to what lies below them, and to each guard reach this Warden before anything
    /// else answers, and that it sees the path that was sent. Call it at start, with the finished service.
    ///
    /// A path may stand behind a verb (`GET /api/photos`) that it is tried with, as for [`Engine::verify_routes`].
    ///
    /// The requests carry a mark that nothing from a wire can carry and a verb that no route has; layers outside Warden see
    /// them, handlers do not. It covers what is listed: a route that is neither listed nor below a guard is not tried.
    ///
    /// ```
    /// # use axum::{Router, routing::get};
    /// # use tower_warden::{MemoryMaps, OneAm, Unmapped, WardenLayer};
    /// # use uma_client::{ClientCredentials, Issuer, Secret};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let host = ClientCredentials::basic("host-one", Secret::new("secret"));
    /// # let am = OneAm::builder(Issuer::parse("https://am.example")?, host).build()?;
    /// let warden = WardenLayer::builder()
    ///     .maps(MemoryMaps::new())
    ///     .protection(am)
    ///     .guard("/api", Unmapped::Deny)
    ///     .build()?;
    /// let engine = warden.engine().clone();
    ///
    /// let app: Router = Router::new().route("/api/photos", get(|| async {})).layer(warden);
    /// engine.verify(app, ["/api/photos"]).await?;
    ///
    /// // A route that is added after the layer is not behind it.
    /// let hole: Router = Router::new().route("/api/photos", get(|| async {}));
    /// let error = engine.verify(hole, ["/api/photos"]).await.unwrap_err();
    /// assert!(error.to_string().contains("/api/photos"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A layer that stands on the routes alone (`route_layer`, or a layer on a `MethodRouter`) leaves the router's fallback
    /// out, which this check rightly calls a hole: see [`Engine::verify_routes`].
    ///
    /// # Errors
    ///
    /// [`Uncovered`], which names every hole.
    #[cfg(feature = "axum")]
    pub async fn verify<S, R>(
        &self,
        app: S,
        paths: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<(), Uncovered>
    where
        S: Service<Request<axum::body::Body>, Response = Response<R>>,
    {
        self.verify_service(app, axum::body::Body::empty, paths)
            .await
    }

    /// Checks that these routes, and nothing else, reach this Warden before anything else answers: for layers that stand on
    /// routes alone. What no route answers goes to the router's fallback, past such a layer, so that the fallback must serve
    /// nothing of anybody's; this check can't tell. Where it can be had, stand around the whole router instead, and use
    /// [`Engine::verify`].
    ///
    /// A route is a path, or a verb and a path (`GET /api/photos`). A path alone is tried with a verb that no route has, which
    /// `Router::route_layer` shows to its layer. A layer on a `MethodRouter` sees the verbs alone that were there before it:
    /// there each verb has to be tried, and the handler of one that is not covered runs, as for any stranger who asks.
    ///
    /// ```
    /// # use axum::{Router, routing::get};
    /// # use tower_warden::{MemoryMaps, OneAm, Unmapped, WardenLayer};
    /// # use uma_client::{ClientCredentials, Issuer, Secret};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let host = ClientCredentials::basic("host-one", Secret::new("secret"));
    /// # let am = OneAm::builder(Issuer::parse("https://am.example")?, host).build()?;
    /// # let warden = WardenLayer::builder()
    /// #     .maps(MemoryMaps::new())
    /// #     .protection(am)
    /// #     .guard("/api", Unmapped::Deny)
    /// #     .build()?;
    /// let engine = warden.engine().clone();
    /// let app: Router = Router::new()
    ///     .route("/api/photos", get(|| async {}).layer(warden.clone()))
    ///     .route("/api/albums", get(|| async {}))
    ///     .route_layer(warden);
    /// engine.verify_routes(app, ["GET /api/photos", "/api/albums"]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Uncovered`], which names every hole.
    #[cfg(feature = "axum")]
    pub async fn verify_routes<S, R>(
        &self,
        mut app: S,
        routes: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<(), Uncovered>
    where
        S: Service<Request<axum::body::Body>, Response = Response<R>>,
    {
        let routes = routes
            .into_iter()
            .map(|route| Attempt::listed(route.as_ref()))
            .collect();
        self.try_all(&mut app, &axum::body::Body::empty, routes)
            .await
    }

    /// Checks a service of any body type as [`Engine::verify`] does; `body` makes the bodies of the requests.
    ///
    /// # Errors
    ///
    /// [`Uncovered`], which names every hole.
    pub async fn verify_service<S, B, R>(
        &self,
        mut app: S,
        body: impl Fn() -> B,
        paths: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<(), Uncovered>
    where
        S: Service<Request<B>, Response = Response<R>>,
    {
        let attempts = self.to_try(paths);
        self.try_all(&mut app, &body, attempts).await
    }

    async fn try_all<S, B, R>(
        &self,
        app: &mut S,
        body: &impl Fn() -> B,
        mut attempts: Vec<Attempt>,
    ) -> Result<(), Uncovered>
    where
        S: Service<Request<B>, Response = Response<R>>,
    {
        attempts.sort();
        attempts.dedup();
        let mut holes = Vec::new();
        for attempt in attempts {
            let outcome = self.probe(app, body(), &attempt).await;
            if let Err(problem) = outcome {
                let path = attempt.path;
                holes.push(Hole { path, problem });
            }
        }
        if holes.is_empty() {
            Ok(())
        } else {
            Err(Uncovered { holes })
        }
    }

    fn to_try(&self, paths: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<Attempt> {
        let guards = self.shared.guards.enforced().map(CanonicalPath::to_uri);
        let guards = guards.map(|path| Attempt { path, verb: None });
        let listed = paths.into_iter().map(|path| Attempt::listed(path.as_ref()));
        guards
            .chain(listed)
            .flat_map(|attempt| {
                let below = Attempt {
                    path: format!("{}/{BELOW}", attempt.path.trim_end_matches('/')),
                    verb: None,
                };
                [attempt, below]
            })
            .collect()
    }

    async fn probe<S, B, R>(
        &self,
        app: &mut S,
        body: B,
        Attempt { path, verb }: &Attempt,
    ) -> Result<(), Problem>
    where
        S: Service<Request<B>, Response = Response<R>>,
    {
        let verb = verb.as_ref().map_or(VERB, |verb| verb.as_bytes());
        let uri: Uri = path.parse().map_err(|_| Problem::NoPath)?;
        let mut request = Request::new(body);
        *request.uri_mut() = uri;
        *request.method_mut() = Method::from_bytes(verb).map_err(|_| Problem::NoPath)?;
        request.extensions_mut().insert(Probe(self.shared.clone()));
        poll_fn(|context| app.poll_ready(context))
            .await
            .map_err(|_| Problem::Failed)?;
        let response = app.call(request).await.map_err(|_| Problem::Failed)?;
        match response.extensions().get::<Seen>() {
            None => Err(Problem::NotAnswered(response.status())),
            Some(seen) if seen.path != *path => Err(Problem::SeenAs(seen.path.clone())),
            Some(seen) if !seen.enforced => Err(Problem::NotEnforced),
            Some(_) => Ok(()),
        }
    }
}

/// One request that finds out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Attempt {
    path: String,
    /// A verb that the host names; else one that no route has.
    verb: Option<String>,
}

impl Attempt {
    /// `/path` or `VERB /path`.
    fn listed(text: &str) -> Self {
        match text.split_once(' ') {
            Some((verb, path)) => Self {
                path: path.to_owned(),
                verb: Some(verb.to_owned()),
            },
            None => Self {
                path: text.to_owned(),
                verb: None,
            },
        }
    }
}

/// Paths that are not behind Warden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncovered {
    holes: Vec<Hole>,
}

impl Uncovered {
    /// The paths.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.holes.iter().map(|hole| hole.path.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Hole {
    path: String,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Problem {
    NoPath,
    Failed,
    NotAnswered(StatusCode),
    SeenAs(String),
    NotEnforced,
}

impl fmt::Display for Uncovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not behind Warden:")?;
        for (at, hole) in self.holes.iter().enumerate() {
            let comma = if at == 0 { "" } else { ";" };
            write!(f, "{comma} `{}` ", hole.path)?;
            match &hole.problem {
                Problem::NoPath => f.write_str("(is no path)")?,
                Problem::Failed => f.write_str("(the service failed)")?,
                Problem::NotAnswered(status) => write!(
                    f,
                    "(something else answered, {}: is the layer around it, was it there when the layer was added, and is the fallback behind the layer, too?)",
                    status.as_u16()
                )?,
                Problem::SeenAs(path) => write!(f, "(Warden sees `{path}`)")?,
                Problem::NotEnforced => f.write_str("(no guard that enforces covers it)")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Uncovered {}

#[cfg(test)]
mod tests;
