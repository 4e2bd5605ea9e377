//! The issuer: the one name of an AM, compared byte for byte.
//!
//! ```
//! use uma_client::Issuer;
//!
//! let issuer = Issuer::parse("https://am.example.com/realms/home")?;
//! assert_eq!(issuer.as_str(), "https://am.example.com/realms/home");
//! assert!(Issuer::parse("https://am.example.com/?realm=home").is_err());
//! # Ok::<(), uma_client::Error>(())
//! ```

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use url::Url;

use crate::error::{Error, ErrorKind};

/// Longest issuer that is read, in bytes.
const MAX_LEN: usize = 2048;

/// The issuer identifier of an AM (RFC 8414 section 2): an absolute `https` (or `http`) URL without user info, query and
/// fragment.
///
/// The string is kept **verbatim**: equality, order and hash go by its bytes (RFC 8414 section 3.3, "simple string
/// comparison"), so `https://am.example` and `https://am.example/` are two issuers. It holds only visible ASCII without
/// `"` and `\`, so it may stand in a challenge as it is. Whether `http` is allowed is for the
/// [client's builder](crate::AmClientBuilder::allow_insecure_http) to say. Cloning is cheap.
#[derive(Clone)]
pub struct Issuer {
    text: Arc<str>,
    url: Arc<Url>,
}

impl Issuer {
    /// Reads an issuer.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the text is not an absolute `http` or `https` URL, is longer than 2048 bytes, holds
    /// anything but visible ASCII, or has user info, a query or a fragment.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |why: &'static str| Err(Error::new(ErrorKind::Config, why));
        if text.is_empty() || text.len() > MAX_LEN {
            return refuse("an issuer has 1 to 2048 bytes");
        }
        if !text
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'))
        {
            return refuse("an issuer holds only visible ASCII, no quote and no backslash");
        }
        let lower = text.to_ascii_lowercase();
        if !lower.starts_with("https://") && !lower.starts_with("http://") {
            return refuse("an issuer is an absolute URL that starts with https:// (or http://)");
        }
        if text.contains(['?', '#']) {
            return refuse("an issuer has no query and no fragment");
        }
        let Ok(url) = Url::parse(text) else {
            return refuse("an issuer is a URL");
        };
        if url.host_str().is_none_or(str::is_empty) {
            return refuse("an issuer names a host");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("an issuer carries no user name and no password");
        }
        Ok(Self {
            text: text.into(),
            url: Arc::new(url),
        })
    }

    /// The issuer exactly as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The issuer as a URL, for its origin and for building other URLs. Never compare this form.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether the issuer is an `https` URL.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Issuer").field(&self.as_str()).finish()
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Issuer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl PartialEq for Issuer {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Issuer {}

impl PartialOrd for Issuer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Issuer {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for Issuer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_text_and_compares_bytes() {
        let bare = Issuer::parse("https://AM.example").unwrap();
        assert_eq!(bare.to_string(), "https://AM.example");
        assert_ne!(bare, Issuer::parse("https://am.example").unwrap());
        assert_ne!(bare, Issuer::parse("https://AM.example/").unwrap());
        assert_eq!(bare, "https://AM.example".parse().unwrap());
    }

    #[test]
    fn refuses_what_is_no_issuer() {
        for text in [
            "",
            "am.example",
            "/am",
            "https:am.example",
            "ftp://am.example",
            "https://",
            "https://am.example?",
            "https://am.example/#",
            "https://user@am.example",
            "https://user:pw@am.example",
            " https://am.example",
            "https://am.example\r\n",
            "https://am.example/\"",
            "https://am.example\\x",
            "https://ämter.example",
        ] {
            assert!(Issuer::parse(text).is_err(), "{text:?}");
        }
        assert!(Issuer::parse(&format!("https://am.example/{}", "a".repeat(2048))).is_err());
    }
}
