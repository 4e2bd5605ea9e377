use std::time::Duration;

use super::*;

#[tokio::test]
async fn an_owner_sees_her_own_things_alone() {
    let mut world = World::new();
    let id = world.resource("alice", &["view"]).await;
    let path = format!("/policies/{id}");
    assert_eq!(
        world.get("/policies").await.location(),
        "/signin?return_to=%2Fpolicies"
    );
    assert_eq!(world.get(&path).await.sent("return_to").unwrap(), path);
    world.sign_in("bob").await;
    assert!(world.get("/policies").await.text().contains("Nothing yet"));
    assert_eq!(world.get(&path).await.status, StatusCode::NOT_FOUND);
    let rule = [("subject", "bob"), ("scope", "view")];
    assert_eq!(
        world.submit(&format!("{path}/add"), &rule).await.status,
        StatusCode::NOT_FOUND
    );
    world.sign_in("alice").await;
    let list = world.get("/policies").await.text();
    assert!(list.contains(&path) && list.contains("none: nobody is admitted"));
    let page = world.get(&path).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("Photo &#60;Host&#62;") && page.text().contains("Holiday"));
}

#[tokio::test]
async fn an_owner_adds_and_removes_rules() {
    let mut world = World::new();
    let id = world.resource("alice", &["view", "edit"]).await;
    let path = format!("/policies/{id}");
    world.sign_in("alice").await;
    let rule = [
        ("subject_kind", "user"),
        ("subject", "bob"),
        ("client", APP),
        ("scope", "view"),
        ("scope", "edit"),
        ("until", "2999-12-31T23:59"),
    ];
    let added = world.submit(&format!("{path}/add"), &rule).await;
    assert_eq!(added.location(), format!("{path}?done=added"));
    let page = world.get(added.location()).await.text();
    assert!(page.contains("The rule is in force.") && page.contains("2999-12-31 23:59:00 UTC"));
    let ticket = world.ticket("alice", &id, &["view", "edit"]).await;
    let rpt = world
        .present("bob", &ticket, &[])
        .await
        .string("access_token");
    assert_eq!(world.scopes("alice", &rpt, &id).await, ["edit", "view"]);

    let policy = page
        .split("name=\"policy\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let removed = world
        .submit(&format!("{path}/remove"), &[("policy", policy)])
        .await;
    assert_eq!(removed.location(), format!("{path}?done=removed"));
    assert_eq!(world.scopes("alice", &rpt, &id).await, [""; 0]);

    let rule = [("subject_kind", "anyone"), ("scope", "view")];
    assert_eq!(
        world.submit(&format!("{path}/add"), &rule).await.status,
        StatusCode::SEE_OTHER
    );
    let ticket = world.ticket("alice", &id, &["view"]).await;
    assert_eq!(world.present("carol", &ticket, &[]).await.status, 200);
}

#[tokio::test]
async fn wrong_rules_are_shown_with_what_was_typed() {
    let mut world = World::new();
    let id = world.resource("alice", &["view"]).await;
    world.sign_in("alice").await;
    let add = format!("/policies/{id}/add");
    for (rule, field) in [
        (vec![("scope", "view")], "subject"),
        (vec![("subject", "<nobody>"), ("scope", "view")], "subject"),
        (vec![("subject", "bob")], "scope"),
        (vec![("subject", "bob"), ("scope", "fly")], "scope"),
        (
            vec![("subject", "bob"), ("scope", "view"), ("client", "nobody")],
            "client",
        ),
        (
            vec![("subject", "bob"), ("scope", "view"), ("until", "tomorrow")],
            "until",
        ),
        (
            vec![
                ("subject", "bob"),
                ("scope", "view"),
                ("until", "2001-01-01T00:00"),
            ],
            "until",
        ),
    ] {
        let answer = world.submit(&add, &rule).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{rule:?}");
        let page = answer.text();
        assert!(page.contains(&format!("id=\"{field}-error\"")), "{rule:?}");
        assert!(page.contains(&format!("{field}-error\"")) && !page.contains("<nobody>"));
        assert!(!rule.contains(&("subject", "bob")) || page.contains("value=\"bob\""));
    }
    let ticket = world.ticket("alice", &id, &["view"]).await;
    assert_eq!(
        world.present("bob", &ticket, &[]).await.error(403),
        "request_submitted"
    );
}

#[tokio::test]
async fn requests_are_approved_in_part_refused_and_forgotten() {
    let mut world = World::new();
    let id = world.resource("alice", &["view", "edit"]).await;
    let other = world.resource("alice", &["view"]).await;
    let path = format!("/policies/{id}");
    let ticket = world.ticket("alice", &id, &["view", "edit"]).await;
    let waiting = world.present("bob", &ticket, &[]).await.string("ticket");
    world.sign_in("alice").await;
    assert!(
        world
            .get("/policies")
            .await
            .text()
            .contains("1 request waits for your answer")
    );
    assert!(world.get(&path).await.text().contains("bob asks, with app"));
    let request = world.script().pending("alice")[0].id.clone();
    let request = request.as_str();

    let none = world
        .submit(&format!("{path}/approve"), &[("request", request)])
        .await;
    assert_eq!(none.status, StatusCode::BAD_REQUEST);
    assert!(none.text().contains(&format!("id=\"error-{request}\"")));
    // A request is answered at its own resource.
    for action in ["approve", "refuse", "forget"] {
        let wrong = format!("/policies/{other}/{action}");
        let answer = world
            .submit(&wrong, &[("request", request), ("scope", "view")])
            .await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    let approved = world
        .submit(
            &format!("{path}/approve"),
            &[("request", request), ("scope", "view")],
        )
        .await;
    assert_eq!(approved.location(), format!("{path}?done=approved"));
    let rpt = world
        .app(&[("ticket", &waiting)])
        .await
        .string("access_token");
    assert_eq!(world.scopes("alice", &rpt, &id).await, ["view"]);
    let ticket = world.ticket("alice", &id, &["edit"]).await;
    assert_eq!(
        world.present("bob", &ticket, &[]).await.error(403),
        "request_denied"
    );

    // Forgotten, it can be asked for again; then refused.
    let forgotten = world
        .submit(&format!("{path}/forget"), &[("request", request)])
        .await;
    assert_eq!(forgotten.location(), format!("{path}?done=forgotten"));
    let ticket = world.ticket("alice", &id, &["edit"]).await;
    let waiting = world.present("bob", &ticket, &[]).await.string("ticket");
    let request = world.script().pending("alice")[0].id.clone();
    let refused = world
        .submit(&format!("{path}/refuse"), &[("request", &request)])
        .await;
    assert_eq!(refused.location(), format!("{path}?done=refused"));
    assert_eq!(
        world.app(&[("ticket", &waiting)]).await.error(403),
        "request_denied"
    );
    assert_eq!(
        world.submit(&format!("{path}/refuse"), &[]).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_rule_of_a_resource_ends_with_its_page() {
    let mut world = World::new();
    let id = world.resource("alice", &["view"]).await;
    let other = world.resource("alice", &["view"]).await;
    let policy = world.allow("alice", &id, "bob", &["view"]);
    world.sign_in("alice").await;
    // Removing it under another resource's page removes nothing.
    world
        .submit(&format!("/policies/{other}/remove"), &[("policy", &policy)])
        .await;
    assert!(
        world
            .get(&format!("/policies/{id}"))
            .await
            .text()
            .contains(&policy)
    );
    world
        .script()
        .advance_clock(Duration::from_secs(13 * 3_600));
    assert!(
        world
            .get("/policies")
            .await
            .location()
            .starts_with("/signin")
    );
}
