//! Opening: the schema, keys, rights, what is refused.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::*;
use crate::AnyStore;
use crate::store::suite::{Damage as _, home, row, shared};

/// Everything that is kept of an error.
fn all_of(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_nodes_that_start_at_once_make_one_schema() {
    let Some(database) = TestDatabase::empty().await else {
        return;
    };
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let url = database.url.clone();
            tokio::spawn(async move { PostgresStore::open(&url, key()).await })
        })
        .collect();
    let mut stores = Vec::new();
    for one in opening {
        stores.push(one.await.unwrap().unwrap());
    }
    let applied: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM warden_migrations")
        .fetch_one(&stores[0].pool)
        .await
        .unwrap();
    assert_eq!(
        applied,
        i64::try_from(schema::migrator().iter().count()).unwrap()
    );
    connected_owners(&stores[0], &[alice()]).await;
    let map = shared(&stores[1], &alice(), "/a", "r1").await;
    assert_eq!(row(&stores[2], "/a").await, map);
    stores[0].close().await;
    assert!(stores[0].maps_of(&alice()).await.is_err());
}

#[tokio::test]
async fn a_later_schema_is_refused() {
    let Some((store, database)) = opened().await else {
        return;
    };
    store
        .sql("INSERT INTO warden_migrations (version, description, success, checksum, execution_time) \
              VALUES (99, 'later', TRUE, '', 0)")
        .await;
    let error = AnyStore::open(&database.url, key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreTooNew);
    assert!(error.to_string().contains("99"), "{error}");
}

#[tokio::test]
async fn a_wrong_key_refuses_to_start() {
    let Some((_store, database)) = opened().await else {
        return;
    };
    let other = SealingKey::from_bytes(&[8; 32]).unwrap();
    let error = AnyStore::open(&database.url, other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Sealed);
    assert!(AnyStore::open(&database.url, key()).await.is_ok());
}

#[tokio::test]
async fn it_lives_beside_a_hosts_own_tables() {
    let Some((store, _database)) = opened().await else {
        return;
    };
    let foreign: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'public' AND c.relname NOT LIKE 'warden\\_%'",
    )
    .fetch_all(&store.pool)
    .await
    .unwrap();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[tokio::test]
async fn every_text_is_compared_byte_for_byte() {
    let Some((store, _database)) = opened().await else {
        return;
    };
    let otherwise: Vec<String> = sqlx::query_scalar(
        "SELECT table_name || '.' || column_name FROM information_schema.columns \
         WHERE table_name LIKE 'warden\\_%' AND table_name <> 'warden_migrations' \
         AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'",
    )
    .fetch_all(&store.pool)
    .await
    .unwrap();
    assert!(otherwise.is_empty(), "{otherwise:?}");
}

#[tokio::test]
async fn another_encoding_is_refused() {
    let Some(database) = TestDatabase::encoded("SQL_ASCII").await else {
        return;
    };
    let error = AnyStore::open(&database.url, key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("SQL_ASCII"), "{error}");
}

/// The grants of `docs/running-many-nodes.md`.
#[tokio::test]
async fn a_node_needs_no_right_to_make_tables() {
    let Some((_store, database)) = opened().await else {
        return;
    };
    let mut owner = PgConnection::connect(&database.url).await.unwrap();
    let role = format!("{}_node", database.name);
    let grants = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'canary'; \
         REVOKE CREATE ON SCHEMA public FROM PUBLIC; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
    );
    let granted = sqlx::raw_sql(AssertSqlSafe(grants)).execute(&mut owner);
    granted.await.unwrap();
    let url = |password: &str| {
        let mut url = url::Url::parse(&database.url).unwrap();
        url.set_username(&role).unwrap();
        url.set_password(Some(password)).unwrap();
        String::from(url)
    };
    let node = PostgresStore::open(&url("canary"), key()).await.unwrap();
    connected_owners(&node, &[alice()]).await;
    shared(&node, &alice(), "/a", "r1").await;
    node.swept(100, 100).await.unwrap();
    node.close().await;
    // What goes wrong is told without the password.
    let error = PostgresStore::open(&url("canary-2"), key())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(!all_of(&error).contains("canary"), "{}", all_of(&error));
    let end = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    sqlx::raw_sql(AssertSqlSafe(end))
        .execute(&mut owner)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_without_the_password() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let url = format!("postgres://u:canary@127.0.0.1:{port}/x");
    let error = AnyStore::open(&url, key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(!all_of(&error).contains("canary"), "{}", all_of(&error));
    assert!(!format!("{:?}", home()).is_empty());
}
