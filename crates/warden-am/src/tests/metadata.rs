use super::*;

#[tokio::test]
async fn both_documents_carry_the_issuer_to_the_letter() {
    for (issuer, uma, oauth, endpoint) in [
        (
            "http://am.example",
            "/.well-known/uma2-configuration",
            "/.well-known/oauth-authorization-server",
            "http://am.example/token",
        ),
        (
            "http://am.example/",
            "/.well-known/uma2-configuration",
            "/.well-known/oauth-authorization-server",
            "http://am.example/token",
        ),
        (
            "https://am.example/realms/a-b",
            "/realms/a-b/.well-known/uma2-configuration",
            "/.well-known/oauth-authorization-server/realms/a-b",
            "https://am.example/realms/a-b/token",
        ),
    ] {
        let world = World::of(WardenAm::builder(issuer));
        for path in [uma, oauth] {
            let document = world.get(path).await.ok();
            assert_eq!(document["issuer"], issuer);
            assert_eq!(document["token_endpoint"], endpoint);
            assert_eq!(
                document["code_challenge_methods_supported"],
                json!(["S256"])
            );
            assert_eq!(
                document["authorization_response_iss_parameter_supported"],
                true
            );
        }
    }
}

#[test]
fn odd_issuers_are_refused() {
    for issuer in [
        "",
        "am.example",
        "ftp://am.example",
        "http://am.example/?q",
        "http://am.example/#f",
        "http://u@am.example",
        "http://am.example/a//b",
        "http://am.example/{x}",
        "http://am.example/:x",
        "http://am.example/a/../b",
        "http://am.example//",
        "http://am.example/x/x/..",
        "http://am.example\\x",
    ] {
        let error = WardenAm::builder(issuer).build().unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Config, "{issuer}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told() {
    let world = World::new();
    assert_eq!(world.get("/nothing").await.error(404), "not_found");
    assert_eq!(
        world.get("/token").await.error(405),
        "unsupported_method_type"
    );
}

#[test]
fn debug_prints_no_secret() {
    let spec = ClientSpec::new("x").secret("s3cret");
    let builder = builder()
        .user("dave", "s3cret")
        .client(spec.clone())
        .initial_access_token("s3cret");
    let mut shown = format!("{spec:?} {builder:?}");
    let am = builder.build().unwrap();
    shown += &format!("{am:?} {:?}", am.script());
    assert!(!shown.contains("s3cret"), "{shown}");
}
