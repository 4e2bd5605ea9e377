//! The stores that a host can run on, met in one type.

use tower_warden::{MapId, OwnerId, Site};
use uma_client::{Issuer, PatState, ResourceId, StoredPat};

use super::{
    AmRecord, Changes, ConnectionRecord, Intended, MapRecord, NewShare, Orphan, PendingConnect,
    Registered, SqliteStore, Store,
};
use crate::{Error, ErrorKind, SealingKey};

/// Any of the stores. Clones share it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AnyStore {
    /// An embedded SQLite database, for a host on one node.
    Sqlite(SqliteStore),
}

impl AnyStore {
    /// Opens the store at a URL, brings its schema up to date, and checks that `key` is the one it is sealed with.
    ///
    /// `sqlite://FILE` makes the file, for its owner alone, if there is none; `sqlite::memory:` lives as long as the store.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a URL that is none of these, [`ErrorKind::Store`] if the store can't be opened,
    /// [`ErrorKind::StoreTooNew`] if a later version of this crate has written it, [`ErrorKind::Sealed`] for a wrong key.
    pub async fn open(url: &str, key: SealingKey) -> Result<Self, Error> {
        if url.starts_with("sqlite:") {
            return SqliteStore::open(url, key).await.map(Self::Sqlite);
        }
        Err(Error::new(
            ErrorKind::Config,
            "the database is given as `sqlite://FILE` or `sqlite::memory:`",
        ))
    }
}

impl From<SqliteStore> for AnyStore {
    fn from(store: SqliteStore) -> Self {
        Self::Sqlite(store)
    }
}

macro_rules! hand_on {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        impl Store for AnyStore {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$out, Error> {
                match self {
                    Self::Sqlite(store) => store.$name($($arg),*).await,
                }
            })*
        }
    };
}

hand_on! {
    am(issuer: &Issuer) -> Option<AmRecord>;
    am_registered(am: &AmRecord, replaces: Option<&str>, now: i64) -> AmRecord;
    connect_begun(pending: &PendingConnect, now: i64) -> ();
    connect_answered(state_hash: &str) -> Option<PendingConnect>;
    connected(owner: &OwnerId, issuer: &Issuer, pat: &StoredPat, now: i64) -> bool;
    connection(owner: &OwnerId) -> Option<ConnectionRecord>;
    pat(owner: &OwnerId, issuer: &Issuer) -> (PatState, i64);
    pat_renewed(owner: &OwnerId, issuer: &Issuer, consent: i64, pat: &StoredPat) -> bool;
    consent_ended(owner: &OwnerId, issuer: &Issuer, consent: i64) -> bool;
    share_intended(share: &NewShare, now: i64) -> Intended;
    share_registered(map: &MapRecord, registered: &Registered, now: i64) -> Option<MapRecord>;
    share_half_registered(map: &MapRecord, id: &ResourceId, now: i64) -> ();
    share_failed(map: &MapRecord, problem: &str, next_try: i64) -> ();
    share_suspected(map: MapId, resource_id: &ResourceId, now: i64) -> bool;
    share_lost(map: &MapRecord, now: i64) -> bool;
    share_stopped(owner: &OwnerId, site: &Site, path_key: &str, now: i64) -> Option<MapRecord>;
    registration_gone(map: &MapRecord, now: i64) -> ();
    orphan_gone(orphan: i64) -> ();
    orphan_failed(orphan: i64, next_try: i64) -> ();
    changes_since(epoch: i64) -> Changes;
    map_at(site: &Site, path_key: &str) -> Option<MapRecord>;
    maps_of(owner: &OwnerId) -> Vec<MapRecord>;
    ams_due(now: i64) -> Vec<Issuer>;
    maps_due(issuer: &Issuer, now: i64, limit: u32) -> Vec<MapRecord>;
    orphans_due(issuer: &Issuer, now: i64, limit: u32) -> Vec<Orphan>;
    swept(now: i64, tombstones_before: i64) -> ();
}
