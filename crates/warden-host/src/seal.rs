//! Sealing: secrets at rest, one by one, bound to the place they belong to.

mod ring;

use std::fmt;
use std::fs;
use std::io::{ErrorKind as IoKind, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use uma_client::Secret;
use zeroize::Zeroizing;

use crate::{Error, ErrorKind};

pub(crate) use ring::unknown_key;
pub use ring::{KeyRing, KeySource};

/// The first byte of a sealed value: how it is made.
const FORMAT: u8 = 1;
const KEY_ID: usize = 4;
const NONCE: usize = 24;
const HEAD: usize = 1 + KEY_ID + NONCE;

/// The key that secrets are sealed with before they reach the store (XChaCha20-Poly1305).
///
/// Keep it apart from the store's backups: who has both has the secrets. Lose it, and every owner has to connect again.
///
/// ```
/// let key = warden_host::SealingKey::generate()?;
/// assert_eq!(format!("{key:?}"), "SealingKey([redacted])");
/// # Ok::<(), warden_host::Error>(())
/// ```
#[derive(Clone)]
pub struct SealingKey {
    key: Zeroizing<[u8; Self::BYTES]>,
    id: [u8; KEY_ID],
}

impl SealingKey {
    /// Length of a key, in bytes.
    pub const BYTES: usize = 32;

    /// A new random key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the system gives no randomness.
    pub fn generate() -> Result<Self, Error> {
        let mut key = Zeroizing::new([0; Self::BYTES]);
        random(key.as_mut_slice())?;
        Ok(Self::from_key(key))
    }

    /// Takes a key of [`SealingKey::BYTES`] random bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let Ok(key) = bytes.try_into() else {
            return Err(config("a sealing key has 32 bytes"));
        };
        Ok(Self::from_key(Zeroizing::new(key)))
    }

    /// Reads the key from a file of 32 bytes; makes the file, for its owner alone, if there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the file can't be read or made, has another length, or (on Unix) may be read or written by
    /// others than its owner.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let trouble = |what: &str, error: std::io::Error| {
            config(format!(
                "the sealing key {} can't be {what}",
                path.display()
            ))
            .because(error)
        };
        match private_new(path) {
            Ok(mut file) => {
                let key = Self::generate()?;
                file.write_all(key.key.as_slice())
                    .and_then(|()| file.sync_all())
                    .map_err(|error| {
                        // A half-written key would keep the next start from making one.
                        let _ = fs::remove_file(path);
                        trouble("written", error)
                    })?;
                return Ok(key);
            }
            Err(error) if error.kind() == IoKind::AlreadyExists => {}
            Err(error) => return Err(trouble("made", error)),
        }
        let meta = fs::metadata(path).map_err(|error| trouble("read", error))?;
        if !private(&meta) {
            return Err(config(format!(
                "the sealing key {} may be read by others; make it readable by its owner alone (chmod 600)",
                path.display()
            )));
        }
        let bytes = Zeroizing::new(fs::read(path).map_err(|error| trouble("read", error))?);
        Self::from_bytes(&bytes).map_err(|_| {
            config(format!(
                "the sealing key {} has not 32 bytes",
                path.display()
            ))
        })
    }

    /// Reads the key from an environment variable: 32 bytes in base64, standard or for URLs.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the variable is not set or is not such a key.
    pub fn from_env(name: &str) -> Result<Self, Error> {
        let text = std::env::var(name)
            .map(Zeroizing::new)
            .map_err(|_| config(format!("the sealing key {name} is not in the environment")))?;
        Self::from_base64(&text)
            .map_err(|_| config(format!("the sealing key {name} is not 32 bytes in base64")))
    }

    /// Reads a key of 32 bytes from base64, standard or for URLs.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it is not that.
    pub fn from_base64(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let bytes = STANDARD
            .decode(text)
            .or_else(|_| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')))
            .map(Zeroizing::new)
            .map_err(|_| config("a sealing key is 32 bytes in base64"))?;
        Self::from_bytes(&bytes)
    }

    /// The key's id, as hexadecimal digits: it stands beside what was sealed, and is no secret.
    #[must_use]
    pub fn id(&self) -> String {
        use std::fmt::Write as _;
        self.id.iter().fold(String::new(), |mut out, byte| {
            // Writing into a string does not fail.
            let _ = write!(out, "{byte:02x}");
            out
        })
    }

    fn raw_id(&self) -> &[u8] {
        &self.id
    }

    fn from_key(key: Zeroizing<[u8; Self::BYTES]>) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"warden-host sealing key");
        hash.update(key.as_slice());
        let mut id = [0; KEY_ID];
        for (to, from) in id.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        Self { key, id }
    }

    /// Seals a secret for one place.
    pub(crate) fn seal(&self, place: &Place<'_>, secret: &Secret) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE];
        random(&mut nonce)?;
        let aad = place.bytes();
        let payload = Payload {
            msg: secret.expose().as_bytes(),
            aad: &aad,
        };
        let sealed = self
            .cipher()
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_| {
                Error::new(
                    ErrorKind::Sealed,
                    "a secret can't be sealed: it is too long",
                )
            })?;
        let mut out = Vec::with_capacity(HEAD + sealed.len());
        out.push(FORMAT);
        out.extend_from_slice(&self.id);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Unseals what was sealed for the same place.
    pub(crate) fn unseal(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Secret, Error> {
        let refuse = |text: &'static str| Err(Error::new(ErrorKind::Sealed, text));
        let (Some(&format), Some(id), Some(nonce), Some(body)) = (
            sealed.first(),
            sealed.get(1..1 + KEY_ID),
            sealed.get(1 + KEY_ID..HEAD),
            sealed.get(HEAD..),
        ) else {
            return refuse("a stored secret is cut off");
        };
        if format != FORMAT {
            return refuse("a stored secret is sealed in a way that this version does not know");
        }
        if id != self.id {
            return refuse("a stored secret is sealed with another key than the one given");
        }
        let aad = place.bytes();
        let opened = self.cipher().decrypt(
            XNonce::from_slice(nonce),
            Payload {
                msg: body,
                aad: &aad,
            },
        );
        let Ok(bytes) = opened else {
            return refuse("a stored secret was changed or does not belong where it was found");
        };
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Secret::new(text)),
            Err(error) => {
                drop(Zeroizing::new(error.into_bytes()));
                refuse("a stored secret is not text")
            }
        }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.key.as_slice().into())
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey([redacted])")
    }
}

/// The id of the key that a value is sealed with.
fn key_id_of(sealed: &[u8]) -> Option<&[u8]> {
    sealed.get(1..1 + KEY_ID)
}

/// Where a sealed value belongs. A value moved to another place can't be unsealed there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'static str,
    pub(crate) row: &'a str,
    pub(crate) owner: &'a str,
    pub(crate) issuer: &'a str,
    pub(crate) column: &'static str,
}

impl Place<'_> {
    /// The associated data: each part behind its length, so that no two places are alike.
    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for part in [self.table, self.row, self.owner, self.issuer, self.column] {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part.as_bytes());
        }
        out
    }
}

fn random(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes)
        .map_err(|error| config("the system gives no randomness").because(error.to_string()))
}

fn config(text: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Config, text)
}

/// Makes a file that only its owner may read and write; fails if there is one.
pub(crate) fn private_new(path: &Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn private(meta: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o077 == 0
}

#[cfg(not(unix))]
fn private(_meta: &fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Place<'_> = Place {
        table: "connection",
        row: "alice",
        owner: "alice",
        issuer: "https://am.example",
        column: "access_token",
    };

    fn key(byte: u8) -> SealingKey {
        SealingKey::from_bytes(&[byte; 32]).unwrap()
    }

    #[test]
    fn a_value_is_bound_to_its_place() {
        let key = key(7);
        let sealed = key.seal(&ALICE, &Secret::new("pat-canary")).unwrap();
        assert_eq!(key.unseal(&ALICE, &sealed).unwrap().expose(), "pat-canary");
        let elsewhere = [
            Place {
                table: "am",
                ..ALICE
            },
            Place {
                row: "bob",
                ..ALICE
            },
            Place {
                owner: "bob",
                ..ALICE
            },
            Place {
                issuer: "https://am.exampl",
                ..ALICE
            },
            Place {
                column: "refresh_token",
                ..ALICE
            },
            // The same letters, cut elsewhere.
            Place {
                row: "alic",
                owner: "ealice",
                ..ALICE
            },
        ];
        for place in elsewhere {
            let error = key.unseal(&place, &sealed).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Sealed, "{place:?}");
        }
    }

    #[test]
    fn what_was_changed_or_cut_is_refused() {
        let key = key(7);
        let sealed = key.seal(&ALICE, &Secret::new("pat-canary")).unwrap();
        for at in 0..sealed.len() {
            assert!(key.unseal(&ALICE, &sealed[..at]).is_err(), "cut at {at}");
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.unseal(&ALICE, &changed).is_err(), "changed at {at}");
        }
        let text = SealingKey::unseal(&self::key(8), &ALICE, &sealed)
            .unwrap_err()
            .to_string();
        assert!(text.contains("another key"), "{text}");
    }

    #[test]
    fn a_secret_is_sealed_anew_each_time() {
        let key = key(7);
        let secret = Secret::new("pat-canary");
        let one = key.seal(&ALICE, &secret).unwrap();
        assert_ne!(one, key.seal(&ALICE, &secret).unwrap());
        assert!(!one.windows(6).any(|bytes| bytes == b"canary"));
    }

    #[test]
    fn the_file_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let made = SealingKey::from_file(&path).unwrap();
        assert_eq!(made.id, SealingKey::from_file(&path).unwrap().id);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            let text = SealingKey::from_file(&path).unwrap_err().to_string();
            assert!(text.contains("may be read by others"), "{text}");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::write(&path, [0; 31]).unwrap();
        assert_eq!(
            SealingKey::from_file(&path).unwrap_err().kind(),
            ErrorKind::Config
        );
        assert!(SealingKey::from_file(folder.path().join("no/such/folder")).is_err());
    }

    #[test]
    fn a_key_is_read_from_base64() {
        let known = key(251);
        for text in [
            "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=",
            " -_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s ",
        ] {
            assert_eq!(SealingKey::from_base64(text).unwrap().id, known.id);
        }
        for bad in ["", "AAAA", "not base64"] {
            assert!(SealingKey::from_base64(bad).is_err());
        }
        let error = SealingKey::from_env("WARDEN_NO_SUCH_KEY").unwrap_err();
        assert!(error.to_string().contains("WARDEN_NO_SUCH_KEY"), "{error}");
        assert_eq!(known.id().len(), 8);
    }

    #[test]
    fn nothing_prints_the_key() {
        assert_eq!(format!("{:?}", key(65)), "SealingKey([redacted])");
    }
}
