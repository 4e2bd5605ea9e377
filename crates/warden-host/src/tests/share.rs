//! Sharing and stopping.

use tower_warden::{MapState, OwnerId};

use crate::testing::{FakeAm, Fault, alice, connect, get, host, share, until};
use crate::{ErrorKind, ShareRequest};

const PATH: &str = "/people/alice/albums/summer";

#[tokio::test]
async fn a_path_is_shared_and_stopped() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    assert_eq!(get(&engine, PATH).await, 0, "the host's own");
    let shared = share(&host, PATH).await.unwrap();
    assert_eq!(
        (shared.state, shared.problem.as_deref()),
        (MapState::Active, None)
    );
    let id = shared.resource_id.clone().unwrap();
    assert_eq!(
        shared.policy_uri.as_ref().unwrap().as_str(),
        format!("https://am.example/policy/{id}")
    );
    assert_eq!(
        serde_json::to_value(&shared).unwrap(),
        serde_json::json!({
            "uri": PATH, "name": "Summer", "resource_id": id, "am": "https://am.example",
            "scopes": ["delete", "edit", "view"], "state": "active", "subtree": false,
            "policy_uri": format!("https://am.example/policy/{id}"),
            "epoch": host.epoch().get(), "spread": "everywhere",
        })
    );
    let name = am.names("alice").pop().unwrap();
    assert!(
        name.starts_with("Summer [host.example/") && name.ends_with(']'),
        "{name}"
    );
    assert_eq!(get(&engine, PATH).await, 401);
    assert_eq!(
        host.resources(&alice()).await.unwrap(),
        std::slice::from_ref(&shared)
    );
    assert_eq!(host.resource(&alice(), PATH).await.unwrap(), Some(shared));
    assert_eq!(
        host.resource(&OwnerId::new("bob"), PATH).await.unwrap(),
        None
    );

    assert!(
        !host
            .stop_sharing(&OwnerId::new("bob"), PATH)
            .await
            .unwrap()
            .was_shared(),
        "not his"
    );
    assert!(
        host.stop_sharing(&alice(), PATH)
            .await
            .unwrap()
            .was_shared()
    );
    assert_eq!(get(&engine, PATH).await, 0);
    assert!(host.resources(&alice()).await.unwrap().is_empty());
    assert!(
        !host
            .stop_sharing(&alice(), PATH)
            .await
            .unwrap()
            .was_shared()
    );
    until(async || am.names("alice").is_empty()).await;
}

#[tokio::test]
async fn sharing_costs_one_call() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    share(&host, PATH).await.unwrap();
    am.log();
    share(&host, "/people/alice/b").await.unwrap();
    assert_eq!(am.log(), ["POST /resources"]);
}

#[tokio::test]
async fn a_double_click_registers_once() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    let (one, two, three) = tokio::join!(
        share(&host, PATH),
        share(&host, "/people/alice/albums/%73ummer/"),
        share(&host, PATH)
    );
    assert_eq!(one.unwrap(), two.unwrap());
    three.unwrap();
    assert_eq!(
        (am.count("POST /resources"), am.names("alice").len()),
        (1, 1)
    );
    assert_eq!(am.count("PUT /resources"), 0, "nothing differed");
}

#[tokio::test]
async fn sharing_again_tells_the_am_what_differs() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    let first = share(&host, PATH).await.unwrap();
    let changed = ShareRequest::new(PATH, "Winter")
        .description("Snow")
        .scopes(["view"])
        .subtree(true);
    let second = host.share(&alice(), changed.clone()).await.unwrap();
    assert_eq!(first.resource_id, second.resource_id);
    assert_eq!((second.state, second.subtree), (MapState::Active, true));
    let told = am
        .description("alice", second.resource_id.as_deref().unwrap())
        .unwrap();
    assert!(told["name"].as_str().unwrap().starts_with("Winter ["));
    assert_eq!(
        (&told["description"], &told["resource_scopes"]),
        (&"Snow".into(), &serde_json::json!(["view"]))
    );
    assert_eq!(get(&engine, &format!("{PATH}/photos/1")).await, 401);
    am.log();
    assert_eq!(host.share(&alice(), changed).await.unwrap(), second);
    assert!(am.log().is_empty());
}

#[tokio::test]
async fn an_am_in_trouble_leaves_the_path_guarded() {
    let am = FakeAm::default();
    let (host, engine, _) = host(&am).await;
    connect(&host, &alice()).await;
    for (fault, kind, words) in [
        (
            Fault::Unreachable,
            ErrorKind::AmUnreachable,
            "is being protected already",
        ),
        (
            Fault::LostAnswer,
            ErrorKind::AmUnreachable,
            "is being protected already",
        ),
        (
            Fault::Status(500, "server_error"),
            ErrorKind::AmUnreachable,
            "is being protected already",
        ),
        (
            Fault::Status(400, "invalid_request"),
            ErrorKind::AmRefused,
            "stays protected",
        ),
    ] {
        am.fail("POST /resources", fault);
        let error = share(&host, PATH).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{fault:?}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(get(&engine, PATH).await, 403, "{fault:?}");
        let row = host.resource(&alice(), PATH).await.unwrap().unwrap();
        assert_eq!(row.state, MapState::Pending);
        assert!(row.problem.unwrap().contains("Home"));
        // The owner may try again, and never makes a second registration.
        let shared = share(&host, PATH).await.unwrap();
        assert_eq!((shared.state, shared.problem), (MapState::Active, None));
        assert_eq!(am.names("alice").len(), 1, "{fault:?}");
        host.stop_sharing(&alice(), PATH).await.unwrap();
        until(async || am.names("alice").is_empty()).await;
        assert_eq!(get(&engine, PATH).await, 0);
    }
}

#[tokio::test]
async fn what_the_am_does_not_keep_is_not_published() {
    let am = FakeAm::default();
    let store = crate::testing::new_store().await;
    let clock = crate::testing::clock();
    let settings = crate::testing::settings_read_back();
    let (host, engine) = crate::testing::host_of(&am, store, &clock, settings).await;
    connect(&host, &alice()).await;
    am.fail("GET /resources/", Fault::Status(500, "server_error"));
    share(&host, PATH).await.unwrap_err();
    assert_eq!(get(&engine, PATH).await, 403);
    let id = host
        .resource(&alice(), PATH)
        .await
        .unwrap()
        .unwrap()
        .resource_id
        .unwrap();
    let shared = share(&host, PATH).await.unwrap();
    assert_eq!(shared.resource_id.unwrap(), id, "the id was not forgotten");
    assert_eq!(am.count("POST /resources"), 1);
}

#[tokio::test]
async fn what_cant_be_shared_is_refused_by_field() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    let long = "a".repeat(256);
    let request = |uri: &str| ShareRequest::new(uri, "Summer");
    let cases = [
        (
            request("https://host.example/people/alice/a"),
            ErrorKind::BadPath,
            "uri",
        ),
        (request("people/alice"), ErrorKind::BadPath, "uri"),
        (request("/people/alice/../bob"), ErrorKind::BadPath, "uri"),
        (request("/people/alice/a?b=c"), ErrorKind::BadPath, "uri"),
        (request("/people/alice/a%00"), ErrorKind::BadPath, "uri"),
        (request("/people/bob/a"), ErrorKind::NotYours, "uri"),
        (request("/nowhere"), ErrorKind::NotYours, "uri"),
        (
            request("/people/alice").subtree(true).scopes(["a b"]),
            ErrorKind::BadScope,
            "scopes",
        ),
        (
            request("/people/alice").icon_uri("javascript:alert(1)"),
            ErrorKind::BadIcon,
            "icon_uri",
        ),
        (
            request("/people/alice").icon_uri("/icon.png"),
            ErrorKind::BadIcon,
            "icon_uri",
        ),
        (
            request("/people/alice").description("a\0"),
            ErrorKind::BadDescription,
            "description",
        ),
        (
            ShareRequest::new("/people/alice", ""),
            ErrorKind::BadName,
            "resource_name",
        ),
        (
            ShareRequest::new("/people/alice", " "),
            ErrorKind::BadName,
            "resource_name",
        ),
        (
            ShareRequest::new("/people/alice", "a\nb"),
            ErrorKind::BadName,
            "resource_name",
        ),
        (
            ShareRequest::new("/people/alice", long.as_str()),
            ErrorKind::BadName,
            "resource_name",
        ),
    ];
    for (request, kind, field) in cases {
        let error = host.share(&alice(), request.clone()).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (kind, Some(field)),
            "{request:?}"
        );
    }
    let error = host
        .share(&OwnerId::new("broken"), request("/people/broken/a"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Catalogue);
    let error = share(&host, PATH).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    assert!(host.resources(&alice()).await.unwrap().is_empty());
    assert!(am.log().is_empty());
}

#[tokio::test]
async fn what_nothing_guards_cant_be_shared() {
    let am = FakeAm::default();
    let clock = crate::testing::clock();
    let store = crate::testing::new_store().await;
    let (guarded, _) = crate::testing::host_over(&am, store.clone(), &clock).await;
    connect(&guarded, &alice()).await;
    // The same store, and no engine attached.
    let loose = crate::Host::builder(store)
        .http(am.http())
        .callback_base("https://host.example/cb".parse().unwrap())
        .ams(crate::AmPolicy::Any(Vec::new()))
        .catalogue(Everything)
        .build()
        .await
        .unwrap();
    let error = share(&loose, PATH).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotGuarded, Some("uri"))
    );
    let layer = tower_warden::WardenLayer::builder()
        .maps(loose.maps())
        .protection(loose.protection())
        .guard("/people/alice", tower_warden::Unmapped::Pass)
        .build()
        .unwrap();
    loose.attach(layer.engine().clone());
    for uri in ["/", "/people", "/people/bob"] {
        let request = ShareRequest::new(uri, "Summer");
        let error = loose.share(&alice(), request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotGuarded, "{uri}");
    }
}

/// All is everybody's.
struct Everything;

impl crate::Catalogue for Everything {
    async fn owner_of(
        &self,
        _: &tower_warden::CanonicalPath<'_>,
    ) -> Result<Option<OwnerId>, crate::BoxError> {
        Ok(Some(alice()))
    }
}

#[tokio::test]
async fn a_path_that_changed_hands_must_be_let_go_first() {
    let am = FakeAm::default();
    let clock = crate::testing::clock();
    let store = crate::testing::new_store().await;
    let (host, _) = crate::testing::host_over(&am, store, &clock).await;
    let bob = OwnerId::new("bob");
    connect(&host, &alice()).await;
    connect(&host, &bob).await;
    share(&host, PATH).await.unwrap();
    // The catalogue of this host never lets that happen; the store is the second line.
    let mut intent = crate::store::suite::share_of(&bob, PATH);
    intent.issuer = uma_client::Issuer::parse(crate::testing::AM).unwrap();
    let taken = crate::store::Store::share_intended(&host.inner.store, &intent, 1)
        .await
        .unwrap();
    assert_eq!(taken, crate::store::Intended::Taken);
}

#[tokio::test]
async fn long_names_keep_the_marker() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    let name = "ä".repeat(255);
    let shared = host
        .share(&alice(), ShareRequest::new(PATH, name.as_str()))
        .await
        .unwrap();
    assert_eq!(shared.name, name);
    let registered = am.names("alice").pop().unwrap();
    assert_eq!(registered.chars().count(), 255);
    assert!(registered.ends_with(']'));
}
