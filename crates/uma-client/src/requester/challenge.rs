use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use http_auth::ChallengeRef;
use http_auth::parser::ChallengeParser;
use serde_json::{Map, Value};

use crate::answer;
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::ids::Ticket;
use crate::issuer::Issuer;

/// Longest field that is read, in bytes.
const MAX_FIELD: usize = 16 * 1024;

/// A UMA challenge as a host sends it (UMA 2.0 Grant section 3.2.1), or as hosts of 2012 did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UmaChallenge {
    /// The protection space.
    pub realm: Option<String>,
    /// The AM: `as_uri`, or `am_uri` of 2012. Whether it is one to be trusted is the requester's to decide.
    pub issuer: Option<Issuer>,
    /// The ticket. Hosts of 2012 put it elsewhere, or first want to see a token.
    pub ticket: Option<Ticket>,
    /// The host's name at the AM (2012).
    pub host_id: Option<String>,
    /// An error code, where a host adds one.
    pub error: Option<String>,
    /// What is spoken there, by the parameter that names the AM; UMA 2.0 where none does.
    pub dialect: Dialect,
}

impl UmaChallenge {
    /// The first UMA challenge of an answer, with the ticket from the JSON body where the header has none: in
    /// [`Dialect::Draft03`] a refusal carries it there.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and [`ErrorKind::Malformed`] when header and body name two tickets.
    pub fn parse_response(headers: &HeaderMap, body: &[u8]) -> Result<Option<Self>, Error> {
        let Some(mut challenge) = Self::parse(headers)? else {
            return Ok(None);
        };
        let in_body = answer::is_json(headers)
            .then(|| {
                serde_json::from_slice::<Map<String, Value>>(body)
                    .ok()?
                    .remove("ticket")
            })
            .flatten();
        if let Some(ticket) = in_body {
            let ticket = ticket
                .as_str()
                .ok_or_else(|| malformed("the ticket of the body is no string"))?;
            let ticket = Ticket::parse(ticket)?;
            if challenge
                .ticket
                .as_ref()
                .is_some_and(|other| *other != ticket)
            {
                return Err(malformed("header and body name two tickets"));
            }
            challenge.ticket = Some(ticket);
        }
        Ok(Some(challenge))
    }

    /// The first UMA challenge among all challenges of an answer. Others are passed over, also malformed ones.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] when a UMA challenge is there and cannot be read: a syntax error in it or before it in the
    /// same field, a parameter that is there twice, an issuer or ticket that is not one.
    pub fn parse(headers: &HeaderMap) -> Result<Option<Self>, Error> {
        let mut broken = false;
        for value in headers.get_all(WWW_AUTHENTICATE) {
            let Ok(text) = value.to_str() else {
                broken |= mentions_uma(value.as_bytes());
                continue;
            };
            if text.len() > MAX_FIELD {
                broken |= mentions_uma(text.as_bytes());
                continue;
            }
            for challenge in ChallengeParser::new(text) {
                match challenge {
                    Ok(challenge) if challenge.scheme.eq_ignore_ascii_case("UMA") => {
                        return Self::read(&challenge).map(Some);
                    }
                    Ok(_) => {}
                    Err(_) => broken |= mentions_uma(text.as_bytes()),
                }
            }
        }
        if broken {
            return Err(malformed(
                "a WWW-Authenticate field that mentions UMA cannot be read",
            ));
        }
        Ok(None)
    }

    fn read(challenge: &ChallengeRef<'_>) -> Result<Self, Error> {
        let get = |name: &str| -> Result<Option<String>, Error> {
            let mut values = challenge
                .params
                .iter()
                .filter(|(key, _)| key.eq_ignore_ascii_case(name));
            let first = values.next().map(|(_, value)| value.to_unescaped());
            match values.next() {
                Some(_) => Err(malformed("a parameter of the UMA challenge is there twice")),
                None => Ok(first),
            }
        };
        let mut issuer = None;
        let mut spoken = Dialect::default();
        for dialect in Dialect::ALL {
            if let Some(uri) = get(dialect.issuer_parameter())? {
                let read = Issuer::parse(&uri).map_err(|_| {
                    malformed("what the challenge names the AM by is not an issuer")
                })?;
                issuer = Some(read);
                spoken = *dialect;
                break;
            }
        }
        let ticket = match get("ticket")? {
            Some(ticket) => Some(Ticket::parse(&ticket)?),
            None => None,
        };
        Ok(Self {
            realm: get("realm")?,
            issuer,
            ticket,
            host_id: get("host_id")?,
            error: get("error")?,
            dialect: spoken,
        })
    }
}

fn malformed(why: &'static str) -> Error {
    Error::new(ErrorKind::Malformed, why)
}

/// Whether a field that cannot be read seems to hold a UMA challenge.
fn mentions_uma(field: &[u8]) -> bool {
    field
        .split(|b| matches!(b, b',' | b' ' | b'\t'))
        .any(|word| word.eq_ignore_ascii_case(b"UMA"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dialect::{Challenge, Dialect};

    fn headers(fields: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(
                WWW_AUTHENTICATE,
                http::HeaderValue::from_bytes(field.as_bytes()).unwrap(),
            );
        }
        headers
    }

    fn ticket_of(fields: &[&str]) -> Option<String> {
        let challenge = UmaChallenge::parse(&headers(fields)).unwrap()?;
        Some(challenge.ticket?.expose().to_owned())
    }

    #[test]
    fn finds_uma_beside_others() {
        let uma = r#"UMA realm="example", as_uri="https://as.example.com", ticket="t1""#;
        assert_eq!(ticket_of(&[uma]).as_deref(), Some("t1"));
        assert_eq!(
            ticket_of(&["Bearer realm=\"x\"", uma]).as_deref(),
            Some("t1")
        );
        assert_eq!(
            ticket_of(&[
                r#"Bearer realm="x", error="invalid_token", uma ticket=t2,as_uri="https://a""#
            ])
            .as_deref(),
            Some("t2")
        );
        assert_eq!(
            ticket_of(&[&format!("{uma}, Basic realm=\"UMA ticket=\"")]).as_deref(),
            Some("t1")
        );
        // Token68 of another scheme is not read, and not in the way.
        assert_eq!(ticket_of(&["Negotiate abc==", uma]).as_deref(), Some("t1"));
        assert_eq!(ticket_of(&["Bearer", "Basic realm=\"x\""]), None);
        assert_eq!(ticket_of(&["Negotiate abc=="]), None);
        assert_eq!(ticket_of(&[]), None);
    }

    #[test]
    fn reads_the_challenge_of_2012() {
        let old =
            r#"UMA realm="example", host_id="photoz.example.com", am_uri="http://am.example.com""#;
        let challenge = UmaChallenge::parse(&headers(&[old])).unwrap().unwrap();
        assert_eq!(challenge.host_id.as_deref(), Some("photoz.example.com"));
        assert_eq!(challenge.issuer.unwrap().as_str(), "http://am.example.com");
        assert!(challenge.ticket.is_none());
        assert_eq!(challenge.dialect, Dialect::Draft03);
    }

    #[test]
    fn the_ticket_of_2012_is_in_the_body() {
        let read = |header: &str, content_type: &'static str, body: &str| {
            let mut headers = headers(&[header]);
            headers.insert("content-type", content_type.parse().unwrap());
            UmaChallenge::parse_response(&headers, body.as_bytes())
        };
        let ticket = |header: &str, content_type, body: &str| {
            let challenge = read(header, content_type, body).unwrap().unwrap();
            challenge.ticket.map(|ticket| ticket.expose().to_owned())
        };
        let old = r#"UMA realm="r", host_id="h", am_uri="http://am.example""#;
        let both = r#"UMA realm="r",host_id="h",am_uri="http://am.example",ticket="t-1""#;
        let sent = "application/uma-permission-ticket+json";
        let body = r#"{"ticket":"t-1"}"#;
        for content_type in [sent, "application/json"] {
            assert_eq!(ticket(old, content_type, body).as_deref(), Some("t-1"));
            assert_eq!(ticket(both, content_type, body).as_deref(), Some("t-1"));
        }
        assert_eq!(ticket(both, "text/html", "<p>").as_deref(), Some("t-1"));
        assert_eq!(ticket(old, "text/html", body), None);
        assert_eq!(ticket(old, sent, "{}"), None);
        assert_eq!(ticket(old, sent, r#"["t-1"]"#), None);
        assert!(read(both, sent, r#"{"ticket":"t-2"}"#).is_err());
        assert!(read(old, sent, r#"{"ticket":7}"#).is_err());
        assert!(read(old, sent, r#"{"ticket":"a\"b"}"#).is_err());
    }

    #[test]
    fn refuses_what_cannot_be_read() {
        for bad in [
            r#"UMA ticket="a",ticket="b""#,
            r#"UMA ticket="a",as_uri="not an issuer""#,
            r#"UMA ticket="",as_uri="https://a""#,
            r#"UMA ticket="a b""#,
            r#"UMA ticket="a"#,
            "UMA ticket=\"\u{e4}\"",
            r#"Negotiate abc==, UMA ticket="a""#,
        ] {
            let error = UmaChallenge::parse(&headers(&[bad])).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{bad}");
        }
        let long = format!(r#"UMA ticket="{}""#, "a".repeat(MAX_FIELD));
        assert!(UmaChallenge::parse(&headers(&[&long])).is_err());
    }

    proptest! {
        /// What the dialect writes, the parser reads back.
        #[test]
        fn round_trip(realm in "[ !#-\\[\\]-~]{1,60}", path in "[!$-;=@-\\[\\]-~&&[^?#]]{0,40}", ticket in "[!#-\\[\\]-~]{1,200}") {
            let issuer = Issuer::parse(&format!("https://am.example/{path}")).unwrap();
            let ticket = Ticket::parse(&ticket).unwrap();
            let refusal = Dialect::Uma2.refusal(&Challenge::new(&realm, &issuer).with_ticket(&ticket)).unwrap();
            let read = UmaChallenge::parse(refusal.headers()).unwrap().unwrap();
            prop_assert_eq!(read.realm, Some(realm));
            prop_assert_eq!(read.issuer, Some(issuer));
            prop_assert_eq!(read.ticket, Some(ticket));
        }

        #[test]
        fn never_panics(field in proptest::collection::vec(32u8..=255, 0..200)) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = http::HeaderValue::from_bytes(&field) {
                headers.append(WWW_AUTHENTICATE, value);
            }
            let _ = UmaChallenge::parse(&headers);
        }
    }
}
