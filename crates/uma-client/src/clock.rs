//! Time as a dependency, so that tests need not wait.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use uma_client::{Clock, ManualClock};
//!
//! let clock = ManualClock::new(SystemTime::UNIX_EPOCH);
//! let before = clock.monotonic();
//! clock.advance(Duration::from_secs(90));
//! assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(90));
//! assert_eq!(clock.monotonic() - before, Duration::from_secs(90));
//! ```

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Where the time comes from.
///
/// Expiry that an AM states is judged by the wall clock, the age of what is held in memory by the monotonic one.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> SystemTime;
    /// A clock that never goes back.
    fn monotonic(&self) -> Instant;
}

impl Debug for dyn Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl SystemClock {
    /// The clock; the same as `SystemClock::default()`.
    pub const fn new() -> Self {
        Self
    }
}

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

/// A clock that stands until it is moved, for tests. Clones share the time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Hands>>);

#[derive(Debug)]
struct Hands {
    wall: SystemTime,
    monotonic: Instant,
}

impl ManualClock {
    /// A clock whose wall time is `wall`.
    pub fn new(wall: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(Hands {
            wall,
            monotonic: Instant::now(),
        })))
    }

    /// Moves both clocks on. A step that a clock cannot hold is left out.
    pub fn advance(&self, by: Duration) {
        let mut hands = self.hands();
        hands.wall = hands.wall.checked_add(by).unwrap_or(hands.wall);
        hands.monotonic = hands.monotonic.checked_add(by).unwrap_or(hands.monotonic);
    }

    /// Sets the wall clock alone, as an administrator or NTP does.
    pub fn set_wall(&self, wall: SystemTime) {
        self.hands().wall = wall;
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        self.hands().wall
    }

    fn monotonic(&self) -> Instant {
        self.hands().monotonic
    }
}

/// Seconds since 1970-01-01 UTC, rounded down; negative before, and saturating at the ends of `i64`.
pub fn epoch_seconds(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            let before = before.duration();
            let whole = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            let part = i64::from(before.subsec_nanos() > 0);
            whole.saturating_neg().saturating_sub(part)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_seconds_round_down() {
        let at = |ms: i64| {
            let span = Duration::from_millis(ms.unsigned_abs());
            if ms < 0 {
                SystemTime::UNIX_EPOCH - span
            } else {
                SystemTime::UNIX_EPOCH + span
            }
        };
        assert_eq!(epoch_seconds(at(0)), 0);
        assert_eq!(epoch_seconds(at(1999)), 1);
        assert_eq!(epoch_seconds(at(-1)), -1);
        assert_eq!(epoch_seconds(at(-2000)), -2);
    }

    #[test]
    fn wall_clock_moves_alone() {
        let clock = ManualClock::new(SystemTime::UNIX_EPOCH + Duration::from_secs(100));
        let mono = clock.monotonic();
        clock.clone().set_wall(SystemTime::UNIX_EPOCH);
        assert_eq!(epoch_seconds(clock.now()), 0);
        assert_eq!(clock.monotonic(), mono);
    }
}
