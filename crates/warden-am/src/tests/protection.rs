use super::*;

#[tokio::test]
async fn a_resource_lives_its_life() {
    let world = World::new();
    let pat = world.pat("alice");
    let body = json!({"resource_scopes": ["view", "edit", "view"], "name": "Holiday", "type": "album", "name#fr": "Vacances"});
    let made = world.api(Method::POST, "/resource/", &pat, &body).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let id = made.string("_id");
    assert_eq!(made.location(), format!("{ISSUER}/resource/{id}"));
    assert_eq!(
        made.string("user_access_policy_uri"),
        format!("{ISSUER}/policies/{id}")
    );
    let path = format!("/resource/{id}");

    let read = world.api(Method::GET, &path, &pat, &json!(null)).await.ok();
    assert_eq!(read["_id"], id.as_str());
    assert_eq!(read["resource_scopes"], json!(["view", "edit"]));
    assert_eq!(
        (&read["type"], &read["name#fr"]),
        (&json!("album"), &json!("Vacances"))
    );

    // What was read back may be sent back, and replaces the whole description.
    let mut changed = read.clone();
    changed["resource_scopes"] = json!(["view"]);
    changed.as_object_mut().unwrap().remove("name");
    assert_eq!(
        world.api(Method::PUT, &path, &pat, &changed).await.ok()["_id"],
        id.as_str()
    );
    let read = world.api(Method::GET, &path, &pat, &json!(null)).await.ok();
    assert_eq!(read["resource_scopes"], json!(["view"]));
    assert!(read.get("name").is_none());

    assert_eq!(
        world
            .api(Method::GET, "/resource", &pat, &json!(null))
            .await
            .ok(),
        json!([id])
    );
    let gone = world.api(Method::DELETE, &path, &pat, &json!(null)).await;
    assert_eq!(
        (gone.status, gone.text().as_str()),
        (StatusCode::NO_CONTENT, "")
    );
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        assert_eq!(
            world.api(method, &path, &pat, &body).await.error(404),
            "not_found"
        );
    }
    assert_eq!(
        world
            .api(Method::GET, "/resource/", &pat, &json!(null))
            .await
            .ok(),
        json!([])
    );
}

#[tokio::test]
async fn resources_belong_to_one_owner_at_one_host() {
    let world = World::new();
    let id = world.resource("alice", &["view"]).await;
    let other_host = world.script().issue_pat("alice", APP).unwrap();
    for pat in [world.pat("bob"), other_host] {
        assert_eq!(
            world
                .api(Method::GET, "/resource", &pat, &json!(null))
                .await
                .ok(),
            json!([])
        );
        let path = format!("/resource/{id}");
        let body = json!({"resource_scopes": ["all"]});
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            assert_eq!(
                world.api(method, &path, &pat, &body).await.error(404),
                "not_found"
            );
        }
        let body = json!({"resource_id": id, "resource_scopes": ["view"]});
        assert_eq!(
            world
                .api(Method::POST, "/permission", &pat, &body)
                .await
                .error(400),
            "invalid_resource_id"
        );
    }
}

#[tokio::test]
async fn the_protection_api_wants_a_live_pat() {
    let world = World::new();
    let id = world.resource("alice", &["view"]).await;
    let rpt = world
        .script()
        .issue_rpt("bob", APP, &[(&id, &["view"])])
        .unwrap();
    for (path, body) in [
        ("/resource", json!({"resource_scopes": ["view"]})),
        (
            "/permission",
            json!({"resource_id": id, "resource_scopes": []}),
        ),
    ] {
        let answer = world.api(Method::POST, path, "dead", &body).await;
        assert_eq!(answer.error(401), "invalid_token");
        assert!(
            answer
                .header(header::WWW_AUTHENTICATE)
                .contains("error=\"invalid_token\"")
        );
        let answer = world.api(Method::POST, path, &rpt, &body).await;
        assert_eq!(answer.error(403), "insufficient_scope");
        assert!(
            answer
                .header(header::WWW_AUTHENTICATE)
                .contains("scope=\"uma_protection\"")
        );
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = world.send(request).await;
        assert_eq!(answer.status, 401);
        assert_eq!(
            answer.header(header::WWW_AUTHENTICATE),
            "Bearer realm=\"warden-am\""
        );
    }
}

#[tokio::test]
async fn bad_descriptions_are_refused_with_their_field() {
    let world = World::new();
    let pat = world.pat("alice");
    for (body, field) in [
        (json!({}), "resource_scopes"),
        (json!({"resource_scopes": []}), "resource_scopes"),
        (json!({"resource_scopes": ["a b"]}), "resource_scopes"),
        (json!({"resource_scopes": ["a\"b"]}), "resource_scopes"),
        (json!({"resource_scopes": [7]}), "resource_scopes"),
        (json!({"resource_scopes": "view"}), "resource_scopes"),
        (json!({"resource_scopes": ["view"], "name": 7}), "name"),
        (
            json!({"resource_scopes": ["view"], "name": "x".repeat(5_000)}),
            "name",
        ),
        (json!("text"), ""),
    ] {
        let answer = world.api(Method::POST, "/resource", &pat, &body).await;
        assert_eq!(answer.error(400), "invalid_request", "{body}");
        assert!(
            answer.string("error_description").contains(field),
            "{}",
            answer.text()
        );
    }
    assert_eq!(world.script().list_resources("alice"), []);
}

#[tokio::test]
async fn permissions_are_given_all_or_none() {
    let world = World::new();
    let pat = world.pat("alice");
    let one = world.resource("alice", &["view", "edit"]).await;
    let two = world.resource("alice", &["print"]).await;
    let foreign = world.resource("bob", &["view"]).await;
    let ask = async |body: Value| world.api(Method::POST, "/permission", &pat, &body).await;
    for body in [
        json!({"resource_id": one, "resource_scopes": ["view"]}),
        json!({"resource_id": one, "resource_scopes": []}),
        json!([{"resource_id": one, "resource_scopes": ["view"]}]),
        json!([{"resource_id": one, "resource_scopes": ["edit"]}, {"resource_id": two, "resource_scopes": ["print"]}]),
    ] {
        let answer = ask(body).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
        let length = warden_canary::MARK.len() + 43;
        assert_eq!(answer.string("ticket").len(), length);
    }
    for (body, code) in [
        (
            json!([{"resource_id": one, "resource_scopes": []}, {"resource_id": "x", "resource_scopes": []}]),
            "invalid_resource_id",
        ),
        (
            json!([{"resource_id": one, "resource_scopes": []}, {"resource_id": foreign, "resource_scopes": []}]),
            "invalid_resource_id",
        ),
        (
            json!({"resource_id": one, "resource_scopes": ["print"]}),
            "invalid_scope",
        ),
        (
            json!({"resource_id": one, "resource_scopes": ["View"]}),
            "invalid_scope",
        ),
        (json!([]), "invalid_request"),
        (json!({"resource_id": one}), "invalid_request"),
        (json!({"resource_scopes": []}), "invalid_request"),
        (
            json!({"resource_id": 1, "resource_scopes": []}),
            "invalid_request",
        ),
        (json!(7), "invalid_request"),
    ] {
        assert_eq!(ask(body.clone()).await.error(400), code, "{body}");
    }
}

#[tokio::test]
async fn introspection_tells_a_host_of_its_owners_tokens_alone() {
    let world = World::new();
    let id = world.resource("alice", &["view", "edit"]).await;
    let rpt = world
        .script()
        .issue_rpt("bob", APP, &[(&id, &["view"])])
        .unwrap();
    let answer = world.introspect(&world.pat("alice"), &rpt).await.ok();
    assert_eq!(answer["active"], true);
    assert_eq!(
        (&answer["sub"], &answer["username"]),
        (&json!("bob"), &json!("bob"))
    );
    assert_eq!(
        (&answer["client_id"], &answer["aud"], &answer["iss"]),
        (&json!(APP), &json!(HOST), &json!(ISSUER))
    );
    assert_eq!(
        answer["exp"].as_i64().unwrap() - answer["iat"].as_i64().unwrap(),
        300
    );
    assert_eq!(
        answer["permissions"],
        json!([{"resource_id": id, "resource_scopes": ["view"]}])
    );
    assert!(answer.get("scope").is_none());

    let inactive = json!({"active": false});
    let other_host = world.script().issue_pat("alice", APP).unwrap();
    for pat in [world.pat("bob"), world.pat(HOST), other_host] {
        assert_eq!(world.introspect(&pat, &rpt).await.ok(), inactive);
    }
    let pat = world.pat("alice");
    for token in ["unknown", pat.as_str()] {
        assert_eq!(world.introspect(&pat, token).await.ok(), inactive);
    }
    // With its own credentials a host sees all its owners' tokens.
    assert_eq!(
        world.host("/introspect", &[("token", &rpt)]).await.ok()["active"],
        true
    );
    assert_eq!(
        world
            .call(APP, APP_SECRET, "/introspect", &[("token", &rpt)])
            .await
            .ok(),
        inactive
    );
    assert_eq!(
        world.submit("/introspect", &[("token", &rpt)]).await.status,
        401
    );
    assert_eq!(
        world.host("/introspect", &[]).await.error(400),
        "invalid_request"
    );

    world.script().revoke(&rpt).unwrap();
    assert_eq!(world.introspect(&pat, &rpt).await.ok(), inactive);
}

#[tokio::test]
async fn odd_ids_are_encoded_in_every_address() {
    let mut world = World::of(builder().resource_id_prefix("a b/\u{fc}?#%2f"));
    let pat = world.pat("alice");
    let body = json!({"resource_scopes": ["view"]});
    let made = world.api(Method::POST, "/resource", &pat, &body).await;
    let id = made.string("_id");
    assert!(id.starts_with("a b/\u{fc}?#%2f"));
    let location = made.location().strip_prefix(ISSUER).unwrap().to_owned();
    let read = world
        .api(Method::GET, &location, &pat, &json!(null))
        .await
        .ok();
    assert_eq!(read["_id"], id.as_str());
    let page = made
        .string("user_access_policy_uri")
        .strip_prefix(ISSUER)
        .unwrap()
        .to_owned();
    world.sign_in("alice").await;
    let rule = [("subject", "bob"), ("scope", "view")];
    assert_eq!(
        world.submit(&format!("{page}/add"), &rule).await.location(),
        format!("{page}?done=added")
    );
    assert_eq!(
        world.get(&format!("{page}?done=added")).await.status,
        StatusCode::OK
    );
    let ticket = world.ticket("alice", &id, &["view"]).await;
    assert_eq!(world.present("bob", &ticket, &[]).await.status, 200);
}
