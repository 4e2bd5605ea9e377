//! Reading the bearer token of a request (RFC 6750 section 2.1). Tokens in queries and bodies are not looked for; where else
//! one may stand, if the host has opted in, is for the AM's dialect to say.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use uma_client::Dialect;

/// Longest token that is read, in bytes.
pub(crate) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Why an `Authorization` field can't be read in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BearerError {
    Repeated,
    Malformed,
}

/// The bearer token of a request, if it has one. Any other scheme counts as none. With `legacy`, the token may stand where
/// that dialect looks besides; two tokens are one too many.
pub(crate) fn bearer(
    headers: &HeaderMap,
    legacy: Option<Dialect>,
) -> Result<Option<&str>, BearerError> {
    let token = authorization(headers)?;
    let Some(dialect) = legacy else {
        return Ok(token);
    };
    let elsewhere = dialect
        .legacy_token(headers)
        .map_err(|_| BearerError::Malformed)?;
    match (token, elsewhere) {
        (Some(_), Some(_)) => Err(BearerError::Repeated),
        (None, Some(elsewhere)) => checked(elsewhere.as_bytes()).map(Some),
        (token, None) => Ok(token),
    }
}

fn authorization(headers: &HeaderMap) -> Result<Option<&str>, BearerError> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    if fields.next().is_some() {
        return Err(BearerError::Repeated);
    }
    let field = field.as_bytes();
    let end = field.iter().position(|&byte| byte == b' ');
    let (scheme, token) = field.split_at(end.unwrap_or(field.len()));
    if scheme.is_empty() || !scheme.iter().copied().all(is_token_char) {
        return Err(BearerError::Malformed);
    }
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return if is_text(token) {
            Ok(None)
        } else {
            Err(BearerError::Malformed)
        };
    }
    token
        .strip_prefix(b" ")
        .ok_or(BearerError::Malformed)
        .and_then(checked)
        .map(Some)
}

fn checked(token: &[u8]) -> Result<&str, BearerError> {
    if token.len() > MAX_TOKEN_BYTES || !is_token68(token) {
        return Err(BearerError::Malformed);
    }
    std::str::from_utf8(token).map_err(|_| BearerError::Malformed)
}

/// Visible ASCII, blanks and tabs.
fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

/// RFC 9110 section 11.2.
fn is_token68(token: &[u8]) -> bool {
    let end = token
        .iter()
        .rposition(|&byte| byte != b'=')
        .map_or(0, |last| last + 1);
    // Without a branch for each octet, so that the compiler can look at many at a time.
    end > 0
        && token.get(..end).is_some_and(|word| {
            word.iter().fold(true, |fits, &byte| {
                let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
                // `-`, `.`, `/` and the digits stand in a row.
                let digit = byte.wrapping_sub(b'-') < 13;
                let other = (byte == b'_') | (byte == b'~') | (byte == b'+');
                fits & (letter | digit | other)
            })
        })
}

/// RFC 9110 section 5.6.2.
fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, BearerError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                AUTHORIZATION,
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        bearer(&headers, None).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn only_a_dialect_that_has_another_place_is_asked_and_only_by_opt_in() {
        let read = |authorization: Option<&str>, elsewhere: &str, legacy| {
            let mut headers = HeaderMap::new();
            if let Some(value) = authorization {
                headers.insert(AUTHORIZATION, value.parse().unwrap());
            }
            headers.insert("www-authenticate", elsewhere.parse().unwrap());
            bearer(&headers, legacy).map(|token| token.map(str::to_owned))
        };
        let draft = Some(Dialect::Draft03);
        assert_eq!(read(None, "Bearer abc", draft), Ok(Some("abc".into())));
        assert_eq!(read(None, "UMA abc", draft), Ok(Some("abc".into())));
        assert_eq!(
            read(Some("Basic x"), "UMA abc", draft),
            Ok(Some("abc".into()))
        );
        for legacy in [None, Some(Dialect::Uma2)] {
            assert_eq!(read(None, "Bearer abc", legacy), Ok(None));
            assert_eq!(read(None, "Bearer a b", legacy), Ok(None));
            assert_eq!(
                read(Some("Bearer a"), "Bearer b", legacy),
                Ok(Some("a".into()))
            );
        }
        assert_eq!(
            read(Some("Bearer a"), "Bearer a", draft),
            Err(BearerError::Repeated)
        );
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES + 1));
        for bad in ["Bearer a b", "Bearer \"a\"", "Bearer a=b", "Basic a", &long] {
            assert_eq!(read(None, bad, draft), Err(BearerError::Malformed));
        }
    }

    /// RFC 9110 section 11.2, octet for octet.
    #[test]
    fn a_token_holds_these_characters_and_no_other() {
        for byte in 0..=u8::MAX {
            let fits = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            assert_eq!(is_token68(&[byte]), fits, "{byte:#x}");
            assert_eq!(is_token68(&[b'a', byte, b'a']), fits, "{byte:#x}");
        }
        assert!(is_token68(b"a=") && is_token68(b"a==") && !is_token68(b"=") && !is_token68(b""));
    }

    #[test]
    fn a_token_is_read_whatever_the_case_of_the_scheme() {
        for value in ["Bearer abc", "bearer abc", "BEARER abc", "bEaReR abc"] {
            assert_eq!(read(&[value]), Ok(Some("abc".into())), "{value}");
        }
        assert_eq!(read(&["Bearer a-._~+/9=="]), Ok(Some("a-._~+/9==".into())));
    }

    #[test]
    fn another_scheme_counts_as_none() {
        assert_eq!(read(&[]), Ok(None));
        for value in [
            "Basic abc",
            "DPoP abc",
            "Bearerx abc",
            "UMA a=\"b\"",
            "Negotiate",
        ] {
            assert_eq!(read(&[value]), Ok(None), "{value}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        assert_eq!(read(&["Bearer a", "Bearer a"]), Err(BearerError::Repeated));
        assert_eq!(read(&["Basic a", "Bearer a"]), Err(BearerError::Repeated));
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer  a",
            "Bearer a ",
            "Bearer a b",
            "Bearer a,b",
            "Bearer a, Bearer b",
            "Bearer\ta",
            "Bearer =",
            "Bearer =a",
            "Bearer a=b",
            "Bearer \"a\"",
            "Bearer é",
            "Bearer: a",
        ] {
            assert_eq!(read(&[value]), Err(BearerError::Malformed), "{value}");
        }
        let longest = "a".repeat(8192);
        assert_eq!(
            read(&[&format!("Bearer {longest}")]),
            Ok(Some(longest.clone()))
        );
        assert_eq!(
            read(&[&format!("Bearer {longest}a")]),
            Err(BearerError::Malformed)
        );
    }
}
