//! Registered resources.

use serde::{Deserialize, Serialize};
use uma_client::wire::ResourceDescription;

use super::{Party, State};

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Resource {
    pub(crate) id: String,
    pub(crate) owner: Party,
    /// The client id of the host that registered it.
    pub(crate) host: String,
    /// Changes with every change, and is never one that the id had before; empty in dialects without revisions.
    #[serde(default)]
    pub(crate) revision: String,
    pub(crate) description: ResourceDescription,
}

impl Resource {
    pub(crate) fn belongs_to(&self, owner: &Party, host: &str) -> bool {
        self.owner == *owner && self.host == host
    }

    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.description
            .resource_scopes
            .iter()
            .any(|known| known == scope)
    }

    /// The name that pages show.
    pub(crate) fn display_name(&self) -> &str {
        self.description.name.as_deref().unwrap_or(&self.id)
    }
}

impl State {
    /// The resource, if it is this owner's at this host.
    pub(crate) fn resource_of(&self, id: &str, owner: &Party, host: &str) -> Option<&Resource> {
        self.resources
            .get(id)
            .filter(|resource| resource.belongs_to(owner, host))
    }

    /// Ends the protection of a resource: its policies and requests go with it.
    pub(crate) fn remove_resource(&mut self, id: &str) -> bool {
        self.policies.retain(|_, policy| policy.resource_id != id);
        self.requests.retain(|_, request| request.resource_id != id);
        self.resources.remove(id).is_some()
    }
}
