//! Who is signed in: the host's own sign-in, met through a small trait.

use std::future::Future;
use std::pin::Pin;

use http::request::Parts;
use tower_warden::OwnerId;

/// The person who is signed in at the host, and the session that she is signed in with.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedIn {
    /// The host's key for the person.
    pub owner: OwnerId,
    /// An id of her session at the host: the same for all requests of one sign-in, never shared by two. What an owner
    /// begins at an AM can be finished in this session alone. It is used as a key; it need not be the cookie's value.
    pub session: String,
}

impl SignedIn {
    /// A person and her session.
    pub fn new(owner: OwnerId, session: impl Into<String>) -> Self {
        Self {
            owner,
            session: session.into(),
        }
    }
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn")
            .field("owner", &self.owner)
            .field("session", &"[redacted]")
            .finish()
    }
}

/// The host's sign-in, as the pages see it.
///
/// The cookie behind it must be `SameSite=Lax` or `Strict`, and `HttpOnly`.
pub trait CurrentOwner: Clone + Send + Sync + 'static {
    /// Who sent this request; `None` when nobody is signed in.
    fn current(&self, parts: &Parts) -> impl Future<Output = Option<SignedIn>> + Send;

    /// The path of the host's sign-in page. Visitors are sent there with `return_to`, a path of this site that the
    /// sign-in page should lead back to; it must accept nothing but such a path
    /// (see [`ReturnPath`](crate::ReturnPath)).
    fn sign_in_path(&self) -> &str;
}

type Later<'a> = Pin<Box<dyn Future<Output = Option<SignedIn>> + Send + 'a>>;

/// [`CurrentOwner`] without its type, so that handlers need no type parameter.
pub(crate) trait AnyCurrent: Send + Sync {
    fn current<'a>(&'a self, parts: &'a Parts) -> Later<'a>;
    fn sign_in_path(&self) -> &str;
}

impl<C: CurrentOwner> AnyCurrent for C {
    fn current<'a>(&'a self, parts: &'a Parts) -> Later<'a> {
        Box::pin(CurrentOwner::current(self, parts))
    }

    fn sign_in_path(&self) -> &str {
        CurrentOwner::sign_in_path(self)
    }
}
