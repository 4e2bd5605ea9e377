//! Asking each map's AM, with its owner's PAT.

use std::fmt;
use std::sync::Arc;

use tower_warden::{
    Credential, Evidence, Protection, ProtectionError, ProtectionErrorKind, Requirements, Rpt,
};
use uma_client::{IntrospectionAuth, IntrospectionCredential, PermissionOutcome};

use crate::Error;
use crate::host::{AmEntry, Inner};
use crate::store::Store as _;

mod live;

pub(crate) use live::LiveChoice;

/// The `Protection` of a [`Host`](crate::Host), for `WardenLayer::builder().protection(..)`: the AM is the map's, the PAT its owner's.
#[derive(Clone)]
pub struct HostProtection {
    inner: Arc<Inner>,
}

impl HostProtection {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    async fn am(&self, requirements: &Requirements) -> Result<Arc<AmEntry>, ProtectionError> {
        self.inner.visited.note(requirements.owner());
        self.inner
            .am(requirements.am().issuer())
            .await
            .map_err(|error| ProtectionError::new(ProtectionErrorKind::Host).with_source(error))
    }

    /// Denies what the AM does not know, and has it looked into; not on the way of the request.
    fn suspect(&self, requirements: &Requirements) {
        let inner = Arc::clone(&self.inner);
        let maps: Vec<_> = requirements
            .iter()
            .map(|requirement| {
                let map = requirement.map();
                (map.id(), map.resource_id().clone())
            })
            .collect();
        tokio::spawn(async move {
            let marked: Result<(), Error> = async {
                for (map, resource_id) in maps {
                    if inner
                        .store
                        .share_suspected(map, &resource_id, inner.now())
                        .await?
                    {
                        tracing::warn!(map = %map, "an AM does not know a resource; it is denied until that is cleared up");
                    }
                }
                inner.publish().await
            }
            .await;
            match marked {
                Ok(()) => inner.wake_reconciler(),
                Err(error) => {
                    tracing::warn!(error = %error, "a resource that an AM does not know could not be marked");
                }
            }
        });
    }
}

impl Protection for HostProtection {
    async fn verify(
        &self,
        requirements: &Requirements,
        rpt: &Rpt,
    ) -> Result<Evidence, ProtectionError> {
        let am = self.am(requirements).await?;
        let client = &am.client;
        let answer = match client.profile().introspection_auth {
            IntrospectionAuth::Pat => {
                let keeper = self.inner.keeper(requirements.owner(), &am).await?;
                keeper
                    .call(|pat| async move { client.introspect(&pat, rpt.secret()).await })
                    .await?
            }
            _ => {
                client
                    .introspect(IntrospectionCredential::Client, rpt.secret())
                    .await?
            }
        };
        let evidence = Evidence::from_introspection(answer);
        let live = am.setting.live.decisions(requirements);
        Ok(live.confirm(client, rpt, evidence).await?)
    }

    async fn request_permission(
        &self,
        requirements: &Requirements,
    ) -> Result<PermissionOutcome, ProtectionError> {
        let am = self.am(requirements).await?;
        let client = &am.client;
        let keeper = self.inner.keeper(requirements.owner(), &am).await?;
        let wanted = &requirements.to_permission_requests();
        keeper
            .call(|pat| async move { client.request_permission(&pat, wanted).await })
            .await
            .map_err(|error| {
                let error = ProtectionError::from(error);
                if error.kind() == ProtectionErrorKind::Unregistered {
                    self.suspect(requirements);
                }
                error
            })
    }

    fn credential(&self, requirements: &Requirements) -> Credential {
        if self
            .inner
            .ams
            .introspects_as_owner(requirements.am().issuer())
        {
            Credential::Owner
        } else {
            Credential::Host
        }
    }
}

impl fmt::Debug for HostProtection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostProtection").finish_non_exhaustive()
    }
}
