//! A circuit breaker: an AM that fails again and again is left alone for a while, then tried with a single call.
//!
//! It opens for all who need the AM, so that no one requester or owner must be able to open it. A failure of the AM's that a
//! token or a resource may have brought about counts by its witness: the token, if the AM has lately confirmed it, or the
//! owner whose resource it was. Tokens that nobody has vouched for, of which anyone can make as many as he likes, are no
//! witnesses: they are bounded by the budget for new tokens instead.
//!
//! Nor must anyone be able to keep it open: a trial that may have failed for its witness alone leaves the next trial to
//! others, and it opens anew when several of them have failed so.

use std::time::{Duration, Instant};

/// How many failures in a row open it.
const FAILURES: u32 = 5;
/// From how many sides they have to come.
const WITNESSES: usize = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The breaker of one AM.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    /// Failures that nobody can have brought about, and those that different witnesses met.
    sides: usize,
    witnesses: Vec<u64>,
    /// When those whose trial failed may try again.
    witnesses_until: Option<Instant>,
    open_until: Option<Instant>,
    /// How often it has opened since the AM last answered.
    openings: u32,
    trial: Option<Trial>,
}

/// Permission to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Normal,
    /// The one call that finds out whether the AM is back.
    Trial(Trial),
}

/// Who makes the call that finds out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trial {
    /// Anyone; a failure says nothing for certain, and such a trial gives way to that of a witness.
    Stranger,
    Witness,
}

/// What a failure says of the AM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// There was no connection, or the AM said that the host asks too much: nobody else can have brought it about.
    Certain,
    /// The AM was reached, and failed or was too slow, perhaps for this call alone.
    Perhaps {
        /// Who met it, if it is not a stranger.
        witness: Option<u64>,
    },
}

impl Breaker {
    /// Lets a call through, or says when to come again.
    pub(super) fn enter(&mut self, now: Instant, witness: Option<u64>) -> Result<Entry, Duration> {
        let who = witness.map_or(Trial::Stranger, |_| Trial::Witness);
        if self.witnesses_until.is_some_and(|until| until <= now) {
            self.forget_witnesses();
        }
        let had_a_trial =
            |until: &Instant| witness.is_some_and(|w| self.witnesses.contains(&w)) && now < *until;
        match self.open_until {
            None => Ok(Entry::Normal),
            Some(until) if now < until => Err(until - now),
            Some(_) if self.witnesses_until.as_ref().is_some_and(had_a_trial) => Err(FIRST_PAUSE),
            Some(_) => match (self.trial, who) {
                (None, who) | (Some(Trial::Stranger), who @ Trial::Witness) => {
                    self.trial = Some(who);
                    Ok(Entry::Trial(who))
                }
                _ => Err(FIRST_PAUSE),
            },
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

    fn forget_witnesses(&mut self) {
        self.witnesses.clear();
        self.witnesses_until = None;
        self.sides = 0;
    }

    /// A call ended without saying anything about the AM.
    pub(super) fn leave(&mut self, entry: Entry) {
        if let Entry::Trial(who) = entry
            && self.trial == Some(who)
        {
            self.trial = None;
        }
    }

    /// The AM answered.
    pub(super) fn succeed(&mut self) {
        *self = Self::default();
    }

    /// A call failed; the AM may have said when to come again.
    pub(super) fn fail(
        &mut self,
        entry: Entry,
        now: Instant,
        failure: Failure,
        retry_after: Option<Duration>,
    ) {
        self.leave(entry);
        let is_trial = matches!(entry, Entry::Trial(_));
        if self.open_until.is_some() && !is_trial && failure != Failure::Certain {
            // It was under way when the breaker opened.
            return;
        }
        match failure {
            Failure::Certain => self.sides += 1,
            Failure::Perhaps { witness: None } => return,
            Failure::Perhaps {
                witness: Some(witness),
            } => {
                if self.witnesses.len() < WITNESSES && !self.witnesses.contains(&witness) {
                    self.witnesses.push(witness);
                    self.sides += 1;
                }
            }
        }
        self.failures = self.failures.saturating_add(1);
        let is_open = self.open_until.is_some_and(|until| now < until);
        let opens = if is_trial {
            // What let it in had reason to open.
            failure == Failure::Certain || self.sides >= WITNESSES
        } else {
            self.failures >= FAILURES && self.sides >= WITNESSES
        };
        if is_trial && !opens && self.witnesses_until.is_none() {
            self.witnesses_until = now.checked_add(LONGEST_PAUSE);
        }
        let pause = match retry_after {
            // Said over one token or resource, it may hold for that alone.
            Some(after) if opens || failure == Failure::Certain => {
                after.clamp(FIRST_PAUSE, LONGEST_PAUSE)
            }
            Some(_) => return,
            // Calls that were under way when it opened don't make it open longer.
            None if is_open || !opens => return,
            None => (FIRST_PAUSE * 2_u32.pow(self.openings.min(5))).min(LONGEST_PAUSE),
        };
        self.forget_witnesses();
        if !is_open {
            self.openings = self.openings.saturating_add(1);
        }
        let until = now + pause;
        self.open_until = Some(self.open_until.map_or(until, |old| old.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTAIN: Failure = Failure::Certain;

    fn met_by(witness: u64) -> Failure {
        Failure::Perhaps {
            witness: Some(witness),
        }
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_tries_once() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        let fail = |breaker: &mut Breaker| {
            let entry = breaker.enter(start, None).unwrap();
            assert_eq!(entry, Entry::Normal);
            breaker.fail(entry, start, CERTAIN, None);
        };
        for _ in 0..4 {
            fail(&mut breaker);
        }
        breaker.succeed();
        for _ in 0..5 {
            fail(&mut breaker);
        }
        assert_eq!(breaker.enter(start, Some(1)), Err(FIRST_PAUSE));
        // One that was under way fails, too.
        breaker.fail(Entry::Normal, start, CERTAIN, None);
        let later = start + FIRST_PAUSE;
        let trial = breaker.enter(later, None).unwrap();
        assert_eq!(trial, Entry::Trial(Trial::Stranger));
        assert!(breaker.enter(later, None).is_err());
        breaker.fail(trial, later, CERTAIN, None);
        assert_eq!(breaker.enter(later, None), Err(FIRST_PAUSE * 2));
        let later = later + FIRST_PAUSE * 2;
        let trial = breaker.enter(later, Some(1)).unwrap();
        assert_eq!(trial, Entry::Trial(Trial::Witness));
        breaker.succeed();
        assert_eq!(breaker.enter(later, None), Ok(Entry::Normal));
    }

    #[test]
    fn no_one_opens_it_alone() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..1000 {
            breaker.fail(Entry::Normal, start, met_by(1), None);
            breaker.fail(Entry::Normal, start, met_by(2), Some(LONGEST_PAUSE));
            breaker.fail(
                Entry::Normal,
                start,
                Failure::Perhaps { witness: None },
                None,
            );
        }
        assert_eq!(breaker.enter(start, None), Ok(Entry::Normal));
        breaker.fail(Entry::Normal, start, met_by(3), None);
        assert_eq!(breaker.enter(start, None), Err(FIRST_PAUSE));
    }

    #[test]
    fn a_strangers_failure_neither_opens_it_nor_keeps_it_open() {
        let start = Instant::now();
        let stranger = Failure::Perhaps { witness: None };
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            breaker.fail(Entry::Normal, start, stranger, Some(LONGEST_PAUSE));
        }
        assert_eq!(breaker.state(start), 0);
        for _ in 0..5 {
            breaker.fail(Entry::Normal, start, CERTAIN, None);
        }
        let later = start + FIRST_PAUSE;
        let trial = breaker.enter(later, None).unwrap();
        // It gives way to one whose outcome says more.
        let better = breaker.enter(later, Some(1)).unwrap();
        breaker.fail(trial, later, stranger, None);
        assert!(
            breaker.enter(later, None).is_err(),
            "the better one goes on"
        );
        breaker.leave(better);
        assert!(breaker.enter(later, None).is_ok());
        assert_eq!(breaker.state(later), 1);
    }

    #[test]
    fn no_one_keeps_it_open_alone() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.fail(Entry::Normal, start, CERTAIN, Some(FIRST_PAUSE));
        let later = start + FIRST_PAUSE;
        let try_as = |breaker: &mut Breaker, now, witness| {
            let trial = breaker.enter(now, Some(witness))?;
            breaker.fail(trial, now, met_by(witness), Some(LONGEST_PAUSE));
            Ok::<(), Duration>(())
        };
        try_as(&mut breaker, later, 1).unwrap();
        // One that was under way is not a side of its own.
        breaker.fail(Entry::Normal, later, met_by(7), None);
        assert!(try_as(&mut breaker, later, 1).is_err(), "others come first");
        assert_eq!(
            breaker.enter(later, Some(2)),
            Ok(Entry::Trial(Trial::Witness))
        );
        breaker.succeed();
        assert_eq!(breaker.enter(later, Some(1)), Ok(Entry::Normal));

        breaker.fail(Entry::Normal, start, CERTAIN, Some(FIRST_PAUSE));
        for witness in [1, 2] {
            try_as(&mut breaker, later, witness).unwrap();
        }
        assert_eq!(breaker.state(later), 1, "not yet");
        try_as(&mut breaker, later, 3).unwrap();
        assert_eq!(
            breaker.state(later),
            2,
            "three of them say that it is the AM"
        );
        // Who is alone comes again, too.
        let later = later + LONGEST_PAUSE;
        try_as(&mut breaker, later, 1).unwrap();
        assert!(try_as(&mut breaker, later, 1).is_err());
        assert!(try_as(&mut breaker, later + LONGEST_PAUSE, 1).is_ok());
    }

    #[test]
    fn it_waits_as_long_as_the_am_says() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        let seconds = Duration::from_secs;
        breaker.fail(Entry::Normal, start, CERTAIN, Some(seconds(20)));
        assert_eq!(breaker.enter(start, None), Err(seconds(20)));
        breaker.fail(Entry::Normal, start, met_by(1), Some(seconds(25)));
        assert_eq!(
            breaker.enter(start, None),
            Err(seconds(20)),
            "one alone says nothing"
        );
        breaker.fail(Entry::Normal, start, CERTAIN, Some(seconds(3600)));
        assert_eq!(breaker.enter(start, None), Err(LONGEST_PAUSE));
    }

    #[test]
    fn a_trial_that_is_dropped_makes_room_for_the_next() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.fail(Entry::Normal, start, CERTAIN, Some(FIRST_PAUSE));
        let later = start + FIRST_PAUSE;
        let trial = breaker.enter(later, None).unwrap();
        assert!(breaker.enter(later, None).is_err());
        breaker.leave(trial);
        assert!(breaker.enter(later, None).is_ok());
    }
}
