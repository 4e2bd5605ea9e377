//! The store for many nodes: Postgres.
//!
//! # What keeps the contract
//!
//! * A step that writes what has an order begins with the row of the epoch, locked. So such steps follow each other, on
//!   whatever node; what one reads stays true until it is committed; and epochs are given in the order of commits, without
//!   gaps. Steps about one row (a PAT, a failed attempt, an authorization) go beside that, and lock their row.
//! * What is read as of one moment is read in one `REPEATABLE READ` transaction.
//! * A step that the database gave up for another's sake (SQLSTATE 40001, 40P01) is done again, a few times.
//! * A transaction can't be left open: the server ends it when its node says nothing for 3 seconds. And a connection whose
//!   step was cut off goes back to the others only once no transaction is open on it.
//!
//! # What it asks of the database
//!
//! Postgres 13 or newer, or an engine that speaks its protocol, with: tables, `BIGINT … IDENTITY`, `TEXT COLLATE "C"`,
//! `BYTEA`, `BOOLEAN`, foreign keys, unique and partial indexes; `INSERT … ON CONFLICT`, `UPDATE … FROM`, `RETURNING`,
//! `SELECT … FOR UPDATE [OF]`, `LIKE … ESCAPE`, `substr` of `BYTEA`; `READ COMMITTED` (or stricter) and `REPEATABLE READ`;
//! `SET LOCAL` of `statement_timeout` and `idle_in_transaction_session_timeout`; `clock_timestamp()`,
//! `json_array_elements_text`. `LISTEN`, `NOTIFY` and `pg_notify` alone can be left out: [`PostgresStore::poll_only`]. Not used: advisory locks, table locks, `SKIP LOCKED`, savepoints, triggers, functions of one's
//! own, extensions, temporary tables, settings of a session.

mod connecting;
mod listening;
mod schema;
#[allow(
    clippy::duplicate_mod,
    reason = "the steps are compiled for each database"
)]
#[path = "steps/all.rs"]
mod steps;
mod telling;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Postgres, Transaction};

use self::telling::Teller;
use super::{Listener, OrStore as _};
use crate::{Error, ErrorKind, KeyRing};

/// What the steps are written for.
type Backend = PostgresStore;
type Db = Postgres;

/// A `SELECT` of rows that are to stay as they are read, until the transaction ends.
macro_rules! locked {
    ($sql:expr, $of:literal) => {
        concat!($sql, " FOR UPDATE OF ", $of)
    };
}
use locked;

/// The texts of a parameter, which is a list in JSON.
macro_rules! texts_in {
    ($json:literal) => {
        concat!(
            "(SELECT value FROM json_array_elements_text(CAST(",
            $json,
            " AS JSON)))"
        )
    };
}
use texts_in;

/// Longest time that a step takes.
const STEP: Duration = Duration::from_secs(5);
/// The same, for the server; and how long a transaction may say nothing: shorter, so that who waits for it gets on.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 5000; \
     SET LOCAL idle_in_transaction_session_timeout = 3000";
/// All maps may be read in one.
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; \
     SET LOCAL statement_timeout = 300000; SET LOCAL idle_in_transaction_session_timeout = 60000";
/// How often a step is tried that the database gives up for another's sake.
const ATTEMPTS: u32 = 6;

/// A [`Store`](super::Store) in a Postgres database, for hosts on any number of nodes.
///
/// Its tables begin with `warden_`, its migrations have a table of their own: it can live in a database of the host. They
/// are made, and looked for, in the first schema of the connection's `search_path`.
#[derive(Clone)]
pub struct PostgresStore {
    pool: PgPool,
    keys: KeyRing,
    teller: Option<Teller>,
    /// How far the clock that leases go by is ahead, in milliseconds.
    #[cfg(test)]
    ahead: std::sync::Arc<std::sync::atomic::AtomicI64>,
}

impl PostgresStore {
    /// Opens `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; see [`AnyStore::open`](super::AnyStore::open).
    ///
    /// Parameters are those of libpq that sqlx knows: `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `application_name`,
    /// `host` (a folder is that of a socket), `options`. A server that is not on this machine has to prove its name by a
    /// certificate, unless `sslmode` in the URL (or `PGSSLMODE`) says otherwise. What the URL leaves open, the environment
    /// says (`PGHOST`, `PGUSER`, `PGPASSWORD`, …), or a password file.
    ///
    /// # Errors
    ///
    /// As for [`AnyStore::open`](super::AnyStore::open). No error tells the password.
    pub async fn open(url: &str, keys: impl Into<KeyRing>) -> Result<Self, Error> {
        let options = connecting::options(url)?;
        schema::bring_up_to_date(&options).await?;
        let store = Self {
            pool: connecting::pool(options),
            keys: keys.into(),
            teller: Some(Teller::default()),
            #[cfg(test)]
            ahead: std::sync::Arc::default(),
        };
        steps::check_keys(&store).await?;
        Ok(store)
    }

    /// The same store, without `NOTIFY`: for engines that have none. Nodes then learn of a change by asking.
    #[must_use]
    pub fn poll_only(mut self) -> Self {
        self.teller = None;
        self
    }

    /// Waits for what is under way, and closes the connections. Every later call is an error.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Begins a transaction, and waits until it is the only one of its kind.
    async fn begin_write(&self) -> Result<Transaction<'static, Postgres>, Error> {
        let mut tx = self.begin_apart().await?;
        sqlx::query("SELECT value FROM warden_epoch WHERE id = 1 FOR UPDATE")
            .fetch_one(&mut *tx)
            .await
            .or_store()?;
        Ok(tx)
    }

    /// Begins a transaction beside those.
    async fn begin_apart(&self) -> Result<Transaction<'static, Postgres>, Error> {
        self.pool.begin_with(BEGIN).await.or_store()
    }

    /// Begins a transaction that only reads, all of it as of one moment. Single statements stand in one, too: a pooler in
    /// transaction mode may otherwise run a statement on another connection than it was prepared on.
    async fn begin_read(&self) -> Result<Transaction<'static, Postgres>, Error> {
        self.pool.begin_with(BEGIN_READ).await.or_store()
    }

    /// Gives a step up when its time is over: the server may say nothing at all.
    async fn in_time<T>(&self, step: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::time::timeout(STEP, step).await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Store,
                "this site's storage did not answer in time; try again later",
            ))
        })
    }

    /// Whether a step that failed so often is to be done again; waits before it is.
    async fn try_again(&self, error: &Error, attempts: u32) -> bool {
        if attempts >= ATTEMPTS || !was_given_up(error) {
            return false;
        }
        // 0 to 10 ms after the first, up to 160 ms after the fifth: not all at once.
        let most = 10_000_u32 << (attempts - 1).min(4);
        let wait = getrandom::u32().map_or(most, |random| random % most);
        tokio::time::sleep(Duration::from_micros(wait.into())).await;
        true
    }

    /// The epoch was raised: the other nodes are told.
    fn committed(&self, _: i64) {
        if let Some(teller) = &self.teller {
            teller.tell(&self.pool);
        }
    }
}

impl PostgresStore {
    /// The clock that leases go by, in milliseconds: the server's, since those of nodes differ.
    async fn lease_clock(&self, connection: &mut PgConnection) -> Result<i64, Error> {
        sqlx::query_scalar("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
            .fetch_one(connection)
            .await
            .or_store()
    }

    async fn begin_to_listen(&self) -> Result<Option<Listener>, Error> {
        if self.teller.is_none() {
            return Ok(None);
        }
        let options = self.pool.connect_options();
        listening::listen(options.as_ref().clone()).await.map(Some)
    }

    async fn say(&self, word: &str) -> Result<(), Error> {
        if self.teller.is_none() {
            return Ok(());
        }
        sqlx::query("SELECT pg_notify('warden_epoch', $1)")
            .bind(word)
            .execute(&self.pool)
            .await
            .or_store()?;
        Ok(())
    }
}

/// Brings the schema at a URL up to date.
#[cfg(test)]
pub(crate) async fn bring_up_to_date(url: &str) -> Result<(), Error> {
    schema::bring_up_to_date(&connecting::options(url)?).await
}

/// Whether the database gave a step up, with nothing of it done, since others were in its way.
fn was_given_up(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    let database = source
        .and_then(|source| source.downcast_ref::<sqlx::Error>())
        .and_then(sqlx::Error::as_database_error);
    let code = database.and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("40001" | "40P01"))
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}
