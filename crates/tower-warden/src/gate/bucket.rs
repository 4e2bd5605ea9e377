//! A token bucket.

use std::time::{Duration, Instant};

use super::Rate;

/// So many units a second, up to a burst.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    burst: f64,
    level: f64,
    filled: Instant,
}

impl Bucket {
    pub(crate) fn full(rate: Rate, now: Instant) -> Self {
        Self {
            per_second: rate.per_second,
            burst: rate.burst,
            level: rate.burst,
            filled: now,
        }
    }

    /// Takes a unit, or says when there will be one (one minute, if never).
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.fill(now);
        if self.level >= 1.0 {
            self.level -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - self.level) / self.per_second;
        Err(Duration::try_from_secs_f64(wait)
            .unwrap_or(Duration::MAX)
            .min(Duration::from_secs(60)))
    }

    /// Whether at least half of the burst is there.
    pub(super) fn is_half_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.level * 2.0 >= self.burst
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.level = passed.mul_add(self.per_second, self.level).min(self.burst);
    }

    pub(super) fn burst(&self) -> f64 {
        self.burst
    }

    /// Gives a unit back that was not spent after all.
    pub(super) fn give_back(&mut self) {
        self.level = (self.level + 1.0).min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fills_up_to_the_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::full(Rate::new(2, 3), start);
        for _ in 0..3 {
            assert_eq!(bucket.take(start), Ok(()));
        }
        assert_eq!(bucket.take(start), Err(Duration::from_millis(500)));
        assert_eq!(bucket.take(start + Duration::from_millis(500)), Ok(()));
        let later = start + Duration::from_secs(100);
        for _ in 0..3 {
            assert_eq!(bucket.take(later), Ok(()));
        }
        assert!(bucket.take(later).is_err());
        bucket.give_back();
        assert_eq!(bucket.take(later), Ok(()));
    }

    #[test]
    fn a_rate_of_nothing_never_gives() {
        let now = Instant::now();
        let mut bucket = Bucket::full(Rate::new(0, 0), now);
        assert_eq!(bucket.take(now), Err(Duration::from_secs(60)));
    }
}
