//! What goes into a store and comes out of it.

mod accesses;
mod leaving;
mod pages;

use tower_warden::{MapId, OwnerId, Purge, Site};
use uma_client::{ClientCredentials, Issuer, ResourceId, Scopes, Secret};
use url::Url;

use crate::{ConnectionState, ReturnPath};

pub use accesses::{AccessRecord, AccessesPage, AccessesQuery};
pub use leaving::{
    Arrived, Attention, Consent, LeftoverRecord, MoveBegun, MoveRecord, Moving, Severed,
};
pub use pages::{MapsPage, MapsQuery};

/// An AM and this host's client there.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AmRecord {
    /// The AM.
    pub issuer: Issuer,
    /// The protocol that it speaks, by name.
    pub dialect: String,
    /// The profile that it is spoken to with, by name.
    pub profile: String,
    /// The host's client there.
    pub client: ClientCredentials,
    /// When the client's secret ends, if ever.
    pub secret_expires: Option<i64>,
    /// The token that manages the registration (RFC 7592).
    pub registration_token: Option<Secret>,
    /// The URL at which the registration is managed.
    pub registration_uri: Option<Url>,
}

/// An authorization that an owner began.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PendingConnect {
    /// The SHA-256 of the state sent along.
    pub state_hash: String,
    /// Who began it.
    pub owner: OwnerId,
    /// The SHA-256 of the session in which it was begun.
    pub session_hash: String,
    /// The AM it was begun at.
    pub issuer: Issuer,
    /// The PKCE verifier.
    pub verifier: Secret,
    /// Where the owner goes afterwards.
    pub return_to: ReturnPath,
    /// The redirect URI sent along.
    pub redirect_uri: String,
    /// When it is too late.
    pub expires: i64,
    /// Whether the answer begins a move of all that the owner shares, rather than a connection.
    pub moves: bool,
}

/// An owner's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionRecord {
    /// The AM.
    pub issuer: Issuer,
    /// Since when.
    pub since: i64,
    /// Whether it works.
    pub state: ConnectionState,
    /// When it ends, if it is known that nothing but the owner can prolong it.
    pub ends: Option<i64>,
}

/// What an owner wants shared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewShare {
    /// The site of the path.
    pub site: Site,
    /// The key of the path.
    pub path_key: String,
    /// Whether everything below is shared, too.
    pub subtree: bool,
    /// Whose it is.
    pub owner: OwnerId,
    /// The AM that is to decide.
    pub issuer: Issuer,
    /// A new marker, for a row that has none yet.
    pub marker: String,
    /// The name that the owner gave it.
    pub name: String,
    /// The description.
    pub description: Option<String>,
    /// The URL of an icon.
    pub icon_uri: Option<String>,
    /// The scopes.
    pub scopes: Scopes,
}

/// What became of an intention to share.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Intended {
    /// The row as it is now.
    Kept {
        /// The row.
        map: Box<MapRecord>,
        /// Whether it is certain that the AM has no registration of it.
        fresh: bool,
    },
    /// The path is shared by somebody else.
    Taken,
    /// The AM is not, or no longer, the owner's; or the path is shared at another AM.
    OtherAm,
}

/// A registration at an AM.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registered {
    /// The AM's id.
    pub resource_id: ResourceId,
    /// The name it was registered under.
    pub registered_name: String,
    /// The page for the policy.
    pub policy_uri: Option<Url>,
    /// The revision that the AM gave it, at AMs that have revisions.
    pub revision: Option<String>,
}

/// Where a row stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RowState {
    /// To be registered; denied.
    Pending,
    /// Registered.
    Active,
    /// The AM did not know it; denied.
    Suspect,
    /// Proved gone at the AM; denied.
    Lost,
    /// No longer shared.
    Tombstone,
}

impl RowState {
    /// The state as it stands in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Suspect => "suspect",
            Self::Lost => "lost",
            Self::Tombstone => "tombstone",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::Active,
            Self::Suspect,
            Self::Lost,
            Self::Tombstone,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }
}

/// The row of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapRecord {
    /// The host's key.
    pub id: MapId,
    /// The site.
    pub site: Site,
    /// The key of the path.
    pub path_key: String,
    /// Whether everything below is covered, too.
    pub subtree: bool,
    /// Whose it is.
    pub owner: OwnerId,
    /// The AM.
    pub issuer: Issuer,
    /// The AM's id, if it is known.
    pub resource_id: Option<ResourceId>,
    /// What makes the registered name unique.
    pub marker: String,
    /// The name that the owner gave it.
    pub name: String,
    /// The name it is registered under.
    pub registered_name: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The URL of an icon.
    pub icon_uri: Option<String>,
    /// The scopes.
    pub scopes: Scopes,
    /// The page for the policy.
    pub policy_uri: Option<Url>,
    /// The revision of the registration with that id, as the AM last gave it. Not kept longer than the id.
    pub revision: Option<String>,
    /// The state.
    pub state: RowState,
    /// Whether the AM's description is this one.
    pub synced: bool,
    /// Whether the AM may have a registration of it whose id is not known.
    pub perhaps: bool,
    /// What is wrong, in words for the owner.
    pub problem: Option<String>,
    /// Failed attempts since the last success.
    pub attempts: i64,
    /// Counts what the owner did to it.
    pub generation: i64,
    /// The epoch of the last change that enforcement has to know.
    pub changed_epoch: i64,
    /// Since when it has been shared.
    pub created: i64,
    /// Whether it is denied, whatever its state, since the owner has disconnected from the AM.
    pub withheld: bool,
    /// Whether the row could not be understood as it stands; other fields are then stand-ins where need be. Such a row is
    /// denied and left alone.
    pub broken: bool,
}

/// A registration at an AM that no map stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Orphan {
    /// Its number.
    pub id: i64,
    /// Whose PAT it was registered with.
    pub owner: OwnerId,
    /// The AM.
    pub issuer: Issuer,
    /// The AM's id, if it is known.
    pub resource_id: Option<ResourceId>,
    /// The revision that went with the id.
    pub revision: Option<String>,
    /// The marker in its name.
    pub marker: String,
    /// Failed attempts.
    pub attempts: i64,
}

/// Something that may be at an AM, as far as the store knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holding {
    /// The map, if one stands for it; none for an orphan and for what is on its way here.
    pub map: Option<MapId>,
    /// The key of the path, with a map.
    pub path_key: String,
    /// The AM's id, if it is known.
    pub resource_id: Option<ResourceId>,
    /// The marker in its name.
    pub marker: String,
    /// Whether the map is active.
    pub active: bool,
    /// Whether it is an orphan.
    pub orphan: bool,
}

/// Where sealing anew has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SealedRow {
    pub(crate) owner: String,
    pub(crate) am_key: String,
}

/// What became of a batch that was sealed anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResealedBatch {
    /// Rows sealed with the current key now.
    pub done: u64,
    /// Rows that can't be unsealed. Of a connection, the owner has to consent again.
    pub unreadable: u64,
    /// Where to go on; `None` when all is done.
    pub next: Option<SealedRow>,
}

/// What changed for enforcement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// The epoch that these changes lead to.
    pub epoch: i64,
    /// The rows that changed.
    pub maps: Vec<EnforcedRecord>,
    /// Whose cached answers are to count no more, besides those for maps that changed.
    pub purges: Vec<Purge>,
    /// Whether some of what changed is forgotten, and so nothing of it is given: all has to be read anew, from epoch 0.
    pub forgotten: bool,
}

/// What enforcement has to know of some paths.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapsAt {
    /// The epoch as of which this is so.
    pub epoch: i64,
    /// The maps there are.
    pub maps: Vec<EnforcedRecord>,
}

/// What enforcement has to know of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnforcedRecord {
    /// The host's key.
    pub id: MapId,
    /// The site.
    pub site: Site,
    /// The key of the path.
    pub path_key: String,
    /// Whether everything below is covered, too.
    pub subtree: bool,
    /// Whose it is.
    pub owner: OwnerId,
    /// The AM.
    pub issuer: Issuer,
    /// The AM's id, if it is known.
    pub resource_id: Option<ResourceId>,
    /// The scopes.
    pub scopes: Scopes,
    /// The state.
    pub state: RowState,
    /// Whether it is denied whatever its state: withheld, or not to be understood.
    pub denied: bool,
}
