//! The embedded store: SQLite.

mod ams;
mod attend;
mod connections;
mod enforced;
mod keys;
mod leaving;
mod moves;
mod nodes;
mod pages;
mod pats;
mod reading;
mod rows;
mod saga;
mod settling;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::ErrorKind as IoKind;
use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};
use tower_warden::{MapId, OwnerId, Purge, Site};
use uma_client::{ClientCredentials, Issuer, PatState, ResourceId, Secret, StoredPat};

use super::{
    AmRecord, Arrived, Attention, Changes, ConnectionRecord, Consent, Holding, Intended,
    LeftoverRecord, Listener, MapRecord, MapsAt, MapsPage, MapsQuery, MoveBegun, MoveRecord,
    Moving, NewShare, NodeId, NodeRecord, Orphan, PendingConnect, Registered, ResealedBatch,
    SealedRow, Severed, Store,
};
use crate::seal::{Place, private_new};
use crate::{Error, ErrorKind, KeyRing};

const BUSY: Duration = Duration::from_secs(5);
const READERS: u32 = 4;
const CANARY: Place<'_> = Place {
    table: "warden_canary",
    row: "1",
    owner: "",
    issuer: "",
    column: "sealed",
};
const CANARY_TEXT: &str = "the key fits";

/// A [`Store`] in an SQLite database of this process: write-ahead log, one writer, some readers.
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
        keys::check_keys(&store).await?;
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
    async fn write(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.or_store()
    }

    /// Begins a transaction that only reads, all of it as of one moment.
    async fn read(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        self.reader.begin().await.or_store()
    }

    fn seal(&self, place: &Place<'_>, secret: Option<&Secret>) -> Result<Option<Vec<u8>>, Error> {
        secret
            .map(|secret| self.keys.seal(place, secret))
            .transpose()
    }

    fn unseal(&self, place: &Place<'_>, sealed: Option<&[u8]>) -> Result<Option<Secret>, Error> {
        sealed
            .map(|sealed| self.keys.unseal(place, sealed))
            .transpose()
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

/// Makes an error of the store one of the host.
trait OrStore<T> {
    fn or_store(self) -> Result<T, Error>;
}

impl<T> OrStore<T> for Result<T, sqlx::Error> {
    fn or_store(self) -> Result<T, Error> {
        self.map_err(|error| {
            Error::new(
                ErrorKind::Store,
                "this site's storage could not be read or written; try again later",
            )
            .because(error)
        })
    }
}

/// Raises the epoch, and gives the new one.
async fn raise_epoch(tx: &mut Transaction<'static, Sqlite>) -> Result<i64, Error> {
    sqlx::query_scalar("UPDATE warden_epoch SET value = value + 1 WHERE id = 1 RETURNING value")
        .fetch_one(&mut **tx)
        .await
        .or_store()
}

/// Refuses text that not every store can hold.
fn storable<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<(), Error> {
    if texts.into_iter().any(|text| text.contains('\0')) {
        return Err(Error::new(
            ErrorKind::Store,
            "text with a NUL can't be stored",
        ));
    }
    Ok(())
}

macro_rules! steps {
    ($($module:ident: $name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        impl Store for SqliteStore {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$out, Error> {
                $module::$name(self, $($arg),*).await
            })*
        }
    };
}

steps! {
    ams: am(issuer: &Issuer) -> Option<AmRecord>;
    ams: am_registered(am: &AmRecord, replaces: Option<&str>, now: i64) -> AmRecord;
    connections: connect_begun(pending: &PendingConnect, now: i64) -> ();
    connections: connect_answered(state_hash: &str) -> Option<PendingConnect>;
    connections: connected(owner: &OwnerId, issuer: &Issuer, consent: &Consent, now: i64) -> bool;
    connections: connection(owner: &OwnerId) -> Option<ConnectionRecord>;
    pats: pat(owner: &OwnerId, issuer: &Issuer) -> (PatState, i64);
    pats: pat_renewed(owner: &OwnerId, issuer: &Issuer, consent: i64, pat: &StoredPat) -> bool;
    pats: consent_ended(owner: &OwnerId, issuer: &Issuer, consent: i64) -> bool;
    pats: consent_unreadable(owner: &OwnerId, issuer: &Issuer) -> bool;
    pats: owner_client(owner: &OwnerId, issuer: &Issuer) -> Option<ClientCredentials>;
    attend: attention_due(now: i64, limit: u32) -> Vec<Attention>;
    attend: attended(attention: &Attention, next: Option<i64>, warned: bool) -> bool;
    leaving: disconnected(owner: &OwnerId, issuer: &Issuer, now: i64) -> Option<Severed>;
    leaving: connection_spent(owner: &OwnerId, issuer: &Issuer) -> Option<Severed>;
    leaving: leftovers(owner: &OwnerId) -> Vec<LeftoverRecord>;
    moves: move_begun(owner: &OwnerId, to: &Issuer, consent: &Consent, now: i64) -> MoveBegun;
    moves: move_of(owner: &OwnerId) -> Option<MoveRecord>;
    moves: moves_due(now: i64, limit: u32) -> Vec<OwnerId>;
    moves: move_next(owner: &OwnerId, limit: u32) -> Vec<Moving>;
    moves: move_arrived(owner: &OwnerId, to: &Issuer, arrived: &[Arrived], now: i64) -> ();
    moves: move_failed(owner: &OwnerId, problem: &str, next_try: i64) -> ();
    moves: moved(owner: &OwnerId, now: i64) -> Option<u64>;
    moves: move_cancelled(owner: &OwnerId, now: i64) -> bool;
    saga: share_intended(share: &NewShare, now: i64) -> Intended;
    saga: shares_intended(shares: &[NewShare], now: i64) -> Vec<Intended>;
    saga: share_stopped(owner: &OwnerId, site: &Site, path_key: &str, now: i64) -> Option<MapRecord>;
    saga: shares_stopped(owner: &OwnerId, paths: Option<&[(Site, String)]>, now: i64) -> Vec<MapRecord>;
    settling: share_registered(map: &MapRecord, registered: &Registered, now: i64) -> Option<MapRecord>;
    settling: shares_registered(shares: &[(MapRecord, Registered)], now: i64) -> Vec<Option<MapRecord>>;
    settling: share_half_registered(map: &MapRecord, id: &ResourceId, now: i64) -> ();
    settling: share_failed(map: &MapRecord, problem: &str, next_try: i64) -> ();
    settling: share_suspected(map: MapId, resource_id: &ResourceId, now: i64) -> bool;
    settling: share_lost(map: &MapRecord, now: i64) -> bool;
    settling: share_recreated(map: &MapRecord, now: i64) -> bool;
    settling: registration_gone(map: &MapRecord, now: i64) -> ();
    settling: orphan_gone(orphan: i64) -> ();
    settling: orphan_failed(orphan: i64, next_try: i64) -> ();
    reading: epoch() -> i64;
    reading: changes_since(epoch: i64) -> Changes;
    reading: maps_at(site: &Site, path_keys: &[String]) -> MapsAt;
    nodes: purged(purge: &Purge, now: i64) -> i64;
    nodes: node_renewed(node: &NodeId, applied: i64, lease: Duration) -> Option<i64>;
    nodes: node_left(node: &NodeId) -> ();
    nodes: nodes_behind(epoch: i64) -> Vec<NodeRecord>;
    nodes: work_claimed(works: &[String], holder: &str, lease: Duration) -> Vec<bool>;
    nodes: work_released(works: &[String], holder: &str) -> ();
    nodes: listen() -> Option<Listener>;
    nodes: said(word: &str) -> ();
    reading: map_at(site: &Site, path_key: &str) -> Option<MapRecord>;
    reading: maps_of(owner: &OwnerId) -> Vec<MapRecord>;
    pages: maps_page(owner: &OwnerId, query: &MapsQuery) -> MapsPage;
    reading: holdings(issuer: &Issuer, owner: Option<&OwnerId>) -> Vec<Holding>;
    reading: sharing_owners(after: &str, limit: u32) -> Vec<OwnerId>;
    reading: ams_due(now: i64) -> Vec<Issuer>;
    reading: maps_due(issuer: &Issuer, now: i64, limit: u32) -> Vec<MapRecord>;
    reading: orphans_due(issuer: &Issuer, now: i64, limit: u32) -> Vec<Orphan>;
    settling: swept(now: i64, before: i64) -> ();
    keys: resealed(after: Option<&SealedRow>, limit: u32) -> ResealedBatch;
}
