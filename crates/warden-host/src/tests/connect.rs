//! Connecting: once registered, and answers only where they belong.

use std::time::Duration;

use tower_warden::OwnerId;
use uma_client::Issuer;

use crate::am_key::am_key;
use crate::testing::{
    AM, FakeAm, Fault, OTHER_AM, alice, begin, connect, host, key_of, query, share,
};
use crate::{AuthorizationAnswer, ConnectionState, ErrorKind, ReturnPath};

fn answer(url: &url::Url) -> AuthorizationAnswer {
    AuthorizationAnswer::new()
        .with_state(query(url, "state"))
        .with_code("code-alice")
        .with_iss(AM)
}

#[tokio::test]
async fn an_owner_is_connected() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    assert_eq!(host.connection(&alice()).await.unwrap(), None);
    let url = begin(&host, &alice()).await.unwrap();
    assert_eq!(url.origin().ascii_serialization(), AM);
    assert_eq!(query(&url, "code_challenge_method"), "S256");
    assert_eq!(query(&url, "scope"), "uma_protection");
    let callback = format!("https://host.example/uma/callback/{}", key_of(&url));
    assert_eq!(query(&url, "redirect_uri"), callback);
    let back = host
        .finish_connect(&alice(), "session", &key_of(&url), answer(&url))
        .await
        .unwrap();
    assert_eq!(back.as_str(), "/back");
    let connection = host.connection(&alice()).await.unwrap().unwrap();
    assert_eq!(
        (connection.issuer.as_str(), connection.name.as_str()),
        (AM, "Home")
    );
    assert_eq!(connection.state, ConnectionState::Connected);
}

#[tokio::test]
async fn each_am_is_registered_once_and_has_a_callback_of_its_own() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    let owners = ["alice", "bob", "carol", "dave"].map(OwnerId::new);
    let urls = tokio::join!(
        begin(&host, &owners[0]),
        begin(&host, &owners[1]),
        begin(&host, &owners[2]),
        begin(&host, &owners[3])
    );
    let ids = [urls.0, urls.1, urls.2, urls.3].map(|url| query(&url.unwrap(), "client_id"));
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(am.count("POST /register"), 1);
    let back = ReturnPath::parse("/").unwrap();
    let other = host
        .begin_connect(&alice(), "session", OTHER_AM, &back)
        .await
        .unwrap();
    assert_ne!(key_of(&other), am_key(&Issuer::parse(AM).unwrap()));
    assert_eq!(am.count("POST /register"), 2);
}

#[tokio::test]
async fn an_answer_counts_once() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    let url = begin(&host, &alice()).await.unwrap();
    let finish = async || {
        host.finish_connect(&alice(), "session", &key_of(&url), answer(&url))
            .await
    };
    finish().await.unwrap();
    assert_eq!(finish().await.unwrap_err().kind(), ErrorKind::State);
    assert_eq!(am.count("POST /token"), 1);
}

#[tokio::test]
async fn an_answer_counts_only_where_it_belongs() {
    let bob = OwnerId::new("bob");
    let other_key = am_key(&Issuer::parse(OTHER_AM).unwrap());
    let am = FakeAm::default();
    let (host, _, clock) = host(&am).await;
    for case in 0..9 {
        let url = begin(&host, &alice()).await.unwrap();
        let (mut owner, mut session, mut key) = (alice(), "session", key_of(&url));
        let mut answer = answer(&url);
        match case {
            0 => owner = bob.clone(),
            1 => session = "another session",
            2 => key.clone_from(&other_key),
            3 => answer.iss = Some(OTHER_AM.into()),
            // The metadata promise it.
            4 => answer.iss = None,
            5 => answer.state = None,
            6 => answer = answer.with_state("guessed"),
            7 => answer.code = None,
            _ => clock.advance(Duration::from_secs(600)),
        }
        let error = host
            .finish_connect(&owner, session, &key, answer)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State, "case {case}: {error}");
        for owner in [&alice(), &bob] {
            assert_eq!(host.connection(owner).await.unwrap(), None, "case {case}");
        }
        if matches!(case, 0..=4 | 7 | 8) {
            // A misuse uses it up: nobody gets a second guess.
            let again = self::answer(&url);
            let error = host
                .finish_connect(&alice(), "session", &key_of(&url), again)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::State, "case {case}");
        }
    }
    assert_eq!(am.count("POST /token"), 0, "no code was ever used");
}

#[tokio::test]
async fn a_refusal_is_told_without_the_ams_words() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    for (code, kind) in [
        ("access_denied", ErrorKind::NoConsent),
        ("temporarily_unavailable", ErrorKind::AmUnreachable),
        ("<script>alert(1)</script>", ErrorKind::AmRefused),
    ] {
        let url = begin(&host, &alice()).await.unwrap();
        let refused = answer(&url).with_error(code);
        let error = host
            .finish_connect(&alice(), "session", &key_of(&url), refused)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(!error.to_string().contains('<'), "{error}");
    }
    let stray = AuthorizationAnswer::new()
        .with_error("access_denied")
        .with_state("unknown");
    let error = host
        .finish_connect(&alice(), "session", "key", stray)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
}

#[tokio::test]
async fn trouble_at_the_am_leaves_the_step_repeatable() {
    let am = FakeAm::default();
    let (host, _, clock) = host(&am).await;
    for call in ["GET /.well-known", "POST /register"] {
        am.fail(call, Fault::Unreachable);
        let error = begin(&host, &alice()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AmUnreachable, "{call}");
        assert!(error.is_temporary());
        clock.advance(Duration::from_secs(2));
    }
    let url = begin(&host, &alice()).await.unwrap();
    am.fail("POST /token", Fault::Status(503, "temporarily_unavailable"));
    let error = host
        .finish_connect(&alice(), "session", &key_of(&url), answer(&url))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AmUnreachable);
    assert_eq!(host.connection(&alice()).await.unwrap(), None);
    connect(&host, &alice()).await;
}

#[tokio::test]
async fn unknown_ams_and_a_second_am_are_refused() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    let back = ReturnPath::parse("/").unwrap();
    let error = host
        .begin_connect(&alice(), "s", "https://evil.example", &back)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::UnknownAm, Some("am"))
    );
    assert!(am.log().is_empty(), "nothing was asked of it");
    connect(&host, &alice()).await;
    share(&host, "/people/alice/a").await.unwrap();
    let error = host
        .begin_connect(&alice(), "s", OTHER_AM, &back)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectedElsewhere);
    assert!(error.to_string().contains("Home"), "{error}");
    host.stop_sharing(&alice(), "/people/alice/a")
        .await
        .unwrap();
    host.begin_connect(&alice(), "s", OTHER_AM, &back)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_dead_consent_is_seen_and_renewed() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    am.revoke_all();
    let error = share(&host, "/people/alice/a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NeedsConsent);
    assert!(error.wants_connection());
    let connection = host.connection(&alice()).await.unwrap().unwrap();
    assert_eq!(connection.state, ConnectionState::NeedsConsent);
    // Nothing is tried any more before the owner has consented.
    am.log();
    assert_eq!(
        share(&host, "/people/alice/b").await.unwrap_err().kind(),
        ErrorKind::NeedsConsent
    );
    assert!(am.log().is_empty());
    connect(&host, &alice()).await;
    assert_eq!(
        host.reconcile().await.unwrap().activated,
        1,
        "what waited goes on"
    );
    share(&host, "/people/alice/b").await.unwrap();
}

#[test]
fn nothing_prints_a_secret() {
    let answer = AuthorizationAnswer::new()
        .with_code("canary")
        .with_state("canary");
    assert!(!format!("{answer:?}").contains("canary"));
}

#[tokio::test]
async fn a_new_consent_is_used_at_once() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, "/people/alice/a").await.unwrap();
    am.revoke_all();
    connect(&host, &alice()).await;
    am.log();
    share(&host, "/people/alice/b").await.unwrap();
    assert_eq!(am.count("POST /resources"), 1, "the old PAT was not tried");
    assert_eq!(am.count("POST /token"), 0);
}
