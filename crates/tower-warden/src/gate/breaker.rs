//! A circuit breaker: an AM that fails again and again is left alone for a while, then tried with a single call.

use std::time::{Duration, Instant};

/// How many failures in a row open it.
const FAILURES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The breaker of one AM.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    open_until: Option<Instant>,
    trial: bool,
}

/// Permission to call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Normal,
    /// The one call that finds out whether the AM is back.
    Trial,
}

impl Breaker {
    /// Lets a call through, or says when to come again.
    pub(super) fn enter(&mut self, now: Instant) -> Result<Entry, Duration> {
        match self.open_until {
            None => Ok(Entry::Normal),
            Some(until) if now < until => Err(until - now),
            Some(_) if self.trial => Err(FIRST_PAUSE),
            Some(_) => {
                self.trial = true;
                Ok(Entry::Trial)
            }
        }
    }

    /// 0: closed; 1: may be tried; 2: open.
    pub(super) fn state(&self, now: Instant) -> u8 {
        match self.open_until {
            None => 0,
            Some(until) if now < until => 2,
            Some(_) => 1,
        }
    }

    /// A call ended without saying anything about the AM.
    #[allow(clippy::needless_pass_by_value, reason = "an entry is used up")]
    pub(super) fn leave(&mut self, entry: Entry) {
        if entry == Entry::Trial {
            self.trial = false;
        }
    }

    pub(super) fn succeed(&mut self) {
        *self = Self::default();
    }

    /// A call failed; the AM may have said when to come again.
    pub(super) fn fail(&mut self, now: Instant, retry_after: Option<Duration>) {
        self.trial = false;
        self.failures = self.failures.saturating_add(1);
        let pause = match retry_after {
            Some(after) => after.clamp(FIRST_PAUSE, LONGEST_PAUSE),
            None if self.failures < FAILURES => return,
            None => {
                let doublings = (self.failures - FAILURES).min(5);
                (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
            }
        };
        let until = now + pause;
        self.open_until = Some(self.open_until.map_or(until, |old| old.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_tries_once() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            assert_eq!(breaker.enter(start), Ok(Entry::Normal));
            breaker.fail(start, None);
        }
        breaker.succeed();
        for _ in 0..5 {
            assert_eq!(breaker.enter(start), Ok(Entry::Normal));
            breaker.fail(start, None);
        }
        assert_eq!(breaker.enter(start), Err(FIRST_PAUSE));
        let later = start + FIRST_PAUSE;
        assert_eq!(breaker.enter(later), Ok(Entry::Trial));
        assert!(breaker.enter(later).is_err());
        breaker.fail(later, None);
        assert_eq!(breaker.enter(later), Err(FIRST_PAUSE * 2));
        let later = later + FIRST_PAUSE * 2;
        assert_eq!(breaker.enter(later), Ok(Entry::Trial));
        breaker.succeed();
        assert_eq!(breaker.enter(later), Ok(Entry::Normal));
    }

    #[test]
    fn it_waits_as_long_as_the_am_says() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.fail(start, Some(Duration::from_secs(20)));
        assert_eq!(breaker.enter(start), Err(Duration::from_secs(20)));
        breaker.fail(start, Some(Duration::from_secs(3600)));
        assert_eq!(breaker.enter(start), Err(LONGEST_PAUSE));
    }

    #[test]
    fn a_trial_that_is_dropped_makes_room_for_the_next() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.fail(start, Some(FIRST_PAUSE));
        let later = start + FIRST_PAUSE;
        let trial = breaker.enter(later).unwrap();
        assert!(breaker.enter(later).is_err());
        breaker.leave(trial);
        assert_eq!(breaker.enter(later), Ok(Entry::Trial));
    }
}
