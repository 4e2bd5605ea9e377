//! Bringing the store and the AMs together: the AM's half of the saga.

mod account;
mod patience;
mod settle;

use tokio::task::JoinSet;
use tower_warden::OwnerId;
use uma_client::Issuer;

use crate::host::am_trouble;
use crate::store::{MapRecord, Orphan, RowState, Store as _};
use crate::{Error, ErrorKind, Host};

use account::Account;
pub(crate) use patience::Patience;
use patience::next_try;
pub(crate) use settle::Settled;
use settle::problem;

/// Most rows of one AM in one run.
const MOST_ROWS: u32 = 128;
/// Most AMs that are worked at at once.
const MOST_AMS: usize = 8;
/// How long tombstones stay after the AM has forgotten them, in seconds: nodes that follow the epoch learn from them.
const TOMBSTONES: i64 = 24 * 60 * 60;

/// What a run of the reconciler did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reconciled {
    /// Resources that are active and in step again: registered, adopted, found again, or told a new name.
    pub activated: usize,
    /// Registrations that are gone from an AM, as nobody shares them any more.
    pub deleted: usize,
    /// Resources proved gone at their AM.
    pub lost: usize,
    /// Work that is left for a later run, for trouble with an AM or a PAT.
    pub deferred: usize,
}

impl Reconciled {
    fn add(&mut self, other: Self) {
        self.activated += other.activated;
        self.deleted += other.deleted;
        self.lost += other.lost;
        self.deferred += other.deferred;
    }

    fn count(&mut self, settled: &Settled) {
        match settled {
            Settled::Active(_) => self.activated += 1,
            Settled::Gone => self.deleted += 1,
            Settled::Lost => self.lost += 1,
            Settled::MovedOn => {}
            Settled::Failed(_) => self.deferred += 1,
        }
    }
}

/// What kept a step from being done.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The AM, or the PAT.
    Am(uma_client::Error),
    /// The store.
    Store(Error),
    /// The AM did not say enough to go on.
    Unsure,
}

impl From<uma_client::Error> for Trouble {
    fn from(error: uma_client::Error) -> Self {
        Self::Am(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl Trouble {
    /// Whether the owner's PAT is the trouble: nothing else of this owner can be done.
    fn is_pat(&self) -> bool {
        use uma_client::ErrorKind as Uma;
        let Self::Am(error) = self else { return false };
        matches!(
            error.kind(),
            Uma::NeedsConsent | Uma::PatDead | Uma::InsufficientScope
        )
    }

    /// Whether the AM as a whole is the trouble: nothing else at this AM can be done.
    fn is_am(&self) -> bool {
        use uma_client::ErrorKind as Uma;
        let Self::Am(error) = self else { return false };
        matches!(
            error.kind(),
            Uma::Unreachable
                | Uma::Timeout
                | Uma::Unavailable
                | Uma::IssuerMismatch
                | Uma::Insecure
        )
    }
}

/// Work of one owner.
enum Due {
    Map(Box<MapRecord>),
    Orphan(Orphan),
}

impl Due {
    fn owner(&self) -> &OwnerId {
        match self {
            Self::Map(map) => &map.owner,
            Self::Orphan(orphan) => &orphan.owner,
        }
    }
}

impl Host {
    /// One run. `all` takes what failed a moment ago, too.
    pub(crate) async fn reconcile_once(&self, all: bool) -> Result<Reconciled, Error> {
        let inner = &self.inner;
        let _alone = inner.reconciling.lock().await;
        inner.publish().await?;
        let until = if all { i64::MAX } else { inner.now() };
        let mut done = Reconciled::default();
        let mut at_work: JoinSet<Result<Reconciled, Error>> = JoinSet::new();
        let mut failed = None;
        let mut finish =
            |result: Result<Result<Reconciled, Error>, tokio::task::JoinError>| match result {
                Ok(Ok(part)) => done.add(part),
                Ok(Err(error)) => failed = Some(error),
                Err(error) => {
                    tracing::error!(error = %error, "reconciling at an AM ended in a panic");
                }
            };
        for issuer in inner.store.ams_due(until).await? {
            if !all && !inner.patience.is_over(&issuer, inner.clock.monotonic()) {
                continue;
            }
            if at_work.len() >= MOST_AMS
                && let Some(result) = at_work.join_next().await
            {
                finish(result);
            }
            let host = self.clone();
            // One AM that hangs holds up no other.
            at_work.spawn(async move { host.reconcile_am(&issuer, until).await });
        }
        while let Some(result) = at_work.join_next().await {
            finish(result);
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let now = inner.now();
        inner
            .store
            .swept(now, now.saturating_sub(TOMBSTONES))
            .await?;
        Ok(done)
    }

    async fn reconcile_am(&self, issuer: &Issuer, until: i64) -> Result<Reconciled, Error> {
        let inner = &self.inner;
        let mut done = Reconciled::default();
        let am = match inner.am(issuer).await {
            Ok(am) => am,
            Err(error) if error.kind() == ErrorKind::UnknownAm => {
                tracing::warn!(am = %issuer, "work is due at an AM that this host no longer works with");
                return Ok(done);
            }
            Err(error) => return Err(error),
        };
        let maps = inner.store.maps_due(issuer, until, MOST_ROWS).await?;
        let orphans = inner.store.orphans_due(issuer, until, MOST_ROWS).await?;
        let mut due: Vec<Due> = maps
            .into_iter()
            .map(|map| Due::Map(Box::new(map)))
            .chain(orphans.into_iter().map(Due::Orphan))
            .collect();
        due.sort_by(|a, b| a.owner().cmp(b.owner()));
        let mut due = due.into_iter().peekable();
        while let Some(first) = due.next() {
            let owner = first.owner().clone();
            let mut account = Account::new(self, &am, &owner);
            let mut next = Some(first);
            let mut pat_trouble = false;
            while let Some(work) = next {
                let settled = if pat_trouble {
                    self.defer(&work).await?;
                    Settled::Failed(Error::new(ErrorKind::NeedsConsent, ""))
                } else {
                    match self.reconcile_one(&mut account, &work).await {
                        Ok(settled) => settled,
                        Err(Trouble::Store(error)) => return Err(error),
                        Err(trouble) => {
                            self.failed(&am, &work, &trouble).await?;
                            if trouble.is_am() {
                                done.deferred += 1 + due.count();
                                return Ok(done);
                            }
                            // A PAT that is dead proves nothing about any resource: nothing is deleted, nothing is lost.
                            pat_trouble = trouble.is_pat();
                            Settled::Failed(Error::new(ErrorKind::AmRefused, ""))
                        }
                    }
                };
                done.count(&settled);
                next = due.next_if(|work| *work.owner() == owner);
            }
        }
        inner.patience.end(issuer);
        Ok(done)
    }

    async fn reconcile_one(
        &self,
        account: &mut Account<'_>,
        work: &Due,
    ) -> Result<Settled, Trouble> {
        match work {
            Due::Orphan(orphan) => account.clear_orphan(orphan).await,
            Due::Map(map) => {
                let key = (map.site.clone(), map.path_key.clone());
                let _alone = self.inner.paths.lock(key).await;
                let now = self.inner.store.map_at(&map.site, &map.path_key).await?;
                match now {
                    Some(now) if now.id == map.id && is_due(&now) => {
                        account.settle(&now, false).await
                    }
                    _ => Ok(Settled::MovedOn),
                }
            }
        }
    }

    /// Does what is to be done about one row at once, and notes a failure.
    pub(crate) async fn settle_one(
        &self,
        am: &crate::host::AmEntry,
        map: &MapRecord,
        fresh: bool,
    ) -> Result<Settled, Error> {
        let mut account = Account::new(self, am, &map.owner);
        match account.settle(map, fresh).await {
            Ok(settled) => Ok(settled),
            Err(Trouble::Store(error)) => Err(error),
            Err(trouble) => {
                self.failed(am, &Due::Map(Box::new(map.clone())), &trouble)
                    .await?;
                let error = match trouble {
                    Trouble::Am(error) => am_trouble(am.name(), error),
                    Trouble::Store(error) => error,
                    Trouble::Unsure => Error::new(
                        ErrorKind::AmRefused,
                        format!("{} did not say what it has", am.name()),
                    ),
                };
                Ok(Settled::Failed(error))
            }
        }
    }

    /// Notes that work failed, and when to try again.
    async fn failed(
        &self,
        am: &crate::host::AmEntry,
        work: &Due,
        trouble: &Trouble,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        let after = match trouble {
            Trouble::Am(error) => error.retry_after(),
            _ => None,
        };
        if trouble.is_am() {
            inner
                .patience
                .begin(am.issuer(), inner.clock.monotonic(), after);
        }
        match work {
            Due::Map(map) => {
                tracing::info!(am = %am.issuer(), map = %map.id, trouble = ?trouble, "a resource is not in step with its AM yet");
                let next = next_try(inner.now(), map.attempts, after);
                inner
                    .store
                    .share_failed(map, &problem(am.name(), trouble), next)
                    .await
            }
            Due::Orphan(orphan) => {
                let next = next_try(inner.now(), orphan.attempts, after);
                inner.store.orphan_failed(orphan.id, next).await
            }
        }
    }

    /// Puts off work of an owner whose PAT is dead, so that it does not stand in the way of others'.
    async fn defer(&self, work: &Due) -> Result<(), Error> {
        let inner = &self.inner;
        match work {
            Due::Map(map) => {
                let next = next_try(inner.now(), map.attempts, None);
                let text = "your connection has ended; connect again";
                inner.store.share_failed(map, text, next).await
            }
            Due::Orphan(orphan) => {
                let next = next_try(inner.now(), orphan.attempts, None);
                inner.store.orphan_failed(orphan.id, next).await
            }
        }
    }
}

/// Whether something is to be done about a row.
fn is_due(map: &MapRecord) -> bool {
    match map.state {
        _ if map.broken => false,
        RowState::Pending | RowState::Suspect => true,
        RowState::Active => !map.synced,
        RowState::Lost => false,
        RowState::Tombstone => map.resource_id.is_some() || map.perhaps,
    }
}
