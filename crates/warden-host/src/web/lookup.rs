//! What lies at a path, for its owner alone: `uri` comes from a link or a form and is never trusted.

use tower_warden::{CanonicalPath, OwnerId};

use super::text;
use crate::{Error, ErrorKind, Host, SharedResource};

/// What an owner shares at a path.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing: the path follows the host's own rules.
    Nothing,
    /// Exactly this path.
    Exact(Box<SharedResource>),
    /// An ancestor that covers everything below it.
    Covered(Box<SharedResource>),
}

/// Looks up what the owner shares at `uri`.
///
/// # Errors
///
/// `BadPath`, `NotYours`, `NotGuarded`; store and catalogue errors.
pub(crate) async fn at(host: &Host, owner: &OwnerId, uri: &str) -> Result<Found, Error> {
    // What the owner shares can be seen and stopped even where the host no longer guards it.
    if let Some(resource) = host.resource(owner, uri).await? {
        return Ok(Found::Exact(Box::new(resource)));
    }
    let path = check(host, owner, uri).await?;
    match host.covering(owner, &path.to_uri()).await? {
        Some(resource) => Ok(Found::Covered(Box::new(resource))),
        None => Ok(Found::Nothing),
    }
}

/// The path, if it is the owner's and something enforces what is shared there.
async fn check(host: &Host, owner: &OwnerId, uri: &str) -> Result<CanonicalPath<'static>, Error> {
    let path = CanonicalPath::parse(uri)
        .map(CanonicalPath::into_owned)
        .map_err(|error| {
            Error::new(ErrorKind::BadPath, error.to_string())
                .at("uri")
                .because(error)
        })?;
    let found = host
        .inner
        .catalogue
        .owner_of(&path)
        .await
        .map_err(|error| {
            Error::new(
                ErrorKind::Catalogue,
                "it could not be found out whose that path is",
            )
            .because(error)
        })?;
    if found.as_ref() != Some(owner) {
        return Err(Error::new(
            ErrorKind::NotYours,
            "there is nothing of yours at this path",
        )
        .at("uri"));
    }
    let engine = host.engine.get();
    if !engine.is_some_and(|engine| engine.enforces(&path, false)) {
        return Err(Error::new(ErrorKind::NotGuarded, text::UNGUARDED_TEXT).at("uri"));
    }
    Ok(path)
}
