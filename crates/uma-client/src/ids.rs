//! What an AM hands out: resource ids, tickets, and PATs.
//!
//! ```
//! use uma_client::{ResourceId, Ticket};
//!
//! assert!(ResourceId::parse("112210f47de98100").is_ok());
//! assert!(ResourceId::parse("..").is_err(), "no URL can name it");
//! let ticket = Ticket::parse("016f84e8-f9b9-11e0-bd6f-0021cc6004de")?;
//! assert_eq!(format!("{ticket:?}"), "Ticket([redacted])");
//! # Ok::<(), uma_client::Error>(())
//! ```

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderValue;

use crate::error::{Error, ErrorKind};
use crate::secret::Secret;

/// Longest resource id that is read, in bytes.
const MAX_ID: usize = 1024;
/// Longest ticket that is read, in bytes.
pub(crate) const MAX_TICKET: usize = 4096;
/// Longest token that is sent, in bytes.
pub(crate) const MAX_TOKEN: usize = 16 * 1024;

/// The AM's id of a registered resource (`_id` and `resource_id`, UMA Federated Authorization 1.0 section 3.2).
///
/// Opaque, compared byte for byte, and unique only together with the AM: 1 to 1024 bytes without control characters, and
/// neither `.` nor `..`, which no URL can name. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId(Arc<str>);

impl ResourceId {
    /// Reads an id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidResourceId`] when the text is not such an id.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.is_empty()
            || text.len() > MAX_ID
            || text.chars().any(char::is_control)
            || matches!(text, "." | "..")
        {
            return Err(Error::new(
                ErrorKind::InvalidResourceId,
                "a resource id has 1 to 1024 bytes, no control characters, and is neither . nor ..",
            ));
        }
        Ok(Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResourceId").field(&self.as_str()).finish()
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AsRef<str> for ResourceId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for ResourceId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

/// A permission ticket (UMA Federated Authorization 1.0 section 4.2): one use, never shared, never cached, never logged.
///
/// Visible ASCII without `"` and `\`, 1 to 4096 bytes, so that it can stand in a challenge as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket(Secret);

impl Ticket {
    /// Reads a ticket.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] when the text is empty, longer than 4096 bytes, or holds a character that would not be safe
    /// in a challenge.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let legal = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\');
        if text.is_empty() || text.len() > MAX_TICKET || !text.bytes().all(legal) {
            return Err(Error::new(
                ErrorKind::Malformed,
                "member `ticket` is empty, too long, or holds characters that a ticket cannot",
            ));
        }
        Ok(Self(Secret::new(text)))
    }

    /// The ticket itself, to be put on the wire and nowhere else.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket([redacted])")
    }
}

/// A protection API access token (UMA Federated Authorization 1.0 section 1.3): with it the host speaks to the AM for one
/// owner.
#[derive(Clone, PartialEq, Eq)]
pub struct Pat(Secret);

impl Pat {
    /// Wraps an access token.
    pub fn new(token: impl Into<Secret>) -> Self {
        Self(token.into())
    }

    /// The token itself.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The token as a secret.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

impl fmt::Debug for Pat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pat([redacted])")
    }
}

impl From<Secret> for Pat {
    fn from(token: Secret) -> Self {
        Self(token)
    }
}

/// Whether a token can be sent as a bearer token: visible ASCII, at most 16 KiB.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TOKEN && text.bytes().all(|b| b.is_ascii_graphic())
}

/// `Authorization: Bearer` (RFC 6750 section 2.1), marked sensitive.
pub(crate) fn bearer(token: &Secret) -> Result<HeaderValue, Error> {
    let refuse = || {
        Error::new(
            ErrorKind::Config,
            "the bearer token is empty, too long, or not visible ASCII",
        )
    };
    if !is_token(token.expose()) {
        return Err(refuse());
    }
    let mut value =
        HeaderValue::try_from(format!("Bearer {}", token.expose())).map_err(|_| refuse())?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_no_url_can_name_are_refused() {
        for bad in ["", ".", "..", "a\nb", "\0", &"a".repeat(1025)] {
            assert!(ResourceId::parse(bad).is_err(), "{bad:?}");
        }
        for good in ["...", "a/b", "ä ö", "%2e%2e", "https://am/r/1"] {
            assert!(ResourceId::parse(good).is_ok(), "{good:?}");
        }
    }

    /// T6 (the reading half): nothing that could break out of a challenge becomes a ticket.
    #[test]
    fn tickets_that_could_break_a_header_are_refused() {
        for bad in [
            "",
            "a b",
            "a\"b",
            "a\\b",
            "a\r\nX: y",
            "ä",
            "\u{7f}",
            &"t".repeat(4097),
        ] {
            assert!(Ticket::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Ticket::parse(&"t".repeat(4096)).is_ok());
    }

    #[test]
    fn bearer_values_are_sensitive_and_checked() {
        assert!(bearer(&Secret::new("abc")).unwrap().is_sensitive());
        for bad in ["", "a b", "a\r\nX: y", &"t".repeat(16 * 1024 + 1)] {
            assert!(bearer(&Secret::new(bad)).is_err());
        }
        assert!(!format!("{:?}", Pat::new("canary")).contains("canary"));
    }
}
