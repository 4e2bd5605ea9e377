//! Tests: paths of one host whose AMs speak different dialects, through the layer.

use std::sync::Arc;
use std::time::Duration;

use uma_client::{Dialect, Issuer};

use crate::fake::*;
use crate::*;

const OLD: &str = r#"UMA realm="warden",host_id="photos.example",am_uri="https://am2012.example""#;

/// `/api/mapped` at an AM of UMA 2.0, `/api/old` at one of 2012.
fn world() -> World {
    let world = World::new();
    let issuer = Issuer::parse("https://am2012.example").unwrap();
    let am = Am::new(issuer, Audience::NotChecked).with_dialect(Dialect::Draft03);
    world
        .maps
        .insert(map_at("/api/old", "alice", &Arc::new(am)));
    world
}

fn app(world: &World) -> App {
    world.serve(&builder(world).build().unwrap())
}

fn builder(world: &World) -> WardenBuilder {
    world.builder().host_id("photos.example")
}

#[tokio::test]
async fn each_path_is_refused_in_the_dialect_of_its_am() {
    let world = world();
    let app = app(&world);
    let new = app.get("/api/mapped").await;
    assert_eq!(new.status, 401);
    assert!(new.header("www-authenticate").unwrap().contains("as_uri="));
    assert_eq!(world.am.tickets(), 1);

    // No token: 401, and the AM is not asked for a ticket.
    let old = app.get("/api/old").await;
    assert_eq!(
        (old.status, old.header("www-authenticate")),
        (401, Some(OLD))
    );
    assert_eq!(old.reason(), "no_token");
    // A token that is no good: the same.
    let old = app.call("GET", "/api/old", "unknown").await;
    assert_eq!(
        (old.status, old.header("www-authenticate")),
        (401, Some(OLD))
    );
    assert_eq!(world.am.tickets(), 1);

    // Good and too weak: 403, the ticket in header and body.
    world.am.grant("weak", "/api/old", &["edit"]);
    world.am.give_ticket("t-1");
    let old = app.call("GET", "/api/old", "weak").await;
    assert_eq!(old.status, 403);
    assert_eq!(
        old.header("www-authenticate").unwrap(),
        format!(r#"{OLD},ticket="t-1""#)
    );
    assert_eq!(old.body, r#"{"ticket":"t-1"}"#);
    assert_eq!(
        old.header("content-type"),
        Some("application/uma-permission-ticket+json")
    );
    assert_eq!(old.header("cache-control"), Some("no-store"));
    assert_eq!(world.am.tickets(), 2);

    // The ticket forgets what was known of the token: an upgrade of it counts at once.
    world.am.grant("weak", "/api/old", &["view"]);
    assert_eq!(app.call("GET", "/api/old", "weak").await.status, 200);
}

/// A token that names no permission at all is good, and earns a ticket.
#[tokio::test]
async fn a_requesters_own_token_is_too_weak_not_bad() {
    let world = world();
    let app = app(&world);
    world
        .am
        .answer("own", Evidence::Active(ActiveToken::new(Vec::new())));
    assert_eq!(app.call("GET", "/api/old", "own").await.status, 403);
    let mut bound = ActiveToken::new(Vec::new());
    bound.bound = true;
    world.am.answer("bound", Evidence::Active(bound));
    assert_eq!(app.call("GET", "/api/old", "bound").await.status, 401);
}

/// Without the host's name the challenge can't be written: closed, and said so in the log.
#[tokio::test]
async fn a_host_without_a_name_stays_closed() {
    let world = world();
    let app = world.serve(&world.builder().build().unwrap());
    let answer = app.get("/api/old").await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.header("www-authenticate"), None);
    assert!(answer.header("warning").is_some());
}

#[tokio::test]
async fn an_old_place_for_the_token_needs_dialect_and_opt_in() {
    let world = world();
    let strict = app(&world);
    let lenient = world.serve(&builder(&world).accept_legacy_tokens().build().unwrap());
    world.am.grant("good", "/api/old", &["view"]);
    world.am.grant("good", "/api/mapped", &["view"]);
    let legacy = |path: &str| request("GET", path, &[("www-authenticate", "Bearer good")]);
    assert_eq!(strict.send(legacy("/api/old")).await.status, 401);
    assert_eq!(lenient.send(legacy("/api/mapped")).await.status, 401);
    world.am.grant("good", "/api/old", &["view"]);
    let granted = lenient.send(legacy("/api/old")).await;
    assert_eq!((granted.status, granted.by_handler), (200, true));
    assert_eq!(lenient.call("GET", "/api/old", "good").await.status, 200);
    for fields in [
        &[
            ("authorization", "Bearer good"),
            ("www-authenticate", "Bearer good"),
        ][..],
        &[("www-authenticate", "Bearer good, Bearer bad")],
        &[
            ("www-authenticate", "Bearer good"),
            ("www-authenticate", "Bearer good"),
        ],
    ] {
        assert_eq!(
            lenient
                .send(request("GET", "/api/old", fields))
                .await
                .status,
            400
        );
    }
}

/// The AM's freshness shortens the life of an answer, and never lengthens it.
#[tokio::test]
async fn answers_live_no_longer_than_the_am_says() {
    for (fresh, after, asked) in [
        (Some(3), 2, 1),
        (Some(3), 4, 2),
        (Some(0), 0, 2),
        (Some(3600), 9, 1),
        (Some(3600), 11, 2),
        (None, 9, 1),
    ] {
        let world = world();
        let app = app(&world);
        let mut token = token_for("/api/old", &["view"]);
        token.fresh_for = fresh.map(Duration::from_secs);
        world.am.answer("good", Evidence::Active(token));
        assert_eq!(app.call("GET", "/api/old", "good").await.status, 200);
        world.clock.advance(Duration::from_secs(after));
        assert_eq!(app.call("GET", "/api/old", "good").await.status, 200);
        assert_eq!(world.am.verified(), asked, "{fresh:?} {after}");
    }
}
