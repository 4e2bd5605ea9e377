//! Who can sign in, and whose a path is.

use tower_warden::{CanonicalPath, OwnerId};
use warden_host::{BoxError, Catalogue};

/// The demo people; the password of each is the name.
pub(crate) const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];

/// The person of a name and password.
pub(crate) fn sign_in(name: &str, password: &str) -> Option<&'static str> {
    PEOPLE
        .into_iter()
        .find(|person| *person == name && *person == password)
}

/// Everything below `/api/people/{person}` is the person's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct People;

impl Catalogue for People {
    async fn owner_of(&self, path: &CanonicalPath<'_>) -> Result<Option<OwnerId>, BoxError> {
        let segments: Vec<&str> = path.segments().take(3).collect();
        let owner = match segments.as_slice() {
            ["api", "people", person, ..] if PEOPLE.contains(person) => Some(OwnerId::new(*person)),
            _ => None,
        };
        Ok(owner)
    }
}
