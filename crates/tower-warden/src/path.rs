//! The one reading of a request path that everything else relies on.

mod readings;

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

pub(crate) use readings::Readings;

/// Longest path that is read, in bytes as sent.
pub const MAX_PATH_BYTES: usize = 8 * 1024;
/// Most segments that a path may have.
pub const MAX_SEGMENTS: usize = 128;

/// What must be escaped to send a decoded segment in a URI path.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b';')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A path that every reader reads the same way.
///
/// Each segment is percent-decoded exactly once, as axum's `Path` extractor does, and the list of decoded segments is the
/// key. One trailing slash is spelling, not key. Nothing is repaired: what could be read in two ways is a [`PathError`].
///
/// A path without escapes is borrowed; no memory is allocated for it.
///
/// ```
/// use tower_warden::CanonicalPath;
///
/// let escaped = CanonicalPath::parse("/people/al%40example/")?;
/// let plain = CanonicalPath::parse("/people/al@example")?;
/// assert_eq!(escaped, plain);
/// assert_eq!(plain.segments().collect::<Vec<_>>(), ["people", "al@example"]);
///
/// assert!(CanonicalPath::parse("/people/../alice").is_err());
/// # Ok::<(), tower_warden::PathError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CanonicalPath<'a> {
    /// Decoded segments, each behind one `/`; the root is `/`. No segment holds a `/`, so the joining is injective.
    key: Cow<'a, str>,
}

impl<'a> CanonicalPath<'a> {
    /// Reads the path of a request target or of a resource.
    ///
    /// # Errors
    ///
    /// A [`PathError`] that says which ambiguity the path holds. See [`PathErrorKind`] for the list.
    pub fn parse(raw: &'a str) -> Result<Self, PathError> {
        if raw.len() > MAX_PATH_BYTES {
            return Err(PathErrorKind::TooLong.into());
        }
        let Some(rest) = raw.strip_prefix('/') else {
            return Err(PathErrorKind::NotAbsolute.into());
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() {
            return if raw == "/" {
                Ok(Self::root())
            } else {
                Err(PathErrorKind::EmptySegment.into())
            };
        }
        let look = Look::at(rest.as_bytes());
        if look.slashes >= MAX_SEGMENTS {
            return Err(PathErrorKind::TooManySegments.into());
        }
        if !look.escapes {
            if !look.plain {
                for segment in rest.split('/') {
                    check_segment(segment)?;
                }
            }
            let end = rest.len() + 1;
            return Ok(Self {
                key: Cow::Borrowed(raw.get(..end).unwrap_or(raw)),
            });
        }
        let mut key = String::with_capacity(rest.len() + 1);
        for segment in rest.split('/') {
            let decoded = decode_segment(segment)?;
            check_segment(&decoded)?;
            key.push('/');
            key.push_str(&decoded);
        }
        Ok(Self {
            key: Cow::Owned(key),
        })
    }

    const fn root() -> Self {
        Self {
            key: Cow::Borrowed("/"),
        }
    }

    /// The key: the decoded segments, each behind one `/`, without a trailing slash; `/` for the root.
    #[must_use]
    pub fn as_key(&self) -> &str {
        &self.key
    }

    /// The keys of the maps that can cover this path: its own, then those of its ancestors, the nearest first, up to `/`.
    ///
    /// ```
    /// let path = tower_warden::CanonicalPath::parse("/a/b%20c")?;
    /// assert_eq!(path.covering_keys().collect::<Vec<_>>(), ["/a/b c", "/a", "/"]);
    /// # Ok::<(), tower_warden::PathError>(())
    /// ```
    pub fn covering_keys(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.as_key()), |key| match key.rfind('/') {
            _ if *key == "/" => None,
            Some(at) if at > 0 => key.get(..at),
            _ => Some("/"),
        })
    }

    /// The decoded segments; none for the root.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        // The root key "/" would split into one empty segment.
        self.key
            .strip_prefix('/')
            .filter(|rest| !rest.is_empty())
            .into_iter()
            .flat_map(|rest| rest.split('/'))
    }

    /// Whether this path is `ancestor` or lies below it, segment by segment.
    #[must_use]
    pub fn is_at_or_below(&self, ancestor: &CanonicalPath<'_>) -> bool {
        key_is_at_or_below(&self.key, &ancestor.key)
    }

    /// The path percent-encoded for use in a URI; parsing it again gives the same key.
    #[must_use]
    pub fn to_uri(&self) -> String {
        if self.key == "/" {
            return String::from("/");
        }
        let mut uri = String::with_capacity(self.key.len());
        for segment in self.segments() {
            uri.push('/');
            uri.extend(utf8_percent_encode(segment, SEGMENT));
        }
        uri
    }

    /// The same path, owning its key.
    #[must_use]
    pub fn into_owned(self) -> CanonicalPath<'static> {
        CanonicalPath {
            key: Cow::Owned(self.key.into_owned()),
        }
    }

    /// Whether a segment holds a `;`, which some servers read as the start of a parameter.
    pub(crate) fn has_parameters(&self) -> bool {
        self.key.as_bytes().contains(&b';')
    }

    /// Whether a segment behind the first `count` ones holds a `;`.
    pub(crate) fn has_parameters_below(&self, count: usize) -> bool {
        self.segments()
            .skip(count)
            .any(|segment| segment.contains(';'))
    }
}

impl fmt::Debug for CanonicalPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CanonicalPath").field(&self.key).finish()
    }
}

impl fmt::Display for CanonicalPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_uri())
    }
}

/// What one look at a path, without its first and last slash, tells.
struct Look {
    slashes: usize,
    escapes: bool,
    /// There is nothing that `check_segment` could refuse.
    plain: bool,
}

const SLASH: u8 = 1;
const DOT: u8 = 2;
const ESCAPE: u8 = 4;
const SPECIAL: u8 = 8;

/// What each octet is to the look.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    #[allow(clippy::indexing_slicing, reason = "at compile time")]
    while byte < classes.len() {
        classes[byte] = match byte {
            0..=0x1f | 0x7f..=0xff | 0x5c => SPECIAL,
            0x2f => SLASH,
            0x2e => DOT,
            0x25 => ESCAPE,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

impl Look {
    fn at(rest: &[u8]) -> Self {
        let mut slashes = 0;
        let mut found = 0;
        let mut oddly = 0;
        let mut previous = SLASH;
        for &byte in rest {
            let class = CLASSES.get(usize::from(byte)).copied().unwrap_or(SPECIAL);
            slashes += usize::from(class & SLASH);
            found |= class;
            // A segment that is empty or starts with a dot.
            if class & (SLASH | DOT) != 0 {
                oddly |= previous & SLASH;
            }
            previous = class;
        }
        oddly |= previous & SLASH;
        Self {
            slashes,
            escapes: found & ESCAPE != 0,
            plain: found & SPECIAL == 0 && oddly == 0,
        }
    }
}

pub(crate) fn key_is_at_or_below(key: &str, ancestor: &str) -> bool {
    ancestor == "/"
        || key
            .strip_prefix(ancestor)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Decodes a segment once; a `%` that starts no triplet is an error, as some readers keep it and others do not.
fn decode_segment(segment: &str) -> Result<Cow<'_, str>, PathErrorKind> {
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit());
            let low = bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit());
            if !(high && low) {
                return Err(PathErrorKind::MalformedEscape);
            }
        }
    }
    percent_decode_str(segment)
        .decode_utf8()
        .map_err(|_| PathErrorKind::NotUtf8)
}

/// Refuses a decoded segment that another reader could read differently.
fn check_segment(segment: &str) -> Result<(), PathErrorKind> {
    match segment {
        "" => return Err(PathErrorKind::EmptySegment),
        "." | ".." => return Err(PathErrorKind::DotSegment),
        _ => {}
    }
    let bytes = segment.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'/' | b'\\' => return Err(PathErrorKind::Separator),
            0..=0x1f | 0x7f => return Err(PathErrorKind::Control),
            // U+0080 to U+009F, the other control characters, are C2 80 to C2 9F.
            0xc2 if bytes.get(at + 1).is_some_and(|next| *next < 0xa0) => {
                return Err(PathErrorKind::Control);
            }
            b'%' if is_hex(bytes.get(at + 1)) && is_hex(bytes.get(at + 2)) => {
                return Err(PathErrorKind::DoubleEncoded);
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_hex(byte: Option<&u8>) -> bool {
    byte.is_some_and(u8::is_ascii_hexdigit)
}

/// Why a path has no single reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathError {
    kind: PathErrorKind,
}

impl PathError {
    /// What is wrong with the path.
    #[must_use]
    pub fn kind(&self) -> PathErrorKind {
        self.kind
    }
}

impl From<PathErrorKind> for PathError {
    fn from(kind: PathErrorKind) -> Self {
        Self { kind }
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            PathErrorKind::NotAbsolute => "the path does not start with `/`",
            PathErrorKind::TooLong => "the path is longer than 8 KiB",
            PathErrorKind::TooManySegments => "the path has more than 128 segments",
            PathErrorKind::MalformedEscape => "a `%` in the path starts no two-digit escape",
            PathErrorKind::NotUtf8 => "the decoded path is not UTF-8",
            PathErrorKind::Control => "the path holds a control character",
            PathErrorKind::Separator => "a path segment holds a `/` or `\\`, perhaps escaped",
            PathErrorKind::DotSegment => "the path holds a `.` or `..` segment, perhaps escaped",
            PathErrorKind::EmptySegment => "the path holds an empty segment (`//`)",
            PathErrorKind::DoubleEncoded => "the path is percent-encoded more than once",
        })
    }
}

impl std::error::Error for PathError {}

/// The ambiguities that a path may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PathErrorKind {
    /// It does not start with `/` (`*`, or the empty path of `CONNECT`).
    NotAbsolute,
    /// It is longer than [`MAX_PATH_BYTES`].
    TooLong,
    /// It has more than [`MAX_SEGMENTS`] segments.
    TooManySegments,
    /// A `%` that two hexadecimal digits do not follow.
    MalformedEscape,
    /// The decoded octets are not UTF-8.
    NotUtf8,
    /// A control character, NUL included.
    Control,
    /// A `/` or `\` inside a segment after decoding, or a raw `\`.
    Separator,
    /// A `.` or `..` segment after decoding.
    DotSegment,
    /// An empty segment other than one trailing slash.
    EmptySegment,
    /// A segment that after decoding still holds an escape.
    DoubleEncoded,
}

#[cfg(test)]
mod tests;
