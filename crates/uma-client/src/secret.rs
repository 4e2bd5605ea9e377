//! Secrets: values that must never be printed, logged or compared in variable time.
//!
//! ```
//! use uma_client::Secret;
//!
//! let token = Secret::new("2YotnFZFEjr1zCsicMWpAA");
//! assert_eq!(format!("{token:?}"), "Secret([redacted])");
//! assert_eq!(token.expose(), "2YotnFZFEjr1zCsicMWpAA");
//! ```

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A token, password, code or other value that nobody but its addressee may see.
///
/// It prints as `[redacted]`, compares in constant time (its length is not hidden), is wiped when the last clone is
/// dropped, and has no `Display`, `Deref` or `Serialize`: whoever needs the text says [`Secret::expose`]. Cloning is cheap.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(value.into())))
    }

    /// The value itself. Do not log it and do not put it into an error.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose()
            .as_bytes()
            .ct_eq(other.expose().as_bytes())
            .into()
    }
}

impl Eq for Secret {}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_nothing_and_compares_by_value() {
        let secret = Secret::new("canary");
        assert!(!format!("{secret:?} {:?}", Some(&secret)).contains("canary"));
        assert_eq!(secret, Secret::from("canary"));
        assert_ne!(secret, Secret::from("canarz"));
        assert_ne!(secret, Secret::from("canary "));
    }
}
