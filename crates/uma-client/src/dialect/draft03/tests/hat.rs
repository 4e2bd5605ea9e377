//! The host's access token, and the host's registration.

use super::*;
use crate::client::{AuthorizationRequest, CodeExchange};
use crate::wire::ClientMetadata;

const CALLBACK: &str = "https://host.example/cb";

fn tokens() -> Reply {
    let body =
        r#"{"access_token":"hat","token_type":"bearer","expires_in":3600,"refresh_token":"r"}"#;
    response(200, &[("content-type", "application/json")], body)
}

/// The code flow at `host_user_endpoint` and `host_token_endpoint`: no scope, but state and PKCE all the same.
#[tokio::test]
async fn the_hosts_token_has_no_scope() {
    let (script, am) = am(tokens());
    let begun = am
        .authorization(AuthorizationRequest::new(CALLBACK))
        .await
        .unwrap();
    assert!(
        begun
            .url
            .as_str()
            .starts_with("https://am.example/authorize?")
    );
    let query: Vec<_> = begun.url.query_pairs().map(|(name, _)| name).collect();
    assert!(!query.iter().any(|name| name == "scope"), "{query:?}");
    for name in ["state", "code_challenge", "redirect_uri", "client_id"] {
        assert!(query.iter().any(|known| known == name), "{name}");
    }

    let exchange = CodeExchange::new(CALLBACK, "c0de")
        .verifier(begun.verifier.clone())
        .states(begun.state.clone(), begun.state.clone());
    let tokens = am.exchange_code(exchange).await.unwrap();
    assert_eq!(tokens.access_token.expose(), "hat");
    let seen = script.last();
    assert_eq!(seen.uri, "https://am.example/api/oauth/host_token");
    assert_eq!(
        seen.form("grant_type").as_deref(),
        Some("authorization_code")
    );

    am.client_credentials().await.unwrap();
    let seen = script.last();
    assert_eq!(
        seen.form("grant_type").as_deref(),
        Some("client_credentials")
    );
    assert_eq!(seen.form("scope"), None);
    am.refresh(&Secret::new("r")).await.unwrap();
    assert_eq!(script.last().uri, "https://am.example/api/oauth/host_token");
    let error = am
        .revoke(&Secret::new("r"), crate::TokenHint::RefreshToken)
        .await
        .unwrap_err();
    clear(&error, ErrorKind::Unsupported, "");
}

#[tokio::test]
async fn a_host_registers_where_the_smart_am_has_it() {
    let asked = ClientMetadata {
        redirect_uris: vec![CALLBACK.to_owned()],
        ..ClientMetadata::default()
    };
    let body = json!({"client_id": "h", "client_secret": "s", "redirect_uris": [CALLBACK]});
    let (script, am) = am(response(
        201,
        &[("content-type", "application/json")],
        &body.to_string(),
    ));
    let registration = am.register(&asked, None).await.unwrap();
    assert_eq!(registration.credentials.client_id, "h");
    assert_eq!(script.last().uri, "https://am.example/register");
}
