//! The owners' policies, and requests that wait for an owner's word.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{State, limits};
use crate::error::{Error, ErrorKind};
use crate::secrets;

/// Who a policy admits.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Anyone who signs in at this AM.
    AnyoneSignedIn,
    /// One person of this AM, by name.
    User(String),
}

/// One rule of an owner: this subject, with this client, may do this, until then.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Policy {
    pub(crate) id: String,
    pub(crate) resource_id: String,
    pub(crate) subject: Subject,
    /// `None`: any client.
    pub(crate) client: Option<String>,
    pub(crate) scopes: BTreeSet<String>,
    /// Unix milliseconds; `None`: until removed.
    pub(crate) until_ms: Option<i64>,
}

impl Policy {
    fn admits(&self, subject: &str, client: &str, now_ms: i64) -> bool {
        let who = match &self.subject {
            Subject::AnyoneSignedIn => true,
            Subject::User(name) => name == subject,
        };
        who && self.client.as_deref().is_none_or(|only| only == client)
            && self.until_ms.is_none_or(|until| until > now_ms)
    }
}

/// Someone asked for something that no policy answers: it waits for the owner, or the owner refused it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct AccessRequest {
    pub(crate) id: String,
    pub(crate) resource_id: String,
    pub(crate) subject: String,
    pub(crate) client: String,
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) asked_ms: i64,
    pub(crate) refused: bool,
}

impl AccessRequest {
    fn asks_for(&self, resource: &str, subject: &str, client: &str) -> bool {
        self.resource_id == resource && self.subject == subject && self.client == client
    }
}

/// What an owner's word is still needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A request waits.
    Waiting,
    /// All of it was refused.
    Refused,
}

impl State {
    /// The scopes of a resource that policies allow now, each with its end (`None`: no end).
    pub(crate) fn allowed(
        &self,
        resource: &str,
        subject: &str,
        client: &str,
        now_ms: i64,
    ) -> BTreeMap<String, Option<i64>> {
        let mut allowed: BTreeMap<String, Option<i64>> = BTreeMap::new();
        let Some(registered) = self.resources.get(resource) else {
            return allowed;
        };
        let matching = self.policies.values().filter(|policy| {
            policy.resource_id == resource && policy.admits(subject, client, now_ms)
        });
        for policy in matching {
            for scope in policy.scopes.iter().filter(|s| registered.has_scope(s)) {
                allowed
                    .entry(scope.clone())
                    .and_modify(|until| *until = later(*until, policy.until_ms))
                    .or_insert(policy.until_ms);
            }
        }
        allowed
    }

    pub(crate) fn add_policy(&mut self, mut policy: Policy) -> Result<String, Error> {
        if self.policies.len() >= limits::POLICIES {
            return Err(Error::new(
                ErrorKind::Config,
                "the AM holds as many policies as it can",
            ));
        }
        let id = secrets::random_id()?;
        policy.id = id.clone();
        self.policies.insert(id.clone(), policy);
        Ok(id)
    }

    /// Asks the owner, once for the same resource, subject, client and scopes. Scopes that the owner refused are not asked for again.
    pub(crate) fn ask_owner(
        &mut self,
        resource: &str,
        subject: &str,
        client: &str,
        scopes: &BTreeSet<String>,
        now_ms: i64,
    ) -> Result<Asked, Error> {
        let earlier = || {
            self.requests
                .values()
                .filter(|request| request.asks_for(resource, subject, client))
        };
        let open: BTreeSet<String> = scopes
            .iter()
            .filter(|scope| !earlier().any(|r| r.refused && r.scopes.contains(*scope)))
            .cloned()
            .collect();
        if open.is_empty() {
            return Ok(Asked::Refused);
        }
        let known = earlier().any(|request| !request.refused && request.scopes == open);
        if known {
            return Ok(Asked::Waiting);
        }
        if self.requests.len() >= limits::REQUESTS {
            let oldest = self
                .requests
                .values()
                .min_by_key(|request| request.asked_ms)
                .map(|request| request.id.clone());
            if let Some(oldest) = oldest {
                self.requests.remove(&oldest);
            }
        }
        let id = secrets::random_id()?;
        let request = AccessRequest {
            id: id.clone(),
            resource_id: resource.to_owned(),
            subject: subject.to_owned(),
            client: client.to_owned(),
            scopes: open,
            asked_ms: now_ms,
            refused: false,
        };
        self.requests.insert(id, request);
        Ok(Asked::Waiting)
    }

    /// Approves a request: `scopes` (those of them that were asked for) become a policy, the rest counts as refused.
    pub(crate) fn approve(
        &mut self,
        request: &str,
        scopes: Option<&BTreeSet<String>>,
        until_ms: Option<i64>,
    ) -> Result<String, Error> {
        let Some(mut request) = self.requests.get(request).cloned() else {
            return Err(Error::new(ErrorKind::NotFound, "no such pending request"));
        };
        let approved: BTreeSet<String> = match scopes {
            Some(chosen) => request.scopes.intersection(chosen).cloned().collect(),
            None => request.scopes.clone(),
        };
        if approved.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "none of the approved scopes was asked for",
            ));
        }
        let policy = self.add_policy(Policy {
            id: String::new(),
            resource_id: request.resource_id.clone(),
            subject: Subject::User(request.subject.clone()),
            client: Some(request.client.clone()),
            scopes: approved.clone(),
            until_ms,
        })?;
        request.scopes.retain(|scope| !approved.contains(scope));
        request.refused = true;
        if request.scopes.is_empty() {
            self.requests.remove(&request.id);
        } else {
            self.requests.insert(request.id.clone(), request);
        }
        Ok(policy)
    }

    pub(crate) fn refuse(&mut self, request: &str) -> Result<(), Error> {
        match self.requests.get_mut(request) {
            Some(request) => {
                request.refused = true;
                Ok(())
            }
            None => Err(Error::new(ErrorKind::NotFound, "no such pending request")),
        }
    }
}

fn later(left: Option<i64>, right: Option<i64>) -> Option<i64> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.max(right)),
        _ => None,
    }
}
