//! The PATs in use: one keeper for each owner and AM.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tower_warden::OwnerId;
use uma_client::{Clock, Error, Issuer, PatGrant, PatKeeper, PatState, PatStore, StoredPat};

use super::AmEntry;
use crate::AnyStore;
use crate::store::Store as _;

/// Most keepers in memory; one that is dropped is made again from the store when it is needed.
const MOST: usize = 10_000;

/// The keepers in memory.
pub(crate) struct Keepers {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_owner: HashMap<(OwnerId, Issuer), Entry>,
    clock: u64,
}

struct Entry {
    keeper: Arc<PatKeeper>,
    used: u64,
}

impl Keepers {
    pub(crate) fn new() -> Self {
        Self {
            kept: Mutex::new(Kept::default()),
        }
    }

    /// The keeper of an owner's PAT at an AM: the same one for all, so that a PAT is renewed once.
    pub(crate) fn of(
        &self,
        store: &AnyStore,
        clock: &Arc<dyn Clock>,
        owner: &OwnerId,
        am: &AmEntry,
    ) -> Arc<PatKeeper> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let now = kept.clock;
        let key = (owner.clone(), am.issuer().clone());
        if let Some(entry) = kept.by_owner.get_mut(&key) {
            entry.used = now;
            return Arc::clone(&entry.keeper);
        }
        if kept.by_owner.len() >= MOST {
            kept.make_room();
        }
        let pats = StoredPats {
            store: store.clone(),
            owner: owner.clone(),
            issuer: am.issuer().clone(),
            consent: AtomicI64::new(0),
        };
        let keeper = Arc::new(PatKeeper::new(
            am.client.clone(),
            PatGrant::OwnerConsent,
            pats,
            Arc::clone(clock),
        ));
        let entry = Entry {
            keeper: Arc::clone(&keeper),
            used: now,
        };
        kept.by_owner.insert(key, entry);
        keeper
    }

    /// Forgets what is in memory of an owner's PAT, after a new consent.
    pub(crate) fn forget(&self, owner: &OwnerId, issuer: &Issuer) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_owner.remove(&(owner.clone(), issuer.clone()));
    }

    /// Forgets all keepers of an AM, after the host's client there has changed.
    pub(crate) fn forget_am(&self, issuer: &Issuer) {
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
    owner: OwnerId,
    issuer: Issuer,
    /// The consent that what was loaded goes back to: a renewal must not be written over a later one.
    consent: AtomicI64,
}

impl PatStore for StoredPats {
    async fn load(&self) -> Result<PatState, Error> {
        let (state, consent) = self
            .store
            .pat(&self.owner, &self.issuer)
            .await
            .map_err(|error| Error::store("loading a PAT", error))?;
        self.consent.store(consent, Ordering::SeqCst);
        Ok(state)
    }

    async fn save(&self, pat: &StoredPat) -> Result<(), Error> {
        let consent = self.consent.load(Ordering::SeqCst);
        let saved = self
            .store
            .pat_renewed(&self.owner, &self.issuer, consent, pat)
            .await
            .map_err(|error| Error::store("saving a PAT", error))?;
        if saved {
            Ok(())
        } else {
            Err(Error::store(
                "saving a PAT",
                "the owner has consented anew meanwhile",
            ))
        }
    }

    async fn needs_consent(&self) -> Result<(), Error> {
        let consent = self.consent.load(Ordering::SeqCst);
        self.store
            .consent_ended(&self.owner, &self.issuer, consent)
            .await
            .map(drop)
            .map_err(|error| Error::store("noting that an owner has to consent", error))
    }
}
