use super::*;

#[tokio::test]
async fn an_owner_signs_in_consents_and_the_host_gets_a_pat() {
    let mut world = World::new();
    let path = authorize_path(&authorization_request());
    let answer = world.get(&path).await;
    assert!(answer.location().starts_with("/signin?"));
    let return_to = answer.sent("return_to").unwrap();
    let fields = [
        ("username", "alice"),
        ("password", "alice"),
        ("return_to", return_to.as_str()),
    ];
    assert_eq!(world.submit("/signin", &fields).await.location(), return_to);
    world.sign_in("alice").await;
    let page = world.get(&return_to).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text()
            .contains("Allow Photo &#60;Host&#62; to act for alice?"),
        "{}",
        page.text()
    );

    let pairs = authorization_request();
    let mut form: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    form.extend([("owner", "alice"), ("decision", "allow")]);
    let answer = world.submit("/consent", &form).await;
    assert!(
        answer
            .location()
            .starts_with("https://host.example/cb?am=1&code=")
    );
    assert_eq!(answer.sent("state").unwrap(), "a state/&=");
    assert_eq!(answer.sent("iss").unwrap(), ISSUER);

    let tokens = world.exchange(&answer.sent("code").unwrap()).await.ok();
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 300);
    assert_eq!(tokens["scope"], "uma_protection");
    let pat = tokens["access_token"].as_str().unwrap();
    assert_eq!(pat.len(), warden_canary::MARK.len() + 43);
    let list = world
        .api(Method::GET, "/resource", pat, &json!(null))
        .await
        .ok();
    assert_eq!(list, json!([]));
}

#[tokio::test]
async fn a_refusal_goes_back_with_state_and_issuer() {
    let mut world = World::new();
    world.sign_in("alice").await;
    let pairs = authorization_request();
    let mut form: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    form.extend([("owner", "alice"), ("decision", "deny")]);
    let answer = world.submit("/consent", &form).await;
    assert_eq!(answer.sent("error").unwrap(), "access_denied");
    assert_eq!(answer.sent("state").unwrap(), "a state/&=");
    assert_eq!(answer.sent("iss").unwrap(), ISSUER);
    assert!(answer.sent("code").is_none());
}

#[tokio::test]
async fn consent_is_the_shown_persons_or_nobodys() {
    let mut world = World::new();
    let pairs = authorization_request();
    let mut form: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    form.extend([("owner", "alice"), ("decision", "allow")]);
    // Nobody is signed in.
    assert!(
        world
            .submit("/consent", &form)
            .await
            .location()
            .starts_with("/signin?")
    );
    // Someone else is.
    world.sign_in("bob").await;
    let answer = world.submit("/consent", &form).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.text().contains("act for bob?"));
    // No decision.
    form.retain(|(name, _)| !matches!(*name, "decision" | "owner"));
    form.push(("owner", "bob"));
    assert_eq!(
        world.submit("/consent", &form).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_bad_client_or_redirect_uri_never_redirects() {
    let mut world = World::new();
    world.sign_in("alice").await;
    for pairs in [
        with("client_id", Some("nobody")),
        with("client_id", None),
        with("redirect_uri", None),
        with("redirect_uri", Some("https://host.example/cb")),
        with("redirect_uri", Some("https://host.example/cb?am=1&x=y")),
        with("redirect_uri", Some("https://HOST.example/cb?am=1")),
        with("redirect_uri", Some("https://evil.example/cb?am=1")),
    ] {
        let answer = world.get(&authorize_path(&pairs)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{pairs:?}");
        assert!(answer.text().contains("role=\"alert\""));
    }
    let twice = format!(
        "{}&redirect_uri=x",
        authorize_path(&authorization_request())
    );
    assert_eq!(world.get(&twice).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn other_errors_go_back_to_the_client() {
    let mut world = World::new();
    world.sign_in("alice").await;
    for (pairs, code) in [
        (with("response_type", None), "invalid_request"),
        (
            with("response_type", Some("token")),
            "unsupported_response_type",
        ),
        (with("code_challenge", None), "invalid_request"),
        (with("code_challenge", Some("short")), "invalid_request"),
        (with("code_challenge_method", None), "invalid_request"),
        (
            with("code_challenge_method", Some("plain")),
            "invalid_request",
        ),
        (with("scope", Some("uma_protection admin")), "invalid_scope"),
    ] {
        let answer = world.get(&authorize_path(&pairs)).await;
        assert_eq!(answer.status, StatusCode::FOUND, "{pairs:?}");
        assert!(
            answer
                .location()
                .starts_with("https://host.example/cb?am=1&error=")
        );
        assert_eq!(answer.sent("error").unwrap(), code, "{pairs:?}");
        assert_eq!(answer.sent("iss").unwrap(), ISSUER);
        assert_eq!(answer.sent("state").unwrap(), "a state/&=");
    }
    let spec = ClientSpec::new("machine")
        .redirect_uri(HOST_CALLBACK)
        .grant_types([UMA]);
    world.script().register_client(spec).unwrap();
    let answer = world
        .get(&authorize_path(&with("client_id", Some("machine"))))
        .await;
    assert_eq!(answer.sent("error").unwrap(), "unauthorized_client");
}
