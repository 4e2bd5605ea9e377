//! The PATs in use: one keeper for each owner and AM.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tower_warden::OwnerId;
use uma_client::{
    AmClient, Clock, Error, ErrorKind, Issuer, MemoryPatStore, PatGrant, PatKeeper, PatState,
    PatStore, RenewalClaim, StoredPat,
};

use super::work::Work;
use super::{AmEntry, Worker};
use crate::notify::AnyNotify;
use crate::store::Store as _;
use crate::{AmChoice, AnyStore, Notice, PatStrategy};

/// How long a node waits for another that renews a PAT.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(5);

/// Most keepers in memory; one that is dropped is made again from the store when it is needed.
const MOST: usize = 10_000;

/// The keepers in memory.
pub(crate) struct Keepers {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_owner: HashMap<Key, Entry>,
    clock: u64,
}

type Key = (OwnerId, Issuer);

/// Where the host is the owner at the AM, all owners have one PAT.
fn key(owner: &OwnerId, issuer: &Issuer, strategy: PatStrategy) -> Key {
    let owner = match strategy {
        PatStrategy::HostCredentials => OwnerId::new(""),
        PatStrategy::OwnerConsent | PatStrategy::OwnerCredentials => owner.clone(),
    };
    (owner, issuer.clone())
}

/// A keeper whose PATs are fetched whenever there is none: nothing of them has to be kept.
fn by_client(client: AmClient, clock: &Arc<dyn Clock>) -> PatKeeper {
    let store = MemoryPatStore::new();
    PatKeeper::new(
        client,
        PatGrant::ClientCredentials,
        store,
        Arc::clone(clock),
    )
}

struct Entry {
    keeper: Arc<PatKeeper>,
    /// Whether it is made anew from a client, which another node may have been given anew.
    by_client: bool,
    used: u64,
}

impl Keepers {
    pub(crate) fn new() -> Self {
        Self {
            kept: Mutex::new(Kept::default()),
        }
    }

    /// The keeper of an owner's PAT at an AM: the same one for all, so that a PAT is renewed once.
    pub(crate) async fn of(
        &self,
        store: &AnyStore,
        worker: &Worker,
        clock: &Arc<dyn Clock>,
        notify: &AnyNotify,
        owner: &OwnerId,
        am: &AmEntry,
    ) -> Result<Arc<PatKeeper>, Error> {
        let key = key(owner, am.issuer(), am.setting.pat);
        if let Some(keeper) = self.remembered(&key) {
            return Ok(keeper);
        }
        let keeper = match am.setting.pat {
            PatStrategy::OwnerConsent => {
                let pats = StoredPats {
                    store: store.clone(),
                    worker: worker.clone(),
                    owner: owner.clone(),
                    am: AmChoice::of(&am.setting),
                    notify: notify.clone(),
                    consent: AtomicI64::new(0),
                };
                let client = am.client.clone();
                PatKeeper::new(client, PatGrant::OwnerConsent, pats, Arc::clone(clock))
            }
            PatStrategy::HostCredentials => by_client(am.client.clone(), clock),
            PatStrategy::OwnerCredentials => {
                let client = store
                    .owner_client(owner, am.issuer())
                    .await
                    .map_err(|error| Error::store("loading an owner's client", error))?
                    .ok_or_else(|| {
                        Error::new(
                            ErrorKind::NeedsConsent,
                            "the owner has given no client for this AM",
                        )
                    })?;
                by_client(am.client.with_credentials(client), clock)
            }
        };
        let by_client = am.setting.pat != PatStrategy::OwnerConsent;
        Ok(self.remember(key, keeper, by_client))
    }

    fn remembered(&self, key: &Key) -> Option<Arc<PatKeeper>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let now = kept.clock;
        let entry = kept.by_owner.get_mut(key)?;
        entry.used = now;
        Some(Arc::clone(&entry.keeper))
    }

    /// Remembers a keeper, unless another one came first.
    fn remember(&self, key: Key, keeper: PatKeeper, by_client: bool) -> Arc<PatKeeper> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.by_owner.len() >= MOST {
            kept.make_room();
        }
        let used = kept.clock;
        let entry = kept.by_owner.entry(key).or_insert_with(|| Entry {
            keeper: Arc::new(keeper),
            by_client,
            used,
        });
        Arc::clone(&entry.keeper)
    }

    /// Forgets what is in memory of an owner's PAT, after a new consent.
    pub(crate) fn forget(&self, owner: &OwnerId, issuer: &Issuer) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = kept.by_owner.remove(&(owner.clone(), issuer.clone())) {
            // Whoever works with it just now must not go on with what is no longer held.
            entry.keeper.forget();
        }
    }

    /// Drops the keepers of an owner, or of all, whose PATs are had by a client: it may have been replaced on another node.
    /// What is kept in the store is looked up there whenever it is renewed.
    pub(crate) fn drop_clients(&self, owner: Option<&OwnerId>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_owner
            .retain(|(of, _), entry| !entry.by_client || owner.is_some_and(|owner| owner != of));
    }

    /// Drops all keepers of an AM, after the host's client there has changed. Who works with one goes on with it: what the
    /// AM gives must be saved.
    pub(crate) fn drop_am(&self, issuer: &Issuer) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_owner.retain(|(_, of), _| of != issuer);
    }
}

impl Kept {
    /// Drops the half that was used longest ago, but none that somebody works with: two at work could renew twice.
    fn make_room(&mut self) {
        let mut used: Vec<u64> = self.by_owner.values().map(|entry| entry.used).collect();
        let middle = used.len() / 2;
        let (_, &mut median, _) = used.select_nth_unstable(middle);
        self.by_owner
            .retain(|_, entry| entry.used >= median || Arc::strong_count(&entry.keeper) > 1);
    }
}

/// The PAT of one owner at one AM, in the store.
struct StoredPats {
    store: AnyStore,
    worker: Worker,
    owner: OwnerId,
    am: AmChoice,
    notify: AnyNotify,
    /// The consent that what was loaded goes back to: a renewal must not be written over a later one.
    consent: AtomicI64,
}

impl StoredPats {
    fn told(&self, ended: bool) {
        if ended {
            let am = self.am.clone();
            self.notify.tell(&self.owner, Notice::ConsentNeeded { am });
        }
    }
}

impl PatStore for StoredPats {
    async fn load(&self) -> Result<PatState, Error> {
        match self.store.pat(&self.owner, &self.am.issuer).await {
            Ok((state, consent)) => {
                self.consent.store(consent, Ordering::SeqCst);
                Ok(state)
            }
            Err(error) if error.kind() == crate::ErrorKind::Sealed => {
                // The keys of this store fit, or it would not have started: it is this one value that is damaged.
                tracing::error!(am = %self.am.issuer, error = %error, "a stored PAT can't be unsealed; its owner has to connect again");
                let ended = self
                    .store
                    .consent_unreadable(&self.owner, &self.am.issuer)
                    .await
                    .map_err(|error| Error::store("noting that a PAT is damaged", error))?;
                self.told(ended);
                Ok(PatState::NeedsConsent)
            }
            Err(error) => Err(Error::store("loading a PAT", error)),
        }
    }

    async fn save(&self, pat: &StoredPat) -> Result<(), Error> {
        let consent = self.consent.load(Ordering::SeqCst);
        let saved = self
            .store
            .pat_renewed(&self.owner, &self.am.issuer, consent, pat)
            .await
            .map_err(|error| Error::store("saving a PAT", error))?;
        if saved {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::Conflict,
                "the owner has consented anew meanwhile",
            ))
        }
    }

    async fn needs_consent(&self) -> Result<(), Error> {
        let consent = self.consent.load(Ordering::SeqCst);
        let ended = self
            .store
            .consent_ended(&self.owner, &self.am.issuer, consent)
            .await
            .map_err(|error| Error::store("noting that an owner has to consent", error))?;
        self.told(ended);
        Ok(())
    }

    async fn claim_renewal(&self) -> Result<RenewalClaim, Error> {
        let work = Work::Pat(&self.owner, &self.am.issuer);
        match self.worker.claim_within(work, RENEWAL_PATIENCE).await {
            Ok(Some(claim)) => Ok(RenewalClaim::held(claim)),
            Ok(None) => Err(Error::store(
                "claiming the renewal of a PAT",
                "another node is renewing it",
            )),
            Err(error) => Err(Error::store("claiming the renewal of a PAT", error)),
        }
    }
}
