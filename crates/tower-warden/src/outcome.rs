//! What became of a request, in one of five words.

/// What became of a request: the word that stands in events, metrics and audit records beside the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It is not for an AM to decide, and passes: unmapped, a preflight, not guarded.
    Pass,
    /// It is permitted, by the owner's AM or by her own door.
    Allow,
    /// It does not hold what it needs, and its sender is told where to get it.
    Challenge,
    /// It is refused, and no token would help.
    Deny,
    /// It is refused since something is not in order: an AM, the maps, or a registration.
    Error,
}

impl Outcome {
    /// The word. Words do not change.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Allow => "allow",
            Self::Challenge => "challenge",
            Self::Deny => "deny",
            Self::Error => "error",
        }
    }

    /// Whether the request is let through.
    #[must_use]
    pub const fn allows(self) -> bool {
        matches!(self, Self::Pass | Self::Allow)
    }
}
