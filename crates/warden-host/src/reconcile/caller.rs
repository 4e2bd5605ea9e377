//! The calls of one owner's account at one AM, to be made from anywhere.

use std::sync::Arc;

use uma_client::wire::ResourceDescription;
use uma_client::{
    AmClient, Error as UmaError, ErrorKind as UmaKind, PatKeeper, ReadResource, RegisteredResource,
    ResourceId, ResourceList,
};
use url::Url;

use super::account::is_not_found;
use crate::host::Inner;

/// What an AM says of a resource that was registered or changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    pub(super) policy_uri: Option<Url>,
    /// The revision that it has now, at AMs that have revisions.
    pub(super) revision: Option<String>,
}

impl From<RegisteredResource> for Told {
    fn from(registered: RegisteredResource) -> Self {
        Self {
            policy_uri: registered.policy_uri,
            revision: registered.revision,
        }
    }
}

impl From<ReadResource> for Told {
    fn from(read: ReadResource) -> Self {
        Self {
            policy_uri: read.policy_uri,
            revision: read.revision,
        }
    }
}

/// Calls the protection API of one AM with one owner's PAT.
#[derive(Clone)]
pub(crate) struct Caller {
    client: AmClient,
    keeper: Arc<PatKeeper>,
    /// Whose pace is kept; none where an owner waits for the answer.
    paced: Option<Arc<Inner>>,
}

impl Caller {
    pub(super) fn new(client: AmClient, keeper: Arc<PatKeeper>, paced: Option<Arc<Inner>>) -> Self {
        Self {
            client,
            keeper,
            paced,
        }
    }

    async fn turn(&self) {
        if let Some(inner) = &self.paced {
            inner.pace.turn(self.client.issuer()).await;
        }
    }

    /// Registers a resource. Where the host chooses ids, `marker` is its id.
    pub(crate) async fn create(
        &self,
        marker: &str,
        description: &ResourceDescription,
    ) -> Result<RegisteredResource, UmaError> {
        self.turn().await;
        let client = &self.client;
        let chosen = &client.chosen_id(marker);
        self.keeper
            .call(|pat| async move {
                client
                    .create_resource_as(&pat, chosen.as_ref(), description)
                    .await
            })
            .await
    }

    /// Replaces a description. One that has another revision than is known here is read, and replaced once more: what stands
    /// here is what the owner wants, whoever has changed it there.
    pub(crate) async fn update(
        &self,
        id: &ResourceId,
        revision: Option<&str>,
        description: &ResourceDescription,
    ) -> Result<Told, UmaError> {
        let mut revision = revision.map(str::to_owned);
        let mut told = self.update_at(id, revision.as_deref(), description).await;
        if is_stale(&told) {
            revision = self.read(id).await?.revision;
            if revision.is_some() {
                told = self.update_at(id, revision.as_deref(), description).await;
            }
        }
        match told {
            // Done, perhaps, and without a word on the revision that it has now: what the AM has tells both.
            Err(error)
                if revision.is_some()
                    && error.outcome_unknown()
                    && error.kind() == UmaKind::Malformed =>
            {
                match self.read(id).await {
                    Ok(read) if says_the_same(&read.description, description) => Ok(read.into()),
                    _ => Err(error),
                }
            }
            told => told.map(Told::from),
        }
    }

    async fn update_at(
        &self,
        id: &ResourceId,
        revision: Option<&str>,
        description: &ResourceDescription,
    ) -> Result<RegisteredResource, UmaError> {
        self.turn().await;
        let client = &self.client;
        self.keeper
            .call(|pat| async move {
                client
                    .update_resource_at(&pat, id, revision, description)
                    .await
            })
            .await
    }

    pub(crate) async fn read(&self, id: &ResourceId) -> Result<ReadResource, UmaError> {
        self.turn().await;
        let client = &self.client;
        self.keeper
            .call(|pat| async move { client.read_resource(&pat, id).await })
            .await
    }

    /// Deletes a registration, whatever revision it has. That the AM does not know it is what was wanted.
    pub(crate) async fn delete(
        &self,
        id: &ResourceId,
        revision: Option<&str>,
    ) -> Result<(), UmaError> {
        let deleted = match self.delete_at(id, revision).await {
            deleted if is_stale(&deleted) => match self.read(id).await {
                Ok(read) => self.delete_at(id, read.revision.as_deref()).await,
                Err(error) => Err(error),
            },
            deleted => deleted,
        };
        match deleted {
            Err(error) if is_not_found(&error) => Ok(()),
            deleted => deleted,
        }
    }

    async fn delete_at(&self, id: &ResourceId, revision: Option<&str>) -> Result<(), UmaError> {
        self.turn().await;
        let client = &self.client;
        self.keeper
            .call(|pat| async move { client.delete_resource_at(&pat, id, revision).await })
            .await
    }

    pub(crate) async fn list(&self) -> Result<ResourceList, UmaError> {
        self.turn().await;
        let client = &self.client;
        self.keeper
            .call(|pat| async move { client.list_resources(&pat).await })
            .await
    }
}

/// Whether the AM wants another revision than was given.
fn is_stale<T>(result: &Result<T, UmaError>) -> bool {
    matches!(result, Err(error) if error.kind() == UmaKind::PreconditionFailed)
}

/// Whether the AM has what it was told, as far as it keeps it.
fn says_the_same(has: &ResourceDescription, told: &ResourceDescription) -> bool {
    let within = |one: &[String], other: &[String]| one.iter().all(|scope| other.contains(scope));
    has.name == told.name
        && within(&has.resource_scopes, &told.resource_scopes)
        && within(&told.resource_scopes, &has.resource_scopes)
}
