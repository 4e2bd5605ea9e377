//! Disconnecting from an AM, and moving to another.

use std::time::Duration;

use tower_warden::OwnerId;
use uma_client::Issuer;

use super::Host;
use super::connect::time;
use crate::store::{MoveBegun, Store as _};
use crate::{Disconnected, Error, ErrorKind, Leftover, Move};

/// How long the answer to a consent waits for the move that it began; after that, the move goes on by itself.
const AT_ONCE: Duration = Duration::from_secs(3);

impl Host {
    pub(super) async fn disconnect_now(&self, owner: &OwnerId) -> Result<Disconnected, Error> {
        let inner = &self.inner;
        let not_connected = || {
            Error::new(
                ErrorKind::NotConnected,
                "you are not connected to an authorization manager",
            )
        };
        let connection = inner
            .store
            .connection(owner)
            .await?
            .ok_or_else(not_connected)?;
        let severed = inner
            .store
            .disconnected(owner, &connection.issuer, inner.now())
            .await?
            .ok_or_else(not_connected)?;
        inner.keepers.forget(owner, &connection.issuer);
        inner.publish().await?;
        let epoch = inner.epoch();
        inner.purge_owner(owner).await;
        tracing::info!(am = %connection.issuer, withheld = severed.withheld, "an owner has disconnected");
        // Everything that matters is committed; the AM is told, and need not answer.
        let told = self.clone();
        let issuer = connection.issuer.clone();
        tokio::spawn(async move { told.inner.give_back(&issuer, severed.pat).await });
        inner.wake_reconciler();
        Ok(Disconnected {
            am: inner.ams.choice(&connection.issuer),
            withheld: severed.withheld,
            epoch,
            spread: inner.spread(epoch, self.patience).await,
        })
    }

    /// Gives back the PAT of an AM that the owner has left, once nothing is there any more.
    pub(crate) async fn leave_am(&self, owner: &OwnerId, issuer: &Issuer) -> Result<bool, Error> {
        let inner = &self.inner;
        let connection = inner.store.connection(owner).await?;
        if connection.is_some_and(|connection| connection.issuer == *issuer) {
            return Ok(false);
        }
        let Some(spent) = inner.store.connection_spent(owner, issuer).await? else {
            return Ok(false);
        };
        inner.keepers.forget(owner, issuer);
        inner.give_back(issuer, spent.pat).await;
        Ok(true)
    }

    pub(super) async fn refuse_move(&self, owner: &OwnerId, to: &Issuer) -> Result<(), Error> {
        let Some(connection) = self.inner.store.connection(owner).await? else {
            return self.move_accepted(MoveBegun::NotConnected, to);
        };
        if connection.issuer == *to {
            return self.move_accepted(MoveBegun::AlreadyThere, to);
        }
        match self.inner.store.move_of(owner).await? {
            Some(under_way) if under_way.to != *to => self.move_accepted(MoveBegun::UnderWay, to),
            _ => Ok(()),
        }
    }

    pub(super) fn move_accepted(&self, begun: MoveBegun, to: &Issuer) -> Result<(), Error> {
        let name = self.inner.ams.name(to);
        let (kind, text) = match begun {
            MoveBegun::Begun => return Ok(()),
            MoveBegun::AlreadyThere => (
                ErrorKind::AlreadyThere,
                format!("{name} is your authorization manager already"),
            ),
            MoveBegun::UnderWay => (
                ErrorKind::MoveUnderWay,
                String::from(
                    "you are moving to another authorization manager; wait until that is done, or give it up",
                ),
            ),
            MoveBegun::NotConnected => (
                ErrorKind::NotConnected,
                String::from("there is nothing to move; connect to an authorization manager"),
            ),
        };
        Err(Error::new(kind, text).at("am"))
    }

    /// Goes on with a move; what takes longer goes on by itself.
    pub(super) async fn move_at_once(&self, owner: &OwnerId) {
        let (host, owner) = (self.clone(), owner.clone());
        let work = tokio::spawn(async move { host.move_on(&owner).await });
        match tokio::time::timeout(AT_ONCE, work).await {
            Ok(Ok(Err(error))) => tracing::warn!(error = %error, "a move goes on later"),
            Ok(Err(error)) => tracing::error!(error = %error, "a move ended in a panic"),
            Ok(Ok(Ok(_))) | Err(_) => {}
        }
    }

    pub(super) async fn move_under_way(&self, owner: &OwnerId) -> Result<Option<Move>, Error> {
        let ams = &self.inner.ams;
        Ok(self.inner.store.move_of(owner).await?.map(|record| Move {
            from: ams.choice(&record.from),
            to: ams.choice(&record.to),
            since: time(record.begun),
            moved: record.done,
            total: record.total,
            problem: record.problem,
        }))
    }

    pub(super) async fn move_given_up(&self, owner: &OwnerId) -> Result<bool, Error> {
        let cancelled = self
            .inner
            .store
            .move_cancelled(owner, self.inner.now())
            .await?;
        self.inner.wake_reconciler();
        Ok(cancelled)
    }

    pub(super) async fn left_over(&self, owner: &OwnerId) -> Result<Vec<Leftover>, Error> {
        let records = self.inner.store.leftovers(owner).await?;
        Ok(records
            .into_iter()
            .map(|record| Leftover {
                am: self.inner.ams.choice(&record.issuer),
                count: record.count,
                stuck: record.stuck,
            })
            .collect())
    }
}
