//! Which other readings a path may have: used only on paths that have no single one.

use std::borrow::Cow;

use super::key_is_at_or_below;

/// How often a path is decoded step by step, before the reading that decodes it all the way.
const DECODINGS: usize = 2;

/// Whether some reader could find `raw` at or below `prefix` (a key of a `CanonicalPath`).
///
/// The readings are the closure of: percent-decoding (once, again, and all the way), `\` for `/`, parameters behind `;`
/// stripped, slashes merged or not, dot segments resolved or not.
pub(crate) fn some_reading_below(raw: &str, prefix: &str) -> bool {
    below(raw.as_bytes(), prefix, DECODINGS)
}

fn below(reading: &[u8], prefix: &str, decodings: usize) -> bool {
    if views_below(reading, prefix) {
        return true;
    }
    if reading.contains(&b'\\') && below(&replace_backslashes(reading), prefix, decodings) {
        return true;
    }
    if reading.contains(&b';') && below(&strip_parameters(reading), prefix, decodings) {
        return true;
    }
    if !reading.contains(&b'%') {
        return false;
    }
    if decodings == 0 {
        let whole = decode_all(reading);
        return whole.len() < reading.len() && below(&whole, prefix, 0);
    }
    let decoded: Cow<'_, [u8]> = percent_encoding::percent_decode(reading).into();
    decoded.len() < reading.len() && below(&decoded, prefix, decodings - 1)
}

fn views_below(reading: &[u8], prefix: &str) -> bool {
    [(false, false), (false, true), (true, false), (true, true)]
        .into_iter()
        .any(|(merge, resolve)| key_is_at_or_below(&view(reading, merge, resolve), prefix))
}

/// One reading as a key. Octets that are not UTF-8 can't equal those of a prefix, so their replacement does no harm.
fn view(reading: &[u8], merge: bool, resolve: bool) -> String {
    let text = String::from_utf8_lossy(reading);
    let mut segments: Vec<&str> = Vec::new();
    for segment in text.strip_prefix('/').unwrap_or(&text).split('/') {
        match segment {
            "" if merge => {}
            "." if resolve => {}
            ".." if resolve => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut key = String::with_capacity(text.len() + 1);
    for segment in segments {
        key.push('/');
        key.push_str(segment);
    }
    key
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
