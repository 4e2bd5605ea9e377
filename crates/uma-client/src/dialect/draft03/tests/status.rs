use std::time::Duration;

use super::*;
use crate::client::{Introspection, IntrospectionCredential, PermissionOutcome};
use crate::wire::{Permission, PermissionRequest};

const TOKEN_STATUS: &str = "application/uma-token-status+json";

fn status(content_type: &str, body: &Value) -> Reply {
    response(200, &[("content-type", content_type)], &body.to_string())
}

async fn ask(reply: Reply) -> (Script, Result<Introspection, Error>) {
    let (script, am) = am(reply);
    let result = am.introspect(&pat(), &Secret::new("canary-rpt")).await;
    (script, result)
}

#[tokio::test]
async fn an_array_is_a_good_token() {
    let body = json!([
        {"resource_set_id": "7", "scopes": ["https://h/view"], "exp": 1_800_000_000},
        {"resource_set_id": "8", "scopes": [], "exp": 0, "x": true},
    ]);
    for content_type in [TOKEN_STATUS, STATUS, "application/json"] {
        let (script, result) = ask(status(content_type, &body)).await;
        let Introspection::Active(answer) = result.unwrap() else {
            panic!("a good token");
        };
        let permission = |id: &str, scopes: &[&str], exp| Permission {
            resource_id: id.to_owned(),
            resource_scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            exp: Some(exp),
            ..Permission::default()
        };
        assert_eq!(
            answer.permissions.unwrap(),
            [
                permission("7", &["https://h/view"], 1_800_000_000),
                permission("8", &[], 0)
            ]
        );
        assert_eq!(
            (answer.exp, answer.iss, answer.fresh_for),
            (None, None, None)
        );
        assert_eq!(answer.aud, ["h"], "the answer is made for this host");
        let seen = script.last();
        assert_eq!(
            (seen.method.as_str(), seen.uri.as_str()),
            ("POST", "https://am.example/api/uma/validation")
        );
        assert_eq!(seen.header("content-type"), "application/json");
        assert_eq!(seen.header("authorization"), "Bearer canary-pat");
        assert_eq!(seen.json(), json!({"token": "canary-rpt"}));
    }
    // Good, and permitting nothing here: too weak, not invalid.
    let (_, result) = ask(status(TOKEN_STATUS, &json!([]))).await;
    let Introspection::Active(answer) = result.unwrap() else {
        panic!("a good token");
    };
    assert_eq!(answer.permissions, Some(Vec::new()));
}

#[tokio::test]
async fn an_object_is_a_bad_token() {
    let invalid = json!({"token_status": "invalid"});
    for content_type in [TOKEN_STATUS, STATUS, "application/json"] {
        let (_, result) = ask(status(content_type, &invalid)).await;
        assert_eq!(result.unwrap(), Introspection::Inactive);
    }
}

/// Nothing between the two is taken for either.
#[tokio::test]
async fn mix_ups_are_refused() {
    let entry = json!({"resource_set_id": "canary", "scopes": ["canary"], "exp": 1_800_000_000});
    let without = |member: &str| {
        let mut entry = entry.clone();
        entry.as_object_mut().unwrap().remove(member);
        json!([entry])
    };
    let with = |member: &str, value: Value| {
        let mut entry = entry.clone();
        entry[member] = value;
        json!([entry])
    };
    for (body, word) in [
        (json!({"token_status": "valid"}), "`token_status`"),
        (json!({"token_status": "canary"}), "`token_status`"),
        (json!({"token_status": [entry.clone()]}), "`token_status`"),
        (json!({}), "`token_status` is missing"),
        (json!({"active": true}), "`token_status` is missing"),
        (
            json!({"rpt_status": "invalid"}),
            "`token_status` is missing",
        ),
        (entry.clone(), "`token_status` is missing"),
        (
            json!([{"token_status": "invalid"}]),
            "`resource_set_id` is missing",
        ),
        (json!([[entry.clone()]]), ""),
        (json!([["canary", ["canary"], 1_800_000_000]]), ""),
        (json!(["canary"]), ""),
        (without("resource_set_id"), "`resource_set_id` is missing"),
        (without("scopes"), "`scopes` is missing"),
        (without("exp"), "`exp` is missing"),
        (with("exp", json!(null)), "exp"),
        (with("exp", json!("1800000000")), "exp"),
        (with("exp", json!(1.8e9)), "exp"),
        (with("exp", json!(-1)), "`exp`"),
        (with("exp", json!(1_800_000_000_000_i64)), "`exp`"),
        (with("scopes", json!("canary")), "scopes"),
        (json!("invalid"), "no JSON array"),
        (json!(null), "no JSON array"),
    ] {
        let (_, result) = ask(status(TOKEN_STATUS, &body)).await;
        clear(&result.unwrap_err(), ErrorKind::Malformed, word);
    }
    let (_, result) = ask(status("text/html", &json!([]))).await;
    clear(&result.unwrap_err(), ErrorKind::ContentType, "");
    let (_, result) = ask(response(
        400,
        &[("content-type", STATUS)],
        r#"{"error":"invalid_token"}"#,
    ))
    .await;
    clear(&result.unwrap_err(), ErrorKind::Refused, "invalid_token");
    let (_, result) = ask(response(401, &[], "")).await;
    clear(&result.unwrap_err(), ErrorKind::PatDead, "");
}

#[tokio::test]
async fn the_ams_freshness_comes_along() {
    for (cache_control, fresh) in [("max-age=4", 4), ("no-store", 0)] {
        let headers = [
            ("content-type", TOKEN_STATUS),
            ("cache-control", cache_control),
        ];
        let (_, result) = ask(response(200, &headers, "[]")).await;
        let Introspection::Active(answer) = result.unwrap() else {
            panic!("a good token");
        };
        assert_eq!(answer.fresh_for, Some(Duration::from_secs(fresh)));
    }
}

#[tokio::test]
async fn the_status_needs_the_hosts_token() {
    let (script, am) = am(status(TOKEN_STATUS, &json!([])));
    let error = am
        .introspect(IntrospectionCredential::Client, &Secret::new("canary"))
        .await
        .unwrap_err();
    clear(&error, ErrorKind::Config, "host's token");
    assert_eq!(script.calls().len(), 0);
}

#[tokio::test]
async fn one_permission_for_a_ticket() {
    let body = json!({"ticket": "t-1"}).to_string();
    for content_type in ["application/uma-permission-ticket+json", "application/json"] {
        let headers = [("content-type", content_type), ("location", "/x")];
        let (script, am) = am(response(201, &headers, &body));
        let wanted = [PermissionRequest::new("7", ["https://h/view"])];
        let outcome = am.request_permission(&pat(), &wanted).await.unwrap();
        let PermissionOutcome::Ticket(ticket) = outcome else {
            panic!("a ticket");
        };
        assert_eq!(ticket.expose(), "t-1");
        let seen = script.last();
        assert_eq!(seen.uri, "https://am.example/api/uma/permissions_reg");
        assert_eq!(
            seen.header("content-type"),
            "application/uma-requested-permission+json"
        );
        assert_eq!(
            seen.json(),
            json!({"resource_set_id": "7", "scopes": ["https://h/view"]})
        );
    }
    let (script, am) = am(response(201, &[], ""));
    let one = PermissionRequest::new("7", ["https://h/view"]);
    for (wanted, kind) in [
        (vec![], ErrorKind::Config),
        (
            vec![PermissionRequest::new("7", [""; 0])],
            ErrorKind::Config,
        ),
        (vec![one.clone(), one], ErrorKind::Unsupported),
    ] {
        let error = am.request_permission(&pat(), &wanted).await.unwrap_err();
        clear(&error, kind, "");
    }
    assert_eq!(script.calls().len(), 0);
}

#[tokio::test]
async fn tickets_that_cannot_be_used_are_refused() {
    let json = ("content-type", "application/uma-permission-ticket+json");
    let error = |code: &str| json!({"status": "error", "error": code}).to_string();
    for (reply, kind, word) in [
        (
            response(201, &[json], r#"["t-1"]"#),
            ErrorKind::Malformed,
            "is an array",
        ),
        (
            response(201, &[json], "{}"),
            ErrorKind::Malformed,
            "`ticket` is missing",
        ),
        (
            response(201, &[json], r#"{"ticket":"canary\" x"}"#),
            ErrorKind::Malformed,
            "`ticket`",
        ),
        (response(201, &[], "t-1"), ErrorKind::ContentType, ""),
        (
            response(200, &[json], r#"{"ticket":"t-1"}"#),
            ErrorKind::Malformed,
            "status",
        ),
        (
            response(400, &[json], &error("invalid_resource_set_id")),
            ErrorKind::InvalidResourceId,
            "",
        ),
        (
            response(400, &[json], &error("invalid_scope")),
            ErrorKind::InvalidScope,
            "",
        ),
    ] {
        let (_, am) = am(reply);
        let wanted = [PermissionRequest::new("7", ["https://h/view"])];
        let result = am.request_permission(&pat(), &wanted).await;
        clear(&result.unwrap_err(), kind, word);
    }
}
