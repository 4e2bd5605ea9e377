//! Room that several AMs share, fairly.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How much of a cache each AM holds.
///
/// As long as there is room, anyone may take it. There is a third more of it for those who hold less than the average of all
/// AMs: an AM that floods the cache with good tokens, its own owner's or a whole crowd's, fills the room and no more, and
/// drives out nothing of the others.
#[derive(Debug)]
pub(super) struct Shares {
    room: u64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    total: u64,
    by_am: HashMap<u64, u64>,
}

impl Shares {
    pub(super) fn new(room: u64) -> Self {
        Self {
            room,
            held: Mutex::default(),
        }
    }

    /// How much the cache has to hold.
    pub(super) const fn capacity(&self) -> u64 {
        self.room.saturating_add(self.reserve())
    }

    /// How much of that is for those who hold less than the average.
    pub(super) const fn reserve(&self) -> u64 {
        self.room.div_ceil(3)
    }

    /// Takes room for an AM, or says that there is none for it. What was taken has to be given back.
    pub(super) fn take(&self, am: u64, weight: u64) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let own = held.by_am.get(&am).copied().unwrap_or(0) + weight;
        let total = held.total + weight;
        let ams = held.by_am.len() as u64 + u64::from(own == weight);
        let is_short = total > self.room;
        if total > self.capacity() || is_short && own.saturating_mul(ams) >= total {
            return false;
        }
        held.total = total;
        held.by_am.insert(am, own);
        true
    }

    pub(super) fn give_back(&self, am: u64, weight: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.total = held.total.saturating_sub(weight);
        if let Some(own) = held.by_am.get_mut(&am) {
            *own = own.saturating_sub(weight);
            if *own == 0 {
                held.by_am.remove(&am);
            }
        }
    }

    /// How much an AM holds, and all together.
    #[cfg(test)]
    pub(super) fn held(&self, am: u64) -> (u64, u64) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        (held.by_am.get(&am).copied().unwrap_or(0), held.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_room_to_those_who_have_little() {
        let shares = Shares::new(300);
        let [flood, quiet, late] = [1, 2, 3];
        assert!((0..20).all(|_| shares.take(quiet, 1)));
        let taken = (0..1000).filter(|_| shares.take(flood, 1)).count();
        assert_eq!(taken, 280);
        assert!((0..40).all(|_| shares.take(quiet, 1)));
        assert!((0..40).all(|_| shares.take(late, 1)));
        assert_eq!(shares.held(flood), (280, 380));
        assert!(shares.held(flood).1 <= shares.capacity());
    }

    #[test]
    fn one_alone_leaves_room_to_those_who_may_come() {
        let shares = Shares::new(30);
        assert_eq!((0..100).filter(|_| shares.take(1, 1)).count(), 30);
        assert!((0..10).all(|_| shares.take(2, 1)));
        assert_eq!(shares.held(1), (30, 40));
        assert_eq!(shares.capacity(), 40);
    }

    #[test]
    fn each_am_counts_once_in_the_average() {
        let shares = Shares::new(30);
        assert!(shares.take(1, 20) && shares.take(2, 10));
        assert!(!shares.take(1, 1), "more than the average of two");
        assert!(shares.take(2, 1), "less, but more than that of three");
    }

    #[test]
    fn two_who_flood_leave_what_is_kept_as_it_is() {
        let shares = Shares::new(300);
        let [one, two, late] = [1, 2, 3];
        let flood = |am| (0..1000).filter(|_| shares.take(am, 1)).count();
        assert_eq!((flood(one), flood(two), flood(late)), (300, 100, 0));
        assert_eq!(shares.held(one).1, shares.capacity());
    }

    #[test]
    fn who_gives_back_a_part_holds_the_rest() {
        let shares = Shares::new(10);
        assert!(shares.take(1, 10));
        shares.give_back(1, 4);
        assert_eq!(shares.held(1), (6, 6));
    }

    #[test]
    fn what_is_given_back_is_there_again() {
        let shares = Shares::new(10);
        assert!(shares.take(1, 10));
        assert!(!shares.take(1, 1));
        shares.give_back(1, 10);
        assert_eq!(shares.held(1), (0, 0));
        assert!(shares.take(1, 10));
    }
}
