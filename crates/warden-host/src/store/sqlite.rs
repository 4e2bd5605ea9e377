//! The embedded store: SQLite.

#[allow(
    clippy::duplicate_mod,
    reason = "the steps are compiled for each database"
)]
#[path = "steps/all.rs"]
mod steps;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::ErrorKind as IoKind;
use std::path::Path;
use std::str::FromStr as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};

use super::{Listener, OrStore as _};
use crate::seal::private_new;
use crate::{Error, ErrorKind, KeyRing};

/// What the steps are written for.
type Backend = SqliteStore;
type Db = Sqlite;

/// A `SELECT` of rows that are to stay as they are read. There is one writer: they do.
macro_rules! locked {
    ($sql:expr, $of:literal) => {
        $sql
    };
}
use locked;

/// The texts of a parameter, which is a list in JSON.
macro_rules! texts_in {
    ($json:literal) => {
        concat!("(SELECT value FROM json_each(", $json, "))")
    };
}
use texts_in;

const BUSY: Duration = Duration::from_secs(5);
const READERS: u32 = 4;
/// A [`Store`](super::Store) in an SQLite database of this process: write-ahead log, one writer, some readers.
///
/// Its tables begin with `warden_`, its migrations have a table of their own: it can live in a database of the host.
#[derive(Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    reader: SqlitePool,
    keys: KeyRing,
    /// How far the clock that leases go by is ahead, in milliseconds.
    #[cfg(test)]
    ahead: std::sync::Arc<std::sync::atomic::AtomicI64>,
}

impl SqliteStore {
    /// Opens `sqlite://FILE` or `sqlite::memory:`; see [`AnyStore::open`](super::AnyStore::open).
    ///
    /// # Errors
    ///
    /// As for [`AnyStore::open`](super::AnyStore::open).
    pub async fn open(url: &str, keys: impl Into<KeyRing>) -> Result<Self, Error> {
        let keys = keys.into();
        let store = if url == "sqlite::memory:" {
            let options = SqliteConnectOptions::from_str(url).or_store()?;
            let pool = pool(tuned(options), 1).await?;
            Self {
                writer: pool.clone(),
                reader: pool,
                keys,
                #[cfg(test)]
                ahead: std::sync::Arc::default(),
            }
        } else {
            let path = file(url)?;
            match private_new(path) {
                Ok(_) => {}
                Err(error) if error.kind() == IoKind::AlreadyExists => {}
                Err(error) => {
                    return Err(Error::new(
                        ErrorKind::Store,
                        format!("the database file {} can't be made", path.display()),
                    )
                    .because(error));
                }
            }
            let options = tuned(SqliteConnectOptions::new().filename(path))
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal);
            Self {
                writer: pool(options.clone(), 1).await?,
                reader: pool(options, READERS).await?,
                keys,
                #[cfg(test)]
                ahead: std::sync::Arc::default(),
            }
        };
        store.migrate().await?;
        steps::check_keys(&store).await?;
        Ok(store)
    }

    /// Waits for what is under way, and closes the database. Every later call is an error.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    async fn migrate(&self) -> Result<(), Error> {
        let mut migrator: Migrator = sqlx::migrate!("./migrations/sqlite");
        migrator.dangerous_set_table_name("warden_migrations");
        migrator.run(&self.writer).await.map_err(|error| match error {
            MigrateError::VersionMissing(version) => Error::new(
                ErrorKind::StoreTooNew,
                format!("the database is at schema version {version}, which this version does not know; start the later version that wrote it"),
            ),
            error => Error::new(
                ErrorKind::Store,
                "the database schema could not be brought up to date",
            )
            .because(error),
        })
    }

    /// Begins a transaction that writes. It takes the lock now: one that reads first and locks later could be refused
    /// with what it read no longer true.
    async fn begin_write(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.or_store()
    }

    /// The same: there is one writer.
    async fn begin_apart(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        self.begin_write().await
    }

    /// Begins a transaction that only reads, all of it as of one moment.
    async fn begin_read(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        self.reader.begin().await.or_store()
    }

    /// The step as it is: it waits for nobody but this process and its disk.
    async fn in_time<T>(&self, step: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        step.await
    }

    /// Whether a step that failed so often is to be done again: whoever waited for the lock has it.
    async fn try_again(&self, _: &Error, _: u32) -> bool {
        false
    }

    /// The epoch was raised. Whoever follows it looks.
    fn committed(&self, _: i64) {}

    /// The clock that leases go by, in milliseconds: all processes on one file are on one machine.
    async fn lease_clock(&self, _: &mut SqliteConnection) -> Result<i64, Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(i64::MAX))
    }

    async fn begin_to_listen(&self) -> Result<Option<Listener>, Error> {
        Ok(None)
    }

    async fn say(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

fn file(url: &str) -> Result<&Path, Error> {
    let path = url
        .strip_prefix("sqlite://")
        .or_else(|| url.strip_prefix("sqlite:"))
        .unwrap_or_default();
    if path.is_empty() || path.starts_with(':') || path.contains(['?', '#', '\0']) {
        return Err(Error::new(
            ErrorKind::Config,
            "the database is given as `sqlite://FILE` or `sqlite::memory:`, without parameters",
        ));
    }
    Ok(Path::new(path))
}

fn tuned(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options.foreign_keys(true).busy_timeout(BUSY)
}

async fn pool(options: SqliteConnectOptions, connections: u32) -> Result<SqlitePool, Error> {
    // Connections never expire: an in-memory database would go with its connection.
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(BUSY)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await
        .or_store()
}
