//! Rows that are not what they were (F-34): each its own trouble, and nobody else's.

use super::*;
use crate::ErrorKind;
use crate::store::RowState;

pub(crate) async fn ciphertexts_cant_be_swapped(store: &impl Damage) {
    connected_owners(store, &[alice()]).await;
    store
        .connected(&bob(), &home(), &held("bobs"), 10)
        .await
        .unwrap();
    store.sql("UPDATE warden_connection SET access_token = \
         (SELECT c.access_token FROM warden_connection AS c WHERE c.owner = 'bob') WHERE owner = 'alice'").await;
    let error = store.pat(&alice(), &home()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Sealed);
    assert!(
        store.pat(&bob(), &home()).await.is_ok(),
        "the others are not touched"
    );
    store
        .sql("UPDATE warden_connection SET access_token = refresh_token WHERE owner = 'bob'")
        .await;
    assert_eq!(
        store.pat(&bob(), &home()).await.unwrap_err().kind(),
        ErrorKind::Sealed
    );
    store
        .sql("UPDATE warden_am SET client_secret = registration_token")
        .await;
    assert_eq!(
        store.am(&home()).await.unwrap_err().kind(),
        ErrorKind::Sealed
    );
}

pub(crate) async fn a_row_that_cant_be_understood_spoils_no_other(store: &impl Damage) {
    connected_owners(store, &[alice()]).await;
    shared(store, &alice(), "/bad", "r1").await;
    let good = shared(store, &alice(), "/good", "r2").await;
    for damage in [
        "UPDATE warden_resource_map SET scopes = '[]' WHERE path_key = '/bad'",
        "UPDATE warden_resource_map SET scopes = 'view' WHERE path_key = '/bad'",
        "UPDATE warden_resource_map SET scopes = '[\"view\"]', resource_id = '' WHERE path_key = '/bad'",
        "UPDATE warden_resource_map SET resource_id = NULL WHERE path_key = '/bad'",
    ] {
        store.sql(damage).await;
        let maps = store.maps_of(&alice()).await.unwrap();
        assert!(maps[0].broken, "{damage}");
        assert_eq!(maps[1], good);
        assert!(
            store
                .share_intended(&share_of(&alice(), "/bad"), 1)
                .await
                .is_err()
        );
    }
    assert_eq!(
        row(store, "/bad").await.state,
        RowState::Active,
        "it is left alone"
    );
    let stone = store
        .share_stopped(&alice(), &Site::default(), "/bad", 1)
        .await
        .unwrap();
    assert!(stone.is_some(), "but can be stopped");
}
