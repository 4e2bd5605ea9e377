//! The one error type of the crate.

use std::borrow::Cow;
use std::fmt;

use crate::BoxError;

/// What went wrong, in words that may be shown to the owner: never a token, never what an AM wrote.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    field: Option<&'static str>,
    text: Cow<'static, str>,
    source: Option<BoxError>,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The owner is not connected to an AM.
    NotConnected,
    /// The owner's connection has ended; the owner has to connect again.
    NeedsConsent,
    /// The owner still shares through another AM.
    ConnectedElsewhere,
    /// The owner is at that AM already.
    AlreadyThere,
    /// The owner is on the way to another AM.
    MoveUnderWay,
    /// The AM is connected to with a client that the owner makes there.
    CredentialsNeeded,
    /// It was tried too often of late.
    TooMany,
    /// The path is not the owner's, or does not exist.
    NotYours,
    /// The path is under no guard that enforces.
    NotGuarded,
    /// The path is shared by somebody else.
    AlreadyShared,
    /// It was changed since the form was drawn.
    Changed,
    /// The path can't be read, or can be read in two ways.
    BadPath,
    /// The name is empty, too long, or holds control characters.
    BadName,
    /// The description is too long or holds control characters.
    BadDescription,
    /// The icon is not an http or https URL.
    BadIcon,
    /// A scope is not a scope.
    BadScope,
    /// The AM is not one that this host works with.
    UnknownAm,
    /// The AM can't be reached, or is in trouble.
    AmUnreachable,
    /// The AM refused, or answered with what can't be used.
    AmRefused,
    /// The answer at the callback belongs to no authorization that this owner began in this session.
    State,
    /// The owner did not consent at the AM.
    NoConsent,
    /// The store can't be read or written.
    Store,
    /// A stored secret can't be unsealed: the key does not fit.
    Sealed,
    /// The store is of a later version of this crate.
    StoreTooNew,
    /// What the host was built with does not fit together.
    Config,
    /// The host's own catalogue is in trouble.
    Catalogue,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            field: None,
            text: text.into(),
            source: None,
        }
    }

    pub(crate) fn at(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }

    pub(crate) fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The field of the form that it is about: `uri`, `resource_name`, `description`, `icon_uri`, `scopes` or `am`.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        self.field
    }

    /// Whether connecting (again) to an AM is what has to be done first.
    #[must_use]
    pub fn wants_connection(&self) -> bool {
        matches!(self.kind, ErrorKind::NotConnected | ErrorKind::NeedsConsent)
    }

    /// Whether the same request can work later without being changed.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::AmUnreachable | ErrorKind::Store | ErrorKind::Catalogue | ErrorKind::TooMany
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}
