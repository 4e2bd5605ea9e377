//! Who got at, or wanted to get at, what an owner shares.

use tower_warden::{MapId, OwnerId};

use crate::am_key::fingerprint;

/// Requests of one kind, within one hour, to what an owner shares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessRecord {
    /// Whose data it is.
    pub owner: OwnerId,
    /// The map that was met.
    pub map: MapId,
    /// When the first of them came.
    pub first: i64,
    /// When the last of them came.
    pub last: i64,
    /// How many there were.
    pub times: u64,
    /// The verb.
    pub method: String,
    /// The path as it was sent.
    pub path: String,
    /// Whether they were let in.
    pub allowed: bool,
    /// The code of the reason.
    pub reason: String,
    /// The scopes that it takes, separated by blanks.
    pub scopes: String,
    /// Who asked, as the AM calls them; empty where it did not say.
    pub who: String,
    /// The application, as the AM calls it; empty where it did not say.
    pub app: String,
    /// How the resource is called now, if it is still known. Given back by stores, not kept.
    pub name: Option<String>,
}

impl AccessRecord {
    /// What is alike within an hour has the same digest.
    pub(crate) fn digest(&self) -> String {
        let (hour, map) = (
            self.last.div_euclid(3600).to_string(),
            self.map.get().to_string(),
        );
        let mut text = String::new();
        for part in [
            hour.as_str(),
            &map,
            &self.method,
            &self.path,
            if self.allowed { "1" } else { "0" },
            &self.reason,
            &self.scopes,
            &self.who,
            &self.app,
        ] {
            // The lengths keep parts apart whatever stands in them.
            text.push_str(&part.len().to_string());
            text.push(':');
            text.push_str(part);
        }
        fingerprint("access", &text)
    }
}

/// Which of an owner's accesses are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessesQuery {
    /// Those to this map.
    pub map: Option<MapId>,
    /// Those that were let in, or those that were not.
    pub allowed: Option<bool>,
    /// Those not older than this.
    pub since: i64,
    /// How many to leave out at the beginning.
    pub offset: u64,
    /// How many to give at most.
    pub limit: u32,
}

/// A page of accesses, the latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessesPage {
    /// The accesses of this page.
    pub accesses: Vec<AccessRecord>,
    /// How many fit the query.
    pub matching: u64,
}
