use std::collections::HashMap;

use serde_json::{Value, json};

use super::*;
use crate::client::ClientCredentials;
use crate::profile::AmProfile;
use crate::scope::Scope;
use crate::testing::{self, ISSUER, Reply, Script, answer, empty, script, typed};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn am(reply: Reply) -> (Script, AmClient) {
    let (script, http) = script(move |_| reply.clone());
    (script, testing::client(&http))
}

fn token() -> Value {
    json!({"access_token": "canary-a", "token_type": "Bearer", "expires_in": 300, "refresh_token": "canary-r", "scope": "uma_protection"})
}

fn query(url: &Url) -> HashMap<String, String> {
    url.query_pairs().into_owned().collect()
}

#[tokio::test]
async fn authorization_always_has_state_and_pkce() {
    let (script, am) = am(empty(500));
    let begin = || {
        am.authorization(
            AuthorizationRequest::new("https://host.example/cb?x=y").parameter("prompt", "consent"),
        )
    };
    let (first, second) = (begin().await.unwrap(), begin().await.unwrap());
    let sent = query(&first.url);
    assert!(
        first
            .url
            .as_str()
            .starts_with("https://am.example/authorize?")
    );
    assert_eq!(sent["response_type"], "code");
    assert_eq!(sent["client_id"], "h");
    assert_eq!(sent["redirect_uri"], "https://host.example/cb?x=y");
    assert_eq!(sent["scope"], "uma_protection");
    assert_eq!(sent["prompt"], "consent");
    assert_eq!(sent["code_challenge_method"], "S256");
    assert_eq!(sent["state"], first.state.expose());
    let challenge = oauth2::PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(
        first.verifier.expose().into(),
    ));
    assert_eq!(sent["code_challenge"], challenge.as_str());
    assert!(
        first.state.expose().len() >= 43
            && first.state != second.state
            && first.verifier != second.verifier
    );
    assert_eq!(script.calls().len(), 0);

    let scopes = [Scope::parse("a").unwrap(), Scope::parse("b").unwrap()];
    let own = am
        .authorization(AuthorizationRequest::new("https://host.example/cb").scopes(scopes))
        .await
        .unwrap();
    assert_eq!(query(&own.url)["scope"], "a b");
    for bad in ["", "/cb", "https://host.example/cb#f"] {
        let error = am
            .authorization(AuthorizationRequest::new(bad))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{bad}");
    }
}

#[tokio::test]
async fn authorization_does_not_fall_back_to_plain() {
    let (_, http) = testing::raw_script(|_| async {
        answer(
            200,
            json!({"issuer": ISSUER, "authorization_endpoint": "https://am.example/a", "code_challenge_methods_supported": ["plain"]}),
        )
    });
    let error = testing::client(&http)
        .authorization(AuthorizationRequest::new("https://h/cb"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

fn exchange() -> CodeExchange {
    CodeExchange::new("https://host.example/cb", "c0de")
        .verifier(VERIFIER)
        .states("s1", "s1")
        .issuer(Some(ISSUER))
}

#[tokio::test]
async fn code_exchange() {
    let (script, am) = am(answer(200, token()));
    let tokens = am.exchange_code(exchange()).await.unwrap();
    assert_eq!(tokens.access_token.expose(), "canary-a");
    assert_eq!(tokens.expires_in, Some(Duration::from_secs(300)));
    assert_eq!(tokens.refresh_token.as_ref().unwrap().expose(), "canary-r");
    assert_eq!(tokens.scope.as_deref(), Some("uma_protection"));
    let seen = script.last();
    assert_eq!(seen.uri, "https://am.example/token");
    assert_eq!(seen.header("authorization"), "Basic aDpzM2NyZXQ=");
    assert!(seen.headers["authorization"].is_sensitive());
    assert_eq!(
        seen.form("grant_type").as_deref(),
        Some("authorization_code")
    );
    assert_eq!(seen.form("code").as_deref(), Some("c0de"));
    assert_eq!(seen.form("code_verifier").as_deref(), Some(VERIFIER));
    assert_eq!(
        seen.form("redirect_uri").as_deref(),
        Some("https://host.example/cb")
    );
    assert!(!format!("{tokens:?} {:?}", exchange()).contains("canary"));
}

/// P5: nothing is sent when state, iss or PKCE are not right.
#[tokio::test]
async fn p5_what_came_back_is_checked_before_anything_is_sent() {
    let (script, am) = am(answer(200, token()));
    for (bad, kind) in [
        (exchange().states("s1", "s2"), ErrorKind::StateMismatch),
        (exchange().states("s1", ""), ErrorKind::StateMismatch),
        (exchange().states("", ""), ErrorKind::StateMismatch),
        (
            CodeExchange::new("https://host.example/cb", "c0de")
                .verifier(VERIFIER)
                .issuer(Some(ISSUER)),
            ErrorKind::Config,
        ),
        (
            exchange().issuer(Some("https://evil.example")),
            ErrorKind::IssuerMismatch,
        ),
        (
            exchange().issuer(Some("https://am.example/")),
            ErrorKind::IssuerMismatch,
        ),
        (exchange().issuer(None), ErrorKind::IssuerMismatch),
        (
            CodeExchange::new("https://host.example/cb", "c0de")
                .states("s", "s")
                .issuer(Some(ISSUER)),
            ErrorKind::Config,
        ),
        (exchange().verifier("short"), ErrorKind::Config),
    ] {
        assert_eq!(am.exchange_code(bad).await.unwrap_err().kind(), kind);
    }
    assert_eq!(script.calls().len(), 0);
}

#[tokio::test]
async fn a_missing_iss_is_fine_where_it_is_not_promised() {
    let (_, http) = testing::raw_script(|seen| async move {
        match seen.uri.contains(".well-known") {
            true => answer(
                200,
                json!({"issuer": ISSUER, "token_endpoint": "https://am.example/token"}),
            ),
            false => answer(200, token()),
        }
    });
    let am = testing::client(&http);
    assert!(am.exchange_code(exchange().issuer(None)).await.is_ok());
    assert!(
        am.exchange_code(exchange().issuer(Some("https://evil.example")))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn client_credentials_ask_for_the_profiles_scopes() {
    let (script, http) = script(|_| {
        answer(
            200,
            json!({"access_token": "a", "token_type": "bearer", "refresh_expires_in": 0}),
        )
    });
    let tokens = testing::client(&http).client_credentials().await.unwrap();
    assert_eq!(
        (
            tokens.expires_in,
            tokens.refresh_token,
            tokens.refresh_expires_in
        ),
        (None, None, None)
    );
    assert_eq!(
        script.last().form("grant_type").as_deref(),
        Some("client_credentials")
    );
    assert_eq!(
        script.last().form("scope").as_deref(),
        Some("uma_protection")
    );

    let mut profile = AmProfile::keycloak();
    let keycloak = testing::builder(&http)
        .profile(profile.clone())
        .build()
        .unwrap();
    keycloak.client_credentials().await.unwrap();
    assert_eq!(script.last().form("scope"), None);
    profile.extra_pat_scopes = vec!["openid".into(), "offline_access".into()];
    testing::builder(&http)
        .profile(profile)
        .build()
        .unwrap()
        .client_credentials()
        .await
        .unwrap();
    assert_eq!(
        script.last().form("scope").as_deref(),
        Some("openid offline_access")
    );

    let post = keycloak.with_credentials(ClientCredentials::post("h", "s3cret"));
    post.client_credentials().await.unwrap();
    assert!(script.last().headers.get("authorization").is_none());
    assert_eq!(
        script.last().form("client_secret").as_deref(),
        Some("s3cret")
    );
    let public = keycloak.with_credentials(ClientCredentials::public("p"));
    public.refresh(&Secret::new("r")).await.unwrap();
    assert_eq!(script.last().form("client_id").as_deref(), Some("p"));
    assert_eq!(script.last().form("client_secret"), None);
}

#[tokio::test]
async fn refresh_and_its_refusals() {
    let (script, ok) = am(answer(
        200,
        json!({"access_token": "a", "token_type": "Bearer", "refresh_expires_in": 1800}),
    ));
    let tokens = ok.refresh(&Secret::new("r+1")).await.unwrap();
    assert_eq!(tokens.refresh_expires_in, Some(Duration::from_secs(1800)));
    assert_eq!(
        script.last().form("grant_type").as_deref(),
        Some("refresh_token")
    );
    assert_eq!(script.last().form("refresh_token").as_deref(), Some("r+1"));

    for (reply, kind) in [
        (
            answer(
                400,
                json!({"error": "invalid_grant", "error_description": "canary"}),
            ),
            ErrorKind::NeedsConsent,
        ),
        (
            answer(401, json!({"error": "invalid_client"})),
            ErrorKind::Refused,
        ),
        (
            answer(400, json!({"error": "invalid_scope"})),
            ErrorKind::InvalidScope,
        ),
        (
            answer(400, json!({"error": "unauthorized_client"})),
            ErrorKind::Refused,
        ),
        (empty(400), ErrorKind::Refused),
        (empty(503), ErrorKind::Unavailable),
        (empty(302), ErrorKind::Redirect),
    ] {
        let (_, am) = am(reply);
        let error = am.refresh(&Secret::new("canary-r")).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(error.operation(), Some("POST token (refresh)"));
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}

#[tokio::test]
async fn token_responses_are_read_strictly() {
    for (content_type, body, kind) in [
        (
            "text/html",
            r#"{"access_token":"canary","token_type":"Bearer"}"#,
            ErrorKind::ContentType,
        ),
        (
            "application/json",
            r#"{"token_type":"Bearer"}"#,
            ErrorKind::Malformed,
        ),
        (
            "application/json",
            r#"{"access_token":"canary"}"#,
            ErrorKind::Malformed,
        ),
        (
            "application/json",
            r#"{"access_token":"canary","access_token":"b","token_type":"Bearer"}"#,
            ErrorKind::Malformed,
        ),
        (
            "application/json",
            r#"{"access_token":"canary","token_type":"Bearer"}{}"#,
            ErrorKind::Malformed,
        ),
        (
            "application/json",
            r#"{"access_token":"canary","token_type":"Bearer","expires_in":-1}"#,
            ErrorKind::Malformed,
        ),
        (
            "application/json",
            r#"{"access_token":"canary","token_type":"Bearer","expires_in":1.5}"#,
            ErrorKind::Malformed,
        ),
        (
            "application/json",
            r#"{"access_token":"canary\n","token_type":"Bearer"}"#,
            ErrorKind::Malformed,
        ),
        (
            "application/json",
            r#"{"access_token":"","token_type":"Bearer"}"#,
            ErrorKind::Malformed,
        ),
        (
            "application/json",
            r#"{"access_token":"canary","token_type":"DPoP"}"#,
            ErrorKind::Unsupported,
        ),
        ("application/json", "", ErrorKind::Malformed),
    ] {
        let (_, am) = am(Ok(typed(200, content_type, body)));
        let error = am.client_credentials().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{body}");
        assert!(
            !format!("{error} {error:?}").contains("canary"),
            "{error:?}"
        );
        assert!(error.outcome_unknown(), "{body}");
    }
    let (_, plus) = am(Ok(typed(
        200,
        "application/vnd.x+json",
        r#"{"access_token":"a","token_type":"BEARER","expires_in":18446744073709551615}"#,
    )));
    assert_eq!(
        plus.client_credentials().await.unwrap().expires_in,
        Some(Duration::from_secs(u64::MAX))
    );
}

#[tokio::test]
async fn revocation() {
    let (script, ok) = am(Ok(typed(200, "text/plain", "bye")));
    ok.revoke(&Secret::new("t"), TokenHint::RefreshToken)
        .await
        .unwrap();
    let seen = script.last();
    assert_eq!(seen.uri, "https://am.example/revoke");
    assert_eq!(seen.form("token").as_deref(), Some("t"));
    assert_eq!(
        seen.form("token_type_hint").as_deref(),
        Some("refresh_token")
    );
    let (_, no) = am(answer(400, json!({"error": "unsupported_token_type"})));
    assert_eq!(
        no.revoke(&Secret::new("t"), TokenHint::AccessToken)
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Unsupported
    );
}

/// The oauth2 crate would refuse; here the switch decides, and the checked URL is the one that is called.
#[tokio::test]
async fn revocation_over_http_where_that_is_allowed() {
    let (script, http) = testing::raw_script(|seen| async move {
        match seen.uri.contains(".well-known") {
            true => answer(
                200,
                json!({"issuer": "http://127.0.0.1:1", "revocation_endpoint": "http://127.0.0.1:1/revoke"}),
            ),
            false => empty(200),
        }
    });
    let am = AmClient::builder(crate::Issuer::parse("http://127.0.0.1:1").unwrap())
        .allow_insecure_http()
        .http(http)
        .credentials(ClientCredentials::public("h"))
        .build()
        .unwrap();
    am.revoke(&Secret::new("t"), TokenHint::AccessToken)
        .await
        .unwrap();
    assert_eq!(script.last().uri, "http://127.0.0.1:1/revoke");
}

#[tokio::test]
async fn without_credentials_nothing_is_sent() {
    let (script, http) = script(|_| answer(200, token()));
    let am = AmClient::builder(crate::Issuer::parse(ISSUER).unwrap())
        .http(http)
        .build()
        .unwrap();
    assert_eq!(
        am.client_credentials().await.unwrap_err().kind(),
        ErrorKind::Config
    );
    assert_eq!(
        am.exchange_code(exchange()).await.unwrap_err().kind(),
        ErrorKind::Config
    );
    let no_secret = am.with_credentials(ClientCredentials::new("h", None, ClientAuth::Basic));
    assert_eq!(
        no_secret.client_credentials().await.unwrap_err().kind(),
        ErrorKind::Config
    );
    assert_eq!(script.calls().len(), 0);
}
