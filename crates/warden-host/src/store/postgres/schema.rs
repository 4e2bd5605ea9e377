//! Bringing the schema up to date, once, however many nodes start.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::store::OrStore as _;
use crate::{Error, ErrorKind};

/// Longest time in which a connection is made, and in which a word is answered that waits for nobody.
const CONNECT: Duration = Duration::from_secs(10);

/// Brings the schema up to date. Where it is, nothing is written, and no right to make tables is needed.
pub(super) async fn bring_up_to_date(options: &PgConnectOptions) -> Result<(), Error> {
    let mut connection = connect(options).await?;
    let encoding = encoding_of(&mut connection).await?;
    if !matches!(encoding.as_str(), "UTF8" | "utf8") {
        return Err(Error::new(
            ErrorKind::Config,
            format!("the database is encoded in {encoding}; make it with ENCODING 'UTF8'"),
        ));
    }
    // Once more, on a connection that a pooler may have taken from the first.
    let mut second = connect(options).await?;
    encoding_of(&mut second).await?;
    second.close().await.or_store()?;
    let migrator = migrator();
    if !is_up_to_date(&mut connection, &migrator).await? {
        alone(&mut connection, async || {
            let mut second = connect(options).await?;
            let done = migrator.run_direct(None, &mut second, false).await;
            done.map_err(not_migrated)?;
            second.close().await.or_store()
        })
        .await?;
    }
    connection.close().await.or_store()
}

/// By a statement that is prepared. That of another connection under the same name tells of a pooler that hands a server's
/// connection on together with what was prepared on it: one node could run another's statement.
async fn encoding_of(connection: &mut PgConnection) -> Result<String, Error> {
    let encoding = async {
        let mut tx = connection.begin().await?;
        let encoding = sqlx::query_scalar("SHOW server_encoding")
            .fetch_one(&mut *tx)
            .await?;
        // Not merely dropped: a pooler is to have its connection back.
        tx.rollback().await?;
        Ok(encoding)
    };
    match encoding.await {
        Err(error) if has_code(&error, &["42P05"]) => Err(Error::new(
            ErrorKind::Config,
            "the pooler before the database mixes up prepared statements; set it up as \"Running many nodes\" says under PgBouncer",
        )),
        encoding => encoding.or_store(),
    }
}

pub(super) fn migrator() -> Migrator {
    let mut migrator: Migrator = sqlx::migrate!("./migrations/postgres");
    migrator.dangerous_set_table_name("warden_migrations");
    // Its lock is an advisory one, which not every engine has, and which poolers between make meaningless.
    migrator.set_locking(false);
    migrator
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, Error> {
    let connected = tokio::time::timeout(CONNECT, options.connect()).await;
    connected
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
        .or_store()
}

async fn is_up_to_date(connection: &mut PgConnection, migrator: &Migrator) -> Result<bool, Error> {
    let applied: Result<Vec<(i64, Vec<u8>, bool)>, sqlx::Error> =
        sqlx::query_as("SELECT version, checksum, success FROM warden_migrations ORDER BY version")
            .fetch_all(&mut *connection.begin().await.or_store()?)
            .await;
    let applied = match applied {
        Ok(applied) => applied,
        // There is no such table.
        Err(error) if has_code(&error, &["42P01"]) => return Ok(false),
        Err(error) => return Err(error).or_store(),
    };
    if let Some((version, ..)) = applied
        .iter()
        .find(|(version, ..)| !migrator.version_exists(*version))
    {
        return Err(not_migrated(MigrateError::VersionMissing(*version)));
    }
    Ok(migrator.iter().all(|known| {
        applied.iter().any(|(version, checksum, success)| {
            *version == known.version && **checksum == *known.checksum && *success
        })
    }))
}

/// Does something while nobody else does: under a lock of a row, which ends with the connection, come what may.
async fn alone(
    connection: &mut PgConnection,
    work: impl AsyncFnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    for attempt in 1.. {
        let made = sqlx::raw_sql(
            "CREATE TABLE IF NOT EXISTS warden_migration_lock (id BIGINT PRIMARY KEY); \
             INSERT INTO warden_migration_lock (id) VALUES (1) ON CONFLICT (id) DO NOTHING",
        )
        .execute(&mut *connection)
        .await;
        match made {
            Ok(_) => break,
            // Of two who make a table at once, one is refused, even with IF NOT EXISTS.
            Err(error)
                if attempt < 10 && has_code(&error, &["23505", "42P07", "42710", "40001"]) => {}
            Err(error) => return Err(error).or_store(),
        }
    }
    let mut lock = connection
        .begin_with(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 600000; \
             SET LOCAL idle_in_transaction_session_timeout = 0",
        )
        .await
        .or_store()?;
    sqlx::query("SELECT id FROM warden_migration_lock WHERE id = 1 FOR UPDATE")
        .fetch_one(&mut *lock)
        .await
        .or_store()?;
    work().await?;
    lock.commit().await.or_store()
}

fn has_code(error: &sqlx::Error, codes: &[&str]) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| codes.contains(&code.as_ref()))
}

fn not_migrated(error: MigrateError) -> Error {
    match error {
        MigrateError::VersionMissing(version) => Error::new(
            ErrorKind::StoreTooNew,
            format!(
                "the database is at schema version {version}, which this version does not know; start the later version \
                 that wrote it"
            ),
        ),
        error => Error::new(
            ErrorKind::Store,
            "the database schema could not be brought up to date",
        )
        .because(error),
    }
}
