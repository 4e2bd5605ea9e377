//! What nodes know of each other, and what they follow.

use tower_warden::Purge;

use super::*;
use crate::store::{Heard, NodeId, RowState};

const LONG: Duration = Duration::from_secs(600);
/// A lease that ends within the test, and a wait that outlasts it.
const SHORT: Duration = Duration::from_millis(5);
const WAIT: Duration = Duration::from_millis(30);

pub(crate) async fn maps_are_found_by_key(store: &impl Store) {
    connected_owners(store, &[alice(), bob()]).await;
    let map = shared(store, &alice(), "/a/\u{e4} %", "r1").await;
    intend(store, &share_of(&bob(), "/a")).await;
    shared(store, &alice(), "/A", "r2").await;
    shared(store, &alice(), "/gone", "r3").await;
    stop(store, &alice(), "/gone").await.unwrap();
    let mut elsewhere = share_of(&alice(), "/b");
    elsewhere.site = Site::new("elsewhere");
    intend(store, &elsewhere).await;
    let keys = ["/a/\u{e4} %", "/a", "/", "/gone", "/b", "/a", "/a'\"\\"].map(str::to_owned);
    let found = store.maps_at(&Site::default(), &keys).await.unwrap();
    assert_eq!(found.epoch, epoch(store).await);
    let mut maps: Vec<_> = found
        .maps
        .iter()
        .map(|map| (map.path_key.as_str(), map.state, map.owner.as_str()))
        .collect();
    maps.sort_unstable_by_key(|map| map.0);
    assert_eq!(
        maps,
        [
            ("/a", RowState::Pending, "bob"),
            ("/a/\u{e4} %", RowState::Active, "alice")
        ]
    );
    let all = store.changes_since(0).await.unwrap();
    let same = all.maps.iter().find(|one| one.id == map.id).unwrap();
    assert!(found.maps.contains(same), "as a snapshot has it");
    let none = store.maps_at(&Site::default(), &[]).await.unwrap();
    assert!(none.maps.is_empty() && none.epoch == found.epoch);
}

pub(crate) async fn purges_are_followed(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let map = shared(store, &alice(), "/a", "r1").await;
    let before = store.epoch().await.unwrap();
    assert_eq!(before, epoch(store).await);
    let purges = [
        Purge::Map(map.id),
        Purge::Owner(OwnerId::new("al'ice")),
        Purge::Am(home()),
        Purge::Everything,
    ];
    for (number, purge) in (1..).zip(&purges) {
        assert_eq!(store.purged(purge, 50).await.unwrap(), before + number);
    }
    let changes = store.changes_since(before).await.unwrap();
    assert_eq!(changes.purges, purges);
    assert_eq!((changes.epoch, changes.maps.len()), (before + 4, 0));
    let last = store.changes_since(before + 3).await.unwrap();
    assert_eq!(last.purges, [Purge::Everything]);
    assert!(
        store
            .purged(&Purge::Owner(OwnerId::new("a\0")), 50)
            .await
            .is_err()
    );
    let anew = store.changes_since(0).await.unwrap();
    assert!(anew.purges.is_empty(), "who begins has no answers");
    assert_eq!(store.epoch().await.unwrap(), before + 4);
}

pub(crate) async fn what_is_forgotten_is_said(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    let map = intend(store, &share_of(&alice(), "/a")).await.0;
    shared(store, &alice(), "/b", "r2").await;
    let before = epoch(store).await;
    let stone = stop(store, &alice(), "/a").await.unwrap();
    store.registration_gone(&stone, 41).await.unwrap();
    let stopped = epoch(store).await;
    store.purged(&Purge::Map(map.id), 200).await.unwrap();
    store.swept(300, 100).await.unwrap();
    let late = store.changes_since(before).await.unwrap();
    assert!(late.forgotten && late.maps.is_empty() && late.purges.is_empty());
    assert_eq!(late.epoch, stopped + 1);
    let timely = store.changes_since(stopped).await.unwrap();
    assert!(!timely.forgotten, "it knows of the tombstone");
    assert_eq!(timely.purges, [Purge::Map(map.id)]);
    store.swept(300, 300).await.unwrap();
    assert!(store.changes_since(stopped).await.unwrap().forgotten);
    assert!(!store.changes_since(stopped + 1).await.unwrap().forgotten);
    let anew = store.changes_since(0).await.unwrap();
    assert_eq!((anew.forgotten, anew.maps.len()), (false, 1));
    store.swept(400, 400).await.unwrap();
    assert!(!store.changes_since(stopped + 1).await.unwrap().forgotten);
}

pub(crate) async fn nodes_live_by_their_leases(store: &impl Store) {
    let (blue, green) = (NodeId::named("blue"), NodeId::named("green"));
    let behind = async |epoch| {
        let nodes = store.nodes_behind(epoch).await.unwrap();
        nodes
            .into_iter()
            .map(|node| (node.node, node.applied))
            .collect::<Vec<_>>()
    };
    assert!(behind(i64::MAX).await.is_empty());
    assert_eq!(store.node_renewed(&blue, 3, LONG).await.unwrap(), None);
    assert_eq!(store.node_renewed(&green, 5, LONG).await.unwrap(), None);
    assert_eq!(
        behind(i64::MAX).await,
        [(blue.clone(), 3), (green.clone(), 5)]
    );
    assert_eq!(behind(5).await, [(blue.clone(), 3)]);
    assert!(behind(3).await.is_empty());
    let left = store.nodes_behind(5).await.unwrap()[0].left;
    assert!(left > LONG / 2 && left <= LONG, "{left:?}");
    assert_eq!(store.node_renewed(&blue, 5, LONG).await.unwrap(), Some(3));
    assert!(behind(5).await.is_empty());
    store.node_renewed(&green, 5, SHORT).await.unwrap();
    tokio::time::sleep(WAIT).await;
    assert_eq!(behind(9).await, [(blue.clone(), 5)], "green is silent");
    let before = store.node_renewed(&green, 5, LONG).await.unwrap();
    assert_eq!(before, Some(5), "and is known again");
    store.node_left(&blue).await.unwrap();
    store.node_left(&blue).await.unwrap();
    assert_eq!(behind(9).await, [(green, 5)]);
    store.swept(i64::MAX, 0).await.unwrap();
    assert_eq!(behind(9).await.len(), 1, "leases go by another clock");
    let epoch = epoch(store).await;
    assert_eq!(epoch, 0, "nothing of this is to be followed");
}

pub(crate) async fn lost_transactions_are_seen_by_a_node(store: &impl Store) {
    let node = NodeId::random();
    store.node_renewed(&node, 7, LONG).await.unwrap();
    // As a store would be that was set back to before that, and went on from there.
    store.node_renewed(&node, 4, LONG).await.unwrap();
    assert_eq!(store.node_renewed(&node, 9, LONG).await.unwrap(), Some(4));
}

pub(crate) async fn work_has_one_holder_at_a_time(store: &impl Store) {
    let claim = async |works: &[&str], holder: &str, lease| {
        let works: Vec<_> = works.iter().map(|work| (*work).to_owned()).collect();
        store.work_claimed(&works, holder, lease).await.unwrap()
    };
    let release = async |work: &str, holder: &str| {
        store
            .work_released(&[work.to_owned(), "none".into()], holder)
            .await
            .unwrap();
    };
    assert_eq!(claim(&["pat"], "a", LONG).await, [true]);
    assert_eq!(
        claim(&["other", "pat", "more"], "b", LONG).await,
        [true, false, true],
        "each by itself"
    );
    release("pat", "b").await;
    assert_eq!(claim(&["pat"], "b", LONG).await, [false]);
    assert_eq!(claim(&["pat"], "a", SHORT).await, [true], "it is a's");
    tokio::time::sleep(WAIT).await;
    assert_eq!(claim(&["pat"], "b", LONG).await, [true], "a is silent");
    assert_eq!(claim(&["pat"], "a", LONG).await, [false]);
    release("pat", "a").await;
    assert_eq!(claim(&["pat"], "a", LONG).await, [false], "it is b's now");
    release("pat", "b").await;
    assert_eq!(claim(&["pat"], "a", LONG).await, [true]);
    assert!(claim(&[], "a", LONG).await.is_empty());
    let bad = ["a\0".to_owned()];
    assert!(store.work_claimed(&bad, "a", LONG).await.is_err());
    let race = &["race"];
    let at_once = tokio::join!(
        claim(race, "p", LONG),
        claim(race, "q", LONG),
        claim(race, "r", LONG),
    );
    let won = [at_once.0, at_once.1, at_once.2].concat();
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
}

/// A store that hears hears itself; of a change, what comes first may be a word or the change.
pub(crate) async fn what_is_said_is_heard_where_it_can_be(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    store.said("nobody hears it").await.unwrap();
    let Some(mut listener) = store.listen().await.unwrap() else {
        return;
    };
    let mut heard = async || {
        let heard = tokio::time::timeout(Duration::from_secs(10), listener.heard());
        heard.await.expect("it is heard").unwrap()
    };
    store.said("a word, 'quoted'").await.unwrap();
    assert_eq!(heard().await, Heard::Word("a word, 'quoted'".into()));
    intend(store, &share_of(&alice(), "/a")).await;
    assert_eq!(heard().await, Heard::Changed);
    store.purged(&Purge::Everything, 1).await.unwrap();
    assert_eq!(heard().await, Heard::Changed);
}
