use super::*;

#[tokio::test]
async fn the_seeds_document_is_read() {
    let issuer = Issuer::parse("http://www.smartam.net").unwrap();
    let (_, http) = raw_script(|seen| async move {
        assert_eq!(
            seen.uri,
            "http://www.smartam.net/.well-known/uma-configuration"
        );
        response(200, &[("content-type", "application/json")], SEED)
    });
    let am = AmClient::builder(issuer)
        .dialect(Dialect::Draft03)
        .allow_insecure_http()
        .http(http)
        .build()
        .unwrap();
    let metadata = am.metadata().await.unwrap();
    let at = |path: &str| Some(format!("http://www.smartam.net/{path}"));
    assert_eq!(metadata.token_endpoint, at("api/oauth/host_token"));
    assert_eq!(metadata.authorization_endpoint, at("authorize"));
    assert_eq!(metadata.registration_endpoint, at("register"));
    assert_eq!(
        metadata.introspection(),
        at("api/uma/validation").as_deref()
    );
    assert_eq!(metadata.permission_endpoint, at("api/uma/permissions_reg"));
    assert_eq!(
        metadata.resource_registration_endpoint,
        at("api/uma/resource_reg")
    );
    assert_eq!(
        metadata.requester_token_endpoint,
        at("api/oauth/requester_token")
    );
    assert_eq!(
        metadata.permission_request_endpoint,
        at("api/uma/permissions_grant/ticket")
    );
    assert!(!metadata.promises_iss());
    assert_eq!(am.profile().name, "draft03");
}

/// Whoever changes one member hears of that member, by the name that it has in the document.
#[tokio::test]
async fn what_is_wrong_is_named() {
    for (member, value, kind, word) in [
        (
            "version",
            json!("2.0"),
            ErrorKind::Unsupported,
            "`version` is not 1.0",
        ),
        ("version", json!(1.0), ErrorKind::Malformed, "`version`"),
        ("version", json!(null), ErrorKind::Malformed, "`version`"),
        (
            "token_types_supported",
            json!(["jwt"]),
            ErrorKind::Unsupported,
            "`token_types_supported`",
        ),
        (
            "token_types_supported",
            json!("artifact"),
            ErrorKind::Malformed,
            "`token_types_supported`",
        ),
        (
            "dynamic_client_registration_supported",
            json!("perhaps"),
            ErrorKind::Malformed,
            "`dynamic_client_registration_supported`",
        ),
        (
            "host_token_endpoint",
            json!("http://am.example/canary"),
            ErrorKind::Insecure,
            "`host_token_endpoint`",
        ),
        (
            "host_user_endpoint",
            json!("http://am.example/canary"),
            ErrorKind::Insecure,
            "`host_user_endpoint`",
        ),
        (
            "token_status_endpoint",
            json!("/canary"),
            ErrorKind::Malformed,
            "`token_status_endpoint`",
        ),
        (
            "permission_registration_endpoint",
            json!("http://am.example/canary"),
            ErrorKind::Insecure,
            "`permission_registration_endpoint`",
        ),
        (
            "resource_set_registration_endpoint",
            json!("ftp://am.example/canary"),
            ErrorKind::Malformed,
            "`resource_set_registration_endpoint`",
        ),
        (
            "requester_token_endpoint",
            json!("http://am.example/canary"),
            ErrorKind::Insecure,
            "`requester_token_endpoint`",
        ),
        (
            "permission_request_endpoint",
            json!("http://am.example/canary"),
            ErrorKind::Insecure,
            "`permission_request_endpoint`",
        ),
        (
            "client_dynamic_registration_endpoint",
            json!("http://am.example/canary"),
            ErrorKind::Insecure,
            "`client_dynamic_registration_endpoint`",
        ),
        (
            "issuer",
            json!("https://canary.example"),
            ErrorKind::IssuerMismatch,
            "`issuer`",
        ),
    ] {
        let mut document = document();
        document[member] = value;
        let (_, builder) = am_with(document, |_| unreachable!());
        let error = builder.build().unwrap().metadata().await.unwrap_err();
        clear(&error, kind, word);
    }
    for member in ["version", "token_types_supported", "issuer"] {
        let mut document = document();
        document.as_object_mut().unwrap().remove(member);
        let (_, builder) = am_with(document, |_| unreachable!());
        let error = builder.build().unwrap().metadata().await.unwrap_err();
        clear(
            &error,
            ErrorKind::Malformed,
            &format!("`{member}` is missing"),
        );
    }
}

#[tokio::test]
async fn a_document_that_is_none_is_refused() {
    let text = document().to_string();
    for (kind, content_type, body) in [
        (ErrorKind::ContentType, "text/html", text.as_str()),
        (ErrorKind::ContentType, "application/xrd+xml", "<XRD/>"),
        (ErrorKind::Malformed, "application/json", "[]"),
        (ErrorKind::Malformed, "application/json", "\"canary\""),
    ] {
        let reply = response(200, &[("content-type", content_type)], body);
        let (_, http) = raw_script(move |_| {
            let reply = reply.clone();
            async move { reply }
        });
        let am = AmClient::builder(Issuer::parse(ISSUER).unwrap())
            .dialect(Dialect::Draft03)
            .http(http)
            .build()
            .unwrap();
        clear(&am.metadata().await.unwrap_err(), kind, "");
    }
}

/// What the AM does not offer is named as its document would have named it.
#[tokio::test]
async fn what_is_not_offered_is_named_too() {
    let mut document = document();
    document["dynamic_client_registration_supported"] = json!("no");
    for member in ["token_status_endpoint", "requester_token_endpoint"] {
        document.as_object_mut().unwrap().remove(member);
    }
    let (_, builder) = am_with(document, |_| unreachable!());
    let am = builder.build().unwrap();
    let asked = crate::wire::ClientMetadata::default();
    let error = am.register(&asked, None).await.unwrap_err();
    clear(
        &error,
        ErrorKind::Unsupported,
        "`client_dynamic_registration_endpoint`",
    );
    let error = am
        .introspect(&pat(), &Secret::new("canary"))
        .await
        .unwrap_err();
    clear(&error, ErrorKind::Unsupported, "`token_status_endpoint`");
    let error = crate::Requester::new(am).own_token().await.unwrap_err();
    clear(&error, ErrorKind::Unsupported, "`requester_token_endpoint`");
}

#[test]
fn dialects_have_names() {
    for dialect in Dialect::ALL {
        assert_eq!(Dialect::from_name(dialect.as_str()), Some(*dialect));
    }
    assert_eq!(Dialect::from_name("draft03"), Some(Dialect::Draft03));
    assert_eq!(Dialect::from_name("Draft03"), None);
}
