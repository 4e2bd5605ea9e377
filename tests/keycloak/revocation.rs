//! What an owner or an administrator takes back at Keycloak, and how soon the host follows.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::person::PHOTO;
use crate::shared::{Sharing, text};

/// Keycloak's introspection follows these: the host does within its time to live.
#[tokio::test]
async fn tokens_sessions_users_and_clients_end_within_the_time_to_live() {
    let Some(sharing) = Sharing::begun(&[]).await else {
        return;
    };
    let realm = &sharing.realm;
    let id = sharing.share(PHOTO).await;
    realm.permit("alice", &id, "bob", &["view"]).await;
    let bob = format!("/users/{}", realm.user("bob").await);
    let fresh = async || {
        let rpt = text(&sharing.rpt(PHOTO).await, "access_token");
        sharing.sees(PHOTO, &rpt).await;
        rpt
    };

    let rpt = fresh().await;
    let form = [("client_id", "requester"), ("token", rpt.as_str())];
    sharing
        .app
        .post(&realm.endpoint("revoke"), &form)
        .await
        .expect(200);
    sharing.is_refused_soon(PHOTO, &rpt, "RPT revoked").await;

    let rpt = fresh().await;
    realm
        .admin(Method::POST, &format!("{bob}/logout"), None)
        .await;
    sharing
        .is_refused_soon(PHOTO, &rpt, "user logged out")
        .await;

    let rpt = fresh().await;
    let enabled = |enabled: bool| Some(json!({ "enabled": enabled }));
    realm.admin(Method::PUT, &bob, enabled(false)).await;
    sharing.is_refused_soon(PHOTO, &rpt, "user disabled").await;
    realm.admin(Method::PUT, &bob, enabled(true)).await;

    let rpt = fresh().await;
    let requester = format!("/clients/{}", realm.client("requester").await);
    realm.admin(Method::PUT, &requester, enabled(false)).await;
    sharing
        .is_refused_soon(PHOTO, &rpt, "client disabled")
        .await;
}

/// A policy that is gone is not seen by introspection, but by live decisions, where the host has opted in for them.
#[tokio::test]
async fn a_policy_that_is_gone_is_seen_by_live_decisions() {
    const NAME: &str = "/api/people/alice/personal/name";
    let live = ["--live-decisions", "/api/people/alice/albums"];
    let Some(sharing) = Sharing::begun(&live).await else {
        return;
    };
    let realm = &sharing.realm;
    let (photo, name) = (sharing.share(PHOTO).await, sharing.share(NAME).await);
    let photo_policy = realm
        .permit("alice", &photo, "bob", &["view", "edit"])
        .await;
    let name_policy = realm.permit("alice", &name, "bob", &["view"]).await;

    let with_photo = sharing.rpt(PHOTO).await;
    let rpt = text(&with_photo, "access_token");
    let for_name = text(&sharing.rpt(NAME).await, "access_token");
    sharing.sees(PHOTO, &rpt).await;
    sharing.sees(NAME, &for_name).await;

    for policy in [photo_policy, name_policy] {
        let path = format!("/uma-policy/{policy}");
        let (status, _) = realm.protection("alice", Method::DELETE, &path, None).await;
        assert_eq!(status, 204);
    }
    sharing.is_refused_soon(PHOTO, &rpt, "policy removed").await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    // Without them the token goes on until it ends: what introspection says.
    sharing.sees(NAME, &for_name).await;

    // An RPT that is refreshed past the owner's no keeps its permissions, and does not help.
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "requester"),
        ("refresh_token", &text(&with_photo, "refresh_token")),
    ];
    let (status, refreshed) = realm.token(&form, None).await;
    assert_eq!(status, 200, "{refreshed}");
    let refreshed = text(&refreshed, "access_token");
    sharing.read(PHOTO, &refreshed).await.ticket(&realm.issuer);

    // A new yes counts as soon, also for the old RPT: but only for what it says now.
    realm.permit("alice", &photo, "bob", &["view"]).await;
    sharing.sees(PHOTO, &rpt).await;
    let put = sharing
        .app
        .call("PUT", &sharing.host.at(PHOTO), Some(&rpt))
        .await;
    put.ticket(&realm.issuer);
}

/// A live decision alone lets nobody in: without an RPT there is a ticket.
#[tokio::test]
async fn a_live_yes_needs_an_rpt() {
    let Some(sharing) = Sharing::begun(&["--live-decisions", "/"]).await else {
        return;
    };
    let realm = &sharing.realm;
    let id = sharing.share(PHOTO).await;
    realm.permit("alice", &id, "bob", &["view"]).await;
    let plain = text(&realm.sign_in("requester", "bob").await, "access_token");
    sharing.read(PHOTO, &plain).await.ticket(&realm.issuer);
    let rpt = text(&sharing.rpt(PHOTO).await, "access_token");
    sharing.sees(PHOTO, &rpt).await;
}
