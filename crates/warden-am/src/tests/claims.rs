use super::*;

fn claims_path(pairs: &[(&str, &str)]) -> String {
    format!(
        "/claims?{}",
        Serializer::new(String::new()).extend_pairs(pairs).finish()
    )
}

#[tokio::test]
async fn the_requesting_party_says_who_she_is_in_her_browser() {
    let mut world = World::new();
    let id = world.resource("alice", &["view"]).await;
    world.allow("alice", &id, "bob", &["view"]);
    let ticket = world.ticket("alice", &id, &["view"]).await;
    let ticket = world.app(&[("ticket", &ticket)]).await.string("ticket");
    let start = claims_path(&[
        ("client_id", APP),
        ("ticket", &ticket),
        ("claims_redirect_uri", APP_CLAIMS),
        ("state", "s&1"),
    ]);
    let page = world.get(&start).await.location().to_owned();
    assert!(page.starts_with("/claims/"));
    // The ticket is spent as soon as the browser brought it.
    assert_eq!(
        world.app(&[("ticket", &ticket)]).await.error(400),
        "invalid_grant"
    );

    let sign_in = world.get(&page).await;
    assert_eq!(sign_in.sent("return_to").unwrap(), page);
    world.sign_in("bob").await;
    assert!(world.get(&page).await.text().contains("Continue as bob"));
    // Someone else's page is not sent for bob.
    let answer = world
        .submit(&page, &[("subject", "carol"), ("decision", "continue")])
        .await;
    assert_eq!(answer.location(), page);
    let answer = world
        .submit(&page, &[("subject", "bob"), ("decision", "continue")])
        .await;
    assert!(answer.location().starts_with(APP_CLAIMS));
    assert_eq!(answer.sent("state").unwrap(), "s&1");
    let rotated = answer.sent("ticket").unwrap();
    assert_ne!(rotated, ticket);
    let rpt = world
        .app(&[("ticket", &rotated)])
        .await
        .string("access_token");
    assert_eq!(world.scopes("alice", &rpt, &id).await, ["view"]);
    // The page has ended.
    assert_eq!(world.get(&page).await.status, StatusCode::NOT_FOUND);
    let again = world
        .submit(&page, &[("subject", "bob"), ("decision", "continue")])
        .await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn cancelling_goes_back_with_an_error() {
    let mut world = World::new();
    let id = world.resource("alice", &["view"]).await;
    let ticket = world.ticket("alice", &id, &["view"]).await;
    world.sign_in("bob").await;
    // The one registered URI need not be said.
    let page = world
        .get(&claims_path(&[("client_id", APP), ("ticket", &ticket)]))
        .await
        .location()
        .to_owned();
    let answer = world.submit(&page, &[("decision", "cancel")]).await;
    assert_eq!(
        answer.location(),
        format!("{APP_CLAIMS}?error=access_denied")
    );
}

#[tokio::test]
async fn only_registered_addresses_are_redirected_to() {
    let world = World::new();
    let id = world.resource("alice", &["view"]).await;
    let ticket = world.ticket("alice", &id, &["view"]).await;
    for pairs in [
        vec![("ticket", ticket.as_str())],
        vec![("client_id", "nobody"), ("ticket", &ticket)],
        vec![
            ("client_id", APP),
            ("ticket", &ticket),
            ("claims_redirect_uri", "https://app.example/claims/"),
        ],
        vec![("client_id", HOST), ("ticket", &ticket)],
        vec![
            ("client_id", HOST),
            ("ticket", &ticket),
            ("claims_redirect_uri", HOST_CALLBACK),
        ],
    ] {
        let answer = world.get(&claims_path(&pairs)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{pairs:?}");
    }
    for ticket in ["", "unknown"] {
        let answer = world
            .get(&claims_path(&[
                ("client_id", APP),
                ("ticket", ticket),
                ("state", "s"),
            ]))
            .await;
        assert_eq!(answer.sent("error").unwrap(), "invalid_request");
        assert_eq!(answer.sent("state").unwrap(), "s");
    }
}
