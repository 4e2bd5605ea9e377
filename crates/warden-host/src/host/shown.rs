//! What is shared, as its owner sees it.

use tower_warden::{MapState, OwnerId};

use super::Host;
use super::connect::time;
use super::share::read_path;
use crate::store::{MapRecord, RowState, Store as _};
use crate::{Epoch, Error, SharedResource, Spread, Trouble};

impl Host {
    pub(super) async fn shared_by(&self, owner: &OwnerId) -> Result<Vec<SharedResource>, Error> {
        let reached = self.inner.reached_everywhere().await?;
        let maps = self.inner.store.maps_of(owner).await?;
        Ok(maps
            .into_iter()
            .filter(|map| map.state != RowState::Tombstone)
            .map(|map| self.shared(map, reached))
            .collect())
    }

    pub(super) async fn shared_at(
        &self,
        owner: &OwnerId,
        uri: &str,
    ) -> Result<Option<SharedResource>, Error> {
        let path = read_path(uri)?;
        let reached = self.inner.reached_everywhere().await?;
        let map = self.inner.store.map_at(&self.site(), path.as_key()).await?;
        Ok(map
            .filter(|map| map.owner == *owner && map.state != RowState::Tombstone)
            .map(|map| self.shared(map, reached)))
    }

    /// A row as its owner sees it, if it is not known how far it has spread.
    pub(super) fn shared_here(&self, map: MapRecord) -> SharedResource {
        self.shared(map, Epoch::default())
    }

    /// A row as its owner sees it, if all nodes have reached an epoch.
    pub(super) fn shared(&self, map: MapRecord, reached: Epoch) -> SharedResource {
        let epoch = Epoch::new(map.changed_epoch);
        let am_name = self.inner.ams.name(&map.issuer);
        let withdrawal = self.withdrawal(&map);
        let unserved = !self.inner.ams.is_served(&map.issuer);
        let trouble = trouble_of(&map, unserved);
        let state = match map.state {
            _ if map.broken || map.withheld || unserved => MapState::Suspect,
            RowState::Pending | RowState::Tombstone => MapState::Pending,
            RowState::Active => MapState::Active,
            RowState::Suspect => MapState::Suspect,
            RowState::Lost => MapState::Lost,
        };
        let problem = if map.broken {
            Some(String::from(
                "what this site has stored about it is damaged; nobody is let in",
            ))
        } else if map.withheld {
            Some(format!(
                "you have disconnected from {am_name}; nobody is let in until you connect again, move to another authorization manager, or stop sharing it"
            ))
        } else if unserved {
            Some(format!(
                "this site no longer works with {am_name}; nobody is let in until you stop sharing it, or it does so again"
            ))
        } else {
            map.problem.or_else(|| match state {
                MapState::Pending => Some(format!("it is being registered at {am_name}; nobody is let in until then")),
                MapState::Suspect => Some(format!("{am_name} does not know it; this site is looking into that, and nobody is let in until then")),
                MapState::Lost => Some(format!("it is gone at {am_name}, and nobody is let in; share it again, or stop sharing it")),
                _ => None,
            })
        };
        SharedResource {
            map: map.id,
            uri: crate::maps::uri_of_key(&map.path_key),
            name: map.name,
            description: map.description,
            icon_uri: map.icon_uri,
            resource_id: map.resource_id.map(|id| id.as_str().to_owned()),
            am: map.issuer,
            am_name,
            scopes: map.scopes.to_strings(),
            state,
            problem,
            subtree: map.subtree,
            policy_uri: map.policy_uri,
            since: time(map.created),
            withheld: map.withheld,
            trouble,
            generation: map.generation,
            epoch,
            spread: Spread::of(epoch, reached),
            withdrawal,
        }
    }
}

/// What keeps a row from being in order.
fn trouble_of(map: &MapRecord, unserved: bool) -> Option<Trouble> {
    match map.state {
        _ if map.broken => Some(Trouble::Damaged),
        _ if map.withheld => Some(Trouble::Withheld),
        _ if unserved => Some(Trouble::AmNotServed),
        RowState::Pending | RowState::Tombstone if map.attempts > 0 => Some(Trouble::Failing),
        RowState::Pending | RowState::Tombstone => Some(Trouble::Registering),
        RowState::Suspect => Some(Trouble::Suspect),
        RowState::Lost => Some(Trouble::Lost),
        RowState::Active => map.problem.as_ref().map(|_| Trouble::OutOfStep),
    }
}
