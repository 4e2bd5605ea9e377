//! Bringing the store and the AMs together: the AM's half of the saga.

mod account;
mod batch;
mod caller;
mod drift;
mod moving;
mod patience;
mod settle;
mod trouble;

use std::collections::{HashMap, HashSet};

use tokio::task::JoinSet;
use tower_warden::OwnerId;
use uma_client::Issuer;

use crate::host::{AmEntry, Work, am_trouble};
use crate::store::{MapRecord, Orphan, RowState, Store as _};
use crate::{Error, ErrorKind, Host};

pub(crate) use account::Account;
use account::Found;
pub(crate) use drift::Visited;
pub use drift::{Drift, DriftPolicy};
pub(crate) use patience::Patience;
use patience::next_try;
pub(crate) use settle::Settled;
use settle::problem;
pub(crate) use trouble::Trouble;

/// Rows of one AM that are read at once.
const MOST_ROWS: u32 = 128;
/// How often more of them are read in one run.
const MOST_ROUNDS: usize = 128;
/// Most moves in one run.
const MOST_MOVES: u32 = 64;
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
    /// Owners who have moved to another AM.
    pub moved: usize,
}

impl Reconciled {
    fn add(&mut self, other: Self) {
        self.activated += other.activated;
        self.deleted += other.deleted;
        self.lost += other.lost;
        self.deferred += other.deferred;
        self.moved += other.moved;
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

/// Work of one owner.
pub(crate) enum Due {
    Map(Box<MapRecord>),
    Orphan(Orphan),
}

impl Due {
    /// Whether it is a resource that the AM is to be told of for the first time, as far as is known.
    fn is_new(&self) -> bool {
        matches!(self, Self::Map(map) if map.state == RowState::Pending && map.resource_id.is_none())
    }

    fn map(self) -> Option<MapRecord> {
        match self {
            Self::Map(map) => Some(*map),
            Self::Orphan(_) => None,
        }
    }

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
        // Moves first: what they leave behind is work for this run.
        for owner in inner.store.moves_due(until, MOST_MOVES).await? {
            if at_work.len() >= MOST_AMS
                && let Some(result) = at_work.join_next().await
            {
                finish(result);
            }
            let host = self.clone();
            at_work.spawn(async move { host.reconcile_move(&owner, all).await });
        }
        while let Some(result) = at_work.join_next().await {
            finish(result);
        }
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
        let before = inner.retention.before(now);
        inner
            .store
            .accesses_kept(&[], inner.retention.most, before)
            .await?;
        Ok(done)
    }

    async fn reconcile_move(&self, owner: &OwnerId, all: bool) -> Result<Reconciled, Error> {
        let inner = &self.inner;
        let mut done = Reconciled::default();
        if let Some(record) = inner.store.move_of(owner).await? {
            let now = inner.clock.monotonic();
            if !all && !inner.patience.is_over(&record.to, now) {
                return Ok(done);
            }
            if self.move_on(owner).await? {
                done.moved += 1;
            } else {
                done.deferred += 1;
            }
        }
        Ok(done)
    }

    async fn reconcile_am(&self, issuer: &Issuer, until: i64) -> Result<Reconciled, Error> {
        let Some(claim) = self.inner.worker.claim(Work::Am(issuer)).await? else {
            // Another node is at it.
            return Ok(Reconciled::default());
        };
        let done = self.reconcile_claimed(issuer, until).await;
        claim.release().await;
        done
    }

    async fn reconcile_claimed(&self, issuer: &Issuer, until: i64) -> Result<Reconciled, Error> {
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
        // What failed in this run waits for the next one.
        let mut seen = HashSet::new();
        let mut seen_orphans = HashSet::new();
        let mut found = HashMap::new();
        for _ in 0..MOST_ROUNDS {
            let maps = inner.store.maps_due(issuer, until, MOST_ROWS).await?;
            let orphans = inner.store.orphans_due(issuer, until, MOST_ROWS).await?;
            let mut due: Vec<Due> = maps
                .into_iter()
                .filter(|map| seen.insert(map.id))
                .map(|map| Due::Map(Box::new(map)))
                .chain(
                    orphans
                        .into_iter()
                        .filter(|orphan| seen_orphans.insert(orphan.id))
                        .map(Due::Orphan),
                )
                .collect();
            if due.is_empty() {
                break;
            }
            due.sort_by(|a, b| a.owner().cmp(b.owner()));
            let mut due = due.into_iter().peekable();
            while let Some(first) = due.next() {
                let owner = first.owner().clone();
                let mut work = vec![first];
                while let Some(more) = due.next_if(|more| *more.owner() == owner) {
                    work.push(more);
                }
                if !self
                    .reconcile_owner(&am, &owner, work, &mut found, &mut done)
                    .await?
                {
                    done.deferred += due.count();
                    return Ok(done);
                }
            }
        }
        inner.patience.end(issuer);
        Ok(done)
    }

    /// One owner's work at an AM. `false` if the AM as a whole is in trouble.
    async fn reconcile_owner(
        &self,
        am: &AmEntry,
        owner: &OwnerId,
        work: Vec<Due>,
        found: &mut HashMap<OwnerId, Found>,
        done: &mut Reconciled,
    ) -> Result<bool, Error> {
        let mut account = match Account::paced(self, am, owner).await {
            Ok(account) => account.with_found(found.remove(owner)),
            Err(error) => {
                return self.put_off(am, work, &Trouble::Am(error), done).await;
            }
        };
        let (new, mut other): (Vec<Due>, Vec<Due>) = work.into_iter().partition(Due::is_new);
        let new = new.into_iter().filter_map(Due::map).map(|map| (map, false));
        let batch = account.register_many(new.collect()).await?;
        done.activated += batch.active;
        done.deferred += batch.waiting - batch.left.len();
        if let Some(trouble) = &batch.trouble {
            other.extend(batch.left.into_iter().map(|map| Due::Map(Box::new(map))));
            return self.put_off(am, other, trouble, done).await;
        }
        let mut other = other.into_iter();
        while let Some(work) = other.next() {
            match self.reconcile_one(&mut account, &work).await {
                Ok(settled) => done.count(&settled),
                Err(Trouble::Store(error)) => return Err(error),
                Err(trouble) => {
                    self.failed(am, &work, &trouble).await?;
                    done.deferred += 1;
                    if trouble.is_am() || trouble.is_pat() {
                        return self.put_off(am, other.collect(), &trouble, done).await;
                    }
                }
            }
        }
        found.extend(account.into_found().map(|found| (owner.clone(), found)));
        self.leave_am(owner, am.issuer()).await?;
        Ok(true)
    }

    /// Leaves work for later. `false` if the AM as a whole is in trouble; a PAT that is dead proves nothing about any
    /// resource: nothing is deleted, nothing is lost, and what waits for it does not stand in the way of others'.
    async fn put_off(
        &self,
        am: &AmEntry,
        work: Vec<Due>,
        trouble: &Trouble,
        done: &mut Reconciled,
    ) -> Result<bool, Error> {
        done.deferred += work.len();
        if trouble.is_am() {
            let inner = &self.inner;
            if inner.patience.is_over(am.issuer(), inner.clock.monotonic()) {
                inner
                    .patience
                    .begin(am.issuer(), inner.clock.monotonic(), None);
            }
            return Ok(false);
        }
        for work in &work {
            self.defer(work).await?;
        }
        Ok(true)
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
                let Some(claim) = self.inner.worker.claim(Work::Map(map.id)).await? else {
                    return Ok(Settled::MovedOn);
                };
                let now = self.inner.store.map_at(&map.site, &map.path_key).await?;
                let settled = match now {
                    Some(now) if now.id == map.id && is_due(&now) => {
                        account.settle(&now, false).await
                    }
                    _ => Ok(Settled::MovedOn),
                };
                claim.release().await;
                settled
            }
        }
    }

    /// Does what is to be done about one row at once, and notes a failure.
    pub(crate) async fn settle_one(
        &self,
        am: &AmEntry,
        map: &MapRecord,
        fresh: bool,
    ) -> Result<Settled, Error> {
        let settled = match Account::new(self, am, &map.owner).await {
            Ok(mut account) => account.settle(map, fresh).await,
            Err(error) => Err(Trouble::Am(error)),
        };
        match settled {
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
    pub(crate) async fn failed(
        &self,
        am: &AmEntry,
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
