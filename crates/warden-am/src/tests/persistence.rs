use std::fs;

use super::*;

#[tokio::test]
async fn everything_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("am.json");
    let mut world = World::of(builder().state_file(&file));
    let id = world.resource("alice", &["view", "edit"]).await;
    world.allow("alice", &id, "bob", &["view"]);
    let ticket = world.ticket("alice", &id, &["view", "edit"]).await;
    let rpt = world
        .present("bob", &ticket, &[])
        .await
        .string("access_token");
    let open = world.ticket("alice", &id, &["view"]).await;
    let pat = world.pat("alice");
    let code = world.consent("alice", &authorization_request()).await;
    let registered = {
        let body = json!({"grant_types": [UMA]});
        let request = Request::post("/register")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        world.send(request).await
    };

    let mut again = World::of(builder().state_file(&file));
    again.cookie = world.cookie.clone();
    drop(world);
    assert_eq!(again.introspect(&pat, &rpt).await.ok()["active"], true);
    assert_eq!(again.scopes("alice", &rpt, &id).await, ["view"]);
    assert_eq!(again.present("bob", &open, &[]).await.status, 200);
    assert_eq!(again.script().pending("alice").len(), 1);
    assert_eq!(again.exchange(&code).await.status, 200);
    assert_eq!(again.get("/policies").await.status, 200);
    let (client, secret) = (
        registered.string("client_id"),
        registered.string("client_secret"),
    );
    let pairs = [("grant_type", UMA), ("ticket", "x")];
    assert_eq!(
        again
            .call(&client, &secret, "/token", &pairs)
            .await
            .error(400),
        "invalid_grant"
    );

    // Nothing that was handed out can be read from the file, and nothing lies beside it.
    let stored = fs::read_to_string(&file).unwrap();
    for secret in [&pat, &rpt, &open, &code] {
        assert!(!stored.contains(secret.as_str()));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

#[test]
fn a_file_that_is_not_understood_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("am.json");
    for content in [
        "",
        "{",
        "{\"version\":1,\"state\":7}",
        "{\"version\":99,\"state\":{}}",
        "s3cret",
    ] {
        fs::write(&file, content).unwrap();
        let error = builder().state_file(&file).build().unwrap_err();
        assert!(error.is_state_file(), "{content}");
        let message = error.to_string();
        assert!(
            message.contains("am.json") && !message.contains("s3cret"),
            "{message}"
        );
        // It is left as it was.
        assert_eq!(fs::read_to_string(&file).unwrap(), content);
    }
    let missing = folder.path().join("nowhere").join("am.json");
    assert!(
        builder()
            .state_file(missing)
            .build()
            .unwrap_err()
            .is_state_file()
    );
}

#[tokio::test]
async fn what_cannot_be_stored_has_not_happened() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let world = World::of(builder().state_file(inner.join("am.json")));
    let pat = world.pat("alice");
    fs::remove_dir_all(&inner).unwrap();
    let body = json!({"resource_scopes": ["view"]});
    let answer = world.api(Method::POST, "/resource", &pat, &body).await;
    assert_eq!(answer.error(500), "server_error");
    assert_eq!(world.script().list_resources("alice"), []);
    assert!(
        world
            .script()
            .forget_everything()
            .unwrap_err()
            .is_state_file()
    );
    fs::create_dir(&inner).unwrap();
    assert_eq!(
        world
            .api(Method::POST, "/resource", &pat, &body)
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn forgetting_everything_leaves_people_and_known_clients() {
    let world = World::new();
    let id = world.resource("alice", &["view"]).await;
    let pat = world.pat("alice");
    let rpt = world
        .script()
        .issue_rpt("bob", APP, &[(&id, &["view"])])
        .unwrap();
    world.script().forget_everything().unwrap();
    assert_eq!(
        world.introspect(&pat, &rpt).await.error(401),
        "invalid_token"
    );
    assert_eq!(
        world.introspect(&world.pat("alice"), &rpt).await.ok(),
        json!({"active": false})
    );
    assert_eq!(world.script().list_clients().len(), 2);
}
