//! The decision: one pure function of what is required, what the AM said, and the time.

use crate::{ActiveToken, Audience, Evidence, Permission, Requirement, Requirements, Window};

/// How far ahead of ours an AM's clock may be when it says "not before" or "issued at", in seconds.
///
/// `exp` has no such leeway.
pub const CLOCK_SKEW_SECONDS: i64 = 30;

/// What the decision says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Decision {
    /// All required scopes are there, until `expires` (seconds since the epoch) if the AM bounds them.
    Allow {
        /// The second from which on the same request would be refused.
        expires: Option<i64>,
    },
    /// Something is missing.
    Refuse(Insufficiency),
}

/// What is missing from a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Insufficiency {
    /// The AM calls the token inactive.
    Inactive,
    /// The answer names another issuer than the map's AM.
    ForeignIssuer,
    /// The answer's audience leaves this host out.
    ForeignAudience,
    /// The token is bound to a key, and possession of the key was not proved.
    ProofRequired,
    /// The token is not good yet.
    NotYetValid,
    /// The token has expired.
    Expired,
    /// A required scope is not among the live permissions for exactly this resource.
    Scopes,
}

/// Decides. `now` is in seconds since the epoch.
///
/// Permissions are matched by exact resource id; several for one resource add up; each counts only inside its own time
/// window; all required scopes must be there (UMA Federated Authorization 1.0 section 5.1.1, RFC 7662 section 2.2).
#[must_use]
pub fn decide(requirements: &Requirements, evidence: &Evidence, now: i64) -> Decision {
    let Evidence::Active(token) = evidence else {
        return Decision::Refuse(Insufficiency::Inactive);
    };
    if let Some(insufficiency) = unfit(requirements, token, now) {
        return Decision::Refuse(insufficiency);
    }
    let mut expires = token.window.expires;
    for requirement in requirements.iter() {
        match granted_until(requirement, token, now) {
            Some(until) => expires = earlier(expires, until),
            None => return Decision::Refuse(Insufficiency::Scopes),
        }
    }
    Decision::Allow { expires }
}

/// What keeps the token as a whole from counting.
fn unfit(requirements: &Requirements, token: &ActiveToken, now: i64) -> Option<Insufficiency> {
    let am = requirements.am();
    if token
        .issuer
        .as_ref()
        .is_some_and(|issuer| issuer != am.issuer().as_str())
    {
        return Some(Insufficiency::ForeignIssuer);
    }
    if let Audience::Expect(expected) = am.audience()
        && !token.audience.contains(expected)
    {
        return Some(Insufficiency::ForeignAudience);
    }
    if token.bound {
        return Some(Insufficiency::ProofRequired);
    }
    match state(token.window, now) {
        WindowState::Open => None,
        WindowState::Early => Some(Insufficiency::NotYetValid),
        WindowState::Over => Some(Insufficiency::Expired),
    }
}

/// Until when all required scopes are granted: `None` if they are not, `Some(None)` if no end is set.
fn granted_until(requirement: &Requirement, token: &ActiveToken, now: i64) -> Option<Option<i64>> {
    requirement
        .required()
        .iter()
        .try_fold(None, |expires, scope| {
            let until = token
                .permissions
                .iter()
                .filter(|permission| grants(permission, requirement, scope.as_str()))
                .map(|permission| permission.window.within(token.window))
                .filter(|window| state(*window, now) == WindowState::Open)
                .map(|window| window.expires)
                .reduce(later)?;
            Some(earlier(expires, until))
        })
}

fn grants(permission: &Permission, requirement: &Requirement, scope: &str) -> bool {
    permission.resource_id == *requirement.map().resource_id()
        && permission.scopes.iter().any(|granted| granted == scope)
}

#[derive(PartialEq, Eq)]
enum WindowState {
    Early,
    Open,
    Over,
}

fn state(window: Window, now: i64) -> WindowState {
    let latest_start = now.saturating_add(CLOCK_SKEW_SECONDS);
    if window.expires.is_some_and(|expires| expires <= now) {
        WindowState::Over
    } else if window.not_before.is_some_and(|start| start > latest_start)
        || window.issued_at.is_some_and(|start| start > latest_start)
    {
        WindowState::Early
    } else {
        WindowState::Open
    }
}

/// The earlier of two ends, where none is the end of time.
fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// The later of two ends, where none is the end of time.
fn later(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    Some(a?.max(b?))
}

/// The scopes that live permissions grant on the resource of a requirement.
pub(crate) fn granted_scopes<'a>(
    requirement: &'a Requirement,
    token: &'a ActiveToken,
    now: i64,
) -> impl Iterator<Item = &'a str> {
    token
        .permissions
        .iter()
        .filter(move |permission| {
            permission.resource_id == *requirement.map().resource_id()
                && state(permission.window.within(token.window), now) == WindowState::Open
        })
        .flat_map(|permission| permission.scopes.iter().map(String::as_str))
}

#[cfg(test)]
mod tests;
