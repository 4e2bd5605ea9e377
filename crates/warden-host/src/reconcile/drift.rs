//! Whether an AM still has what is shared, and nothing of ours besides.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tower_warden::OwnerId;
use uma_client::ResourceId;

use super::Trouble;
use super::account::{Account, MOST_LOOKS, is_not_found};
use crate::host::{Work, am_trouble};
use crate::maps::uri_of_key;
use crate::store::{Holding, Store as _};
use crate::{AmChoice, ConnectionState, Error, ErrorKind, Host, Notice};

/// Most owners that are remembered as having had visitors.
const MOST_VISITED: usize = 100_000;
/// Fewer missing resources than these are looked into one by one, however large a part of all they are.
const FEW: usize = 5;

/// When the host looks whether AMs have what it thinks they have, and what it does about what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct DriftPolicy {
    pub(crate) every: Option<Duration>,
    pub(crate) alarm_percent: u8,
    pub(crate) removes_surplus: bool,
}

impl Default for DriftPolicy {
    /// Once a day for owners who had visitors since; an alarm above 20 %; our own surplus is removed.
    fn default() -> Self {
        Self {
            every: Some(Duration::from_secs(24 * 60 * 60)),
            alarm_percent: 20,
            removes_surplus: true,
        }
    }
}

impl DriftPolicy {
    /// How often [`Host::spawn_reconciler`] looks; `None` is never. Only those owners are looked at for whose resources an
    /// AM was asked since: idle owners cost their AM nothing.
    pub fn every(mut self, every: Option<Duration>) -> Self {
        self.every = every;
        self
    }

    /// Above which part of an owner's resources missing, in percent, nothing is believed and an alarm is given instead.
    pub fn alarm_percent(mut self, percent: u8) -> Self {
        self.alarm_percent = percent.min(100);
        self
    }

    /// Whether registrations with a marker of this host that nothing here stands for are deleted at the AM. Switch it off
    /// for a host that shares its label with another one, or after a backup was restored.
    pub fn removes_surplus(mut self, removes: bool) -> Self {
        self.removes_surplus = removes;
        self
    }

    fn is_alarming(self, part: usize, of: usize) -> bool {
        part >= FEW && part * 100 > of * usize::from(self.alarm_percent)
    }
}

/// What an AM has of an owner, against what is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drift {
    /// The AM.
    pub am: AmChoice,
    /// How many active resources there are here.
    pub shared: usize,
    /// How many the AM listed.
    pub listed: usize,
    /// Whether the list holds all. Where not, absence from it means nothing, and `missing` is empty.
    pub complete: bool,
    /// The paths of active resources that the AM did not list, percent-encoded.
    pub missing: Vec<String>,
    /// How many of those the AM does not know when it is asked for them, either: they are denied and looked into.
    pub suspected: usize,
    /// Registrations with a marker of this host that nothing here stands for.
    pub surplus: usize,
    /// How many of those were deleted at the AM.
    pub removed: usize,
    /// Whether so much was missing or surplus that nothing was changed.
    pub alarm: bool,
}

/// Owners for whose resources an AM was asked of late.
#[derive(Debug, Default)]
pub(crate) struct Visited(Mutex<HashSet<OwnerId>>);

impl Visited {
    pub(crate) fn note(&self, owner: &OwnerId) {
        let mut visited = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if visited.len() < MOST_VISITED && !visited.contains(owner) {
            visited.insert(owner.clone());
        }
    }

    fn take(&self) -> HashSet<OwnerId> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Host {
    /// Looks at the owners who had visitors since the last time, one after the other.
    pub(crate) async fn drift_once(&self) -> Result<usize, Error> {
        let owners = self.inner.visited.take();
        let mut looked = 0;
        for owner in owners {
            match self.drift_of(&owner, self.inner.drift).await {
                Ok(_) => looked += 1,
                Err(error) if error.kind() == ErrorKind::Store => return Err(error),
                Err(error) => {
                    tracing::info!(error = %error, "an owner's AM could not be looked at");
                }
            }
        }
        Ok(looked)
    }

    /// Looks at all owners who share something, unless another node does. The store has forgotten something: what AMs have
    /// beyond it may be what owners shared last, with their rules, and stays there.
    pub(crate) async fn drift_by_one(&self) -> Result<(), Error> {
        let Some(claim) = self.inner.worker.claim(Work::Drift).await? else {
            return Ok(());
        };
        let looked = self
            .drift_of_all(self.inner.drift.removes_surplus(false))
            .await;
        claim.release().await;
        for (owner, drift) in looked? {
            tracing::error!(
                owner = owner.as_str(),
                missing = drift.missing.len(),
                surplus = drift.surplus,
                "after the store went back in time, an AM has other things than this host"
            );
        }
        Ok(())
    }

    pub(crate) async fn drift_of_all(
        &self,
        policy: DriftPolicy,
    ) -> Result<Vec<(OwnerId, Drift)>, Error> {
        let store = &self.inner.store;
        let mut drifts = Vec::new();
        let mut after = String::new();
        loop {
            let owners = store.sharing_owners(&after, 256).await?;
            let Some(last) = owners.last() else {
                return Ok(drifts);
            };
            after = last.as_str().to_owned();
            for owner in owners {
                match self.drift_of(&owner, policy).await {
                    Ok(drift) => {
                        let in_step = drift.missing.is_empty() && drift.surplus == 0;
                        if !in_step {
                            drifts.push((owner, drift));
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::Store => return Err(error),
                    Err(error) => {
                        tracing::info!(error = %error, "an owner's AM could not be looked at");
                    }
                }
            }
        }
    }

    pub(crate) async fn drift_of(
        &self,
        owner: &OwnerId,
        policy: DriftPolicy,
    ) -> Result<Drift, Error> {
        let inner = &self.inner;
        let connection = inner.store.connection(owner).await?;
        let connection = connection
            .filter(|connection| connection.state == ConnectionState::Connected)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::NotConnected,
                    "there is no connection to look through",
                )
            })?;
        let am = inner.am(&connection.issuer).await?;
        let into_error = |trouble: Trouble| match trouble {
            Trouble::Am(error) => am_trouble(am.name(), error),
            Trouble::Store(error) => error,
            Trouble::Unsure => Error::new(ErrorKind::AmRefused, "the AM did not say what it has"),
        };
        let account = Account::paced(self, &am, owner)
            .await
            .map_err(|error| into_error(error.into()))?;
        let drift = account.compare(policy).await.map_err(into_error)?;
        if drift.alarm {
            tracing::error!(
                am = %connection.issuer, missing = drift.missing.len(), surplus = drift.surplus, shared = drift.shared,
                "an AM and this host are far apart; nothing was changed"
            );
            let notice = Notice::Drift {
                am: drift.am.clone(),
                missing: drift.missing.len(),
                of: drift.shared,
            };
            inner.notify.tell(owner, notice);
        } else if drift.suspected > 0 {
            inner.publish().await?;
            inner.wake_reconciler();
        }
        Ok(drift)
    }
}

impl Account<'_> {
    /// One list, compared with what is here. In step, that is all it costs.
    async fn compare(&self, policy: DriftPolicy) -> Result<Drift, Trouble> {
        let inner = &self.host.inner;
        let list = self.caller.list().await?;
        // After the list: what was shared meanwhile is not in it, and what is in it is here.
        let holdings = self.holdings().await?;
        let listed: HashSet<&ResourceId> = list.ids.iter().collect();
        let active = holdings.iter().filter(|holding| holding.active);
        let shared = active.clone().count();
        let absent: Vec<&Holding> = active
            .filter(|holding| {
                holding
                    .resource_id
                    .as_ref()
                    .is_some_and(|id| list.complete && !listed.contains(id))
            })
            .collect();
        let known: HashSet<&ResourceId> = holdings
            .iter()
            .filter_map(|holding| holding.resource_id.as_ref())
            .collect();
        let unknown: Vec<&ResourceId> = list.ids.iter().filter(|id| !known.contains(id)).collect();
        let surplus = self.surplus_among(&unknown, &holdings).await?;
        let mut drift = Drift {
            am: inner.ams.choice(self.am.issuer()),
            shared,
            listed: list.ids.len(),
            complete: list.complete,
            missing: absent
                .iter()
                .map(|holding| uri_of_key(&holding.path_key))
                .collect(),
            suspected: 0,
            surplus: surplus.len(),
            removed: 0,
            alarm: policy.is_alarming(absent.len(), shared)
                || policy.is_alarming(surplus.len(), list.ids.len()),
        };
        if drift.alarm {
            return Ok(drift);
        }
        for holding in absent.into_iter().take(MOST_LOOKS) {
            drift.suspected += usize::from(self.suspect(holding).await?);
        }
        if policy.removes_surplus {
            for id in surplus {
                self.delete(&id, None).await?;
                tracing::info!(am = %self.am.issuer(), "a registration that nothing here stands for was deleted");
                drift.removed += 1;
            }
        }
        Ok(drift)
    }

    /// A list may be wrong: the AM is asked for the one resource before it comes under suspicion.
    async fn suspect(&self, holding: &Holding) -> Result<bool, Trouble> {
        let inner = &self.host.inner;
        let (Some(map), Some(id)) = (holding.map, &holding.resource_id) else {
            return Ok(false);
        };
        match self.read(id).await {
            Ok(_) => Ok(false),
            Err(error) if is_not_found(&error) => {
                Ok(inner.store.share_suspected(map, id, inner.now()).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Those of `unknown` that bear a marker of ours which stands for nothing, or for something that is registered under
    /// another id.
    async fn surplus_among(
        &self,
        unknown: &[&ResourceId],
        holdings: &[Holding],
    ) -> Result<Vec<ResourceId>, Trouble> {
        let mut surplus = Vec::new();
        for id in unknown.iter().take(MOST_LOOKS) {
            let read = match self.read(id).await {
                Ok(read) => read,
                Err(error) if is_not_found(&error) => continue,
                Err(error) => return Err(error.into()),
            };
            let name = read.description.name.unwrap_or_default();
            let Some(marker) = self.marker_in(&name) else {
                continue;
            };
            let here = holdings.iter().find(|holding| holding.marker == marker);
            // What has no id yet waits for just this registration; what is suspect may.
            if here.is_none_or(|holding| holding.active) {
                surplus.push((*id).clone());
            }
        }
        Ok(surplus)
    }
}
