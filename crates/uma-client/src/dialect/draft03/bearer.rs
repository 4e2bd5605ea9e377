//! Where the requester's token may stand besides `Authorization: Bearer`.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

use crate::error::{Error, ErrorKind};

/// The token of a `WWW-Authenticate` field of a request, which is where Puma's description puts it (a slip: the draft has
/// `Authorization: Bearer`).
pub(in crate::dialect) fn legacy_token(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let refuse = |why: &'static str| Err(Error::new(ErrorKind::Malformed, why));
    let mut fields = headers.get_all(WWW_AUTHENTICATE).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    if fields.next().is_some() {
        return refuse("the request has more than one `WWW-Authenticate`");
    }
    let token = field.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        let known = ["bearer", "uma"];
        let known = known.iter().any(|name| scheme.eq_ignore_ascii_case(name));
        (known && !token.is_empty() && !token.contains([' ', ','])).then_some(token)
    });
    match token {
        Some(token) => Ok(Some(token)),
        None => refuse("the request's `WWW-Authenticate` is not a scheme and a token"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    fn read(fields: &[&'static str]) -> Result<Option<String>, Error> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(WWW_AUTHENTICATE, field.parse().unwrap());
        }
        assert_eq!(Dialect::Uma2.legacy_token(&headers).unwrap(), None);
        Ok(Dialect::Draft03.legacy_token(&headers)?.map(str::to_owned))
    }

    #[test]
    fn one_field_with_one_token() {
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["Bearer abc"]).unwrap().as_deref(), Some("abc"));
        assert_eq!(read(&["UMA a.b=="]).unwrap().as_deref(), Some("a.b=="));
        for bad in [
            "",
            "abc",
            "Bearer",
            "Bearer ",
            "Bearer  abc",
            "Basic abc",
            "UMA a, UMA b",
            "UMA realm=\"x\", ticket=\"y\"",
        ] {
            assert!(read(&[bad]).is_err(), "{bad}");
        }
        assert!(read(&["Bearer a", "Bearer a"]).is_err());
    }
}
