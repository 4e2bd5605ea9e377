//! One piece of work at a time on each path.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tower_warden::Site;

/// Locks by key: who works on a key keeps all others of this process from it. What nobody holds takes no memory for long.
#[derive(Debug)]
pub(crate) struct Locks<K> {
    held: Mutex<HashMap<K, Weak<AsyncMutex<()>>>>,
}

/// Locks by path.
pub(crate) type PathLocks = Locks<(Site, String)>;

impl<K> Default for Locks<K> {
    fn default() -> Self {
        Self {
            held: Mutex::new(HashMap::new()),
        }
    }
}

impl<K: Eq + Hash> Locks<K> {
    /// Waits until nobody else works on `key`; the guard ends the work.
    pub(crate) async fn lock(&self, key: K) -> OwnedMutexGuard<()> {
        self.of(key).lock_owned().await
    }

    fn of(&self, key: K) -> Arc<AsyncMutex<()>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = held.get(&key).and_then(Weak::upgrade) {
            return lock;
        }
        held.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::new(AsyncMutex::new(()));
        held.insert(key, Arc::downgrade(&lock));
        lock
    }

    /// The guard, if nobody works on `key` just now.
    pub(crate) fn try_lock(&self, key: &K) -> Option<OwnedMutexGuard<()>>
    where
        K: Clone,
    {
        self.of(key.clone()).try_lock_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_on_each_key() {
        let locks = Locks::<u8>::default();
        let one = locks.lock(1).await;
        let _two = locks.lock(2).await;
        let again = locks.lock(1);
        tokio::pin!(again);
        let early = tokio::time::timeout(std::time::Duration::from_millis(5), &mut again).await;
        assert!(early.is_err());
        drop(one);
        drop(again.await);
        drop(locks.lock(3).await);
        drop(locks.lock(4).await);
        assert_eq!(
            locks.held.lock().unwrap().len(),
            2,
            "2 is held, 4 was the last"
        );
    }
}
