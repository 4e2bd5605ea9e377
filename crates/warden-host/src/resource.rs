//! What an owner shares: as asked for, and as kept.

use std::time::SystemTime;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use tower_warden::{MapId, MapState};
use uma_client::Issuer;
use url::Url;

use crate::{Epoch, Spread};

/// What an owner asks to share.
///
/// ```
/// use warden_host::ShareRequest;
///
/// let request = ShareRequest::new("/albums/alice/summer", "Summer").scopes(["view"]).subtree(true);
/// # let _ = request;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ShareRequest {
    pub(crate) uri: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) icon_uri: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) subtree: bool,
    pub(crate) generation: Option<i64>,
}

impl ShareRequest {
    /// A request to share the path `uri` (percent-encoded, without host and query) under `name` (1 to 255 characters).
    pub fn new(uri: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            name: name.into(),
            description: None,
            icon_uri: None,
            scopes: Vec::new(),
            subtree: false,
            generation: None,
        }
    }

    /// The same for another path, named by the last segment of that.
    pub(crate) fn for_path(mut self, uri: String) -> Self {
        let last = uri.trim_end_matches('/').rsplit('/').next().unwrap_or("");
        self.name = tower_warden::CanonicalPath::parse(&format!("/{last}"))
            .ok()
            .map(|path| path.as_key().trim_start_matches('/').to_owned())
            .filter(|name| !name.is_empty())
            .map_or(self.name, |name| name.chars().take(255).collect());
        self.uri = uri;
        self
    }

    /// Sets the description (at most 2000 characters); an empty one is none.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into()).filter(|text| !text.is_empty());
        self
    }

    /// Sets the http or https URL of an icon; an empty one is none.
    pub fn icon_uri(mut self, icon_uri: impl Into<String>) -> Self {
        self.icon_uri = Some(icon_uri.into()).filter(|text| !text.is_empty());
        self
    }

    /// Sets the scopes that may be granted; none stands for all that the host knows.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes
            .into_iter()
            .map(Into::into)
            .filter(|scope| !scope.is_empty())
            .collect();
        self
    }

    /// Shares only if the resource is still of this generation ([`SharedResource::generation`]), or is as asked for already;
    /// 0 stands for a path that is not shared. Otherwise it is [`ErrorKind::Changed`](crate::ErrorKind::Changed): so what was
    /// done in one window is not undone by another that does not know of it.
    pub fn if_generation(mut self, generation: i64) -> Self {
        self.generation = Some(generation);
        self
    }

    /// Says whether everything below the path is shared, too.
    pub fn subtree(mut self, subtree: bool) -> Self {
        self.subtree = subtree;
        self
    }
}

/// What keeps a shared resource from being in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trouble {
    /// It is being registered at the AM.
    Registering,
    /// Registering it has failed so far; it is tried again by itself.
    Failing,
    /// The AM did not know it; the host looks into that.
    Suspect,
    /// It is gone at the AM.
    Lost,
    /// The AM decides, but does not have its latest name, description or icon.
    OutOfStep,
    /// The owner has disconnected from the AM.
    Withheld,
    /// The host no longer works with the AM.
    AmNotServed,
    /// What the host has stored of it can't be understood.
    Damaged,
}

/// A path that an owner shares.
///
/// Serialised, it is `{uri, name, resource_id, am, scopes, state, subtree, policy_uri, epoch, spread}`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedResource {
    /// The number of its map.
    pub map: MapId,
    /// The path, percent-encoded.
    pub uri: String,
    /// The name that the owner gave it.
    pub name: String,
    /// The description, if the owner gave one.
    pub description: Option<String>,
    /// The URL of an icon, if the owner gave one.
    pub icon_uri: Option<String>,
    /// The resource's id at the AM, once it is registered there.
    pub resource_id: Option<String>,
    /// The AM that decides.
    pub am: Issuer,
    /// The AM's name as shown to people.
    pub am_name: String,
    /// The scopes that may be granted.
    pub scopes: Vec<String>,
    /// Where it stands in its life; only [`MapState::Active`] lets anyone but the owner in.
    pub state: MapState,
    /// What is wrong with it, in words for the owner.
    pub problem: Option<String>,
    /// Whether everything below the path is shared, too.
    pub subtree: bool,
    /// The page at the AM on which the owner sets the policy, if the AM named one.
    pub policy_uri: Option<Url>,
    /// Since when it has been shared.
    pub since: SystemTime,
    /// Whether it is denied since its owner has disconnected from the AM.
    pub withheld: bool,
    /// What keeps it from being in order; `None` where nothing does.
    pub trouble: Option<Trouble>,
    /// Counts what its owner did to it; see [`ShareRequest::if_generation`].
    pub generation: i64,
    /// The epoch of its last change that enforcement has to know.
    pub epoch: Epoch,
    /// Whether every node enforces it as it stands here.
    pub spread: Spread,
    /// How soon what its owner withdraws at the AM holds here.
    pub withdrawal: Withdrawal,
}

/// What became of paths that an owner stopped sharing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// How many of them were shared.
    pub count: usize,
    /// The epoch from which on they are the host's own.
    pub epoch: Epoch,
}

impl Stopped {
    /// Whether anything was shared.
    #[must_use]
    pub const fn was_shared(self) -> bool {
        self.count > 0
    }
}

/// How soon a permission that an owner withdraws at the AM is withdrawn at this host, too. Stopping to share holds at once
/// in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Withdrawal {
    /// As soon as the AM is asked again: when a kept answer has lived its time
    /// ([`WardenBuilder::cache_ttl`](tower_warden::WardenBuilder::cache_ttl), 10 s unless set).
    Soon,
    /// Not before the requester's token ends, and may be renewed at the AM without its policies being asked: as Keycloak
    /// does without live decisions ([`AmSetting::with_live_decisions`](crate::AmSetting::with_live_decisions)).
    WithTheToken,
}

impl Serialize for SharedResource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("SharedResource", 10)?;
        out.serialize_field("uri", &self.uri)?;
        out.serialize_field("name", &self.name)?;
        out.serialize_field("resource_id", &self.resource_id)?;
        out.serialize_field("am", self.am.as_str())?;
        out.serialize_field("scopes", &self.scopes)?;
        out.serialize_field("state", self.state.as_str())?;
        out.serialize_field("subtree", &self.subtree)?;
        out.serialize_field("policy_uri", &self.policy_uri.as_ref().map(Url::as_str))?;
        out.serialize_field("epoch", &self.epoch.get())?;
        out.serialize_field("spread", self.spread.as_str())?;
        out.end()
    }
}
