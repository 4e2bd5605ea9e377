//! Random values, digests and comparisons.
//!
//! What the AM hands out (tokens, codes, tickets, cookies) it keeps as SHA-256 digests only. Passwords are plain SHA-256 digests too, which is enough for
//! made-up people and for nobody else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::error::{Error, ErrorKind};

/// 32 random bytes as 43 base64url characters.
pub(crate) fn random_token() -> Result<String, Error> {
    random::<32>()
}

/// 16 random bytes as 22 base64url characters: for ids, which are not secret.
pub(crate) fn random_id() -> Result<String, Error> {
    random::<16>()
}

fn random<const N: usize>() -> Result<String, Error> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|source| {
        Error::new(
            ErrorKind::Random,
            "no random bytes from the operating system",
        )
        .with_source(source.to_string())
    })?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The base64url SHA-256 digest: key of stored secrets, and the S256 transformation of RFC 7636 section 4.2.
pub(crate) fn digest(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes()))
}

/// Compares two secrets in constant time (their lengths may show).
pub(crate) fn same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}
