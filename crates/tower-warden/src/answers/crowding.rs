//! One AM that floods the cache drives out nothing of the others.

use crate::fake::*;
use crate::*;

#[tokio::test]
async fn a_flood_of_good_tokens_at_one_am_drives_out_none_of_another() {
    let world = World::new();
    let hostile = am("https://hostile.example");
    world
        .maps
        .insert(map_at("/api/theirs", "mallory", &hostile));
    let limits = GateLimits::default().with_new_tokens(Rate::new(0, 1_000_000));
    let layer = world
        .builder()
        .cache_capacity(300)
        .gate(limits)
        .build()
        .unwrap();
    let app = world.serve(&layer);
    let call = async |path: &str, token: String| {
        world.am.grant(&token, path, &["view"]);
        assert_eq!(app.call("GET", path, &token).await.status, 200);
    };
    for number in 0..20 {
        call("/api/mapped", format!("good{number}")).await;
    }
    for number in 0..3000 {
        // Each twice, as an attacker would who knows how caches choose.
        call("/api/theirs", format!("flood{number}")).await;
        call("/api/theirs", format!("flood{number}")).await;
    }
    app.engine.shared.answers.settle();
    // Newcomers find room as well.
    for number in 20..40 {
        call("/api/mapped", format!("good{number}")).await;
    }
    app.engine.shared.answers.settle();
    let asked = world.am.verified();
    for number in 0..40 {
        call("/api/mapped", format!("good{number}")).await;
    }
    assert_eq!(world.am.verified(), asked, "all of them are kept");
    let (own, total) = app.engine.shared.answers.held(&hostile);
    assert!(own <= 300 && total <= 400, "{own} of {total}");
}

#[tokio::test]
async fn in_a_crowd_of_one_ams_tokens_those_in_use_are_kept() {
    let world = World::new();
    let limits = GateLimits::default().with_new_tokens(Rate::new(0, 1_000_000));
    let layer = world
        .builder()
        .cache_capacity(90)
        .gate(limits)
        .build()
        .unwrap();
    let app = world.serve(&layer);
    let call = async |token: String| {
        world.am.grant(&token, "/api/mapped", &["view"]);
        assert_eq!(app.call("GET", "/api/mapped", &token).await.status, 200);
    };
    for number in 0..100 {
        call(format!("flood{number}")).await;
    }
    for number in 100..3000 {
        call(format!("flood{number}")).await;
        call(format!("used{}", number % 5)).await;
        app.engine.shared.answers.settle();
    }
    let asked = world.am.verified();
    for number in 0..5 {
        call(format!("used{number}")).await;
    }
    assert_eq!(world.am.verified(), asked);
}

#[tokio::test]
async fn what_is_counted_as_held_is_what_is_there() {
    let world = World::new();
    let layer = world.builder().cache_capacity(50).build().unwrap();
    let app = world.serve(&layer);
    for round in 0..5 {
        for number in 0..200 {
            let token = format!("good{number}");
            world.am.grant(&token, "/api/mapped", &["view"]);
            app.call("GET", "/api/mapped", &token).await;
            if (number + round) % 7 == 0 {
                // A ticket forgets the answer.
                app.call("PUT", "/api/mapped", &token).await;
            }
        }
        world.clock.advance(std::time::Duration::from_secs(11));
    }
    let answers = &app.engine.shared.answers;
    answers.settle();
    assert_eq!(answers.held(&am("https://am.example")).1, answers.kept());
}
