//! The stores that a host can run on, met in one type.

use std::time::Duration;

use tower_warden::{MapId, OwnerId, Purge, Site};
use uma_client::{ClientCredentials, Issuer, PatState, ResourceId, StoredPat};

#[cfg(feature = "postgres")]
use super::PostgresStore;
use super::{
    AccessRecord, AccessesPage, AccessesQuery, AmRecord, Arrived, Attention, Changes,
    ConnectionRecord, Consent, Holding, Intended, LeftoverRecord, Listener, MapRecord, MapsAt,
    MapsPage, MapsQuery, MoveBegun, MoveRecord, Moving, NewShare, NodeId, NodeRecord, Orphan,
    PendingConnect, Registered, ResealedBatch, SealedRow, Severed, SqliteStore, Store,
};
use crate::{Error, ErrorKind, KeyRing};

/// Any of the stores. Clones share it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AnyStore {
    /// An embedded SQLite database, for a host on one node.
    Sqlite(SqliteStore),
    /// A Postgres database, for a host on any number of nodes.
    #[cfg(feature = "postgres")]
    Postgres(PostgresStore),
}

impl AnyStore {
    /// Opens the store at a URL, brings its schema up to date, and checks that `keys` hold those it is sealed with.
    ///
    /// `sqlite://FILE` makes the file, for its owner alone, if there is none; `sqlite::memory:` lives as long as the store.
    /// `postgres://…`, with the feature `postgres`, is a database that is there: see `PostgresStore::open`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a URL that is none of these, [`ErrorKind::Store`] if the store can't be opened,
    /// [`ErrorKind::StoreTooNew`] if a later version of this crate has written it, [`ErrorKind::Sealed`] for a wrong
    /// or missing key.
    pub async fn open(url: &str, keys: impl Into<KeyRing>) -> Result<Self, Error> {
        if url.starts_with("sqlite:") {
            return SqliteStore::open(url, keys).await.map(Self::Sqlite);
        }
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            #[cfg(feature = "postgres")]
            return PostgresStore::open(url, keys).await.map(Self::Postgres);
            #[cfg(not(feature = "postgres"))]
            return Err(Error::new(
                ErrorKind::Config,
                "this program is built without Postgres: the feature `postgres` of warden-host",
            ));
        }
        Err(Error::new(
            ErrorKind::Config,
            "the database is given as `sqlite://FILE`, `sqlite::memory:` or `postgres://…`",
        ))
    }
}

impl AnyStore {
    /// Waits for what is under way, and closes the store. Every later call is an error.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.close().await,
        }
    }
}

impl From<SqliteStore> for AnyStore {
    fn from(store: SqliteStore) -> Self {
        Self::Sqlite(store)
    }
}

#[cfg(feature = "postgres")]
impl From<PostgresStore> for AnyStore {
    fn from(store: PostgresStore) -> Self {
        Self::Postgres(store)
    }
}

#[cfg(test)]
impl AnyStore {
    /// Makes a row one that can't be understood.
    pub(crate) async fn damage_map(&self, path: &str) {
        match self {
            Self::Sqlite(store) => store.damage_map(path).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.damage_map(path).await,
        }
    }

    /// Sets the clock that leases go by on, as this store sees it.
    pub(crate) fn advance(&self, by: Duration) {
        match self {
            Self::Sqlite(store) => store.advance(by),
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.advance(by),
        }
    }

    /// Sets the store back to an epoch, as a restored backup would: what was shared later is gone, and forgotten is what
    /// nodes have said since.
    pub(crate) async fn set_back(&self, epoch: i64) {
        match self {
            Self::Sqlite(store) => store.set_back(epoch).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.set_back(epoch).await,
        }
    }

    /// Cuts an owner's PAT off.
    pub(crate) async fn damage_pat(&self, owner: &str) {
        match self {
            Self::Sqlite(store) => store.damage_pat(owner).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.damage_pat(owner).await,
        }
    }
}

macro_rules! hand_on {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        impl Store for AnyStore {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$out, Error> {
                #[cfg(test)]
                crate::testing::crash_point().await;
                let done = match self {
                    Self::Sqlite(store) => store.$name($($arg),*).await,
                    #[cfg(feature = "postgres")]
                    Self::Postgres(store) => store.$name($($arg),*).await,
                };
                #[cfg(test)]
                crate::testing::crash_point().await;
                done
            })*
        }
    };
}

hand_on! {
    am(issuer: &Issuer) -> Option<AmRecord>;
    am_registered(am: &AmRecord, replaces: Option<&str>, now: i64) -> AmRecord;
    connect_begun(pending: &PendingConnect, now: i64) -> ();
    connect_answered(state_hash: &str) -> Option<PendingConnect>;
    connected(owner: &OwnerId, issuer: &Issuer, consent: &Consent, now: i64) -> bool;
    connection(owner: &OwnerId) -> Option<ConnectionRecord>;
    pat(owner: &OwnerId, issuer: &Issuer) -> (PatState, i64);
    pat_renewed(owner: &OwnerId, issuer: &Issuer, consent: i64, pat: &StoredPat) -> bool;
    consent_ended(owner: &OwnerId, issuer: &Issuer, consent: i64) -> bool;
    consent_unreadable(owner: &OwnerId, issuer: &Issuer) -> bool;
    owner_client(owner: &OwnerId, issuer: &Issuer) -> Option<ClientCredentials>;
    attention_due(now: i64, limit: u32) -> Vec<Attention>;
    attended(attention: &Attention, next: Option<i64>, warned: bool) -> bool;
    disconnected(owner: &OwnerId, issuer: &Issuer, now: i64) -> Option<Severed>;
    connection_spent(owner: &OwnerId, issuer: &Issuer) -> Option<Severed>;
    leftovers(owner: &OwnerId) -> Vec<LeftoverRecord>;
    move_begun(owner: &OwnerId, to: &Issuer, consent: &Consent, now: i64) -> MoveBegun;
    move_of(owner: &OwnerId) -> Option<MoveRecord>;
    moves_due(now: i64, limit: u32) -> Vec<OwnerId>;
    move_next(owner: &OwnerId, limit: u32) -> Vec<Moving>;
    move_arrived(owner: &OwnerId, to: &Issuer, arrived: &[Arrived], now: i64) -> ();
    move_failed(owner: &OwnerId, problem: &str, next_try: i64) -> ();
    moved(owner: &OwnerId, now: i64) -> Option<u64>;
    move_cancelled(owner: &OwnerId, now: i64) -> bool;
    share_intended(share: &NewShare, now: i64) -> Intended;
    shares_intended(shares: &[NewShare], now: i64) -> Vec<Intended>;
    share_stopped(owner: &OwnerId, site: &Site, path_key: &str, now: i64) -> Option<MapRecord>;
    shares_stopped(owner: &OwnerId, paths: Option<&[(Site, String)]>, now: i64) -> Vec<MapRecord>;
    share_registered(map: &MapRecord, registered: &Registered, now: i64) -> Option<MapRecord>;
    shares_registered(shares: &[(MapRecord, Registered)], now: i64) -> Vec<Option<MapRecord>>;
    share_half_registered(map: &MapRecord, id: &ResourceId, revision: Option<&str>, now: i64) -> ();
    share_failed(map: &MapRecord, problem: &str, next_try: i64) -> ();
    share_suspected(map: MapId, resource_id: &ResourceId, now: i64) -> bool;
    share_lost(map: &MapRecord, now: i64) -> bool;
    share_recreated(map: &MapRecord, now: i64) -> bool;
    registration_gone(map: &MapRecord, now: i64) -> ();
    orphan_gone(orphan: i64) -> ();
    orphan_failed(orphan: i64, next_try: i64) -> ();
    epoch() -> i64;
    changes_since(epoch: i64) -> Changes;
    maps_at(site: &Site, path_keys: &[String]) -> MapsAt;
    purged(purge: &Purge, now: i64) -> i64;
    node_renewed(node: &NodeId, applied: i64, lease: Duration) -> Option<i64>;
    node_left(node: &NodeId) -> ();
    nodes_behind(epoch: i64) -> Vec<NodeRecord>;
    work_claimed(works: &[String], holder: &str, lease: Duration) -> Vec<bool>;
    work_released(works: &[String], holder: &str) -> ();
    listen() -> Option<Listener>;
    said(word: &str) -> ();
    map_at(site: &Site, path_key: &str) -> Option<MapRecord>;
    maps_of(owner: &OwnerId) -> Vec<MapRecord>;
    maps_page(owner: &OwnerId, query: &MapsQuery) -> MapsPage;
    holdings(issuer: &Issuer, owner: Option<&OwnerId>) -> Vec<Holding>;
    sharing_owners(after: &str, limit: u32) -> Vec<OwnerId>;
    ams_due(now: i64) -> Vec<Issuer>;
    maps_due(issuer: &Issuer, now: i64, limit: u32) -> Vec<MapRecord>;
    orphans_due(issuer: &Issuer, now: i64, limit: u32) -> Vec<Orphan>;
    swept(now: i64, before: i64) -> ();
    resealed(after: Option<&SealedRow>, limit: u32) -> ResealedBatch;
    accesses_kept(accesses: &[AccessRecord], most: u32, before: i64) -> ();
    accesses_page(owner: &OwnerId, query: &AccessesQuery) -> AccessesPage;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::suite::{alice, connected_owners, intend, share_of};

    #[tokio::test]
    async fn leases_end_by_the_stores_clock_and_a_store_can_be_set_back() {
        let store = crate::testing::new_store().await;
        connected_owners(&store, &[alice()]).await;
        intend(&store, &share_of(&alice(), "/a")).await;
        let (node, lease) = (NodeId::random(), Duration::from_secs(15));
        store.node_renewed(&node, 1, lease).await.unwrap();
        assert_eq!(store.nodes_behind(i64::MAX).await.unwrap().len(), 1);
        store.set_back(0).await;
        let before = store.node_renewed(&node, 0, lease).await.unwrap();
        assert_eq!((before, store.epoch().await.unwrap()), (Some(0), 0));
        assert!(store.maps_of(&alice()).await.unwrap().is_empty());
        store.advance(lease);
        assert!(store.nodes_behind(i64::MAX).await.unwrap().is_empty());
    }
}
