//! Which other readings a path may have: used only on paths that have no single one.

/// How many readings are made of one path. One that has more is taken to be below every prefix that it could mean.
const MOST: usize = 24;

/// The readings that a path may have, for finding out whether one of them lies below a prefix.
///
/// They are the closure of: percent-decoding (once, and all the way), `\` for `/`, parameters behind `;` stripped, slashes
/// merged, dot segments resolved.
pub(crate) struct Readings<'a> {
    raw: &'a str,
    /// Everything decoded, made when first needed: what is not even part of this is part of no reading.
    decoded: std::cell::OnceCell<Vec<u8>>,
    /// Made when first needed; none if there are too many.
    all: std::cell::OnceCell<Option<Vec<Vec<u8>>>>,
}

impl<'a> Readings<'a> {
    pub(crate) fn of(raw: &'a str) -> Self {
        Self {
            raw,
            decoded: std::cell::OnceCell::new(),
            all: std::cell::OnceCell::new(),
        }
    }

    fn decoded(&self) -> &[u8] {
        self.decoded.get_or_init(|| decode_all(self.raw.as_bytes()))
    }

    /// Whether some reader could find the path at or below `prefix` (a key of a `CanonicalPath`).
    pub(crate) fn some_below(&self, prefix: &str) -> bool {
        let prefix = prefix.strip_prefix('/').unwrap_or(prefix);
        // As it stands: the most frequent case, and one that needs no other reading.
        if is_below(self.raw.as_bytes(), prefix) {
            return true;
        }
        let mentioned = |segment: &str| {
            // A `%` in a prefix could be decoded away above.
            segment.contains('%') || contains(self.decoded(), segment.as_bytes())
        };
        if !prefix.split('/').all(mentioned) {
            return false;
        }
        let all = self.all.get_or_init(|| {
            let readable = self.raw.len() <= super::MAX_PATH_BYTES;
            readable.then(|| closure(self.raw.as_bytes())).flatten()
        });
        match all {
            Some(all) => all.iter().any(|reading| is_below(reading, prefix)),
            // When in doubt.
            None => true,
        }
    }
}

/// All readings; none if there are too many to look at.
fn closure(raw: &[u8]) -> Option<Vec<Vec<u8>>> {
    // So few that a table would be slower.
    let mut seen: Vec<Vec<u8>> = vec![raw.to_vec()];
    let mut at = 0;
    while let Some(reading) = seen.get(at).cloned() {
        at += 1;
        for next in [
            reading.contains(&b'%').then(|| decode_once(&reading)),
            reading.contains(&b'%').then(|| decode_all(&reading)),
            reading
                .contains(&b'\\')
                .then(|| replace_backslashes(&reading)),
            reading.contains(&b';').then(|| strip_parameters(&reading)),
            contains(&reading, b"//").then(|| merge_slashes(&reading)),
            contains(&reading, b"/.").then(|| resolve_dots(&reading)),
        ]
        .into_iter()
        .flatten()
        {
            if !seen.contains(&next) {
                if seen.len() == MOST {
                    return None;
                }
                seen.push(next);
            }
        }
    }
    Some(seen)
}

fn is_below(reading: &[u8], prefix: &str) -> bool {
    let reading = reading.strip_prefix(b"/").unwrap_or(reading);
    prefix.is_empty()
        || reading
            .strip_prefix(prefix.as_bytes())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

fn decode_once(reading: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(reading).collect()
}

fn replace_backslashes(reading: &[u8]) -> Vec<u8> {
    let slash = |&byte: &u8| if byte == b'\\' { b'/' } else { byte };
    reading.iter().map(slash).collect()
}

fn strip_parameters(reading: &[u8]) -> Vec<u8> {
    let mut inside = false;
    reading
        .iter()
        .copied()
        .filter(|byte| {
            match byte {
                b';' => inside = true,
                b'/' => inside = false,
                _ => {}
            }
            !inside
        })
        .collect()
}

fn merge_slashes(reading: &[u8]) -> Vec<u8> {
    let mut merged = reading.to_vec();
    merged.dedup_by(|next, previous| *next == b'/' && *previous == b'/');
    merged
}

/// RFC 3986 section 5.2.4: empty segments count as segments.
fn resolve_dots(reading: &[u8]) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = Vec::new();
    let rest = reading.strip_prefix(b"/").unwrap_or(reading);
    for segment in rest.split(|&byte| byte == b'/') {
        match segment {
            b"." => {}
            b".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut resolved = vec![b'/'];
    resolved.extend(segments.join(&b'/'));
    resolved
}

/// Decodes until nothing is left to decode, in one pass over a stack: `%25252F` becomes `/`.
fn decode_all(reading: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(reading.len());
    for &byte in reading {
        out.push(byte);
        while let [.., b'%', high, low] = out.as_slice() {
            let (Some(high), Some(low)) = (hex(*high), hex(*low)) else {
                break;
            };
            out.truncate(out.len() - 3);
            out.push(high * 16 + low);
        }
    }
    out
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}
