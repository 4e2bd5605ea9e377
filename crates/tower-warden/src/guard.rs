//! Guards: the prefixes that a host puts under Warden.

use std::fmt;

use crate::CanonicalPath;
use crate::path::{Readings, key_is_at_or_below};

/// What a path below a guard gets that nobody has mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unmapped {
    /// It is not shared: the request goes through, and the host's own logic answers, as in Puma.
    Pass,
    /// It does not exist as far as anyone can tell: 404.
    Deny,
}

/// Whether a guard's refusals take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Mode {
    /// They do.
    #[default]
    Enforce,
    /// Requests pass at once; what would have been decided is recorded, and no ticket is asked for.
    Shadow,
    /// Requests pass, and nothing is decided.
    Off,
}

impl Mode {
    /// The mode as a word, as it stands in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }
}

/// A prefix under Warden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guard {
    pub(crate) prefix: CanonicalPath<'static>,
    pub(crate) unmapped: Unmapped,
    pub(crate) mode: Mode,
}

/// All guards of a layer, the longest prefix first; never none.
#[derive(Debug)]
pub(crate) struct Guards(Vec<Guard>);

impl Guards {
    pub(crate) fn new(mut guards: Vec<Guard>) -> Result<Self, GuardError> {
        if guards.is_empty() {
            return Err(GuardError::None);
        }
        guards.sort_by_key(|guard| std::cmp::Reverse(guard.prefix.as_key().len()));
        for (at, guard) in guards.iter().enumerate() {
            let twice = |other: &Guard| other.prefix == guard.prefix;
            if guards.iter().skip(at + 1).any(twice) {
                return Err(GuardError::Repeated(guard.prefix.to_string()));
            }
        }
        Ok(Self(guards))
    }

    /// The guard with the longest prefix that the path lies at or below.
    pub(crate) fn covering(&self, path: &CanonicalPath<'_>) -> Option<&Guard> {
        self.0
            .iter()
            .find(|guard| path.is_at_or_below(&guard.prefix))
    }

    /// The strictest guard that some reading of a path without a single reading could lie below.
    pub(crate) fn covering_some_reading(&self, raw: &str) -> Option<&Guard> {
        let readings = Readings::of(raw);
        let below = |guard: &&Guard| readings.some_below(guard.prefix.as_key());
        let mut found = self.0.iter().filter(below);
        let first = found.next()?;
        if first.mode == Mode::Enforce {
            return Some(first);
        }
        Some(
            found
                .find(|guard| guard.mode == Mode::Enforce)
                .unwrap_or(first),
        )
    }

    /// Whether every request to the path, and to all below it if `subtree`, is under a guard that enforces.
    pub(crate) fn enforce(&self, path: &CanonicalPath<'_>, subtree: bool) -> bool {
        let covered = self
            .covering(path)
            .is_some_and(|guard| guard.mode == Mode::Enforce);
        let hole_below = || {
            self.0.iter().any(|guard| {
                guard.mode != Mode::Enforce
                    && key_is_at_or_below(guard.prefix.as_key(), path.as_key())
            })
        };
        covered && !(subtree && hole_below())
    }

    /// The prefixes of the guards that enforce.
    pub(crate) fn enforced(&self) -> impl Iterator<Item = &CanonicalPath<'static>> {
        self.0
            .iter()
            .filter(|guard| guard.mode == Mode::Enforce)
            .map(|guard| &guard.prefix)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GuardError {
    None,
    Repeated(String),
}

impl fmt::Display for GuardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no path is guarded: name at least one with `guard`"),
            Self::Repeated(prefix) => write!(f, "`{prefix}` is guarded twice"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guards(list: &[(&str, Unmapped, Mode)]) -> Result<Guards, GuardError> {
        let guard = |&(prefix, unmapped, mode): &(&str, Unmapped, Mode)| Guard {
            prefix: CanonicalPath::parse(prefix).unwrap().into_owned(),
            unmapped,
            mode,
        };
        Guards::new(list.iter().map(guard).collect())
    }

    fn path(raw: &str) -> CanonicalPath<'_> {
        CanonicalPath::parse(raw).unwrap()
    }

    #[test]
    fn the_longest_prefix_wins() {
        let guards = guards(&[
            ("/api", Unmapped::Pass, Mode::Enforce),
            ("/api/private", Unmapped::Deny, Mode::Enforce),
        ])
        .unwrap();
        let found = |raw| guards.covering(&path(raw)).map(|guard| guard.unmapped);
        assert_eq!(found("/api/x"), Some(Unmapped::Pass));
        assert_eq!(found("/api/private/x"), Some(Unmapped::Deny));
        assert_eq!(found("/apis"), None);
    }

    #[test]
    fn none_and_twice_are_refused() {
        assert_eq!(guards(&[]).unwrap_err(), GuardError::None);
        let twice = [
            ("/api", Unmapped::Pass, Mode::Enforce),
            ("/api/", Unmapped::Deny, Mode::Enforce),
        ];
        assert_eq!(
            guards(&twice).unwrap_err(),
            GuardError::Repeated("/api".into())
        );
        let told = guards(&twice).unwrap_err().to_string();
        assert_eq!(told, "`/api` is guarded twice");
    }

    #[test]
    fn only_what_is_enforced_can_be_shared() {
        let guards = guards(&[
            ("/api", Unmapped::Pass, Mode::Enforce),
            ("/api/a/trial", Unmapped::Pass, Mode::Shadow),
        ])
        .unwrap();
        assert!(guards.enforce(&path("/api/a"), false));
        assert!(!guards.enforce(&path("/api/a"), true));
        assert!(guards.enforce(&path("/api/b"), true));
        assert!(!guards.enforce(&path("/api/a/trial/x"), false));
        assert!(!guards.enforce(&path("/other"), false));
    }

    #[test]
    fn an_ambiguous_path_belongs_to_the_guard_that_enforces() {
        let guards = guards(&[
            ("/api", Unmapped::Pass, Mode::Enforce),
            ("/api/trial", Unmapped::Pass, Mode::Shadow),
        ])
        .unwrap();
        let found = guards.covering_some_reading("/api/trial/../x").unwrap();
        assert_eq!(found.mode, Mode::Enforce);
    }
}
