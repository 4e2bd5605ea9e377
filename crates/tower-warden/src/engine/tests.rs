//! Every status of the vocabulary, through the layer.

use std::time::Duration;

use proptest::prelude::*;

use crate::fake::*;
use crate::*;

#[tokio::test]
async fn a_path_that_no_guard_covers_passes_untouched() {
    let world = World::new();
    let app = world.app();
    for path in [
        "/",
        "/other",
        "/apis/mapped",
        "/search/a%2Fb",
        "/x//y",
        "/x%00",
        "/q;v=1",
    ] {
        let answer = app.get(path).await;
        assert_eq!(
            (answer.status, answer.by_handler, answer.body.as_str()),
            (200, true, ""),
            "{path}"
        );
        assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
    }
    assert_eq!((world.am.verified(), world.am.tickets()), (0, 0));
}

#[tokio::test]
async fn an_unmapped_path_gets_what_its_guard_says() {
    let world = World::new();
    let app = world.app();
    let passed = app.get("/api/unmapped").await;
    assert_eq!((passed.status, passed.body.as_str()), (200, "Unmapped"));
    assert_eq!(passed.header("cache-control"), Some("public, max-age=60"));
    // The bearer of an unmapped path may be the host's own business, however odd it looks.
    let own = app
        .send(request(
            "GET",
            "/api/unmapped",
            &[("authorization", "Bearer a b")],
        ))
        .await;
    assert_eq!(
        (own.status, own.header("saw-authorization")),
        (200, Some("Bearer a b"))
    );

    let denied = app.get("/api/private/x").await;
    assert_eq!(
        (denied.status, denied.by_handler, denied.reason().as_str()),
        (404, false, "unmapped_denied")
    );
    assert_eq!(denied.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn an_ambiguous_path_below_a_guard_is_400_whatever_is_mapped() {
    let world = World::new();
    let app = world.app();
    for path in [
        "/api//mapped",
        "//api/mapped",
        "/api/./mapped",
        "/api/x/../mapped",
        "/api/%2e%2e/api/mapped",
        "/x/../api/mapped",
        "/api/mapped%2Fx",
        "/api/mapped%5cx",
        "/api/mapped%00",
        "/api/%252e",
        "/api/mapped;v=1",
        "/api;v=1/mapped",
        "/x/..;/api/mapped",
        "/api/mapped%zz",
        "/api/mapped%ff",
        "/api/unmapped;v=1",
    ] {
        let answer = app.get(path).await;
        assert_eq!(
            (answer.status, answer.by_handler, answer.reason().as_str()),
            (400, false, "ambiguous_path"),
            "{path}"
        );
    }
    assert_eq!((world.am.verified(), world.am.tickets()), (0, 0));
}

#[tokio::test]
async fn a_semicolon_counts_where_an_owner_has_registered_it() {
    let world = World::new();
    world.maps.insert(map("/api/a;b").with_subtree(true));
    let app = world.app();
    assert_eq!(app.get("/api/a;b").await.status, 401);
    assert_eq!(app.get("/api/a%3Bb/c").await.status, 401);
    assert_eq!(app.get("/api/a;b/c;d").await.status, 400);
    assert_eq!(app.get("/api/a;c").await.status, 400);
}

#[tokio::test]
async fn equal_paths_reach_one_map_however_they_are_spelled() {
    let world = World::new();
    world.maps.insert(map("/api/al@x"));
    let app = world.app();
    for path in [
        "/api/al@x",
        "/api/al%40x",
        "/api/al%40x/",
        "/%61pi/al@x",
        "/api/%61l@x?q=/../y",
    ] {
        assert_eq!(app.get(path).await.status, 401, "{path}");
    }
    assert_eq!(app.get("/api/AL@x").await.body, "Unmapped");
}

#[tokio::test]
async fn a_request_without_a_token_gets_a_ticket_of_its_own() {
    let world = World::new();
    let app = world.app();
    let first = app.get("/api/mapped").await;
    assert_eq!(
        (first.status, first.by_handler, first.reason().as_str()),
        (401, false, "no_token")
    );
    let ticket = format!("{}ticket-0", warden_canary::MARK);
    let challenge = format!(r#"UMA realm="warden",as_uri="https://am.example",ticket="{ticket}""#);
    assert_eq!(first.header("www-authenticate"), Some(&*challenge));
    assert_eq!(first.header("cache-control"), Some("no-store"));
    assert_eq!(
        first.header("content-type"),
        Some("application/problem+json")
    );
    let other_scheme = app
        .send(request(
            "GET",
            "/api/tree/x",
            &[("authorization", "Basic YTpi")],
        ))
        .await;
    assert_eq!(
        (other_scheme.status, other_scheme.ticket()),
        (401, Some("ticket-1"))
    );
    let head = app.send(request("HEAD", "/api/mapped", &[])).await;
    assert_eq!((head.status, head.ticket()), (401, Some("ticket-2")));
}

#[tokio::test]
async fn tokens_elsewhere_than_in_the_authorization_field_are_not_seen() {
    let world = World::new();
    world.am.grant("good", "/api/mapped", &["view", "edit"]);
    let app = world.app();
    assert_eq!(app.get("/api/mapped?access_token=good").await.status, 401);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let mut posted = request("POST", "/api/mapped", &form);
    *posted.body_mut() = "access_token=good".into();
    assert_eq!(app.send(posted).await.status, 401);
    assert_eq!(world.am.verified(), 0);
}

#[tokio::test]
async fn a_malformed_or_repeated_authorization_is_400_on_a_mapped_path() {
    let world = World::new();
    let app = world.app();
    for value in ["Bearer", "Bearer a b", "Bearer  a", "Bearer a,b"] {
        let answer = app
            .send(request("GET", "/api/mapped", &[("authorization", value)]))
            .await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (400, "malformed_authorization"),
            "{value}"
        );
    }
    let twice = [("authorization", "Bearer a"), ("authorization", "Bearer a")];
    let answer = app.send(request("GET", "/api/mapped", &twice)).await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (400, "repeated_authorization")
    );
    assert_eq!((world.am.verified(), world.am.tickets()), (0, 0));
}

#[tokio::test]
async fn a_sufficient_token_is_let_through_with_its_grant() {
    let world = World::new();
    world.am.grant("good", "/api/mapped", &["view", "print"]);
    let app = world.app();
    for (method, hits) in [("GET", 1), ("HEAD", 1), ("GET", 1)] {
        let answer = app.call(method, "/api/mapped", "good").await;
        assert_eq!(
            (answer.status, answer.by_handler, world.am.verified()),
            (200, true, hits)
        );
        assert!(
            answer
                .body
                .contains(r#"resource_id: ResourceId("/api/mapped")"#),
            "{}",
            answer.body
        );
        assert!(answer.body.contains(r#"scopes: ["view", "print"]"#));
        assert_eq!(answer.header("cache-control"), Some("max-age=60, private"));
        assert_eq!(answer.header("vary"), Some("authorization"));
        assert_eq!(
            answer.header("saw-authorization"),
            None,
            "the token goes no further"
        );
    }
    let keeping = world.serve(&world.builder().keep_authorization().build().unwrap());
    let answer = keeping.call("GET", "/api/mapped", "good").await;
    let borne = format!("Bearer {}", token_of("good"));
    assert_eq!(answer.header("saw-authorization"), Some(&*borne));
}

#[tokio::test]
async fn an_inactive_or_insufficient_token_gets_a_ticket() {
    let world = World::new();
    world.am.grant("views", "/api/mapped", &["view"]);
    world.am.grant("elsewhere", "/api/other", &["view"]);
    world
        .am
        .answer("scopeless", Evidence::Active(ActiveToken::new(vec![])));
    let app = world.app();
    for (method, token, reason) in [
        ("GET", "unknown", "token_inactive"),
        ("PUT", "views", "insufficient_scope"),
        ("DELETE", "views", "insufficient_scope"),
        ("GET", "elsewhere", "insufficient_scope"),
        ("GET", "scopeless", "insufficient_scope"),
    ] {
        let answer = app.call(method, "/api/mapped", token).await;
        assert_eq!(
            (answer.status, answer.reason()),
            (401, reason.to_owned()),
            "{method} {token}"
        );
        assert!(answer.ticket().is_some());
    }
}

#[tokio::test]
async fn the_am_may_upgrade_the_same_token_in_place() {
    let world = World::new();
    world.am.grant("rpt", "/api/mapped", &["view"]);
    let app = world.app();
    assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 200);
    assert_eq!(app.call("PUT", "/api/mapped", "rpt").await.status, 401);
    world.am.grant("rpt", "/api/mapped", &["view", "edit"]);
    assert_eq!(app.call("PUT", "/api/mapped", "rpt").await.status, 200);
}

#[tokio::test]
async fn tokens_that_are_not_for_this_host_or_not_to_be_borne_are_refused() {
    let world = World::new();
    let am = Am::new(
        uma_client::Issuer::parse("https://am.example").unwrap(),
        Audience::Expect("host".into()),
    );
    world
        .maps
        .insert(map_at("/api/mapped", "alice", &std::sync::Arc::new(am)));
    let app = world.app();
    let token = |change: fn(&mut ActiveToken)| {
        let mut token = token_for("/api/mapped", &["view"]);
        token.audience = vec!["host".into(), "another".into()];
        token.issuer = Some("https://am.example".into());
        change(&mut token);
        Evidence::Active(token)
    };
    type Case = (fn(&mut ActiveToken), u16, &'static str);
    let changes: [Case; 8] = [
        (|_| {}, 200, ""),
        (|token| token.issuer = None, 200, ""),
        (
            |token| token.issuer = Some("https://am.example/".into()),
            401,
            "foreign_issuer",
        ),
        (
            |token| token.audience = vec!["another".into()],
            401,
            "foreign_audience",
        ),
        (|token| token.audience.clear(), 401, "foreign_audience"),
        (|token| token.bound = true, 401, "proof_required"),
        (
            |token| token.window.expires = Some(NOW as i64),
            401,
            "token_expired",
        ),
        (
            |token| token.window.not_before = Some(NOW as i64 + 31),
            401,
            "token_not_yet_valid",
        ),
    ];
    for (number, (change, status, reason)) in changes.into_iter().enumerate() {
        let name = format!("token{number}");
        world.am.answer(&name, token(change));
        let answer = app.call("GET", "/api/mapped", &name).await;
        assert_eq!(answer.status, status, "{reason}");
        if status != 200 {
            assert_eq!(answer.reason(), reason);
        }
    }
}

#[tokio::test]
async fn a_verb_without_a_scope_is_403_and_costs_the_am_nothing() {
    let world = World::new();
    world
        .am
        .grant("good", "/api/mapped", &["view", "edit", "delete"]);
    let app = world.app();
    for method in ["OPTIONS", "TRACE", "PURGE", "get", "PROPFIND"] {
        for answer in [
            app.send(request(method, "/api/mapped", &[])).await,
            app.call(method, "/api/mapped", "good").await,
        ] {
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (403, "uncovered_verb"),
                "{method}"
            );
            assert_eq!(answer.header("www-authenticate"), None);
            assert_eq!(answer.header("warning"), None);
        }
    }
    assert_eq!((world.am.verified(), world.am.tickets()), (0, 0));
}

#[tokio::test]
async fn a_preflight_passes_only_where_the_host_said_so() {
    let world = World::new();
    let preflight = || {
        let fields = [
            ("origin", "https://app.example"),
            ("access-control-request-method", "PUT"),
        ];
        request("OPTIONS", "/api/mapped", &fields)
    };
    assert_eq!(world.app().send(preflight()).await.status, 403);
    let open = world.serve(&world.builder().pass_preflights().build().unwrap());
    assert_eq!(open.send(preflight()).await.status, 200);
    assert_eq!(
        open.send(request("OPTIONS", "/api/mapped", &[]))
            .await
            .status,
        403
    );
    let half = request(
        "OPTIONS",
        "/api/mapped",
        &[("origin", "https://app.example")],
    );
    assert_eq!(open.send(half).await.status, 403);
}

#[tokio::test]
async fn override_and_forwarded_headers_mean_nothing() {
    let world = World::new();
    world.am.grant("views", "/api/mapped", &["view"]);
    let app = world.app();
    let fields = [
        ("authorization", "Bearer views"),
        ("x-http-method-override", "GET"),
        ("x-forwarded-uri", "/other"),
        ("x-original-url", "/other"),
        ("x-forwarded-method", "GET"),
    ];
    assert_eq!(
        app.send(request("PUT", "/api/mapped", &fields))
            .await
            .status,
        401
    );
    assert_eq!(
        app.send(request("GET", "/api/mapped", &fields))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn the_owner_has_a_door_of_her_own() {
    let world = World::new();
    world
        .maps
        .insert(map("/api/lost").with_state(MapState::Lost));
    let app = world.app();
    let as_user = |method, path, who| {
        let mut request = request(method, path, &[]);
        request.extensions_mut().insert(SignedIn(who));
        request
    };
    for (method, path) in [
        ("GET", "/api/mapped"),
        ("PROPFIND", "/api/mapped"),
        ("GET", "/api/lost"),
    ] {
        let answer = app.send(as_user(method, path, "alice")).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, r#"Owner(OwnerId("alice"))"#)
        );
        assert_eq!(answer.header("cache-control"), Some("max-age=60, private"));
    }
    assert_eq!(
        app.send(as_user("GET", "/api/mapped", "bob")).await.status,
        401
    );
    assert_eq!(
        app.send(as_user("GET", "/api//mapped", "alice"))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_map_that_is_not_active_denies() {
    let world = World::new();
    let app = world.app();
    world.am.grant("good", "/api/mapped", &["view"]);
    for state in [MapState::Pending, MapState::Suspect, MapState::Lost] {
        world.maps.insert(map("/api/mapped").with_state(state));
        for answer in [
            app.get("/api/mapped").await,
            app.call("GET", "/api/mapped", "good").await,
        ] {
            assert_eq!(
                (answer.status, answer.reason()),
                (403, format!("map_{}", state.as_str()))
            );
            assert_eq!(
                answer.header("warning"),
                Some(r#"199 - "UMA Authorization Server Unreachable""#)
            );
        }
    }
    assert_eq!((world.am.verified(), world.am.tickets()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn trouble_with_the_am_is_told_as_that_and_never_opens() {
    for trouble in [Trouble::Unreachable, Trouble::Hangs, Trouble::Panics] {
        let world = World::new();
        world.am.grant("good", "/api/mapped", &["view"]);
        let app = world.app();
        world.am.fail_verify(Some(trouble));
        let unknown = app.call("GET", "/api/mapped", "good").await;
        assert_eq!(unknown.status, 503);
        assert_eq!(
            unknown.header("warning"),
            Some(r#"199 - "UMA Authorization Server Unreachable""#)
        );
        assert_eq!(unknown.header("www-authenticate"), None);
        assert!(unknown.header("retry-after").is_some());

        if !matches!(trouble, Trouble::Panics) {
            world.am.fail_tickets(Some(trouble));
            let no_ticket = app.get("/api/mapped").await;
            assert_eq!(no_ticket.status, 403);
            assert_eq!(
                no_ticket.header("warning"),
                Some(r#"199 - "UMA Authorization Server Unreachable""#)
            );
            assert_eq!(no_ticket.header("www-authenticate"), None);
        }

        world.am.fail_verify(None);
        world.am.fail_tickets(None);
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(
            app.call("GET", "/api/mapped", "good").await.status,
            200,
            "it recovers by itself"
        );
    }
}

#[tokio::test]
async fn an_outage_is_not_kept_and_a_fresh_answer_outlives_it() {
    let world = World::new();
    world.am.grant("good", "/api/mapped", &["view"]);
    let app = world.app();
    assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 200);
    world.am.fail_verify(Some(Trouble::Unreachable));
    assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 200);
    world.clock.advance(Duration::from_secs(11));
    assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 503);
    world.am.fail_verify(None);
    assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 200);
}

#[tokio::test]
async fn a_ticket_that_cannot_stand_in_a_challenge_is_as_good_as_none() {
    let world = World::new();
    let app = world.app();
    for ticket in [
        "a\"b",
        "a\r\nset-cookie: x",
        "a\\b",
        "é",
        &"x".repeat(5000),
        " ",
    ] {
        world.am.give_ticket(ticket);
        let answer = app.get("/api/mapped").await;
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (403, None),
            "{ticket:?}"
        );
        assert_eq!(
            answer.header("warning"),
            Some(r#"199 - "UMA Authorization Server Unreachable""#)
        );
    }
}

/// Maps that have to be fetched, and that may fail.
struct Fetched(Option<MemoryMaps>);

impl ResourceMaps for Fetched {
    fn find(&self, target: &Target<'_>) -> Lookup {
        let found = match &self.0 {
            Some(maps) => match maps.find(target) {
                Lookup::Ready(found) => found,
                Lookup::Later(_) => unreachable!(),
            },
            None => Err(LookupError::new("the store is away")),
        };
        Lookup::Later(Box::pin(async {
            tokio::task::yield_now().await;
            found
        }))
    }
}

#[tokio::test]
async fn maps_may_be_fetched_and_may_fail() {
    let world = World::new();
    world.am.grant("good", "/api/mapped", &["view"]);
    let fetching = world.serve(
        &world
            .builder()
            .maps(Fetched(Some(world.maps.clone())))
            .build()
            .unwrap(),
    );
    assert_eq!(
        fetching.call("GET", "/api/mapped", "good").await.status,
        200
    );
    assert_eq!(fetching.get("/api/mapped").await.status, 401);
    assert_eq!(fetching.get("/api/unmapped").await.body, "Unmapped");
    let failing = world.serve(&world.builder().maps(Fetched(None)).build().unwrap());
    for path in ["/api/mapped", "/api/unmapped", "/api/private/x"] {
        let answer = failing.get(path).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (503, "maps_unavailable")
        );
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(failing.get("/other").await.status, 200);
}

#[tokio::test]
async fn shadow_passes_everything_and_asks_for_no_ticket() {
    let world = World::new();
    let layer = world
        .builder()
        .guard_in_mode("/api/tree", Unmapped::Pass, Mode::Shadow)
        .build()
        .unwrap();
    let app = world.serve(&layer);
    for answer in [
        app.get("/api/tree/x").await,
        app.call("GET", "/api/tree/x", "unknown").await,
    ] {
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    }
    until(|| world.am.verified() > 0).await;
    assert_eq!(world.am.tickets(), 0);
    // Some reading of it lies below the guard that enforces.
    assert_eq!(app.get("/api/tree/a%2Fb").await.status, 400);
    assert_eq!(app.get("/api/mapped").await.status, 401);
    let path = |raw| CanonicalPath::parse(raw).unwrap();
    assert!(!app.engine.enforces(&path("/api/tree/x"), false));
    assert!(app.engine.enforces(&path("/api/mapped"), true));
}

#[tokio::test]
async fn tokens_of_one_am_or_owner_open_nothing_of_another() {
    let world = World::new();
    let other = am("https://other.example");
    world
        .maps
        .insert(map_at("/api/bobs", "bob", &am("https://am.example")));
    let mut theirs = map_at("/api/mapped2", "alice", &other);
    // Ids are unique only within an AM.
    theirs = ResourceMap::new(
        CanonicalPath::parse("/api/mapped2").unwrap(),
        theirs.owner().clone(),
        other.clone(),
        uma_client::ResourceId::parse("/api/mapped").unwrap(),
        theirs.scopes().clone(),
    );
    world.maps.insert(theirs);
    let app = world.app();
    let mut token = token_for("/api/mapped", &["view"]);
    token.issuer = Some("https://am.example".into());
    world.am.answer("rpt", Evidence::Active(token));
    assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 200);
    assert_eq!(app.call("GET", "/api/bobs", "rpt").await.status, 401);
    let elsewhere = app.call("GET", "/api/mapped2", "rpt").await;
    assert_eq!(elsewhere.status, 401);
    assert!(
        elsewhere
            .header("www-authenticate")
            .unwrap()
            .contains(r#"as_uri="https://other.example""#)
    );
}

#[tokio::test]
async fn tokens_do_not_travel_to_strangers() {
    use base64::Engine as _;
    let world = World::new();
    let other = am("https://other.example");
    world.maps.insert(map_at("/api/theirs", "bob", &other));
    let app = world.app();
    // A token that was confirmed at one AM is not shown to another.
    world.am.grant("rpt", "/api/mapped", &["view"]);
    assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 200);
    let kept = app.call("GET", "/api/theirs", "rpt").await;
    assert_eq!(
        (kept.status, kept.reason().as_str()),
        (401, "token_of_another_am")
    );
    // Nor is a JWT that says whose it is.
    let claims =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"iss":"https://am.example"}"#);
    let jwt = format!("e30.{claims}.c2ln");
    let kept = app.call("GET", "/api/theirs", &jwt).await;
    assert_eq!(
        (kept.status, kept.reason().as_str()),
        (401, "token_of_another_am")
    );
    assert_eq!(world.am.verified(), 1);
    assert_eq!(
        app.call("GET", "/api/mapped", &jwt).await.reason(),
        "token_inactive"
    );
    assert_eq!(world.am.verified(), 2);
}

#[tokio::test]
async fn a_source_that_asks_too_much_is_429_and_no_other_is() {
    let world = World::new();
    let app = world.serve(
        &world
            .builder()
            .source_budget(Rate::new(1, 2))
            .build()
            .unwrap(),
    );
    world.am.grant("good", "/api/mapped", &["view"]);
    let from = |peer: &str, token: Option<&str>| {
        let mut request = request("GET", "/api/mapped", &[]);
        request
            .extensions_mut()
            .insert(Peer::new(peer.parse().unwrap()));
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        request
    };
    assert_eq!(app.send(from("192.0.2.1", Some("good"))).await.status, 200);
    assert_eq!(app.send(from("192.0.2.1", None)).await.status, 401);
    for token in [None, Some("new")] {
        let busy = app.send(from("192.0.2.1", token)).await;
        assert_eq!((busy.status, busy.reason().as_str()), (429, "source_busy"));
        assert_eq!(busy.header("retry-after"), Some("1"));
        assert_eq!(busy.header("www-authenticate"), None);
    }
    assert_eq!(
        app.send(from("192.0.2.1", Some("good"))).await.status,
        200,
        "a kept answer costs nothing"
    );
    assert_eq!(app.send(from("192.0.2.2", None)).await.status, 401);
    assert_eq!(
        app.get("/api/mapped").await.status,
        401,
        "without a peer the budget does not apply"
    );
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(app.send(from("192.0.2.1", None)).await.status, 401);
}

#[tokio::test]
async fn an_explanation_is_what_enforcement_does() {
    let world = World::new();
    world.maps.insert(map("/api").with_subtree(true));
    world.maps.insert(map("/api/tree/twig"));
    world.am.grant("views", "/api/tree", &["view"]);
    let app = world.app();
    for (method, path, token, reason) in [
        ("GET", "/api/tree/twig/x", Some("views"), "granted"),
        (
            "PUT",
            "/api/tree/twig/x",
            Some("views"),
            "insufficient_scope",
        ),
        ("GET", "/api/tree/x", None, "no_token"),
        ("GET", "/api/tree//x", None, "ambiguous_path"),
        ("PURGE", "/api/tree/x", None, "uncovered_verb"),
        ("GET", "/elsewhere", None, "not_guarded"),
    ] {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let fields: Vec<_> = bearer
            .iter()
            .map(|value| ("authorization", value.as_str()))
            .collect();
        let explained = app
            .engine
            .explain(&RequestHead::of(&request(method, path, &fields)))
            .await;
        assert_eq!(explained.reason.code(), reason);
        let enforced = app.send(request(method, path, &fields)).await;
        assert_eq!(enforced.by_handler, explained.allowed, "{method} {path}");
        if !enforced.by_handler {
            assert_eq!(enforced.reason(), reason);
        }
    }
    let head = request(
        "PUT",
        "/api/tree/twig/x",
        &[("authorization", "Bearer views")],
    );
    let explained = app.engine.explain(&RequestHead::of(&head)).await;
    assert_eq!(explained.matched.as_ref().unwrap().key(), "/api/tree");
    let lost: Vec<_> = explained.lost.iter().map(|map| map.key()).collect();
    assert_eq!(lost, ["/api/tree/twig", "/api"]);
    assert_eq!(explained.answer.as_ref().unwrap().scopes, ["view"]);
    let text = explained.to_string();
    assert!(
        text.contains("decision: challenge (insufficient_scope, mode enforce, status 401)"),
        "{text}"
    );
    assert!(!text.contains("views"), "no token: {text}");
}

#[derive(Clone, Default)]
struct Kept(std::sync::Arc<std::sync::Mutex<Vec<DecisionRecord>>>);

impl AuditSink for Kept {
    async fn record(&self, decision: DecisionRecord) {
        self.0.lock().unwrap().push(decision);
    }
}

/// A sink that never ends keeping its first decision.
struct Stuck;

impl AuditSink for Stuck {
    async fn record(&self, _: DecisionRecord) {
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn decisions_are_kept_and_hold_nothing_up() {
    let world = World::new();
    let kept = Kept::default();
    let mut token = token_for("/api/mapped", &["view"]);
    token.subject = Some("bob".into());
    token.client_id = Some("printer".into());
    world.am.answer("secret-token", Evidence::Active(token));
    let app = world.serve(&world.builder().audit(kept.clone(), 100).build().unwrap());
    app.call("GET", "/api/mapped", "secret-token").await;
    app.call("PUT", "/api/mapped?x=secret-query", "secret-token")
        .await;
    app.get("/api/unmapped").await;
    app.get("/elsewhere").await;
    until(|| kept.0.lock().unwrap().len() >= 3).await;
    let records = kept.0.lock().unwrap().clone();
    let brief: Vec<_> = records
        .iter()
        .map(|record| {
            (
                record.method.as_str(),
                record.path.as_str(),
                record.allowed,
                record.reason.code(),
                record.subject.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        brief,
        [
            ("GET", "/api/mapped", true, "granted", Some("bob")),
            (
                "PUT",
                "/api/mapped",
                false,
                "insufficient_scope",
                Some("bob")
            ),
            ("GET", "/api/unmapped", true, "unmapped", None),
        ]
    );
    assert_eq!(records[0].client_id.as_deref(), Some("printer"));
    assert_eq!(records[0].token, records[1].token);
    assert!(!format!("{records:?}").contains("secret-"), "{records:?}");

    let stuck = world.serve(&world.builder().audit(Stuck, 3).build().unwrap());
    for _ in 0..10 {
        assert_eq!(stuck.get("/api/unmapped").await.status, 200);
        tokio::task::yield_now().await;
    }
    assert_eq!(
        stuck.engine.audit_dropped(),
        6,
        "one is being kept, three wait"
    );
}

#[tokio::test]
async fn a_hook_changes_bodies_and_neither_status_nor_challenge() {
    let world = World::new();
    let layer = world
        .builder()
        .on_reject(|rejection| {
            let value = || http::HeaderValue::from_static("none");
            assert!(rejection.add_header(http::HeaderName::from_static("x-help"), value()));
            for kept in [
                "www-authenticate",
                "cache-control",
                "warning",
                "retry-after",
                "content-length",
            ] {
                assert!(!rejection.add_header(http::HeaderName::from_static(kept), value()));
            }
            let text = format!("{} {}", rejection.status(), rejection.reason().code());
            rejection.set_body(http::HeaderValue::from_static("text/plain"), text);
        })
        .build()
        .unwrap();
    let app = world.serve(&layer);
    let refused = app.get("/api/mapped").await;
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (401, "401 Unauthorized no_token")
    );
    assert!(refused.ticket().is_some());
    assert_eq!(refused.header("cache-control"), Some("no-store"));
    assert_eq!(
        (refused.header("x-help"), refused.header("content-type")),
        (Some("none"), Some("text/plain"))
    );
}

#[tokio::test]
async fn a_guarded_path_behind_a_rewrite_is_not_passed() {
    let world = World::new();
    let app = world.serve(
        &WardenLayer::builder()
            .maps(world.maps.clone())
            .protection(world.am.clone())
            .guard("/api", Unmapped::Pass)
            .build()
            .unwrap(),
    );
    for original in [
        "/friendly/alice",
        "/v1/api/mapped",
        "/x//y",
        "/api/x/api/mapped",
    ] {
        let mut rewritten = request("GET", "/api/mapped", &[]);
        let original = axum::extract::OriginalUri(original.parse().unwrap());
        rewritten.extensions_mut().insert(original);
        let answer = app.send(rewritten).await;
        assert_eq!((answer.status, answer.by_handler), (400, false));
    }
}

#[tokio::test]
async fn a_handler_that_keeps_its_grant_learns_when_it_has_ended() {
    let world = World::new();
    world.am.grant("good", "/api/mapped", &["view", "edit"]);
    let app = world.app();
    let granted = async || {
        let head = request("GET", "/api/mapped", &[("authorization", "Bearer good")]);
        match app.engine.judge(&RequestHead::of(&head)).await {
            Verdict::Allow(Access::Granted(grant)) => grant,
            other => panic!("{other:?}"),
        }
    };
    let grant = granted().await;
    assert!(grant.require("edit").await.is_ok());
    assert!(grant.require("delete").await.is_err());
    let grant = granted().await;
    app.engine.purge(Purge::Everything);
    assert!(grant.require("edit").await.is_err());
    let grant = granted().await;
    world.clock.advance(Duration::from_secs(11));
    assert!(grant.require("edit").await.is_err());
}

#[tokio::test]
async fn nothing_that_is_shown_holds_a_secret() {
    let world = World::new();
    let head = request("GET", "/api/mapped", &[("authorization", "Bearer canary")]);
    let shown = format!("{:?}", RequestHead::of(&head));
    assert!(!shown.contains("canary"), "{shown}");
    world.am.give_ticket("canary");
    let app = world.app();
    let verdict = app.engine.judge(&RequestHead::of(&head)).await;
    let shown = format!("{verdict:?}");
    assert!(
        shown.contains("NoToken") || shown.contains("Inactive"),
        "{shown}"
    );
    assert!(!shown.contains("canary"), "{shown}");
}

/// Maps that never come.
struct Lost;

impl ResourceMaps for Lost {
    fn find(&self, _: &Target<'_>) -> Lookup {
        Lookup::Later(Box::pin(std::future::pending()))
    }
}

#[tokio::test(start_paused = true)]
async fn maps_that_never_come_are_not_waited_for() {
    let world = World::new();
    let app = world.serve(&world.builder().maps(Lost).build().unwrap());
    let answer = app.get("/api/mapped").await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (503, "maps_unavailable")
    );
}

fn any_path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("api".to_owned()),
        Just("mapped".to_owned()),
        Just("tree".to_owned()),
        Just("..".to_owned()),
        Just("%2e%2e".to_owned()),
        Just(String::new()),
        Just("%61pi".to_owned()),
        Just("api;x".to_owned()),
        Just("..;".to_owned()),
        Just("%2f".to_owned()),
        Just("\\..\\".to_owned()),
        "[a-z%2efF;.]{0,5}",
    ];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| format!("/{}", pieces.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever the spelling: a tokenless request reaches the handler only if its one reading is not mapped.
    #[test]
    fn nothing_talks_its_way_past(path in any_path()) {
        let world = World::new();
        let app = world.app();
        let Ok(uri) = path.parse::<http::Uri>() else { return Ok(()) };
        let Some(raw) = uri.path_and_query().map(|_| uri.path().to_owned()) else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let answer = runtime.block_on(app.get(&path));
        let decoded = percent_encoding::percent_decode_str(&raw).decode_utf8_lossy().into_owned();
        let mapped = decoded.trim_end_matches('/') == "/api/mapped" || decoded == "/api/tree" || decoded.starts_with("/api/tree/");
        if answer.by_handler {
            prop_assert!(!mapped, "{path}");
        }
    }
}
