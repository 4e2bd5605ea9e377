//! Hints for the log: why an AM says no, where that is not what it seems.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::client::AmClient;
use crate::secret::Secret;

/// Between two hints of the same kind: whoever sends bad tokens fills no log.
const PAUSE: Duration = Duration::from_secs(60);
/// Longest payload that is looked at, in characters.
const MAX_PAYLOAD: usize = 16 * 1024;

/// When a hint was last given.
#[derive(Debug, Default)]
pub(super) struct Hints(Mutex<Option<Instant>>);

impl Hints {
    fn is_due(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.saturating_duration_since(last) >= PAUSE);
        if due {
            *last = Some(now);
        }
        due
    }
}

impl AmClient {
    /// An introspection called a token inactive. Says so if that may only mean that the token is not for this client. What
    /// is read here of a token nobody has vouched for decides nothing and is not shown.
    pub(super) fn explain_inactive(&self, token: &Secret) {
        let Some(credentials) = self.credentials() else {
            return;
        };
        if !self.profile().inactive_may_mean_audience
            || !leaves_out(token.expose(), &credentials.client_id)
            || !self.shared.hints.is_due(self.shared.clock.monotonic())
        {
            return;
        }
        tracing::info!(
            am = %self.issuer(),
            client = %credentials.client_id,
            "the AM calls a token inactive whose own `aud` does not name this client: it may be alive. A requester has to \
             present the RPT that it got for the ticket, not its plain access token (said once a minute)"
        );
    }
}

/// Whether a token is a JWT that names its audience, and not this client.
fn leaves_out(token: &str, client_id: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Many(Vec<String>),
    }
    #[derive(Deserialize)]
    struct Claims {
        aud: Option<Audience>,
    }
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    if payload.len() > MAX_PAYLOAD {
        return false;
    }
    let Ok(payload) = URL_SAFE_NO_PAD.decode(payload) else {
        return false;
    };
    match serde_json::from_slice::<Claims>(&payload) {
        Ok(Claims { aud: None }) => true,
        Ok(Claims {
            aud: Some(Audience::One(one)),
        }) => one != client_id,
        Ok(Claims {
            aud: Some(Audience::Many(many)),
        }) => !many.iter().any(|one| one == client_id),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn only_a_jwt_for_others_is_explained() {
        assert!(leaves_out(&jwt(r#"{"aud":"account"}"#), "host"));
        assert!(leaves_out(&jwt(r#"{"aud":["account","other"]}"#), "host"));
        assert!(leaves_out(&jwt(r#"{"sub":"bob"}"#), "host"));
        assert!(!leaves_out(&jwt(r#"{"aud":"host"}"#), "host"));
        assert!(!leaves_out(&jwt(r#"{"aud":["account","host"]}"#), "host"));
        for garbage in ["", "a.b", "a.b.c", "e30.e30", "e30.W10.x", "e30.e30.x.y"] {
            assert!(!leaves_out(garbage, "host"), "{garbage}");
        }
    }

    #[test]
    fn a_hint_is_given_once_a_minute() {
        let hints = Hints::default();
        let now = Instant::now();
        assert!(hints.is_due(now));
        assert!(!hints.is_due(now + Duration::from_secs(59)));
        assert!(hints.is_due(now + Duration::from_secs(60)));
    }
}
