//! The host's own sign-in: a sealed cookie, and the typed extension that everything else leans on.

use std::convert::Infallible;

use axum::extract::{FromRef, OptionalFromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use axum_extra::extract::cookie::{Cookie, Key, PrivateCookieJar, SameSite};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tower_warden::OwnerId;
use uma_client::epoch_seconds;
use warden_host::web::{self, CurrentOwner};

/// Not the name that the embedded AM uses: both may share an address, and then they share cookies.
const COOKIE: &str = "host-one-session";
const LIFETIME_SECONDS: i64 = 12 * 60 * 60;

/// Who is signed in. Set by [`remember`] alone.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    user: String,
    session: String,
}

impl SignedIn {
    pub(crate) fn user(&self) -> &str {
        &self.user
    }
}

/// The key that cookies are sealed with.
#[derive(Clone)]
pub(crate) struct SessionKey(pub(crate) Key);

impl FromRef<SessionKey> for Key {
    fn from_ref(key: &SessionKey) -> Self {
        key.0.clone()
    }
}

/// Puts the [`SignedIn`] of the session cookie into the request's extensions; for a verb that changes something, only if the
/// request does not come from a page of another origin. So an allowed origin's page calls the API with its token alone.
pub(crate) async fn remember(
    State(key): State<SessionKey>,
    mut request: Request,
    next: Next,
) -> Response {
    let jar = PrivateCookieJar::<Key>::from_headers(request.headers(), key.0);
    let signed_in = jar.get(COOKIE).and_then(|cookie| read(cookie.value()));
    if let Some(signed_in) = signed_in
        && is_meant(head_of(&request)).await
    {
        request.extensions_mut().insert(signed_in);
    }
    next.run(request).await
}

fn head_of(request: &Request) -> Request<()> {
    let mut head = Request::new(());
    head.method_mut().clone_from(request.method());
    head.uri_mut().clone_from(request.uri());
    head.headers_mut().clone_from(request.headers());
    head
}

/// Whether the owner of the cookie meant the request, by the rules of the CSRF layer.
async fn is_meant(head: Request<()>) -> bool {
    let passed = service_fn(|_| async { Ok::<_, Infallible>(Response::new(())) });
    let answer = CsrfLayer::new()
        .with_rejection_response(|_| Response::new(()))
        .layer(passed)
        .oneshot(head)
        .await;
    answer.is_ok_and(|answer| answer.extensions().get::<ProtectionError>().is_none())
}

/// `user session expiry`
fn read(value: &str) -> Option<SignedIn> {
    let mut parts = value.split(' ');
    let (user, session, expires) = (parts.next()?, parts.next()?, parts.next()?);
    let expires: i64 = expires.parse().ok()?;
    (now() < expires).then(|| SignedIn {
        user: user.to_owned(),
        session: session.to_owned(),
    })
}

/// A new session of a person.
pub(crate) fn begin(jar: PrivateCookieJar, user: &str) -> PrivateCookieJar {
    let session = uuid::Uuid::new_v4().simple();
    let value = format!("{user} {session} {}", now() + LIFETIME_SECONDS);
    jar.add(cookie(value))
}

/// Ends the session.
pub(crate) fn end(jar: PrivateCookieJar) -> PrivateCookieJar {
    jar.remove(cookie(String::new()))
}

fn cookie(value: String) -> Cookie<'static> {
    Cookie::build((COOKIE, value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .build()
}

fn now() -> i64 {
    epoch_seconds(std::time::SystemTime::now())
}

/// [`CurrentOwner`] for the sharing pages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sessions;

impl CurrentOwner for Sessions {
    async fn current(&self, parts: &Parts) -> Option<web::SignedIn> {
        let signed_in = parts.extensions.get::<SignedIn>()?;
        Some(web::SignedIn::new(
            OwnerId::new(signed_in.user.as_str()),
            signed_in.session.as_str(),
        ))
    }

    fn sign_in_path(&self) -> &str {
        "/login"
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for SignedIn {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get().cloned())
    }
}
