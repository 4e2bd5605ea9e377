//! The server in trouble, and steps that are cut off.

use std::time::Instant;

use super::*;
use crate::store::suite::{Damage as _, epoch, row, shared};
use crate::testing::postgres::{script, start};

/// F-31, F-32: nobody waits long for a server that says nothing, and nothing is left behind.
#[tokio::test]
async fn a_server_that_says_nothing_is_told_in_time() {
    let Some(url) = start(&["--no-fsync"]) else {
        return;
    };
    let store = PostgresStore::open(&url, key()).await.unwrap();
    connected_owners(&store, &[alice()]).await;
    let map = shared(&store, &alice(), "/a", "r1").await;
    let share = share_of(&alice(), "/b");
    for (stop, go_on) in [("freeze", "thaw"), ("kill", "start")] {
        script(stop, &url);
        let began = Instant::now();
        let (read, written) = tokio::join!(
            store.map_at(&map.site, "/a"),
            store.share_intended(&share, 20)
        );
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{stop}: {:?}",
            began.elapsed()
        );
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Store);
        assert_eq!(written.unwrap_err().kind(), ErrorKind::Store);
        if go_on == "start" {
            break;
        }
        script(go_on, &url);
        let mut attempts = 0;
        while store.map_at(&map.site, "/a").await.is_err() {
            attempts += 1;
            assert!(attempts < 20, "it recovers");
        }
        assert_eq!(row(&store, "/a").await, map);
        intend(&store, &share).await;
    }
}

#[tokio::test]
async fn a_step_that_was_given_up_for_anothers_sake_is_done_again() {
    let Some((store, _database)) = opened().await else {
        return;
    };
    connected_owners(&store, &[alice()]).await;
    store.sql("CREATE SEQUENCE tries").await;
    store
        .sql("CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
              IF nextval('tries') <= 3 THEN RAISE 'in the way' USING ERRCODE = '40001'; END IF; RETURN NEW; END $$")
        .await;
    store
        .sql("CREATE TRIGGER give_up BEFORE INSERT ON warden_resource_map FOR EACH ROW EXECUTE FUNCTION give_up()")
        .await;
    let map = intend(&store, &share_of(&alice(), "/a")).await.0;
    assert_eq!(
        (map.changed_epoch, epoch(&store).await),
        (1, 1),
        "and done once"
    );
    store
        .sql("ALTER SEQUENCE tries MINVALUE -1000 RESTART WITH -1000")
        .await;
    let error = store
        .share_intended(&share_of(&alice(), "/b"), 20)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "but not for ever");
    assert_eq!(epoch(&store).await, 1);
}

/// A future that is dropped while it begins must not leave a transaction to whoever gets the connection next: its snapshot
/// would be old for good.
#[tokio::test]
async fn steps_that_are_cut_off_leave_no_transaction_open() {
    let Some((store, database)) = opened().await else {
        return;
    };
    connected_owners(&store, &[alice()]).await;
    let other = again(&database).await;
    for round in 0..60_u64 {
        let cut = Duration::from_micros(round * 25);
        for _ in 0..4 {
            let _ = tokio::time::timeout(cut, store.begin_read()).await;
            let _ = tokio::time::timeout(cut, store.begin_write()).await;
        }
        let path = format!("/{round}");
        let map = intend(&other, &share_of(&alice(), &path)).await.0;
        let seen: Option<i64> =
            sqlx::query_scalar("SELECT changed_epoch FROM warden_resource_map WHERE path_key = $1")
                .bind(&path)
                .fetch_optional(&store.pool)
                .await
                .unwrap();
        assert_eq!(seen, Some(map.changed_epoch), "after {cut:?}");
    }
    let open = "SELECT COUNT(*) FROM pg_stat_activity \
                WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    let mut left = 1;
    for _ in 0..100 {
        left = sqlx::query_scalar(open)
            .fetch_one(&other.pool)
            .await
            .unwrap();
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(left, 0_i64);
}
