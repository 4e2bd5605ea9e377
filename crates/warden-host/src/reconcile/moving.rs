//! Moving an owner to another AM: all is registered there, then one transaction switches.

use std::time::Duration;

use tokio::task::JoinSet;
use tower_warden::OwnerId;
use uma_client::Issuer;

use super::Trouble;
use super::account::{Account, is_not_found};
use super::batch::{Ask, BATCH, MOST_CALLS, ask};
use super::patience::next_try;
use super::settle::problem;
use crate::host::{AmEntry, Work, am_trouble};
use crate::store::{Arrived, MapRecord, MoveRecord, Moving, Registered, Store as _};
use crate::{Error, ErrorKind, Host, Notice};

/// How long an owner who has moved waits for other nodes before the old AM is left.
const FOR_OTHER_NODES: Duration = Duration::from_secs(3);

impl Host {
    /// Goes on with an owner's move as far as it gets. Says whether the switch was made.
    pub(crate) async fn move_on(&self, owner: &OwnerId) -> Result<bool, Error> {
        let inner = &self.inner;
        let _alone = inner.moving.lock(owner.clone()).await;
        let Some(claim) = inner.worker.claim(Work::Move(owner)).await? else {
            // Another node goes on with it.
            return Ok(false);
        };
        let moved = self.move_claimed(owner).await;
        claim.release().await;
        moved
    }

    async fn move_claimed(&self, owner: &OwnerId) -> Result<bool, Error> {
        let inner = &self.inner;
        let Some(record) = inner.store.move_of(owner).await? else {
            return Ok(false);
        };
        let am = match inner.am(&record.to).await {
            Ok(am) => am,
            Err(error) if error.kind() == ErrorKind::UnknownAm => {
                let text = error.to_string();
                let next = next_try(inner.now(), record.attempts, None);
                inner.store.move_failed(owner, &text, next).await?;
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        match self.carry_over(&am, &record).await {
            Ok(switched) => Ok(switched),
            Err(Trouble::Store(error)) => Err(error),
            Err(trouble) => {
                tracing::info!(am = %am.issuer(), trouble = ?trouble, "a move can't go on yet");
                let after = match &trouble {
                    Trouble::Am(error) => error.retry_after(),
                    _ => None,
                };
                if trouble.is_am() {
                    let now = inner.clock.monotonic();
                    inner.patience.begin(am.issuer(), now, after);
                }
                let next = next_try(inner.now(), record.attempts, after);
                let text = match &trouble {
                    Trouble::Am(error) => am_trouble(am.name(), error.clone()).to_string(),
                    trouble => problem(am.name(), trouble),
                };
                inner.store.move_failed(owner, &text, next).await?;
                Ok(false)
            }
        }
    }

    async fn carry_over(&self, am: &AmEntry, record: &MoveRecord) -> Result<bool, Trouble> {
        let inner = &self.inner;
        let owner = &record.owner;
        let mut account = Account::paced(self, am, owner).await?;
        loop {
            let limit = u32::try_from(BATCH).unwrap_or(u32::MAX);
            let next = inner.store.move_next(owner, limit).await?;
            if next.is_empty() {
                match inner.store.moved(owner, inner.now()).await? {
                    Some(count) => {
                        self.has_moved(record, count).await?;
                        return Ok(true);
                    }
                    // Given up, or something was shared or changed just now.
                    None => match inner.store.move_of(owner).await? {
                        Some(_) => continue,
                        None => return Ok(false),
                    },
                }
            }
            if next.iter().any(|moving| moving.map.broken) {
                let text = "what is stored of a resource is damaged; stop sharing it, or ask whoever runs this site to look at it";
                let next = next_try(inner.now(), record.attempts, None);
                inner.store.move_failed(owner, text, next).await?;
                return Ok(false);
            }
            account.arrive(&record.to, next).await?;
        }
    }

    async fn has_moved(&self, record: &MoveRecord, count: u64) -> Result<(), Error> {
        let inner = &self.inner;
        inner.publish().await?;
        inner.purge_owner(&record.owner).await;
        // Until then another node may still ask the old AM, which is about to forget.
        let _ = inner.spread(inner.epoch(), FOR_OTHER_NODES).await;
        tracing::info!(from = %record.from, to = %record.to, count, "an owner has moved");
        let am = inner.ams.choice(&record.to);
        let notice = Notice::Moved {
            am,
            resources: count,
        };
        inner.notify.tell(&record.owner, notice);
        if !self.leave_am(&record.owner, &record.from).await? {
            // What is left there is deleted first.
            inner.wake_reconciler();
        }
        Ok(())
    }
}

impl Account<'_> {
    /// Registers some of what moves, and keeps what comes of it, all that did come.
    async fn arrive(&mut self, to: &Issuer, next: Vec<Moving>) -> Result<(), Trouble> {
        let inner = &self.host.inner;
        let reads_back = self.am.client.profile().reads_back;
        let mut asked = Vec::with_capacity(next.len());
        for moving in next {
            let known = match moving.resource_id {
                Some(id) => Some((id, moving.revision)),
                None if moving.fresh => None,
                // An earlier attempt may have got through.
                None => self.find(&moving.marker).await?.0.map(|id| (id, None)),
            };
            // As it will be after the switch.
            let map = MapRecord {
                marker: moving.marker,
                issuer: to.clone(),
                ..moving.map
            };
            asked.push((map, known));
        }
        let mut asked = asked.into_iter();
        let mut at_work = JoinSet::new();
        let mut arrived = Vec::new();
        let mut trouble = None;
        loop {
            while at_work.len() < MOST_CALLS && trouble.is_none() {
                let Some((map, known)) = asked.next() else {
                    break;
                };
                let (caller, description) = (self.caller.clone(), self.describe(&map));
                at_work.spawn(async move {
                    let create = || Ask::Create(map.marker.clone());
                    let first =
                        known.map_or_else(create, |(id, revision)| Ask::Update(id, revision));
                    let again = matches!(first, Ask::Update(..));
                    let answer = match ask(&caller, first, &description, reads_back).await {
                        Err((None, error)) if again && is_not_found(&error) => {
                            ask(&caller, create(), &description, reads_back).await
                        }
                        answer => answer,
                    };
                    (map, answer)
                });
            }
            match at_work.join_next().await {
                Some(Ok((map, Ok(answer)))) => arrived.push(Arrived {
                    map: map.id,
                    generation: map.generation,
                    registered: Registered {
                        resource_id: answer.id,
                        registered_name: self.registered_name(&map),
                        policy_uri: answer.told.policy_uri,
                        revision: answer.told.revision,
                    },
                    marker: map.marker,
                }),
                Some(Ok((_, Err((_, error))))) => {
                    trouble.get_or_insert_with(|| Trouble::Am(error));
                }
                Some(Err(error)) => {
                    tracing::error!(error = %error, "moving ended in a panic");
                    trouble.get_or_insert(Trouble::Unsure);
                }
                None => break,
            }
        }
        inner
            .store
            .move_arrived(self.owner, to, &arrived, inner.now())
            .await?;
        trouble.map_or(Ok(()), Err)
    }
}
