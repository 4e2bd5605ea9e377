//! Whether all nodes enforce what was changed on this one.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower_warden::{OwnerId, Purge};

use super::Inner;
use crate::maps::LEASE;
use crate::store::Store as _;
use crate::{Epoch, Error, Spread};

/// How long a call waits for other nodes by default: until the lease of one that is silent has run out, and a little more.
pub(super) const PATIENCE: Duration = LEASE.saturating_add(Duration::from_secs(3));
/// How often it is looked whether they have come so far.
const LOOK: Duration = Duration::from_millis(20);
const MOST_LOOK: Duration = Duration::from_millis(250);

impl Inner {
    /// Waits until every other node that lives has applied an epoch. Nodes that have fallen silent are waited for until
    /// their lease has run out: from then on they refuse by themselves.
    pub(crate) async fn spread(&self, epoch: Epoch, patience: Duration) -> Spread {
        let end = Instant::now() + patience;
        let mut look = LOOK;
        loop {
            match self.store.nodes_behind(epoch.stored()).await {
                Ok(nodes) if nodes.iter().all(|node| node.node == self.node.id) => {
                    return Spread::Everywhere;
                }
                Ok(_) => {}
                // What was asked for is done; how far it has spread can't be seen just now.
                Err(error) => {
                    tracing::warn!(error = %error, "it can't be seen whether all nodes enforce a change");
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Spread::BeingProtected;
            }
            sleep(look.min(left)).await;
            look = (look * 2).min(MOST_LOOK);
        }
    }

    /// The epoch that every node that lives has applied.
    pub(crate) async fn reached_everywhere(&self) -> Result<Epoch, Error> {
        let nodes = self.store.nodes_behind(i64::MAX).await?;
        let others = nodes.iter().filter(|node| node.node != self.node.id);
        let least = others.map(|node| node.applied).min();
        let own = self.maps.shared.epoch();
        Ok(Epoch::new(least.map_or(own, |least| least.min(own))))
    }

    /// The epoch of which all is in force here.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch::new(self.maps.shared.epoch())
    }
}

impl Inner {
    /// Cached answers are to count no more, on any node.
    pub(crate) async fn purge_everywhere(self: &Arc<Self>, purge: &Purge) -> Result<Epoch, Error> {
        let epoch = self.store.purged(purge, self.now()).await?;
        self.publish().await?;
        Ok(Epoch::new(epoch))
    }

    /// The same for an owner's maps, after something that matters more was committed. That has told other nodes what they
    /// must know; this is for answers that were got before.
    pub(crate) async fn purge_owner(self: &Arc<Self>, owner: &OwnerId) {
        let purge = Purge::Owner(owner.clone());
        if let Err(error) = self.purge_everywhere(&purge).await {
            tracing::warn!(error = %error, "cached answers of an owner are not purged on all nodes; they end by themselves");
        }
    }
}
