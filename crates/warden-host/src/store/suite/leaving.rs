//! Disconnecting, moving, tending.

use uma_client::{ClientCredentials, PatState};

use super::*;
use crate::ConnectionState;
use crate::store::{Arrived, Consent, MoveBegun, Moving, RowState};

pub(crate) async fn a_disconnect_wipes_and_withholds(store: &impl Store) {
    connected_owners(store, &[alice(), bob()]).await;
    shared(store, &alice(), "/a", "r1").await;
    shared(store, &bob(), "/b", "r2").await;
    shared(store, &alice(), "/c", "r3").await;
    stop(store, &alice(), "/c").await.unwrap();
    let (_, consent) = store.pat(&alice(), &home()).await.unwrap();
    let before = epoch(store).await;
    assert!(
        store
            .disconnected(&alice(), &away(), 50)
            .await
            .unwrap()
            .is_none()
    );
    let severed = store
        .disconnected(&alice(), &home(), 50)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (severed.pat, severed.withheld),
        (Some(pat("pat-canary")), 1)
    );
    assert_eq!(epoch(store).await, before + 1);
    assert!(row(store, "/a").await.withheld && !row(store, "/b").await.withheld);
    assert!(!row(store, "/c").await.withheld, "nothing is shared there");
    assert_eq!(
        store.pat(&alice(), &home()).await.unwrap().0,
        PatState::None
    );
    let late = store
        .pat_renewed(&alice(), &home(), consent, &pat("late"))
        .await;
    assert!(!late.unwrap(), "what was under way does not bring it back");
    assert!(
        store.ams_due(i64::MAX).await.unwrap().is_empty(),
        "nobody may act for her"
    );
    let state = store.connection(&alice()).await.unwrap().unwrap().state;
    assert_eq!(state, ConnectionState::Disconnected);
    assert!(
        store
            .disconnected(&alice(), &home(), 51)
            .await
            .unwrap()
            .is_none(),
        "once"
    );
    let left = store.leftovers(&alice()).await.unwrap();
    assert_eq!((left.len(), left[0].count, left[0].stuck), (1, 1, true));
    // A late answer of the AM opens nothing.
    let suspect = row(store, "/a").await;
    store
        .share_registered(&suspect, &registered("r1"), 55)
        .await
        .unwrap();
    assert!(row(store, "/a").await.withheld);
    let withheld_at = epoch(store).await;
    assert!(
        store
            .connected(&alice(), &home(), &held("new"), 60)
            .await
            .unwrap()
    );
    assert!(!row(store, "/a").await.withheld);
    assert_eq!(epoch(store).await, withheld_at + 1);
    let connection = store.connection(&alice()).await.unwrap().unwrap();
    assert_eq!(
        (connection.state, connection.since),
        (ConnectionState::Connected, 60)
    );
    assert_eq!(store.ams_due(i64::MAX).await.unwrap(), [home()]);
}

fn arrived(moving: &Moving, id: &str) -> Arrived {
    arrived_as(moving, registered(id))
}

pub(crate) async fn a_move_switches_all_or_nothing(store: &impl Store) {
    connected_owners(store, &[alice(), bob()]).await;
    let a = shared(store, &alice(), "/a", "r1").await;
    let b = shared(store, &alice(), "/b", "r2").await;
    shared(store, &bob(), "/x", "r9").await;
    let begin = async |to: &Issuer| {
        store
            .move_begun(&alice(), to, &held("there"), 50)
            .await
            .unwrap()
    };
    let carol = OwnerId::new("carol");
    let nowhere = store
        .move_begun(&carol, &away(), &held("x"), 50)
        .await
        .unwrap();
    assert_eq!(nowhere, MoveBegun::NotConnected);
    assert_eq!(begin(&home()).await, MoveBegun::AlreadyThere);
    assert_eq!(begin(&away()).await, MoveBegun::Begun);
    assert_eq!(
        begin(&away()).await,
        MoveBegun::Begun,
        "the new consent counts"
    );
    assert_eq!(
        store.connection(&alice()).await.unwrap().unwrap().issuer,
        home()
    );
    assert_eq!(store.moves_due(0, 9).await.unwrap(), [alice()]);
    assert_eq!(
        store.moved(&alice(), 51).await.unwrap(),
        None,
        "nothing is there yet"
    );
    let first = store.move_next(&alice(), 1).await.unwrap();
    assert_eq!(
        (first.len(), first[0].map.id, first[0].fresh),
        (1, a.id, true)
    );
    assert_ne!(first[0].marker, a.marker, "a registration of its own");
    let again = store.move_next(&alice(), 9).await.unwrap();
    assert_eq!(
        (again.len(), again[0].fresh, again[1].fresh),
        (2, false, true)
    );
    assert_eq!(again[0].marker, first[0].marker, "known again");
    store
        .move_arrived(&alice(), &away(), &[arrived(&again[0], "n1")], 52)
        .await
        .unwrap();
    assert_eq!(
        store.moved(&alice(), 53).await.unwrap(),
        None,
        "one is missing"
    );
    // The owner changes one that has arrived, and stops none.
    let mut renamed = share_of(&alice(), "/a");
    renamed.name = "Winter".into();
    intend(store, &renamed).await;
    let next = store.move_next(&alice(), 9).await.unwrap();
    assert_eq!(
        (next.len(), next[0].resource_id.clone()),
        (2, Some(id("n1")))
    );
    let both = [arrived(&next[0], "n1"), arrived(&next[1], "n2")];
    store
        .move_arrived(&alice(), &away(), &both, 54)
        .await
        .unwrap();
    let record = store.move_of(&alice()).await.unwrap().unwrap();
    assert_eq!(
        (record.from, record.to, record.done, record.total),
        (home(), away(), 2, 2)
    );
    let before = epoch(store).await;
    assert_eq!(row(store, "/b").await.issuer, home(), "until the switch");
    assert_eq!(store.moved(&alice(), 55).await.unwrap(), Some(2));
    assert_eq!(epoch(store).await, before + 1);
    let moved = row(store, "/b").await;
    assert_eq!(
        (moved.id, moved.issuer, moved.resource_id, moved.state),
        (b.id, away(), Some(id("n2")), RowState::Active)
    );
    assert_eq!(
        moved.generation,
        b.generation + 1,
        "late answers of the old AM don't count"
    );
    assert_eq!(row(store, "/x").await.issuer, home());
    assert_eq!(
        store.connection(&alice()).await.unwrap().unwrap().issuer,
        away()
    );
    assert!(store.move_of(&alice()).await.unwrap().is_none());
    let mut left: Vec<_> = store.orphans_due(&home(), 99, 9).await.unwrap();
    left.sort_by_key(|orphan| orphan.resource_id.clone().map(|id| id.to_string()));
    assert_eq!(
        left.iter()
            .map(|orphan| orphan.resource_id.clone())
            .collect::<Vec<_>>(),
        [Some(id("r1")), Some(id("r2"))]
    );
    assert!(
        store
            .connection_spent(&alice(), &home())
            .await
            .unwrap()
            .is_none()
    );
    for orphan in left {
        store.orphan_gone(orphan.id).await.unwrap();
    }
    let spent = store
        .connection_spent(&alice(), &home())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(spent.pat, Some(pat("pat-canary")));
    assert_eq!(
        store.pat(&alice(), &home()).await.unwrap().0,
        PatState::None
    );
    assert!(
        store
            .connection_spent(&alice(), &away())
            .await
            .unwrap()
            .is_none(),
        "it is hers"
    );
    // An answer of the old AM to something from before.
    store
        .share_half_registered(&b, &id("late"), None, 60)
        .await
        .unwrap();
    assert_eq!(row(store, "/b").await.resource_id, Some(id("n2")));
}

pub(crate) async fn what_a_move_leaves_is_orphaned(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    shared(store, &alice(), "/a", "r1").await;
    shared(store, &alice(), "/b", "r2").await;
    store
        .move_begun(&alice(), &away(), &held("there"), 50)
        .await
        .unwrap();
    let next = store.move_next(&alice(), 9).await.unwrap();
    store
        .move_arrived(&alice(), &away(), &[arrived(&next[0], "n1")], 51)
        .await
        .unwrap();
    // Stopped: what the new AM has of it is nobody's, known or not.
    stop(store, &alice(), "/b").await.unwrap();
    let orphans = store.orphans_due(&away(), 99, 9).await.unwrap();
    assert_eq!((orphans.len(), orphans[0].resource_id.clone()), (1, None));
    store
        .move_arrived(&alice(), &away(), &[arrived(&next[1], "n2")], 52)
        .await
        .unwrap();
    let orphans = store.orphans_due(&away(), 99, 9).await.unwrap();
    assert_eq!(
        (orphans.len(), orphans[0].resource_id.clone()),
        (1, Some(id("n2")))
    );
    store.move_failed(&alice(), "away", 500).await.unwrap();
    assert!(store.moves_due(499, 9).await.unwrap().is_empty());
    let record = store.move_of(&alice()).await.unwrap().unwrap();
    assert_eq!(
        (record.attempts, record.problem.as_deref()),
        (1, Some("away"))
    );
    assert!(store.move_cancelled(&alice(), 53).await.unwrap());
    assert!(!store.move_cancelled(&alice(), 53).await.unwrap());
    assert_eq!(store.orphans_due(&away(), 99, 9).await.unwrap().len(), 2);
    assert_eq!(row(store, "/a").await.issuer, home());
    // Disconnecting gives a move up, too.
    store
        .move_begun(&alice(), &away(), &held("there"), 60)
        .await
        .unwrap();
    store.move_next(&alice(), 9).await.unwrap();
    store
        .disconnected(&alice(), &home(), 61)
        .await
        .unwrap()
        .unwrap();
    assert!(store.move_of(&alice()).await.unwrap().is_none());
    assert_eq!(store.orphans_due(&away(), 99, 9).await.unwrap().len(), 3);
}

pub(crate) async fn connections_are_tended_by_their_life(store: &impl Store) {
    connected_owners(store, &[alice()]).await;
    // Issued at 1000, the refresh token ends at 9000: half is over at 5000.
    assert!(store.attention_due(5000, 9).await.unwrap().is_empty());
    let due = store.attention_due(6001, 9).await.unwrap();
    assert_eq!(
        (due.len(), due[0].ends, due[0].prolongs, due[0].warned),
        (1, 9000, true, false)
    );
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let renewed = |issued, ends| {
        StoredPat::new(Secret::new("x"), at(issued))
            .with_refresh(Some(Secret::new("y")), Some(at(ends)))
    };
    let consent = due[0].consent;
    assert!(
        store
            .pat_renewed(&alice(), &home(), consent, &renewed(6000, 14_000))
            .await
            .unwrap()
    );
    assert!(
        !store.attended(&due[0], None, true).await.unwrap(),
        "it was renewed since"
    );
    assert!(store.attention_due(10_000, 9).await.unwrap().is_empty());
    // The end does not move any more.
    store
        .pat_renewed(&alice(), &home(), consent, &renewed(11_000, 14_030))
        .await
        .unwrap();
    let due = store.attention_due(11_000, 9).await.unwrap();
    assert_eq!((due.len(), due[0].prolongs), (1, false));
    assert_eq!(
        store.connection(&alice()).await.unwrap().unwrap().ends,
        Some(14_030)
    );
    assert!(store.attended(&due[0], Some(14_030), true).await.unwrap());
    assert!(store.attention_due(14_000, 9).await.unwrap().is_empty());
    store
        .pat_renewed(&alice(), &home(), consent, &renewed(12_000, 14_040))
        .await
        .unwrap();
    assert!(
        store.attention_due(i64::MAX, 9).await.unwrap().is_empty(),
        "she knows"
    );
    store
        .pat_renewed(&alice(), &home(), consent, &renewed(12_000, 20_000))
        .await
        .unwrap();
    assert_eq!(
        store.attention_due(i64::MAX, 9).await.unwrap().len(),
        1,
        "it moves again"
    );
    store
        .consent_ended(&alice(), &home(), consent)
        .await
        .unwrap();
    assert!(store.attention_due(i64::MAX, 9).await.unwrap().is_empty());
    // What has no end is never due; without a refresh token, the access token's end counts.
    let endless =
        StoredPat::new(Secret::new("x"), at(0)).with_refresh(Some(Secret::new("y")), None);
    store
        .connected(&bob(), &home(), &Consent::Pat(endless), 1)
        .await
        .unwrap();
    assert!(store.attention_due(i64::MAX, 9).await.unwrap().is_empty());
    let bare = StoredPat::new(Secret::new("x"), at(0)).with_expiry(Some(at(1000)));
    store
        .connected(&bob(), &home(), &Consent::Pat(bare), 1)
        .await
        .unwrap();
    let due = store.attention_due(750, 9).await.unwrap();
    assert_eq!((due.len(), due[0].ends, due[0].prolongs), (1, 1000, false));
}

pub(crate) async fn a_client_of_the_owners_is_kept(store: &impl Store) {
    connected_owners(store, &[]).await;
    let client = ClientCredentials::post("hers", "secret-canary");
    let consent = Consent::Client(client.clone());
    assert!(
        store
            .connected(&alice(), &home(), &consent, 5)
            .await
            .unwrap()
    );
    assert_eq!(
        store.owner_client(&alice(), &home()).await.unwrap(),
        Some(client)
    );
    assert_eq!(store.owner_client(&alice(), &away()).await.unwrap(), None);
    let state = store.connection(&alice()).await.unwrap().unwrap().state;
    assert_eq!(state, ConnectionState::Connected);
    assert!(
        store
            .connected(&alice(), &home(), &Consent::Host, 6)
            .await
            .unwrap()
    );
    assert_eq!(store.owner_client(&alice(), &home()).await.unwrap(), None);
}
