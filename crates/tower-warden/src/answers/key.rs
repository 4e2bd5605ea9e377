//! Keys of cached answers: a keyed hash of all that an answer depends on.

use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use siphasher::sip128::{Hasher128, SipHasher13};

use uma_client::Issuer;

use crate::{Credential, Requirements};

/// The key of an answer: (AM, credential that introspection is made with, whole token), hashed to 128 bits.
///
/// SipHash-1-3 can't be told from chance without its key, which is drawn at start and never leaves the process, nor do the
/// hashes: nobody can look for two tokens that collide. By chance, two of 2^40 tokens do so once in 2^49 processes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnswerKey(u64, u64);

impl AnswerKey {
    /// The first half, which tells tokens apart where nothing hangs on it.
    pub(crate) const fn half(&self) -> u64 {
        self.0
    }

    /// Up to a tenth off a time to live, the same for the same key: answers of one moment then do not end in one moment.
    pub(crate) fn shorten(&self, ttl: Duration) -> Duration {
        let tenth = ttl / 10;
        let share = u32::try_from(self.1 % 1000).unwrap_or(0);
        ttl - tenth * share / 1000
    }
}

impl std::hash::Hash for AnswerKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

impl fmt::Debug for AnswerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerKey([redacted])")
    }
}

/// Hands on the hash that the key already is.
pub(crate) type PassThroughHasher = BuildHasherDefault<PassThrough>;

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct PassThrough(u64);

impl Hasher for PassThrough {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }
}

/// Makes keys, with a secret of this process.
pub(crate) struct Keys {
    hasher: SipHasher13,
    fingerprints: SipHasher13,
}

impl Keys {
    pub(crate) fn random() -> Self {
        Self {
            hasher: Self::random_hasher(),
            fingerprints: Self::random_hasher(),
        }
    }

    fn random_hasher() -> SipHasher13 {
        let mut key = [0; 16];
        if getrandom::fill(&mut key).is_err() {
            // Without a source of randomness the standard library's seed, drawn when there was one, has to do.
            use std::hash::{BuildHasher, RandomState};
            for part in key.chunks_mut(8) {
                part.copy_from_slice(&RandomState::new().hash_one(0).to_le_bytes());
            }
        }
        SipHasher13::new_with_key(&key)
    }

    /// The key of what the AM of the requirements says of a token.
    pub(crate) fn answer(
        &self,
        requirements: &Requirements,
        credential: Credential,
        token: &str,
    ) -> AnswerKey {
        let mut hasher = self.hasher;
        part(&mut hasher, requirements.am().issuer().as_str());
        match credential {
            Credential::Host => hasher.write_u8(0),
            Credential::Owner => {
                hasher.write_u8(1);
                part(&mut hasher, requirements.owner().as_str());
            }
        }
        part(&mut hasher, token);
        let hash = hasher.finish128();
        AnswerKey(hash.h1, hash.h2)
    }

    /// The key of a token, whichever AM it is of.
    pub(crate) fn token(&self, token: &str) -> AnswerKey {
        let mut hasher = self.hasher;
        part(&mut hasher, token);
        let hash = hasher.finish128();
        AnswerKey(hash.h1, hash.h2)
    }

    /// What may stand in a log: it says which requests bore the same token, and nothing of the key.
    pub(crate) fn fingerprint(&self, key: &AnswerKey) -> u64 {
        let mut hasher = self.fingerprints;
        hasher.write_u64(key.0);
        hasher.write_u64(key.1);
        hasher.finish128().h1
    }

    /// A short name for an AM.
    pub(crate) fn am(&self, issuer: &Issuer) -> u64 {
        self.name(issuer.as_str())
    }

    /// A short name for what has a long one.
    pub(crate) fn name(&self, text: &str) -> u64 {
        let mut hasher = self.hasher;
        part(&mut hasher, text);
        hasher.finish128().h1
    }
}

/// Length first, so that no two lists of parts are hashed alike.
fn part(hasher: &mut SipHasher13, text: &str) {
    hasher.write_u64(text.len() as u64);
    hasher.write(text.as_bytes());
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys([redacted])")
    }
}
