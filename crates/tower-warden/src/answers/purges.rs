//! What was purged, and when: answers that were asked for earlier no longer count for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use uma_client::Issuer;

use crate::{MapId, OwnerId, Requirements};

/// How often old purges are forgotten.
const CLEAN: Duration = Duration::from_secs(10);

/// Whose cached answers are to count no more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purge {
    /// Those for one map.
    Map(MapId),
    /// Those for all maps of an owner.
    Owner(OwnerId),
    /// Those of an AM.
    Am(Issuer),
    /// All.
    Everything,
}

/// A counter that stamps loads and purges, and the stamps of the purges that can still matter.
///
/// A load is stamped when it begins, so that a purge beats the loads in flight without knowing them.
#[derive(Debug, Default)]
pub(crate) struct Purges {
    counter: AtomicU64,
    /// The newest purge. While it is older than an answer the table need not be read.
    newest: AtomicU64,
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    purged: HashMap<Purge, Purged>,
    cleaned: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Purged {
    valid_from: u64,
    at: Instant,
}

impl Purges {
    /// The next stamp.
    pub(crate) fn stamp(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Records a purge; forgets those that are older than `keep`, which nothing kept can precede any more.
    pub(crate) fn add(&self, purge: Purge, now: Instant, keep: Duration) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        // Not at every purge: it walks over all of them.
        let since = |at: Instant| now.saturating_duration_since(at);
        if table.cleaned.is_none_or(|at| since(at) > CLEAN) {
            table.purged.retain(|_, purged| since(purged.at) < keep);
            table.cleaned = Some(now);
        }
        let valid_from = self.stamp();
        table.purged.insert(
            purge,
            Purged {
                valid_from,
                at: now,
            },
        );
        self.newest.store(valid_from, Ordering::SeqCst);
    }

    /// Whether an answer with this stamp counts for the requirements.
    pub(crate) fn allow(&self, stamp: u64, requirements: &Requirements) -> bool {
        if self.newest.load(Ordering::SeqCst) < stamp {
            return true;
        }
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let older_than = |purge: &Purge| {
            table
                .purged
                .get(purge)
                .is_some_and(|purged| stamp < purged.valid_from)
        };
        !(older_than(&Purge::Everything)
            || older_than(&Purge::Owner(requirements.owner().clone()))
            || older_than(&Purge::Am(requirements.am().issuer().clone()))
            || requirements
                .iter()
                .any(|requirement| older_than(&Purge::Map(requirement.map().id()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purges_that_can_matter_no_more_are_forgotten() {
        let purges = Purges::default();
        let start = Instant::now();
        let kept_after = |map, seconds| {
            let now = start + Duration::from_secs(seconds);
            purges.add(Purge::Map(MapId::new(map)), now, CLEAN / 2);
            purges.table.read().unwrap().purged.len()
        };
        assert_eq!(kept_after(1, 0), 1);
        // It is not swept at each, nor twice for the same.
        assert_eq!(kept_after(1, 5), 1);
        assert_eq!(kept_after(2, 10), 2);
        // The second is just as old as nothing that it beats could be.
        assert_eq!(kept_after(3, 15), 1);
    }
}
