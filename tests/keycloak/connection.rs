//! How long a host may speak for an owner.

use reqwest::Method;

use crate::person::{PHOTO, WARNING};
use crate::shared::{Sharing, text};

/// Ends all that keeps alice signed in at Keycloak, but nothing that she gave for longer.
async fn end_sessions(sharing: &Sharing) {
    let user = sharing.realm.user("alice").await;
    let path = format!("/users/{user}/sessions");
    let sessions = sharing.realm.admin(Method::GET, &path, None).await;
    for session in sessions.as_array().unwrap() {
        let path = format!("/sessions/{}", text(session, "id"));
        sharing.realm.admin(Method::DELETE, &path, None).await;
    }
}

#[tokio::test]
async fn a_connection_ends_with_the_session_and_the_owner_is_told() {
    let Some(sharing) = Sharing::begun(&[]).await else {
        return;
    };
    sharing.share(PHOTO).await;
    sharing.ticket(PHOTO).await;
    end_sessions(&sharing).await;
    let refused = sharing.app.get(&sharing.host.at(PHOTO)).await.expect(403);
    assert_eq!(refused.header("warning"), Some(WARNING));
    let page = sharing.alice.get(&sharing.host.at("/uma/resources")).await;
    assert!(page.body.contains("Reconnect"), "{}", page.body);
    sharing
        .alice
        .connect_keycloak(&sharing.host)
        .await
        .expect(303);
    sharing.ticket(PHOTO).await;
}

#[tokio::test]
async fn a_connection_with_offline_access_outlives_the_session() {
    let Some(sharing) = Sharing::begun(&["--offline-access"]).await else {
        return;
    };
    sharing.share(PHOTO).await;
    end_sessions(&sharing).await;
    sharing.ticket(PHOTO).await;
    let other = "/api/people/alice/personal/name";
    sharing.share(other).await;
    sharing.ticket(other).await;
}
