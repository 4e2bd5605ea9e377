use serde_json::{Value, json};

use super::*;
use crate::testing::{self, Reply, Script, answer, empty, script};

fn am(reply: Reply) -> (Script, AmClient) {
    let (script, http) = script(move |_| reply.clone());
    (script, testing::client(&http))
}

fn asked() -> ClientMetadata {
    ClientMetadata {
        client_name: Some("Host".into()),
        redirect_uris: vec!["https://host.example/cb".into()],
        grant_types: vec!["authorization_code".into(), "refresh_token".into()],
        response_types: vec!["code".into()],
        token_endpoint_auth_method: Some("client_secret_basic".into()),
        ..ClientMetadata::default()
    }
}

fn given(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = json!({
        "client_id": "c1",
        "client_secret": "canary-s",
        "client_secret_expires_at": 0,
        "registration_access_token": "canary-t",
        "registration_client_uri": "https://am.example/register/c1",
        "redirect_uris": ["https://host.example/cb"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
    });
    change(&mut body);
    body
}

#[tokio::test]
async fn registers() {
    let (script, am) = am(answer(201, given(|_| {})));
    let registration = am
        .register(&asked(), Some(&Secret::new("iat")))
        .await
        .unwrap();
    assert_eq!(
        registration.credentials,
        ClientCredentials::basic("c1", "canary-s")
    );
    assert_eq!(registration.secret_expires_at, None);
    assert_eq!(
        registration.registration_uri.as_ref().unwrap().as_str(),
        "https://am.example/register/c1"
    );
    assert!(!format!("{registration:?}").contains("canary"));
    let seen = script.last();
    assert_eq!(
        (seen.method.as_str(), seen.uri.as_str()),
        ("POST", "https://am.example/register")
    );
    assert_eq!(seen.header("authorization"), "Bearer iat");
    assert_eq!(
        seen.json()["redirect_uris"],
        json!(["https://host.example/cb"])
    );
    am.register(&asked(), None).await.unwrap();
    assert!(script.last().headers.get("authorization").is_none());
}

#[tokio::test]
async fn what_came_back_is_checked_against_what_was_asked() {
    type Change = fn(&mut Value);
    let cases: [(Change, ErrorKind); 13] = [
        (
            |b| b["redirect_uris"] = json!(["https://evil.example/cb"]),
            ErrorKind::Malformed,
        ),
        (
            |b| b["redirect_uris"] = json!(["https://host.example/cb", "https://evil.example/cb"]),
            ErrorKind::Malformed,
        ),
        (|b| b["redirect_uris"] = json!([]), ErrorKind::Malformed),
        (
            |b| b["grant_types"] = json!(["authorization_code", "password"]),
            ErrorKind::Malformed,
        ),
        (
            |b| b["response_types"] = json!(["code", "token"]),
            ErrorKind::Malformed,
        ),
        (
            |b| b["token_endpoint_auth_method"] = json!("private_key_jwt"),
            ErrorKind::Unsupported,
        ),
        (
            |b| b["token_endpoint_auth_method"] = json!("none"),
            ErrorKind::Malformed,
        ),
        (|b| b["client_secret"] = Value::Null, ErrorKind::Malformed),
        (|b| b["client_secret"] = json!(""), ErrorKind::Malformed),
        (|b| b["client_id"] = json!(""), ErrorKind::Malformed),
        (|b| b["client_id"] = json!(7), ErrorKind::Malformed),
        (
            |b| b["client_secret_expires_at"] = json!(-1),
            ErrorKind::Malformed,
        ),
        (
            |b| b["registration_access_token"] = json!({}),
            ErrorKind::Malformed,
        ),
    ];
    for (i, (change, kind)) in cases.into_iter().enumerate() {
        let (_, am) = am(answer(201, given(change)));
        let error = am.register(&asked(), None).await.unwrap_err();
        assert_eq!(error.kind(), kind, "case {i}: {error}");
        assert!(error.outcome_unknown(), "case {i}");
        assert!(!format!("{error:?}").contains("canary"));
    }
}

#[tokio::test]
async fn what_is_narrower_or_replaced_is_taken() {
    let (_, narrow) = am(answer(
        201,
        given(|b| {
            b["grant_types"] = json!(["authorization_code"]);
            b["token_endpoint_auth_method"] = json!("client_secret_post");
            b["client_secret_expires_at"] = json!(4_100_000_000_u64);
        }),
    ));
    let registration = narrow.register(&asked(), None).await.unwrap();
    assert_eq!(registration.credentials.auth, ClientAuth::Post);
    assert_eq!(
        registration.secret_expires_at,
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(4_100_000_000_u64))
    );
    for absurd in [u64::MAX, 1 << 62] {
        let (_, am) = am(answer(
            201,
            given(|b| b["client_secret_expires_at"] = json!(absurd)),
        ));
        am.register(&asked(), None).await.unwrap();
    }
    let public = ClientMetadata {
        token_endpoint_auth_method: Some("none".into()),
        ..asked()
    };
    let (_, am) = am(answer(
        201,
        given(|b| {
            b["token_endpoint_auth_method"] = json!("none");
            b["client_secret"] = Value::Null;
        }),
    ));
    assert_eq!(
        am.register(&public, None).await.unwrap().credentials,
        ClientCredentials::public("c1")
    );
}

/// The registration token goes nowhere but to the AM.
#[tokio::test]
async fn a_foreign_registration_uri_is_dropped() {
    for uri in [
        "https://evil.example/c1",
        "http://am.example/register/c1",
        "nonsense",
    ] {
        let (_, am) = am(answer(
            201,
            given(|b| b["registration_client_uri"] = json!(uri)),
        ));
        let registration = am.register(&asked(), None).await.unwrap();
        assert_eq!(registration.registration_uri, None, "{uri}");
        assert_eq!(
            am.read_registration(&registration)
                .await
                .unwrap_err()
                .kind(),
            ErrorKind::Config
        );
    }
}

#[tokio::test]
async fn refusals_keep_the_ams_code() {
    let (_, am) = am(answer(400, json!({"error": "invalid_redirect_uri"})));
    let error = am.register(&asked(), None).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Refused, Some("invalid_redirect_uri"))
    );
}

#[tokio::test]
async fn manages_a_registration() {
    let (script, http) = script(|seen| match seen.method.as_str() {
        "POST" => answer(201, given(|_| {})),
        "GET" => answer(200, given(|b| b["registration_access_token"] = json!("t2"))),
        "PUT" => answer(
            200,
            given(|b| {
                b["client_secret"] = Value::Null;
                b["registration_access_token"] = Value::Null;
                b["registration_client_uri"] = Value::Null;
            }),
        ),
        _ => empty(204),
    });
    let am = testing::client(&http);
    let first = am.register(&asked(), None).await.unwrap();
    let read = am.read_registration(&first).await.unwrap();
    assert_eq!(script.last().header("authorization"), "Bearer canary-t");
    assert_eq!(
        read.registration_token.as_ref().unwrap().expose(),
        "t2",
        "a replaced token surfaces"
    );

    let updated = am.update_registration(&read, &asked()).await.unwrap();
    let seen = script.last();
    assert_eq!(seen.header("authorization"), "Bearer t2");
    assert_eq!(seen.json()["client_id"], "c1");
    assert_eq!(seen.json()["client_secret"], "canary-s");
    assert_eq!(updated, read, "what is not said again stays");

    am.delete_registration(&updated).await.unwrap();
    assert_eq!(script.last().method, Method::DELETE);
}

#[tokio::test]
async fn a_registration_of_another_client_is_refused() {
    let (_, am) = am(answer(200, given(|b| b["client_id"] = json!("c2"))));
    let url = Url::parse("https://am.example/register/c1").unwrap();
    let mine = Registration::new(ClientCredentials::basic("c1", "s"))
        .with_management(Some(url), Some(Secret::new("t")));
    assert_eq!(
        am.read_registration(&mine).await.unwrap_err().kind(),
        ErrorKind::Malformed
    );
}

/// Keycloak's own form: a resource server, and the role of PATs for everybody.
#[tokio::test]
async fn registers_in_keycloaks_form() {
    let reply = |token: &str, location: bool| {
        let mut reply = answer(
            if location { 201 } else { 200 },
            json!({
                "id": "u", "clientId": "c1", "name": "Host", "secret": "canary-s",
                "registrationAccessToken": token, "redirectUris": ["https://host.example/cb"],
                "enabled": true, "defaultRoles": ["uma_protection"],
            }),
        )
        .unwrap();
        if location {
            let at = "https://am.example/realms/x/clients-registrations/default/c1";
            reply
                .headers_mut()
                .insert(http::header::LOCATION, at.parse().unwrap());
        }
        Ok(reply)
    };
    let (script, http) = testing::raw_script(move |seen| {
        let reply = if seen.uri.contains("/.well-known/") {
            let mut metadata = testing::metadata();
            metadata["registration_endpoint"] =
                json!("https://am.example/realms/x/clients-registrations/openid-connect");
            answer(200, metadata)
        } else {
            match seen.method {
                Method::POST => reply("canary-1", true),
                Method::DELETE => empty(204),
                _ => reply("canary-2", false),
            }
        };
        async move { reply }
    });
    let am = testing::builder(&http).profile(crate::AmProfile::keycloak());
    let am = am.build().unwrap();
    let registration = am
        .register(&asked(), Some(&Secret::new("iat")))
        .await
        .unwrap();
    assert_eq!(
        registration.credentials,
        ClientCredentials::basic("c1", "canary-s")
    );
    let seen = script.last();
    assert_eq!(
        seen.uri,
        "https://am.example/realms/x/clients-registrations/default"
    );
    assert_eq!(seen.header("authorization"), "Bearer iat");
    assert_eq!(
        seen.json(),
        json!({
            "name": "Host", "redirectUris": ["https://host.example/cb"], "publicClient": false,
            "standardFlowEnabled": true, "directAccessGrantsEnabled": false,
            "serviceAccountsEnabled": true, "authorizationServicesEnabled": true,
            "defaultRoles": ["uma_protection"],
        })
    );
    // A replaced token replaces the stored one.
    let updated = am
        .update_registration(&registration, &asked())
        .await
        .unwrap();
    let seen = script.last();
    assert_eq!(
        (&seen.method, seen.json()["clientId"].as_str()),
        (&Method::PUT, Some("c1"))
    );
    assert_eq!(seen.header("authorization"), "Bearer canary-1");
    let read = am.read_registration(&updated).await.unwrap();
    assert_eq!(script.last().header("authorization"), "Bearer canary-2");
    assert_eq!(read.credentials, registration.credentials);
    am.delete_registration(&read).await.unwrap();
    assert_eq!(script.last().uri, seen.uri);
}

/// Keycloak's provider for RFC 7591: both grant types go along, and the response type `none` that comes back is no more
/// than what was asked.
#[tokio::test]
async fn grant_types_of_the_profile_go_along() {
    let body = given(|b| {
        b["grant_types"] = json!([
            "authorization_code",
            "client_credentials",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:uma-ticket",
        ]);
        b["response_types"] = json!(["code", "none"]);
    });
    let (script, http) = script(move |_| answer(201, body.clone()));
    let mut profile = crate::AmProfile::keycloak();
    profile.registration_form = RegistrationForm::Rfc7591;
    let am = testing::builder(&http).profile(profile).build().unwrap();
    am.register(&asked(), None).await.unwrap();
    let grants = script.last().json()["grant_types"].clone();
    assert_eq!(grants.as_array().unwrap().len(), 4, "{grants}");
}
