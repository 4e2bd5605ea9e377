//! The calls of one owner's account at one AM, to be made from anywhere.

use std::sync::Arc;

use uma_client::wire::ResourceDescription;
use uma_client::{
    AmClient, Error as UmaError, PatKeeper, ReadResource, RegisteredResource, ResourceId,
    ResourceList,
};

use super::account::is_not_found;
use crate::host::Inner;

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

    pub(crate) async fn create(
        &self,
        description: &ResourceDescription,
    ) -> Result<RegisteredResource, UmaError> {
        self.turn().await;
        let client = &self.client;
        self.keeper
            .call(|pat| async move { client.create_resource(&pat, description).await })
            .await
    }

    pub(crate) async fn update(
        &self,
        id: &ResourceId,
        description: &ResourceDescription,
    ) -> Result<RegisteredResource, UmaError> {
        self.turn().await;
        let client = &self.client;
        self.keeper
            .call(|pat| async move { client.update_resource(&pat, id, description).await })
            .await
    }

    pub(crate) async fn read(&self, id: &ResourceId) -> Result<ReadResource, UmaError> {
        self.turn().await;
        let client = &self.client;
        self.keeper
            .call(|pat| async move { client.read_resource(&pat, id).await })
            .await
    }

    /// Deletes a registration. That the AM does not know it is what was wanted.
    pub(crate) async fn delete(&self, id: &ResourceId) -> Result<(), UmaError> {
        self.turn().await;
        let client = &self.client;
        let deleted = self
            .keeper
            .call(|pat| async move { client.delete_resource(&pat, id).await })
            .await;
        match deleted {
            Err(error) if is_not_found(&error) => Ok(()),
            deleted => deleted,
        }
    }

    pub(crate) async fn list(&self) -> Result<ResourceList, UmaError> {
        self.turn().await;
        let client = &self.client;
        self.keeper
            .call(|pat| async move { client.list_resources(&pat).await })
            .await
    }
}
