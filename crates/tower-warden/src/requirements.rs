//! What a request needs: never nothing, of one owner, at one AM.

use std::fmt;
use std::sync::Arc;

use http::Method;
use uma_client::Scopes;
use uma_client::wire::PermissionRequest;

use crate::{Am, OwnerId, ResourceMap};

/// One resource that a request touches, and the scopes that it needs there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    map: Arc<ResourceMap>,
    required: Scopes,
    /// Where it is not `required`.
    ask: Option<Scopes>,
}

impl Requirement {
    /// What `method` needs on the resource of `map`; `None` where no registered scope covers the verb.
    #[must_use]
    pub fn of_method(map: Arc<ResourceMap>, method: &Method) -> Option<Self> {
        let required = map.required(method)?.clone();
        Some(Self::new(map, required))
    }

    /// A requirement of its own scopes, for checks that a verb does not express.
    #[must_use]
    pub fn new(map: Arc<ResourceMap>, required: Scopes) -> Self {
        Self {
            map,
            required,
            ask: None,
        }
    }

    /// Sets the scopes to ask the AM for, where they are more than those required (UMA Federated Authorization 1.0
    /// section 4.1: a reasonable set for the attempted request).
    #[must_use]
    pub fn with_ask(mut self, ask: Scopes) -> Self {
        self.ask = Some(ask);
        self
    }

    /// The map of the resource.
    #[must_use]
    pub fn map(&self) -> &Arc<ResourceMap> {
        &self.map
    }

    /// The scopes of which a request must hold all.
    #[must_use]
    pub fn required(&self) -> &Scopes {
        &self.required
    }

    /// The scopes that the AM is asked for when the request is refused.
    #[must_use]
    pub fn ask(&self) -> &Scopes {
        self.ask.as_ref().unwrap_or(&self.required)
    }
}

/// All that a request needs: at least one [`Requirement`], all of one owner and one AM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirements {
    first: Requirement,
    // Empty today, and an empty `Vec` allocates nothing.
    rest: Vec<Requirement>,
}

impl Requirements {
    /// Joins requirements.
    ///
    /// # Errors
    ///
    /// [`MixedRequirements`] if they are not all of one owner and one AM.
    pub fn new(first: Requirement, rest: Vec<Requirement>) -> Result<Self, MixedRequirements> {
        let alike = |other: &Requirement| {
            other.map.owner() == first.map.owner()
                && other.map.am().issuer() == first.map.am().issuer()
        };
        if rest.iter().all(alike) {
            Ok(Self { first, rest })
        } else {
            Err(MixedRequirements)
        }
    }

    /// Whose data the request touches.
    #[must_use]
    pub fn owner(&self) -> &OwnerId {
        self.first.map.owner()
    }

    /// The AM that decides.
    #[must_use]
    pub fn am(&self) -> &Arc<Am> {
        self.first.map.am()
    }

    /// The first requirement, which is the only one unless the host's maps say otherwise.
    #[must_use]
    pub fn first(&self) -> &Requirement {
        &self.first
    }

    /// All requirements.
    pub fn iter(&self) -> impl Iterator<Item = &Requirement> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// What to ask the AM a ticket for (UMA Federated Authorization 1.0 section 4.1).
    #[must_use]
    pub fn to_permission_requests(&self) -> Vec<PermissionRequest> {
        self.iter()
            .map(|requirement| {
                let mut request = PermissionRequest::default();
                requirement
                    .map
                    .resource_id()
                    .as_str()
                    .clone_into(&mut request.resource_id);
                request.resource_scopes = requirement.ask().to_strings();
                request
            })
            .collect()
    }
}

impl From<Requirement> for Requirements {
    fn from(first: Requirement) -> Self {
        Self {
            first,
            rest: Vec::new(),
        }
    }
}

/// Requirements of several owners or AMs can't be met by one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MixedRequirements;

impl fmt::Display for MixedRequirements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the requirements of one request are of more than one owner or AM")
    }
}

impl std::error::Error for MixedRequirements {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{am, map, map_at};

    fn view(map: ResourceMap) -> Requirement {
        Requirement::of_method(Arc::new(map), &Method::GET).unwrap()
    }

    fn words(scopes: &Scopes) -> String {
        scopes.to_string()
    }

    #[test]
    fn requirements_are_of_one_owner_and_one_am() {
        let first = || view(map("/api/a"));
        let same = view(map("/api/b"));
        let of_another = view(map_at("/api/b", "bob", &am("https://am.example")));
        let elsewhere = view(map_at("/api/b", "alice", &am("https://other.example")));
        let both = Requirements::new(first(), vec![same.clone()]).unwrap();
        assert_eq!(both.iter().count(), 2);
        assert_eq!(both.owner().as_str(), "alice");
        assert_eq!(both.am().issuer().as_str(), "https://am.example");
        for other in [of_another, elsewhere] {
            // Wherever it stands: not the first alone is looked at.
            for rest in [vec![other.clone()], vec![same.clone(), other.clone()]] {
                let error = Requirements::new(first(), rest).unwrap_err();
                assert!(error.to_string().contains("more than one owner or AM"));
            }
        }
    }

    #[test]
    fn the_am_is_asked_for_what_is_to_be_asked_and_no_less_is_required() {
        let ask = Scopes::parse(["view", "edit"]).unwrap();
        let requirement = view(map("/api/a")).with_ask(ask);
        assert_eq!(words(requirement.required()), "view");
        assert_eq!(words(requirement.ask()), "edit view");
        let second = Requirement::new(Arc::new(map("/api/b")), Scopes::parse(["delete"]).unwrap());
        assert_eq!(words(second.required()), "delete");
        let both = Requirements::new(requirement, vec![second]).unwrap();
        let asked: Vec<_> = both
            .to_permission_requests()
            .into_iter()
            .map(|request| (request.resource_id, request.resource_scopes.join(" ")))
            .collect();
        let expected = [("/api/a", "edit view"), ("/api/b", "delete")];
        assert_eq!(
            asked,
            expected.map(|(id, scopes)| (id.into(), scopes.into()))
        );
        assert_eq!(both.first().map().key(), "/api/a");
    }

    #[test]
    fn a_verb_that_no_registered_scope_covers_requires_nothing_that_could_be_met() {
        let map = Arc::new(map("/api/a"));
        assert!(Requirement::of_method(map.clone(), &Method::OPTIONS).is_none());
        let needed = Requirement::of_method(map, &Method::DELETE).unwrap();
        assert_eq!(words(needed.required()), "delete");
    }
}
