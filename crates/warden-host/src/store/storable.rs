//! What every store can hold. What one of them would refuse, all refuse, with the same words.

use std::time::Duration;

use tower_warden::{MapId, OwnerId, Purge, Site};
use uma_client::{Issuer, ResourceId, StoredPat};

use super::{
    AccessRecord, AccessesQuery, AmRecord, Arrived, Attention, Consent, MapRecord, MapsQuery,
    NewShare, NodeId, PendingConnect, Registered, SealedRow,
};
use crate::{Error, ErrorKind};

/// Longest text, in bytes.
const TEXT: usize = 64 * 1024;
/// Longest name of an owner or a site, in bytes: with a path, it has to fit in an entry of an index.
const NAME: usize = 256;
/// Longest key of a path that can be shared, and longest issuer, in bytes.
const KEY: usize = 2048;

/// Whether a store can hold it.
pub(super) trait Storable {
    /// Refuses what not every store can hold.
    fn storable(&self) -> Result<(), Error>;
}

fn fits(text: &str, most: usize) -> Result<(), Error> {
    if text.contains('\0') {
        return Err(Error::new(
            ErrorKind::Store,
            "text with a NUL can't be stored",
        ));
    }
    if text.len() > most {
        return Err(Error::new(
            ErrorKind::Store,
            format!("text of more than {most} bytes can't be stored there"),
        ));
    }
    Ok(())
}

/// Refuses the key of a path that is too long to be shared.
pub(crate) fn path_fits(path_key: &str) -> Result<(), Error> {
    if path_key.len() > KEY {
        return Err(Error::new(
            ErrorKind::BadPath,
            format!("a path of more than {KEY} bytes can't be shared"),
        ));
    }
    fits(path_key, KEY)
}

impl<T: Storable + ?Sized> Storable for &T {
    fn storable(&self) -> Result<(), Error> {
        (**self).storable()
    }
}

impl<T: Storable> Storable for Option<T> {
    fn storable(&self) -> Result<(), Error> {
        self.as_ref().map_or(Ok(()), Storable::storable)
    }
}

impl<T: Storable> Storable for [T] {
    fn storable(&self) -> Result<(), Error> {
        self.iter().try_for_each(Storable::storable)
    }
}

impl<T: Storable, U: Storable> Storable for (T, U) {
    fn storable(&self) -> Result<(), Error> {
        self.0.storable()?;
        self.1.storable()
    }
}

/// What needs no look: numbers, and what came from the store or holds no text that is written.
macro_rules! always {
    ($($type:ty),*) => {
        $(impl Storable for $type {
            fn storable(&self) -> Result<(), Error> {
                Ok(())
            }
        })*
    };
}

always!(
    bool,
    i64,
    u32,
    AccessesQuery,
    MapId,
    MapRecord,
    Attention,
    SealedRow,
    Duration
);

impl Storable for str {
    fn storable(&self) -> Result<(), Error> {
        fits(self, TEXT)
    }
}

impl Storable for String {
    fn storable(&self) -> Result<(), Error> {
        fits(self, TEXT)
    }
}

impl Storable for OwnerId {
    fn storable(&self) -> Result<(), Error> {
        fits(self.as_str(), NAME)
    }
}

impl Storable for Site {
    fn storable(&self) -> Result<(), Error> {
        fits(self.as_str(), NAME)
    }
}

impl Storable for Issuer {
    fn storable(&self) -> Result<(), Error> {
        fits(self.as_str(), KEY)
    }
}

impl Storable for ResourceId {
    fn storable(&self) -> Result<(), Error> {
        fits(self.as_str(), TEXT)
    }
}

impl Storable for NodeId {
    fn storable(&self) -> Result<(), Error> {
        fits(self.as_str(), NAME)
    }
}

impl Storable for Purge {
    fn storable(&self) -> Result<(), Error> {
        match self {
            Self::Owner(owner) => owner.storable(),
            Self::Am(issuer) => issuer.storable(),
            _ => Ok(()),
        }
    }
}

impl Storable for NewShare {
    fn storable(&self) -> Result<(), Error> {
        path_fits(&self.path_key)?;
        self.site.storable()?;
        self.owner.storable()?;
        self.issuer.storable()?;
        self.marker.storable()?;
        self.name.storable()?;
        self.description.storable()?;
        self.icon_uri.storable()
    }
}

impl Storable for AccessRecord {
    fn storable(&self) -> Result<(), Error> {
        self.owner.storable()?;
        [
            &self.method,
            &self.path,
            &self.reason,
            &self.scopes,
            &self.who,
            &self.app,
        ]
        .iter()
        .try_for_each(Storable::storable)
    }
}

impl Storable for Registered {
    fn storable(&self) -> Result<(), Error> {
        self.resource_id.storable()?;
        self.registered_name.storable()?;
        let policy = self.policy_uri.as_ref().map(url::Url::as_str);
        policy.storable()?;
        self.revision.storable()
    }
}

impl Storable for Arrived {
    fn storable(&self) -> Result<(), Error> {
        self.marker.storable()?;
        self.registered.storable()
    }
}

impl Storable for AmRecord {
    fn storable(&self) -> Result<(), Error> {
        self.issuer.storable()?;
        self.dialect.storable()?;
        self.profile.storable()?;
        self.client.client_id.as_str().storable()?;
        let uri = self.registration_uri.as_ref().map(url::Url::as_str);
        uri.storable()
    }
}

impl Storable for PendingConnect {
    fn storable(&self) -> Result<(), Error> {
        fits(&self.state_hash, NAME)?;
        self.owner.storable()?;
        self.session_hash.storable()?;
        self.issuer.storable()?;
        self.return_to.as_str().storable()?;
        self.redirect_uri.storable()
    }
}

impl Storable for StoredPat {
    fn storable(&self) -> Result<(), Error> {
        self.scope.storable()
    }
}

impl Storable for Consent {
    fn storable(&self) -> Result<(), Error> {
        match self {
            Self::Pat(pat) => pat.storable(),
            Self::Client(client) => client.client_id.as_str().storable(),
            Self::Host => Ok(()),
        }
    }
}

impl Storable for MapsQuery {
    fn storable(&self) -> Result<(), Error> {
        self.search.storable()?;
        self.issuer.storable()
    }
}
