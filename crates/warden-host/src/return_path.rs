//! Where an owner is sent back to.

use std::fmt;

/// A path on this host to return to after a detour: never another site.
///
/// Taken are a path and its query that begin with exactly one `/` and hold no `\`, no white space, no control character
/// and no fragment. Anything else could be read by a browser as another origin.
///
/// ```
/// use warden_host::ReturnPath;
///
/// assert_eq!(ReturnPath::parse("/albums/1?tab=2").unwrap().as_str(), "/albums/1?tab=2");
/// assert!(ReturnPath::parse("//evil.example").is_none());
/// assert!(ReturnPath::parse("https://evil.example").is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReturnPath(String);

impl ReturnPath {
    /// Longest path that is taken, in bytes.
    pub const MAX_BYTES: usize = 2048;

    /// Takes a relative reference of this host; `None` for what could lead elsewhere.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('/')?;
        let safe = !rest.starts_with('/')
            && text.len() <= Self::MAX_BYTES
            && text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'\\' && byte != b'#');
        safe.then(|| Self(text.to_owned()))
    }

    /// The path and query.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReturnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
        for bad in [
            "",
            "albums",
            "//evil.example",
            "/\\evil.example",
            "/a\\b",
            "https://evil.example/",
            "/a b",
            "/a\nb",
            "/\t/evil.example",
            "/a#b",
            "/ä",
        ] {
            assert!(ReturnPath::parse(bad).is_none(), "{bad:?}");
        }
        for good in ["/", "/uma/resources", "/a?b=//c", "/%C3%A4"] {
            assert_eq!(ReturnPath::parse(good).unwrap().to_string(), good);
        }
        assert!(ReturnPath::parse(&format!("/{}", "a".repeat(ReturnPath::MAX_BYTES))).is_none());
    }
}
