//! Work that nobody waits for goes at an even pace, AM by AM.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uma_client::Issuer;

/// Calls that may come at once after a pause.
const AT_ONCE: u32 = 10;

/// So many calls per second at each AM, for work in the background.
#[derive(Debug)]
pub(crate) struct Pace {
    between: Duration,
    /// When the next call would come if all had come evenly.
    next: Mutex<HashMap<Issuer, Instant>>,
}

impl Pace {
    /// At least one call per second.
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            between: Duration::from_secs(1) / per_second.max(1),
            next: Mutex::default(),
        }
    }

    /// Waits for this call's turn.
    pub(crate) async fn turn(&self, issuer: &Issuer) {
        let now = Instant::now();
        let ahead = self.between * AT_ONCE;
        let due = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            if next.len() > 1000 {
                next.retain(|_, due| *due > now);
            }
            let due = next.entry(issuer.clone()).or_insert(now);
            let turn = (*due).max(now);
            *due = turn + self.between;
            turn
        };
        if let Some(early) = due.checked_sub(ahead)
            && early > now
        {
            tokio::time::sleep_until(early).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_at_once_then_evenly() {
        let pace = Pace::new(50);
        let (home, away) = (
            Issuer::parse("https://home.example").unwrap(),
            Issuer::parse("https://away.example").unwrap(),
        );
        let begin = Instant::now();
        for _ in 0..=AT_ONCE {
            pace.turn(&home).await;
        }
        assert_eq!(begin.elapsed(), Duration::ZERO);
        for _ in 0..100 {
            pace.turn(&home).await;
        }
        let took = begin.elapsed();
        assert!(
            took >= Duration::from_millis(1990) && took <= Duration::from_millis(2110),
            "{took:?}"
        );
        pace.turn(&away).await;
        assert_eq!(begin.elapsed(), took, "each AM has a pace of its own");
    }
}
