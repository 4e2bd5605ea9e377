//! Answers while the host is not there yet: a load balancer learns at once that this node is up and not ready.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

/// The service, once it is there.
#[derive(Clone, Default)]
pub(crate) struct Starting(Arc<OnceLock<Router>>);

impl Starting {
    /// From now on this answers.
    pub(crate) fn ready(&self, app: Router) {
        // There is one start.
        let _ = self.0.set(app);
    }

    /// Answers by the service, or 503 until there is one.
    pub(crate) fn router(&self) -> Router {
        let this = self.clone();
        Router::new().fallback(move |request: Request| async move { this.answer(request).await })
    }

    async fn answer(&self, request: Request) -> Response {
        match self.0.get() {
            Some(app) => app
                .clone()
                .oneshot(request)
                .await
                .unwrap_or_else(|never| match never {}),
            None => (
                StatusCode::SERVICE_UNAVAILABLE,
                [(RETRY_AFTER, "1")],
                "This host is starting.\n",
            )
                .into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::OriginalUri;
    use axum::routing::get;

    use super::*;

    #[tokio::test]
    async fn it_is_not_ready_until_it_is() {
        let starting = Starting::default();
        let router = starting.router();
        let ask = async || {
            let request = Request::get("/a/b?c").body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap()
        };
        let answer = ask().await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[RETRY_AFTER], "1");
        let seen = get(|OriginalUri(uri): OriginalUri| async move { uri.to_string() });
        starting.ready(Router::new().route("/a/b", seen));
        let body = axum::body::to_bytes(ask().await.into_body(), 99).await;
        assert_eq!(body.unwrap(), "/a/b?c");
    }
}
