use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;
use crate::client::AmClient;
use crate::issuer::Issuer;
use crate::profile::AmProfile;
use crate::testing::{
    self, ISSUER, Reply, Script, answer, clock, metadata, raw_script, settle, typed,
};
use crate::transport::{Http, TransportErrorKind};

fn serving(document: Value) -> (Script, Http) {
    raw_script(move |_| {
        let reply = answer(200, document.clone());
        async move { reply }
    })
}

fn client_of(issuer: &str, http: &Http) -> AmClient {
    AmClient::builder(Issuer::parse(issuer).unwrap())
        .http(http.clone())
        .build()
        .unwrap()
}

async fn failure(document: Value) -> Error {
    let (_, http) = serving(document);
    testing::client(&http).metadata().await.unwrap_err()
}

/// D1: the append rule, with a path in the issuer.
#[tokio::test]
async fn d1_appends_to_the_issuer() {
    for issuer in [
        "https://am.example/realms/x",
        "https://am.example/realms/x/",
    ] {
        let (script, http) = serving(json!({"issuer": issuer}));
        client_of(issuer, &http).metadata().await.unwrap();
        let seen = script.last();
        assert_eq!(
            seen.uri,
            "https://am.example/realms/x/.well-known/uma2-configuration"
        );
        assert_eq!(seen.header("accept"), "application/json");
        assert!(seen.headers.get("authorization").is_none());
    }
}

/// D2: the issuer is compared byte for byte.
#[tokio::test]
async fn d2_issuer_mismatch_is_refused() {
    for other in [
        "https://am.example/",
        "https://AM.example",
        "https://evil.example",
        "",
    ] {
        let error = failure(json!({"issuer": other})).await;
        assert_eq!(error.kind(), ErrorKind::IssuerMismatch, "{other}");
        assert_eq!(error.issuer().unwrap().as_str(), ISSUER);
    }
}

/// D3: http is refused in the issuer, the discovery URL and the endpoints, unless it is allowed aloud.
#[tokio::test]
async fn d3_http_is_refused() {
    let (_, http) =
        serving(json!({"issuer": "http://am.example", "token_endpoint": "http://am.example/t"}));
    let insecure =
        || AmClient::builder(Issuer::parse("http://am.example").unwrap()).http(http.clone());
    assert_eq!(insecure().build().unwrap_err().kind(), ErrorKind::Insecure);
    assert!(
        insecure()
            .allow_insecure_http()
            .build()
            .unwrap()
            .metadata()
            .await
            .is_ok()
    );

    let explicit = testing::builder(&http)
        .discovery_url("http://am.example/x")
        .build();
    assert_eq!(explicit.unwrap_err().kind(), ErrorKind::Insecure);

    for name in [
        "token_endpoint",
        "permission_endpoint",
        "jwks_uri",
        "token_introspection_endpoint",
    ] {
        let error = failure(json!({"issuer": ISSUER, name: "http://am.example/t"})).await;
        assert_eq!(error.kind(), ErrorKind::Insecure, "{name}");
    }
}

/// D5: an explicit discovery URL, and the issuer still compared.
#[tokio::test]
async fn d5_explicit_discovery_url() {
    let (script, http) = serving(json!({"issuer": "https://am.example/am/oauth2/realms/root"}));
    let am = |issuer: &str| {
        AmClient::builder(Issuer::parse(issuer).unwrap())
            .http(http.clone())
            .discovery_url("https://am.example/am/uma/realms/root/.well-known/uma2-configuration")
            .build()
            .unwrap()
    };
    am("https://am.example/am/oauth2/realms/root")
        .metadata()
        .await
        .unwrap();
    assert_eq!(
        script.last().uri,
        "https://am.example/am/uma/realms/root/.well-known/uma2-configuration"
    );
    let error = am("https://am.example/am").metadata().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IssuerMismatch);
    assert!(
        testing::builder(&http)
            .discovery_url("am.example")
            .build()
            .is_err()
    );
}

#[tokio::test]
async fn malformed_documents_are_errors_that_name_the_member() {
    for (document, says) in [
        (json!({}), "`issuer` is missing"),
        (json!({"issuer": 7}), "`issuer`"),
        (
            json!({"issuer": ISSUER, "token_endpoint": 7}),
            "`token_endpoint`",
        ),
        (
            json!({"issuer": ISSUER, "token_endpoint": "/token"}),
            "`token_endpoint` is not an absolute URL",
        ),
        (
            json!({"issuer": ISSUER, "grant_types_supported": "canary"}),
            "`grant_types_supported`",
        ),
        (json!([]), "wrong type"),
    ] {
        let error = failure(document.clone()).await;
        assert_eq!(error.kind(), ErrorKind::Malformed, "{document}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(!format!("{error:?}").contains("canary"));
    }
    for (reply, kind) in [
        (
            Ok(typed(200, "text/html", "<html>")),
            ErrorKind::ContentType,
        ),
        (
            Ok(typed(200, "application/json", "{\"issuer\":")),
            ErrorKind::Malformed,
        ),
        (
            Ok(typed(
                200,
                "application/json",
                r#"{"issuer":"https://am.example","issuer":"https://am.example"}"#,
            )),
            ErrorKind::Malformed,
        ),
        (testing::empty(302), ErrorKind::Redirect),
        (testing::empty(404), ErrorKind::NotFound),
        (testing::empty(503), ErrorKind::Unavailable),
        (testing::empty(204), ErrorKind::Malformed),
        (Err(TransportErrorKind::Connect), ErrorKind::Unreachable),
        (Err(TransportErrorKind::Timeout), ErrorKind::Timeout),
        (
            Err(TransportErrorKind::BodyTooLarge),
            ErrorKind::BodyTooLarge,
        ),
    ] as [(Reply, ErrorKind); 10]
    {
        let (_, http) = raw_script(move |_| {
            let reply = reply.clone();
            async move { reply }
        });
        let error = testing::client(&http).metadata().await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(error.operation(), Some("GET metadata"));
    }
}

#[tokio::test]
async fn metadata_may_be_longer_than_other_answers() {
    let filler = "x".repeat(200 * 1024);
    let (_, http) = serving(json!({"issuer": ISSUER, "x": filler}));
    assert!(testing::client(&http).metadata().await.is_ok());
    let (_, http) = serving(json!({"issuer": ISSUER, "x": filler.repeat(2)}));
    assert_eq!(
        testing::client(&http).metadata().await.unwrap_err().kind(),
        ErrorKind::BodyTooLarge
    );
}

#[test]
fn life_follows_cache_control() {
    let of = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, value.parse().unwrap());
        life(&headers).as_secs()
    };
    assert_eq!(life(&HeaderMap::new()).as_secs(), 3600);
    assert_eq!(of("max-age=60"), 60);
    assert_eq!(of("public, Max-Age=\"120\""), 120);
    assert_eq!(of("max-age=31536000"), 24 * 3600);
    assert_eq!(of("max-age=0"), 10);
    assert_eq!(of("no-store, max-age=60"), 3600);
    assert_eq!(of("max-age=soon"), 3600);
}

#[tokio::test]
async fn stale_metadata_serve_while_they_are_fetched_anew() {
    let version = Arc::new(AtomicUsize::new(0));
    let (script, http) = {
        let version = Arc::clone(&version);
        raw_script(move |_| {
            let n = version.fetch_add(1, Ordering::SeqCst);
            let mut response = typed(
                200,
                "application/json",
                &json!({"issuer": ISSUER, "service_documentation": n.to_string()}).to_string(),
            );
            response
                .headers_mut()
                .insert(CACHE_CONTROL, "max-age=60".parse().unwrap());
            async move { Ok(response) }
        })
    };
    let clock = clock();
    let am = testing::builder(&http)
        .clock(Arc::new(clock.clone()))
        .build()
        .unwrap();
    let version_of = |metadata: Arc<Metadata>| metadata.service_documentation.clone().unwrap();
    assert_eq!(version_of(am.metadata().await.unwrap()), "0");
    clock.advance(Duration::from_secs(59));
    assert_eq!(version_of(am.metadata().await.unwrap()), "0");
    assert_eq!(script.all().len(), 1);
    clock.advance(Duration::from_secs(2));
    assert_eq!(
        version_of(am.metadata().await.unwrap()),
        "0",
        "nobody waits"
    );
    settle().await;
    assert_eq!(version_of(am.metadata().await.unwrap()), "1");
    assert_eq!(script.all().len(), 2);
    am.expire_metadata();
    am.metadata().await.unwrap();
    settle().await;
    assert_eq!(
        version_of(
            am.with_credentials(crate::ClientCredentials::public("x"))
                .metadata()
                .await
                .unwrap()
        ),
        "2"
    );
}

#[tokio::test]
async fn the_last_good_copy_serves_while_fetching_fails_but_not_under_another_name() {
    let mode = Arc::new(AtomicUsize::new(0));
    let (script, http) = {
        let mode = Arc::clone(&mode);
        raw_script(move |_| {
            let reply = match mode.load(Ordering::SeqCst) {
                0 => answer(200, metadata()),
                1 => testing::empty(500),
                _ => answer(200, json!({"issuer": "https://evil.example"})),
            };
            async move { reply }
        })
    };
    let clock = clock();
    let am = testing::builder(&http)
        .clock(Arc::new(clock.clone()))
        .build()
        .unwrap();
    am.metadata().await.unwrap();
    mode.store(1, Ordering::SeqCst);
    clock.advance(Duration::from_secs(3601));
    for _ in 0..5 {
        assert!(am.metadata().await.is_ok());
        settle().await;
    }
    assert_eq!(
        script.all().len(),
        2,
        "a failure is remembered for a second"
    );
    clock.advance(Duration::from_secs(1));
    assert!(am.metadata().await.is_ok());
    settle().await;
    assert_eq!(script.all().len(), 3);

    mode.store(2, Ordering::SeqCst);
    clock.advance(Duration::from_secs(1));
    assert!(am.metadata().await.is_ok());
    settle().await;
    assert_eq!(
        am.metadata().await.unwrap_err().kind(),
        ErrorKind::IssuerMismatch
    );
}

#[tokio::test]
async fn a_failed_first_fetch_is_remembered_for_a_second() {
    let up = Arc::new(AtomicUsize::new(0));
    let (script, http) = {
        let up = Arc::clone(&up);
        raw_script(move |_| {
            let reply = if up.load(Ordering::SeqCst) == 0 {
                testing::empty(500)
            } else {
                answer(200, metadata())
            };
            async move { reply }
        })
    };
    let clock = clock();
    let am = testing::builder(&http)
        .clock(Arc::new(clock.clone()))
        .build()
        .unwrap();
    for _ in 0..3 {
        assert_eq!(
            am.metadata().await.unwrap_err().kind(),
            ErrorKind::Unavailable
        );
    }
    assert_eq!(script.all().len(), 1);
    up.store(1, Ordering::SeqCst);
    clock.advance(Duration::from_millis(999));
    assert!(am.metadata().await.is_err());
    clock.advance(Duration::from_millis(1));
    assert!(am.metadata().await.is_ok());
}

#[tokio::test]
async fn one_fetch_for_all_and_none_who_leaves_stops_it() {
    let gate = Arc::new(Notify::new());
    let (script, http) = {
        let gate = Arc::clone(&gate);
        raw_script(move |_| {
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                answer(200, metadata())
            }
        })
    };
    let am = testing::client(&http);
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let am = am.clone();
            tokio::spawn(async move { am.metadata().await.map(|_| ()) })
        })
        .collect();
    settle().await;
    callers[0].abort();
    settle().await;
    gate.notify_one();
    for caller in callers.into_iter().skip(1) {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(script.all().len(), 1);
}

#[tokio::test]
async fn a_profile_may_spread_metadata_over_two_documents() {
    let (script, http) = raw_script(|seen| async move {
        if seen.uri.ends_with("uma2-configuration") {
            answer(
                200,
                json!({"issuer": ISSUER, "token_endpoint": "https://am.example/t"}),
            )
        } else {
            answer(
                200,
                json!({"issuer": ISSUER, "token_endpoint": "https://am.example/other", "revocation_endpoint": "https://am.example/r"}),
            )
        }
    });
    let am = testing::builder(&http)
        .profile(AmProfile::keycloak())
        .build()
        .unwrap();
    let metadata = am.metadata().await.unwrap();
    assert_eq!(
        metadata.token_endpoint.as_deref(),
        Some("https://am.example/t")
    );
    assert_eq!(
        metadata.revocation_endpoint.as_deref(),
        Some("https://am.example/r")
    );
    assert_eq!(
        script.last().uri,
        "https://am.example/.well-known/openid-configuration"
    );
}

#[tokio::test]
async fn endpoints_on_other_origins_can_be_refused() {
    let document = json!({"issuer": ISSUER, "token_endpoint": "https://other.example/t"});
    let (_, http) = serving(document);
    assert!(testing::client(&http).metadata().await.is_ok());
    let strict = testing::builder(&http)
        .require_same_origin()
        .build()
        .unwrap();
    assert_eq!(
        strict.metadata().await.unwrap_err().kind(),
        ErrorKind::IssuerMismatch
    );
}

/// An endpoint that is gone has old metadata fetched anew, and new ones not.
#[tokio::test]
async fn a_missing_endpoint_casts_doubt_on_old_metadata() {
    let (script, http) = testing::script(|_| testing::empty(404));
    let clock = clock();
    let am = testing::builder(&http)
        .clock(Arc::new(clock.clone()))
        .build()
        .unwrap();
    let fetches = || {
        script
            .all()
            .iter()
            .filter(|seen| seen.uri.contains(".well-known"))
            .count()
    };
    let introspect = || async {
        let error = am
            .introspect(&crate::Pat::new("p"), &crate::Secret::new("t"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        settle().await;
    };
    introspect().await;
    introspect().await;
    assert_eq!(fetches(), 1);
    clock.advance(Duration::from_secs(61));
    introspect().await;
    introspect().await;
    introspect().await;
    assert_eq!(fetches(), 2);
}
