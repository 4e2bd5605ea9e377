//! Several keys at once: one that seals, and old ones that only unseal until all is sealed anew.

use std::fmt;

use uma_client::Secret;

use super::{Place, SealingKey, config, key_id_of};
use crate::{BoxError, Error, ErrorKind};

/// The keys of a store: one that seals, and those that what is older was sealed with.
///
/// To change the key, give the new one, and the one until now as an old one. A host seals anew in the background
/// ([`Host::reseal`](crate::Host::reseal)); when that is done, the old key is no longer needed and the store starts
/// without it. A store that holds anything sealed with a key that is not given refuses to start.
///
/// ```
/// use warden_host::{KeyRing, SealingKey};
///
/// let (new, old) = (SealingKey::generate()?, SealingKey::generate()?);
/// let ring = KeyRing::new(new).with_old(old);
/// assert_eq!(format!("{ring:?}"), "KeyRing([redacted])");
/// # Ok::<(), warden_host::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct KeyRing {
    current: SealingKey,
    old: Vec<SealingKey>,
}

/// Where keys come from, such as a key management service. Asked once, when a store is opened.
pub trait KeySource: Send + Sync {
    /// The keys.
    fn keys(&self) -> impl Future<Output = Result<KeyRing, BoxError>> + Send;
}

impl KeyRing {
    /// A ring of one key, which seals.
    pub fn new(current: SealingKey) -> Self {
        Self {
            current,
            old: Vec::new(),
        }
    }

    /// Adds a key that what is older may be sealed with.
    pub fn with_old(mut self, key: SealingKey) -> Self {
        self.old.push(key);
        self
    }

    /// Takes the keys from a source.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the source has none to give.
    pub async fn from_source(source: &impl KeySource) -> Result<Self, Error> {
        source
            .keys()
            .await
            .map_err(|error| config("the sealing keys can't be had").because(error))
    }

    /// The id of the key that seals, as hexadecimal digits. It is no secret.
    #[must_use]
    pub fn current_id(&self) -> String {
        self.current.id()
    }

    pub(crate) fn has_old(&self) -> bool {
        !self.old.is_empty()
    }

    pub(crate) fn seal(&self, place: &Place<'_>, secret: &Secret) -> Result<Vec<u8>, Error> {
        self.current.seal(place, secret)
    }

    pub(crate) fn unseal(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Secret, Error> {
        let id = key_id_of(sealed);
        let mut fitting = self.keys().filter(|key| Some(key.raw_id()) == id);
        let first = fitting.next().unwrap_or(&self.current);
        let opened = first.unseal(place, sealed);
        // Ids are short: of two keys with one id, the right one is the one that opens.
        fitting.fold(opened, |opened, key| {
            opened.or_else(|_| key.unseal(place, sealed))
        })
    }

    /// Whether a value is sealed with another key than the one that seals now.
    pub(crate) fn is_old(&self, sealed: &[u8]) -> bool {
        key_id_of(sealed) != Some(self.current.raw_id())
    }

    pub(crate) fn holds(&self, id: &str) -> bool {
        self.keys().any(|key| key.id() == id)
    }

    pub(crate) fn current_raw_id(&self) -> Vec<u8> {
        self.current.raw_id().to_vec()
    }

    fn keys(&self) -> impl Iterator<Item = &SealingKey> {
        std::iter::once(&self.current).chain(&self.old)
    }
}

impl From<SealingKey> for KeyRing {
    fn from(key: SealingKey) -> Self {
        Self::new(key)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing([redacted])")
    }
}

/// Why a store with this key id does not start.
pub(crate) fn unknown_key(id: &str) -> Error {
    Error::new(
        ErrorKind::Sealed,
        format!(
            "something in this database is sealed with the key {id}, which is not among those given; give it as an old key"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place {
        table: "t",
        row: "r",
        owner: "o",
        issuer: "i",
        column: "c",
    };

    fn key(byte: u8) -> SealingKey {
        SealingKey::from_bytes(&[byte; 32]).unwrap()
    }

    #[test]
    fn the_current_key_seals_and_all_unseal() {
        let secret = Secret::new("canary");
        let before = KeyRing::new(key(1)).seal(&PLACE, &secret).unwrap();
        let ring = KeyRing::new(key(2)).with_old(key(1));
        assert_eq!(ring.unseal(&PLACE, &before).unwrap().expose(), "canary");
        assert!(ring.is_old(&before));
        let after = ring.seal(&PLACE, &secret).unwrap();
        assert!(!ring.is_old(&after));
        let without = KeyRing::new(key(2));
        assert_eq!(without.unseal(&PLACE, &after).unwrap().expose(), "canary");
        assert_eq!(
            without.unseal(&PLACE, &before).unwrap_err().kind(),
            ErrorKind::Sealed
        );
        assert!(ring.holds(&key(1).id()) && !without.holds(&key(1).id()));
    }

    #[tokio::test]
    async fn keys_come_from_a_source() {
        struct Service(bool);
        impl KeySource for Service {
            async fn keys(&self) -> Result<KeyRing, BoxError> {
                if self.0 {
                    Ok(KeyRing::new(key(3)).with_old(key(4)))
                } else {
                    Err("away".into())
                }
            }
        }
        let ring = KeyRing::from_source(&Service(true)).await.unwrap();
        assert_eq!(ring.current_id(), key(3).id());
        let error = KeyRing::from_source(&Service(false)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}
