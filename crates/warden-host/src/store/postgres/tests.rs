//! What is particular to Postgres; the rest is in the suite.

mod faults;
mod opening;

use sqlx::postgres::PgListener;

use super::*;
use crate::SealingKey;
use crate::store::Store as _;
use crate::store::suite::{alice, connected_owners, intend, share_of};
use crate::testing::postgres::TestDatabase;

mod suite {
    crate::store::suite::store_suite!(in optional super::opened());
}

mod poll_only {
    crate::store::suite::store_suite!(in optional async {
        let (store, keep) = super::opened().await?;
        Some((store.poll_only(), keep))
    });
}

fn key() -> SealingKey {
    SealingKey::from_bytes(&[7; 32]).unwrap()
}

/// A store, and its database. None where there is no Postgres.
async fn opened() -> Option<(PostgresStore, TestDatabase)> {
    let database = TestDatabase::ready().await?;
    let store = PostgresStore::open(&database.url, key()).await.unwrap();
    Some((store, database))
}

async fn again(database: &TestDatabase) -> PostgresStore {
    PostgresStore::open(&database.url, key()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_on_many_nodes_leave_no_gap() {
    let Some((one, database)) = opened().await else {
        return;
    };
    let other = again(&database).await;
    let reader = again(&database).await;
    connected_owners(&one, &[alice()]).await;
    let shares = |store: PostgresStore, side: &'static str| {
        tokio::spawn(async move {
            for number in 0..20 {
                intend(&store, &share_of(&alice(), &format!("/{side}/{number}"))).await;
            }
        })
    };
    let writing = [
        shares(one.clone(), "a"),
        shares(other.clone(), "b"),
        shares(one, "c"),
    ];
    // Who follows meanwhile misses nothing: what is behind an epoch was there when that epoch was read.
    let (mut applied, mut seen) = (0, Vec::new());
    while applied < 60 {
        let changes = reader.changes_since(applied).await.unwrap();
        if applied > 0 || !changes.maps.is_empty() {
            assert_eq!(
                changes.epoch - applied,
                i64::try_from(changes.maps.len()).unwrap()
            );
        }
        applied = changes.epoch;
        seen.extend(changes.maps.into_iter().map(|map| map.path_key));
    }
    for writer in writing {
        writer.await.unwrap();
    }
    seen.sort();
    seen.dedup();
    assert_eq!(
        (applied, seen.len()),
        (60, 60),
        "no epoch is given twice, none is left out"
    );
}

#[tokio::test]
async fn other_nodes_are_told_after_the_commit() {
    let Some((store, database)) = opened().await else {
        return;
    };
    let mut listener = PgListener::connect(&database.url).await.unwrap();
    listener.listen("warden_epoch").await.unwrap();
    let mut heard = async |within: u64| {
        let heard = listener.recv();
        tokio::time::timeout(Duration::from_millis(within), heard)
            .await
            .is_ok()
    };
    connected_owners(&store, &[alice()]).await;
    intend(&store, &share_of(&alice(), "/a")).await;
    assert!(heard(5000).await);
    assert_eq!(
        again(&database).await.changes_since(0).await.unwrap().epoch,
        1
    );
    intend(&store, &share_of(&alice(), "/a")).await;
    assert!(!heard(20).await, "nothing has changed");
    let quiet = store.clone().poll_only();
    intend(&quiet, &share_of(&alice(), "/b")).await;
    assert!(!heard(20).await, "it is not to tell");
    intend(&store, &share_of(&alice(), "/c")).await;
    assert!(heard(5000).await);
}

#[tokio::test]
async fn transactions_have_an_end() {
    let Some((store, _database)) = opened().await else {
        return;
    };
    let mut tx = store.begin_write().await.unwrap();
    for (setting, value) in [
        ("SHOW statement_timeout", "5s"),
        ("SHOW idle_in_transaction_session_timeout", "3s"),
        ("SHOW transaction_isolation", "read committed"),
    ] {
        let set: String = sqlx::query_scalar(setting)
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        assert_eq!(set, value, "{setting}");
    }
    drop(tx);
    let set: String = sqlx::query_scalar("SHOW idle_in_transaction_session_timeout")
        .fetch_one(&store.pool)
        .await
        .unwrap();
    assert_eq!(
        set, "0",
        "the session is left as it was: it may be another's next"
    );
}
