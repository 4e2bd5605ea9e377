//! A budget that several owners share, fairly.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Rate;
use super::bucket::Bucket;
use crate::OwnerId;

/// How fast use is forgotten.
const HALF_LIFE: Duration = Duration::from_secs(5);
/// Use below this is forgotten whole.
const NOTHING: f64 = 0.05;

/// A bucket of whose lower half only those may take who have lately taken no more than the average of all.
///
/// So whoever floods the resources of one owner does not keep the others' requests from their tickets.
#[derive(Debug)]
pub(super) struct FairBucket {
    bucket: Bucket,
    used: HashMap<OwnerId, f64>,
    aged: Instant,
}

impl FairBucket {
    pub(super) fn full(rate: Rate, now: Instant) -> Self {
        Self {
            bucket: Bucket::full(rate, now),
            used: HashMap::new(),
            aged: now,
        }
    }

    /// Takes a unit for an owner, or says when to come again.
    pub(super) fn take(&mut self, owner: &OwnerId, now: Instant) -> Result<(), Duration> {
        self.age(now);
        if !self.bucket.is_half_full(now) && self.is_above_average(owner) {
            return Err(Duration::from_secs(1));
        }
        self.bucket.take(now)?;
        *self.used.entry(owner.clone()).or_default() += 1.0;
        Ok(())
    }

    fn is_above_average(&self, owner: &OwnerId) -> bool {
        let Some(own) = self.used.get(owner) else {
            return false;
        };
        if self.used.len() == 1 {
            // Others may come, and are to find something.
            return *own * 2.0 > self.bucket.burst();
        }
        let total: f64 = self.used.values().sum();
        *own * self.used.len() as f64 > total
    }

    /// Forgets with time; not at every call, as it walks over all owners seen lately.
    fn age(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.aged);
        if passed < Duration::from_millis(100) {
            return;
        }
        self.aged = now;
        let left = 0.5_f64.powf(passed.as_secs_f64() / HALF_LIFE.as_secs_f64());
        self.used.retain(|_, used| {
            *used *= left;
            *used > NOTHING
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_at_one_owner_leaves_half_to_the_others() {
        let start = Instant::now();
        let mut bucket = FairBucket::full(Rate::new(0, 100), start);
        let [flooded, quiet] = ["flooded", "quiet"].map(OwnerId::new);
        bucket.take(&quiet, start).unwrap();
        let taken = (0..1000)
            .filter(|_| bucket.take(&flooded, start).is_ok())
            .count();
        assert!((48..=50).contains(&taken), "{taken}");
        let taken = (0..40)
            .filter(|_| bucket.take(&quiet, start).is_ok())
            .count();
        assert_eq!(taken, 40);
    }

    #[test]
    fn a_single_owner_leaves_half_to_those_who_may_come() {
        let start = Instant::now();
        let mut bucket = FairBucket::full(Rate::new(0, 100), start);
        let owner = OwnerId::new("alone");
        assert_eq!(
            (0..1000)
                .filter(|_| bucket.take(&owner, start).is_ok())
                .count(),
            51
        );
        let late = OwnerId::new("late");
        assert!((0..40).all(|_| bucket.take(&late, start).is_ok()));
    }

    #[test]
    fn use_is_forgotten_with_time() {
        let start = Instant::now();
        let mut bucket = FairBucket::full(Rate::new(10, 10), start);
        let [one, other] = ["one", "other"].map(OwnerId::new);
        bucket.take(&other, start).unwrap();
        while bucket.take(&one, start).is_ok() {}
        assert!(bucket.take(&one, start).is_err());
        let later = start + Duration::from_secs(60);
        assert!(bucket.take(&one, later).is_ok());
        assert_eq!(bucket.used.len(), 1);
    }
}
