//! Who can close an AM for others, and which gates are kept.

use std::sync::Arc;
use std::time::Duration;

use crate::fake::*;
use crate::gate::Gates;
use crate::*;

#[tokio::test]
async fn a_token_at_which_the_am_fails_closes_it_for_nobody_else() {
    let world = World::new();
    for name in ["good", "later", "poison"] {
        world.am.grant(name, "/api/mapped", &["view"]);
    }
    let app = world.app();
    assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 200);
    // It was good once, so that the AM has vouched for it; now the AM fails at it.
    assert_eq!(app.call("GET", "/api/mapped", "poison").await.status, 200);
    world.am.stumble_over("poison");
    world.clock.advance(Duration::from_secs(11));
    for number in 0..100 {
        assert_eq!(app.call("GET", "/api/mapped", "poison").await.status, 503);
        let made_up = format!("poison{number}");
        assert_eq!(app.call("GET", "/api/mapped", &made_up).await.status, 503);
    }
    assert_eq!(app.call("GET", "/api/mapped", "good").await.status, 200);
    assert_eq!(app.call("GET", "/api/mapped", "later").await.status, 200);
    assert_eq!(app.get("/api/mapped").await.status, 401);
}

#[tokio::test]
async fn made_up_tokens_at_which_the_am_fails_spend_the_budget_for_new_ones() {
    let world = World::new();
    let limits = GateLimits::default().with_new_tokens(Rate::new(0, 20));
    let app = world.serve(&world.builder().gate(limits).build().unwrap());
    world.am.stumble_over("poison");
    for number in 0..100 {
        app.call("GET", "/api/mapped", &format!("poison{number}"))
            .await;
    }
    assert_eq!(world.am.verified(), 20);
}

#[tokio::test]
async fn an_am_that_fails_at_everything_is_left_alone() {
    let world = World::new();
    let app = world.app();
    for number in 0..10 {
        let token = format!("good{number}");
        world.am.grant(&token, "/api/mapped", &["view"]);
        assert_eq!(app.call("GET", "/api/mapped", &token).await.status, 200);
    }
    world.am.fail_verify(Some(Trouble::Fails));
    world.clock.advance(Duration::from_secs(11));
    for number in 0..10 {
        let token = format!("good{number}");
        assert_eq!(app.call("GET", "/api/mapped", &token).await.status, 503);
    }
    assert_eq!(world.am.verified(), 10 + 5);
    world.am.fail_verify(None);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(app.call("GET", "/api/mapped", "good1").await.status, 200);
    assert_eq!(app.call("GET", "/api/mapped", "good2").await.status, 200);
}

#[tokio::test]
async fn gates_that_nobody_uses_are_dropped_and_those_in_use_are_not() {
    let world = World::new();
    let gates = Gates::new(
        GateLimits::default().with_concurrency(1),
        Arc::new(world.clock.clone()),
    );
    let of = |number: usize| am(&format!("https://am{number}.example"));
    let busy = gates.before(&of(0));
    let (held, held_turn) = tokio::sync::oneshot::channel::<()>();
    let deadline = uma_client::Clock::monotonic(&world.clock) + Duration::from_secs(100_000);
    let call = tokio::spawn({
        let busy = busy.clone();
        async move {
            let ask = async {
                held_turn.await.unwrap();
                Ok(())
            };
            busy.verify(Some(1), deadline, |()| true, ask).await.is_ok()
        }
    });
    drop(busy);
    tokio::task::yield_now().await;
    for number in 1..1000 {
        drop(gates.before(&of(number)));
        world.clock.advance(Duration::from_secs(10));
    }
    assert!(gates.len() < 80, "{}", gates.len());
    // The one turn of the gate that is in use is still taken.
    let same = gates.before(&of(0));
    let barred = same
        .verify(Some(2), deadline, |()| true, async { Ok(()) })
        .await;
    assert!(barred.is_err());
    held.send(()).unwrap();
    assert!(call.await.unwrap());
    assert!(
        same.verify(Some(2), deadline, |()| true, async { Ok(()) })
            .await
            .is_ok()
    );
}
