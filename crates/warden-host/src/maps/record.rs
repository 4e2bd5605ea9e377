//! What stands in the store, as enforcement knows it.

use std::collections::HashMap;
use std::sync::Arc;

use tower_warden::{Am, Audience, CanonicalPath, MapState, ResourceMap};
use uma_client::{Issuer, ResourceId};

use crate::host::Ams;
use crate::store::{EnforcedRecord, RowState};
use crate::{AnyStore, Error, ErrorKind};

/// The id that stands in maps which have none yet. They are denied whatever it is.
const UNREGISTERED: &str = "unregistered";

/// The AMs of maps that were read together; each is looked up once.
#[derive(Default)]
pub(super) struct EnforcedAms(HashMap<Issuer, Arc<Am>>);

impl EnforcedAms {
    /// The AMs of all these. A store that can't be read is an error: the maps then stay as they were.
    pub(super) async fn of(
        records: &[EnforcedRecord],
        store: &AnyStore,
        ams: &Ams,
    ) -> Result<Self, Error> {
        let mut known = HashMap::new();
        for record in records {
            if record.state != RowState::Tombstone && !known.contains_key(&record.issuer) {
                let am = enforced_am(store, ams, &record.issuer).await?;
                known.insert(record.issuer.clone(), am);
            }
        }
        Ok(Self(known))
    }

    /// The map of a record. `None` for a tombstone; or for a key that can't be read, which is one that no request can have.
    pub(super) fn map(&self, record: &EnforcedRecord) -> Option<Arc<ResourceMap>> {
        let am = self.0.get(&record.issuer)?;
        if record.state == RowState::Tombstone {
            return None;
        }
        map_of(record, Arc::clone(am)).map(Arc::new)
    }
}

/// The AM of a map. One that this host no longer works with, or whose secrets it can't unseal, expects an audience that no
/// answer has.
async fn enforced_am(store: &AnyStore, ams: &Ams, issuer: &Issuer) -> Result<Arc<Am>, Error> {
    match ams.known(store, issuer).await {
        Ok(Some(entry)) => return Ok(Arc::clone(&entry.enforced)),
        Ok(None) => {
            tracing::error!(am = %issuer, "this host no longer works with an AM that maps are at; they are denied");
        }
        Err(error) if error.kind() == ErrorKind::Store => return Err(error),
        Err(error) => {
            tracing::error!(am = %issuer, error = %error, "an AM that maps are at can't be used; they are denied");
        }
    }
    Ok(Arc::new(Am::new(
        issuer.clone(),
        Audience::Expect(String::new()),
    )))
}

fn map_of(record: &EnforcedRecord, am: Arc<Am>) -> Option<ResourceMap> {
    let path = path_of_key(&record.path_key)?;
    let resource_id = match &record.resource_id {
        Some(id) => id.clone(),
        None => ResourceId::parse(UNREGISTERED).ok()?,
    };
    let unusable = record.denied || *am.audience() == Audience::Expect(String::new());
    let state = match record.state {
        _ if unusable => MapState::Suspect,
        RowState::Active if record.resource_id.is_some() => MapState::Active,
        RowState::Active | RowState::Pending | RowState::Tombstone => MapState::Pending,
        RowState::Suspect => MapState::Suspect,
        RowState::Lost => MapState::Lost,
    };
    Some(
        ResourceMap::new(
            path,
            record.owner.clone(),
            am,
            resource_id,
            record.scopes.clone(),
        )
        .with_id(record.id)
        .with_site(record.site.clone())
        .with_subtree(record.subtree)
        .with_state(state),
    )
}

/// The path that a stored key stands for.
pub(crate) fn path_of_key(key: &str) -> Option<CanonicalPath<'static>> {
    // A key is decoded: a `%` in it is a letter.
    let escaped = key.replace('%', "%25");
    let path = CanonicalPath::parse(&escaped).ok()?.into_owned();
    (path.as_key() == key).then_some(path)
}

/// The path of a stored key as requests spell it.
pub(crate) fn uri_of_key(key: &str) -> String {
    path_of_key(key).map_or_else(|| key.to_owned(), |path| path.to_uri())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back_as_they_were() {
        for uri in ["/", "/a", "/a/b%25c", "/%C3%A4%20x", "/a%3Fb", "/50%25/x;y"] {
            let path = CanonicalPath::parse(uri).unwrap();
            assert_eq!(path_of_key(path.as_key()).as_ref(), Some(&path), "{uri}");
        }
        for bad in ["", "a", "/a/", "//", "/a/../b", "/a\0"] {
            assert_eq!(path_of_key(bad), None, "{bad:?}");
        }
    }
}
