//! How often owners may bring AMs that this host does not know.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tower_warden::OwnerId;

use crate::{Error, ErrorKind};

const HOUR: Duration = Duration::from_secs(60 * 60);
/// How long one waits for another's to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// New AMs of the last hour, on this node.
#[derive(Debug)]
pub(crate) struct Enrolments {
    per_owner: usize,
    per_host: usize,
    of_late: Mutex<OfLate>,
    one: Arc<AsyncMutex<()>>,
}

#[derive(Debug, Default)]
struct OfLate {
    by_owner: HashMap<OwnerId, VecDeque<Instant>>,
    all: VecDeque<Instant>,
}

impl Enrolments {
    pub(crate) fn new(per_owner: u32, per_host: u32) -> Self {
        let most = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
        Self {
            per_owner: most(per_owner),
            per_host: most(per_host),
            of_late: Mutex::default(),
            one: Arc::default(),
        }
    }

    /// Takes one from the budgets, and waits until no other is under way.
    pub(crate) async fn begin(
        &self,
        owner: &OwnerId,
        now: Instant,
    ) -> Result<OwnedMutexGuard<()>, Error> {
        self.take(owner, now)?;
        tokio::time::timeout(PATIENCE, Arc::clone(&self.one).lock_owned())
            .await
            .map_err(|_| too_many())
    }

    fn take(&self, owner: &OwnerId, now: Instant) -> Result<(), Error> {
        let mut late = self.of_late.lock().unwrap_or_else(PoisonError::into_inner);
        let OfLate { by_owner, all } = &mut *late;
        forget_old(all, now);
        by_owner.retain(|_, times| {
            forget_old(times, now);
            !times.is_empty()
        });
        let of_owner = by_owner.get(owner).map_or(0, VecDeque::len);
        if of_owner >= self.per_owner || all.len() >= self.per_host {
            return Err(too_many());
        }
        all.push_back(now);
        by_owner.entry(owner.clone()).or_default().push_back(now);
        Ok(())
    }
}

fn forget_old(times: &mut VecDeque<Instant>, now: Instant) {
    while times
        .front()
        .is_some_and(|time| now.saturating_duration_since(*time) >= HOUR)
    {
        times.pop_front();
    }
}

fn too_many() -> Error {
    Error::new(
        ErrorKind::TooMany,
        "too many new authorization managers were tried of late; try again in an hour, or choose one of those offered",
    )
    .at("am")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_an_hour_and_one_at_a_time() {
        let enrolments = Enrolments::new(2, 3);
        let (alice, bob) = (OwnerId::new("alice"), OwnerId::new("bob"));
        let now = Instant::now();
        for _ in 0..2 {
            drop(enrolments.begin(&alice, now).await.unwrap());
        }
        let error = enrolments.begin(&alice, now).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::TooMany, Some("am"))
        );
        drop(enrolments.begin(&bob, now).await.unwrap());
        assert!(
            enrolments.begin(&bob, now).await.is_err(),
            "the host's are used up"
        );
        let later = now + HOUR;
        let held = enrolments.begin(&bob, later).await.unwrap();
        assert!(
            enrolments.begin(&alice, later).await.is_err(),
            "one at a time"
        );
        drop(held);
        assert!(enrolments.begin(&alice, later).await.is_ok());
    }
}
