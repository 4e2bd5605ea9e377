//! What owners do.

use super::*;
use crate::store::RowState;

pub(crate) async fn a_share_is_denied_then_active(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let share = share_of(&alice(), "/albums/summer");
    let (map, fresh) = intend(store, &share).await;
    assert!(fresh);
    assert_eq!(
        (map.state, map.synced, map.resource_id.as_ref()),
        (RowState::Pending, false, None)
    );
    assert_eq!((map.owner.clone(), map.issuer.clone()), (alice(), home()));
    assert_eq!(
        (&map.marker, &map.scopes, map.created),
        (&share.marker, &share.scopes, 20)
    );
    let active = store
        .share_registered(&map, &registered("r1"), 30)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((active.state, active.synced), (RowState::Active, true));
    assert_eq!(active.resource_id, Some(id("r1")));
    assert_eq!(active.registered_name.as_deref(), Some("Summer [host/1]"));
    assert_eq!(
        active.policy_uri.as_ref().unwrap().as_str(),
        "https://home.example/policy/1"
    );
    assert_eq!(active.id, map.id);
    let (again, fresh) = intend(store, &share_of(&alice(), "/albums/summer")).await;
    assert_eq!(
        (again, fresh),
        (active, false),
        "nothing differs: nothing is written"
    );
}

pub(crate) async fn only_what_is_enforced_raises_the_epoch(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    assert_eq!(epoch(store).await, 0, "AMs and connections are no maps");
    let (map, _) = intend(store, &share_of(&alice(), "/a")).await;
    assert_eq!(epoch(store).await, 1);
    store.share_failed(&map, "away", 100).await.unwrap();
    assert_eq!(epoch(store).await, 1);
    let map = store
        .share_registered(&map, &registered("r1"), 30)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((epoch(store).await, map.changed_epoch), (2, 2));
    let mut share = share_of(&alice(), "/a");
    share.name = "Winter".into();
    let (map, _) = intend(store, &share).await;
    assert!(!map.synced);
    let map = store
        .share_registered(&map, &registered("r1"), 30)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (epoch(store).await, map.synced),
        (2, true),
        "a name is not enforced"
    );
    share.subtree = true;
    intend(store, &share).await;
    assert_eq!(epoch(store).await, 3);
    assert!(store.share_suspected(map.id, &id("r1"), 30).await.unwrap());
    assert_eq!(epoch(store).await, 4);
    let map = stop(store, &alice(), "/a").await.unwrap();
    assert_eq!(epoch(store).await, 5);
    store.registration_gone(&map, 50).await.unwrap();
    let (_, consent) = store.pat(&alice(), &home()).await.unwrap();
    store
        .pat_renewed(&alice(), &home(), consent, &pat("two"))
        .await
        .unwrap();
    store
        .consent_ended(&alice(), &home(), consent)
        .await
        .unwrap();
    store.swept(100_000, 100_000).await.unwrap();
    assert_eq!(epoch(store).await, 5);
}

pub(crate) async fn sharing_again_changes_what_differs(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let active = shared(store, &alice(), "/a", "r1").await;
    let mut share = share_of(&alice(), "/a");
    share.description = Some("By the sea".into());
    share.icon_uri = Some("https://host.example/i.png".into());
    let (map, _) = intend(store, &share).await;
    assert_eq!((map.state, map.synced), (RowState::Active, false));
    assert_eq!(map.description.as_deref(), Some("By the sea"));
    assert_eq!(map.icon_uri.as_deref(), Some("https://host.example/i.png"));
    assert_ne!(map.generation, active.generation);
    share.scopes = Scopes::parse(["view"]).unwrap();
    share.subtree = true;
    let (map, fresh) = intend(store, &share).await;
    assert_eq!(
        (map.state, fresh),
        (RowState::Pending, false),
        "denied until the AM has the scopes"
    );
    assert_eq!(
        (map.id, map.resource_id.clone()),
        (active.id, active.resource_id)
    );
    assert_eq!((map.subtree, &map.scopes), (true, &share.scopes));
    assert_eq!(map.marker, active.marker);
}

pub(crate) async fn a_stop_keeps_the_id_and_a_share_revives_it(store: &impl Store) {
    connected_owners(store, &[alice(), bob()]).await;
    let active = shared(store, &alice(), "/a", "r1").await;
    assert!(stop(store, &bob(), "/a").await.is_none(), "not his");
    let stone = stop(store, &alice(), "/a").await.unwrap();
    assert_eq!(
        (stone.state, stone.resource_id.clone()),
        (RowState::Tombstone, Some(id("r1")))
    );
    assert!(
        stop(store, &alice(), "/a").await.is_none(),
        "stopped already"
    );
    let (again, fresh) = intend(store, &share_of(&alice(), "/a")).await;
    assert_eq!(
        (again.id, again.state, fresh),
        (active.id, RowState::Pending, false)
    );
    assert_eq!(
        (again.resource_id, again.marker),
        (active.resource_id, active.marker)
    );
    let stone = stop(store, &alice(), "/a").await.unwrap();
    store.registration_gone(&stone, 50).await.unwrap();
    assert_eq!(row(store, "/a").await.resource_id, None);
    let (again, fresh) = intend(store, &share_of(&alice(), "/a")).await;
    assert_eq!(
        (again.id, again.resource_id, fresh),
        (active.id, None, true)
    );
}

pub(crate) async fn anothers_share_orphans_the_registration(store: &impl Store) {
    connected_owners(store, &[alice(), bob()]).await;
    let active = shared(store, &alice(), "/a", "r1").await;
    stop(store, &alice(), "/a").await.unwrap();
    let (map, fresh) = intend(store, &share_of(&bob(), "/a")).await;
    assert!(fresh);
    assert_eq!((map.owner.clone(), map.resource_id.clone()), (bob(), None));
    assert_ne!(map.marker, active.marker);
    let orphans = store.orphans_due(&home(), 100, 9).await.unwrap();
    assert_eq!(orphans.len(), 1);
    assert_eq!(
        (&orphans[0].owner, &orphans[0].resource_id),
        (&alice(), &Some(id("r1")))
    );
    assert_eq!(orphans[0].marker, active.marker);
    store.orphan_failed(orphans[0].id, 200).await.unwrap();
    assert!(store.orphans_due(&home(), 100, 9).await.unwrap().is_empty());
    assert_eq!(
        store.orphans_due(&home(), 200, 9).await.unwrap()[0].attempts,
        1
    );
    store.orphan_gone(orphans[0].id).await.unwrap();
    assert!(
        store
            .orphans_due(&home(), i64::MAX, 9)
            .await
            .unwrap()
            .is_empty()
    );
    // What the AM says of the old share comes too late for the new one.
    assert!(
        store
            .share_registered(&active, &registered("r1"), 60)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(row(store, "/a").await.resource_id, None);
    assert_eq!(store.orphans_due(&home(), 100, 9).await.unwrap().len(), 1);
}

pub(crate) async fn anothers_path_is_taken(store: &impl Store) {
    connected_owners(store, &[alice(), bob()]).await;
    let active = shared(store, &alice(), "/a", "r1").await;
    let before = epoch(store).await;
    let taken = store
        .share_intended(&share_of(&bob(), "/a"), 20)
        .await
        .unwrap();
    assert_eq!(taken, Intended::Taken);
    assert_eq!(row(store, "/a").await, active);
    assert_eq!(epoch(store).await, before);
}

pub(crate) async fn an_am_that_is_not_the_owners_is_refused(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let mut share = share_of(&alice(), "/a");
    share.issuer = away();
    assert_eq!(
        store.share_intended(&share, 20).await.unwrap(),
        Intended::OtherAm
    );
    let stranger = share_of(&OwnerId::new("nobody"), "/a");
    assert_eq!(
        store.share_intended(&stranger, 20).await.unwrap(),
        Intended::OtherAm
    );
    assert!(store.map_at(&share.site, "/a").await.unwrap().is_none());
}

pub(crate) async fn text_is_bytes(store: &impl Store) {
    connected_owners(store, &[alice(), OwnerId::new("Alice")]).await;
    // Upper and lower case, composed and decomposed, with and without a blank at the end, a quote.
    let paths = ["/a", "/A", "/\u{e9}", "/e\u{301}", "/a ", "/a'\"%_"];
    for (number, path) in paths.into_iter().enumerate() {
        shared(store, &alice(), path, &format!("r{number}")).await;
    }
    for (number, path) in paths.into_iter().enumerate() {
        assert_eq!(
            row(store, path).await.resource_id,
            Some(id(&format!("r{number}"))),
            "{path}"
        );
    }
    assert_eq!(store.maps_of(&alice()).await.unwrap().len(), paths.len());
    assert!(
        store
            .maps_of(&OwnerId::new("Alice"))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(stop(store, &OwnerId::new("Alice"), "/a").await.is_none());
}

pub(crate) async fn of_two_at_once_one_row_comes(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let (one, two) = (share_of(&alice(), "/a"), share_of(&alice(), "/a"));
    let (one, two) = tokio::join!(intend(store, &one), intend(store, &two));
    assert_eq!(one.0.id, two.0.id);
    assert_eq!([one.1, two.1].iter().filter(|fresh| **fresh).count(), 1);
    assert_eq!(store.maps_of(&alice()).await.unwrap().len(), 1);
}
