use serde_json::{Value, json};

use super::*;
use crate::client::ClientCredentials;
use crate::error::ErrorKind;
use crate::profile::{AmProfile, IntrospectionAuth, TicketBody};
use crate::testing::{self, Reply, Script, Seen, answer, empty, script, typed};
use crate::transport::{Http, TransportErrorKind};

fn pat() -> Pat {
    Pat::new("canary-pat")
}

fn id(text: &str) -> ResourceId {
    ResourceId::parse(text).unwrap()
}

fn am(reply: Reply) -> (Script, AmClient) {
    let (script, http) = script(move |_| reply.clone());
    (script, testing::client(&http))
}

fn with_profile(reply: Reply, change: impl FnOnce(&mut AmProfile)) -> (Script, AmClient) {
    let (script, http) = script(move |_| reply.clone());
    let mut profile = AmProfile::uma2();
    change(&mut profile);
    (
        script,
        testing::builder(&http).profile(profile).build().unwrap(),
    )
}

fn photo() -> ResourceDescription {
    let mut description = ResourceDescription::new(["view", "edit"]).with_name("Photo");
    description.description = Some("in the snow".into());
    description
}

/// The AM chooses, so there is nothing to look for before it did.
#[tokio::test]
async fn no_id_is_known_before_the_am_gives_it() {
    let (_, am) = am(empty(200));
    assert_eq!(am.chosen_id("7"), None);
}

/// R1: created without `Location`; R8: without a policy link.
#[tokio::test]
async fn r1_r8_create() {
    let (script, am) = am(answer(201, json!({"_id": "KX3A-39WE"})));
    let resource = am.create_resource(&pat(), &photo()).await.unwrap();
    assert_eq!(resource.id, id("KX3A-39WE"));
    assert_eq!((resource.policy_uri, resource.revision), (None, None));
    let seen = script.last();
    assert_eq!(
        (seen.method.as_str(), seen.uri.as_str()),
        ("POST", "https://am.example/rreg")
    );
    assert_eq!(seen.header("authorization"), "Bearer canary-pat");
    assert!(seen.headers["authorization"].is_sensitive());
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(
        seen.json(),
        json!({"resource_scopes": ["view", "edit"], "name": "Photo", "description": "in the snow"})
    );
    let (script, _) = (
        script,
        am.create_resource_as(&pat(), Some(&id("mine")), &photo())
            .await
            .unwrap(),
    );
    assert_eq!(
        script.last().uri,
        "https://am.example/rreg",
        "in UMA 2.0 the AM chooses"
    );
}

/// R2: no usable `_id`; the AM has acted, so the outcome is unknown.
#[tokio::test]
async fn r2_create_without_id() {
    for body in [
        json!({}),
        json!({"_id": ""}),
        json!({"_id": ".."}),
        json!({"_id": 7}),
        json!({"_id": null}),
    ] {
        let (_, am) = am(answer(201, body.clone()));
        let error = am.create_resource(&pat(), &photo()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{body}");
        assert!(error.outcome_unknown());
        assert!(error.to_string().contains("`_id`"), "{error}");
    }
    let (_, am) = am(answer(200, json!({"_id": "7"})));
    assert_eq!(
        am.create_resource(&pat(), &photo())
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Malformed
    );
}

/// R3: both forms of an update's answer.
#[tokio::test]
async fn r3_update() {
    for reply in [answer(200, json!({"_id": "7"})), empty(204), empty(200)] {
        let (script, am) = am(reply);
        assert_eq!(
            am.update_resource(&pat(), &id("7"), &photo())
                .await
                .unwrap()
                .id,
            id("7")
        );
        let seen = script.last();
        assert_eq!(
            (seen.method.as_str(), seen.uri.as_str()),
            ("PUT", "https://am.example/rreg/7")
        );
        assert_eq!(seen.json()["resource_scopes"], json!(["view", "edit"]));
    }
    let (_, am) = am(answer(200, json!({"_id": "8"})));
    assert_eq!(
        am.update_resource(&pat(), &id("7"), &photo())
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Malformed
    );
}

/// R4, R5: 404 and 409, with and without a code or a body.
#[tokio::test]
async fn r4_r5_not_found_and_conflict() {
    for reply in [
        empty(404),
        answer(404, json!({"error": "not_found"})),
        Ok(typed(404, "text/html", "canary")),
    ] {
        let (_, am) = am(reply);
        let error = am
            .update_resource(&pat(), &id("7"), &photo())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(!error.outcome_unknown());
        assert_eq!(
            am.read_resource(&pat(), &id("7")).await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
        assert_eq!(
            am.delete_resource(&pat(), &id("7"))
                .await
                .unwrap_err()
                .kind(),
            ErrorKind::NotFound
        );
    }
    let (_, am) = am(answer(
        409,
        json!({"error": "invalid_request", "error_description": "canary"}),
    ));
    let error = am.create_resource(&pat(), &photo()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Conflict, Some("invalid_request"))
    );
    assert!(!format!("{error} {error:?}").contains("canary"));
}

/// R6: a list that may be capped says so.
#[tokio::test]
async fn r6_list() {
    let (script, whole) = am(answer(200, json!(["a", "b/c"])));
    let list = whole.list_resources(&pat()).await.unwrap();
    assert_eq!(list.ids, [id("a"), id("b/c")]);
    assert!(list.complete);
    assert_eq!(script.last().uri, "https://am.example/rreg");

    let (script, capped) = with_profile(answer(200, json!(["a"])), |profile| {
        profile.list_is_complete = false;
        profile.list_max = Some(-1);
    });
    assert!(!capped.list_resources(&pat()).await.unwrap().complete);
    assert_eq!(script.last().uri, "https://am.example/rreg?max=-1");

    for body in [json!({}), json!([7]), json!([""]), json!(null)] {
        let (_, am) = am(answer(200, body));
        assert_eq!(
            am.list_resources(&pat()).await.unwrap_err().kind(),
            ErrorKind::Malformed
        );
    }
}

/// R7: an id is one segment of the URL.
#[tokio::test]
async fn r7_ids_are_percent_encoded() {
    let (script, am) = am(empty(204));
    am.delete_resource(&pat(), &id("a/../b c?d")).await.unwrap();
    assert_eq!(
        script.last().uri,
        "https://am.example/rreg/a%2F..%2Fb%20c%3Fd"
    );
}

#[tokio::test]
async fn read_takes_the_ams_own_members_out() {
    let (_, am) = am(answer(
        200,
        json!({"_id": "7", "name": "Photo", "resource_scopes": ["view", {"id": "x", "name": "edit"}],
               "type": "t", "user_access_policy_uri": "https://am.example/p/7", "x": 1}),
    ));
    let read = am.read_resource(&pat(), &id("7")).await.unwrap();
    assert_eq!(read.description.resource_scopes, ["view", "edit"]);
    assert_eq!(read.description.resource_type.as_deref(), Some("t"));
    assert_eq!(Value::Object(read.description.extra), json!({"x": 1}));
    assert_eq!(read.policy_uri.unwrap().as_str(), "https://am.example/p/7");
    assert_eq!(
        am.read_resource(&pat(), &id("8")).await.unwrap_err().kind(),
        ErrorKind::Malformed
    );
}

/// The AM's policy link is kept only where a browser may be sent.
#[tokio::test]
async fn policy_links_stay_on_the_ams_origin() {
    for (link, kept) in [
        ("https://am.example/policy?r=7", true),
        ("http://am.example/policy", false),
        ("https://evil.example/policy", false),
        ("https://am.example:8443/policy", false),
        ("https://user@am.example/policy", false),
        ("javascript:alert(1)", false),
        ("/policy", false),
    ] {
        let (_, am) = am(answer(
            201,
            json!({"_id": "7", "user_access_policy_uri": link}),
        ));
        let resource = am.create_resource(&pat(), &photo()).await.unwrap();
        assert_eq!(resource.policy_uri.is_some(), kept, "{link}");
    }
    let (_, am) = with_profile(answer(201, json!({"_id": "a/b"})), |profile| {
        profile.policy_uri_template = Some("{issuer}/account?resource={id}".into());
    });
    let resource = am.create_resource(&pat(), &photo()).await.unwrap();
    assert_eq!(
        resource.policy_uri.unwrap().as_str(),
        "https://am.example/account?resource=a%2Fb"
    );
}

#[tokio::test]
async fn keycloak_gets_only_members_that_it_knows() {
    let (script, http) = script(|_| answer(201, json!({"_id": "7"})));
    let am = testing::builder(&http)
        .profile(AmProfile::keycloak())
        .build()
        .unwrap();
    let mut description = photo();
    description
        .extra
        .insert("description#fr".into(), "dans la neige".into());
    am.create_resource(&pat(), &description).await.unwrap();
    assert_eq!(
        script.last().json(),
        json!({"resource_scopes": ["view", "edit"], "name": "Photo", "ownerManagedAccess": true})
    );
}

fn view() -> PermissionRequest {
    PermissionRequest::new("7", ["view"])
}

/// T1: one as an object or an array, several as an array; T2: zero scopes.
#[tokio::test]
async fn t1_t2_bodies() {
    let ticket = || answer(201, json!({"ticket": "t1"}));
    let (script, strict) = am(ticket());
    let outcome = strict.request_permission(&pat(), &[view()]).await.unwrap();
    assert_eq!(
        outcome,
        PermissionOutcome::Ticket(Ticket::parse("t1").unwrap())
    );
    assert_eq!(
        script.last().json(),
        json!({"resource_id": "7", "resource_scopes": ["view"]})
    );
    assert_eq!(script.last().header("authorization"), "Bearer canary-pat");
    strict
        .request_permission(&pat(), &[view(), PermissionRequest::new("8", [""; 0])])
        .await
        .unwrap();
    assert_eq!(
        script.last().json(),
        json!([{"resource_id": "7", "resource_scopes": ["view"]}, {"resource_id": "8", "resource_scopes": []}])
    );
    let error = strict.request_permission(&pat(), &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);

    let (script, single) = with_profile(ticket(), |profile| {
        profile.ticket_body = TicketBody::Array;
        profile.several_permissions = false;
    });
    single.request_permission(&pat(), &[view()]).await.unwrap();
    assert_eq!(
        script.last().json(),
        json!([{"resource_id": "7", "resource_scopes": ["view"]}])
    );
    let error = single
        .request_permission(&pat(), &[view(), view()])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(script.calls().len(), 1);
}

/// T3, T4: typed refusals; T7: each request asks anew.
#[tokio::test]
async fn t3_t4_t7_refusals() {
    for (status, code, kind) in [
        (400, "invalid_resource_id", ErrorKind::InvalidResourceId),
        (400, "invalid_scope", ErrorKind::InvalidScope),
        (401, "invalid_token", ErrorKind::PatDead),
        (403, "insufficient_scope", ErrorKind::InsufficientScope),
        (429, "slow_down", ErrorKind::Unavailable),
    ] {
        let (script, am) = am(answer(status, json!({"error": code})));
        let error = am.request_permission(&pat(), &[view()]).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (kind, Some(code)));
        let _ = am.request_permission(&pat(), &[view()]).await;
        assert_eq!(
            script.calls().len(),
            2,
            "no call repeats itself, and nothing is kept"
        );
        assert!(
            script
                .calls()
                .iter()
                .all(|seen| seen.uri.ends_with("/permission")),
            "nothing is created"
        );
    }
}

/// T5: 200 without a ticket is a failure unless the profile says otherwise.
#[tokio::test]
async fn t5_no_ticket() {
    for reply in [
        empty(200),
        empty(204),
        answer(200, json!({})),
        answer(201, json!({})),
        answer(200, json!({"ticket": "t"})),
    ] {
        let (_, am) = am(reply);
        assert!(am.request_permission(&pat(), &[view()]).await.is_err());
    }
    let accepting = |reply| with_profile(reply, |profile| profile.accept_200_no_ticket = true).1;
    for reply in [empty(200), empty(204), answer(200, json!({}))] {
        let outcome = accepting(reply)
            .request_permission(&pat(), &[view()])
            .await
            .unwrap();
        assert_eq!(outcome, PermissionOutcome::NoneNeeded);
    }
    for reply in [answer(201, json!({})), empty(201), empty(500)] {
        assert!(
            accepting(reply)
                .request_permission(&pat(), &[view()])
                .await
                .is_err()
        );
    }
}

/// T6: what could break out of a challenge is no ticket.
#[tokio::test]
async fn t6_unsafe_tickets() {
    for ticket in [
        "",
        "a\"b",
        "a\r\nX: y",
        "a\\b",
        "a b",
        "ä",
        &"t".repeat(4097),
    ] {
        let (_, am) = am(answer(201, json!({"ticket": ticket})));
        let error = am.request_permission(&pat(), &[view()]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }
    for body in [
        r#"{"ticket":"a","ticket":"b"}"#,
        r#"{"ticket":7}"#,
        r#"{"ticket":"canary"}x"#,
    ] {
        let (_, am) = am(Ok(typed(201, "application/json", body)));
        let error = am.request_permission(&pat(), &[view()]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(!format!("{error:?}").contains("canary"));
    }
}

async fn introspected(body: &str) -> Result<Introspection, Error> {
    let (_, am) = am(Ok(typed(200, "application/json", body)));
    am.introspect(&pat(), &Secret::new("rpt")).await
}

#[tokio::test]
async fn introspection_by_pat() {
    let (script, am) = am(answer(
        200,
        json!({"active": true, "permissions": [{"resource_id": "7", "resource_scopes": ["view"]}]}),
    ));
    let Introspection::Active(answer) =
        am.introspect(&pat(), &Secret::new("a+b &c")).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(answer.permissions.unwrap()[0].resource_id, "7");
    let seen = script.last();
    assert_eq!(seen.uri, "https://am.example/introspect");
    assert_eq!(seen.header("authorization"), "Bearer canary-pat");
    assert_eq!(
        seen.header("content-type"),
        "application/x-www-form-urlencoded"
    );
    assert_eq!(seen.form("token").as_deref(), Some("a+b &c"));
    assert_eq!(
        seen.form("token_type_hint").as_deref(),
        Some("access_token")
    );
    let error = am
        .introspect(IntrospectionCredential::Client, &Secret::new("t"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn introspection_by_client() {
    let (script, http) = script(|_| answer(200, json!({"active": false})));
    let keycloak = testing::builder(&http)
        .profile(AmProfile::keycloak())
        .build()
        .unwrap();
    assert_eq!(
        keycloak.introspect(None, &Secret::new("t")).await.unwrap(),
        Introspection::Inactive
    );
    let seen = script.last();
    assert_eq!(seen.header("authorization"), "Basic aDpzM2NyZXQ=");
    assert_eq!(
        seen.form("token_type_hint").as_deref(),
        Some("requesting_party_token")
    );
    assert_eq!(seen.form("client_secret"), None);

    let mut profile = AmProfile::uma2();
    profile.introspection_auth = IntrospectionAuth::ClientSecretPost;
    let post = testing::builder(&http).profile(profile).build().unwrap();
    post.introspect(&pat(), &Secret::new("t")).await.unwrap();
    assert!(script.last().headers.get("authorization").is_none());
    assert_eq!(
        script.last().form("client_secret").as_deref(),
        Some("s3cret")
    );

    let public = keycloak.with_credentials(ClientCredentials::public("h"));
    assert_eq!(
        public
            .introspect(None, &Secret::new("t"))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Config
    );
}

/// A 401 is the trouble of whoever introspects: the PAT's or the client's, never the token's.
#[tokio::test]
async fn introspection_credentials_in_trouble() {
    let (_, by_pat) = am(answer(401, json!({"error": "invalid_token"})));
    assert_eq!(
        by_pat
            .introspect(&pat(), &Secret::new("t"))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::PatDead
    );
    let (_, by_client) = with_profile(answer(401, json!({"error": "invalid_client"})), |profile| {
        profile.introspection_auth = IntrospectionAuth::ClientSecretBasic;
    });
    assert_eq!(
        by_client
            .introspect(None, &Secret::new("t"))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Refused
    );
}

/// E5: only a boolean is `active`; E6: `scope` never stands in for permissions.
#[tokio::test]
async fn e5_e6_what_counts_as_active() {
    for bad in [
        r#"{"active":"true"}"#,
        r#"{"active":1}"#,
        "{}",
        r#"{"active":true,"active":false}"#,
        r#"{"active":true,"exp":1.5}"#,
    ] {
        let error = introspected(bad).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{bad}");
    }
    let Introspection::Active(plain) = introspected(r#"{"active":true,"scope":"view edit"}"#)
        .await
        .unwrap()
    else {
        panic!()
    };
    assert_eq!(plain.permissions, None);
    assert_eq!(
        introspected(r#"{"active":false,"permissions":[]}"#)
            .await
            .unwrap(),
        Introspection::Inactive
    );
    let (_, html) = am(Ok(typed(200, "text/html", r#"{"active":true}"#)));
    assert_eq!(
        html.introspect(&pat(), &Secret::new("t"))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::ContentType
    );
    let (_, plus) = am(Ok(typed(200, "application/x+json", r#"{"active":true}"#)));
    assert!(plus.introspect(&pat(), &Secret::new("t")).await.is_ok());
}

/// E2 to E4 (reading): the times of token and permission come through apart.
#[tokio::test]
async fn e2_e3_e4_times_of_token_and_permission() {
    let body = r#"{"active":true,"exp":100,"nbf":5,"iat":6,"permissions":[{"resource_id":"7","resource_scopes":["view"],"exp":50,"nbf":7,"iat":8}]}"#;
    let Introspection::Active(answer) = introspected(body).await.unwrap() else {
        panic!()
    };
    assert_eq!(
        (answer.exp, answer.nbf, answer.iat),
        (Some(100), Some(5), Some(6))
    );
    let permission = &answer.permissions.unwrap()[0];
    assert_eq!(
        (permission.exp, permission.nbf, permission.iat),
        (Some(50), Some(7), Some(8))
    );
}

/// D4: the endpoint under its older name.
#[tokio::test]
async fn d4_legacy_introspection_endpoint() {
    let (script, http) = testing::raw_script(|seen| async move {
        if seen.uri.contains(".well-known") {
            answer(
                200,
                json!({"issuer": testing::ISSUER, "token_introspection_endpoint": "https://am.example/old"}),
            )
        } else {
            answer(200, json!({"active": false}))
        }
    });
    testing::client(&http)
        .introspect(&pat(), &Secret::new("t"))
        .await
        .unwrap();
    assert_eq!(script.last().uri, "https://am.example/old");
}

#[tokio::test]
async fn what_the_am_does_not_offer_is_named() {
    let (script, http) =
        testing::raw_script(|_| async { answer(200, json!({"issuer": testing::ISSUER})) });
    let am = testing::client(&http);
    let error = am.request_permission(&pat(), &[view()]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(
        error
            .to_string()
            .starts_with("POST permission request at https://am.example: "),
        "{error}"
    );
    assert_eq!(script.calls().len(), 0);
}

#[tokio::test]
async fn transport_trouble_keeps_its_kind_and_whether_the_am_may_have_acted() {
    for (kind, expected, unknown) in [
        (TransportErrorKind::Connect, ErrorKind::Unreachable, false),
        (TransportErrorKind::Broken, ErrorKind::Unreachable, true),
        (TransportErrorKind::Timeout, ErrorKind::Timeout, true),
        (
            TransportErrorKind::BodyTooLarge,
            ErrorKind::BodyTooLarge,
            true,
        ),
    ] {
        let (script, am) = am(Err(kind));
        let error = am.create_resource(&pat(), &photo()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (expected, unknown));
        assert_eq!(script.calls().len(), 1, "nothing is repeated");
    }
}

/// P4: nothing secret gets into errors or `Debug`, whatever the AM says.
#[tokio::test]
async fn p4_no_secret_in_errors() {
    let echo = |seen: &Seen| {
        Ok(typed(
            418,
            "application/json",
            &json!({"error": seen.body, "error_description": seen.header("authorization")})
                .to_string(),
        ))
    };
    let (_, http): (Script, Http) = script(echo);
    let am = testing::client(&http);
    let rpt = Secret::new("canary-rpt");
    let errors = [
        am.introspect(&pat(), &rpt).await.unwrap_err(),
        am.create_resource(&pat(), &photo()).await.unwrap_err(),
        am.request_permission(&pat(), &[view()]).await.unwrap_err(),
        am.refresh(&Secret::new("canary-refresh"))
            .await
            .unwrap_err(),
        am.revoke(&rpt, crate::TokenHint::AccessToken)
            .await
            .unwrap_err(),
    ];
    for error in errors {
        let printed = format!("{error} {error:?}");
        assert!(
            !printed.contains("canary") && !printed.contains("s3cret"),
            "{printed}"
        );
        assert_eq!(error.code(), None);
    }
    assert!(!format!("{am:?}").contains("s3cret"));
    let bad = am
        .introspect(&Pat::new("canary\n"), &rpt)
        .await
        .unwrap_err();
    assert!(!format!("{bad} {bad:?}").contains("canary"));
}

#[test]
fn futures_can_be_spawned() {
    fn is_send<T: Send>(_: T) {}
    let (_, am) = am(empty(204));
    let (pat, id) = (pat(), id("7"));
    is_send(am.create_resource(&pat, &photo()));
    is_send(am.request_permission(&pat, &[]));
    is_send(am.introspect(&pat, pat.secret()));
    is_send(am.list_resources(&pat));
    is_send(am.delete_resource(&pat, &id));
    is_send(am.client_credentials());
    is_send(am.refresh(pat.secret()));
    is_send(am.exchange_code(crate::CodeExchange::new("https://h/cb", "c")));
    is_send(am.authorization(crate::AuthorizationRequest::new("https://h/cb")));
    is_send(am.revoke(pat.secret(), crate::TokenHint::AccessToken));
    is_send(am.register(&crate::wire::ClientMetadata::default(), None));
}
