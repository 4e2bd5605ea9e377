//! The refusal that a host sends to a requester (UMA 2.0 Grant section 3.2.1).

use bytes::Bytes;
use http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use crate::dialect::Challenge;
use crate::dialect::challenge::is_quotable;
use crate::error::{Error, ErrorKind};

pub(in crate::dialect) fn refusal(challenge: &Challenge<'_>) -> Result<Response<Bytes>, Error> {
    let Some(ticket) = challenge.ticket else {
        return Err(Error::new(
            ErrorKind::Config,
            "a UMA 2.0 challenge needs a ticket",
        ));
    };
    // Issuer and ticket are safe by construction; the realm is the host's own word and checked here.
    if !is_quotable(challenge.realm) {
        return Err(Error::new(
            ErrorKind::Malformed,
            "the realm is empty, too long, or cannot stand in a quoted string",
        ));
    }
    let text = format!(
        r#"UMA realm="{}",as_uri="{}",ticket="{}""#,
        challenge.realm,
        challenge.issuer,
        ticket.expose()
    );
    let mut value = HeaderValue::try_from(text).map_err(|_| {
        Error::new(
            ErrorKind::Malformed,
            "the challenge cannot stand in a header",
        )
    })?;
    value.set_sensitive(true);

    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(WWW_AUTHENTICATE, value);
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::TokenState;
    use crate::ids::Ticket;
    use crate::issuer::Issuer;

    /// C1, C7: the exact grammar.
    #[test]
    fn writes_the_one_shape() {
        let issuer = Issuer::parse("https://am.example/realms/x/").unwrap();
        let ticket = Ticket::parse("t-1,2=3;4").unwrap();
        let challenge = Challenge::new("my photos", &issuer)
            .with_ticket(&ticket)
            .with_token(TokenState::Insufficient)
            .with_host_id("ignored");
        let refusal = refusal(&challenge).unwrap();
        assert_eq!(refusal.status(), StatusCode::UNAUTHORIZED);
        assert!(refusal.body().is_empty());
        assert_eq!(refusal.headers().len(), 2);
        assert_eq!(refusal.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(
            refusal.headers()[WWW_AUTHENTICATE],
            r#"UMA realm="my photos",as_uri="https://am.example/realms/x/",ticket="t-1,2=3;4""#
        );
        assert!(refusal.headers()[WWW_AUTHENTICATE].is_sensitive());
    }

    /// T6 (the writing half): what cannot be written safely is not written.
    #[test]
    fn refuses_unsafe_realms_and_missing_tickets() {
        let issuer = Issuer::parse("https://am.example").unwrap();
        let ticket = Ticket::parse("t").unwrap();
        assert!(refusal(&Challenge::new("r", &issuer)).is_err());
        for realm in ["", "a\"b", "a\\b", "a\r\nb", "ä", "\t", &"r".repeat(4097)] {
            assert!(
                refusal(&Challenge::new(realm, &issuer).with_ticket(&ticket)).is_err(),
                "{realm:?}"
            );
        }
    }
}
