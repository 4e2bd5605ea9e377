//! Tokens that are another AM's: they are not shown to the AM of the map.
//!
//! Where owners bring AMs of their own, a requester could be led to present a token of one owner's AM at a resource of
//! another owner, whose AM would then get to see it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use uma_client::Issuer;

/// Whether a token is a JWT that claims another issuer. The claim is not verified: it only keeps the token at home.
pub(crate) fn claims_another_issuer(token: &str, am: &Issuer) -> bool {
    claimed_issuer(token).is_some_and(|issuer| issuer != am.as_str())
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
}

fn claimed_issuer(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    Some(claims.iss)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn only_a_jwt_with_another_issuer_is_a_strangers() {
        let am = Issuer::parse("https://am.example").unwrap();
        assert!(claims_another_issuer(
            &jwt(r#"{"iss":"https://other.example"}"#),
            &am
        ));
        assert!(claims_another_issuer(
            &jwt(r#"{"iss":"https://am.example/"}"#),
            &am
        ));
        for token in [
            jwt(r#"{"iss":"https://am.example"}"#),
            jwt(r#"{"sub":"x"}"#),
            jwt(r#"{"iss":7}"#),
            jwt("not json"),
            "opaque".to_owned(),
            "a.b".to_owned(),
            "a.b.c.d.e".to_owned(),
            "..".to_owned(),
        ] {
            assert!(!claims_another_issuer(&token, &am), "{token}");
        }
    }
}
