//! What is particular to SQLite; the rest is in the suite.

use tempfile::TempDir;
use uma_client::Secret;

use super::*;
use crate::SealingKey;
use crate::store::suite::{
    self, Damage as _, alice, connected_owners, home, intend, row, share_of, shared,
};
use crate::store::{PendingConnect, Store as _};

fn key() -> SealingKey {
    SealingKey::from_bytes(&[7; 32]).unwrap()
}

async fn in_memory() -> (SqliteStore, ()) {
    (
        SqliteStore::open("sqlite::memory:", key()).await.unwrap(),
        (),
    )
}

fn url(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("host.db").display())
}

async fn in_file() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&url(&folder), key()).await.unwrap();
    (store, folder)
}

mod memory {
    crate::store::suite::store_suite!(super::in_memory());
}

mod file {
    crate::store::suite::store_suite!(super::in_file());
}

#[tokio::test]
async fn a_file_keeps_what_was_committed_and_is_private() {
    let (store, folder) = in_file().await;
    connected_owners(&store, &[alice()]).await;
    let map = shared(&store, &alice(), "/a", "r1").await;
    #[cfg(unix)]
    for file in std::fs::read_dir(folder.path()).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", file.path().display());
    }
    // Not closed: as after a crash.
    let again = SqliteStore::open(&url(&folder), key()).await.unwrap();
    assert_eq!(row(&again, "/a").await, map);
    store.close().await;
    assert!(store.maps_of(&alice()).await.is_err());
    assert_eq!(row(&again, "/a").await, map);
}

#[tokio::test]
async fn a_transaction_that_was_cut_off_is_not_seen() {
    let (store, folder) = in_file().await;
    connected_owners(&store, &[alice()]).await;
    let mut tx = store.begin_write().await.unwrap();
    for begun in [
        "UPDATE warden_epoch SET value = value + 1",
        "DELETE FROM warden_connection",
    ] {
        sqlx::query(begun).execute(&mut *tx).await.unwrap();
    }
    drop(tx);
    assert_eq!(suite::epoch(&store).await, 0);
    let again = SqliteStore::open(&url(&folder), key()).await.unwrap();
    assert!(again.connection(&alice()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_wrong_key_refuses_to_start() {
    let (store, folder) = in_file().await;
    store.close().await;
    let other = SealingKey::from_bytes(&[8; 32]).unwrap();
    let error = SqliteStore::open(&url(&folder), other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Sealed);
    assert!(SqliteStore::open(&url(&folder), key()).await.is_ok());
}

#[tokio::test]
async fn a_later_schema_is_refused() {
    let (store, folder) = in_file().await;
    store
        .sql("UPDATE warden_migrations SET version = 99 WHERE version = 5")
        .await;
    store.close().await;
    let error = SqliteStore::open(&url(&folder), key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreTooNew);
    assert!(error.to_string().contains("99"), "{error}");
}

#[tokio::test]
async fn it_lives_beside_a_hosts_own_tables() {
    let (store, _folder) = in_file().await;
    let foreign: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE name NOT LIKE '%warden\\_%' ESCAPE '\\' AND name <> 'sqlite_sequence'",
    )
    .fetch_all(&store.reader)
    .await
    .unwrap();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[tokio::test]
async fn no_secret_is_in_the_files() {
    let (store, folder) = in_file().await;
    connected_owners(&store, &[alice()]).await;
    let pending = PendingConnect {
        state_hash: "hash".into(),
        owner: alice(),
        session_hash: "session".into(),
        issuer: home(),
        verifier: Secret::new("verifier-canary"),
        return_to: crate::ReturnPath::parse("/").unwrap(),
        redirect_uri: "https://host.example/cb".into(),
        expires: 600,
        moves: false,
    };
    store.connect_begun(&pending, 0).await.unwrap();
    store.close().await;
    let mut read = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(7).any(|part| part == b"-canary"));
        read += bytes.len();
    }
    assert!(read > 4096, "there is something in them");
    assert!(!format!("{store:?} {pending:?}").contains("canary"));
}

#[tokio::test]
async fn writers_wait_for_each_other() {
    let (store, folder) = in_file().await;
    let other = SqliteStore::open(&url(&folder), key()).await.unwrap();
    connected_owners(&store, &[alice()]).await;
    let shares = |store: SqliteStore, side: &'static str| async move {
        for number in 0..20 {
            intend(&store, &share_of(&alice(), &format!("/{side}/{number}"))).await;
        }
    };
    tokio::join!(
        shares(store.clone(), "a"),
        shares(other, "b"),
        shares(store.clone(), "c")
    );
    let changes = store.changes_since(0).await.unwrap();
    assert_eq!(
        (changes.epoch, changes.maps.len()),
        (60, 60),
        "no epoch is given twice"
    );
}

#[tokio::test]
async fn urls_that_are_none_are_refused() {
    for bad in [
        "",
        "sqlite:",
        "sqlite://",
        "sqlite://x?mode=ro",
        "mysql://x",
        "host.db",
        "sqlite::other:",
    ] {
        let error = crate::AnyStore::open(bad, key()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{bad}");
    }
    let error = crate::AnyStore::open("sqlite:///no/such/folder/x.db", key())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
}
