//! Sharing a path and stopping to: the owner's half of the saga. The AM's half is in [`crate::reconcile`].

use std::time::Duration;

use tower_warden::{CanonicalPath, MethodScopes, OwnerId, Site};
use uma_client::{Issuer, Scopes};
use url::Url;
use uuid::Uuid;

use super::{Claim, Host, Work};
use crate::reconcile::Settled;
use crate::store::{Intended, MapRecord, NewShare, RowState, Store as _, path_fits};
use crate::{ConnectionState, Error, ErrorKind, ShareRequest, SharedResource, Stopped};

const MOST_NAME: usize = 255;
const MOST_DESCRIPTION: usize = 2000;
const MOST_SCOPES: usize = 64;
/// How long a share waits for another node that registers the same path.
const FOR_ANOTHER_NODE: Duration = Duration::from_secs(5);

impl Host {
    pub(super) async fn share_path(
        &self,
        owner: &OwnerId,
        request: ShareRequest,
    ) -> Result<SharedResource, Error> {
        let inner = &self.inner;
        let path = self.check_request(owner, &request).await?;
        let issuer = self.am_to_share_through(owner).await?;
        let drawn = request.generation;
        let share = new_share(&path, &self.site(), owner, &issuer, request)?;
        let _alone = inner
            .paths
            .lock((share.site.clone(), share.path_key.clone()))
            .await;
        if let Some(drawn) = drawn
            && let Some(kept) = self.unless_changed(&share, drawn).await?
        {
            return Ok(kept);
        }
        let (map, fresh) = match inner.store.share_intended(&share, inner.now()).await? {
            Intended::Kept { map, fresh } => (*map, fresh),
            Intended::Taken => return Err(taken()),
            Intended::OtherAm => return Err(not_connected()),
        };
        // Denied from here on, before the AM hears of it.
        inner.publish().await?;
        if map.state == RowState::Active && map.synced {
            return Ok(self.shared_here(map));
        }
        // One node at a time speaks to the AM about a map, so that none is registered twice.
        let work = Work::Map(map.id);
        let at_once = inner.worker.claim(work).await?;
        // Only of what nobody had claimed since it was read is it certain what the AM has.
        let waited = at_once.is_none();
        let claim = match at_once {
            None => inner.worker.claim_within(work, FOR_ANOTHER_NODE).await?,
            claim => claim,
        };
        let now = inner.store.map_at(&map.site, &map.path_key).await?;
        let Some(now) = now.filter(|now| now.id == map.id && now.state != RowState::Tombstone)
        else {
            return Err(stopped_meanwhile());
        };
        match claim {
            Some(claim) if !(now.state == RowState::Active && now.synced) => {
                let fresh = fresh && !waited && now == map;
                self.settle_claimed(claim, now, fresh).await
            }
            // Another node has done it, or is still at it.
            _ => Ok(self.shared_here(now)),
        }
    }

    async fn settle_claimed(
        &self,
        claim: Claim,
        map: MapRecord,
        fresh: bool,
    ) -> Result<SharedResource, Error> {
        let settled = self.settle_now(map, fresh).await;
        claim.release().await;
        settled
    }

    /// Checks all of a request that has to do with this host alone.
    pub(super) async fn check_request(
        &self,
        owner: &OwnerId,
        request: &ShareRequest,
    ) -> Result<CanonicalPath<'static>, Error> {
        let path = read_path(&request.uri)?;
        check_text(&request.name, MOST_NAME, false)
            .map_err(|why| Error::new(ErrorKind::BadName, why).at("resource_name"))?;
        if let Some(description) = &request.description {
            check_text(description, MOST_DESCRIPTION, true)
                .map_err(|why| Error::new(ErrorKind::BadDescription, why).at("description"))?;
        }
        if let Some(icon) = &request.icon_uri {
            check_icon(icon)?;
        }
        read_scopes(&request.scopes)?;
        self.check_owner(owner, &path).await?;
        let guarded = self
            .engine
            .get()
            .is_some_and(|engine| engine.enforces(&path, request.subtree));
        if guarded {
            return Ok(path);
        }
        Err(Error::new(
            ErrorKind::NotGuarded,
            "nothing enforces sharing at this path, so it can't be shared",
        )
        .at("uri"))
    }

    /// The owner's AM, if the owner can share through it just now.
    pub(super) async fn am_to_share_through(&self, owner: &OwnerId) -> Result<Issuer, Error> {
        let inner = &self.inner;
        let connection = inner
            .store
            .connection(owner)
            .await?
            .ok_or_else(not_connected)?;
        if connection.state != ConnectionState::Connected {
            let kind = match connection.state {
                ConnectionState::Disconnected => ErrorKind::NotConnected,
                _ => ErrorKind::NeedsConsent,
            };
            return Err(Error::new(
                kind,
                format!(
                    "your connection to {} has ended; connect again",
                    inner.ams.name(&connection.issuer)
                ),
            ));
        }
        inner.am(&connection.issuer).await?;
        Ok(connection.issuer)
    }

    /// Does the AM's half of a share at once.
    async fn settle_now(&self, map: MapRecord, fresh: bool) -> Result<SharedResource, Error> {
        let am = self.inner.am(&map.issuer).await?;
        match self.settle_one(&am, &map, fresh).await? {
            Settled::Active(map) => Ok(self.shared_here(*map)),
            Settled::Failed(error) => Err(still_guarded(am.name(), error)),
            Settled::Lost | Settled::Gone | Settled::MovedOn => {
                let now = self.inner.store.map_at(&map.site, &map.path_key).await?;
                now.filter(|now| now.state != RowState::Tombstone)
                    .map(|now| self.shared_here(now))
                    .ok_or_else(stopped_meanwhile)
            }
        }
    }

    /// The owner that counts is the one the host knows. Whether a path exists is nobody else's business.
    async fn check_owner(&self, owner: &OwnerId, path: &CanonicalPath<'_>) -> Result<(), Error> {
        let found = self.inner.catalogue.owner_of(path).await.map_err(|error| {
            Error::new(
                ErrorKind::Catalogue,
                "this site could not find out whose that path is; try again later",
            )
            .because(error)
        })?;
        if found.as_ref() == Some(owner) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::NotYours,
            "there is nothing of yours at this path",
        )
        .at("uri"))
    }

    pub(super) async fn stop_path(&self, owner: &OwnerId, uri: &str) -> Result<Stopped, Error> {
        let inner = &self.inner;
        let path = read_path(uri)?;
        let site = self.site();
        // Not behind the path's lock: a stop must not wait for an AM. The generation tells late answers from timely ones.
        let stopped = inner
            .store
            .share_stopped(owner, &site, path.as_key(), inner.now())
            .await?;
        let Some(map) = stopped else {
            return Ok(self.stopped(0));
        };
        inner.publish().await?;
        // What is left to do is the AM's copy, which lets nobody in any more.
        let host = self.clone();
        tokio::spawn(async move { host.clean_up(map).await });
        Ok(self.stopped(1))
    }

    pub(super) fn stopped(&self, count: usize) -> Stopped {
        Stopped {
            count,
            epoch: self.inner.epoch(),
        }
    }

    async fn clean_up(&self, map: MapRecord) {
        let _alone = self
            .inner
            .paths
            .lock((map.site.clone(), map.path_key.clone()))
            .await;
        // Another node that is at it just now leaves the rest to the reconciler.
        let Ok(Some(claim)) = self.inner.worker.claim(Work::Map(map.id)).await else {
            return;
        };
        // Another share, here or elsewhere, or a run of the reconciler may have been first.
        match self.inner.store.map_at(&map.site, &map.path_key).await {
            Ok(Some(now)) if now.generation == map.generation => self.delete_at_am(&now).await,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(map = %map.id, error = %error, "a registration at an AM waits to be deleted");
            }
        }
        claim.release().await;
    }

    async fn delete_at_am(&self, map: &MapRecord) {
        let Ok(am) = self.inner.am(&map.issuer).await else {
            return;
        };
        if let Err(error) = self.settle_one(&am, map, false).await {
            tracing::warn!(map = %map.id, error = %error, "a registration at an AM waits to be deleted");
        }
    }
}

/// What is to be kept of a request that was checked.
pub(super) fn new_share(
    path: &CanonicalPath<'_>,
    site: &Site,
    owner: &OwnerId,
    issuer: &Issuer,
    request: ShareRequest,
) -> Result<NewShare, Error> {
    path_fits(path.as_key()).map_err(|error| error.at("uri"))?;
    Ok(NewShare {
        site: site.clone(),
        path_key: path.as_key().to_owned(),
        subtree: request.subtree,
        owner: owner.clone(),
        issuer: issuer.clone(),
        marker: Uuid::new_v4().to_string(),
        scopes: read_scopes(&request.scopes)?,
        name: request.name,
        description: request.description,
        icon_uri: request.icon_uri,
    })
}

fn stopped_meanwhile() -> Error {
    Error::new(
        ErrorKind::AlreadyShared,
        "sharing this path was stopped while it was being protected",
    )
}

pub(super) fn taken() -> Error {
    Error::new(
        ErrorKind::AlreadyShared,
        "this path is still shared by somebody else",
    )
    .at("uri")
}

pub(super) fn not_connected() -> Error {
    Error::new(
        ErrorKind::NotConnected,
        "you are not connected to an authorization manager; connect to one first",
    )
}

/// The AM failed, and the path stays guarded: that is the point of the order of steps.
fn still_guarded(name: &str, error: Error) -> Error {
    let text = match error.kind() {
        ErrorKind::AmUnreachable => {
            format!(
                "{name} can't be reached; the path is being protected already, nobody is let in, and this site will try again"
            )
        }
        ErrorKind::AmRefused => {
            format!(
                "{name} did not register the path; it stays protected and nobody is let in until you share it again or stop sharing it"
            )
        }
        _ => return error,
    };
    Error::new(error.kind(), text).because(error)
}

/// Reads the path of a resource as a form or a caller spells it: a path alone, as requests spell it.
pub(super) fn read_path(uri: &str) -> Result<CanonicalPath<'static>, Error> {
    let bad = |text: String| Error::new(ErrorKind::BadPath, text).at("uri");
    if !uri.starts_with('/') {
        return Err(bad(String::from(
            "give the path alone, from its first `/` on, without scheme and host",
        )));
    }
    if uri.contains(['?', '#']) {
        return Err(bad(String::from(
            "give the path alone, without query and fragment; a `?` or `#` in a name is written %3F or %23",
        )));
    }
    CanonicalPath::parse(uri)
        .map(CanonicalPath::into_owned)
        .map_err(|error| bad(error.to_string()).because(error))
}

fn check_text(text: &str, most: usize, lines: bool) -> Result<(), String> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > most {
        return Err(format!("give 1 to {most} characters"));
    }
    if text
        .chars()
        .any(|c| c.is_control() && !(lines && matches!(c, '\n' | '\r' | '\t')))
    {
        return Err(String::from("leave out control characters"));
    }
    Ok(())
}

fn check_icon(icon: &str) -> Result<(), Error> {
    let bad = || Error::new(ErrorKind::BadIcon, "give an http or https URL").at("icon_uri");
    let url = Url::parse(icon).map_err(|error| bad().because(error))?;
    let plain = url.username().is_empty() && url.password().is_none();
    if icon.len() > 2048
        || !matches!(url.scheme(), "http" | "https")
        || !plain
        || url.host().is_none()
    {
        return Err(bad());
    }
    Ok(())
}

fn read_scopes(texts: &[String]) -> Result<Scopes, Error> {
    let bad = || {
        Error::new(
            ErrorKind::BadScope,
            "a scope is a word or a URL without blanks",
        )
        .at("scopes")
    };
    if texts.is_empty() {
        return MethodScopes::default().all().ok_or_else(bad);
    }
    if texts.len() > MOST_SCOPES {
        return Err(Error::new(
            ErrorKind::BadScope,
            format!("give at most {MOST_SCOPES} scopes"),
        )
        .at("scopes"));
    }
    Scopes::parse(texts.iter().map(String::as_str)).map_err(|error| bad().because(error))
}
