//! The answers that came last, where they are found without looking into the cache.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::{Answer, AnswerKey};

/// How many; a power of two.
const SLOTS: u64 = 4096;

/// A slot for each of so many keys; of two keys with one slot the later takes it.
///
/// The cache notes every use of an entry, which takes longer than most else that a permitted request needs. What is found
/// here is not looked for there. It is written only where the cache is, under the lock of the flights, and by loads alone,
/// never by who has just read the cache: so nothing that was forgotten comes back.
pub(super) struct Front(Box<[ArcSwapOption<Answer>]>);

impl Front {
    pub(super) fn new() -> Self {
        Self((0..SLOTS).map(|_| ArcSwapOption::empty()).collect())
    }

    pub(super) fn get(&self, key: &AnswerKey) -> Option<Arc<Answer>> {
        let slot = self.slot(key)?.load();
        slot.as_ref().filter(|answer| answer.key == *key).cloned()
    }

    /// Puts an answer into the slot of its key.
    pub(super) fn put(&self, answer: &Arc<Answer>) {
        if let Some(slot) = self.slot(&answer.key) {
            slot.store(Some(answer.clone()));
        }
    }

    /// Empties the slot of a key, if its answer is there.
    pub(super) fn clear(&self, key: &AnswerKey) {
        if let Some(slot) = self.slot(key)
            && slot
                .load()
                .as_ref()
                .is_some_and(|answer| answer.key == *key)
        {
            slot.store(None);
        }
    }

    fn slot(&self, key: &AnswerKey) -> Option<&ArcSwapOption<Answer>> {
        let at = usize::try_from(key.half() % SLOTS).ok()?;
        self.0.get(at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant, SystemTime};

    use super::super::Keys;
    use super::*;
    use crate::Evidence;

    fn answer(key: AnswerKey) -> Arc<Answer> {
        Arc::new(Answer {
            evidence: Evidence::Inactive,
            key,
            am: 1,
            stamp: 1,
            deadline: Instant::now() + Duration::from_secs(1),
            deadline_wall: SystemTime::UNIX_EPOCH,
        })
    }

    #[test]
    fn what_was_put_is_found_by_its_key_until_it_is_cleared_or_another_takes_the_slot() {
        let keys = Keys::random();
        let front = Front::new();
        let one = keys.token("one");
        let mut others = (0..).map(|number: u32| keys.token(&number.to_string()));
        let rival = others
            .find(|key| key.half() % SLOTS == one.half() % SLOTS)
            .unwrap();
        let found = |key| front.get(key).map(|answer| answer.key);
        assert_eq!(found(&one), None);
        front.put(&answer(one));
        assert_eq!(found(&one), Some(one));
        assert_eq!(found(&rival), None);
        front.clear(&rival);
        assert_eq!(found(&one), Some(one), "another's answer is not cleared");
        front.put(&answer(rival));
        assert_eq!((found(&one), found(&rival)), (None, Some(rival)));
        front.clear(&rival);
        assert_eq!(found(&rival), None);
    }
}
