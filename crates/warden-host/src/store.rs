//! Where a host keeps what it must not forget.
//!
//! A [`Store`] is not a set of tables: its methods are the steps of the host's sagas, each of them one transaction. Every
//! store keeps the same contract, and one suite tests it for all.

mod any;
mod records;
mod sqlite;
#[cfg(test)]
pub(crate) mod suite;

use tower_warden::{MapId, OwnerId, Site};
use uma_client::{Issuer, PatState, ResourceId, StoredPat};

pub use any::AnyStore;
pub use records::{
    AmRecord, Changes, ConnectionRecord, Intended, MapRecord, NewShare, Orphan, PendingConnect,
    Registered, RowState,
};
pub use sqlite::SqliteStore;

use crate::Error;

/// What a host keeps, and how it changes.
///
/// # Contract
///
/// * Each method is one transaction: it happens whole, or not at all and with an error, and what it says has happened is
///   durable. Nothing of a transaction that was cut off is seen afterwards.
/// * Whatever enforcement reads (site, path, subtree, owner, AM, resource id, scopes, state of a map; the client id of
///   an AM that maps name) raises the epoch by one in the same transaction, and nothing else does. Epochs are given in the
///   order of commits, without gaps, and each changed map carries the epoch of its last change.
/// * Text is compared byte for byte. Text with a NUL is refused.
/// * Secrets are sealed, each bound to table, row, owner, issuer and column. What can't be unsealed is an error, never an
///   absence; it spoils no other row.
/// * A row that can't be understood is given back as [`MapRecord::broken`], beside the others.
/// * `now` and all times are seconds since the epoch; stores have no clock of their own.
pub trait Store: Send + Sync + 'static {
    /// The AM with this issuer, with the host's client there.
    fn am(&self, issuer: &Issuer) -> impl Future<Output = Result<Option<AmRecord>, Error>> + Send;

    /// Keeps the host's client at an AM. Where one is kept already it stays, and is given back, unless its client id is
    /// `replaces`: so of two who register at once, one learns that the other was first.
    fn am_registered(
        &self,
        am: &AmRecord,
        replaces: Option<&str>,
        now: i64,
    ) -> impl Future<Output = Result<AmRecord, Error>> + Send;

    /// Keeps an authorization that an owner began. Those that have expired are dropped, and of each owner's all but the
    /// last ten.
    fn connect_begun(
        &self,
        pending: &PendingConnect,
        now: i64,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Takes an authorization out: nobody gets it a second time. Expired ones are given, too; the caller judges.
    fn connect_answered(
        &self,
        state_hash: &str,
    ) -> impl Future<Output = Result<Option<PendingConnect>, Error>> + Send;

    /// The owner consented: keeps the PAT and makes the AM the owner's. `false`, and nothing changed, while the owner
    /// shares through another AM. `since` of a connection that was there already stays.
    fn connected(
        &self,
        owner: &OwnerId,
        issuer: &Issuer,
        pat: &StoredPat,
        now: i64,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// The owner's connection to the AM that is the owner's now.
    fn connection(
        &self,
        owner: &OwnerId,
    ) -> impl Future<Output = Result<Option<ConnectionRecord>, Error>> + Send;

    /// The PAT of an owner at an AM, and the number of the consent that it goes back to.
    fn pat(
        &self,
        owner: &OwnerId,
        issuer: &Issuer,
    ) -> impl Future<Output = Result<(PatState, i64), Error>> + Send;

    /// Keeps a renewed PAT. `false`, and nothing changed, if there was a later consent.
    fn pat_renewed(
        &self,
        owner: &OwnerId,
        issuer: &Issuer,
        consent: i64,
        pat: &StoredPat,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// The AM no longer honours the consent: the tokens are wiped, the owner has to consent again. `false`, and nothing
    /// changed, if there was a later consent.
    fn consent_ended(
        &self,
        owner: &OwnerId,
        issuer: &Issuer,
        consent: i64,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// An owner wants a path shared. From this commit on the path is denied until the AM has it:
    ///
    /// * no row, or a tombstone: a `pending` row. A tombstone keeps its map id, and its registration if it is of the same
    ///   owner and AM; otherwise that registration becomes an [`Orphan`].
    /// * `lost`: `pending` again, without the registration.
    /// * another row of this owner: takes what the owner wants now. New scopes make it `pending`; a new name,
    ///   description or icon leaves it as it is, to be told to the AM.
    ///
    /// Nothing is changed if the path is somebody else's ([`Intended::Taken`]), or the AM is not the owner's
    /// ([`Intended::OtherAm`]).
    fn share_intended(
        &self,
        share: &NewShare,
        now: i64,
    ) -> impl Future<Output = Result<Intended, Error>> + Send;

    /// The AM has the resource as `map` says: `pending`, `suspect` or `active` becomes `active`. `None` if the owner did
    /// something since `map` was read; the registration is then kept for the map, or becomes an [`Orphan`].
    fn share_registered(
        &self,
        map: &MapRecord,
        registered: &Registered,
        now: i64,
    ) -> impl Future<Output = Result<Option<MapRecord>, Error>> + Send;

    /// The AM has the resource, but something is left to do: remembers the id, leaves the state. Does nothing if the map
    /// has moved on, but that the registration is then kept for it, or becomes an [`Orphan`].
    fn share_half_registered(
        &self,
        map: &MapRecord,
        id: &ResourceId,
        now: i64,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// An attempt failed: remembers the problem in words for the owner, and when to try again. Enforcement sees no
    /// difference.
    fn share_failed(
        &self,
        map: &MapRecord,
        problem: &str,
        next_try: i64,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// The AM did not know an active resource: `active` becomes `suspect`, if the map still stands for that id.
    fn share_suspected(
        &self,
        map: MapId,
        resource_id: &ResourceId,
        now: i64,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// The resource is proved gone at the AM: `suspect` becomes `lost`, if the owner did nothing since.
    fn share_lost(
        &self,
        map: &MapRecord,
        now: i64,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// The owner stops sharing: the row becomes a tombstone that keeps the AM's id. Gives the tombstone; `None` if the
    /// owner does not share that path.
    fn share_stopped(
        &self,
        owner: &OwnerId,
        site: &Site,
        path_key: &str,
        now: i64,
    ) -> impl Future<Output = Result<Option<MapRecord>, Error>> + Send;

    /// The AM has nothing more of a tombstone, if the owner did nothing since. If the owner shared again meanwhile, the
    /// row is told that the registration it held is gone.
    fn registration_gone(
        &self,
        map: &MapRecord,
        now: i64,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// The AM has nothing more of an orphan.
    fn orphan_gone(&self, orphan: i64) -> impl Future<Output = Result<(), Error>> + Send;

    /// An orphan could not be deleted: when to try again.
    fn orphan_failed(
        &self,
        orphan: i64,
        next_try: i64,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// What enforcement has to know that changed after an epoch, as of one moment. From epoch 0, all but tombstones.
    fn changes_since(&self, epoch: i64) -> impl Future<Output = Result<Changes, Error>> + Send;

    /// The row of a path, tombstones included.
    fn map_at(
        &self,
        site: &Site,
        path_key: &str,
    ) -> impl Future<Output = Result<Option<MapRecord>, Error>> + Send;

    /// The rows of an owner by path, tombstones included.
    fn maps_of(
        &self,
        owner: &OwnerId,
    ) -> impl Future<Output = Result<Vec<MapRecord>, Error>> + Send;

    /// The AMs at which work is due.
    fn ams_due(&self, now: i64) -> impl Future<Output = Result<Vec<Issuer>, Error>> + Send;

    /// Rows at an AM for which work is due, by owner: `pending`, `suspect`, not in step, or tombstones with something at
    /// the AM. At most `limit`, the longest waiting first.
    fn maps_due(
        &self,
        issuer: &Issuer,
        now: i64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<MapRecord>, Error>> + Send;

    /// Orphans at an AM that are due. At most `limit`, the longest waiting first.
    fn orphans_due(
        &self,
        issuer: &Issuer,
        now: i64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Orphan>, Error>> + Send;

    /// Forgets what nobody needs: authorizations that expired before `now`, tombstones that have had nothing at the AM
    /// and not changed since `tombstones_before`.
    fn swept(
        &self,
        now: i64,
        tombstones_before: i64,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}
