//! Work that is done once, whichever node does it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};
use tower_warden::{MapId, OwnerId};
use uma_client::Issuer;
use uuid::Uuid;

use crate::am_key::am_key;
use crate::store::Store as _;
use crate::{AnyStore, Error};

/// How long work stays with a node that has ended without a word, unless the host says otherwise.
pub(crate) const WORK_LEASE: Duration = Duration::from_secs(10);
/// How often a node looks whether another is done.
const LOOK: Duration = Duration::from_millis(50);

/// What is to be done once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work<'a> {
    /// Bringing what is at an AM in step.
    Am(&'a Issuer),
    /// What is at an AM of one map.
    Map(MapId),
    /// Going on with an owner's move.
    Move(&'a OwnerId),
    /// Renewing an owner's PAT.
    Pat(&'a OwnerId, &'a Issuer),
    /// Looking whether AMs have what is shared.
    Drift,
}

impl Work<'_> {
    fn name(self) -> String {
        match self {
            Self::Am(issuer) => format!("am {}", am_key(issuer)),
            Self::Map(map) => format!("map {map}"),
            Self::Move(owner) => format!("move {owner}"),
            Self::Pat(owner, issuer) => format!("pat {} {owner}", am_key(issuer)),
            Self::Drift => String::from("drift"),
        }
    }
}

/// Who claims work for this node.
#[derive(Clone)]
pub(crate) struct Worker {
    store: AnyStore,
    lease: Duration,
}

impl Worker {
    pub(crate) const fn new(store: AnyStore, lease: Duration) -> Self {
        Self { store, lease }
    }

    /// Claims work; `None` while another claim holds it.
    pub(crate) async fn claim(&self, work: Work<'_>) -> Result<Option<Claim>, Error> {
        let (claim, held) = self.claim_some([work]).await?;
        Ok(held.first().is_some_and(|held| *held).then_some(claim))
    }

    /// Claims pieces of work, and says of each whether it is held.
    pub(crate) async fn claim_some(
        &self,
        works: impl IntoIterator<Item = Work<'_>>,
    ) -> Result<(Claim, Vec<bool>), Error> {
        let mut works: Vec<String> = works.into_iter().map(Work::name).collect();
        let holder = Uuid::new_v4().to_string();
        let held = self.store.work_claimed(&works, &holder, self.lease).await?;
        let mut ours = held.iter();
        works.retain(|_| ours.next().is_some_and(|held| *held));
        let held_works: Arc<[String]> = works.into();
        let renewing = (!held_works.is_empty()).then(|| {
            let (this, works, holder) = (self.clone(), Arc::clone(&held_works), holder.clone());
            tokio::spawn(async move { this.prolong(&works, &holder).await }).abort_handle()
        });
        let claim = Claim {
            store: self.store.clone(),
            works: held_works,
            holder,
            renewing,
        };
        Ok((claim, held))
    }

    /// Claims work, and waits for it if need be; `None` if another claim still holds it then.
    pub(crate) async fn claim_within(
        &self,
        work: Work<'_>,
        patience: Duration,
    ) -> Result<Option<Claim>, Error> {
        let end = Instant::now() + patience;
        let mut look = LOOK / 16;
        loop {
            if let Some(claim) = self.claim(work).await? {
                return Ok(Some(claim));
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            sleep(look).await;
            look = (look * 2).min(LOOK);
        }
    }

    async fn prolong(&self, works: &[String], holder: &str) {
        loop {
            sleep(self.lease / 3).await;
            match self.store.work_claimed(works, holder, self.lease).await {
                Ok(held) if held.iter().all(|held| *held) => {}
                // It goes on: whatever is done twice is found out and mended, and half a thing helps nobody.
                Ok(_) => {
                    tracing::warn!(
                        "work took so long without a sign of life that another node may have begun it"
                    );
                    return;
                }
                Err(error) => {
                    tracing::warn!(error = %error, "a claim to work could not be prolonged");
                }
            }
        }
    }
}

/// A claim to work, until it is dropped.
pub(crate) struct Claim {
    store: AnyStore,
    works: Arc<[String]>,
    holder: String,
    renewing: Option<AbortHandle>,
}

impl Claim {
    /// Gives the work back, and waits until others can have it. One that can't be given back ends by itself.
    pub(crate) async fn release(mut self) {
        self.stop_renewing();
        let works = std::mem::take(&mut self.works);
        if !works.is_empty() {
            give_back(&self.store, &works, &self.holder).await;
        }
    }

    fn stop_renewing(&self) {
        if let Some(renewing) = &self.renewing {
            renewing.abort();
        }
    }
}

async fn give_back(store: &AnyStore, works: &[String], holder: &str) {
    if let Err(error) = store.work_released(works, holder).await {
        tracing::info!(error = %error, "a claim to work was not given back; it ends by itself");
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.stop_renewing();
        if self.works.is_empty() {
            return;
        }
        let (store, works) = (self.store.clone(), Arc::clone(&self.works));
        let holder = std::mem::take(&mut self.holder);
        // Without a runtime the process ends, and the lease with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { give_back(&store, &works, &holder).await });
        }
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("works", &self.works)
            .finish_non_exhaustive()
    }
}
