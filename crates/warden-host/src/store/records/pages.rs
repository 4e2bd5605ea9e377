//! A page of what an owner shares.

use uma_client::Issuer;

use super::MapRecord;
use crate::Standing;

/// Which of an owner's rows are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapsQuery {
    /// Text in lower case that name or path must hold; empty is any.
    pub search: String,
    /// How they stand.
    pub standing: Option<Standing>,
    /// The AM they are at.
    pub issuer: Option<Issuer>,
    /// How many to leave out at the beginning.
    pub offset: u64,
    /// How many to give at most.
    pub limit: u32,
}

/// A page of rows, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapsPage {
    /// The rows of this page.
    pub maps: Vec<MapRecord>,
    /// How many fit the query.
    pub matching: u64,
    /// How many the owner has.
    pub all: u64,
    /// The AMs that the owner's rows are at.
    pub issuers: Vec<Issuer>,
}
