//! The refusal that a host sends to a requester.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use super::needs_ticket;
use super::wire::media;
use crate::dialect::Challenge;
use crate::dialect::challenge::is_quotable;
use crate::error::{Error, ErrorKind};
use crate::wire::TicketResponse;

/// 401 without a ticket, so that the requester first fetches a token; or 403 with the ticket, where the draft has it (in the
/// body) and where the draft's predecessor and Puma's description have it (in the header).
pub(in crate::dialect) fn refusal(challenge: &Challenge<'_>) -> Result<Response<Bytes>, Error> {
    let malformed = |why: &'static str| Error::new(ErrorKind::Malformed, why);
    if challenge.host_id.is_empty() {
        return Err(Error::new(
            ErrorKind::Config,
            "a challenge of 2012 names the host, and the host has no `host_id`",
        ));
    }
    if !is_quotable(challenge.realm) || !is_quotable(challenge.host_id) {
        return Err(malformed(
            "the realm or the host's name is empty, too long, or cannot stand in a quoted string",
        ));
    }
    let mut text = format!(
        r#"UMA realm="{}",host_id="{}",am_uri="{}""#,
        challenge.realm, challenge.host_id, challenge.issuer
    );
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    if needs_ticket(challenge.token) {
        let Some(ticket) = challenge.ticket else {
            return Err(Error::new(
                ErrorKind::Config,
                "the challenge to a token that is too weak needs a ticket",
            ));
        };
        text.push_str(&format!(r#",ticket="{}""#, ticket.expose()));
        let body = TicketResponse {
            ticket: ticket.expose().into(),
        };
        let body =
            serde_json::to_vec(&body).map_err(|_| malformed("the ticket cannot be written"))?;
        *response.status_mut() = StatusCode::FORBIDDEN;
        *response.body_mut() = Bytes::from(body);
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static(media::PERMISSION_TICKET),
        );
    }
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| malformed("the challenge cannot stand in a header"))?;
    value.set_sensitive(true);
    let headers = response.headers_mut();
    headers.insert(WWW_AUTHENTICATE, value);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::TokenState;
    use crate::ids::Ticket;
    use crate::issuer::Issuer;

    const PLAIN: &str =
        r#"UMA realm="my photos",host_id="photoz.example.com",am_uri="http://am.example.com""#;

    /// S1: no token, or a bad one: 401, and no ticket even where there is one.
    #[test]
    fn without_a_good_token_there_is_no_ticket() {
        let issuer = Issuer::parse("http://am.example.com").unwrap();
        let ticket = Ticket::parse("t-1").unwrap();
        for token in [TokenState::None, TokenState::Invalid] {
            let challenge = Challenge::new("my photos", &issuer)
                .with_host_id("photoz.example.com")
                .with_token(token);
            for challenge in [challenge, challenge.with_ticket(&ticket)] {
                let refusal = refusal(&challenge).unwrap();
                assert_eq!(refusal.status(), StatusCode::UNAUTHORIZED);
                assert_eq!(refusal.headers()[WWW_AUTHENTICATE], PLAIN);
                assert_eq!(refusal.headers()[CACHE_CONTROL], "no-store");
                assert!(refusal.body().is_empty());
            }
        }
    }

    /// S1: too weak: 403, the ticket in header and body.
    #[test]
    fn a_token_that_is_too_weak_gets_the_ticket_twice() {
        let issuer = Issuer::parse("http://am.example.com").unwrap();
        let ticket = Ticket::parse("t-1").unwrap();
        let challenge = Challenge::new("my photos", &issuer)
            .with_host_id("photoz.example.com")
            .with_token(TokenState::Insufficient);
        assert_eq!(refusal(&challenge).unwrap_err().kind(), ErrorKind::Config);
        let refusal = refusal(&challenge.with_ticket(&ticket)).unwrap();
        assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
        let value = &refusal.headers()[WWW_AUTHENTICATE];
        assert_eq!(*value, format!(r#"{PLAIN},ticket="t-1""#));
        assert!(value.is_sensitive());
        assert_eq!(
            refusal.headers()[CONTENT_TYPE],
            "application/uma-permission-ticket+json"
        );
        assert_eq!(refusal.body(), r#"{"ticket":"t-1"}"#);
    }

    #[test]
    fn what_cannot_be_written_safely_is_not_written() {
        let issuer = Issuer::parse("https://am.example").unwrap();
        for (realm, host) in [
            ("", "h"),
            ("a\"b", "h"),
            ("r", "a\"b"),
            ("r", "ä"),
            ("r", "a\r\nb"),
        ] {
            let challenge = Challenge::new(realm, &issuer).with_host_id(host);
            assert_eq!(
                refusal(&challenge).unwrap_err().kind(),
                ErrorKind::Malformed,
                "{realm:?} {host:?}"
            );
        }
        let error = refusal(&Challenge::new("r", &issuer)).unwrap_err();
        assert!(error.to_string().contains("`host_id`"), "{error}");
    }
}
