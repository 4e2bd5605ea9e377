//! How long a node may go by what it knows.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use uma_client::Clock;

/// How long a node goes by its maps without hearing from the store that they are right, and how long others wait for it.
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// A moment by both clocks: the one that nobody can set, and the one that goes on while the machine sleeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

/// When the store last confirmed what this node knows.
pub(crate) struct Lease {
    clock: Arc<dyn Clock>,
    confirmed: ArcSwapOption<Moment>,
}

impl Lease {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            confirmed: ArcSwapOption::empty(),
        }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment {
            monotonic: self.clock.monotonic(),
            wall: self.clock.now(),
        }
    }

    /// The store has confirmed what this node knows, in answer to a question that was sent after `asked`.
    pub(crate) fn confirm(&self, asked: Moment) {
        self.confirmed.store(Some(Arc::new(asked)));
    }

    /// Nothing that this node knows counts, until the next confirmation.
    pub(crate) fn revoke(&self) {
        self.confirmed.store(None);
    }

    /// The time since the last confirmation, by the clock that says more. A wall clock that was set on costs a moment of
    /// refusals; one that was set back counts for nothing.
    pub(crate) fn age(&self) -> Option<Duration> {
        let confirmed = self.confirmed.load();
        let confirmed = confirmed.as_ref()?;
        let monotonic = self
            .clock
            .monotonic()
            .saturating_duration_since(confirmed.monotonic);
        let wall = self.clock.now().duration_since(confirmed.wall);
        Some(monotonic.max(wall.unwrap_or_default()))
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.age().is_some_and(|age| age < LEASE)
    }
}

#[cfg(test)]
mod tests {
    use uma_client::ManualClock;

    use super::*;

    #[test]
    fn it_ends_by_either_clock_and_is_measured_from_the_question() {
        let clock = ManualClock::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
        let lease = Lease::new(Arc::new(clock.clone()));
        assert!(!lease.is_alive(), "nothing is confirmed yet");
        let asked = lease.now();
        clock.advance(Duration::from_secs(14));
        lease.confirm(asked);
        assert!(lease.is_alive());
        clock.advance(Duration::from_millis(999));
        assert!(lease.is_alive());
        clock.advance(Duration::from_millis(1));
        assert!(!lease.is_alive());
        lease.confirm(lease.now());
        assert_eq!(lease.age(), Some(Duration::ZERO));
        lease.revoke();
        assert!(!lease.is_alive());
    }
}
