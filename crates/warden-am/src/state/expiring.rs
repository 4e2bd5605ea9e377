//! A bounded table of values that are looked up by a secret and end by themselves.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::secrets;

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Entry<T> {
    value: T,
    expires_ms: i64,
    sequence: u64,
}

/// Values by the digest of the secret that was handed out for them. The secret itself is not kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Expiring<T> {
    entries: HashMap<String, Entry<T>>,
    sequence: u64,
}

impl<T> Default for Expiring<T> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            sequence: 0,
        }
    }
}

impl<T> Expiring<T> {
    /// Stores the value under a new random secret that begins with `mark`, and returns that secret.
    pub(crate) fn issue(
        &mut self,
        mark: &str,
        value: T,
        expires_ms: i64,
        cap: usize,
    ) -> Result<String, Error> {
        let secret = format!("{mark}{}", secrets::random_token()?);
        self.insert(&secret, value, expires_ms, cap);
        Ok(secret)
    }

    /// Stores the value under a known secret; the oldest entry makes room when `cap` is reached.
    pub(crate) fn insert(&mut self, secret: &str, value: T, expires_ms: i64, cap: usize) {
        let key = secrets::digest(secret);
        if self.entries.len() >= cap && !self.entries.contains_key(&key) {
            let oldest = self
                .entries
                .iter()
                .min_by_key(|(_, entry)| entry.sequence)
                .map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.entries.remove(&oldest);
            }
        }
        self.sequence += 1;
        self.entries.insert(
            key,
            Entry {
                value,
                expires_ms,
                sequence: self.sequence,
            },
        );
    }

    /// The value and when it ends (Unix milliseconds), unless it has ended.
    pub(crate) fn get(&self, secret: &str, now_ms: i64) -> Option<(&T, i64)> {
        self.entries
            .get(&secrets::digest(secret))
            .filter(|entry| entry.expires_ms > now_ms)
            .map(|entry| (&entry.value, entry.expires_ms))
    }

    /// True when the secret was good and has ended, as far as that is still remembered.
    pub(crate) fn has_ended(&self, secret: &str, now_ms: i64) -> bool {
        self.entries
            .get(&secrets::digest(secret))
            .is_some_and(|entry| entry.expires_ms <= now_ms)
    }

    pub(crate) fn get_mut(&mut self, secret: &str, now_ms: i64) -> Option<&mut T> {
        self.entries
            .get_mut(&secrets::digest(secret))
            .filter(|entry| entry.expires_ms > now_ms)
            .map(|entry| &mut entry.value)
    }

    /// Takes the value out: the secret works once.
    pub(crate) fn take(&mut self, secret: &str, now_ms: i64) -> Option<T> {
        self.entries
            .remove(&secrets::digest(secret))
            .filter(|entry| entry.expires_ms > now_ms)
            .map(|entry| entry.value)
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.entries.retain(|_, entry| keep(&entry.value));
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn prune(&mut self, now_ms: i64) {
        self.entries.retain(|_, entry| entry.expires_ms > now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_works_until_it_ends_and_is_taken_once() {
        let mut table = Expiring::default();
        let secret = table.issue("", "value", 100, 10).unwrap();
        assert_eq!(secret.len(), 43);
        assert_eq!(table.get(&secret, 99), Some((&"value", 100)));
        assert_eq!(table.get(&secret, 100), None);
        assert_eq!(table.take(&secret, 50), Some("value"));
        assert_eq!(table.take(&secret, 50), None);
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut table = Expiring::default();
        let first = table.issue("", 1, 100, 2).unwrap();
        let second = table.issue("", 2, 100, 2).unwrap();
        let third = table.issue("", 3, 100, 2).unwrap();
        assert_eq!(table.get(&first, 0), None);
        assert!(table.get(&second, 0).is_some() && table.get(&third, 0).is_some());
        table.prune(100);
        assert!(table.entries.is_empty());
    }

    #[test]
    fn secrets_are_not_in_the_stored_form() {
        let mut table = Expiring::default();
        let secret = table.issue("", 1, 100, 2).unwrap();
        assert!(!serde_json::to_string(&table).unwrap().contains(&secret));
    }
}
