//! "Which request is it?": the verb, the fields and the transport, one test for each class of attack. What the rows stand
//! for, and who fell for them, is told in `docs/threats.md`.

mod wire;

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::fake::*;
use crate::*;

/// `/api/mapped` is Alice's; the token `views` may see it, `edits` may change it.
fn world() -> World {
    let world = World::new();
    world.am.grant("views", "/api/mapped", &["view"]);
    world.am.grant("edits", "/api/mapped", &["edit"]);
    world
}

/// Sends the same request with one field more after the other; none may change its status.
async fn fields_mean_nothing(method: &str, path: &str, token: Option<&str>, fields: &[&str]) {
    let world = world();
    let app = world.app();
    let bearer = token.map(|token| format!("Bearer {token}"));
    let own: Vec<_> = bearer
        .iter()
        .map(|value| ("authorization", value.as_str()))
        .collect();
    let plain = app.send(request(method, path, &own)).await.status;
    for field in fields {
        let (name, value) = field.split_once(": ").unwrap();
        let with_field = [&own[..], &[(name, value)]].concat();
        let answer = app.send(request(method, path, &with_field)).await;
        assert_eq!(answer.status, plain, "{method} {path} {field}");
    }
}

#[tokio::test]
async fn m_01_head_is_get_and_nothing_else() {
    let world = world();
    let app = world.app();
    assert_eq!(app.call("HEAD", "/api/mapped", "views").await.status, 200);
    assert_eq!(app.call("HEAD", "/api/mapped", "edits").await.status, 401);
    let scopes = |word| uma_client::Scopes::parse([word]).unwrap();
    // Neither row can be set apart from the other.
    for method in [http::Method::HEAD, http::Method::GET] {
        let table = MethodScopes::default().with(&method, scopes("edit"));
        assert_eq!(table.required(&http::Method::HEAD), Some(&scopes("edit")));
        assert_eq!(table.required(&http::Method::GET), Some(&scopes("edit")));
    }
}

#[tokio::test]
async fn m_02_an_unknown_verb_is_refused_before_the_am_is_asked() {
    let world = world();
    let app = world.app();
    for method in [
        "PURGE", "get", "Get", "GETS", "PROPFIND", "TRACE", "CONNECT", "X",
    ] {
        let answer = app.call(method, "/api/mapped", "views").await;
        assert_eq!((answer.status, answer.by_handler), (403, false), "{method}");
    }
    assert_eq!((world.am.verified(), world.am.tickets()), (0, 0));
}

#[tokio::test]
async fn m_03_overrides_of_the_verb_mean_nothing() {
    let fields = [
        "x-http-method-override: GET",
        "x-http-method: GET",
        "x-method-override: GET",
        "x-original-method: GET",
        "x-forwarded-method: GET",
    ];
    fields_mean_nothing("PUT", "/api/mapped", Some("views"), &fields).await;
    fields_mean_nothing("POST", "/api/mapped?_method=GET", Some("views"), &fields).await;
    let world = world();
    let app = world.app();
    let form = [
        ("authorization", "Bearer views"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let mut posted = request("POST", "/api/mapped", &form);
    *posted.body_mut() = "_method=GET".into();
    assert_eq!(app.send(posted).await.status, 401);
}

#[tokio::test]
async fn m_04_the_query_is_no_part_of_the_path() {
    let world = world();
    let app = world.app();
    for path in [
        "/api/mapped?",
        "/api/mapped?/open",
        "/api/mapped?x=/../../open",
        "/api/mapped?%2e%2e/%2fopen",
        "/api/mapped?a;b//c%zz",
    ] {
        assert_eq!(app.get(path).await.status, 401, "{path}");
        assert_eq!(app.call("GET", path, "views").await.status, 200, "{path}");
    }
    assert_eq!(app.get("/open?/api/mapped").await.body, "", "not guarded");
    // An escaped question mark is a character of its segment.
    assert_eq!(app.get("/api/mapped%3Fx").await.body, "Unmapped");
}

#[tokio::test]
async fn m_05_forwarded_paths_mean_nothing() {
    let fields = [
        "x-forwarded-uri: /open",
        "x-original-uri: /open",
        "x-original-url: /open",
        "x-rewrite-url: /open",
        "x-forwarded-prefix: /open",
        "x-envoy-original-path: /open",
        "x-envoy-internal: true",
        "forwarded: for=127.0.0.1;host=localhost;proto=https",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: localhost",
    ];
    fields_mean_nothing("GET", "/api/mapped", None, &fields).await;
    fields_mean_nothing(
        "GET",
        "/api/unmapped",
        None,
        &["x-original-uri: /api/mapped"],
    )
    .await;
}

#[tokio::test]
async fn m_07_no_client_is_let_in_for_its_name() {
    let fields = [
        "user-agent: GoogleHC/1.0",
        "user-agent: kube-probe/1.31",
        "user-agent: ELB-HealthChecker/2.0",
        "user-agent: Googlebot/2.1",
        "from: postmaster@host.example",
        "referer: https://host.example/api/mapped",
        "origin: https://host.example",
    ];
    fields_mean_nothing("GET", "/api/mapped", None, &fields).await;
}

#[tokio::test]
async fn m_08_names_with_underscores_are_no_aliases() {
    let fields = [
        "x_forwarded_for: 127.0.0.1",
        "x_forwarded_uri: /open",
        "remote_user: alice",
        "http_authorization: Bearer views",
        "proxy_authorization: Bearer views",
    ];
    fields_mean_nothing("GET", "/api/mapped", None, &fields).await;
}

#[tokio::test]
async fn m_09_no_field_says_that_a_request_was_checked() {
    let fields = [
        "x-middleware-subrequest: middleware:middleware",
        "x-warden-access: granted",
        "warden: granted",
        "access: Granted",
        "grant: alice",
        "proxy-authorization: Bearer views",
        "x-auth-request-access-token: views",
        "x-original-authorization: Bearer views",
    ];
    fields_mean_nothing("GET", "/api/mapped", None, &fields).await;
}

#[tokio::test]
async fn m_10_who_asks_is_what_the_am_says_whatever_the_client_claims() {
    let world = world();
    let mut token = token_for("/api/mapped", &["view"]);
    token.subject = Some("bob".into());
    token.client_id = Some("printer".into());
    world.am.answer("bobs", Evidence::Active(token));
    let app = world.app();
    let head = request(
        "GET",
        "/api/mapped",
        &[
            ("authorization", "Bearer bobs"),
            ("x-user", "alice"),
            ("x-remote-user", "alice"),
            ("x-forwarded-user", "alice"),
            ("x-client-id", "another"),
        ],
    );
    let verdict = app.engine.judge(&RequestHead::of(&head)).await;
    let Verdict::Allow(Access::Granted(grant)) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(
        (grant.subject(), grant.client_id()),
        (Some("bob"), Some("printer"))
    );
    assert_eq!(grant.owner().as_str(), "alice");
    // Nor does a claim open the owner's door: that takes a typed extension.
    fields_mean_nothing(
        "GET",
        "/api/mapped",
        None,
        &["x-user: alice", "owner: alice"],
    )
    .await;
}

#[tokio::test]
async fn m_11_of_two_tokens_neither_is_chosen() {
    let world = world();
    let app = world.app();
    for pair in [
        ["Bearer views", "Bearer views"],
        ["Bearer views", "Bearer bad"],
        ["Bearer bad", "Bearer views"],
        ["Basic YTpi", "Bearer views"],
        ["Bearer views", "Basic YTpi"],
        ["Bearer views", ""],
    ] {
        let fields = pair.map(|value| ("authorization", value));
        let answer = app.send(request("GET", "/api/mapped", &fields)).await;
        assert_eq!((answer.status, answer.by_handler), (400, false), "{pair:?}");
    }
    let joined = [("authorization", "Bearer views, Bearer views")];
    let answer = app.send(request("GET", "/api/mapped", &joined)).await;
    assert_eq!(answer.status, 400);
    assert_eq!(world.am.verified(), 0);
}

#[tokio::test]
async fn m_12_a_value_that_is_no_text_does_not_open() {
    let world = world();
    let app = world.app();
    let send = async |name: &'static str, value: &[u8]| {
        let mut request = request("GET", "/api/mapped", &[]);
        let value = HeaderValue::from_bytes(value).unwrap();
        request
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
        app.send(request).await.status
    };
    for value in [
        &b"Bearer views\xff"[..],
        b"\xffBearer views",
        b"Bearer \xc3\xa9",
        b"Basic \xff",
    ] {
        assert_eq!(send("authorization", value).await, 400, "{value:?}");
    }
    assert_eq!(send("x-anything", b"\xff\xfe").await, 401);
    assert_eq!(world.am.verified(), 0);
}

#[tokio::test]
async fn m_13_a_token_that_is_there_is_not_yet_a_good_one() {
    let world = world();
    let app = world.app();
    for token in [
        "x",
        "views.",
        "view",
        "VIEWS",
        "null",
        "undefined",
        "e30.e30.e30",
    ] {
        let answer = app.call("GET", "/api/mapped", token).await;
        assert_eq!((answer.status, answer.by_handler), (401, false), "{token}");
    }
}

#[tokio::test]
async fn m_15_the_challenge_names_what_was_configured_whatever_is_forwarded() {
    let world = world();
    let app = world.app();
    let fields = [
        ("host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-port", "1"),
    ];
    let answer = app.send(request("GET", "/api/mapped", &fields)).await;
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(
        challenge.starts_with(r#"UMA realm="warden",as_uri="https://am.example","#),
        "{challenge}"
    );
}

#[tokio::test]
async fn m_16_the_host_field_chooses_no_map() {
    let fields = [
        "host: host.example",
        "host: HOST.example:443",
        "host: host.example.",
        "host: other.example",
        "host: localhost",
        "host: [::1]",
    ];
    fields_mean_nothing("GET", "/api/mapped", None, &fields).await;
    let world = world();
    let app = world.app();
    for target in ["http://evil/api/mapped", "http://user:pw@HOST/api/mapped"] {
        assert_eq!(app.get(target).await.status, 401, "{target}");
    }
}

#[tokio::test]
async fn m_19_early_data_is_judged_before_any_handler_runs() {
    fields_mean_nothing("GET", "/api/mapped", None, &["early-data: 1"]).await;
    fields_mean_nothing("PUT", "/api/mapped", Some("views"), &["early-data: 1"]).await;
}

#[tokio::test]
async fn m_20_a_preflight_carries_no_token_and_opens_nothing() {
    let world = world();
    let open = world.serve(&world.builder().pass_preflights().build().unwrap());
    let preflight = |method| {
        let fields = [
            ("origin", "https://app.example"),
            ("access-control-request-method", "GET"),
        ];
        request(method, "/api/mapped", &fields)
    };
    assert_eq!(world.app().send(preflight("OPTIONS")).await.status, 403);
    assert_eq!(open.send(preflight("OPTIONS")).await.status, 200);
    // The fields of a preflight make no other verb one.
    assert_eq!(open.send(preflight("GET")).await.status, 401);
    assert_eq!(open.send(preflight("PUT")).await.status, 401);
    assert_eq!(open.send(preflight("options")).await.status, 403);
}

#[tokio::test]
async fn m_21_what_outlives_its_request_learns_when_to_end() {
    let world = world();
    let mut token = token_for("/api/mapped", &["view", "edit"]);
    token.window.expires = Some(NOW as i64 + 5);
    world.am.answer("brief", Evidence::Active(token));
    let app = world.app();
    let head = request("GET", "/api/mapped", &[("authorization", "Bearer brief")]);
    let verdict = app.engine.judge(&RequestHead::of(&head)).await;
    let Verdict::Allow(Access::Granted(grant)) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(grant.expires(), Some(NOW as i64 + 5));
    world.clock.advance(Duration::from_secs(4));
    assert!(grant.require("edit").await.is_ok());
    world.clock.advance(Duration::from_secs(1));
    assert!(grant.require("edit").await.is_err());
}

#[tokio::test]
async fn m_22_a_token_stands_in_one_place() {
    let world = world();
    let app = world.app();
    for path in ["/api/mapped?access_token=views", "/api/mapped?token=views"] {
        assert_eq!(app.get(path).await.status, 401, "{path}");
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let mut posted = request("POST", "/api/mapped", &form);
    *posted.body_mut() = "access_token=edits".into();
    assert_eq!(app.send(posted).await.status, 401);
    let cookie = [("cookie", "access_token=views; authorization=Bearer views")];
    assert_eq!(
        app.send(request("GET", "/api/mapped", &cookie))
            .await
            .status,
        401
    );
    assert_eq!(world.am.verified(), 0);
    // One in the query does not make the one in the field less.
    let both = app
        .call("GET", "/api/mapped?access_token=bad", "views")
        .await;
    assert_eq!(both.status, 200);
}
