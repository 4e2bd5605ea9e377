//! What keeps work from being done, and how much of it.

use crate::Error;

/// What kept a step from being done.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The AM, or the PAT.
    Am(uma_client::Error),
    /// The store.
    Store(Error),
    /// The AM did not say enough to go on.
    Unsure,
}

impl From<uma_client::Error> for Trouble {
    fn from(error: uma_client::Error) -> Self {
        Self::Am(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl Trouble {
    /// Whether the owner's PAT is the trouble: nothing else of this owner can be done.
    pub(super) fn is_pat(&self) -> bool {
        use uma_client::ErrorKind as Uma;
        let Self::Am(error) = self else { return false };
        matches!(
            error.kind(),
            Uma::NeedsConsent | Uma::PatDead | Uma::InsufficientScope
        )
    }

    /// Whether the AM as a whole is the trouble: nothing else at this AM can be done.
    pub(super) fn is_am(&self) -> bool {
        use uma_client::ErrorKind as Uma;
        let Self::Am(error) = self else { return false };
        matches!(
            error.kind(),
            Uma::Unreachable
                | Uma::Timeout
                | Uma::Unavailable
                | Uma::IssuerMismatch
                | Uma::Insecure
        )
    }
}
