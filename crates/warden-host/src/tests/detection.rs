//! AMs that owners bring are spoken to as their metadata tell.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use uma_client::{AmProfile, Http, Issuer, TransportError};

use crate::store::Store as _;
use crate::testing::{AM, FakeAm, alice, begin, clock, connect, get, host_with, share, store};
use crate::{AmPolicy, AmSetting, Host, Outbound, Withdrawal};

const PATH: &str = "/people/alice/a";

async fn any_host(am: &FakeAm, http: Http, url: &str) -> (Host, tower_warden::Engine) {
    host_with(am, store(url).await, &clock(), |builder| {
        builder
            .ams(AmPolicy::Any(Vec::new()))
            .outbound(Outbound::new().answers_after(std::time::Duration::from_millis(500)))
            .outbound_http(http)
    })
    .await
}

async fn kept(host: &Host) -> (String, String) {
    let issuer = Issuer::parse(AM).unwrap();
    let record = host.inner.store.am(&issuer).await.unwrap().unwrap();
    (record.dialect, record.profile)
}

#[tokio::test]
async fn an_am_of_2012_is_known_by_its_document() {
    let am = FakeAm::of_2012();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("host.db").display());
    let (host, engine) = any_host(&am, am.http(), &url).await;
    connect(&host, &alice()).await;
    assert_eq!(kept(&host).await, ("draft03".into(), "draft03".into()));
    share(&host, PATH).await.unwrap();
    assert_eq!(am.count("PUT /sets"), 1);
    assert_eq!(get(&engine, PATH).await, 401);
    assert_eq!(am.count("POST /permission"), 0, "no ticket without a token");
    // Known from here on, and not asked what it speaks.
    host.inner.store.close().await;
    am.log();
    let (host, engine) = any_host(&am, am.http(), &url).await;
    assert_eq!(get(&engine, PATH).await, 401);
    host.stop_sharing(&alice(), PATH).await.unwrap();
    host.reconcile().await.unwrap();
    assert!(am.names("alice").is_empty());
    let asked = am.log();
    assert!(
        !asked.iter().any(|call| call.contains("uma2-configuration")),
        "{asked:?}"
    );
    connect(&host, &alice()).await;
    assert_eq!(kept(&host).await.0, "draft03", "it stays what it is");
}

/// The AM in memory behind Keycloak's addresses.
fn keycloak(am: &FakeAm) -> Http {
    let am = am.http();
    Http::new(move |request: Request<Bytes>| {
        let am = am.clone();
        async move { answer(&am, request).await }
    })
}

async fn answer(am: &Http, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
    const PROTECTION: &str = "/realms/home/authz/protection";
    let path = request.uri().path().to_owned();
    let json = |value: Value| {
        Response::builder()
            .header("content-type", "application/json")
            .body(Bytes::from(value.to_string()))
            .unwrap()
    };
    let at = |path: &str| format!("{AM}{path}");
    if path.starts_with("/.well-known/") {
        return Ok(json(json!({
            "issuer": AM,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "introspection_endpoint": at("/introspect"),
            "registration_endpoint": at("/realms/home/clients-registrations/openid-connect"),
            "permission_endpoint": at("/realms/home/authz/protection/permission"),
            "resource_registration_endpoint": at("/realms/home/authz/protection/resource_set"),
            "authorization_response_iss_parameter_supported": true,
            "code_challenge_methods_supported": ["S256"],
        })));
    }
    if path.ends_with("/clients-registrations/default") {
        let asked: Value = serde_json::from_slice(request.body()).unwrap();
        return Ok(json(json!({
            "clientId": "host", "secret": "s", "redirectUris": asked["redirectUris"],
        })));
    }
    let (mut parts, body) = request.into_parts();
    let at_fake = path
        .replace(&format!("{PROTECTION}/resource_set"), "/resources")
        .replace(&format!("{PROTECTION}/permission"), "/permission");
    parts.uri = at(&at_fake).parse().unwrap();
    am.send(
        Request::from_parts(parts, body),
        uma_client::Limits::default(),
    )
    .await
}

#[tokio::test]
async fn keycloak_is_known_by_its_addresses() {
    let am = FakeAm::default();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("host.db").display());
    let (host, _) = any_host(&am, keycloak(&am), &url).await;
    let issuer = Issuer::parse(AM).unwrap();
    connect(&host, &alice()).await;
    assert_eq!(kept(&host).await, ("uma2".into(), "keycloak".into()));
    assert!(
        !host.inner.ams.introspects_as_owner(&issuer),
        "its client introspects"
    );
    let shared = share(&host, PATH).await.unwrap();
    assert_eq!(shared.withdrawal, Withdrawal::WithTheToken);
    host.inner.store.close().await;
    let (host, _) = any_host(&am, keycloak(&am), &url).await;
    assert!(!host.inner.ams.introspects_as_owner(&issuer));
    let again = host.resource(&alice(), PATH).await.unwrap().unwrap();
    assert_eq!(again.withdrawal, Withdrawal::WithTheToken);
}

/// What an operator names is spoken to as the operator says.
#[tokio::test]
async fn a_named_am_is_not_second_guessed() {
    let am = FakeAm::default();
    let issuer = Issuer::parse(AM).unwrap();
    let named = AmSetting::new(issuer.clone());
    let (host, _) = host_with(&am, store("sqlite::memory:").await, &clock(), |builder| {
        builder.http(keycloak(&am)).ams(AmPolicy::Any(vec![named]))
    })
    .await;
    // A strict AM's way to register is not Keycloak's.
    begin(&host, &alice()).await.unwrap_err();
    assert!(host.inner.store.am(&issuer).await.unwrap().is_none());
}

#[tokio::test]
async fn live_decisions_hold_soon() {
    let am = FakeAm::default();
    let setting = || {
        let mut profile = AmProfile::keycloak();
        profile.metadata_documents.truncate(1);
        AmSetting::new(Issuer::parse(AM).unwrap()).with_profile(profile)
    };
    for (setting, due) in [
        (setting(), Withdrawal::WithTheToken),
        (setting().with_live_decisions(), Withdrawal::Soon),
        (
            setting().with_live_decisions_for(|map| map.key() == PATH),
            Withdrawal::Soon,
        ),
        (
            setting().with_live_decisions_for(|map| map.key() != PATH),
            Withdrawal::WithTheToken,
        ),
        (AmSetting::new(Issuer::parse(AM).unwrap()), Withdrawal::Soon),
    ] {
        let (host, _) = host_with(&am, store("sqlite::memory:").await, &clock(), |builder| {
            builder.http(keycloak(&am)).ams(AmPolicy::Only(vec![
                setting.with_credentials(uma_client::ClientCredentials::basic("host", "s")),
            ]))
        })
        .await;
        connect(&host, &alice()).await;
        let shared = share(&host, PATH).await.unwrap();
        assert_eq!(shared.withdrawal, due);
        host.stop_sharing(&alice(), PATH).await.unwrap();
        host.reconcile().await.unwrap();
    }
}
