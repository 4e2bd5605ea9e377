//! What lies at a path, for its owner alone: `uri` comes from a link or a form and is never trusted.

use http::Method;
use tower_warden::{CanonicalPath, Lookup, OwnerId, Resolution, ResourceMaps, Site, Target};

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
    match covering(host, owner, &path).await? {
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

/// The nearest ancestor's share that covers `path`. Enforcement's own maps say whether there is one at all.
async fn covering(
    host: &Host,
    owner: &OwnerId,
    path: &CanonicalPath<'_>,
) -> Result<Option<SharedResource>, Error> {
    let site = Site::default();
    let resolution = match host.maps().find(&Target::new(&site, path, &Method::GET)) {
        Lookup::Ready(resolution) => resolution,
        Lookup::Later(resolution) => resolution.await,
    };
    match resolution {
        Ok(Resolution::Unmapped) => return Ok(None),
        Ok(_) => {}
        Err(error) => {
            return Err(Error::new(ErrorKind::Store, "the maps cannot be read").because(error));
        }
    }
    let uri = path.to_uri();
    let mut ancestor = uri.as_str();
    while let Some((shorter, _)) = ancestor.rsplit_once('/') {
        ancestor = shorter;
        let uri = if ancestor.is_empty() { "/" } else { ancestor };
        if let Some(resource) = host.resource(owner, uri).await?
            && resource.subtree
        {
            return Ok(Some(resource));
        }
    }
    Ok(None)
}
