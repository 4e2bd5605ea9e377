//! Recent access, as an owner sees it: who got at what is shared, or wanted to.

use std::time::SystemTime;

use serde::{Serialize, Serializer, ser::SerializeStruct};
use tower_warden::MapId;
use uma_client::epoch_seconds;

/// Most accesses on one page.
const MOST: u32 = 1000;

/// What became of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// They were let in: the owner's AM allows it.
    Allowed,
    /// They came without a permission, and were sent to the owner's AM for one. So begins every access; where nothing
    /// follows, somebody may wish for access.
    Asked,
    /// They came with a permission that does not suffice.
    Refused,
    /// Nobody is let in there just now: the resource is being protected, or has a problem.
    Closed,
    /// It could not be found out whether they are allowed: the AM did not answer, or the connection to it has ended.
    Unknown,
}

impl Outcome {
    /// The outcome as a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Asked => "asked",
            Self::Refused => "refused",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
        }
    }

    /// Whether somebody seems to wish for access that the owner could give.
    #[must_use]
    pub const fn is_wish(self) -> bool {
        matches!(self, Self::Asked | Self::Refused)
    }

    /// The outcome behind the code of a reason, as [`tower_warden::Reason::code`] gives it.
    pub(crate) fn of(allowed: bool, reason: &str) -> Self {
        if allowed {
            return Self::Allowed;
        }
        match reason {
            "no_token" => Self::Asked,
            "maps_unavailable" | "am_unavailable" | "source_busy" | "am_busy" => Self::Unknown,
            reason if reason.starts_with("map_") => Self::Closed,
            _ => Self::Refused,
        }
    }
}

/// Requests of one kind, within one hour, to something that the owner shares.
///
/// Who asked and with which application is what the AM said of an active token; where none came, nobody knows. Names are
/// the AM's and the applications' own: they are for display, and prove nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecentAccess {
    /// The number of the map.
    pub map: MapId,
    /// How the owner calls the resource, if it is still known.
    pub resource: Option<String>,
    /// The path as it was sent, without the query; it may lie below the resource.
    pub path: String,
    /// The verb.
    pub method: String,
    /// The scopes that it takes.
    pub scopes: Vec<String>,
    /// When the first of them came.
    pub first: SystemTime,
    /// When the last of them came.
    pub last: SystemTime,
    /// How many there were.
    pub times: u64,
    /// What became of them.
    pub outcome: Outcome,
    /// The code of the reason.
    pub reason: String,
    /// Who asked, if the AM said.
    pub who: Option<String>,
    /// The application, if the AM said.
    pub app: Option<String>,
}

impl Serialize for RecentAccess {
    /// `{first, last, times, who, app, method, scopes, resource, path, outcome, reason}`, times in seconds since the epoch.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("RecentAccess", 11)?;
        out.serialize_field("first", &epoch_seconds(self.first))?;
        out.serialize_field("last", &epoch_seconds(self.last))?;
        out.serialize_field("times", &self.times)?;
        out.serialize_field("who", &self.who)?;
        out.serialize_field("app", &self.app)?;
        out.serialize_field("method", &self.method)?;
        out.serialize_field("scopes", &self.scopes)?;
        out.serialize_field("resource", &self.resource)?;
        out.serialize_field("path", &self.path)?;
        out.serialize_field("outcome", self.outcome.as_str())?;
        out.serialize_field("reason", &self.reason)?;
        out.end()
    }
}

/// Which accesses are wanted, of those that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct AccessQuery {
    pub(crate) map: Option<MapId>,
    pub(crate) allowed: Option<bool>,
    pub(crate) page: u64,
    pub(crate) page_size: u32,
}

impl AccessQuery {
    /// All, the latest 50 of them.
    pub fn new() -> Self {
        Self {
            map: None,
            allowed: None,
            page: 1,
            page_size: 50,
        }
    }

    /// Wants those to one resource ([`SharedResource::map`](crate::SharedResource::map)).
    pub fn map(mut self, map: MapId) -> Self {
        self.map = Some(map);
        self
    }

    /// Wants those that were let in, or those that were not.
    pub fn allowed(mut self, allowed: bool) -> Self {
        self.allowed = Some(allowed);
        self
    }

    /// Which page, from 1 on; one behind the last is the last.
    pub fn page(mut self, page: u64) -> Self {
        self.page = page.max(1);
        self
    }

    /// How many on a page: 1 to 1000.
    pub fn page_size(mut self, size: u32) -> Self {
        self.page_size = size.clamp(1, MOST);
        self
    }
}

impl Default for AccessQuery {
    fn default() -> Self {
        Self::new()
    }
}

/// A page of accesses, the latest first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecentAccesses {
    /// The accesses of this page.
    pub accesses: Vec<RecentAccess>,
    /// How many fit the query.
    pub matching: u64,
    /// Which page it is, from 1 on.
    pub page: u64,
    /// How many pages there are; at least 1.
    pub pages: u64,
}
