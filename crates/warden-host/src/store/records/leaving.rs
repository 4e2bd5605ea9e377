//! What becomes of connections: tended, ended, moved.

use tower_warden::{MapId, OwnerId};
use uma_client::{ClientCredentials, Issuer, ResourceId, StoredPat};

use super::{MapRecord, Registered};

/// A connection that is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attention {
    /// Whose it is.
    pub owner: OwnerId,
    /// The AM.
    pub issuer: Issuer,
    /// The consent that it goes back to.
    pub consent: i64,
    /// When what is held was issued.
    pub issued: i64,
    /// When what is held ends.
    pub ends: i64,
    /// Whether renewing it moves its end.
    pub prolongs: bool,
    /// Whether the owner was told that it ends.
    pub warned: bool,
}

/// What an owner connects by.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Consent {
    /// A PAT that the owner consented to.
    Pat(StoredPat),
    /// The host's own client: nothing is kept for the owner.
    Host,
    /// A client that the owner made for this host.
    Client(ClientCredentials),
}

/// A connection that was ended here.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Severed {
    /// What was held, to be given back to the AM; it is in no store any more.
    pub pat: Option<StoredPat>,
    /// How many resources are denied since.
    pub withheld: u64,
}

/// What became of the wish to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MoveBegun {
    /// It has begun.
    Begun,
    /// The owner is there already.
    AlreadyThere,
    /// The owner is on the way to another AM.
    UnderWay,
    /// The owner has no AM to move from.
    NotConnected,
}

/// An owner's move.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MoveRecord {
    /// Who moves.
    pub owner: OwnerId,
    /// The AM that decides until the switch.
    pub from: Issuer,
    /// The AM that decides afterwards.
    pub to: Issuer,
    /// Since when.
    pub begun: i64,
    /// What is wrong, in words for the owner.
    pub problem: Option<String>,
    /// Failed attempts since the last success.
    pub attempts: i64,
    /// How many resources are registered at the new AM as they are now.
    pub done: u64,
    /// How many there are.
    pub total: u64,
}

/// A resource on its way to another AM.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moving {
    /// The map as it is now, at the AM that decides.
    pub map: MapRecord,
    /// The marker of the registration at the new AM.
    pub marker: String,
    /// Its id there, if it is known.
    pub resource_id: Option<ResourceId>,
    /// The revision that went with the id.
    pub revision: Option<String>,
    /// Whether the new AM certainly has no registration of it.
    pub fresh: bool,
}

/// A registration at the new AM.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrived {
    /// The map.
    pub map: MapId,
    /// The generation that was registered.
    pub generation: i64,
    /// The marker it was registered under.
    pub marker: String,
    /// What the AM said.
    pub registered: Registered,
}

/// Registrations of an owner that are still to be deleted at an AM.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftoverRecord {
    /// The AM.
    pub issuer: Issuer,
    /// How many there are.
    pub count: u64,
    /// Whether the host may no longer act for the owner there.
    pub stuck: bool,
}
