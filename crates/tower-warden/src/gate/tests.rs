//! What reaches an AM, however many ask.

use std::time::Duration;

use crate::fake::*;
use crate::*;

#[tokio::test]
async fn random_tokens_cost_no_more_than_the_budget_and_lock_nobody_out() {
    let world = World::new();
    world.am.grant("good", "/api/mapped", &["view"]);
    let limits = GateLimits::default()
        .with_new_tokens(Rate::new(10, 20))
        .with_anonymous_tickets(Rate::new(5, 5));
    let app = world.serve(&world.builder().gate(limits).build().unwrap());
    assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 200);
    let mut statuses = std::collections::BTreeMap::new();
    for number in 0..1000 {
        let answer = app
            .call("GET", "/api/mapped", &format!("random{number}"))
            .await;
        *statuses.entry(answer.status).or_insert(0) += 1;
        assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 200);
    }
    // 20 were asked about; 3 of them got a ticket; for all others it is unknown what they are worth.
    assert_eq!(statuses, [(401, 3), (403, 17), (503, 980)].into());
    assert_eq!(world.am.verified(), 21);
    let barred = app.call("GET", "/api/mapped", "another").await;
    assert_eq!(
        (barred.reason().as_str(), barred.header("retry-after")),
        ("am_busy", Some("1"))
    );
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(app.call("GET", "/api/mapped", "another").await.status, 401);
}

#[tokio::test]
async fn good_tokens_spend_nothing_of_the_budget() {
    let world = World::new();
    let limits = GateLimits::default().with_new_tokens(Rate::new(0, 1));
    let app = world.serve(&world.builder().gate(limits).build().unwrap());
    for number in 0..100 {
        let token = format!("good{number}");
        world.am.grant(&token, "/api/mapped", &["view"]);
        assert_eq!(app.call("GET", "/api/mapped", &token).await.status, 200);
    }
}

#[tokio::test]
async fn anonymous_tickets_have_a_budget_of_their_own() {
    let world = World::new();
    world.am.grant("views", "/api/mapped", &["view"]);
    let limits = GateLimits::default().with_anonymous_tickets(Rate::new(0, 3));
    let app = world.serve(&world.builder().gate(limits).build().unwrap());
    // The last unit is left to an owner who may come.
    for status in [401, 401, 403, 403] {
        assert_eq!(app.get("/api/mapped").await.status, status);
    }
    assert_eq!(world.am.tickets(), 2);
    let crowded = app.get("/api/mapped").await;
    assert_eq!(crowded.header("retry-after"), Some("1"));
    assert_eq!(app.call("PUT", "/api/mapped", "views").await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn a_slow_am_holds_up_neither_its_queue_nor_another_am() {
    let world = World::new();
    let limits = GateLimits::default().with_concurrency(4);
    world
        .maps
        .insert(map_at("/api/theirs", "bob", &am("https://other.example")));
    let app = world.serve(&world.builder().gate(limits).build().unwrap());
    world.am.fail_verify(Some(Trouble::Hangs));
    let stuck: Vec<_> = (0..2)
        .map(|number| {
            let app = app.clone();
            tokio::spawn(async move {
                app.call("GET", "/api/mapped", &format!("stuck{number}"))
                    .await
            })
        })
        .collect();
    until(|| world.am.verified() >= 2).await;
    world.am.fail_verify(None);
    world.am.grant("good", "/api/theirs", &["view"]);
    let queued = app.call("GET", "/api/mapped", "third").await;
    assert_eq!((queued.status, queued.reason().as_str()), (503, "am_busy"));
    assert_eq!(app.call("GET", "/api/theirs", "good").await.status, 200);
    for request in stuck {
        let answer = request.await.unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (503, "am_unavailable")
        );
    }
    world.am.grant("third", "/api/mapped", &["view"]);
    assert_eq!(
        app.call("GET", "/api/mapped", "third").await.status,
        200,
        "the turns came back"
    );
}

#[tokio::test]
async fn an_am_that_fails_again_and_again_is_left_alone_and_tried_once() {
    let world = World::new();
    let app = world.app();
    world.am.fail_verify(Some(Trouble::Unreachable));
    for number in 0..50 {
        assert_eq!(
            app.call("GET", "/api/mapped", &format!("t{number}"))
                .await
                .status,
            503
        );
    }
    assert_eq!(world.am.verified(), 5);
    let open = app.get("/api/mapped").await;
    assert_eq!((open.status, open.header("retry-after")), (403, Some("1")));
    world.clock.advance(Duration::from_secs(1));
    world.am.fail_verify(None);
    world.am.grant("good", "/api/mapped", &["view"]);
    assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 200);
    assert_eq!(app.get("/api/mapped").await.status, 401);
}

#[tokio::test]
async fn those_who_are_in_stay_in_during_a_flood() {
    let world = World::new();
    world.am.grant("good", "/api/mapped", &["view"]);
    let limits = GateLimits::default().with_new_tokens(Rate::new(0, 3));
    let app = world.serve(&world.builder().gate(limits).build().unwrap());
    assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 200);
    for number in 0..10 {
        app.call("GET", "/api/mapped", &format!("random{number}"))
            .await;
    }
    for _ in 0..30 {
        world.clock.advance(Duration::from_secs(11));
        assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn strangers_hold_no_more_than_half_of_the_turns() {
    let world = World::new();
    world.am.grant("good", "/api/mapped", &["view"]);
    let limits = GateLimits::default().with_concurrency(4);
    let app = world.serve(&world.builder().gate(limits).build().unwrap());
    assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 200);
    world.am.fail_verify(Some(Trouble::Hangs));
    let strangers: Vec<_> = (0..20)
        .map(|number| {
            let app = app.clone();
            tokio::spawn(async move { app.call("GET", "/api/mapped", &format!("r{number}")).await })
        })
        .collect();
    until(|| world.am.verified() >= 3).await;
    world.am.fail_verify(None);
    world.clock.advance(Duration::from_secs(11));
    assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 200);
    for stranger in strangers {
        assert_eq!(stranger.await.unwrap().status, 503);
    }
}

#[tokio::test]
async fn an_am_that_answers_junk_is_asked_no_more_than_the_budget_allows() {
    let world = World::new();
    let limits = GateLimits::default().with_new_tokens(Rate::new(0, 20));
    let app = world.serve(&world.builder().gate(limits).build().unwrap());
    world.am.fail_verify(Some(Trouble::Refuses));
    for number in 0..200 {
        assert_eq!(
            app.call("GET", "/api/mapped", &format!("random{number}"))
                .await
                .status,
            503
        );
    }
    assert_eq!(world.am.verified(), 20);
}

#[tokio::test]
async fn a_loop_with_one_token_is_bounded() {
    let world = World::new();
    world.am.grant("views", "/api/mapped", &["view"]);
    let app = world.app();
    for _ in 0..200 {
        let refused = app.call("PUT", "/api/mapped", "views").await;
        assert!(matches!(refused.status, 401 | 403));
    }
    assert_eq!(world.am.tickets(), 20);
    world.am.grant("others", "/api/mapped", &["view"]);
    assert_eq!(app.call("PUT", "/api/mapped", "others").await.status, 401);
    assert_eq!(app.call("GET", "/api/mapped", "views").await.status, 200);
}
