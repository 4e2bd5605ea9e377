//! Sealing anew after the key was changed.

use super::Host;
use crate::Error;
use crate::store::Store as _;

/// Connections that are sealed anew in one transaction.
const ROWS: u32 = 200;

/// What sealing anew did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resealed {
    /// Rows that are sealed with the current key now.
    pub done: u64,
    /// Rows that can't be unsealed. Where it is an owner's connection, the owner has to connect again.
    pub unreadable: u64,
}

impl Host {
    pub(super) async fn reseal_all(&self) -> Result<Resealed, Error> {
        let mut all = Resealed::default();
        let mut after = None;
        loop {
            let batch = self.inner.store.resealed(after.as_ref(), ROWS).await?;
            all.done += batch.done;
            all.unreadable += batch.unreadable;
            if batch.next.is_none() {
                break;
            }
            after = batch.next;
            // Owners write in between.
            tokio::task::yield_now().await;
        }
        if all != Resealed::default() {
            tracing::info!(done = all.done, unreadable = all.unreadable, "sealed anew");
        }
        Ok(all)
    }
}
