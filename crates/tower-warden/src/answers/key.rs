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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::Hash;
    use std::sync::Arc;

    use super::*;
    use crate::fake::{am, map_at};
    use crate::{OwnerId, Requirement, ResourceMap};

    fn requirements(issuer: &str, owner: &str) -> Requirements {
        let map: ResourceMap = map_at("/api/mapped", owner, &am(issuer));
        assert_eq!(map.owner(), &OwnerId::new(owner));
        Requirement::of_method(Arc::new(map), &http::Method::GET)
            .unwrap()
            .into()
    }

    #[test]
    fn a_key_depends_on_all_that_an_answer_does_and_on_where_each_part_ends() {
        let keys = Keys::random();
        let key = |issuer: &str, owner: &str, credential, token: &str| {
            let key = keys.answer(&requirements(issuer, owner), credential, token);
            (key.0, key.1)
        };
        let mut seen = BTreeSet::new();
        for issuer in ["https://am.example", "https://am.example/a"] {
            for (owner, token) in [("alice", "token"), ("alicet", "oken"), ("bob", "token")] {
                assert!(seen.insert(key(issuer, owner, Credential::Owner, token)));
                let again = key(issuer, owner, Credential::Owner, token);
                assert!(!seen.insert(again), "the same parts give the same key");
            }
            let hosts = key(issuer, "alice", Credential::Host, "token");
            assert!(seen.insert(hosts));
            assert_eq!(hosts, key(issuer, "bob", Credential::Host, "token"));
        }
        // By itself a token has a key of its own, and an AM a name.
        let own = |token: &str| (keys.token(token).0, keys.token(token).1);
        assert!(seen.insert(own("token")) && seen.insert(own("tokem")));
        let [one, other] = ["https://a.example", "https://b.example"]
            .map(|issuer| keys.am(&Issuer::parse(issuer).unwrap()));
        assert_ne!(one, other);
        // Another process has other keys.
        let elsewhere = Keys::random().token("token");
        assert_ne!((elsewhere.0, elsewhere.1), own("token"));
    }

    #[test]
    fn a_fingerprint_tells_tokens_apart_and_nothing_of_the_key() {
        let keys = Keys::random();
        let [one, other] = ["one", "other"].map(|token| keys.token(token));
        assert_eq!(keys.fingerprint(&one), keys.fingerprint(&one));
        assert_ne!(keys.fingerprint(&one), keys.fingerprint(&other));
        assert!(![one.0, one.1].contains(&keys.fingerprint(&one)));
        for half in [AnswerKey(one.0, other.1), AnswerKey(other.0, one.1)] {
            assert_ne!(keys.fingerprint(&half), keys.fingerprint(&one));
        }
        let shown = format!("{one:?} {keys:?}");
        assert_eq!(shown, "AnswerKey([redacted]) Keys([redacted])");
    }

    #[test]
    fn lives_are_shortened_by_up_to_a_tenth_each_key_by_its_own_share() {
        let keys = Keys::random();
        let ttl = Duration::from_secs(10);
        let lives: BTreeSet<_> = (0..500)
            .map(|number| keys.token(&number.to_string()).shorten(ttl))
            .collect();
        assert!(
            lives
                .iter()
                .all(|life| *life <= ttl && *life > ttl * 9 / 10)
        );
        assert!(lives.len() > 250, "{} lives", lives.len());
        assert_eq!(AnswerKey(7, 500).shorten(ttl), Duration::from_millis(9500));
    }

    #[test]
    fn what_is_a_hash_already_is_handed_on() {
        let mut hasher = PassThrough::default();
        AnswerKey(7, 8).hash(&mut hasher);
        assert_eq!(hasher.finish(), 7);
        let mut bytes = PassThrough::default();
        bytes.write(&[7, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(bytes.finish(), 6);
        bytes.write_u64(6);
        assert_eq!(bytes.finish(), 0);
    }
}
