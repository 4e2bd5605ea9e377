//! One owner's account at one AM: the calls, and what is found there by our markers.

use std::collections::HashSet;
use std::sync::Arc;

use tower_warden::OwnerId;
use uma_client::wire::ResourceDescription;
use uma_client::{
    Error as UmaError, ErrorKind as UmaKind, PatKeeper, ReadResource, RegisteredResource,
    ResourceId,
};

use super::{Settled, Trouble};
use crate::Host;
use crate::host::AmEntry;
use crate::store::{MapRecord, Orphan, Store as _};

/// Most resources that are looked at one by one in one run, in search of our markers.
const MOST_LOOKS: usize = 200;
/// Most characters of a registered name; AMs are known to end there.
const MOST_NAME: usize = 255;

/// An owner's account at an AM. What is found by looking around is kept for as long as this lives.
pub(crate) struct Account<'a> {
    pub(super) host: &'a Host,
    pub(super) am: &'a AmEntry,
    owner: &'a OwnerId,
    keeper: Arc<PatKeeper>,
    found: Option<Found>,
}

/// Resources at the AM that no row stands for.
struct Found {
    named: Vec<(ResourceId, String)>,
    /// Whether these are all.
    all: bool,
}

impl<'a> Account<'a> {
    pub(crate) fn new(host: &'a Host, am: &'a AmEntry, owner: &'a OwnerId) -> Self {
        Self {
            keeper: host.inner.keeper(owner, am),
            host,
            am,
            owner,
            found: None,
        }
    }

    pub(super) async fn create(&self, map: &MapRecord) -> Result<RegisteredResource, UmaError> {
        let client = &self.am.client;
        let description = &self.describe(map);
        self.keeper
            .call(|pat| async move { client.create_resource(&pat, description).await })
            .await
    }

    pub(super) async fn update(
        &self,
        id: &ResourceId,
        map: &MapRecord,
    ) -> Result<RegisteredResource, UmaError> {
        let client = &self.am.client;
        let description = &self.describe(map);
        self.keeper
            .call(|pat| async move { client.update_resource(&pat, id, description).await })
            .await
    }

    pub(super) async fn read(&self, id: &ResourceId) -> Result<ReadResource, UmaError> {
        let client = &self.am.client;
        self.keeper
            .call(|pat| async move { client.read_resource(&pat, id).await })
            .await
    }

    /// Deletes a registration. That the AM does not know it is what was wanted.
    pub(super) async fn delete(&self, id: &ResourceId) -> Result<(), UmaError> {
        let client = &self.am.client;
        let deleted = self
            .keeper
            .call(|pat| async move { client.delete_resource(&pat, id).await })
            .await;
        match deleted {
            Err(error) if is_not_found(&error) => Ok(()),
            deleted => deleted,
        }
    }

    fn describe(&self, map: &MapRecord) -> ResourceDescription {
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

    /// Looks for a registration with a marker among those that no row stands for. The second value says whether not
    /// finding it means that there is none.
    pub(super) async fn find(
        &mut self,
        marker: &str,
    ) -> Result<(Option<ResourceId>, bool), Trouble> {
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
        let client = &self.am.client;
        let list = self
            .keeper
            .call(|pat| async move { client.list_resources(&pat).await })
            .await?;
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

    async fn known_ids(&self) -> Result<HashSet<ResourceId>, Trouble> {
        let maps = self.host.inner.store.maps_of(self.owner).await?;
        Ok(maps
            .into_iter()
            .filter(|map| map.issuer == *self.am.issuer())
            .filter_map(|map| map.resource_id)
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
            self.delete(&id).await?;
        }
        store.orphan_gone(orphan.id).await?;
        Ok(Settled::Gone)
    }
}

/// Whether the AM says that it does not have the resource.
pub(super) fn is_not_found(error: &UmaError) -> bool {
    matches!(error.kind(), UmaKind::NotFound | UmaKind::InvalidResourceId)
}
