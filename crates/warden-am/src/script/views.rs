//! What scripts put in and get out.

use std::collections::BTreeSet;
use std::time::SystemTime;

use crate::state::policies::Subject;

/// A rule of an owner: who may do what, until when.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct PolicySpec {
    /// Who is admitted.
    pub subject: Subject,
    /// The one client that is admitted; `None`: any.
    pub client: Option<String>,
    /// What is allowed; only scopes that the resource has registered count.
    pub scopes: BTreeSet<String>,
    /// When the rule ends; `None`: when it is removed.
    pub until: Option<SystemTime>,
}

impl PolicySpec {
    /// A rule for one person, with any client, without an end.
    pub fn user<T: Into<String>>(
        name: impl Into<String>,
        scopes: impl IntoIterator<Item = T>,
    ) -> Self {
        Self::new(Subject::User(name.into()), scopes)
    }

    /// A rule for anyone who signs in at the AM, with any client, without an end.
    pub fn anyone<T: Into<String>>(scopes: impl IntoIterator<Item = T>) -> Self {
        Self::new(Subject::AnyoneSignedIn, scopes)
    }

    /// A rule for this subject, with any client, without an end.
    pub fn new<T: Into<String>>(subject: Subject, scopes: impl IntoIterator<Item = T>) -> Self {
        Self {
            subject,
            client: None,
            scopes: scopes.into_iter().map(Into::into).collect(),
            until: None,
        }
    }

    /// Admits only this client, by its id.
    pub fn client(mut self, client: impl Into<String>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// Ends the rule at this time.
    pub fn until(mut self, until: SystemTime) -> Self {
        self.until = Some(until);
        self
    }
}

/// A registered resource, as a script sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceView {
    /// The AM's id (`_id`).
    pub id: String,
    /// The client id of the host that registered it.
    pub host: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its scopes.
    pub scopes: Vec<String>,
}

/// A request that waits for an owner, as a script sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingRequest {
    /// Its id, for [`Script::approve`](crate::Script::approve) and [`Script::refuse`](crate::Script::refuse).
    pub id: String,
    /// The resource that is asked for.
    pub resource_id: String,
    /// Who asks.
    pub subject: String,
    /// With which client.
    pub client: String,
    /// For what.
    pub scopes: BTreeSet<String>,
}
