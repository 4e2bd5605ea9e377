use std::time::{Duration, SystemTime};

use super::*;

#[tokio::test]
async fn a_ticket_becomes_an_rpt_when_a_policy_allows_it() {
    let world = World::new();
    let id = world.resource("alice", &["view", "edit"]).await;
    world.allow("alice", &id, "bob", &["view"]);
    let ticket = world.ticket("alice", &id, &["view"]).await;
    let granted = world.present("bob", &ticket, &[]).await.ok();
    assert_eq!(granted["token_type"], "Bearer");
    assert!(granted.get("scope").is_none() && granted.get("upgraded").is_none());
    let rpt = granted["access_token"].as_str().unwrap();
    assert_eq!(world.scopes("alice", rpt, &id).await, ["view"]);
    // The ticket is spent.
    assert_eq!(
        world.present("bob", &ticket, &[]).await.error(400),
        "invalid_grant"
    );
    // The pct stands for the sign-in token.
    let pct = granted["pct"].as_str().unwrap();
    let ticket = world.ticket("alice", &id, &["view"]).await;
    let again = world.app(&[("ticket", &ticket), ("pct", pct)]).await.ok();
    assert_eq!(again["pct"], pct);
}

#[tokio::test]
async fn who_asks_must_be_known() {
    let world = World::new();
    let id = world.resource("alice", &["view"]).await;
    world.allow("alice", &id, "bob", &["view"]);
    let mut ticket = world.ticket("alice", &id, &["view"]).await;
    let for_host = world.script().claim_token("bob", HOST).unwrap();
    let tries: [&[(&str, &str)]; 5] = [
        &[],
        &[("pct", "unknown")],
        &[
            ("claim_token", "forged.x.y"),
            ("claim_token_format", CLAIM_TOKEN_FORMAT),
        ],
        &[
            ("claim_token", &for_host),
            ("claim_token_format", CLAIM_TOKEN_FORMAT),
        ],
        &[("claim_token", "x"), ("claim_token_format", "urn:other")],
    ];
    for more in tries {
        let mut pairs = vec![("ticket", ticket.as_str())];
        pairs.extend(more);
        let answer = world.app(&pairs).await;
        assert_eq!(answer.error(403), "need_info", "{more:?}");
        let body = answer.json();
        assert_eq!(body["redirect_user"], format!("{ISSUER}/claims"));
        assert_eq!(
            body["required_claims"][0]["claim_token_format"],
            json!([CLAIM_TOKEN_FORMAT])
        );
        let rotated = body["ticket"].as_str().unwrap().to_owned();
        assert_ne!(rotated, ticket);
        assert_eq!(
            world.app(&[("ticket", &ticket)]).await.error(400),
            "invalid_grant"
        );
        ticket = rotated;
    }
    // Half a claim token is a mistake, and does not spend the ticket.
    for half in [
        ("claim_token", "x"),
        ("claim_token_format", CLAIM_TOKEN_FORMAT),
    ] {
        assert_eq!(
            world.app(&[("ticket", &ticket), half]).await.error(400),
            "invalid_request"
        );
    }
    assert_eq!(world.app(&[]).await.error(400), "invalid_request");
    // Encoded as the specification has it.
    let token = world.script().claim_token("bob", APP).unwrap();
    let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(token);
    let pairs = [
        ("ticket", ticket.as_str()),
        ("claim_token", &encoded),
        ("claim_token_format", CLAIM_TOKEN_FORMAT),
    ];
    assert_eq!(world.app(&pairs).await.status, 200);
}

#[tokio::test]
async fn a_ticket_belongs_to_the_client_that_showed_it_first() {
    let world = World::new();
    let id = world.resource("alice", &["view"]).await;
    let ticket = world.ticket("alice", &id, &["view"]).await;
    let rotated = world.app(&[("ticket", &ticket)]).await.string("ticket");
    let pairs = [("grant_type", UMA), ("ticket", rotated.as_str())];
    assert_eq!(
        world.host("/token", &pairs).await.error(400),
        "invalid_grant"
    );
}

#[tokio::test]
async fn tickets_end() {
    let world = World::new();
    let id = world.resource("alice", &["view"]).await;
    let ticket = world.ticket("alice", &id, &["view"]).await;
    world.script().advance_clock(Duration::from_secs(301));
    assert_eq!(
        world.present("bob", &ticket, &[]).await.error(400),
        "invalid_grant"
    );
}

#[tokio::test]
async fn the_owner_is_asked_once_and_her_word_counts() {
    let world = World::of(builder().poll_interval(Duration::from_secs(2)));
    let id = world.resource("alice", &["view", "edit"]).await;
    let ticket = world.ticket("alice", &id, &["view"]).await;
    let answer = world.present("bob", &ticket, &[]).await;
    assert_eq!(answer.error(403), "request_submitted");
    assert_eq!(answer.json()["interval"], 2);
    // A poll needs the new ticket alone, and asks the owner no second time.
    let answer = world.app(&[("ticket", &answer.string("ticket"))]).await;
    assert_eq!(answer.error(403), "request_submitted");
    let pending = world.script().pending("alice");
    assert_eq!(pending.len(), 1);
    assert_eq!(
        (pending[0].subject.as_str(), pending[0].client.as_str()),
        ("bob", APP)
    );
    assert_eq!(world.script().pending("bob"), []);

    world.script().approve(&pending[0].id, None).unwrap();
    let granted = world
        .app(&[("ticket", &answer.string("ticket"))])
        .await
        .ok();
    let rpt = granted["access_token"].as_str().unwrap();
    assert_eq!(world.scopes("alice", rpt, &id).await, ["view"]);
    // An approval is for the client that asked.
    let other = ClientSpec::new("other").secret("x");
    world.script().register_client(other).unwrap();
    let ticket = world.ticket("alice", &id, &["view"]).await;
    let token = world.script().claim_token("bob", "other").unwrap();
    let pairs = [
        ("grant_type", UMA),
        ("ticket", &ticket),
        ("claim_token", &token),
        ("claim_token_format", CLAIM_TOKEN_FORMAT),
    ];
    assert_eq!(
        world.call("other", "x", "/token", &pairs).await.error(403),
        "request_submitted"
    );
}

#[tokio::test]
async fn a_refusal_counts_until_a_policy_says_otherwise() {
    let world = World::new();
    let id = world.resource("alice", &["view", "edit"]).await;
    let ticket = world.ticket("alice", &id, &["view", "edit"]).await;
    let answer = world.present("bob", &ticket, &[]).await;
    let pending = world.script().pending("alice");
    // She approves a part: the rest is refused.
    world
        .script()
        .approve(&pending[0].id, Some(&["view"]))
        .unwrap();
    assert_eq!(
        world
            .app(&[("ticket", &answer.string("ticket"))])
            .await
            .status,
        200
    );
    let ticket = world.ticket("alice", &id, &["edit"]).await;
    assert_eq!(
        world.present("bob", &ticket, &[]).await.error(403),
        "request_denied"
    );
    assert_eq!(
        world.present("bob", &ticket, &[]).await.error(400),
        "invalid_grant"
    );
    assert_eq!(world.script().pending("alice"), []);

    world.allow("alice", &id, "bob", &["edit"]);
    let ticket = world.ticket("alice", &id, &["edit"]).await;
    assert_eq!(world.present("bob", &ticket, &[]).await.status, 200);
}

#[tokio::test]
async fn nobody_can_ask_a_host_that_owns_things_itself() {
    let world = World::new();
    let id = world.resource(HOST, &["view"]).await;
    let ticket = world.ticket(HOST, &id, &["view"]).await;
    assert_eq!(
        world.present("bob", &ticket, &[]).await.error(403),
        "request_denied"
    );
    let policy = PolicySpec::anyone(["view"]).client(APP);
    world.script().add_policy(HOST, &id, policy).unwrap();
    let ticket = world.ticket(HOST, &id, &["view"]).await;
    assert_eq!(world.present("carol", &ticket, &[]).await.status, 200);
}

#[tokio::test]
async fn grants_may_be_partial_and_the_rest_is_asked_for() {
    let world = World::new();
    let id = world.resource("alice", &["view", "edit"]).await;
    world.allow("alice", &id, "bob", &["view"]);
    let ticket = world.ticket("alice", &id, &["view", "edit"]).await;
    let rpt = world
        .present("bob", &ticket, &[])
        .await
        .string("access_token");
    assert_eq!(world.scopes("alice", &rpt, &id).await, ["view"]);
    let pending = world.script().pending("alice");
    assert_eq!(pending[0].scopes.iter().collect::<Vec<_>>(), ["edit"]);
}

#[tokio::test]
async fn scopes_beyond_the_ticket_need_registration() {
    let world = World::new();
    let id = world.resource("alice", &["view", "edit", "print"]).await;
    world.allow("alice", &id, "bob", &["view", "edit", "print"]);
    // The app registered `view print`.
    let ticket = world.ticket("alice", &id, &["view"]).await;
    let rpt = world
        .present("bob", &ticket, &[("scope", "print edit")])
        .await
        .string("access_token");
    assert_eq!(world.scopes("alice", &rpt, &id).await, ["print", "view"]);
    let ticket = world.ticket("alice", &id, &["view"]).await;
    assert_eq!(
        world
            .present("bob", &ticket, &[("scope", "fly")])
            .await
            .error(400),
        "invalid_scope"
    );
    // A ticket without scopes gets what the owner allows.
    let ticket = world.ticket("alice", &id, &[]).await;
    let rpt = world
        .present("bob", &ticket, &[])
        .await
        .string("access_token");
    assert_eq!(
        world.scopes("alice", &rpt, &id).await,
        ["edit", "print", "view"]
    );
}

#[tokio::test]
async fn an_rpt_is_upgraded_for_the_same_parties_alone() {
    let world = World::new();
    let id = world.resource("alice", &["view", "edit"]).await;
    world.allow("alice", &id, "bob", &["view", "edit"]);
    world.allow("alice", &id, "carol", &["view", "edit"]);
    let ticket = world.ticket("alice", &id, &["view"]).await;
    let old = world
        .present("bob", &ticket, &[])
        .await
        .string("access_token");

    let ticket = world.ticket("alice", &id, &["edit"]).await;
    let other = world.present("carol", &ticket, &[("rpt", &old)]).await.ok();
    assert!(other.get("upgraded").is_none());
    assert_eq!(
        world
            .scopes("alice", other["access_token"].as_str().unwrap(), &id)
            .await,
        ["edit"]
    );

    let ticket = world.ticket("alice", &id, &["edit"]).await;
    let new = world.present("bob", &ticket, &[("rpt", &old)]).await.ok();
    assert_eq!(new["upgraded"], true);
    assert_eq!(
        world
            .scopes("alice", new["access_token"].as_str().unwrap(), &id)
            .await,
        ["edit", "view"]
    );
    let pat = world.pat("alice");
    assert_eq!(
        world.introspect(&pat, &old).await.ok(),
        json!({"active": false})
    );
    // One that has ended can be upgraded too.
    world.script().advance_clock(Duration::from_secs(400));
    let ticket = world.ticket("alice", &id, &["view"]).await;
    let new = world
        .present(
            "bob",
            &ticket,
            &[("rpt", new["access_token"].as_str().unwrap())],
        )
        .await
        .ok();
    assert_eq!(new["upgraded"], true);
}

#[tokio::test]
async fn a_script_upgrades_the_same_token_in_place() {
    let world = World::new();
    let id = world.resource("alice", &["view", "edit"]).await;
    let foreign = world.resource("bob", &["edit"]).await;
    world.allow("alice", &id, "bob", &["view"]);
    let ticket = world.ticket("alice", &id, &["view"]).await;
    let rpt = world
        .present("bob", &ticket, &[])
        .await
        .string("access_token");
    let script = world.script();
    script.upgrade_rpt_in_place(&rpt, &id, &["edit"]).unwrap();
    assert_eq!(world.scopes("alice", &rpt, &id).await, ["edit", "view"]);
    assert!(
        script
            .upgrade_rpt_in_place("unknown", &id, &["edit"])
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        script
            .upgrade_rpt_in_place(&rpt, &id, &["fly"])
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        script
            .upgrade_rpt_in_place(&rpt, &foreign, &["edit"])
            .is_err()
    );
}

#[tokio::test]
async fn what_a_policy_took_back_is_gone_at_once() {
    let world = World::new();
    let id = world.resource("alice", &["view", "edit"]).await;
    let policy = world.allow("alice", &id, "bob", &["view"]);
    let until = SystemTime::now() + Duration::from_secs(60);
    let timed = PolicySpec::anyone(["edit"]).until(until);
    world.script().add_policy("alice", &id, timed).unwrap();
    let ticket = world.ticket("alice", &id, &["view", "edit"]).await;
    let rpt = world
        .present("bob", &ticket, &[])
        .await
        .string("access_token");
    let answer = world.introspect(&world.pat("alice"), &rpt).await.ok();
    let permissions = answer["permissions"].as_array().unwrap();
    assert_eq!(permissions.len(), 2);
    assert!(permissions[0].get("exp").is_none());
    assert!(permissions[1]["exp"].as_i64().unwrap() < answer["exp"].as_i64().unwrap());

    world.script().remove_policy(&policy).unwrap();
    assert_eq!(world.scopes("alice", &rpt, &id).await, ["edit"]);
    world.script().advance_clock(Duration::from_secs(61));
    assert_eq!(world.scopes("alice", &rpt, &id).await, [""; 0]);
}

#[tokio::test]
async fn a_persons_own_access_token_says_who_asks() {
    let mut world = World::new();
    let id = world.resource("bob", &["view"]).await;
    world.allow("bob", &id, "alice", &["view"]);
    let code = world.consent("alice", &with("scope", Some("openid"))).await;
    let token = world.exchange(&code).await.string("access_token");
    let ask = async |token: &str, ticket: &str| {
        let mut request = form_request("/token", &[("grant_type", UMA), ("ticket", ticket)]);
        request.headers_mut().insert(
            header::AUTHORIZATION,
            format!("Bearer {token}").parse().unwrap(),
        );
        world.send(request).await
    };
    let ticket = world.ticket("bob", &id, &["view"]).await;
    // A PAT says what a host may do, not who asks.
    assert_eq!(
        ask(&world.pat("alice"), &ticket).await.error(401),
        "invalid_client"
    );
    assert_eq!(ask("unknown", &ticket).await.error(401), "invalid_token");
    let rpt = ask(&token, &ticket).await.string("access_token");
    assert_eq!(world.scopes("bob", &rpt, &id).await, ["view"]);
}

#[tokio::test]
async fn a_resource_that_is_gone_grants_nothing() {
    let world = World::new();
    let id = world.resource("alice", &["view"]).await;
    world.allow("alice", &id, "bob", &["view"]);
    let ticket = world.ticket("alice", &id, &["view"]).await;
    let rpt = world
        .present("bob", &ticket, &[])
        .await
        .string("access_token");
    let ticket = world.ticket("alice", &id, &["view"]).await;
    world.script().forget_resource(&id).unwrap();
    assert_eq!(
        world.present("bob", &ticket, &[]).await.error(403),
        "request_denied"
    );
    assert_eq!(world.scopes("alice", &rpt, &id).await, [""; 0]);
}
