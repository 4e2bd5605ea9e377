//! Changing the sealing key, and values that are damaged.

use tower_warden::OwnerId;

use crate::testing::{
    FakeAm, Place, Told, alice, clock, connect, host_over, host_with, share, until,
};
use crate::{AnyStore, ConnectionState, ErrorKind, KeyRing, Notice, SealingKey};

fn key(byte: u8) -> SealingKey {
    SealingKey::from_bytes(&[byte; 32]).unwrap()
}

/// K-03, K-05.
#[tokio::test]
async fn a_key_is_changed_while_owners_work() {
    let place = Place::new().await;
    let am = FakeAm::default();
    let store = AnyStore::open(&place.url(), key(1)).await.unwrap();
    let (host, _) = host_over(&am, store, &clock()).await;
    for number in 0..450 {
        connect(&host, &OwnerId::new(format!("owner{number:03}"))).await;
    }
    connect(&host, &alice()).await;
    share(&host, "/people/alice/a").await.unwrap();
    drop(host);

    let error = AnyStore::open(&place.url(), key(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Sealed);
    assert!(error.to_string().contains(&key(1).id()), "{error}");
    let ring = KeyRing::new(key(2)).with_old(key(1));
    let store = AnyStore::open(&place.url(), ring.clone()).await.unwrap();
    let (host, _) = host_over(&am, store, &clock()).await;
    // Both keys are needed until all is sealed anew.
    for one in [key(1), key(2)] {
        let error = AnyStore::open(&place.url(), one).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Sealed);
    }
    let working = tokio::spawn({
        let host = host.clone();
        async move {
            for number in 0..20 {
                connect(&host, &OwnerId::new(format!("owner{number:03}"))).await;
                share(&host, &format!("/people/alice/w{number}"))
                    .await
                    .unwrap();
            }
        }
    });
    let resealed = host.reseal().await.unwrap();
    working.await.unwrap();
    assert!(
        resealed.done >= 430 && resealed.unreadable == 0,
        "{resealed:?}"
    );
    assert_eq!(host.reseal().await.unwrap(), crate::Resealed::default());
    drop(host);
    let store = AnyStore::open(&place.url(), key(2)).await.unwrap();
    let (host, _) = host_over(&am, store, &clock()).await;
    share(&host, "/people/alice/b").await.unwrap();
    assert_eq!(
        AnyStore::open(&place.url(), key(1))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Sealed
    );
}

/// K-02, K-04: one damaged value is one owner's trouble.
#[tokio::test]
async fn a_damaged_pat_asks_its_owner_to_connect_again() {
    let am = FakeAm::default();
    let told = Told::default();
    let hook = told.clone();
    let place = Place::new().await;
    let store = AnyStore::open(&place.url(), key(1)).await.unwrap();
    let (host, _) = host_with(&am, store.clone(), &clock(), |builder| builder.notify(hook)).await;
    let bob = OwnerId::new("bob");
    connect(&host, &alice()).await;
    connect(&host, &bob).await;
    store.damage_pat("alice").await;
    let error = share(&host, "/people/alice/a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NeedsConsent);
    let state = async |owner: &OwnerId| host.connection(owner).await.unwrap().unwrap().state;
    assert_eq!(state(&alice()).await, ConnectionState::NeedsConsent);
    assert_eq!(state(&bob).await, ConnectionState::Connected);
    until(async || told.len() == 1).await;
    assert!(matches!(told.take()[0].1, Notice::ConsentNeeded { .. }));
    connect(&host, &alice()).await;
    share(&host, "/people/alice/a").await.unwrap();
}
