//! What is particular to SQLite; the rest is in the suite.

use tempfile::TempDir;

use super::*;
use crate::SealingKey;
use crate::store::RowState;
use crate::store::suite::{
    self, alice, bob, connected_owners, held, home, intend, row, share_of, shared,
};

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

async fn sql(store: &SqliteStore, text: &'static str) {
    sqlx::query(text).execute(&store.writer).await.unwrap();
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
    let mut tx = store.write().await.unwrap();
    raise_epoch(&mut tx).await.unwrap();
    sqlx::query("DELETE FROM warden_connection")
        .execute(&mut *tx)
        .await
        .unwrap();
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
    sql(
        &store,
        "UPDATE warden_migrations SET version = 99 WHERE version = 3",
    )
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
async fn ciphertexts_cant_be_swapped() {
    let (store, _folder) = in_file().await;
    connected_owners(&store, &[alice()]).await;
    store
        .connected(&bob(), &home(), &held("bobs"), 10)
        .await
        .unwrap();
    sql(
        &store,
        "UPDATE warden_connection SET access_token = \
         (SELECT c.access_token FROM warden_connection AS c WHERE c.owner = 'bob') WHERE owner = 'alice'",
    )
    .await;
    let error = store.pat(&alice(), &home()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Sealed);
    assert!(
        store.pat(&bob(), &home()).await.is_ok(),
        "the others are not touched"
    );
    sql(
        &store,
        "UPDATE warden_connection SET access_token = refresh_token WHERE owner = 'bob'",
    )
    .await;
    assert_eq!(
        store.pat(&bob(), &home()).await.unwrap_err().kind(),
        ErrorKind::Sealed
    );
    sql(
        &store,
        "UPDATE warden_am SET client_secret = registration_token",
    )
    .await;
    assert_eq!(
        store.am(&home()).await.unwrap_err().kind(),
        ErrorKind::Sealed
    );
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
async fn a_row_that_cant_be_understood_spoils_no_other() {
    let (store, _folder) = in_file().await;
    connected_owners(&store, &[alice()]).await;
    shared(&store, &alice(), "/bad", "r1").await;
    let good = shared(&store, &alice(), "/good", "r2").await;
    for damage in [
        "UPDATE warden_resource_map SET scopes = '[]' WHERE path_key = '/bad'",
        "UPDATE warden_resource_map SET scopes = 'view' WHERE path_key = '/bad'",
        "UPDATE warden_resource_map SET scopes = '[\"view\"]', resource_id = '' WHERE path_key = '/bad'",
        "UPDATE warden_resource_map SET resource_id = NULL WHERE path_key = '/bad'",
    ] {
        sql(&store, damage).await;
        let maps = store.maps_of(&alice()).await.unwrap();
        assert!(maps[0].broken, "{damage}");
        assert_eq!(maps[1], good);
        assert!(
            store
                .share_intended(&share_of(&alice(), "/bad"), 1)
                .await
                .is_err()
        );
    }
    assert_eq!(
        row(&store, "/bad").await.state,
        RowState::Active,
        "it is left alone"
    );
    let stone = store
        .share_stopped(&alice(), &Site::default(), "/bad", 1)
        .await
        .unwrap();
    assert!(stone.is_some(), "but can be stopped");
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
        "postgres://x",
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

impl SqliteStore {
    /// Makes a row one that can't be understood.
    pub(crate) async fn damage_map(&self, path: &str) {
        sqlx::query("UPDATE warden_resource_map SET scopes = '[]' WHERE path_key = ?")
            .bind(path)
            .execute(&self.writer)
            .await
            .unwrap();
    }

    /// Sets the database back to an epoch.
    pub(crate) async fn set_back(&self, epoch: i64) {
        for statement in [
            "UPDATE warden_epoch SET value = ?",
            "DELETE FROM warden_resource_map WHERE changed_epoch > ?",
            "UPDATE warden_node SET applied = min(applied, ?)",
        ] {
            sqlx::query(statement)
                .bind(epoch)
                .execute(&self.writer)
                .await
                .unwrap();
        }
    }

    /// Cuts an owner's PAT off.
    pub(crate) async fn damage_pat(&self, owner: &str) {
        sqlx::query("UPDATE warden_connection SET access_token = substr(access_token, 1, 40) WHERE owner = ?")
            .bind(owner)
            .execute(&self.writer)
            .await
            .unwrap();
    }
}
