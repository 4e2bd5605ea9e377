//! Recent access.

use tower_warden::MapId;

use super::*;
use crate::store::{AccessRecord, AccessesQuery};

fn access(owner: &OwnerId, map: MapId, last: i64, path: &str, allowed: bool) -> AccessRecord {
    AccessRecord {
        owner: owner.clone(),
        map,
        first: last,
        last,
        times: 1,
        method: "GET".into(),
        path: path.into(),
        allowed,
        reason: if allowed { "granted" } else { "no_token" }.into(),
        scopes: "view".into(),
        who: "bob".into(),
        app: "viewer".into(),
        name: None,
    }
}

fn all() -> AccessesQuery {
    AccessesQuery {
        limit: 100,
        ..AccessesQuery::default()
    }
}

async fn paths(store: &impl Store, query: &AccessesQuery) -> (String, u64) {
    let page = store.accesses_page(&alice(), query).await.unwrap();
    let paths: Vec<_> = page.accesses.iter().map(|one| one.path.as_str()).collect();
    (paths.join(" "), page.matching)
}

pub(crate) async fn accesses_come_latest_first(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let map = shared(store, &alice(), "/a", "r1").await;
    let before = epoch(store).await;
    let gone = MapId::new(99);
    let kept = [
        access(&alice(), map.id, 10_000, "/a", true),
        access(&alice(), map.id, 30_000, "/a/x", false),
        access(&alice(), gone, 20_000, "/gone", true),
        access(&bob(), gone, 40_000, "/bobs", true),
    ];
    store.accesses_kept(&kept, 10, 0).await.unwrap();
    assert_eq!(
        epoch(store).await,
        before,
        "enforcement has nothing to do with it"
    );
    assert_eq!(paths(store, &all()).await, ("/a/x /gone /a".into(), 3));
    let page = store.accesses_page(&alice(), &all()).await.unwrap();
    let names: Vec<_> = page
        .accesses
        .iter()
        .map(|one| one.name.as_deref())
        .collect();
    assert_eq!(names, [Some("Summer"), None, Some("Summer")]);
    let mut back = page.accesses[2].clone();
    back.name = None;
    assert_eq!(back, kept[0]);
    let mut query = all();
    query.map = Some(map.id);
    assert_eq!(paths(store, &query).await, ("/a/x /a".into(), 2));
    query.allowed = Some(false);
    assert_eq!(paths(store, &query).await, ("/a/x".into(), 1));
    query.allowed = Some(true);
    assert_eq!(paths(store, &query).await, ("/a".into(), 1));
    let mut since = all();
    since.since = 20_000;
    assert_eq!(paths(store, &since).await.1, 2);
    let mut second = all();
    (second.offset, second.limit) = (1, 1);
    assert_eq!(paths(store, &second).await, ("/gone".into(), 3));
    let mut bad = kept.to_vec();
    bad[1].who = "a\0".into();
    bad[0].path = "/new".into();
    assert!(store.accesses_kept(&bad, 10, 0).await.is_err());
    assert_eq!(paths(store, &all()).await.1, 3, "all or nothing");
}

pub(crate) async fn accesses_that_are_alike_are_counted(store: &impl Store) {
    let map = MapId::new(7);
    let mut three = access(&alice(), map, 7300, "/a", false);
    (three.first, three.times) = (7210, 3);
    store.accesses_kept(&[three], 10, 0).await.unwrap();
    let one = access(&alice(), map, 7250, "/a", false);
    store
        .accesses_kept(std::slice::from_ref(&one), 10, 0)
        .await
        .unwrap();
    let mut other = one.clone();
    other.app = "another".into();
    let next_hour = access(&alice(), map, 10_900, "/a", false);
    store
        .accesses_kept(&[other, next_hour], 10, 0)
        .await
        .unwrap();
    let page = store.accesses_page(&alice(), &all()).await.unwrap();
    let found: Vec<_> = page
        .accesses
        .iter()
        .map(|one| (one.first, one.last, one.times, one.app.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (10_900, 10_900, 1, "viewer"),
            (7210, 7300, 4, "viewer"),
            (7250, 7250, 1, "another")
        ]
    );
}

pub(crate) async fn accesses_are_bounded(store: &impl Store) {
    let map = MapId::new(7);
    let let_in = access(&alice(), map, 1000, "/in", true);
    store
        .accesses_kept(std::slice::from_ref(&let_in), 3, 0)
        .await
        .unwrap();
    let flood: Vec<_> = (0..50)
        .map(|n| access(&alice(), map, 2000 + n, &format!("/{n}"), false))
        .collect();
    let bobs = access(&bob(), map, 1, "/bobs", true);
    store.accesses_kept(&[bobs], 3, 0).await.unwrap();
    store.accesses_kept(&flood, 3, 0).await.unwrap();
    assert_eq!(
        paths(store, &all()).await,
        ("/49 /48 /47 /in".into(), 4),
        "a flood of refusals pushes out nothing else"
    );
    store.accesses_kept(&[], 3, 2048).await.unwrap();
    assert_eq!(paths(store, &all()).await.0, "/49 /48");
    let bobs = store.accesses_page(&bob(), &all()).await.unwrap();
    assert_eq!(bobs.matching, 0, "too old, whoever's they are");
}
