//! The form that adds a rule: as it was filled in, and what is wrong with it.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use super::policy_of;
use crate::params::Params;
use crate::shared::unix_ms;
use crate::state::State;
use crate::state::policies::{Policy, Subject};

/// What is wrong, field by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Errors {
    pub(super) subject: Option<&'static str>,
    pub(super) client: Option<&'static str>,
    pub(super) scopes: Option<&'static str>,
    pub(super) until: Option<&'static str>,
}

/// The add form as it was sent; empty at first.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) anyone: bool,
    pub(super) subject: String,
    pub(super) client: String,
    pub(super) scopes: BTreeSet<String>,
    pub(super) until: String,
    pub(super) errors: Errors,
    /// The pending request whose form was filled in wrongly, and how.
    pub(super) request_error: Option<(String, &'static str)>,
}

impl Draft {
    pub(super) fn read(form: &Params) -> Self {
        let text = |name: &str| {
            let value = form.get(name).ok().flatten().unwrap_or_default();
            value.trim().to_owned()
        };
        Self {
            anyone: text("subject_kind") == "anyone",
            subject: text("subject"),
            client: text("client"),
            scopes: form.all("scope").map(str::to_owned).collect(),
            until: text("until"),
            ..Self::default()
        }
    }

    pub(super) fn check(
        &self,
        state: &State,
        resource: &str,
        now_ms: i64,
    ) -> Result<Policy, Errors> {
        let mut errors = Errors::default();
        if !self.anyone && self.subject.is_empty() {
            errors.subject = Some("Enter a name, or choose anyone who signs in.");
        } else if !self.anyone && !state.users.contains_key(&self.subject) {
            errors.subject = Some("Nobody here has this name.");
        }
        if !self.client.is_empty() && !state.clients.contains_key(&self.client) {
            errors.client = Some("There is no such app.");
        }
        let registered = |scope: &String| {
            state
                .resources
                .get(resource)
                .is_some_and(|resource| resource.has_scope(scope))
        };
        if self.scopes.is_empty() {
            errors.scopes = Some("Choose at least one action.");
        } else if !self.scopes.iter().all(registered) {
            errors.scopes = Some("One of these actions does not exist here.");
        }
        let until_ms = until(Some(&self.until), now_ms).unwrap_or_else(|message| {
            errors.until = Some(message);
            None
        });
        if errors != Errors::default() {
            return Err(errors);
        }
        let subject = if self.anyone {
            Subject::AnyoneSignedIn
        } else {
            Subject::User(self.subject.clone())
        };
        Ok(policy_of(resource, subject, self, until_ms))
    }
}

/// Reads `2026-01-31T18:00` (as browsers send it), the same with seconds, or a day, which then counts whole; all UTC. Empty: no end.
pub(super) fn until(text: Option<&str>, now_ms: i64) -> Result<Option<i64>, &'static str> {
    let text = text.unwrap_or_default().trim();
    if text.is_empty() {
        return Ok(None);
    }
    let full = match text.len() {
        10 => format!("{text}T23:59:59"),
        16 => format!("{text}:00"),
        _ => text.to_owned(),
    };
    let time = humantime::parse_rfc3339_weak(&full)
        .map_err(|_| "Enter a day and time such as 2030-01-31T18:00, or nothing.")?;
    let until_ms = unix_ms(time);
    if until_ms <= now_ms {
        return Err("This is in the past.");
    }
    Ok(Some(until_ms))
}

/// A point in time as people read it.
pub(super) fn written(ms: i64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or_default());
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.replace('T', " ").replace('Z', " UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_reads_what_browsers_send() {
        assert_eq!(until(None, 0), Ok(None));
        assert_eq!(until(Some("1970-01-01T00:01"), 0), Ok(Some(60_000)));
        assert_eq!(until(Some("1970-01-01T00:00:05"), 0), Ok(Some(5_000)));
        assert_eq!(until(Some("1970-01-02"), 0), Ok(Some(172_799_000)));
        assert!(until(Some("1970-01-01T00:01"), 60_000).is_err());
        for odd in [
            "tomorrow",
            "2026-13-01",
            "2026-01-31T25:00",
            "31.1.2026",
            "é026-01-0",
        ] {
            assert!(until(Some(odd), 0).is_err(), "{odd}");
        }
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(written(60_000), "1970-01-01 00:01:00 UTC");
    }
}
