use super::*;

#[tokio::test]
async fn wrong_input_is_shown_beside_its_field() {
    let world = World::new();
    let page = world.get("/signin").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("Development only, not for production"));
    let csp = page.header(header::CONTENT_SECURITY_POLICY);
    assert!(csp.contains("default-src 'none'") && csp.contains("frame-ancestors 'none'"));
    assert_eq!(page.header(header::CACHE_CONTROL), "no-store");
    assert!(!page.text().contains("<script"));

    let answer = world
        .submit("/signin", &[("username", ""), ("password", "")])
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(
        answer
            .text()
            .contains("aria-describedby=\"username-error\"")
    );
    assert!(
        answer
            .text()
            .contains("aria-describedby=\"password-error\"")
    );
    for (name, password) in [("alice", "wrong"), ("nobody", "alice"), ("nobody", "")] {
        let answer = world
            .submit("/signin", &[("username", name), ("password", password)])
            .await;
        assert_ne!(answer.status, StatusCode::SEE_OTHER);
        assert!(answer.headers.get(header::SET_COOKIE).is_none());
    }
    let answer = world
        .submit("/signin", &[("username", "\"><b>"), ("password", "x")])
        .await;
    assert!(!answer.text().contains("<b>"));
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_and_ends_with_sign_out() {
    let mut world = World::new();
    let answer = world
        .submit("/signin", &[("username", "alice"), ("password", "alice")])
        .await;
    let cookie = answer.header(header::SET_COOKIE);
    assert!(cookie.starts_with("warden-am-session="));
    assert!(cookie.contains("; HttpOnly; SameSite=Lax") && !cookie.contains("Secure"));
    world.sign_in("alice").await;
    assert_eq!(world.get("/policies").await.status, StatusCode::OK);
    let answer = world
        .submit("/signout", &[("return_to", "/policies")])
        .await;
    assert!(answer.header(header::SET_COOKIE).contains("Max-Age=0"));
    // The old cookie is worth nothing, even where it is kept.
    assert!(
        world
            .get("/policies")
            .await
            .location()
            .starts_with("/signin?")
    );
}

#[tokio::test]
async fn two_ams_on_one_address_have_names_and_cookies_of_their_own() {
    let mut cookies = Vec::new();
    for (issuer, name) in [
        ("http://127.0.0.1:8081", "AM one"),
        ("http://127.0.0.1:8082", "AM two"),
    ] {
        let world = World::of(WardenAm::builder(issuer).name(name).user("alice", "alice"));
        let page = world.get("/signin").await;
        assert!(page.text().contains(&format!("Sign in - {name}</title>")));
        let answer = world
            .submit("/signin", &[("username", "alice"), ("password", "alice")])
            .await;
        let cookie = answer.header(header::SET_COOKIE);
        cookies.push(cookie.split_once('=').unwrap().0.to_owned());
    }
    assert_ne!(cookies[0], cookies[1]);
    let nameless = WardenAm::builder("http://am.example").name("").build();
    assert!(nameless.is_err());
}

#[tokio::test]
async fn one_comes_back_to_paths_of_the_am_alone() {
    let world = World::new();
    for (asked, back) in [
        ("/policies/x?done=added", "/policies/x?done=added"),
        (
            "/authorize?redirect_uri=https%3A%2F%2Fh",
            "/authorize?redirect_uri=https%3A%2F%2Fh",
        ),
        ("//evil.example", "/policies"),
        ("/\\evil.example", "/policies"),
        ("/x//y", "/policies"),
        ("/../x", "/policies"),
        ("https://evil.example/", "/policies"),
        ("/a\r\nSet-Cookie: x=y", "/policies"),
        ("policies", "/policies"),
        ("", "/policies"),
    ] {
        let fields = [
            ("username", "alice"),
            ("password", "alice"),
            ("return_to", asked),
        ];
        assert_eq!(
            world.submit("/signin", &fields).await.location(),
            back,
            "{asked:?}"
        );
    }
    let world = World::of(WardenAm::builder("http://am.example/am").user("alice", "alice"));
    for (asked, back) in [
        ("/am/policies/x", "/am/policies/x"),
        ("/other", "/am/policies"),
        ("/amx", "/am/policies"),
    ] {
        let fields = [
            ("username", "alice"),
            ("password", "alice"),
            ("return_to", asked),
        ];
        assert_eq!(
            world.submit("/am/signin", &fields).await.location(),
            back,
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn foreign_pages_cannot_post_forms() {
    let world = World::new();
    let post = |name: &'static str, value: &'static str| {
        let mut request = form_request("/signin", &[("username", "alice"), ("password", "alice")]);
        request
            .headers_mut()
            .insert(header::HOST, "am.example".parse().unwrap());
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    for (name, value, status) in [
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("origin", "http://am.example", 303),
        ("sec-fetch-site", "same-origin", 303),
    ] {
        assert_eq!(
            world.send(post(name, value)).await.status,
            status,
            "{name}: {value}"
        );
    }
    // Programs in a browser may call the token endpoint from anywhere.
    let mut request = form_request("/token", &[("grant_type", UMA), ("client_id", "nobody")]);
    request
        .headers_mut()
        .insert(header::ORIGIN, "http://app.example".parse().unwrap());
    assert_eq!(world.send(request).await.error(401), "invalid_client");
}
