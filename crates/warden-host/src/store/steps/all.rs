//! The steps of [`Store`], written once for all SQL databases.
//!
//! Each of the stores takes this file in as a module of its own, so that every step is compiled for its database, with the
//! database's own types, from one text of SQL that all of them understand. What differs is in the module that takes it in:
//! the types `Backend` and `Db`, how a transaction begins, `locked!`, and the limits of time and of attempts.

mod accesses;
mod ams;
mod attend;
mod connections;
#[cfg(test)]
mod damage;
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

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::{Database, Transaction};
use tower_warden::{MapId, OwnerId, Purge, Site};
use uma_client::{ClientCredentials, Issuer, PatState, ResourceId, Secret, StoredPat};

use super::{Backend, Db, locked, texts_in};
use crate::Error;
use crate::seal::Place;
use crate::store::storable::Storable as _;
use crate::store::{
    AccessRecord, AccessesPage, AccessesQuery, AmRecord, Arrived, Attention, Changes,
    ConnectionRecord, Consent, Holding, Intended, LeftoverRecord, Listener, MapRecord, MapsAt,
    MapsPage, MapsQuery, MoveBegun, MoveRecord, Moving, NewShare, NodeId, NodeRecord, OrStore,
    Orphan, PendingConnect, Registered, ResealedBatch, SealedRow, Severed, Store,
};

pub(super) use keys::check_keys;

/// A transaction that writes.
struct Write<'s> {
    store: &'s Backend,
    tx: Transaction<'static, Db>,
    /// What it has raised the epoch to.
    epoch: Option<i64>,
}

impl Backend {
    /// Begins a transaction that may write anything. Of these there is one at a time, whoever else uses the database: what
    /// it reads stays true until it is committed, and epochs are given in the order of commits.
    async fn write(&self) -> Result<Write<'_>, Error> {
        Ok(Write {
            store: self,
            tx: self.begin_write().await?,
            epoch: None,
        })
    }

    /// Begins a transaction beside that one, for what needs no order: statements that are right whatever goes on around
    /// them, or that lock the row that they are about. It reads nothing that enforcement goes by, and raises no epoch.
    async fn write_apart(&self) -> Result<Write<'_>, Error> {
        Ok(Write {
            store: self,
            tx: self.begin_apart().await?,
            epoch: None,
        })
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

impl Write<'_> {
    /// Raises the epoch, once in a transaction, and gives the new one.
    async fn raise_epoch(&mut self) -> Result<i64, Error> {
        if let Some(epoch) = self.epoch {
            return Ok(epoch);
        }
        let epoch = sqlx::query_scalar(
            "UPDATE warden_epoch SET value = value + 1 WHERE id = 1 RETURNING value",
        )
        .fetch_one(&mut *self.tx)
        .await
        .or_store()?;
        self.epoch = Some(epoch);
        Ok(epoch)
    }

    async fn commit(self) -> Result<(), Error> {
        self.tx.commit().await.or_store()?;
        if let Some(epoch) = self.epoch {
            self.store.committed(epoch);
        }
        Ok(())
    }
}

impl Deref for Write<'_> {
    type Target = <Db as Database>::Connection;

    fn deref(&self) -> &Self::Target {
        &self.tx
    }
}

impl DerefMut for Write<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.tx
    }
}

macro_rules! steps {
    ($($module:ident: $name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        impl Store for Backend {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$out, Error> {
                $($arg.storable()?;)*
                let mut attempts = 1;
                loop {
                    let done = self.in_time($module::$name(self, $($arg),*)).await;
                    match done {
                        Err(error) if self.try_again(&error, attempts).await => attempts += 1,
                        done => return done,
                    }
                }
            })*

            async fn listen(&self) -> Result<Option<Listener>, Error> {
                self.begin_to_listen().await
            }

            async fn said(&self, word: &str) -> Result<(), Error> {
                word.storable()?;
                self.in_time(self.say(word)).await
            }

            /// Takes as long as it takes: it is the one that reads all there is.
            async fn changes_since(&self, epoch: i64) -> Result<Changes, Error> {
                reading::changes_since(self, epoch).await
            }
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
    settling: share_half_registered(map: &MapRecord, id: &ResourceId, revision: Option<&str>, now: i64) -> ();
    settling: share_failed(map: &MapRecord, problem: &str, next_try: i64) -> ();
    settling: share_suspected(map: MapId, resource_id: &ResourceId, now: i64) -> bool;
    settling: share_lost(map: &MapRecord, now: i64) -> bool;
    settling: share_recreated(map: &MapRecord, now: i64) -> bool;
    settling: registration_gone(map: &MapRecord, now: i64) -> ();
    settling: orphan_gone(orphan: i64) -> ();
    settling: orphan_failed(orphan: i64, next_try: i64) -> ();
    reading: epoch() -> i64;
    reading: maps_at(site: &Site, path_keys: &[String]) -> MapsAt;
    nodes: purged(purge: &Purge, now: i64) -> i64;
    nodes: node_renewed(node: &NodeId, applied: i64, lease: Duration) -> Option<i64>;
    nodes: node_left(node: &NodeId) -> ();
    nodes: nodes_behind(epoch: i64) -> Vec<NodeRecord>;
    nodes: work_claimed(works: &[String], holder: &str, lease: Duration) -> Vec<bool>;
    nodes: work_released(works: &[String], holder: &str) -> ();
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
    accesses: accesses_kept(accesses: &[AccessRecord], most: u32, before: i64) -> ();
    accesses: accesses_page(owner: &OwnerId, query: &AccessesQuery) -> AccessesPage;
}
