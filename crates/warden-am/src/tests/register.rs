use super::*;

fn request(method: Method, path: &str, token: Option<&str>, body: &str) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

async fn register(world: &World, body: &Value) -> Answer {
    world
        .send(request(Method::POST, "/register", None, &body.to_string()))
        .await
}

#[tokio::test]
async fn a_client_registers_reads_changes_and_deletes_itself() {
    let world = World::new();
    let asked = json!({
        "client_name": "Host One",
        "redirect_uris": ["http://127.0.0.1:8080/cb"],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "uma_protection",
        "contacts": ["someone"],
    });
    let answer = register(&world, &asked).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let made = answer.json();
    assert_eq!(made["redirect_uris"], asked["redirect_uris"]);
    assert_eq!(made["grant_types"], asked["grant_types"]);
    assert_eq!(made["contacts"], asked["contacts"]);
    assert_eq!(made["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(made["client_secret_expires_at"], 0);
    let id = made["client_id"].as_str().unwrap();
    let token = made["registration_access_token"].as_str().unwrap();
    let uri = made["registration_client_uri"].as_str().unwrap();
    let path = uri.strip_prefix(ISSUER).unwrap();

    let read = world
        .send(request(Method::GET, path, Some(token), ""))
        .await
        .ok();
    assert_eq!(read, made);

    let mut changed = asked.clone();
    changed["client_id"] = json!(id);
    changed["client_name"] = json!("Host Two");
    let answer = world
        .send(request(
            Method::PUT,
            path,
            Some(token),
            &changed.to_string(),
        ))
        .await
        .ok();
    assert_eq!(answer["client_name"], "Host Two");
    changed["client_id"] = json!("other");
    let answer = world
        .send(request(
            Method::PUT,
            path,
            Some(token),
            &changed.to_string(),
        ))
        .await;
    assert_eq!(answer.error(400), "invalid_client_metadata");

    let answer = world
        .send(request(Method::GET, path, Some("wrong"), ""))
        .await;
    assert_eq!(answer.error(401), "invalid_token");
    let answer = world.send(request(Method::GET, path, None, "")).await;
    assert_eq!(answer.status, 401);

    let pat = world.script().issue_pat("alice", id).unwrap();
    let answer = world
        .send(request(Method::DELETE, path, Some(token), ""))
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(
        world
            .send(request(Method::GET, path, Some(token), ""))
            .await
            .error(401),
        "invalid_token"
    );
    assert_eq!(
        world.introspect(&pat, "x").await.error(401),
        "invalid_token"
    );
}

#[tokio::test]
async fn bad_metadata_is_refused_with_its_field() {
    let world = World::new();
    let ok = json!(["https://host.example/cb"]);
    for (body, code, field) in [
        (json!({}), "invalid_redirect_uri", "redirect_uris"),
        (
            json!({"redirect_uris": ["javascript:alert(1)"]}),
            "invalid_redirect_uri",
            "redirect_uris",
        ),
        (
            json!({"redirect_uris": ["https://h.example/#f"]}),
            "invalid_redirect_uri",
            "redirect_uris",
        ),
        (
            json!({"redirect_uris": ["/relative"]}),
            "invalid_redirect_uri",
            "redirect_uris",
        ),
        (
            json!({"redirect_uris": ok, "claims_redirect_uris": ["x"]}),
            "invalid_redirect_uri",
            "claims_redirect_uris",
        ),
        (
            json!({"redirect_uris": ok, "grant_types": ["implicit"]}),
            "invalid_client_metadata",
            "grant_types",
        ),
        (
            json!({"redirect_uris": ok, "response_types": ["token"]}),
            "invalid_client_metadata",
            "response_types",
        ),
        (
            json!({"redirect_uris": ok, "token_endpoint_auth_method": "private_key_jwt"}),
            "invalid_client_metadata",
            "token_endpoint_auth_method",
        ),
        (
            json!({"redirect_uris": ok, "client_uri": "javascript:x"}),
            "invalid_client_metadata",
            "client_uri",
        ),
        (
            json!({"redirect_uris": ok, "scope": "a\nb"}),
            "invalid_client_metadata",
            "scope",
        ),
        (
            json!({"redirect_uris": "https://h.example/"}),
            "invalid_request",
            "redirect_uris",
        ),
        (
            json!({"redirect_uris": [1]}),
            "invalid_request",
            "redirect_uris",
        ),
        (json!([]), "invalid_request", ""),
    ] {
        let answer = register(&world, &body).await;
        assert_eq!(answer.error(400), code, "{body}");
        assert!(
            answer.string("error_description").contains(field),
            "{}",
            answer.text()
        );
    }
    let answer = world
        .send(request(Method::POST, "/register", None, "{"))
        .await;
    assert_eq!(answer.error(400), "invalid_request");
    let big = format!("{{\"client_name\":\"{}\"}}", "x".repeat(70_000));
    let answer = world
        .send(request(Method::POST, "/register", None, &big))
        .await;
    assert_eq!(answer.error(413), "invalid_request");
    let no_type = Request::post("/register").body(Body::from("{}")).unwrap();
    assert_eq!(world.send(no_type).await.error(400), "invalid_request");
}

#[tokio::test]
async fn an_initial_access_token_is_asked_for_when_set() {
    let world = World::of(builder().initial_access_token("initial"));
    let body = json!({"redirect_uris": ["https://host.example/cb"]}).to_string();
    let answer = world
        .send(request(Method::POST, "/register", None, &body))
        .await;
    assert_eq!(answer.status, 401);
    assert!(
        answer
            .header(header::WWW_AUTHENTICATE)
            .starts_with("Bearer ")
    );
    let answer = world
        .send(request(Method::POST, "/register", Some("wrong"), &body))
        .await;
    assert_eq!(answer.error(401), "invalid_token");
    let answer = world
        .send(request(Method::POST, "/register", Some("initial"), &body))
        .await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_public_client_gets_no_secret() {
    let world = World::new();
    let body = json!({"grant_types": [UMA], "token_endpoint_auth_method": "none"});
    let made = register(&world, &body).await.json();
    assert!(made.get("client_secret").is_none());
    let id = made["client_id"].as_str().unwrap();
    let answer = world
        .submit(
            "/token",
            &[("grant_type", UMA), ("client_id", id), ("ticket", "x")],
        )
        .await;
    assert_eq!(answer.error(400), "invalid_grant");
}
