//! What every store must keep, tested for each of them by `store_suite!`.

mod accesses;
mod connections;
mod damage;
mod leaving;
mod many;
mod nodes;
mod revisions;
mod shares;
mod steps;
mod storable;

use std::time::{Duration, SystemTime};

use tower_warden::{OwnerId, Site};
use uma_client::{ClientCredentials, Issuer, ResourceId, Scopes, Secret, StoredPat};

use super::{AmRecord, Arrived, Consent, Intended, MapRecord, Moving, NewShare, Registered, Store};

pub(crate) use accesses::*;
pub(crate) use connections::*;
pub(crate) use damage::*;
pub(crate) use leaving::*;
pub(crate) use many::*;
pub(crate) use nodes::*;
pub(crate) use revisions::*;
pub(crate) use shares::*;
pub(crate) use steps::*;
pub(crate) use storable::*;

/// Makes a test of each case for the store that `$open` opens, an empty one each time; with `in optional`, where it can be
/// had.
macro_rules! store_suite {
    (in optional $open:expr) => {
        $crate::store::suite::store_suite! { @cases optional $open }
    };
    ($open:expr) => {
        $crate::store::suite::store_suite! { @cases always $open }
    };
    (@cases $when:ident $open:expr) => {
        $crate::store::suite::store_suite! { @tests $when $open;
            an_am_is_registered_once, a_new_client_is_told_to_enforcement,
            an_authorization_is_taken_once, a_pat_comes_back_as_it_was, a_later_consent_is_not_overwritten,
            an_ended_consent_is_wiped, who_shares_elsewhere_stays_there,
            a_share_is_denied_then_active, only_what_is_enforced_raises_the_epoch,
            sharing_again_changes_what_differs, a_stop_keeps_the_id_and_a_share_revives_it,
            anothers_share_orphans_the_registration, anothers_path_is_taken, an_am_that_is_not_the_owners_is_refused,
            a_late_registration_is_not_forgotten, a_suspect_is_found_or_lost, a_deletion_that_comes_late_is_told,
            changes_are_followed, work_is_due_by_am_and_time, text_is_bytes, a_nul_is_refused,
            tombstones_are_swept_when_nothing_is_left, of_two_at_once_one_row_comes,
            a_disconnect_wipes_and_withholds, a_move_switches_all_or_nothing, what_a_move_leaves_is_orphaned,
            connections_are_tended_by_their_life, a_client_of_the_owners_is_kept, many_rows_go_in_one_step,
            what_is_lost_is_made_anew_once, rows_come_in_pages, what_is_held_at_an_am_is_known,
            what_one_store_cant_hold_none_takes, numbers_go_to_their_ends, what_is_done_at_once_is_done_once,
            ciphertexts_cant_be_swapped, a_row_that_cant_be_understood_spoils_no_other,
            a_revision_goes_with_its_id, a_move_takes_its_revisions,
            maps_are_found_by_key, purges_are_followed, what_is_forgotten_is_said,
            nodes_live_by_their_leases, lost_transactions_are_seen_by_a_node, work_has_one_holder_at_a_time,
            what_is_said_is_heard_where_it_can_be,
            accesses_come_latest_first, accesses_that_are_alike_are_counted, accesses_are_bounded,
        }
    };
    (@tests always $open:expr; $($case:ident),* $(,)?) => {
        $(#[tokio::test]
        async fn $case() {
            let (store, _keep) = $open.await;
            $crate::store::suite::$case(&store).await;
        })*
    };
    (@tests optional $open:expr; $($case:ident),* $(,)?) => {
        $(#[tokio::test]
        async fn $case() {
            if let Some((store, _keep)) = $open.await {
                $crate::store::suite::$case(&store).await;
            }
        })*
    };
}
pub(crate) use store_suite;

/// A store whose rows can be damaged.
pub(crate) trait Damage: Store {
    /// Runs a statement.
    async fn sql(&self, text: &'static str);
}

pub(crate) fn home() -> Issuer {
    Issuer::parse("https://home.example").unwrap()
}

pub(crate) fn away() -> Issuer {
    Issuer::parse("https://away.example").unwrap()
}

pub(crate) fn alice() -> OwnerId {
    OwnerId::new("alice")
}

pub(crate) fn bob() -> OwnerId {
    OwnerId::new("bob")
}

pub(crate) fn id(text: &str) -> ResourceId {
    ResourceId::parse(text).unwrap()
}

pub(crate) fn am_record(issuer: Issuer, client_id: &str) -> AmRecord {
    AmRecord {
        issuer,
        dialect: "uma2".into(),
        profile: "uma2".into(),
        client: ClientCredentials::basic(client_id, "client-canary"),
        secret_expires: Some(5000),
        registration_token: Some(Secret::new("registration-canary")),
        registration_uri: Some("https://home.example/register/1".parse().unwrap()),
    }
}

/// A PAT with a whole number of seconds everywhere, as stores keep them.
pub(crate) fn pat(token: &str) -> StoredPat {
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    StoredPat::new(Secret::new(token), at(1000))
        .with_expiry(Some(at(1300)))
        .with_refresh(
            Some(Secret::new(format!("refresh-{token}"))),
            Some(at(9000)),
        )
        .with_scope(Some("uma_protection".into()))
}

/// A consent to that PAT.
pub(crate) fn held(token: &str) -> Consent {
    Consent::Pat(pat(token))
}

/// Both AMs known, and owners connected to `home`.
pub(crate) async fn connected_owners(store: &impl Store, owners: &[OwnerId]) {
    for issuer in [home(), away()] {
        store
            .am_registered(&am_record(issuer, "host"), None, 1)
            .await
            .unwrap();
    }
    for owner in owners {
        assert!(
            store
                .connected(owner, &home(), &held("pat-canary"), 10)
                .await
                .unwrap()
        );
    }
}

pub(crate) fn share_of(owner: &OwnerId, path: &str) -> NewShare {
    NewShare {
        site: Site::default(),
        path_key: path.into(),
        subtree: false,
        owner: owner.clone(),
        issuer: home(),
        marker: uuid::Uuid::new_v4().to_string(),
        name: "Summer".into(),
        description: None,
        icon_uri: None,
        scopes: Scopes::parse(["view", "edit"]).unwrap(),
    }
}

/// Shares, and gives the row and whether it is fresh.
pub(crate) async fn intend(store: &impl Store, share: &NewShare) -> (MapRecord, bool) {
    match store.share_intended(share, 20).await.unwrap() {
        Intended::Kept { map, fresh } => (*map, fresh),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn registered(resource: &str) -> Registered {
    Registered {
        resource_id: id(resource),
        registered_name: "Summer [host/1]".into(),
        policy_uri: Some("https://home.example/policy/1".parse().unwrap()),
        revision: None,
    }
}

/// A registration with a revision.
pub(crate) fn revised(resource: &str, revision: &str) -> Registered {
    Registered {
        revision: Some(revision.into()),
        ..registered(resource)
    }
}

/// That a registration of a move has arrived.
pub(crate) fn arrived_as(moving: &Moving, registered: Registered) -> Arrived {
    Arrived {
        map: moving.map.id,
        generation: moving.map.generation,
        marker: moving.marker.clone(),
        registered,
    }
}

/// An active share.
pub(crate) async fn shared(
    store: &impl Store,
    owner: &OwnerId,
    path: &str,
    resource: &str,
) -> MapRecord {
    let (map, _) = intend(store, &share_of(owner, path)).await;
    store
        .share_registered(&map, &registered(resource), 30)
        .await
        .unwrap()
        .unwrap()
}

pub(crate) async fn row(store: &impl Store, path: &str) -> MapRecord {
    store.map_at(&Site::default(), path).await.unwrap().unwrap()
}

pub(crate) async fn stop(store: &impl Store, owner: &OwnerId, path: &str) -> Option<MapRecord> {
    store
        .share_stopped(owner, &Site::default(), path, 40)
        .await
        .unwrap()
}

pub(crate) async fn epoch(store: &impl Store) -> i64 {
    store.changes_since(i64::MAX - 1).await.unwrap().epoch
}
