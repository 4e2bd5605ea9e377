//! The count of changes, and how far a change has spread.

use std::fmt;

/// Counts the changes that enforcement has to know, over all nodes of a host. What a call has changed is in force on a node
/// that has reached the epoch which the call gave.
///
/// Shown as text, it is what goes into a request's `Warden-Min-Epoch`
/// ([`MIN_EPOCH_HEADER`](tower_warden::MIN_EPOCH_HEADER)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

impl Epoch {
    pub(crate) const fn new(epoch: i64) -> Self {
        Self(epoch.unsigned_abs())
    }

    pub(crate) fn stored(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far a change has spread that protects something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Spread {
    /// Every node that serves enforces it.
    Everywhere,
    /// It is committed, and this node enforces it; another that still lives, or may, has not said so yet. Within 15 s it has,
    /// or it refuses everything.
    BeingProtected,
}

impl Spread {
    /// The word for it, as it stands in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::BeingProtected => "being_protected",
        }
    }

    /// How far a change has spread, if all nodes have reached an epoch.
    pub(crate) fn of(changed: Epoch, reached: Epoch) -> Self {
        if changed <= reached {
            Self::Everywhere
        } else {
            Self::BeingProtected
        }
    }
}
