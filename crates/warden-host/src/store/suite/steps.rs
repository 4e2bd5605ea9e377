//! What comes of what the AM says.

use super::*;
use crate::store::RowState;

pub(crate) async fn a_late_registration_is_not_forgotten(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let (map, _) = intend(store, &share_of(&alice(), "/a")).await;
    stop(store, &alice(), "/a").await.unwrap();
    let late = store
        .share_registered(&map, &registered("r1"), 50)
        .await
        .unwrap();
    assert!(late.is_none(), "the owner has stopped");
    let stone = row(store, "/a").await;
    assert_eq!(
        (stone.state, stone.resource_id),
        (RowState::Tombstone, Some(id("r1")))
    );
    // A second one of the same share is surplus.
    store
        .share_half_registered(&map, &id("r2"), None, 50)
        .await
        .unwrap();
    assert_eq!(row(store, "/a").await.resource_id, Some(id("r1")));
    let orphans = store.orphans_due(&home(), 100, 9).await.unwrap();
    assert_eq!(orphans[0].resource_id, Some(id("r2")));
    // And of a row that is in step, it is remembered.
    let (map, _) = intend(store, &share_of(&alice(), "/b")).await;
    store
        .share_half_registered(&map, &id("r3"), None, 50)
        .await
        .unwrap();
    let half = row(store, "/b").await;
    assert_eq!(
        (half.state, half.resource_id),
        (RowState::Pending, Some(id("r3")))
    );
}

pub(crate) async fn a_suspect_is_found_or_lost(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let active = shared(store, &alice(), "/a", "r1").await;
    assert!(
        !store.share_lost(&active, 50).await.unwrap(),
        "not under suspicion"
    );
    assert!(
        !store
            .share_suspected(active.id, &id("other"), 50)
            .await
            .unwrap()
    );
    assert!(
        store
            .share_suspected(active.id, &id("r1"), 50)
            .await
            .unwrap()
    );
    assert!(
        !store
            .share_suspected(active.id, &id("r1"), 50)
            .await
            .unwrap(),
        "once is enough"
    );
    let suspect = row(store, "/a").await;
    assert_eq!(
        (suspect.state, suspect.generation),
        (RowState::Suspect, active.generation)
    );
    let found = store
        .share_registered(&suspect, &registered("r1"), 60)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.state, RowState::Active);
    store
        .share_suspected(active.id, &id("r1"), 50)
        .await
        .unwrap();
    assert!(store.share_lost(&found, 60).await.unwrap());
    let lost = row(store, "/a").await;
    assert_eq!(
        (
            lost.state,
            lost.resource_id.clone(),
            lost.policy_uri.clone()
        ),
        (RowState::Lost, None, None)
    );
    assert!(
        store
            .share_registered(&lost, &registered("r1"), 60)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        row(store, "/a").await.state,
        RowState::Lost,
        "only the owner's word revives it"
    );
    let (again, _) = intend(store, &share_of(&alice(), "/a")).await;
    assert_eq!(
        (again.state, again.resource_id, again.id),
        (RowState::Pending, None, lost.id)
    );
}

pub(crate) async fn a_deletion_that_comes_late_is_told(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    shared(store, &alice(), "/a", "r1").await;
    let stone = stop(store, &alice(), "/a").await.unwrap();
    let (again, _) = intend(store, &share_of(&alice(), "/a")).await;
    assert_eq!(again.resource_id, Some(id("r1")));
    store.registration_gone(&stone, 60).await.unwrap();
    let now = row(store, "/a").await;
    assert_eq!(
        (now.state, now.resource_id, now.perhaps),
        (RowState::Pending, None, true)
    );
}

pub(crate) async fn changes_are_followed(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    shared(store, &alice(), "/a", "r1").await;
    shared(store, &alice(), "/b", "r2").await;
    let all = store.changes_since(0).await.unwrap();
    assert_eq!((all.epoch, all.maps.len()), (4, 2));
    let none = store.changes_since(all.epoch).await.unwrap();
    assert_eq!((none.epoch, none.maps.len()), (4, 0));
    stop(store, &alice(), "/a").await.unwrap();
    let change = store.changes_since(all.epoch).await.unwrap();
    assert_eq!((change.epoch, change.maps.len()), (5, 1));
    assert_eq!(
        (change.maps[0].state, change.maps[0].path_key.as_str()),
        (RowState::Tombstone, "/a")
    );
    let anew = store.changes_since(0).await.unwrap();
    assert_eq!(
        (anew.epoch, anew.maps.len()),
        (5, 1),
        "who begins needs no tombstones"
    );
    assert_eq!(anew.maps[0].path_key, "/b");
}

pub(crate) async fn work_is_due_by_am_and_time(store: &impl Store) {
    connected_owners(store, &[alice(), bob()]).await;
    assert!(store.ams_due(i64::MAX).await.unwrap().is_empty());
    shared(store, &alice(), "/active", "r1").await;
    assert!(
        store.ams_due(i64::MAX).await.unwrap().is_empty(),
        "all is in step"
    );
    let (pending, _) = intend(store, &share_of(&bob(), "/pending")).await;
    let suspect = shared(store, &alice(), "/suspect", "r2").await;
    store
        .share_suspected(suspect.id, &id("r2"), 50)
        .await
        .unwrap();
    shared(store, &alice(), "/stopped", "r3").await;
    stop(store, &alice(), "/stopped").await.unwrap();
    let mut renamed = share_of(&alice(), "/active");
    renamed.name = "Winter".into();
    intend(store, &renamed).await;
    assert_eq!(store.ams_due(0).await.unwrap(), [home()]);
    assert!(
        store
            .maps_due(&away(), i64::MAX, 99)
            .await
            .unwrap()
            .is_empty()
    );
    let due = |maps: Vec<MapRecord>| maps.into_iter().map(|map| map.path_key).collect::<Vec<_>>();
    let all = due(store.maps_due(&home(), 0, 99).await.unwrap());
    assert_eq!(
        all,
        ["/active", "/suspect", "/stopped", "/pending"],
        "by owner"
    );
    store.share_failed(&pending, "away", 100).await.unwrap();
    let now = due(store.maps_due(&home(), 99, 99).await.unwrap());
    assert_eq!(now, ["/active", "/suspect", "/stopped"]);
    let longest_waiting = due(store.maps_due(&home(), i64::MAX, 3).await.unwrap());
    assert_eq!(longest_waiting, ["/active", "/suspect", "/stopped"]);
    let pending = row(store, "/pending").await;
    assert_eq!(
        (pending.attempts, pending.problem.as_deref()),
        (1, Some("away"))
    );
    store
        .connected(&bob(), &home(), &held("two"), 60)
        .await
        .unwrap();
    assert_eq!(
        due(store.maps_due(&home(), 0, 99).await.unwrap()).len(),
        4,
        "a consent makes it due"
    );
}

pub(crate) async fn tombstones_are_swept_when_nothing_is_left(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let before = shared(store, &alice(), "/a", "r1").await;
    let stone = stop(store, &alice(), "/a").await.unwrap();
    store.swept(1000, 1000).await.unwrap();
    assert_eq!(row(store, "/a").await, stone, "something is at the AM");
    store.registration_gone(&stone, 50).await.unwrap();
    store.swept(1000, 50).await.unwrap();
    assert!(
        store.maps_of(&alice()).await.unwrap().len() == 1,
        "too young"
    );
    store.swept(1000, 51).await.unwrap();
    assert!(store.maps_of(&alice()).await.unwrap().is_empty());
    let (again, fresh) = intend(store, &share_of(&alice(), "/a")).await;
    assert!(fresh);
    assert_ne!(again.id, before.id, "numbers are never given twice");
}
