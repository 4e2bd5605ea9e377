//! When a connection has to be looked at: by the life of what keeps it, and no oftener.

use sha2::{Digest as _, Sha256};
use tower_warden::OwnerId;
use uma_client::{StoredPat, epoch_seconds};

/// How long before its end an owner is told of a connection that can't be prolonged, in seconds; less for short ones.
const NOTICE: i64 = 7 * 24 * 60 * 60;

/// What decides over a connection's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) issued: i64,
    pub(crate) ends: i64,
    /// Whether there is a refresh token whose life can be prolonged.
    pub(crate) refreshable: bool,
}

impl Life {
    /// The life of the refresh token; of the access token where there is none. `None` if the AM named no end.
    pub(crate) fn of(pat: &StoredPat) -> Option<Self> {
        let refreshable = pat.refresh_token.is_some();
        let ends = if refreshable {
            pat.refresh_expires_at
        } else {
            pat.expires_at
        };
        Some(Self {
            issued: epoch_seconds(pat.issued_at),
            ends: epoch_seconds(ends?),
            refreshable,
        })
    }

    /// When to look at it.
    ///
    /// What can be prolonged: when half of its life is over, and up to an eighth later, so that owners who came together
    /// do not stay together. What can't: in time to tell its owner.
    pub(crate) fn attend_at(self, owner: &OwnerId, prolongs: bool) -> i64 {
        let life = self.ends.saturating_sub(self.issued).max(0);
        if self.refreshable && prolongs {
            let spread = life / 8;
            let at = self
                .issued
                .saturating_add(life / 2)
                .saturating_add(share_of(owner, spread));
            // A second later, when less than half is left for certain.
            return at.saturating_add(1);
        }
        let notice = if self.refreshable {
            NOTICE
        } else {
            NOTICE.min(life / 4)
        };
        self.ends.saturating_sub(notice).max(self.issued)
    }

    /// Whether renewing has moved the end from where it was before.
    pub(crate) fn is_longer_than(self, before: i64) -> bool {
        // An AM that gives what is left of a session counts in whole seconds, or minutes.
        self.ends > before.saturating_add(60)
    }
}

/// An owner's share of a span: always the same, and spread evenly over owners.
fn share_of(owner: &OwnerId, span: i64) -> i64 {
    let hash = Sha256::digest(owner.as_str().as_bytes());
    let mut bytes = [0; 4];
    for (to, from) in bytes.iter_mut().zip(hash) {
        *to = from;
    }
    let part = i128::from(u32::from_be_bytes(bytes));
    i64::try_from(i128::from(span.max(0)) * part / i128::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(issued: i64, ends: i64, refreshable: bool) -> Life {
        Life {
            issued,
            ends,
            refreshable,
        }
    }

    #[test]
    fn what_can_be_prolonged_is_looked_at_after_half_its_life() {
        let mut times: Vec<i64> = (0..1000)
            .map(|number| {
                let owner = OwnerId::new(format!("owner-{number}"));
                life(1000, 9000, true).attend_at(&owner, true)
            })
            .collect();
        times.sort_unstable();
        assert!(times[0] > 5000, "never before less than half is left");
        assert!(times[999] <= 6001);
        assert!(times[500] > 5400 && times[500] < 5600, "spread evenly");
        let huge = life(0, i64::MAX, true).attend_at(&OwnerId::new("x"), true);
        assert!(huge > i64::MAX / 2);
    }

    #[test]
    fn what_cant_be_prolonged_is_looked_at_in_time_to_tell() {
        let owner = OwnerId::new("alice");
        let month = 30 * 24 * 3600;
        assert_eq!(
            life(0, month, false).attend_at(&owner, true),
            month - NOTICE
        );
        assert_eq!(life(100, 500, false).attend_at(&owner, true), 400);
        assert_eq!(
            life(1000, 1800, true).attend_at(&owner, false),
            1000,
            "at once, as it is known only now"
        );
        assert!(!life(0, 100, true).is_longer_than(100));
        assert!(life(0, 200, true).is_longer_than(100));
    }
}
