//! What is to be done about a row, by its state.

use uma_client::{ErrorKind as UmaKind, ReadResource, ResourceId, Scope};

use super::Trouble;
use super::account::{Account, is_not_found};
use super::caller::Told;
use crate::maps::uri_of_key;
use crate::store::{MapRecord, Registered, RowState, Store as _};
use crate::{Error, LostPolicy, Notice};

/// What became of a row.
#[derive(Debug)]
pub(crate) enum Settled {
    /// It is active, and the AM has what stands here.
    Active(Box<MapRecord>),
    /// It is proved gone at the AM.
    Lost,
    /// The AM has nothing more of it, as it should be.
    Gone,
    /// The owner did something meanwhile; or nothing was to be done.
    MovedOn,
    /// It failed, and is to be tried again.
    Failed(Error),
}

impl Account<'_> {
    /// Does what is to be done. `fresh` says that the AM certainly has no registration of it.
    ///
    /// Whoever calls this holds the lock of the path.
    pub(crate) async fn settle(
        &mut self,
        map: &MapRecord,
        fresh: bool,
    ) -> Result<Settled, Trouble> {
        match map.state {
            RowState::Pending => self.register(map, fresh).await,
            RowState::Suspect => self.look_into(map).await,
            RowState::Active if !map.synced => self.tell(map).await,
            RowState::Active => Ok(Settled::Active(Box::new(map.clone()))),
            RowState::Lost => Ok(Settled::Lost),
            RowState::Tombstone => self.clean(map).await,
        }
    }

    async fn register(&mut self, map: &MapRecord, fresh: bool) -> Result<Settled, Trouble> {
        if let Some(id) = &map.resource_id {
            match self.update(id, map).await {
                Ok(told) => return self.confirm(map, id, told).await,
                Err(error) if is_not_found(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // An earlier attempt may have got through without its answer getting back.
        if !fresh && let (Some(id), _) = self.find(&map.marker).await? {
            return self.adopt(map, &id).await;
        }
        match self.create(map).await {
            Ok(created) => {
                let id = created.id.clone();
                self.confirm(map, &id, created.into()).await
            }
            Err(error) if self.may_be_there(&map.marker, &error) => {
                match self.find_anew(&map.marker).await? {
                    Some(id) => self.adopt(map, &id).await,
                    None => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a registration with our marker for the row's.
    async fn adopt(&mut self, map: &MapRecord, id: &ResourceId) -> Result<Settled, Trouble> {
        let told = self.update(id, map).await?;
        self.confirm(map, id, told).await
    }

    /// Publishes the row as the AM has it. Where the profile wants that, what the AM has is read back first.
    async fn confirm(
        &mut self,
        map: &MapRecord,
        id: &ResourceId,
        mut told: Told,
    ) -> Result<Settled, Trouble> {
        let inner = &self.host.inner;
        if self.am.client.profile().reads_back {
            let read = self.read_back(map, id, &told).await?;
            told.policy_uri = told.policy_uri.or(read.policy_uri);
            told.revision = read.revision.or(told.revision);
        }
        let registered = Registered {
            resource_id: id.clone(),
            registered_name: self.registered_name(map),
            policy_uri: told.policy_uri,
            revision: told.revision,
        };
        let active = inner
            .store
            .share_registered(map, &registered, inner.now())
            .await?;
        inner.publish().await?;
        let Some(active) = active else {
            // Stopped or changed meanwhile: what is to be done now is another step.
            inner.wake_reconciler();
            return Ok(Settled::MovedOn);
        };
        for surplus in self.surplus(&map.marker, id) {
            // With our marker, so ours; nothing depends on it.
            if let Err(error) = self.delete(&surplus, None).await {
                tracing::info!(am = %self.am.issuer(), error = %error, "a surplus registration stays at the AM");
            }
        }
        Ok(Settled::Active(Box::new(active)))
    }

    /// Reads back what the AM has; it must be what was asked.
    async fn read_back(
        &self,
        map: &MapRecord,
        id: &ResourceId,
        told: &Told,
    ) -> Result<ReadResource, Trouble> {
        let inner = &self.host.inner;
        let error = match self.read(id).await {
            Ok(read) => {
                let has = &read.description.resource_scopes;
                let keeps = |scope: &Scope| has.iter().any(|one| one == scope.as_str());
                if map.scopes.iter().all(keeps) {
                    return Ok(read);
                }
                uma_client::Error::new(
                    UmaKind::InvalidScope,
                    "the AM did not keep all scopes of a resource",
                )
            }
            Err(error) => error,
        };
        inner
            .store
            .share_half_registered(map, id, told.revision.as_deref(), inner.now())
            .await?;
        Err(error.into())
    }

    /// The AM did not know the resource: found again, proved gone, or still unclear.
    async fn look_into(&mut self, map: &MapRecord) -> Result<Settled, Trouble> {
        let inner = &self.host.inner;
        let gone = match &map.resource_id {
            None => None,
            Some(id) => match self.read(id).await {
                // A full description mends scopes that the AM did not know, too.
                Ok(read) => {
                    let now = MapRecord {
                        revision: read.revision,
                        ..map.clone()
                    };
                    return self.adopt(&now, id).await;
                }
                Err(error) if is_not_found(&error) => Some(error),
                Err(error) => return Err(error.into()),
            },
        };
        if let (Some(id), _) = self.find(&map.marker).await? {
            return self.adopt(map, &id).await;
        }
        match gone {
            // An empty or capped list is no proof; the AM's word on this one id is, where the profile says so.
            Some(_) if self.am.client.profile().not_found_proves_absence => {
                let lost = inner.store.share_lost(map, inner.now()).await?;
                inner.publish().await?;
                if !lost {
                    return Ok(Settled::MovedOn);
                }
                tracing::warn!(am = %self.am.issuer(), map = %map.id, "a shared resource is gone at its AM; it stays denied");
                self.lost(map).await
            }
            Some(error) => Err(error.into()),
            None => Err(Trouble::Unsure),
        }
    }

    /// What is lost waits for its owner, or is registered anew where that is the host's policy.
    async fn lost(&mut self, map: &MapRecord) -> Result<Settled, Trouble> {
        let inner = &self.host.inner;
        if inner.lost == LostPolicy::Recreate
            && inner.store.share_recreated(map, inner.now()).await?
        {
            inner.publish().await?;
            let now = inner.store.map_at(&map.site, &map.path_key).await?;
            if let Some(now) = now.filter(|now| now.id == map.id && now.state == RowState::Pending)
            {
                // It was just looked for.
                return self.register(&now, true).await;
            }
            return Ok(Settled::MovedOn);
        }
        let notice = Notice::ResourceLost {
            am: inner.ams.choice(&map.issuer),
            uri: uri_of_key(&map.path_key),
            name: map.name.clone(),
        };
        inner.notify.tell(&map.owner, notice);
        Ok(Settled::Lost)
    }

    /// Tells the AM what has changed of an active resource.
    async fn tell(&mut self, map: &MapRecord) -> Result<Settled, Trouble> {
        let inner = &self.host.inner;
        let Some(id) = &map.resource_id else {
            return Err(Trouble::Unsure);
        };
        match self.update(id, map).await {
            Ok(told) => self.confirm(map, id, told).await,
            Err(error) if is_not_found(&error) => {
                inner.store.share_suspected(map.id, id, inner.now()).await?;
                inner.publish().await?;
                inner.wake_reconciler();
                Ok(Settled::MovedOn)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes what the AM has of a tombstone.
    async fn clean(&mut self, map: &MapRecord) -> Result<Settled, Trouble> {
        let inner = &self.host.inner;
        if let Some(id) = &map.resource_id {
            self.delete(id, map.revision.as_deref()).await?;
        } else if map.perhaps {
            match self.find(&map.marker).await? {
                (Some(id), _) => self.delete(&id, None).await?,
                (None, true) => {}
                (None, false) => return Err(Trouble::Unsure),
            }
        }
        inner.store.registration_gone(map, inner.now()).await?;
        Ok(Settled::Gone)
    }
}

/// A failure in words for the owner.
pub(super) fn problem(name: &str, trouble: &Trouble) -> String {
    match trouble {
        Trouble::Am(error) => match error.kind() {
            UmaKind::Unreachable | UmaKind::Timeout | UmaKind::Unavailable => {
                format!("{name} can't be reached; nobody is let in, and this site will try again")
            }
            UmaKind::NeedsConsent | UmaKind::PatDead | UmaKind::InsufficientScope => {
                format!("your connection to {name} has ended; connect again")
            }
            UmaKind::NotFound | UmaKind::InvalidResourceId => {
                format!(
                    "{name} says that it does not know it, but it may be there; nobody is let in"
                )
            }
            UmaKind::PreconditionFailed => format!(
                "it is being changed at {name} by somebody else; nobody is let in, and this site will try again"
            ),
            UmaKind::InvalidScope => format!(
                "{name} does not accept what may be done with it; share it with other actions"
            ),
            UmaKind::Refused | UmaKind::Conflict | UmaKind::Unsupported => {
                format!(
                    "{name} did not register it; nobody is let in until you share it again or stop sharing it"
                )
            }
            _ => format!(
                "{name} answered in a way that this site can't trust; nobody is let in, and this site will try again"
            ),
        },
        Trouble::Store(_) => {
            String::from("this site could not store what it has done; it will try again")
        }
        Trouble::Unsure => {
            format!("{name} does not say all that it has; this site will look again")
        }
    }
}
