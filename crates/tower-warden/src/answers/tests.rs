//! The discipline of the cache: what may be used, what must be asked anew, and what it costs the AM.

use std::sync::Arc;
use std::time::Duration;

use futures_join::join_all;

use super::{AnswerLimits, Answers, Found, MAX_CACHE_TTL};
use crate::fake::*;
use crate::*;

mod futures_join {
    /// Runs all at once, and gives what they gave, in order.
    pub(super) async fn join_all<T: Send + 'static>(
        tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
    ) -> Vec<T> {
        let running: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
        let mut done = Vec::new();
        for task in running {
            done.push(task.await.unwrap());
        }
        done
    }
}

#[tokio::test]
async fn a_thousand_cold_requests_with_one_token_cost_one_introspection() {
    let world = World::new();
    world.am.grant("good", "/api/mapped", &["view"]);
    let app = world.app();
    world.am.hold();
    let requests: Vec<_> = (0..1000)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move { app.call("GET", "/api/mapped", "good").await.status })
        })
        .collect();
    until(|| world.am.verified() == 1).await;
    for _ in 0..2000 {
        tokio::task::yield_now().await;
    }
    world.am.release();
    for request in requests {
        assert_eq!(request.await.unwrap(), 200);
    }
    assert_eq!(world.am.verified(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_neither_stops_nor_repeats_the_introspection() {
    let world = World::new();
    world.am.grant("good", "/api/mapped", &["view"]);
    let app = world.app();
    world.am.hold();
    for _ in 0..100 {
        let app = app.clone();
        let request =
            tokio::spawn(async move { app.call("GET", "/api/mapped", "good").await.status });
        until(|| world.am.verified() == 1).await;
        tokio::task::yield_now().await;
        request.abort();
        let _ = request.await;
    }
    world.am.release();
    assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 200);
    assert_eq!(world.am.verified(), 1);
}

#[tokio::test]
async fn an_answer_dies_by_whichever_clock_says_so_first() {
    let world = World::new();
    world.am.grant("good", "/api/mapped", &["view"]);
    let app = world.app();
    let wall = |seconds: u64| std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let mut asked = 0;
    let mut ask_again = async |again: bool| {
        asked += usize::from(again);
        assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 200);
        assert_eq!(world.am.verified(), asked);
    };
    ask_again(true).await;
    world.clock.advance(Duration::from_secs(8));
    ask_again(false).await;
    world.clock.advance(Duration::from_secs(2));
    ask_again(true).await;
    // The wall clock leaps ahead, as after a sleep in which the monotonic one stood still.
    world.clock.set_wall(wall(NOW + 3600));
    ask_again(true).await;
    // It is set back: the monotonic clock goes on.
    world.clock.set_wall(wall(NOW - 3600));
    ask_again(false).await;
    world.clock.advance(Duration::from_secs(10));
    ask_again(true).await;
}

/// By either clock alone, and in that very moment.
#[tokio::test]
async fn at_the_end_of_its_life_an_answer_is_over() {
    for wall_alone in [true, false] {
        let world = World::new();
        let mut token = token_for("/api/mapped", &["view"]);
        token.fresh_for = Some(Duration::from_secs(3));
        world.am.answer("rpt", Evidence::Active(token));
        let app = world.app();
        assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 200);
        let wall = |seconds| std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        if wall_alone {
            world.clock.set_wall(wall(NOW + 3));
        } else {
            world.clock.advance(Duration::from_secs(3));
            world.clock.set_wall(wall(NOW));
        }
        assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 200);
        assert_eq!(world.am.verified(), 2, "by the wall clock: {wall_alone}");
    }
}

#[tokio::test]
async fn no_answer_outlives_its_token() {
    let world = World::new();
    let mut token = token_for("/api/mapped", &["view"]);
    token.window.expires = Some(NOW as i64 + 3);
    world.am.answer("brief", Evidence::Active(token));
    let app = world.app();
    assert_eq!(app.call("GET", "/api/mapped", "brief").await.status, 200);
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(app.call("GET", "/api/mapped", "brief").await.status, 200);
    assert_eq!(world.am.verified(), 1);
    world.clock.advance(Duration::from_secs(1));
    let over = app.call("GET", "/api/mapped", "brief").await;
    assert_eq!(
        (over.status, over.reason().as_str()),
        (401, "token_expired")
    );
    assert_eq!(world.am.verified(), 2);
}

#[tokio::test]
async fn a_hit_does_not_extend_the_life_of_an_answer() {
    let world = World::new();
    world.am.grant("good", "/api/mapped", &["view"]);
    let app = world.app();
    for second in 0..30 {
        assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 200);
        // Up to a tenth of the ten seconds is taken off, so that answers of one moment do not end in one moment.
        assert!(
            (1 + second / 10..=1 + second / 9).contains(&world.am.verified()),
            "{second}"
        );
        world.clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn a_hit_decides_anew() {
    let world = World::new();
    let mut token = token_for("/api/mapped", &["view"]);
    token.permissions.push(Permission::new(
        uma_client::ResourceId::parse("/api/tree").unwrap(),
        vec!["edit".into()],
    ));
    world.am.answer("rpt", Evidence::Active(token));
    let app = world.app();
    assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 200);
    assert_eq!(app.call("PUT", "/api/tree/x", "rpt").await.status, 200);
    world.am.fail_tickets(Some(Trouble::Unreachable));
    assert_eq!(app.call("GET", "/api/tree/x", "rpt").await.status, 403);
    assert_eq!(app.call("PUT", "/api/mapped", "rpt").await.status, 403);
    assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 200);
    assert_eq!(world.am.verified(), 1, "without a ticket the answer stays");
}

#[tokio::test]
async fn owners_do_not_share_answers_unless_the_credential_is_the_hosts() {
    let world = World::new();
    world
        .maps
        .insert(map_at("/api/bobs", "bob", &am("https://am.example")));
    world.am.grant("rpt", "/api/bobs", &["view"]);
    let app = world.app();
    assert_eq!(app.call("GET", "/api/bobs", "rpt").await.status, 200);
    assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 401);
    assert_eq!(world.am.verified(), 2);
}

#[tokio::test]
async fn a_purge_beats_kept_answers_and_loads_in_flight() {
    let purges: [fn() -> Purge; 4] = [
        || Purge::Map(MapId::new(7)),
        || Purge::Owner(OwnerId::new("alice")),
        || Purge::Am(uma_client::Issuer::parse("https://am.example").unwrap()),
        || Purge::Everything,
    ];
    for purge in purges {
        let world = World::new();
        world.maps.insert(map("/api/mapped").with_id(MapId::new(7)));
        world.am.grant("rpt", "/api/mapped", &["view"]);
        let app = world.app();
        assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 200);
        world.am.answer("rpt", Evidence::Inactive);
        assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 200);
        app.engine.purge(purge());
        assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 401);

        // Now with the load that says "active" already on its way.
        world.am.grant("rpt", "/api/mapped", &["view"]);
        let before = world.am.verified();
        world.am.hold();
        let request = tokio::spawn({
            let app = app.clone();
            async move { app.call("GET", "/api/mapped", "rpt").await.status }
        });
        until(|| world.am.verified() == before + 1).await;
        tokio::task::yield_now().await;
        app.engine.purge(purge());
        world.am.answer("rpt", Evidence::Inactive);
        world.am.release();
        assert_eq!(request.await.unwrap(), 401, "{:?}", purge());
        assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 401);
    }
}

#[tokio::test]
async fn a_purge_is_remembered_as_long_as_what_it_beats_could_be_kept() {
    let world = World::new();
    world.maps.insert(map("/api/mapped").with_id(MapId::new(7)));
    world.am.grant("rpt", "/api/mapped", &["view"]);
    let layer = world.builder().cache_ttl(MAX_CACHE_TTL).build().unwrap();
    let app = world.serve(&layer);
    assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 200);
    app.engine.purge(Purge::Map(MapId::new(7)));
    // The answer could be used for another half minute; old purges are cleared away with a later one.
    world.clock.advance(Duration::from_secs(25));
    app.engine.purge(Purge::Map(MapId::new(8)));
    assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 200);
    assert_eq!(world.am.verified(), 2);
}

#[tokio::test]
async fn a_purge_of_another_leaves_answers_alone() {
    let world = World::new();
    world.maps.insert(map("/api/mapped").with_id(MapId::new(7)));
    world.am.grant("rpt", "/api/mapped", &["view"]);
    let app = world.app();
    assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 200);
    app.engine.purge(Purge::Map(MapId::new(8)));
    app.engine.purge(Purge::Owner(OwnerId::new("bob")));
    app.engine.purge(Purge::Am(
        uma_client::Issuer::parse("https://other.example").unwrap(),
    ));
    assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 200);
    assert_eq!(world.am.verified(), 1);
}

#[tokio::test]
async fn a_ticket_forgets_the_load_in_flight_for_the_same_token() {
    let world = World::new();
    world.am.grant("rpt", "/api/mapped", &["view"]);
    let app = world.app();
    // One request has its answer and asks for a ticket; before it has it, the answer is over and a load is under way.
    assert_eq!(app.call("GET", "/api/mapped", "rpt").await.status, 200);
    world.clock.advance(Duration::from_secs(11));
    world.am.hold();
    let late = tokio::spawn({
        let app = app.clone();
        async move { app.call("GET", "/api/mapped", "rpt").await.status }
    });
    until(|| world.am.verified() == 2).await;
    tokio::task::yield_now().await;
    let key = app.engine.shared.answers.keys().answer(
        &Requirement::of_method(Arc::new(map("/api/mapped")), &http::Method::GET)
            .unwrap()
            .into(),
        Credential::Owner,
        &token_of("rpt"),
    );
    app.engine.shared.answers.forget(&key);
    // What is on its way still says "view"; the AM now says "edit", too.
    world.am.grant("rpt", "/api/mapped", &["view", "edit"]);
    world.am.release();
    assert_eq!(late.await.unwrap(), 200);
    assert_eq!(app.call("PUT", "/api/mapped", "rpt").await.status, 200);
    assert_eq!(world.am.verified(), 3);
}

#[tokio::test]
async fn random_tokens_drive_out_none_that_are_confirmed() {
    let world = World::new();
    world.am.fail_tickets(Some(Trouble::Unreachable));
    let layer = world
        .builder()
        .cache_capacity(100)
        // The cache goes by the real clock, and a busy machine may take ten seconds.
        .cache_ttl(MAX_CACHE_TTL)
        .gate(
            GateLimits::default()
                .with_new_tokens(Rate::new(0, 1_000_000))
                .with_anonymous_tickets(Rate::new(0, 0)),
        )
        .build()
        .unwrap();
    let app = world.serve(&layer);
    for number in 0..50 {
        world
            .am
            .grant(&format!("good{number}"), "/api/mapped", &["view"]);
        assert_eq!(
            app.call("GET", "/api/mapped", &format!("good{number}"))
                .await
                .status,
            200
        );
    }
    for number in 0..20_000 {
        assert_eq!(
            app.call("GET", "/api/mapped", &format!("random{number}"))
                .await
                .status,
            403
        );
    }
    let before = world.am.verified();
    let statuses = join_all((0..50).map(|number| {
        let app = app.clone();
        async move {
            app.call("GET", "/api/mapped", &format!("good{number}"))
                .await
                .status
        }
    }))
    .await;
    assert!(statuses.iter().all(|status| *status == 200));
    assert_eq!(world.am.verified(), before);
}

/// It may have landed between the look without the lock and the one with it.
#[tokio::test]
async fn who_finds_a_fresh_answer_begins_no_load() {
    let clock = Arc::new(uma_client::ManualClock::new(
        std::time::SystemTime::UNIX_EPOCH,
    ));
    let answers = Arc::new(Answers::new(AnswerLimits::default(), clock));
    let requirement = Requirement::of_method(Arc::new(map("/api/mapped")), &http::Method::GET);
    let requirements: Requirements = requirement.unwrap().into();
    let key = answers.keys().token("rpt");
    let Found::Flight(_, Some(departure)) = answers.find(key, &requirements) else {
        panic!("nobody else asks");
    };
    departure.land(Ok(Evidence::Active(ActiveToken::new(vec![]))));
    assert!(matches!(answers.find(key, &requirements), Found::Answer(_)));
}

#[tokio::test]
async fn the_first_am_that_confirms_a_token_is_its_home() {
    let clock = Arc::new(uma_client::ManualClock::new(
        std::time::SystemTime::UNIX_EPOCH,
    ));
    let answers = Answers::new(AnswerLimits::default(), clock);
    let [one, other] = ["https://one.example", "https://other.example"]
        .map(|issuer| uma_client::Issuer::parse(issuer).unwrap());
    assert_eq!(answers.witness("rpt", &one), None);
    answers.is_at_home("rpt", &one);
    answers.is_at_home("rpt", &other);
    assert!(answers.witness("rpt", &one).is_some());
    assert_eq!(answers.witness("rpt", &other), None);
}
