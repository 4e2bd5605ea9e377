use std::sync::Mutex;

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use uma_client::TransportError;

use super::*;

const AM: &str = "https://am.example";

type Seen = Arc<Mutex<Vec<String>>>;

/// An AM like Keycloak that has a resource of the name "Notes" already.
fn am(live: LiveDecisions) -> (OneAmBuilder, Seen) {
    let seen = Seen::default();
    let calls = seen.clone();
    let http = Http::new(move |request: Request<Bytes>| {
        let path = request.uri().path().to_owned();
        if !path.contains("/.well-known/") {
            let call = format!("{} {path}", request.method());
            calls.lock().unwrap().push(call);
        }
        let (status, body) = answer(request.method(), &path);
        let response = Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()))
            .unwrap();
        async move { Ok::<_, TransportError>(response) }
    });
    let client = ClientCredentials::basic("host", "s");
    let builder = OneAm::builder(Issuer::parse(AM).unwrap(), client)
        .http(http)
        .live_decisions(live);
    (builder, seen)
}

fn answer(method: &Method, path: &str) -> (u16, Value) {
    match (method.as_str(), path) {
        ("POST", "/token") => (200, json!({"access_token": "p", "token_type": "Bearer"})),
        ("POST", "/rreg") => (409, json!({"error": "invalid_request"})),
        ("GET", "/rreg") => (200, json!(["other", "mine"])),
        ("GET", "/rreg/other") => (200, json!({"_id": "other", "name": "notes"})),
        ("GET", "/rreg/mine") => (200, json!({"_id": "mine", "name": "Notes"})),
        ("PUT", "/rreg/mine") => (204, json!(null)),
        ("POST", "/introspect") => (200, json!({"active": false})),
        _ => (
            200,
            json!({
                "issuer": AM, "token_endpoint": "https://am.example/token",
                "resource_registration_endpoint": "https://am.example/rreg",
                "introspection_endpoint": "https://am.example/introspect",
            }),
        ),
    }
}

#[tokio::test]
async fn a_resource_of_that_name_is_taken_over() {
    let (builder, seen) = am(LiveDecisions::never());
    let one = builder.profile(AmProfile::keycloak()).build().unwrap();
    let path = CanonicalPath::parse("/notes").unwrap();
    let map = one.register(path, OwnerId::new("us"), "Notes").await;
    assert_eq!(map.unwrap().resource_id().as_str(), "mine");
    let calls = seen.lock().unwrap().clone();
    assert!(calls.contains(&"PUT /rreg/mine".to_owned()), "{calls:?}");
    let path = CanonicalPath::parse("/x").unwrap();
    // A conflict that is none of ours stays one.
    let error = one.register(path, OwnerId::new("us"), "X").await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn where_the_client_introspects_no_pat_is_fetched() {
    let map = |one: &OneAm| {
        ResourceMap::new(
            CanonicalPath::parse("/notes").unwrap(),
            OwnerId::new("us"),
            one.am().clone(),
            ResourceId::parse("mine").unwrap(),
            MethodScopes::default().all().unwrap(),
        )
    };
    for (profile, calls) in [
        (AmProfile::keycloak(), vec!["POST /introspect"]),
        (AmProfile::uma2(), vec!["POST /token", "POST /introspect"]),
    ] {
        let (builder, seen) = am(LiveDecisions::never());
        let one = builder.profile(profile).build().unwrap();
        let needed = crate::Requirement::of_method(Arc::new(map(&one)), &Method::GET).unwrap();
        let evidence = one.verify(&needed.into(), &Rpt::new("t")).await.unwrap();
        assert_eq!(evidence, Evidence::Inactive);
        assert_eq!(*seen.lock().unwrap(), calls);
    }
}

#[test]
fn live_decisions_need_a_profile_that_has_them() {
    let (builder, _) = am(LiveDecisions::always());
    assert_eq!(builder.build().unwrap_err().kind(), ErrorKind::Config);
    let (builder, _) = am(LiveDecisions::always());
    assert!(builder.profile(AmProfile::keycloak()).build().is_ok());
}

/// Times that are no whole seconds, or none that could be meant, leave it unknown what the token is worth: for every
/// reader of them to guess would be to guess for the attacker.
#[tokio::test]
async fn times_that_cannot_be_read_in_one_way_open_nothing() {
    use crate::fake::{NOW, World};
    let told = Arc::new(Mutex::new(String::new()));
    let answer_with = told.clone();
    let http = Http::new(move |request: Request<Bytes>| {
        let path = request.uri().path().to_owned();
        let body = match path.as_str() {
            "/introspect" => answer_with.lock().unwrap().clone(),
            _ => answer(request.method(), &path).1.to_string(),
        };
        let response = Response::builder()
            .header("content-type", "application/json")
            .body(Bytes::from(body))
            .unwrap();
        async move { Ok::<_, TransportError>(response) }
    });
    let client = ClientCredentials::basic("host", "s");
    let protection = OneAm::builder(Issuer::parse(AM).unwrap(), client)
        .http(http)
        .audience(Audience::NotChecked)
        .build()
        .unwrap();
    let mut number = 0;
    let mut status = async |token: &str, permission: &str| {
        let world = World::new();
        *told.lock().unwrap() = format!(
            r#"{{"active":true{token},"permissions":[{{"resource_id":"/api/mapped","resource_scopes":["view"]{permission}}}]}}"#
        );
        let layer = world.builder().protection(protection.clone()).build();
        number += 1;
        let app = world.serve(&layer.unwrap());
        let answer = app.call("GET", "/api/mapped", &format!("t{number}")).await;
        assert_eq!(answer.by_handler, answer.status == 200);
        answer.status
    };
    let now = NOW as i64;
    assert_eq!(status("", "").await, 200);
    let times = [
        format!("{now}.0"),
        format!("{}.5", now + 60),
        "1.9e9".to_owned(),
        format!("\"{}\"", now + 60),
        "\"\"".to_owned(),
        "-1".to_owned(),
        format!("{}", (now + 60) * 1000),
        "9223372036854775807".to_owned(),
        "9223372036854775808".to_owned(),
        "-9223372036854775809".to_owned(),
        "1e400".to_owned(),
        "true".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
    ];
    for member in ["exp", "nbf", "iat"] {
        for time in &times {
            let time = format!(r#","{member}":{time}"#);
            assert_eq!(status(&time, "").await, 503, "{time}");
            assert_eq!(status("", &time).await, 503, "of the permission: {time}");
        }
    }
    // An end has no leeway; a beginning may lie up to thirty seconds ahead, at either level. This AM has no tickets.
    for (member, seconds, expected) in [
        ("exp", -1, 403),
        ("exp", 0, 403),
        ("exp", 1, 200),
        ("nbf", 30, 200),
        ("nbf", 31, 403),
        ("iat", 30, 200),
        ("iat", 31, 403),
    ] {
        let time = format!(r#","{member}":{}"#, now + seconds);
        assert_eq!(status(&time, "").await, expected, "{time}");
        assert_eq!(
            status("", &time).await,
            expected,
            "of the permission: {time}"
        );
    }
}
