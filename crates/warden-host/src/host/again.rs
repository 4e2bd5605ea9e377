//! Sharing again what was shared, and not undoing what another window did.

use tower_warden::OwnerId;
use uma_client::Issuer;

use super::Host;
use super::share::read_path;
use crate::store::{MapRecord, NewShare, RowState, Store as _};
use crate::{Error, ErrorKind, ShareRequest, SharedResource};

impl Host {
    /// How the owner shares this very path, or shared it last, to be shared so again; `None` where nothing is known of that,
    /// as some time after it was stopped. What the owner had allowed at the AM does not come back with it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadPath`] and store errors.
    pub async fn once_shared(
        &self,
        owner: &OwnerId,
        uri: &str,
    ) -> Result<Option<ShareRequest>, Error> {
        let path = read_path(uri)?;
        let map = self.inner.store.map_at(&self.site(), path.as_key()).await?;
        Ok(map
            .filter(|map| map.owner == *owner && !map.broken)
            .map(|map| ShareRequest {
                uri: crate::maps::uri_of_key(&map.path_key),
                name: map.name,
                description: map.description,
                icon_uri: map.icon_uri,
                scopes: map.scopes.to_strings(),
                subtree: map.subtree,
                generation: None,
            }))
    }

    /// Whether this host leaves the AM alone just now, as it could not be reached the last time.
    #[must_use]
    pub fn is_away(&self, am: &Issuer) -> bool {
        let inner = &self.inner;
        !inner.patience.is_over(am, inner.clock.monotonic())
    }

    /// Refuses what was asked of another generation; gives what is there if it is as asked for already, as after a double
    /// click. To be called under the path's lock.
    pub(super) async fn unless_changed(
        &self,
        share: &NewShare,
        drawn: i64,
    ) -> Result<Option<SharedResource>, Error> {
        let map = self
            .inner
            .store
            .map_at(&share.site, &share.path_key)
            .await?
            .filter(|map| map.owner == share.owner && map.state != RowState::Tombstone);
        match map {
            None if drawn == 0 => Ok(None),
            Some(map) if map.generation == drawn => Ok(None),
            Some(map) if is_as_asked(&map, share) && map.state == RowState::Active => {
                Ok(Some(self.shared_here(map)))
            }
            Some(map) if is_as_asked(&map, share) => Ok(None),
            _ => Err(changed()),
        }
    }
}

fn is_as_asked(map: &MapRecord, share: &NewShare) -> bool {
    map.name == share.name
        && map.description == share.description
        && map.icon_uri == share.icon_uri
        && map.scopes == share.scopes
        && map.subtree == share.subtree
}

fn changed() -> Error {
    Error::new(
        ErrorKind::Changed,
        "this was changed meanwhile, in another window or on another device; nothing was done",
    )
}
