//! One owner's account at one AM: the calls, and what is found there by our markers.

use std::collections::HashSet;
use std::sync::Arc;

use tower_warden::OwnerId;
use uma_client::wire::ResourceDescription;
use uma_client::{
    Error as UmaError, ErrorKind as UmaKind, ReadResource, RegisteredResource, ResourceId,
};

use super::caller::{Caller, Told};
use super::{Settled, Trouble};
use crate::Host;
use crate::host::AmEntry;
use crate::store::{Holding, MapRecord, Orphan, Store as _};

/// Most resources that are looked at one by one in one run, in search of our markers.
pub(super) const MOST_LOOKS: usize = 200;
/// Most characters of a registered name; AMs are known to end there.
const MOST_NAME: usize = 255;

/// An owner's account at an AM. What is found by looking around is kept for as long as this lives.
pub(crate) struct Account<'a> {
    pub(super) host: &'a Host,
    pub(super) am: &'a AmEntry,
    pub(super) owner: &'a OwnerId,
    pub(super) caller: Caller,
    found: Option<Found>,
    /// Whether that is of before this was opened.
    found_before: bool,
}

/// Resources at the AM that no row stands for.
#[derive(Debug)]
pub(super) struct Found {
    named: Vec<(ResourceId, String)>,
    /// Whether these are all.
    all: bool,
}

impl<'a> Account<'a> {
    /// An account for work that an owner waits for.
    pub(crate) async fn new(
        host: &'a Host,
        am: &'a AmEntry,
        owner: &'a OwnerId,
    ) -> Result<Self, UmaError> {
        Self::open(host, am, owner, false).await
    }

    /// An account for work in the background, whose calls keep the pace.
    pub(crate) async fn paced(
        host: &'a Host,
        am: &'a AmEntry,
        owner: &'a OwnerId,
    ) -> Result<Self, UmaError> {
        Self::open(host, am, owner, true).await
    }

    async fn open(
        host: &'a Host,
        am: &'a AmEntry,
        owner: &'a OwnerId,
        paced: bool,
    ) -> Result<Self, UmaError> {
        let keeper = host.inner.keeper(owner, am).await?;
        let paced = paced.then(|| Arc::clone(&host.inner));
        Ok(Self {
            caller: Caller::new(am.client.clone(), keeper, paced),
            host,
            am,
            owner,
            found: None,
            found_before: false,
        })
    }

    /// What was found by looking around, to be used again in the same run.
    pub(super) fn into_found(self) -> Option<Found> {
        self.found
    }

    pub(super) fn with_found(mut self, found: Option<Found>) -> Self {
        self.found_before = found.is_some();
        self.found = found;
        self
    }

    /// Looks around anew for a row that was tried since, if what was found is of before.
    pub(super) fn doubt_found(&mut self, row: &MapRecord) {
        if self.found_before && row.attempts > 0 {
            self.found = None;
            self.found_before = false;
        }
    }

    pub(super) async fn create(&self, map: &MapRecord) -> Result<RegisteredResource, UmaError> {
        self.caller.create(&map.marker, &self.describe(map)).await
    }

    pub(super) async fn update(&self, id: &ResourceId, map: &MapRecord) -> Result<Told, UmaError> {
        let its_own = map.resource_id.as_ref() == Some(id);
        let revision = map.revision.as_deref().filter(|_| its_own);
        self.caller.update(id, revision, &self.describe(map)).await
    }

    pub(super) async fn read(&self, id: &ResourceId) -> Result<ReadResource, UmaError> {
        self.caller.read(id).await
    }

    pub(super) async fn delete(
        &self,
        id: &ResourceId,
        revision: Option<&str>,
    ) -> Result<(), UmaError> {
        self.caller.delete(id, revision).await
    }

    pub(super) fn describe(&self, map: &MapRecord) -> ResourceDescription {
        let mut description =
            ResourceDescription::new(map.scopes.to_strings()).with_name(self.registered_name(map));
        description.description.clone_from(&map.description);
        description.icon_uri.clone_from(&map.icon_uri);
        description
    }

    /// The name at the AM: unique for host and owner, since AMs are known to mix up what has one name; and ours to
    /// recognise by the marker.
    pub(super) fn registered_name(&self, map: &MapRecord) -> String {
        let ours = format!(" [{}/{}]", self.host.inner.own_label, map.marker);
        let room = MOST_NAME.saturating_sub(ours.chars().count());
        let mut name: String = map.name.chars().take(room).collect();
        name.push_str(&ours);
        name
    }

    /// The marker in a registered name, if that is one of ours.
    pub(super) fn marker_in<'n>(&self, name: &'n str) -> Option<&'n str> {
        let (_, ours) = name.strip_suffix(']')?.rsplit_once(" [")?;
        let (label, marker) = ours.rsplit_once('/')?;
        (label == self.host.inner.own_label && !marker.is_empty()).then_some(marker)
    }

    /// Looks for a registration with a marker among those that no row stands for. The second value says whether not
    /// finding it means that there is none.
    pub(super) async fn find(
        &mut self,
        marker: &str,
    ) -> Result<(Option<ResourceId>, bool), Trouble> {
        // Where the host chooses ids, one look is enough: nobody else knows this one.
        if let Some(id) = self.am.client.chosen_id(marker) {
            return match self.read(&id).await {
                Ok(_) => Ok((Some(id), true)),
                Err(error) if is_not_found(&error) => {
                    Ok((None, self.am.client.profile().not_found_proves_absence))
                }
                Err(error) => Err(error.into()),
            };
        }
        if self.found.is_none() {
            self.found = Some(self.look_around().await?);
        }
        let Some(found) = &self.found else {
            return Ok((None, false));
        };
        let hit = found.named.iter().find(|(_, name)| name.contains(marker));
        Ok((hit.map(|(id, _)| id.clone()), found.all))
    }

    /// As [`Account::find`], but looks anew.
    pub(super) async fn find_anew(&mut self, marker: &str) -> Result<Option<ResourceId>, Trouble> {
        self.found = None;
        Ok(self.find(marker).await?.0)
    }

    /// Registrations that were found with a marker, but for the one that counts.
    pub(super) fn surplus(&self, marker: &str, id: &ResourceId) -> Vec<ResourceId> {
        self.found
            .iter()
            .flat_map(|found| &found.named)
            .filter(|(found, name)| found != id && name.contains(marker))
            .map(|(found, _)| found.clone())
            .collect()
    }

    async fn look_around(&self) -> Result<Found, Trouble> {
        let list = self.caller.list().await?;
        let known = self.known_ids().await?;
        let mut all = list.complete;
        let mut named = Vec::new();
        let mut looks = 0;
        for id in list.ids {
            if known.contains(&id) {
                continue;
            }
            looks += 1;
            if looks > MOST_LOOKS {
                all = false;
                break;
            }
            match self.read(&id).await {
                Ok(read) => named.push((id, read.description.name.unwrap_or_default())),
                // It went between the two calls.
                Err(error) if is_not_found(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Found { named, all })
    }

    /// What the store knows of at this AM that the account's list may name.
    pub(super) async fn holdings(&self) -> Result<Vec<Holding>, Trouble> {
        let inner = &self.host.inner;
        // Where the host is the owner, one list names the resources of all.
        let all = inner.ams.owner_is_host(self.am.issuer());
        let owner = (!all).then_some(self.owner);
        Ok(inner.store.holdings(self.am.issuer(), owner).await?)
    }

    async fn known_ids(&self) -> Result<HashSet<ResourceId>, Trouble> {
        Ok(self
            .holdings()
            .await?
            .into_iter()
            .filter(|holding| !holding.orphan)
            .filter_map(|holding| holding.resource_id)
            .collect())
    }

    /// Deletes at the AM what no row stands for any more.
    pub(super) async fn clear_orphan(&mut self, orphan: &Orphan) -> Result<Settled, Trouble> {
        let store = &self.host.inner.store;
        let id = match &orphan.resource_id {
            Some(id) => Some(id.clone()),
            None => match self.find(&orphan.marker).await? {
                (None, false) => return Err(Trouble::Unsure),
                (found, _) => found,
            },
        };
        if let Some(id) = id
            // A row may have found it again meanwhile.
            && !self.known_ids().await?.contains(&id)
        {
            let its_own = orphan.resource_id.as_ref() == Some(&id);
            let revision = orphan.revision.as_deref().filter(|_| its_own);
            self.delete(&id, revision).await?;
        }
        store.orphan_gone(orphan.id).await?;
        Ok(Settled::Gone)
    }
}

impl Account<'_> {
    /// Whether a call that failed so may have met, or made, a registration of ours.
    pub(super) fn may_be_there(&self, marker: &str, error: &UmaError) -> bool {
        // An AM of 2012 says of an id that is used already no more than that the request is invalid.
        let chosen = || self.am.client.chosen_id(marker).is_some();
        let trouble = Trouble::Am(error.clone());
        error.kind() == UmaKind::Conflict || (chosen() && !trouble.is_am() && !trouble.is_pat())
    }
}

/// Whether the AM says that it does not have the resource.
pub(super) fn is_not_found(error: &UmaError) -> bool {
    matches!(error.kind(), UmaKind::NotFound | UmaKind::InvalidResourceId)
}
