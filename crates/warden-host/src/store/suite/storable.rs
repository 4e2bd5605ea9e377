//! What can be kept, and what can't.

use tower_warden::MapId;

use super::*;
use crate::ErrorKind;
use crate::store::{MapsQuery, PendingConnect, RowState};

pub(crate) async fn what_one_store_cant_hold_none_takes(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    // The longest path that there may be comes back, whatever it is of.
    for letter in ["a", "\u{ff}", "\u{10ffff}", "\u{1}", "\u{7f}"] {
        let path = format!("/{}", letter.repeat(2047 / letter.len()));
        let (map, _) = intend(store, &share_of(&alice(), &path)).await;
        assert_eq!(row(store, &path).await, map);
        let changes = store.changes_since(map.changed_epoch - 1).await.unwrap();
        assert_eq!(changes.maps[0].path_key, path);
    }
    let long = share_of(&alice(), &format!("/{}", "a".repeat(2048)));
    let error = store.share_intended(&long, 20).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadPath);
    let before = epoch(store).await;
    let refused = async |change: &dyn Fn(&mut NewShare)| {
        let mut share = share_of(&alice(), "/b");
        change(&mut share);
        let error = store.share_intended(&share, 20).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store, "{share:?}");
    };
    refused(&|share| share.name = "n".repeat(65_537)).await;
    refused(&|share| share.description = Some("d\0".into())).await;
    refused(&|share| share.icon_uri = Some("i".repeat(65_537))).await;
    refused(&|share| share.marker = "\0".into()).await;
    refused(&|share| share.site = Site::new("s".repeat(257))).await;
    assert_eq!(epoch(store).await, before);
    let mut share = share_of(&alice(), "/b");
    share.name = "n".repeat(65_536);
    intend(store, &share).await;
    // Who asks for what can't be there is told so by all.
    let nul = OwnerId::new("a\0");
    assert!(store.connection(&nul).await.is_err());
    assert!(store.maps_of(&nul).await.is_err());
    assert!(store.map_at(&Site::default(), "/\0").await.is_err());
    assert!(store.sharing_owners("\0", 9).await.is_err());
    let query = MapsQuery {
        search: "\0".into(),
        ..MapsQuery::default()
    };
    assert!(store.maps_page(&alice(), &query).await.is_err());
    let long = OwnerId::new("o".repeat(257));
    let connected = store.connected(&long, &home(), &held("one"), 1).await;
    assert_eq!(connected.unwrap_err().kind(), ErrorKind::Store);
    let mut scoped = pat("one");
    scoped.scope = Some("a\0".into());
    let scoped = Consent::Pat(scoped);
    let connected = store.connected(&alice(), &home(), &scoped, 1).await;
    assert_eq!(connected.unwrap_err().kind(), ErrorKind::Store);
    let issuer = Issuer::parse(&format!("https://am.example/{}", "a".repeat(2048)));
    if let Ok(issuer) = issuer {
        let registered = store.am_registered(&am_record(issuer, "x"), None, 1).await;
        assert_eq!(registered.unwrap_err().kind(), ErrorKind::Store);
    }
}

pub(crate) async fn numbers_go_to_their_ends(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let map = shared(store, &alice(), "/a", "r1").await;
    let suspected = store
        .share_suspected(MapId::new(u64::MAX), &id("r1"), 1)
        .await;
    assert!(!suspected.unwrap(), "there is no such map");
    store.share_failed(&map, "late", i64::MAX).await.unwrap();
    assert!(store.ams_due(i64::MAX).await.unwrap().is_empty());
    assert_eq!(row(store, "/a").await.state, RowState::Active);
    let stone = stop(store, &alice(), "/a").await.unwrap();
    store.share_failed(&stone, "late", i64::MAX).await.unwrap();
    assert!(store.ams_due(i64::MAX - 1).await.unwrap().is_empty());
    assert_eq!(store.ams_due(i64::MAX).await.unwrap(), [home()]);
    let due = store.maps_due(&home(), i64::MAX, u32::MAX).await.unwrap();
    assert_eq!(due.len(), 1);
    assert!(
        store
            .maps_due(&home(), i64::MIN, 9)
            .await
            .unwrap()
            .is_empty()
    );
    let far = MapsQuery {
        offset: u64::MAX,
        limit: u32::MAX,
        ..MapsQuery::default()
    };
    assert!(
        store
            .maps_page(&alice(), &far)
            .await
            .unwrap()
            .maps
            .is_empty()
    );
    store.swept(i64::MAX, i64::MIN).await.unwrap();
    assert!(store.changes_since(i64::MIN).await.unwrap().maps.is_empty());
}

/// An authorization, an orphan, an owner's consent: whatever is raced for, one gets it.
pub(crate) async fn what_is_done_at_once_is_done_once(store: &impl Store) {
    connected_owners(store, &[alice(), bob()]).await;
    for round in 0..8 {
        let pending = PendingConnect {
            state_hash: format!("state{round}"),
            owner: alice(),
            session_hash: "session".into(),
            issuer: home(),
            verifier: Secret::new("verifier-canary"),
            return_to: crate::ReturnPath::parse("/").unwrap(),
            redirect_uri: "https://host.example/cb".into(),
            expires: 600,
            moves: false,
        };
        store.connect_begun(&pending, 0).await.unwrap();
        let taken = tokio::join!(
            store.connect_answered(&pending.state_hash),
            store.connect_answered(&pending.state_hash),
            store.connect_answered(&pending.state_hash),
        );
        let taken = [taken.0, taken.1, taken.2];
        let got = taken
            .into_iter()
            .filter(|one| one.as_ref().unwrap().is_some());
        assert_eq!(got.count(), 1, "nobody gets it a second time");

        // Of two consents and a renewal of the one before, a consent stands.
        let (_, consent) = store.pat(&alice(), &home()).await.unwrap();
        let renewed = pat("renewed");
        let (one, other) = (held("one"), held("other"));
        let (alice, home) = (alice(), home());
        let done = tokio::join!(
            store.connected(&alice, &home, &one, 30),
            store.pat_renewed(&alice, &home, consent, &renewed),
            store.connected(&alice, &home, &other, 30),
        );
        assert!(done.0.unwrap() && done.2.unwrap());
        let _ = done.1.unwrap();
        let (state, now) = store.pat(&alice, &home).await.unwrap();
        assert_eq!(now, consent + 2);
        let uma_client::PatState::Held(held) = state else {
            panic!("{state:?}");
        };
        assert_ne!(held.access_token.expose(), "renewed");

        // Of two who want one path, one gets it; and one who stops meanwhile leaves it stopped or shared.
        let path = format!("/{round}");
        let (hers, his) = (share_of(&alice, &path), share_of(&bob(), &path));
        let both = tokio::join!(
            store.share_intended(&hers, 20),
            store.share_intended(&his, 20)
        );
        let kept = |one: &Result<Intended, _>| matches!(one, Ok(Intended::Kept { .. }));
        assert_eq!(
            [kept(&both.0), kept(&both.1)]
                .iter()
                .filter(|kept| **kept)
                .count(),
            1
        );
        let map = row(store, &path).await;
        let (map_owner, site) = (map.owner.clone(), Site::default());
        let registered = registered(&format!("r{round}"));
        let both = tokio::join!(
            store.share_registered(&map, &registered, 30),
            store.share_stopped(&map_owner, &site, &path, 40),
        );
        let was_active = both.0.unwrap().is_some();
        let stone = both.1.unwrap().unwrap();
        assert_eq!(stone.state, RowState::Tombstone);
        let now = row(store, &path).await;
        assert_eq!(now.state, RowState::Tombstone, "{was_active}");
        assert_eq!(
            now.resource_id,
            Some(registered.resource_id),
            "it is not forgotten"
        );
    }
}
