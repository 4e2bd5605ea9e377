//! Registering many at once: a few calls at a time, one transaction for many answers.

use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinSet;
use uma_client::wire::ResourceDescription;
use uma_client::{Error as UmaError, ErrorKind as UmaKind, ResourceId};

use super::account::Account;
use super::caller::{Caller, Told};
use super::{Due, Settled, Trouble};
use crate::Error;
use crate::host::Work;
use crate::store::{MapRecord, Registered, RowState, Store as _};

/// Most calls of one owner's work that are under way at once.
pub(super) const MOST_CALLS: usize = 4;
/// Rows whose answers are kept in one transaction.
pub(crate) const BATCH: usize = 64;

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Rows that are active now.
    pub(crate) active: usize,
    /// Rows that wait.
    pub(crate) waiting: usize,
    /// Those of them that were not tried.
    pub(crate) left: Vec<MapRecord>,
    /// Why there is no sense in going on, with this owner or at this AM.
    pub(crate) trouble: Option<Trouble>,
}

impl Batch {
    fn leave(&mut self, rows: impl Iterator<Item = (MapRecord, bool)>) {
        let before = self.left.len();
        self.left.extend(rows.map(|(row, _)| row));
        self.waiting += self.left.len() - before;
    }
}

/// An answer of the AM to a registration.
pub(super) struct Answer {
    pub(super) id: ResourceId,
    pub(super) told: Told,
}

/// A failure, and what was made all the same.
pub(super) type Failed = (Option<(ResourceId, Option<String>)>, UmaError);

/// A row, and what came of it.
type Answered = (MapRecord, Result<Answer, Failed>);

/// What is asked of the AM about one row.
pub(super) enum Ask {
    /// Of a registration with this marker.
    Create(String),
    /// Of one that is there, with the revision that it had.
    Update(ResourceId, Option<String>),
}

/// Asks for one registration, and reads it back where the profile wants that.
pub(super) async fn ask(
    caller: &Caller,
    ask: Ask,
    description: &ResourceDescription,
    reads_back: bool,
) -> Result<Answer, Failed> {
    let done = match ask {
        Ask::Create(marker) => {
            let created = caller.create(&marker, description).await;
            created.map(|created| (created.id.clone(), Told::from(created)))
        }
        Ask::Update(id, revision) => {
            let updated = caller.update(&id, revision.as_deref(), description).await;
            updated.map(|told| (id, told))
        }
    };
    let (id, mut told) = done.map_err(|error| (None, error))?;
    if !reads_back {
        return Ok(Answer { id, told });
    }
    let read = match caller.read(&id).await {
        Ok(read) => read,
        Err(error) => return Err((Some((id, told.revision)), error)),
    };
    let has = &read.description.resource_scopes;
    if !description
        .resource_scopes
        .iter()
        .all(|scope| has.contains(scope))
    {
        let error = UmaError::new(
            UmaKind::InvalidScope,
            "the AM did not keep all scopes of a resource",
        );
        return Err((Some((id, told.revision)), error));
    }
    told.policy_uri = told.policy_uri.or(read.policy_uri);
    told.revision = read.revision.or(told.revision);
    Ok(Answer { id, told })
}

impl Account<'_> {
    /// Registers pending rows. `fresh` says that the AM certainly has no registration of one.
    ///
    /// Rows that somebody else works on are left alone, and so are those that have changed since they were read.
    pub(crate) async fn register_many(
        &mut self,
        rows: Vec<(MapRecord, bool)>,
    ) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() && batch.trouble.is_none() {
            let part: Vec<_> = rows.by_ref().take(BATCH).collect();
            self.register_part(part, &mut batch).await?;
        }
        batch.leave(rows);
        Ok(batch)
    }

    async fn register_part(
        &mut self,
        rows: Vec<(MapRecord, bool)>,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        // Another node that is at one of them keeps it.
        let works = rows.iter().map(|(row, _)| Work::Map(row.id));
        let (claim, ours) = self.host.inner.worker.claim_some(works).await?;
        let before = rows.len();
        let mut ours = ours.into_iter();
        let rows: Vec<_> = rows
            .into_iter()
            .filter(|_| ours.next().unwrap_or_default())
            .collect();
        batch.waiting += before - rows.len();
        let registered = self.register_claimed(rows, batch).await;
        claim.release().await;
        registered
    }

    async fn register_claimed(
        &mut self,
        rows: Vec<(MapRecord, bool)>,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        let inner = &self.host.inner;
        // Held until the answers are kept: who comes meanwhile must not register a second time.
        let mut held: Vec<OwnedMutexGuard<()>> = Vec::new();
        let mut new = Vec::with_capacity(rows.len());
        let mut rows = rows.into_iter();
        // What the AM may have already comes first: looking around must not meet what this very batch makes.
        for (row, fresh) in rows.by_ref() {
            let key = (row.site.clone(), row.path_key.clone());
            let Some(alone) = inner.paths.try_lock(&key) else {
                batch.waiting += 1;
                continue;
            };
            let now = inner.store.map_at(&row.site, &row.path_key).await?;
            let Some(now) =
                now.filter(|now| now.id == row.id && now.state == RowState::Pending && !now.broken)
            else {
                continue;
            };
            // Another node may have tried meanwhile.
            let fresh = fresh && now == row;
            match self.settle_known(&now, fresh).await {
                Ok(None) => {
                    held.push(alone);
                    new.push((now, fresh));
                }
                Ok(Some(settled)) => {
                    batch.active += usize::from(matches!(settled, Settled::Active(_)));
                }
                Err(Trouble::Store(error)) => return Err(error),
                Err(trouble) => {
                    self.batch_failed(&now, trouble, batch).await?;
                    if batch.trouble.is_some() {
                        batch.leave(new.into_iter().chain(rows));
                        return Ok(());
                    }
                }
            }
        }
        let answers = self.create_all(new, batch).await;
        self.keep(answers, batch).await?;
        drop(held);
        Ok(())
    }

    /// Makes new registrations, a few calls at a time. Once the AM or the PAT is in trouble, no more is asked.
    async fn create_all(&self, new: Vec<(MapRecord, bool)>, batch: &mut Batch) -> Vec<Answered> {
        let reads_back = self.am.client.profile().reads_back;
        let mut new = new.into_iter();
        let mut at_work = JoinSet::new();
        let mut answers: Vec<Answered> = Vec::new();
        let mut in_trouble = false;
        loop {
            while at_work.len() < MOST_CALLS && !in_trouble {
                let Some((row, _)) = new.next() else { break };
                let (caller, description) = (self.caller.clone(), self.describe(&row));
                at_work.spawn(async move {
                    let create = Ask::Create(row.marker.clone());
                    let answer = ask(&caller, create, &description, reads_back).await;
                    (row, answer)
                });
            }
            match at_work.join_next().await {
                Some(Ok((row, answer))) => {
                    in_trouble |= matches!(&answer, Err((_, error)) if ends_all(error));
                    answers.push((row, answer));
                }
                Some(Err(error)) => {
                    tracing::error!(error = %error, "registering ended in a panic");
                    batch.waiting += 1;
                }
                None => break,
            }
        }
        batch.leave(new);
        answers
    }

    /// Does what is to be done about a row that the AM may have already. `None` if it certainly has not.
    async fn settle_known(
        &mut self,
        row: &MapRecord,
        fresh: bool,
    ) -> Result<Option<Settled>, Trouble> {
        self.doubt_found(row);
        if fresh || (row.resource_id.is_none() && self.find(&row.marker).await? == (None, true)) {
            return Ok(None);
        }
        self.settle(row, false).await.map(Some)
    }

    /// Keeps the answers: those that are registrations in one transaction.
    async fn keep(&mut self, answers: Vec<Answered>, batch: &mut Batch) -> Result<(), Error> {
        let inner = &self.host.inner;
        let mut registered = Vec::with_capacity(answers.len());
        let mut failed = Vec::new();
        for (row, answer) in answers {
            match answer {
                Ok(answer) => {
                    let name = self.registered_name(&row);
                    registered.push((
                        row,
                        Registered {
                            resource_id: answer.id,
                            registered_name: name,
                            policy_uri: answer.told.policy_uri,
                            revision: answer.told.revision,
                        },
                    ));
                }
                Err((made, error)) => failed.push((row, made, error)),
            }
        }
        if !registered.is_empty() {
            let kept = inner
                .store
                .shares_registered(&registered, inner.now())
                .await?;
            batch.active += kept.iter().flatten().count();
            inner.publish().await?;
        }
        for (row, made, error) in failed {
            if let Some((id, revision)) = made {
                inner
                    .store
                    .share_half_registered(&row, &id, revision.as_deref(), inner.now())
                    .await?;
            }
            self.batch_failed(&row, Trouble::Am(error), batch).await?;
        }
        Ok(())
    }

    async fn batch_failed(
        &mut self,
        row: &MapRecord,
        trouble: Trouble,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        batch.waiting += 1;
        let due = Due::Map(Box::new(row.clone()));
        self.host.failed(self.am, &due, &trouble).await?;
        if trouble.is_am() || trouble.is_pat() {
            batch.trouble.get_or_insert(trouble);
        }
        Ok(())
    }
}

fn ends_all(error: &UmaError) -> bool {
    let trouble = Trouble::Am(error.clone());
    trouble.is_am() || trouble.is_pat()
}
