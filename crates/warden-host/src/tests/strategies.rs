//! AMs that owners bring, and the ways of coming by a PAT.

use std::time::{Duration, Instant};

use tower_warden::{MapState, OwnerId};
use uma_client::{ClientCredentials, Issuer};

use crate::testing::{
    AM, FakeAm, Fault, OTHER_AM, alice, begin, clock, connect, get, host_of, host_with, new_store,
    settings, share, store,
};
use crate::{
    AmPolicy, AmSetting, ConnectBy, ConnectionState, ErrorKind, Host, Outbound, PatStrategy,
    ReturnPath,
};

const PATH: &str = "/people/alice/a";

async fn any_host(am: &FakeAm) -> Host {
    let mut rules = Outbound::new().new_ams_per_hour(9, 12);
    rules.answers_after = Duration::from_millis(60);
    let store = new_store().await;
    let (host, _) = host_with(am, store, &clock(), |builder| {
        builder
            .ams(AmPolicy::Any(Vec::new()))
            .outbound(rules)
            .outbound_http(am.http())
    })
    .await;
    host
}

/// S-09, S-10: one text after one time, and not too often.
#[tokio::test]
async fn an_am_that_an_owner_brings_fails_in_one_way() {
    let am = FakeAm::default();
    let host = any_host(&am).await;
    assert!(host.allows_any_am());
    let mut answers = Vec::new();
    let begin = async |owner: &OwnerId, typed: &str| {
        let at = Instant::now();
        let back = ReturnPath::parse("/").unwrap();
        let begun = host.begin_connect(owner, "s", typed, &back).await;
        (begun, at.elapsed())
    };
    for (typed, fault) in [
        ("https://127.0.0.1", None),
        ("https://10.0.0.1:22", None),
        ("https://localhost", None),
        (AM, Some(("GET /.well-known", Fault::Unreachable))),
        (AM, Some(("GET /.well-known", Fault::Status(404, "no")))),
        (AM, Some(("GET /.well-known", Fault::HangBefore))),
        (AM, Some(("POST /register", Fault::Status(401, "no")))),
        ("https://am.example.evil", None),
    ] {
        am.mend();
        if let Some((call, fault)) = fault {
            am.fail(call, fault);
        }
        let (begun, took) = begin(&alice(), typed).await;
        let Err(error) = begun else {
            // The AM in memory answers for every name; its metadata then name another issuer, or not.
            continue;
        };
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::UnknownAm, Some("am")),
            "{typed}"
        );
        assert!(took >= Duration::from_millis(55), "{typed}: {took:?}");
        answers.push(error.to_string());
        // Failures are remembered for a second.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(answers.len() >= 6);
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let bob = OwnerId::new("bob");
    for _ in 0..9 {
        let (begun, took) = begin(&alice(), "https://10.0.0.1").await;
        if begun.unwrap_err().kind() == ErrorKind::TooMany {
            assert!(took < Duration::from_millis(50), "nothing was tried");
            let (begun, _) = begin(&bob, "https://10.0.0.1").await;
            assert_eq!(begun.unwrap_err().kind(), ErrorKind::UnknownAm);
            return;
        }
    }
    panic!("there is a limit");
}

#[tokio::test]
async fn an_am_that_was_brought_is_there_for_all() {
    let am = FakeAm::default();
    let host = any_host(&am).await;
    for number in 0..20 {
        // The budget is for new ones.
        connect(&host, &OwnerId::new(format!("owner{number}"))).await;
    }
    assert_eq!(am.count("POST /register"), 1);
    assert_eq!(
        host.connection(&OwnerId::new("owner3"))
            .await
            .unwrap()
            .unwrap()
            .name,
        "am.example"
    );
}

fn with(strategy: PatStrategy) -> Vec<AmSetting> {
    let mut settings = settings();
    settings[0] = settings[0].clone().with_pat(strategy);
    settings
}

#[tokio::test]
async fn the_host_may_be_the_owner() {
    let am = FakeAm::default();
    let store = new_store().await;
    let (host, engine) = host_of(&am, store, &clock(), with(PatStrategy::HostCredentials)).await;
    assert_eq!(host.ams().await[0].how, ConnectBy::Host);
    let url = begin(&host, &alice()).await.unwrap();
    assert_eq!(url.as_str(), "https://host.example/back", "back at once");
    let bob = OwnerId::new("bob");
    begin(&host, &bob).await.unwrap();
    share(&host, PATH).await.unwrap();
    host.share(&bob, crate::ShareRequest::new("/people/bob/a", "Bob's"))
        .await
        .unwrap();
    assert_eq!(am.names("client1").len(), 2, "one account for all");
    assert_eq!(get(&engine, PATH).await, 401);
    let tokens = am.count("POST /token");
    // One list names the resources of all: nothing is surplus.
    let drift = host.check_drift(&alice()).await.unwrap();
    assert_eq!((drift.shared, drift.listed, drift.surplus), (2, 2, 0));
    assert_eq!(am.count("POST /token"), tokens, "one PAT for all");
    // Nothing of it is anybody's to give back.
    host.disconnect(&alice()).await.unwrap();
    assert_eq!(get(&engine, PATH).await, 403);
    assert_eq!(get(&engine, "/people/bob/a").await, 401);
    assert_eq!(am.count("POST /revoke"), 0);
}

#[tokio::test]
async fn an_owner_may_give_a_client() {
    let am = FakeAm::default();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("host.db").display());
    let settings = || with(PatStrategy::OwnerCredentials);
    let (host, _) = host_of(&am, store(&url).await, &clock(), settings()).await;
    assert_eq!(host.ams().await[0].how, ConnectBy::Credentials);
    let error = begin(&host, &alice()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialsNeeded);
    let own = || ClientCredentials::basic("alices", "secret-canary");
    am.fail("POST /token", Fault::Status(401, "invalid_client"));
    assert!(host.connect_with(&alice(), AM, own()).await.is_err());
    assert_eq!(host.connection(&alice()).await.unwrap(), None);
    host.connect_with(&alice(), AM, own()).await.unwrap();
    share(&host, PATH).await.unwrap();
    assert_eq!(am.names("alices").len(), 1);
    // Kept, sealed, and had again.
    let (host, engine) = host_of(&am, store(&url).await, &clock(), settings()).await;
    assert_eq!(get(&engine, PATH).await, 401);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(13).any(|part| part == b"secret-canary"));
    }
    host.disconnect(&alice()).await.unwrap();
    let connection = host.connection(&alice()).await.unwrap().unwrap();
    assert_eq!(connection.state, ConnectionState::Disconnected);
    let issuer = Issuer::parse(AM).unwrap();
    let kept = crate::store::Store::owner_client(&host.inner.store, &alice(), &issuer).await;
    assert_eq!(kept.unwrap(), None);
    // An AM of another kind is not connected to so.
    let error = host
        .connect_with(&alice(), OTHER_AM, own())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownAm);
    host.connect_with(&alice(), AM, own()).await.unwrap();
    let row = host.resource(&alice(), PATH).await.unwrap().unwrap();
    assert_eq!(row.state, MapState::Active);
}
