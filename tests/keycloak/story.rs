//! The whole loop: connect, share, mini panel, ticket, request, yes, access, stop.

use reqwest::Method;

use crate::browser::person;
use crate::host::HostOne;
use crate::person::{PHOTO, Person};
use crate::realm::Realm;
use crate::shared::{KEYCLOAK, Sharing, text};
use crate::tools::uma_get;

#[tokio::test]
async fn an_owner_shares_is_asked_and_lets_somebody_in() {
    let Some(realm) = Realm::fresh().await else {
        return;
    };
    let named = ["--am-profile", "keycloak"];
    let host = HostOne::with_am(&realm.issuer, &[&KEYCLOAK[..], &named].concat()).await;
    let (alice, app) = (person("alice"), Person::new("app"));
    let photo = host.at(PHOTO);

    let back = alice.connect_keycloak(&host).await.expect(303);
    assert_eq!(back.location().path(), "/uma/resources");
    let shared = alice.share(&host, PHOTO).await.expect(303);
    assert_eq!(shared.location().as_str(), host.at("/?notice=shared"));
    let list = alice.shared(&host).await;
    assert_eq!(list[0]["state"], "active", "{list:?}");
    let link = format!("{}/account/resources", realm.issuer);
    assert_eq!(list[0]["policy_uri"], link.as_str());
    app.get(&link).await.expect(200);

    // The resource is the owner's own, so that her account console lists it.
    let id = text(&list[0], "resource_id");
    let path = format!("/resource_set/{id}");
    let (status, resource) = realm.protection("alice", Method::GET, &path, None).await;
    assert_eq!(status, 200);
    assert_eq!(resource["owner"]["id"], realm.user("alice").await.as_str());
    assert_eq!(resource["ownerManagedAccess"], true);

    let panel = alice
        .get(&host.at(&format!("/internal/uma_mini_panel?uri={PHOTO}&name=x")))
        .await
        .expect(200);
    assert!(panel.body.contains(&link), "{}", panel.body);

    // Bob is refused first, and that is a request which waits for alice.
    app.get(&photo).await.ticket(&realm.issuer);
    let bob = ["--keycloak", "--client-id", "requester", "--user", "bob"];
    let refused = uma_get(&photo, &bob).await;
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.stderr.contains("request_submitted"), "{refused:?}");
    let waiting = realm.waiting("alice", &id).await;
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert_eq!(waiting[0]["requesterName"], "bob");
    assert_eq!(waiting[0]["scopeName"], "view");
    assert_eq!(realm.approve("alice", &id).await, 1);
    let seen = uma_get(&photo, &bob).await.expect(0);
    assert!(seen.stdout.contains("summer: the beach"), "{seen:?}");
    // Reading alone, and bob alone.
    let put = [&bob[..], &["-X", "PUT", "-d", "changed"]].concat();
    uma_get(&photo, &put).await.expect(5);
    let dave = ["--keycloak", "--client-id", "requester", "--user", "dave"];
    uma_get(&photo, &dave).await.expect(5);

    alice.stop(&host, PHOTO).await.expect(303);
    assert!(alice.shared(&host).await.is_empty());
    assert!(app.get(&photo).await.expect(403).handler().is_some());
    for _ in 0..400 {
        let (status, _) = realm.protection("alice", Method::GET, &path, None).await;
        if status == 404 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the registration stays at Keycloak");
}

/// An application that speaks for itself, which the owner permits by its client id.
#[tokio::test]
async fn an_application_without_a_person_gets_in_too() {
    let Some(sharing) = Sharing::begun(&[]).await else {
        return;
    };
    let id = sharing.share(PHOTO).await;
    let photo = sharing.host.at(PHOTO);
    let service = [
        "--client-id",
        "requester-service",
        "--client-secret",
        "requester-service-secret",
    ];
    // Such a request could not be answered in the account console, and would break the list of those that can.
    uma_get(&photo, &service).await.expect(6);
    uma_get(&photo, &service).await.expect(6);
    assert!(sharing.realm.waiting("alice", &id).await.is_empty());
    let policy = serde_json::json!({
        "name": format!("an application on {id}"), "scopes": ["view"], "clients": ["requester-service"],
    });
    let path = format!("/uma-policy/{id}");
    let (status, made) = sharing
        .realm
        .protection("alice", Method::POST, &path, Some(policy))
        .await;
    assert_eq!(status, 200, "{made}");
    let seen = uma_get(&photo, &service).await.expect(0);
    assert!(seen.stdout.contains("summer: the beach"), "{seen:?}");
}

/// Nothing was named but the issuer: the profile is told from the metadata, and said in one line.
#[tokio::test]
async fn the_log_says_how_the_am_is_spoken_to() {
    let Some(sharing) = Sharing::begun(&[]).await else {
        return;
    };
    let (code, log, _) = sharing.host.end().await;
    assert_eq!(code, Some(0), "{log}");
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("how this AM is spoken to"))
        .collect();
    let [line] = lines.as_slice() else {
        panic!("{log}")
    };
    assert!(
        line.contains("keycloak") && line.contains(&sharing.realm.issuer),
        "{line}"
    );
    for secret in ["host-one-secret", "eyJ"] {
        assert!(!log.contains(secret), "a secret in the log");
    }
}
