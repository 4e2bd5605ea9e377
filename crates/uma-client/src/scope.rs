//! Scopes: single ones, and non-empty sets of them.
//!
//! ```
//! use uma_client::Scopes;
//!
//! let scopes = Scopes::parse(["view", "edit", "view"])?;
//! assert_eq!(scopes.to_string(), "edit view");
//! assert!(scopes.contains("view"));
//! assert!(Scopes::parse([""; 0]).is_err());
//! # Ok::<(), uma_client::Error>(())
//! ```

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};

/// Longest scope that is read, in bytes.
const MAX_LEN: usize = 256;

/// One scope: a plain word or a URI (UMA Federated Authorization 1.0 section 3.1), of the characters that RFC 6749
/// section 3.3 allows (`%x21 / %x23-5B / %x5D-7E`), 1 to 256 bytes. Compared byte for byte. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Arc<str>);

impl Scope {
    /// Reads a scope.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidScope`] when the text is empty, longer than 256 bytes, or holds a character that a scope cannot.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let legal = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\');
        if text.is_empty() || text.len() > MAX_LEN || !text.bytes().all(legal) {
            return Err(Error::new(
                ErrorKind::InvalidScope,
                "a scope has 1 to 256 visible ASCII characters without quote and backslash",
            ));
        }
        Ok(Self(text.into()))
    }

    /// The scope as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AsRef<str> for Scope {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

/// A set of scopes that is never empty, sorted and without doubles. Cloning is cheap.
///
/// Prints as the scopes with blanks between them, as OAuth's `scope` parameter has them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scopes(Arc<[Scope]>);

impl Scopes {
    /// Reads a set of scopes.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidScope`] when there is none, or when one is not a [`Scope`].
    pub fn parse<I>(texts: I) -> Result<Self, Error>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let scopes = texts
            .into_iter()
            .map(|text| Scope::parse(text.as_ref()))
            .collect::<Result<Vec<_>, _>>()?;
        Self::from_scopes(scopes).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidScope,
                "a set of scopes holds at least one scope",
            )
        })
    }

    /// A set of these scopes; `None` when there are none.
    pub fn from_scopes(mut scopes: Vec<Scope>) -> Option<Self> {
        scopes.sort();
        scopes.dedup();
        (!scopes.is_empty()).then(|| Self(scopes.into()))
    }

    /// The scopes in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.0.iter()
    }

    /// The scopes in order, as a slice of at least one.
    pub fn as_slice(&self) -> &[Scope] {
        &self.0
    }

    /// Whether `scope` is one of these.
    pub fn contains(&self, scope: &str) -> bool {
        self.0
            .binary_search_by(|own| own.as_str().cmp(scope))
            .is_ok()
    }

    /// Whether `other` holds all of these.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|own| other.contains(own.as_str()))
    }

    /// The scopes as strings, as the wire types have them.
    pub fn to_strings(&self) -> Vec<String> {
        self.iter().map(|scope| scope.as_str().to_owned()).collect()
    }
}

impl<'a> IntoIterator for &'a Scopes {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(Arc::new([scope]))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_characters() {
        for good in [
            "view",
            "https://photoz.example.com/dev/scopes/view",
            "!",
            "~",
            "a:b#c",
        ] {
            assert!(Scope::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\"", "a\\", "ä", "a\n", &"a".repeat(257)] {
            assert!(Scope::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_scope_is_its_text() {
        let longest = "a".repeat(256);
        assert_eq!(Scope::parse(&longest).unwrap().as_str(), longest);
        let scope: Scope = "view".parse().unwrap();
        assert!("".parse::<Scope>().is_err());
        assert_eq!(scope.as_ref(), "view");
        assert_eq!(scope.to_string(), "view");
        assert_eq!(format!("{scope:?}"), r#""view""#);
    }

    #[test]
    fn a_set_is_what_it_holds() {
        let set = Scopes::parse(["view", "edit", "view"]).unwrap();
        assert_eq!(set.to_string(), "edit view");
        assert_eq!(set.to_strings(), ["edit", "view"]);
        assert_eq!(format!("{set:?}"), r#"{"edit", "view"}"#);
        assert_eq!(set.iter().len(), 2);
        assert_eq!((&set).into_iter().count(), 2);
        let one = Scopes::from(Scope::parse("view").unwrap());
        assert_eq!(one.to_string(), "view");
        assert!(set.contains("view") && !set.contains("vie") && !one.contains("edit"));
        assert!(one.is_subset(&set) && set.is_subset(&set) && !set.is_subset(&one));
        let error = Scopes::parse(["view", ""]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidScope);
    }

    #[test]
    fn sets_are_sorted_and_never_empty() {
        let set = Scopes::parse(["edit", "view", "edit"]).unwrap();
        assert_eq!(set.as_slice().len(), 2);
        assert!(Scopes::from_scopes(Vec::new()).is_none());
        assert!(Scopes::parse(["view"]).unwrap().is_subset(&set));
        assert!(!set.is_subset(&Scopes::parse(["view"]).unwrap()));
        assert!(!set.contains("View"));
    }
}
