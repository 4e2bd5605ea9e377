use std::time::Duration;

use super::*;

async fn code(world: &mut World) -> String {
    world.consent("alice", &authorization_request()).await
}

#[tokio::test]
async fn pkce_must_match() {
    let mut world = World::new();
    let wrong = VERIFIER.replace('a', "b");
    for (verifier, error) in [
        (wrong.as_str(), "invalid_grant"),
        ("short", "invalid_grant"),
        ("", "invalid_request"),
    ] {
        let code = code(&mut world).await;
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", HOST_CALLBACK),
            ("code_verifier", verifier),
        ];
        let answer = world.host("/token", &pairs).await;
        assert_eq!(answer.error(400), error, "{verifier}");
        if error == "invalid_grant" {
            // The try has spent the code.
            assert_eq!(world.exchange(&code).await.error(400), "invalid_grant");
        }
    }
}

#[tokio::test]
async fn the_redirect_uri_and_the_client_must_be_the_codes() {
    let mut world = World::new();
    let first = code(&mut world).await;
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", first.as_str()),
        ("redirect_uri", "https://host.example/other"),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(
        world.host("/token", &pairs).await.error(400),
        "invalid_grant"
    );

    let other = ClientSpec::new("other")
        .secret("x")
        .redirect_uri(HOST_CALLBACK);
    world.script().register_client(other).unwrap();
    let second = code(&mut world).await;
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", second.as_str()),
        ("redirect_uri", HOST_CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(
        world.call("other", "x", "/token", &pairs).await.error(400),
        "invalid_grant"
    );
}

#[tokio::test]
async fn a_replayed_code_revokes_what_came_of_it() {
    let mut world = World::new();
    let code = code(&mut world).await;
    let tokens = world.exchange(&code).await.ok();
    let pat = tokens["access_token"].as_str().unwrap();
    assert_eq!(
        world.introspect(pat, "x").await.ok(),
        json!({"active": false})
    );
    assert_eq!(world.exchange(&code).await.error(400), "invalid_grant");
    assert_eq!(world.introspect(pat, "x").await.error(401), "invalid_token");
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    assert_eq!(
        world.host("/token", &pairs).await.error(400),
        "invalid_grant"
    );
}

#[tokio::test]
async fn codes_and_tokens_end() {
    let mut world = World::new();
    let late = code(&mut world).await;
    world.script().advance_clock(Duration::from_secs(61));
    assert_eq!(world.exchange(&late).await.error(400), "invalid_grant");
    let good = code(&mut world).await;
    let tokens = world.exchange(&good).await.ok();
    let pat = tokens["access_token"].as_str().unwrap();
    world.script().advance_clock(Duration::from_secs(299));
    assert_eq!(world.introspect(pat, "x").await.status, 200);
    world.script().advance_clock(Duration::from_secs(2));
    let answer = world.introspect(pat, "x").await;
    assert_eq!(answer.error(401), "invalid_token");
    assert!(
        answer
            .header(header::WWW_AUTHENTICATE)
            .contains("error=\"invalid_token\"")
    );
}

#[tokio::test]
async fn refresh_tokens_rotate_and_reuse_revokes_the_family() {
    let mut world = World::new();
    let code = code(&mut world).await;
    let first = world.exchange(&code).await.ok();
    let old = first["refresh_token"].as_str().unwrap().to_owned();
    let pairs = |token: &str| {
        [
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", token.to_owned()),
        ]
    };
    let refresh = async |token: &str, more: &[(&str, &str)]| {
        let pairs = pairs(token);
        let mut pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        pairs.extend(more);
        world.host("/token", &pairs).await
    };
    assert_eq!(
        refresh(&old, &[("scope", "openid")]).await.error(400),
        "invalid_scope"
    );
    let second = refresh(&old, &[]).await.ok();
    let new = second["refresh_token"].as_str().unwrap();
    assert_ne!(new, old);
    let pat = second["access_token"].as_str().unwrap();
    assert_eq!(world.introspect(pat, "x").await.status, 200);

    assert_eq!(refresh(&old, &[]).await.error(400), "invalid_grant");
    assert_eq!(refresh(new, &[]).await.error(400), "invalid_grant");
    assert_eq!(world.introspect(pat, "x").await.error(401), "invalid_token");
}

#[tokio::test]
async fn client_credentials_give_the_host_a_pat_of_its_own() {
    let world = World::new();
    let pairs = [
        ("grant_type", "client_credentials"),
        ("scope", "uma_protection"),
    ];
    let tokens = world.host("/token", &pairs).await.ok();
    assert!(tokens.get("refresh_token").is_none());
    let pat = tokens["access_token"].as_str().unwrap();
    let body = json!({"resource_scopes": ["view"]});
    assert_eq!(
        world
            .api(Method::POST, "/resource", pat, &body)
            .await
            .status,
        201
    );
    assert_eq!(world.script().list_resources(HOST).len(), 1);
    assert_eq!(world.script().list_resources("alice"), []);
    // The registered scopes are the default; a token without the scope is no PAT.
    let pairs = [("grant_type", "client_credentials")];
    assert_eq!(
        world.host("/token", &pairs).await.ok()["scope"],
        "uma_protection openid"
    );
    let pairs = [("grant_type", "client_credentials"), ("scope", "openid")];
    let token = world.host("/token", &pairs).await.string("access_token");
    let answer = world
        .api(Method::GET, "/resource", &token, &json!(null))
        .await;
    assert_eq!(answer.error(403), "insufficient_scope");
    let pairs = [("grant_type", "client_credentials"), ("scope", "view")];
    assert_eq!(
        world.host("/token", &pairs).await.error(400),
        "invalid_scope"
    );
}

#[tokio::test]
async fn clients_authenticate_by_header_form_or_id() {
    let world = World::new();
    let grant = ("grant_type", "client_credentials");
    let form = [grant, ("client_id", HOST), ("client_secret", HOST_SECRET)];
    assert_eq!(world.submit("/token", &form).await.status, 200);
    for (pairs, status, error) in [
        (vec![grant], 401, "invalid_client"),
        (vec![grant, ("client_id", HOST)], 401, "invalid_client"),
        (
            vec![grant, ("client_id", "nobody"), ("client_secret", "x")],
            401,
            "invalid_client",
        ),
        (
            vec![grant, ("client_id", HOST), ("client_secret", "x")],
            401,
            "invalid_client",
        ),
        (
            vec![grant, ("client_id", HOST), ("client_id", HOST)],
            400,
            "invalid_request",
        ),
        (
            vec![("grant_type", "password"), form[1], form[2]],
            400,
            "unsupported_grant_type",
        ),
        (vec![form[1], form[2]], 400, "invalid_request"),
    ] {
        assert_eq!(
            world.submit("/token", &pairs).await.error(status),
            error,
            "{pairs:?}"
        );
    }
    let answer = world.call(HOST, "wrong", "/token", &[grant]).await;
    assert_eq!(answer.error(401), "invalid_client");
    assert!(
        answer
            .header(header::WWW_AUTHENTICATE)
            .starts_with("Basic ")
    );
    let answer = world.host("/token", &form).await;
    assert_eq!(answer.error(400), "invalid_request");
    for odd in [
        "Basic",
        "Basic !!!",
        "Basic YQ==",
        "Bearer",
        "Bearer a b",
        "Basic \u{fc}",
    ] {
        let mut request = form_request("/token", &[grant]);
        request.headers_mut().insert(
            header::AUTHORIZATION,
            http::HeaderValue::from_bytes(odd.as_bytes()).unwrap(),
        );
        assert_eq!(
            world.send(request).await.error(400),
            "invalid_request",
            "{odd}"
        );
    }
    let mut request = form_request("/token", &[grant]);
    for _ in 0..2 {
        request.headers_mut().append(
            header::AUTHORIZATION,
            basic(HOST, HOST_SECRET).parse().unwrap(),
        );
    }
    assert_eq!(world.send(request).await.error(400), "invalid_request");
}

#[tokio::test]
async fn a_client_uses_the_grants_it_registered() {
    let world = World::new();
    let spec = ClientSpec::new("narrow").secret("x").grant_types([UMA]);
    world.script().register_client(spec).unwrap();
    let pairs = [("grant_type", "client_credentials")];
    assert_eq!(
        world.call("narrow", "x", "/token", &pairs).await.error(400),
        "unauthorized_client"
    );
    let public = ClientSpec::new("public");
    world.script().register_client(public).unwrap();
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "public"),
    ];
    assert_eq!(
        world.submit("/token", &pairs).await.error(400),
        "unauthorized_client"
    );
}

#[tokio::test]
async fn revocation_ends_a_clients_own_tokens() {
    let mut world = World::new();
    let code = code(&mut world).await;
    let tokens = world.exchange(&code).await.ok();
    let (pat, refresh) = (
        tokens["access_token"].as_str().unwrap(),
        tokens["refresh_token"].as_str().unwrap(),
    );
    // Another client's word counts for nothing, and nobody learns whether there is such a token.
    assert_eq!(
        world
            .call(APP, APP_SECRET, "/revoke", &[("token", refresh)])
            .await
            .status,
        200
    );
    assert_eq!(world.introspect(pat, "x").await.status, 200);
    assert_eq!(
        world.host("/revoke", &[("token", "unknown")]).await.status,
        200
    );
    assert_eq!(
        world.host("/revoke", &[]).await.error(400),
        "invalid_request"
    );
    assert_eq!(
        world.host("/revoke", &[("token", refresh)]).await.status,
        200
    );
    assert_eq!(world.introspect(pat, "x").await.error(401), "invalid_token");
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    assert_eq!(
        world.host("/token", &pairs).await.error(400),
        "invalid_grant"
    );
    let pat = world.pat("alice");
    world.script().revoke(&pat).unwrap();
    assert_eq!(
        world.introspect(&pat, "x").await.error(401),
        "invalid_token"
    );
    assert!(world.script().revoke(&pat).unwrap_err().is_not_found());
}

#[tokio::test]
async fn the_scope_openid_brings_a_sign_in_token() {
    let mut world = World::new();
    let code = world
        .consent("alice", &with("scope", Some("openid uma_protection")))
        .await;
    let tokens = world.exchange(&code).await.ok();
    let id_token = tokens["id_token"].as_str().unwrap();
    let payload = id_token.split('.').nth(1).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(
        (&payload["sub"], &payload["aud"], &payload["iss"]),
        (&json!("alice"), &json!(HOST), &json!(ISSUER))
    );
}

#[tokio::test]
async fn the_claim_token_short_cut_needs_the_password() {
    let world = World::new();
    let fields = [("username", "bob"), ("password", "bob"), ("client_id", APP)];
    let answer = world.submit("/claim-token", &fields).await;
    assert_eq!(answer.string("claim_token_format"), CLAIM_TOKEN_FORMAT);
    assert_eq!(answer.string("claim_token").split('.').count(), 3);
    let fields = [("username", "bob"), ("password", "no"), ("client_id", APP)];
    assert_eq!(
        world.submit("/claim-token", &fields).await.error(400),
        "invalid_grant"
    );
    let fields = [
        ("username", "bob"),
        ("password", "bob"),
        ("client_id", "nobody"),
    ];
    assert_eq!(
        world.submit("/claim-token", &fields).await.error(401),
        "invalid_client"
    );
    assert_eq!(
        world.submit("/claim-token", &fields[..1]).await.error(400),
        "invalid_request"
    );
}
