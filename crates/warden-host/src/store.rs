//! Where a host keeps what it must not forget.
//!
//! A [`Store`] is not a set of tables: its methods are the steps of the host's sagas, each of them one transaction. Every
//! store keeps the same contract, and one suite tests it for all.

mod any;
pub(crate) mod attention;
mod enforced;
mod listener;
mod node;
#[cfg(feature = "postgres")]
mod postgres;
mod records;
mod rows;
mod sqlite;
mod storable;
#[cfg(test)]
pub(crate) mod suite;

use std::time::Duration;

use tower_warden::{MapId, OwnerId, Purge, Site};
use uma_client::{ClientCredentials, Issuer, PatState, ResourceId, StoredPat};

pub use any::AnyStore;
pub use listener::{Heard, Listener};
pub use node::{NodeId, NodeRecord};
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(all(test, feature = "postgres"))]
pub(crate) use postgres::bring_up_to_date as postgres_schema;
pub use records::{
    AccessRecord, AccessesPage, AccessesQuery, AmRecord, Arrived, Attention, Changes,
    ConnectionRecord, Consent, EnforcedRecord, Holding, Intended, LeftoverRecord, MapRecord,
    MapsAt, MapsPage, MapsQuery, MoveBegun, MoveRecord, Moving, NewShare, Orphan, PendingConnect,
    Registered, ResealedBatch, RowState, SealedRow, Severed,
};
pub use sqlite::SqliteStore;
pub(crate) use storable::path_fits;

use crate::{Error, ErrorKind};

/// Makes an error of the database one of the host.
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

/// What a host keeps, and how it changes.
///
/// # Contract
///
/// * Each method is one transaction: it happens whole, or not at all and with an error, and what it says has happened is
///   durable. Nothing of a transaction that was cut off is seen afterwards.
/// * Whatever enforcement reads (site, path, subtree, owner, AM, resource id, scopes, state of a map, whether it is
///   withheld; the client of an AM; purges) raises the epoch in the same transaction, and nothing else does.
///   Epochs are given in the order of commits, without gaps, and each changed map carries the epoch of its last change.
/// * Work at an AM is due only where the host may act for the owner there.
/// * The revision of a registration goes where its id goes: with it into a tombstone, an orphan, a move, and away with it.
///   It is nothing to enforcement.
/// * Text is compared byte for byte. Text with a NUL is refused, and so is text that is too long for any of the stores: 2048
///   bytes for the key of a path that is shared and for an issuer, 256 for an owner and a site, 64 KiB for all else.
/// * An error of the kind [`ErrorKind::Store`] leaves open whether the step was done, where a store is not in this process.
///   All steps can be done once more.
/// * Secrets are sealed, each bound to table, row, owner, issuer and column. What can't be unsealed is an error, never an
///   absence; it spoils no other row.
/// * A row that can't be understood is given back as [`MapRecord::broken`], beside the others.
/// * `now` and all times are seconds since the epoch, by the caller's clock. Leases alone go by the store's own clock, since
///   those of nodes differ.
pub trait Store: Send + Sync + 'static {
    /// The AM with this issuer, with the host's client there.
    fn am(&self, issuer: &Issuer) -> impl Future<Output = Result<Option<AmRecord>, Error>> + Send;

    /// Keeps the host's client at an AM. Where one is kept already it stays, and is given back, unless its client id is
    /// `replaces`: so of two who register at once, one learns that the other was first. A client that takes another's place
    /// is told to the nodes as a [`Purge::Am`].
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

    /// The owner consented: keeps what was consented to and makes the AM the owner's. `false`, and nothing changed, while
    /// the owner shares through another AM. `since` of a connection that works stays. What was withheld is given free, what
    /// waited is due; a move to another AM is given up, unless it is from this one.
    fn connected(
        &self,
        owner: &OwnerId,
        issuer: &Issuer,
        consent: &Consent,
        now: i64,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// The owner's connection to the AM that is the owner's now. One that the owner ended is none when nothing is shared
    /// through it any more.
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

    /// What is kept of the consent can't be unsealed: as [`Store::consent_ended`]. `false`, and nothing changed, if it can.
    fn consent_unreadable(
        &self,
        owner: &OwnerId,
        issuer: &Issuer,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// The client that the owner made for this host at the AM, if that is how the owner is connected.
    fn owner_client(
        &self,
        owner: &OwnerId,
        issuer: &Issuer,
    ) -> impl Future<Output = Result<Option<ClientCredentials>, Error>> + Send;

    /// Connections that are to be looked at, since their refresh token wants to be kept alive or their owner to be told
    /// that they end. At most `limit`, the longest waiting first.
    fn attention_due(
        &self,
        now: i64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Attention>, Error>> + Send;

    /// A connection was looked at: when to do so again, and whether its owner knows that it ends. `false`, and nothing
    /// changed, if it was renewed since.
    fn attended(
        &self,
        attention: &Attention,
        next: Option<i64>,
        warned: bool,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// The owner disconnects from the AM that is the owner's: secrets are wiped, what is shared there is withheld, a move is
    /// given up, begun authorizations are dropped. `None`, and nothing changed, if the owner is not connected there.
    fn disconnected(
        &self,
        owner: &OwnerId,
        issuer: &Issuer,
        now: i64,
    ) -> impl Future<Output = Result<Option<Severed>, Error>> + Send;

    /// Forgets a connection to an AM that is not the owner's, once nothing of the owner is left there. `None`, and nothing
    /// changed, while something is.
    fn connection_spent(
        &self,
        owner: &OwnerId,
        issuer: &Issuer,
    ) -> impl Future<Output = Result<Option<Severed>, Error>> + Send;

    /// What of an owner is still to be deleted at AMs.
    fn leftovers(
        &self,
        owner: &OwnerId,
    ) -> impl Future<Output = Result<Vec<LeftoverRecord>, Error>> + Send;

    /// The owner consented at another AM, to move there. Until [`Store::moved`] the AM that is the owner's now decides.
    fn move_begun(
        &self,
        owner: &OwnerId,
        to: &Issuer,
        consent: &Consent,
        now: i64,
    ) -> impl Future<Output = Result<MoveBegun, Error>> + Send;

    /// The owner's move.
    fn move_of(
        &self,
        owner: &OwnerId,
    ) -> impl Future<Output = Result<Option<MoveRecord>, Error>> + Send;

    /// The owners whose move is to be gone on with. At most `limit`, the longest waiting first.
    fn moves_due(
        &self,
        now: i64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<OwnerId>, Error>> + Send;

    /// What of a move is to be registered, or told, at the new AM next; at most `limit`. Each has a marker by which its
    /// registration is known again, from this commit on.
    fn move_next(
        &self,
        owner: &OwnerId,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Moving>, Error>> + Send;

    /// The new AM has these. What nobody waits for any more becomes an [`Orphan`] there.
    fn move_arrived(
        &self,
        owner: &OwnerId,
        to: &Issuer,
        arrived: &[Arrived],
        now: i64,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// An attempt failed: remembers the problem in words for the owner, and when to try again.
    fn move_failed(
        &self,
        owner: &OwnerId,
        problem: &str,
        next_try: i64,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// The switch: all that the owner shares is at the new AM, with a new generation; what the old AM has becomes
    /// [`Orphan`]s. Gives how many moved; `None`, and nothing changed, while something is not registered there as it is now.
    fn moved(
        &self,
        owner: &OwnerId,
        now: i64,
    ) -> impl Future<Output = Result<Option<u64>, Error>> + Send;

    /// The owner stays after all: what the new AM has becomes [`Orphan`]s. Says whether there was a move.
    fn move_cancelled(
        &self,
        owner: &OwnerId,
        now: i64,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// An owner wants a path shared. From this commit on the path is denied until the AM has it:
    ///
    /// * no row, or a tombstone: a `pending` row. A tombstone keeps its map id, and its registration and marker if it is of
    ///   the same owner and AM; otherwise that registration becomes an [`Orphan`]. Where the AM has nothing of it any more,
    ///   the row takes the new marker: what was granted under the old one is not granted again.
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

    /// [`Store::share_intended`] for several paths, in one transaction.
    fn shares_intended(
        &self,
        shares: &[NewShare],
        now: i64,
    ) -> impl Future<Output = Result<Vec<Intended>, Error>> + Send;

    /// The AM has the resource as `map` says: `pending`, `suspect` or `active` becomes `active`. `None` if the owner did
    /// something since `map` was read; the registration is then kept for the map, or becomes an [`Orphan`].
    fn share_registered(
        &self,
        map: &MapRecord,
        registered: &Registered,
        now: i64,
    ) -> impl Future<Output = Result<Option<MapRecord>, Error>> + Send;

    /// [`Store::share_registered`] for several maps, in one transaction.
    fn shares_registered(
        &self,
        shares: &[(MapRecord, Registered)],
        now: i64,
    ) -> impl Future<Output = Result<Vec<Option<MapRecord>>, Error>> + Send;

    /// The AM has the resource, but something is left to do: remembers id and revision, leaves the state. Does nothing if
    /// the map has moved on, but that the registration is then kept for it, or becomes an [`Orphan`].
    fn share_half_registered(
        &self,
        map: &MapRecord,
        id: &ResourceId,
        revision: Option<&str>,
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

    /// What is lost is to be registered anew, by the host's policy: `lost` becomes `pending`, if the owner did nothing
    /// since.
    fn share_recreated(
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

    /// The owner stops sharing these paths, or all: as [`Store::share_stopped`], in one transaction.
    fn shares_stopped(
        &self,
        owner: &OwnerId,
        paths: Option<&[(Site, String)]>,
        now: i64,
    ) -> impl Future<Output = Result<Vec<MapRecord>, Error>> + Send;

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

    /// The epoch.
    fn epoch(&self) -> impl Future<Output = Result<i64, Error>> + Send;

    /// What enforcement has to know that changed after an epoch, as of one moment. From epoch 0, all maps but tombstones, and
    /// no purges. What changed so long ago that some of it was swept is not given: [`Changes::forgotten`].
    fn changes_since(&self, epoch: i64) -> impl Future<Output = Result<Changes, Error>> + Send;

    /// What enforcement has to know of these paths of a site, as of one moment; those without a map, and tombstones, are
    /// left out.
    fn maps_at(
        &self,
        site: &Site,
        path_keys: &[String],
    ) -> impl Future<Output = Result<MapsAt, Error>> + Send;

    /// What nodes keep of an AM's answers is to count no more. Raises the epoch, which is given; [`Store::changes_since`]
    /// tells it to each node, for a day at least.
    fn purged(&self, purge: &Purge, now: i64) -> impl Future<Output = Result<i64, Error>> + Send;

    /// A node lives, until `lease` from now by the store's clock, and has applied everything up to an epoch. Gives the epoch
    /// that stood there before; `None` if the node was not known. One that is lower than what the node has written says
    /// that the store has lost transactions.
    fn node_renewed(
        &self,
        node: &NodeId,
        applied: i64,
        lease: Duration,
    ) -> impl Future<Output = Result<Option<i64>, Error>> + Send;

    /// A node serves nothing any more: nobody waits for it.
    fn node_left(&self, node: &NodeId) -> impl Future<Output = Result<(), Error>> + Send;

    /// The nodes that live and have not applied everything up to an epoch; with [`i64::MAX`] all that live. In order.
    fn nodes_behind(
        &self,
        epoch: i64,
    ) -> impl Future<Output = Result<Vec<NodeRecord>, Error>> + Send;

    /// Claims pieces of work that are to be done once, until `lease` from now by the store's clock; says of each whether it
    /// is the holder's now. It is not while another holder has it; the same holder prolongs.
    fn work_claimed(
        &self,
        works: &[String],
        holder: &str,
        lease: Duration,
    ) -> impl Future<Output = Result<Vec<bool>, Error>> + Send;

    /// Gives work back, as far as it is this holder's.
    fn work_released(
        &self,
        works: &[String],
        holder: &str,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Begins to hear of changes as they are committed by any process. `None` if the store can't tell. What was committed
    /// before this returns may not be heard.
    fn listen(&self) -> impl Future<Output = Result<Option<Listener>, Error>> + Send;

    /// Says a word that every [`Listener`] hears, by the way that changes are told: so a node finds out whether it hears.
    fn said(&self, word: &str) -> impl Future<Output = Result<(), Error>> + Send;

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

    /// A page of the rows of an owner, without tombstones.
    fn maps_page(
        &self,
        owner: &OwnerId,
        query: &MapsQuery,
    ) -> impl Future<Output = Result<MapsPage, Error>> + Send;

    /// All that may be at an AM, of one owner or of all.
    fn holdings(
        &self,
        issuer: &Issuer,
        owner: Option<&OwnerId>,
    ) -> impl Future<Output = Result<Vec<Holding>, Error>> + Send;

    /// Owners whose connection works and who have an active share, in order, from behind `after` on.
    fn sharing_owners(
        &self,
        after: &str,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<OwnerId>, Error>> + Send;

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

    /// Forgets what nobody needs: authorizations that expired before `now`, purges, and tombstones that have had nothing at
    /// the AM, from before `before`; leases that ended a day ago.
    fn swept(&self, now: i64, before: i64) -> impl Future<Output = Result<(), Error>> + Send;

    /// Seals anew, with the current key, what older keys have sealed: at most `limit` connections in one transaction, and
    /// with the first of them all else. Keys that nothing is sealed with any more are forgotten at the end.
    fn resealed(
        &self,
        after: Option<&SealedRow>,
        limit: u32,
    ) -> impl Future<Output = Result<ResealedBatch, Error>> + Send;

    /// Keeps accesses, counting those that are alike within an hour as one, and forgets what is older than `before`,
    /// whoever's it is. Of each owner who has new ones, the latest `most` that were let in stay, and the latest `most` that
    /// were not, so that no flood of refusals pushes out the others. Enforcement sees no difference.
    fn accesses_kept(
        &self,
        accesses: &[AccessRecord],
        most: u32,
        before: i64,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// A page of the accesses to what an owner shares, the latest first.
    fn accesses_page(
        &self,
        owner: &OwnerId,
        query: &AccessesQuery,
    ) -> impl Future<Output = Result<AccessesPage, Error>> + Send;
}
