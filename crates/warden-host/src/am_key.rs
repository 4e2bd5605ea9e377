//! The short key of an AM in paths and in the store.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uma_client::Issuer;

/// The key of an AM: 96 bits of the SHA-256 of its issuer, safe in a URL.
///
/// Each AM has a callback path of its own, so that an answer can't be passed off as another AM's (RFC 9700 section 4.4.2).
#[must_use]
pub(crate) fn am_key(issuer: &Issuer) -> String {
    let hash = Sha256::digest(issuer.as_str().as_bytes());
    URL_SAFE_NO_PAD.encode(hash.get(..12).unwrap_or(&hash))
}

/// What is kept of a value that only has to be recognised: its SHA-256.
pub(crate) fn fingerprint(kind: &str, value: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(kind.as_bytes());
    hash.update([0]);
    hash.update(value.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.finalize())
}
