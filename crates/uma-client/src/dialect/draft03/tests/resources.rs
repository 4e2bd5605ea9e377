use super::*;
use crate::wire::ResourceDescription;

const SET: &str = "application/uma-resource-set+json";
const BASE: &str = "https://am.example/api/uma/resource_reg/resource_set";

fn photo() -> ResourceDescription {
    let mut photo =
        ResourceDescription::new(["https://host.example/scopes/view"]).with_name("Photo");
    photo.icon_uri = Some("https://host.example/icon.png".into());
    photo.description = Some("in the snow".into());
    photo.resource_type = Some("photo".into());
    photo
}

fn created(etag: Option<&str>, body: &Value) -> Reply {
    let mut headers = vec![("content-type", STATUS)];
    headers.extend(etag.map(|etag| ("etag", etag)));
    response(201, &headers, &body.to_string())
}

/// S1: PUT with the host's id, no `If-Match`, the exact media type; the ETag is kept, the policy link is optional.
#[tokio::test]
async fn the_host_chooses_the_id() {
    let body = json!({"status": "created", "_id": "a/b ü", "_rev": "2"});
    let (script, am) = am(created(Some("\"1\""), &body));
    let made = am
        .create_resource_as(&pat(), Some(&id("a/b ü")), &photo())
        .await
        .unwrap();
    assert_eq!(made.id, id("a/b ü"));
    assert_eq!(am.chosen_id("a/b ü"), Some(made.id.clone()));
    assert_eq!(am.chosen_id(""), None);
    assert_eq!(made.revision.as_deref(), Some("\"1\""));
    assert_eq!(made.policy_uri, None);
    let seen = script.last();
    assert_eq!(
        (seen.method.as_str(), seen.uri),
        ("PUT", format!("{BASE}/a%2Fb%20%C3%BC"))
    );
    let seen = script.last();
    assert_eq!(seen.header("content-type"), SET);
    assert_eq!(
        seen.header("accept"),
        "application/uma-status+json, application/json"
    );
    assert_eq!(seen.header("authorization"), "Bearer canary-pat");
    assert!(seen.headers["authorization"].is_sensitive());
    assert!(!seen.headers.contains_key("if-match"));
    assert_eq!(
        seen.json(),
        json!({"name": "Photo", "icon_uri": "https://host.example/icon.png", "scopes": ["https://host.example/scopes/view"]})
    );
}

/// Without a proposal the id is made up, and is another one each time; a name is always there.
#[tokio::test]
async fn without_a_proposal_the_id_is_random() {
    let (script, builder) = am_with(document(), |seen| {
        let id = seen.uri.rsplit('/').next().unwrap();
        created(
            None,
            &json!({"_id": id, "_rev": 1, "policy_uri": "https://am.example/p"}),
        )
    });
    let am = builder.build().unwrap();
    let bare = ResourceDescription::new(["https://h/view"]);
    let one = am.create_resource(&pat(), &bare).await.unwrap();
    let two = am.create_resource(&pat(), &bare).await.unwrap();
    assert_ne!(one.id, two.id);
    assert!(one.id.as_str().len() >= 22, "{}", one.id);
    assert_eq!(one.revision.as_deref(), Some("\"1\""));
    assert_eq!(one.policy_uri.unwrap().as_str(), "https://am.example/p");
    assert_eq!(script.last().json()["name"], two.id.as_str());
}

/// Hostile and mixed-up answers: the error says what is wrong, and that the AM has acted.
#[tokio::test]
async fn what_create_cannot_rely_on_is_refused() {
    let good = json!({"status": "created", "_id": "7"});
    for (reply, kind, word) in [
        (created(None, &good), ErrorKind::Malformed, "`ETag`"),
        (created(None, &good), ErrorKind::Malformed, "`_rev`"),
        (created(Some("*"), &good), ErrorKind::Malformed, "`ETag`"),
        (
            created(Some("\"a\",\"b\""), &good),
            ErrorKind::Malformed,
            "`ETag`",
        ),
        (
            created(None, &json!({"_id": "7", "_rev": "canary canary"})),
            ErrorKind::Malformed,
            "`_rev`",
        ),
        (
            created(None, &json!({"_id": "7", "_rev": ["1"]})),
            ErrorKind::Malformed,
            "",
        ),
        (
            created(Some("\"1\""), &json!({"_id": "canary"})),
            ErrorKind::Malformed,
            "`_id`",
        ),
        (
            created(
                Some("\"1\""),
                &json!({"_id": "7", "status": "error", "error": "canary"}),
            ),
            ErrorKind::Malformed,
            "`status`",
        ),
        (
            created(Some("\"1\""), &json!([good])),
            ErrorKind::Malformed,
            "is an array",
        ),
        (
            created(Some("\"1\""), &json!("canary")),
            ErrorKind::Malformed,
            "no JSON object",
        ),
        (
            response(201, &[("etag", "\"1\"")], ""),
            ErrorKind::ContentType,
            "",
        ),
        (
            response(
                201,
                &[("etag", "\"1\""), ("content-type", "text/html")],
                "canary",
            ),
            ErrorKind::ContentType,
            "",
        ),
        (
            response(
                200,
                &[("etag", "\"1\""), ("content-type", STATUS)],
                &good.to_string(),
            ),
            ErrorKind::Malformed,
            "status",
        ),
        (
            response(204, &[("etag", "\"1\"")], ""),
            ErrorKind::Malformed,
            "status",
        ),
    ] {
        let (_, am) = am(reply);
        let error = am
            .create_resource_as(&pat(), Some(&id("7")), &photo())
            .await
            .unwrap_err();
        clear(&error, kind, word);
        assert!(error.outcome_unknown(), "{error}");
    }
}

/// The error bodies of the draft; the status decides, the code says more.
#[tokio::test]
async fn refusals_of_the_am() {
    let refusal = |status, code: &str| {
        let body = json!({"status": "error", "error": code, "error_description": "canary"});
        response(status, &[("content-type", STATUS)], &body.to_string())
    };
    for (reply, kind, code) in [
        (
            refusal(400, "invalid_request"),
            ErrorKind::Refused,
            Some("invalid_request"),
        ),
        (
            refusal(404, "not_found"),
            ErrorKind::NotFound,
            Some("not_found"),
        ),
        (
            refusal(405, "unsupported_method_type"),
            ErrorKind::Unsupported,
            Some("unsupported_method_type"),
        ),
        (
            refusal(412, "precondition_failed"),
            ErrorKind::PreconditionFailed,
            Some("precondition_failed"),
        ),
        (
            refusal(403, "hostid_access_token_mismatch"),
            ErrorKind::Refused,
            Some("hostid_access_token_mismatch"),
        ),
        (
            refusal(401, "invalid_token"),
            ErrorKind::PatDead,
            Some("invalid_token"),
        ),
        (response(412, &[], ""), ErrorKind::PreconditionFailed, None),
    ] {
        let (script, am) = am(reply);
        let results = [
            am.create_resource_as(&pat(), Some(&id("7")), &photo())
                .await
                .unwrap_err(),
            am.update_resource_at(&pat(), &id("7"), Some("\"1\""), &photo())
                .await
                .unwrap_err(),
            am.read_resource(&pat(), &id("7")).await.unwrap_err(),
            am.delete_resource_at(&pat(), &id("7"), Some("\"1\""))
                .await
                .unwrap_err(),
            am.list_resources(&pat()).await.unwrap_err(),
        ];
        for error in results {
            clear(&error, kind, "");
            assert_eq!(error.code(), code);
            assert!(!error.outcome_unknown());
        }
        assert_eq!(script.calls().len(), 5, "no call is repeated");
    }
}

/// S1: `If-Match` with what the AM gave, and both answers of an update.
#[tokio::test]
async fn an_update_holds_the_revision() {
    let body =
        json!({"status": "updated", "_id": "7", "_rev": "3", "policy_uri": "https://am.example/p"});
    let typed = ("content-type", "application/json; charset=utf-8");
    for (reply, revision, policy) in [
        (response(204, &[("etag", "\"2\"")], ""), "\"2\"", false),
        (
            response(201, &[("etag", "\"2\""), typed], &body.to_string()),
            "\"2\"",
            true,
        ),
        (response(201, &[typed], &body.to_string()), "\"3\"", true),
    ] {
        let (script, am) = am(reply);
        let updated = am
            .update_resource_at(&pat(), &id("7"), Some("\"1\""), &photo())
            .await
            .unwrap();
        assert_eq!(updated.revision.as_deref(), Some(revision));
        assert_eq!(updated.policy_uri.is_some(), policy);
        let seen = script.last();
        assert_eq!(
            (seen.method.as_str(), seen.uri.as_str()),
            ("PUT", format!("{BASE}/7").as_str())
        );
        assert_eq!(seen.header("if-match"), "\"1\"");
        assert_eq!(seen.header("content-type"), SET);
    }
}

/// Without a revision an update would create, and a delete would take what somebody else has written: nothing is sent.
#[tokio::test]
async fn without_a_revision_nothing_is_sent() {
    let (script, am) = am(response(204, &[("etag", "\"2\"")], ""));
    let error = am
        .update_resource(&pat(), &id("7"), &photo())
        .await
        .unwrap_err();
    clear(&error, ErrorKind::PreconditionFailed, "revision");
    let error = am.delete_resource(&pat(), &id("7")).await.unwrap_err();
    clear(&error, ErrorKind::PreconditionFailed, "revision");
    for hostile in ["*", "\"1\", \"2\"", "a\r\nX: y"] {
        let error = am
            .delete_resource_at(&pat(), &id("7"), Some(hostile))
            .await
            .unwrap_err();
        clear(&error, ErrorKind::Config, "revision");
    }
    assert_eq!(script.calls().len(), 0);
}

/// A stale revision is told apart, and an answer that loses the new one is no success.
#[tokio::test]
async fn stale_and_lost_revisions() {
    let body = json!({"status": "error", "error": "precondition_failed"});
    let (_, stale) = am(response(
        412,
        &[("content-type", STATUS)],
        &body.to_string(),
    ));
    let error = stale
        .update_resource_at(&pat(), &id("7"), Some("\"1\""), &photo())
        .await
        .unwrap_err();
    clear(&error, ErrorKind::PreconditionFailed, "changed meanwhile");
    let (_, lost) = am(response(204, &[], ""));
    let error = lost
        .update_resource_at(&pat(), &id("7"), Some("\"1\""), &photo())
        .await
        .unwrap_err();
    clear(&error, ErrorKind::Malformed, "`ETag`");
    assert!(error.outcome_unknown());
}

#[tokio::test]
async fn read_delete_and_list() {
    let body =
        json!({"_id": "7", "_rev": "1", "name": "Photo", "scopes": ["https://h/view"], "x": 1});
    let (script, reads) = am(response(200, &[("content-type", SET)], &body.to_string()));
    let read = reads.read_resource(&pat(), &id("7")).await.unwrap();
    assert_eq!(read.revision.as_deref(), Some("\"1\""));
    assert_eq!(read.description.name.as_deref(), Some("Photo"));
    assert_eq!(read.description.resource_scopes, ["https://h/view"]);
    assert_eq!(Value::Object(read.description.extra), json!({"x": 1}));
    assert_eq!(
        script.last().header("accept"),
        "application/uma-resource-set+json, application/json"
    );
    for (body, word) in [
        (
            json!({"_id": "8", "_rev": "1", "name": "canary", "scopes": []}),
            "`_id`",
        ),
        (
            json!({"_id": "7", "name": "canary", "scopes": []}),
            "`_rev`",
        ),
        (
            json!({"_id": "7", "_rev": "1", "scopes": []}),
            "`name` is missing",
        ),
        (
            json!({"_id": "7", "_rev": "1", "name": "canary"}),
            "`scopes` is missing",
        ),
        (
            json!([{"_id": "7", "_rev": "1", "name": "canary", "scopes": []}]),
            "is an array",
        ),
    ] {
        let (_, am) = am(response(200, &[("content-type", SET)], &body.to_string()));
        let error = am.read_resource(&pat(), &id("7")).await.unwrap_err();
        clear(&error, ErrorKind::Malformed, word);
    }

    let (script, deletes) = am(response(204, &[], ""));
    deletes
        .delete_resource_at(&pat(), &id("7"), Some("\"1\""))
        .await
        .unwrap();
    assert_eq!(script.last().method, "DELETE");
    assert_eq!(script.last().header("if-match"), "\"1\"");

    let json = [("content-type", "application/json")];
    let (script, lists) = am(response(200, &json, r#"["a", "b/c"]"#));
    let list = lists.list_resources(&pat()).await.unwrap();
    assert_eq!((list.ids, list.complete), (vec![id("a"), id("b/c")], true));
    assert_eq!(script.last().uri, BASE);
    for (body, word) in [
        (r#"{"a": 1}"#, "is an object"),
        (r#"[{"_id": "canary"}]"#, ""),
        (r#"[".."]"#, "id of the list"),
        ("7", "no JSON array"),
    ] {
        let (_, am) = am(response(200, &json, body));
        let error = am.list_resources(&pat()).await.unwrap_err();
        clear(&error, ErrorKind::Malformed, word);
    }
}

/// A host goes on speaking of `view`; the AM hears the URL of the scope's document.
#[tokio::test]
async fn scopes_are_urls_for_the_am_alone() {
    let (script, builder) = am_with(document(), |seen| {
        if seen.method == "PUT" {
            return created(Some("\"1\""), &json!({"_id": "7"}));
        }
        let scopes = [
            "https://host.example/scopes/view",
            "https://other.example/view",
            "plain",
        ];
        let body = json!({"_id": "7", "name": "n", "scopes": scopes});
        response(
            200,
            &[("content-type", SET), ("etag", "\"1\"")],
            &body.to_string(),
        )
    });
    let mut profile = Dialect::Draft03.profile();
    profile.scope_base = Some("https://host.example/scopes/".into());
    let am = builder.profile(profile).build().unwrap();
    let description = ResourceDescription::new(["view", "https://other.example/view"]);
    am.create_resource_as(&pat(), Some(&id("7")), &description)
        .await
        .unwrap();
    assert_eq!(
        script.last().json()["scopes"],
        json!([
            "https://host.example/scopes/view",
            "https://other.example/view"
        ])
    );
    let read = am.read_resource(&pat(), &id("7")).await.unwrap();
    assert_eq!(
        read.description.resource_scopes,
        ["view", "https://other.example/view", "plain"]
    );
}
