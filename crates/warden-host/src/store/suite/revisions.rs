//! The revision of a registration goes where its id goes.

use super::*;
use crate::store::RowState;

fn of(map: &MapRecord) -> (Option<&str>, Option<&str>) {
    (
        map.resource_id.as_ref().map(ResourceId::as_str),
        map.revision.as_deref(),
    )
}

pub(crate) async fn a_revision_goes_with_its_id(store: &impl Store) {
    connected_owners(store, &[alice(), bob()]).await;
    let (map, _) = intend(store, &share_of(&alice(), "/a")).await;
    assert_eq!(of(&map), (None, None));
    store
        .share_half_registered(&map, &id("r1"), Some("\"1\""), 25)
        .await
        .unwrap();
    assert_eq!(of(&row(store, "/a").await), (Some("r1"), Some("\"1\"")));
    let before = epoch(store).await;
    store
        .share_half_registered(&map, &id("r1"), Some("\"2\""), 26)
        .await
        .unwrap();
    assert_eq!(of(&row(store, "/a").await), (Some("r1"), Some("\"2\"")));
    assert_eq!(epoch(store).await, before, "nothing to enforcement");
    let active = store
        .share_registered(&map, &revised("r1", "\"3\""), 30)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(of(&active), (Some("r1"), Some("\"3\"")));
    // A new name leaves it, and what the AM says of it late is believed.
    let mut share = share_of(&alice(), "/a");
    share.name = "Winter".into();
    let (renamed, _) = intend(store, &share).await;
    assert_eq!(of(&renamed), (Some("r1"), Some("\"3\"")));
    let before = epoch(store).await;
    let late = store
        .share_registered(&active, &revised("r1", "\"4\""), 31)
        .await
        .unwrap();
    assert!(late.is_none());
    assert_eq!(of(&row(store, "/a").await), (Some("r1"), Some("\"4\"")));
    assert_eq!(epoch(store).await, before);
    // Into the tombstone, and back out of it.
    let stone = stop(store, &alice(), "/a").await.unwrap();
    assert_eq!(of(&stone), (Some("r1"), Some("\"4\"")));
    let (again, _) = intend(store, &share_of(&alice(), "/a")).await;
    assert_eq!(of(&again), (Some("r1"), Some("\"4\"")));
    assert_eq!(again.marker, active.marker);
    // To the orphan, with another's share.
    stop(store, &alice(), "/a").await.unwrap();
    let (bobs, _) = intend(store, &share_of(&bob(), "/a")).await;
    assert_eq!(of(&bobs), (None, None));
    let orphans = store.orphans_due(&home(), 100, 9).await.unwrap();
    assert_eq!(orphans[0].revision.as_deref(), Some("\"4\""));
    store.orphan_gone(orphans[0].id).await.unwrap();
    // A late answer about a share that is no more is an orphan with what it says.
    store
        .share_half_registered(&active, &id("r1"), Some("\"5\""), 60)
        .await
        .unwrap();
    let orphans = store.orphans_due(&home(), 100, 9).await.unwrap();
    assert_eq!(orphans[0].revision.as_deref(), Some("\"5\""));
    // Away, with a registration that is gone; and the next one is another.
    let bobs = store
        .share_registered(&bobs, &revised("r2", "\"1\""), 61)
        .await
        .unwrap()
        .unwrap();
    let stone = stop(store, &bob(), "/a").await.unwrap();
    store.registration_gone(&stone, 62).await.unwrap();
    assert_eq!(of(&row(store, "/a").await), (None, None));
    let (anew, fresh) = intend(store, &share_of(&bob(), "/a")).await;
    assert!(fresh);
    assert_ne!(anew.marker, bobs.marker);
    // Away, with one that is lost.
    store
        .share_registered(&anew, &revised("r3", "\"1\""), 63)
        .await
        .unwrap()
        .unwrap();
    store.share_suspected(anew.id, &id("r3"), 64).await.unwrap();
    let suspect = row(store, "/a").await;
    assert_eq!(of(&suspect), (Some("r3"), Some("\"1\"")));
    assert!(store.share_lost(&suspect, 65).await.unwrap());
    let lost = row(store, "/a").await;
    assert_eq!((lost.state, of(&lost)), (RowState::Lost, (None, None)));
    let mut nul = revised("r4", "a\0b");
    nul.registered_name = "fine".into();
    assert!(store.share_registered(&lost, &nul, 66).await.is_err());
}

pub(crate) async fn a_move_takes_its_revisions(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    for (path, resource) in [("/a", "r1"), ("/b", "r2")] {
        let (map, _) = intend(store, &share_of(&alice(), path)).await;
        store
            .share_registered(&map, &revised(resource, "\"old\""), 30)
            .await
            .unwrap()
            .unwrap();
    }
    let begin = async || {
        store
            .move_begun(&alice(), &away(), &held("there"), 50)
            .await
            .unwrap()
    };
    begin().await;
    let next = store.move_next(&alice(), 9).await.unwrap();
    assert_eq!(
        next[0].revision, None,
        "the old AM's is none of the new one's"
    );
    let first = [arrived_as(&next[0], revised("n1", "\"1\""))];
    store
        .move_arrived(&alice(), &away(), &first, 51)
        .await
        .unwrap();
    let mut renamed = share_of(&alice(), "/a");
    renamed.name = "Winter".into();
    intend(store, &renamed).await;
    let next = store.move_next(&alice(), 9).await.unwrap();
    assert_eq!(next[0].revision.as_deref(), Some("\"1\""));
    // Given up: an orphan at the new AM.
    assert!(store.move_cancelled(&alice(), 52).await.unwrap());
    let left = store.orphans_due(&away(), 99, 9).await.unwrap();
    let known: Vec<_> = left
        .iter()
        .filter(|one| one.resource_id.is_some())
        .collect();
    assert_eq!((left.len(), known.len()), (2, 1));
    assert_eq!(known[0].revision.as_deref(), Some("\"1\""));
    // What is not known yet is told to the orphan.
    let second = [arrived_as(&next[1], revised("n2", "\"2\""))];
    store
        .move_arrived(&alice(), &away(), &second, 53)
        .await
        .unwrap();
    let left = store.orphans_due(&away(), 99, 9).await.unwrap();
    assert_eq!(left.len(), 2);
    assert!(
        left.iter()
            .any(|one| one.revision.as_deref() == Some("\"2\""))
    );
    // Once more, through to the switch.
    begin().await;
    let next = store.move_next(&alice(), 9).await.unwrap();
    let all: Vec<_> = next
        .iter()
        .zip(["m1", "m2"])
        .map(|(moving, id)| arrived_as(moving, revised(id, "\"new\"")))
        .collect();
    store
        .move_arrived(&alice(), &away(), &all, 54)
        .await
        .unwrap();
    assert_eq!(store.moved(&alice(), 55).await.unwrap(), Some(2));
    assert_eq!(of(&row(store, "/a").await), (Some("m1"), Some("\"new\"")));
    let left = store.orphans_due(&home(), 99, 9).await.unwrap();
    assert_eq!(left.len(), 2);
    assert!(
        left.iter()
            .all(|one| one.revision.as_deref() == Some("\"old\""))
    );
}
