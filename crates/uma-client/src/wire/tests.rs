use serde_json::json;

use super::*;

fn introspection(text: &str) -> Result<IntrospectionResponse, serde_json::Error> {
    serde_json::from_str(text)
}

/// E5: only a JSON boolean is `active`.
#[test]
fn active_is_a_boolean() {
    for bad in [
        r#"{"active":"true"}"#,
        r#"{"active":1}"#,
        r#"{"active":null}"#,
        r#"{}"#,
        r#"{"active":true,"active":true}"#,
        r#"{"active":false,"active":true}"#,
        "[]",
        "true",
        "",
        "\u{feff}{\"active\":true}",
        r#"{"active":true}{}"#,
    ] {
        assert!(introspection(bad).is_err(), "{bad}");
    }
    assert!(introspection(r#"{"active":true}"#).unwrap().active);
}

/// E2-E4 (reading): times are integers in seconds, at both levels.
#[test]
fn times_are_integer_seconds() {
    for bad in [
        "1.0",
        "1.5e3",
        "1e3",
        "\"1256953732\"",
        "-1",
        "100000000001",
        "1256953732000",
        "99999999999999999999",
        "true",
        "[1]",
    ] {
        for member in ["exp", "iat", "nbf"] {
            assert!(
                introspection(&format!(r#"{{"active":true,"{member}":{bad}}}"#)).is_err(),
                "{member} {bad}"
            );
            let nested = format!(
                r#"{{"active":true,"permissions":[{{"resource_id":"r","resource_scopes":[],"{member}":{bad}}}]}}"#
            );
            assert!(introspection(&nested).is_err(), "nested {member} {bad}");
        }
    }
    let good = introspection(
        r#"{"active":true,"exp":100000000000,"iat":0,"nbf":null,
            "permissions":[{"resource_id":"r","resource_scopes":["view"],"exp":7,"rsname":"x"}]}"#,
    )
    .unwrap();
    assert_eq!(
        (good.exp, good.iat, good.nbf),
        (Some(100_000_000_000), Some(0), None)
    );
    assert_eq!(good.permissions.unwrap()[0].exp, Some(7));
}

#[test]
fn known_members_may_not_be_there_twice() {
    for bad in [
        r#"{"active":true,"exp":1,"exp":2}"#,
        r#"{"active":true,"permissions":[],"permissions":[]}"#,
        r#"{"active":true,"permissions":[{"resource_id":"a","resource_id":"b","resource_scopes":[]}]}"#,
    ] {
        assert!(introspection(bad).is_err(), "{bad}");
    }
    assert!(serde_json::from_str::<Metadata>(r#"{"issuer":"a","issuer":"b"}"#).is_err());
    assert!(serde_json::from_str::<TicketResponse>(r#"{"ticket":"a","ticket":"b"}"#).is_err());
    assert!(
        serde_json::from_str::<TokenResponse>(
            r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#
        )
        .is_err()
    );
    // With flattened rests too.
    assert!(
        serde_json::from_str::<ClientInformation>(r#"{"client_id":"a","client_id":"b"}"#).is_err()
    );
    assert!(
        serde_json::from_str::<ClientInformation>(
            r#"{"client_id":"a","redirect_uris":["x"],"redirect_uris":["y"]}"#
        )
        .is_err()
    );
    assert!(
        serde_json::from_str::<ResourceDescription>(
            r#"{"resource_scopes":[],"resource_scopes":["a"]}"#
        )
        .is_err()
    );
}

#[test]
fn permissions_are_strict_on_types() {
    for bad in [
        r#"[{"resource_id":1,"resource_scopes":[]}]"#,
        r#"[{"resource_id":"r"}]"#,
        r#"[{"resource_scopes":[]}]"#,
        r#"[{"resource_id":"r","resource_scopes":"view"}]"#,
        r#"[{"resource_id":"r","resource_scopes":[1]}]"#,
        r#"{"resource_id":"r","resource_scopes":[]}"#,
        r#"["r"]"#,
        r#"[null]"#,
    ] {
        assert!(
            introspection(&format!(r#"{{"active":true,"permissions":{bad}}}"#)).is_err(),
            "{bad}"
        );
    }
    assert_eq!(
        introspection(r#"{"active":true,"scope":"view"}"#)
            .unwrap()
            .permissions,
        None
    );
}

#[test]
fn audience_is_a_string_or_an_array() {
    assert_eq!(
        introspection(r#"{"active":true,"aud":"a"}"#).unwrap().aud,
        ["a"]
    );
    assert_eq!(
        introspection(r#"{"active":true,"aud":["a","b"]}"#)
            .unwrap()
            .aud,
        ["a", "b"]
    );
    assert!(introspection(r#"{"active":true}"#).unwrap().aud.is_empty());
    assert!(introspection(r#"{"active":true,"aud":[1]}"#).is_err());
    assert!(introspection(r#"{"active":true,"aud":{"a":1}}"#).is_err());
}

/// Where values are kept, serde_json stops at a depth of 128; where they are passed over, depth costs nothing.
#[test]
fn deep_nesting_is_an_error_not_a_crash() {
    let deep = |member: &str, depth: usize| {
        let nest = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        introspection(&format!(r#"{{"active":true,"{member}":{nest}}}"#))
    };
    assert!(deep("cnf", 200).is_err());
    assert!(deep("permissions", 200).is_err());
    assert!(deep("x", 30_000).is_ok());
}

/// D4 (the reading half): both names may be there, as Keycloak has it.
#[test]
fn legacy_introspection_name() {
    let both: Metadata = serde_json::from_value(json!({
        "issuer": "https://am", "introspection_endpoint": "https://am/new", "token_introspection_endpoint": "https://am/old"
    }))
    .unwrap();
    assert_eq!(both.introspection(), Some("https://am/new"));
    let old: Metadata = serde_json::from_value(
        json!({"issuer": "https://am", "token_introspection_endpoint": "https://am/old"}),
    )
    .unwrap();
    assert_eq!(old.introspection(), Some("https://am/old"));
}

#[test]
fn metadata_ignores_what_it_does_not_know_and_fills_gaps() {
    let mut mine: Metadata = serde_json::from_value(
        json!({"issuer": "https://am", "token_endpoint": "https://am/t", "x": {"y": [1]}}),
    )
    .unwrap();
    mine.fill_from(Metadata {
        issuer: "https://other".into(),
        token_endpoint: Some("https://other/t".into()),
        revocation_endpoint: Some("https://am/r".into()),
        code_challenge_methods_supported: vec!["S256".into()],
        ..Metadata::default()
    });
    assert_eq!(mine.issuer, "https://am");
    assert_eq!(mine.token_endpoint.as_deref(), Some("https://am/t"));
    assert_eq!(mine.revocation_endpoint.as_deref(), Some("https://am/r"));
    assert_eq!(mine.code_challenge_methods_supported, ["S256"]);
}

#[test]
fn descriptions_keep_extensions_and_leave_out_what_is_not_said() {
    let mut description = ResourceDescription::new(["view"]).with_name("Photo");
    description
        .extra
        .insert("name#fr".into(), "Photo FR".into());
    assert_eq!(
        serde_json::to_value(&description).unwrap(),
        json!({"resource_scopes": ["view"], "name": "Photo", "name#fr": "Photo FR"})
    );
    let back: ResourceDescription =
        serde_json::from_value(json!({"resource_scopes": ["view"], "type": "t", "_id": "7"}))
            .unwrap();
    assert_eq!(back.resource_type.as_deref(), Some("t"));
    assert_eq!(back.extra["_id"], "7");
}

#[test]
fn no_wire_type_prints_a_secret() {
    let token: TokenResponse = serde_json::from_value(json!({
        "access_token": "canary-a", "token_type": "Bearer", "refresh_token": "canary-b", "pct": "canary-c"
    }))
    .unwrap();
    let ticket: TicketResponse = serde_json::from_value(json!({"ticket": "canary-d"})).unwrap();
    let error: ErrorBody =
        serde_json::from_value(json!({"error": "need_info", "ticket": "canary-e"})).unwrap();
    let client: ClientInformation = serde_json::from_value(json!({
        "client_id": "c", "client_secret": "canary-f", "registration_access_token": "canary-g"
    }))
    .unwrap();
    let printed = format!("{token:?}{ticket:?}{error:?}{client:?}");
    assert!(!printed.contains("canary"), "{printed}");
    // They do go over the wire.
    assert!(serde_json::to_string(&client).unwrap().contains("canary-f"));
}

#[test]
fn an_object_is_not_read_from_an_array() {
    for body in [
        "[true]",
        "[true,null,null,null,null]",
        r#"{"active":true,"permissions":[["r",["view"]]]}"#,
        r#"{"active":true,"permissions":{"resource_id":"r"}}"#,
    ] {
        assert!(
            serde_json::from_str::<IntrospectionResponse>(body).is_err(),
            "{body}"
        );
    }
    assert!(serde_json::from_str::<TicketResponse>(r#"["ticket"]"#).is_err());
    assert!(serde_json::from_str::<TokenResponse>(r#"["token","bearer"]"#).is_err());
    let twice = r#"{"active":false,"active":true}"#;
    assert!(serde_json::from_str::<IntrospectionResponse>(twice).is_err());
}
