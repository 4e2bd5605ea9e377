//! Many rows at once, and pages of them.

use super::*;
use crate::Standing;
use crate::store::{MapsQuery, RowState};

pub(crate) async fn many_rows_go_in_one_step(store: &impl Store) {
    connected_owners(store, &[alice(), bob()]).await;
    shared(store, &bob(), "/b", "r9").await;
    let before = epoch(store).await;
    let wanted: Vec<_> = ["/a", "/b", "/c"]
        .map(|path| share_of(&alice(), path))
        .into();
    let intended = store.shares_intended(&wanted, 20).await.unwrap();
    assert!(matches!(intended[1], Intended::Taken));
    assert_eq!(epoch(store).await, before + 1, "one change for all");
    let rows: Vec<_> = [row(store, "/a").await, row(store, "/c").await]
        .into_iter()
        .enumerate()
        .map(|(number, row)| (row, registered(&format!("r{number}"))))
        .collect();
    stop(store, &alice(), "/c").await.unwrap();
    let kept = store.shares_registered(&rows, 30).await.unwrap();
    assert_eq!(kept[0].as_ref().unwrap().state, RowState::Active);
    assert!(kept[1].is_none() && row(store, "/c").await.resource_id == Some(id("r1")));
    let mut bad = share_of(&alice(), "/d");
    bad.name = "a\0".into();
    let with_bad = [share_of(&alice(), "/e"), bad];
    assert!(store.shares_intended(&with_bad, 20).await.is_err());
    assert!(
        store
            .map_at(&Site::default(), "/e")
            .await
            .unwrap()
            .is_none(),
        "all or nothing"
    );
    let paths = ["/a", "/a", "/b", "/none"].map(|path| (Site::default(), path.to_owned()));
    let stopped = store
        .shares_stopped(&alice(), Some(&paths), 40)
        .await
        .unwrap();
    assert_eq!(stopped.len(), 1, "hers, and once");
    assert_eq!(
        store.shares_stopped(&bob(), None, 40).await.unwrap().len(),
        1
    );
    let quiet = epoch(store).await;
    assert!(
        store
            .shares_stopped(&bob(), None, 40)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(epoch(store).await, quiet);
}

pub(crate) async fn what_is_lost_is_made_anew_once(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let map = shared(store, &alice(), "/a", "r1").await;
    assert!(
        !store.share_recreated(&map, 40).await.unwrap(),
        "it is not lost"
    );
    store.share_suspected(map.id, &id("r1"), 41).await.unwrap();
    store.share_lost(&map, 42).await.unwrap();
    assert!(store.share_recreated(&map, 43).await.unwrap());
    assert!(!store.share_recreated(&map, 43).await.unwrap());
    let now = row(store, "/a").await;
    assert_eq!((now.state, now.resource_id), (RowState::Pending, None));
}

pub(crate) async fn rows_come_in_pages(store: &impl Store) {
    connected_owners(store, &[alice(), bob()]).await;
    for (path, name) in [("/a", "Ä one"), ("/b", "b%_\\"), ("/c", "three")] {
        let mut share = share_of(&alice(), path);
        share.name = name.into();
        let (map, _) = intend(store, &share).await;
        if path != "/c" {
            store
                .share_registered(&map, &registered(path), 30)
                .await
                .unwrap();
        }
    }
    shared(store, &bob(), "/x", "r9").await;
    let query = |search: &str| MapsQuery {
        search: search.into(),
        limit: 2,
        ..MapsQuery::default()
    };
    let keys = async |query: MapsQuery| {
        let page = store.maps_page(&alice(), &query).await.unwrap();
        let keys: Vec<_> = page.maps.iter().map(|map| map.path_key.clone()).collect();
        (keys.join(" "), page.matching, page.all)
    };
    assert_eq!(keys(query("")).await, ("/a /b".into(), 3, 3));
    let mut second = query("");
    second.offset = 2;
    assert_eq!(keys(second).await, ("/c".into(), 3, 3));
    assert_eq!(
        keys(query("ä o")).await,
        ("/a".into(), 1, 3),
        "not only ASCII"
    );
    assert_eq!(
        keys(query("%_\\")).await,
        ("/b".into(), 1, 3),
        "to the letter"
    );
    assert_eq!(keys(query("/c")).await, ("/c".into(), 1, 3));
    let standing = |standing| MapsQuery {
        standing: Some(standing),
        ..query("")
    };
    assert_eq!(
        keys(standing(Standing::Protected)).await,
        ("/a /b".into(), 2, 3)
    );
    assert_eq!(keys(standing(Standing::Pending)).await, ("/c".into(), 1, 3));
    assert_eq!(
        keys(standing(Standing::Problem)).await,
        (String::new(), 0, 3)
    );
    let (_, consent) = store.pat(&alice(), &home()).await.unwrap();
    store
        .consent_ended(&alice(), &home(), consent)
        .await
        .unwrap();
    assert_eq!(
        keys(standing(Standing::Problem)).await.1,
        3,
        "nobody can be let in"
    );
    let mut elsewhere = query("");
    elsewhere.issuer = Some(away());
    assert_eq!(keys(elsewhere).await.1, 0);
    let page = store.maps_page(&alice(), &query("")).await.unwrap();
    assert_eq!(page.issuers, [home()]);
}

pub(crate) async fn what_is_held_at_an_am_is_known(store: &impl Store) {
    connected_owners(store, &[alice(), bob()]).await;
    let map = shared(store, &alice(), "/a", "r1").await;
    shared(store, &bob(), "/b", "r2").await;
    store
        .move_begun(&bob(), &away(), &held("there"), 50)
        .await
        .unwrap();
    let next = store.move_next(&bob(), 9).await.unwrap();
    let hers = store.holdings(&home(), Some(&alice())).await.unwrap();
    assert_eq!(
        (hers.len(), hers[0].map, hers[0].active),
        (1, Some(map.id), true)
    );
    assert_eq!(store.holdings(&home(), None).await.unwrap().len(), 2);
    let there = store.holdings(&away(), None).await.unwrap();
    assert_eq!(
        (there.len(), there[0].map, &there[0].marker),
        (1, None, &next[0].marker)
    );
    store.move_cancelled(&bob(), 51).await.unwrap();
    assert!(store.holdings(&away(), None).await.unwrap()[0].orphan);
    assert_eq!(store.sharing_owners("", 9).await.unwrap(), [alice(), bob()]);
    assert_eq!(store.sharing_owners("alice", 9).await.unwrap(), [bob()]);
}
