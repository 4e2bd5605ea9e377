//! When to try again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use uma_client::Issuer;

const LONGEST_FOR_AM: Duration = Duration::from_secs(300);
const LONGEST_FOR_ROW: i64 = 3600;

/// AMs that are in trouble, and until when they are left alone.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    ams: Mutex<HashMap<Issuer, (u32, Instant)>>,
}

impl Patience {
    /// An AM failed: 1 s, then twice as long each time, up to five minutes; longer if it says so, up to an hour.
    pub(crate) fn begin(&self, issuer: &Issuer, now: Instant, after: Option<Duration>) {
        let mut ams = self.ams.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = ams.entry(issuer.clone()).or_insert((0, now));
        let doubled = Duration::from_secs(1u64 << entry.0.min(10)).min(LONGEST_FOR_AM);
        let wait = after.map_or(doubled, |after| {
            doubled.max(after.min(Duration::from_secs(3600)))
        });
        entry.0 += 1;
        entry.1 = now.checked_add(wait).unwrap_or(now);
    }

    /// An AM works.
    pub(super) fn end(&self, issuer: &Issuer) {
        let mut ams = self.ams.lock().unwrap_or_else(PoisonError::into_inner);
        ams.remove(issuer);
    }

    /// Whether an AM may be asked again.
    pub(crate) fn is_over(&self, issuer: &Issuer, now: Instant) -> bool {
        let ams = self.ams.lock().unwrap_or_else(PoisonError::into_inner);
        ams.get(issuer).is_none_or(|(_, until)| *until <= now)
    }
}

/// When to try a row again after `attempts` failures before this one: 2 s, then twice as long each time, up to an hour.
pub(super) fn next_try(now: i64, attempts: i64, after: Option<Duration>) -> i64 {
    let doubled = 2i64 << attempts.clamp(0, 11);
    let after = after
        .and_then(|after| i64::try_from(after.as_secs()).ok())
        .unwrap_or(0);
    now.saturating_add(doubled.max(after).min(LONGEST_FOR_ROW))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let waits: Vec<i64> = [0, 1, 2, 10, 11, 500]
            .map(|attempts| next_try(100, attempts, None) - 100)
            .into();
        assert_eq!(waits, [2, 4, 8, 2048, 3600, 3600]);
        assert_eq!(next_try(0, 0, Some(Duration::from_secs(30))), 30);
        assert_eq!(next_try(0, 0, Some(Duration::MAX)), 2);
        assert_eq!(next_try(i64::MAX, 5, None), i64::MAX);
    }

    #[test]
    fn an_am_is_left_alone_for_longer_each_time() {
        let patience = Patience::default();
        let am = Issuer::parse("https://am.example").unwrap();
        let now = Instant::now();
        assert!(patience.is_over(&am, now));
        for wait in [1, 2, 4] {
            patience.begin(&am, now, None);
            assert!(!patience.is_over(&am, now + Duration::from_millis(wait * 1000 - 1)));
            assert!(patience.is_over(&am, now + Duration::from_secs(wait)));
        }
        patience.end(&am);
        assert!(patience.is_over(&am, now));
        patience.begin(&am, now, Some(Duration::from_secs(30)));
        assert!(!patience.is_over(&am, now + Duration::from_secs(29)));
    }
}
