//! AMs, connections, PATs.

use tower_warden::Purge;
use uma_client::PatState;

use super::*;
use crate::store::PendingConnect;
use crate::{ConnectionState, ErrorKind, ReturnPath};

pub(crate) async fn an_am_is_registered_once(store: &impl Store) {
    assert!(store.am(&home()).await.unwrap().is_none());
    let mine = am_record(home(), "first");
    store.am_registered(&mine, None, 1).await.unwrap();
    let kept = store
        .am_registered(&am_record(home(), "second"), None, 2)
        .await
        .unwrap();
    assert_eq!(kept.client.client_id, "first", "the first one stays");
    let read = store.am(&home()).await.unwrap().unwrap();
    assert_eq!(read.client, mine.client);
    assert_eq!(read.registration_token, mine.registration_token);
    assert_eq!(read.registration_uri, mine.registration_uri);
    assert_eq!(
        (
            read.secret_expires,
            read.dialect.as_str(),
            read.profile.as_str()
        ),
        (Some(5000), "uma2", "uma2")
    );
    assert!(store.am(&away()).await.unwrap().is_none());
}

pub(crate) async fn a_new_client_is_told_to_enforcement(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let map = shared(store, &alice(), "/a", "r1").await;
    let before = epoch(store).await;
    let renewed = am_record(home(), "renewed");
    store
        .am_registered(&renewed, Some("not the one that is there"), 3)
        .await
        .unwrap();
    assert_eq!(epoch(store).await, before);
    let kept = store
        .am_registered(&renewed, Some("host"), 3)
        .await
        .unwrap();
    assert_eq!(kept.client.client_id, "renewed");
    let changes = store.changes_since(before).await.unwrap();
    assert_eq!((changes.epoch, changes.maps.len()), (before + 1, 1));
    assert_eq!(changes.maps[0].id, map.id);
    assert_eq!(
        changes.purges,
        [Purge::Am(home())],
        "nodes hold the old one"
    );
    let again = store.am_registered(&renewed, Some("renewed"), 3).await;
    assert_eq!(again.unwrap().client, renewed.client);
    assert_eq!(epoch(store).await, before + 1, "it is the same");
    let mut rotated = renewed;
    rotated.client.secret = Some(Secret::new("another-canary"));
    store
        .am_registered(&rotated, Some("renewed"), 3)
        .await
        .unwrap();
    let changes = store.changes_since(before + 1).await.unwrap();
    assert_eq!((changes.epoch, changes.maps.len()), (before + 2, 0));
    assert_eq!(changes.purges, [Purge::Am(home())]);
}

fn pending(state: &str) -> PendingConnect {
    PendingConnect {
        state_hash: state.into(),
        owner: alice(),
        session_hash: "session".into(),
        issuer: home(),
        verifier: Secret::new("verifier-canary"),
        return_to: ReturnPath::parse("/albums?x=1").unwrap(),
        redirect_uri: "https://host.example/uma/callback/x".into(),
        expires: 600,
        moves: false,
    }
}

pub(crate) async fn an_authorization_is_taken_once(store: &impl Store) {
    connected_owners(store, &[]).await;
    store.connect_begun(&pending("one"), 5).await.unwrap();
    let taken = store.connect_answered("one").await.unwrap().unwrap();
    assert_eq!(taken.verifier.expose(), "verifier-canary");
    assert_eq!((taken.owner, taken.issuer), (alice(), home()));
    assert_eq!(
        (taken.session_hash.as_str(), taken.expires),
        ("session", 600)
    );
    assert_eq!(taken.return_to.as_str(), "/albums?x=1");
    assert!(store.connect_answered("one").await.unwrap().is_none());
    assert!(store.connect_answered("never").await.unwrap().is_none());
    store.connect_begun(&pending("two"), 5).await.unwrap();
    store.connect_begun(&pending("three"), 601).await.unwrap();
    assert!(
        store.connect_answered("two").await.unwrap().is_none(),
        "dropped when it had expired"
    );
    for number in 10..40 {
        let mut begun = pending(&format!("n{number}"));
        begun.expires = 1000 + number;
        store.connect_begun(&begun, 601).await.unwrap();
    }
    let early = store.connect_answered("n29").await.unwrap();
    assert!(early.is_none(), "ten at once are enough");
    assert!(store.connect_answered("n30").await.unwrap().is_some());
}

pub(crate) async fn a_pat_comes_back_as_it_was(store: &impl Store) {
    connected_owners(store, &[]).await;
    assert_eq!(
        store.pat(&alice(), &home()).await.unwrap(),
        (PatState::None, 0)
    );
    assert_eq!(store.connection(&alice()).await.unwrap(), None);
    assert!(
        store
            .connected(&alice(), &home(), &held("one"), 10)
            .await
            .unwrap()
    );
    let (state, consent) = store.pat(&alice(), &home()).await.unwrap();
    assert_eq!(state, PatState::Held(pat("one")));
    let bare = StoredPat::new(Secret::new("bare"), SystemTime::UNIX_EPOCH);
    assert!(
        store
            .pat_renewed(&alice(), &home(), consent, &bare)
            .await
            .unwrap()
    );
    assert_eq!(
        store.pat(&alice(), &home()).await.unwrap().0,
        PatState::Held(bare)
    );
    assert_eq!(store.pat(&bob(), &home()).await.unwrap().0, PatState::None);
    assert_eq!(
        store.pat(&alice(), &away()).await.unwrap().0,
        PatState::None
    );
    let connection = store.connection(&alice()).await.unwrap().unwrap();
    assert_eq!((connection.issuer, connection.since), (home(), 10));
    assert_eq!(connection.state, ConnectionState::Connected);
}

pub(crate) async fn a_later_consent_is_not_overwritten(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let (_, first) = store.pat(&alice(), &home()).await.unwrap();
    assert!(
        store
            .connected(&alice(), &home(), &held("two"), 99)
            .await
            .unwrap()
    );
    let (_, second) = store.pat(&alice(), &home()).await.unwrap();
    assert_ne!(first, second);
    assert!(
        !store
            .pat_renewed(&alice(), &home(), first, &pat("late"))
            .await
            .unwrap()
    );
    assert!(!store.consent_ended(&alice(), &home(), first).await.unwrap());
    assert_eq!(
        store.pat(&alice(), &home()).await.unwrap().0,
        PatState::Held(pat("two"))
    );
    assert_eq!(
        store.connection(&alice()).await.unwrap().unwrap().since,
        10,
        "it is the same connection"
    );
}

pub(crate) async fn an_ended_consent_is_wiped(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let (_, consent) = store.pat(&alice(), &home()).await.unwrap();
    assert!(
        store
            .consent_ended(&alice(), &home(), consent)
            .await
            .unwrap()
    );
    assert_eq!(
        store.pat(&alice(), &home()).await.unwrap().0,
        PatState::NeedsConsent
    );
    let connection = store.connection(&alice()).await.unwrap().unwrap();
    assert_eq!(connection.state, ConnectionState::NeedsConsent);
    assert!(!store.consent_ended(&bob(), &home(), consent).await.unwrap());
}

pub(crate) async fn who_shares_elsewhere_stays_there(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    shared(store, &alice(), "/a", "r1").await;
    assert!(
        !store
            .connected(&alice(), &away(), &held("two"), 50)
            .await
            .unwrap()
    );
    assert_eq!(
        store.connection(&alice()).await.unwrap().unwrap().issuer,
        home()
    );
    stop(store, &alice(), "/a").await.unwrap();
    assert!(
        store
            .connected(&alice(), &away(), &held("two"), 50)
            .await
            .unwrap()
    );
    assert_eq!(
        store.connection(&alice()).await.unwrap().unwrap().issuer,
        away()
    );
    let (old, _) = store.pat(&alice(), &home()).await.unwrap();
    assert_eq!(
        old,
        PatState::Held(pat("pat-canary")),
        "still needed to delete what is there"
    );
}

pub(crate) async fn a_nul_is_refused(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let mut share = share_of(&alice(), "/a");
    share.name = "a\0b".into();
    let error = store.share_intended(&share, 20).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(store.map_at(&share.site, "/a").await.unwrap().is_none());
    let owner = OwnerId::new("a\0b");
    assert!(
        store
            .connected(&owner, &home(), &held("one"), 1)
            .await
            .is_err()
    );
}
