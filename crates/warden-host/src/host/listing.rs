//! What an owner shares, a page at a time.

use tower_warden::{CanonicalPath, OwnerId};

use super::Host;
use super::share::read_path;
use crate::store::{RowState, Store as _};
use crate::{Error, ResourceQuery, ResourcesPage, SharedResource};

impl Host {
    pub(super) async fn page_of(
        &self,
        owner: &OwnerId,
        query: &ResourceQuery,
    ) -> Result<ResourcesPage, Error> {
        let store = &self.inner.store;
        let reached = self.inner.reached_everywhere().await?;
        let mut page = query.wanted_page();
        let mut found = store.maps_page(owner, &query.at_page(page)).await?;
        let pages = query.pages(found.matching);
        if page > pages {
            page = pages;
            found = store.maps_page(owner, &query.at_page(page)).await?;
        }
        Ok(ResourcesPage {
            resources: found
                .maps
                .into_iter()
                .map(|map| self.shared(map, reached))
                .collect(),
            matching: found.matching,
            all: found.all,
            page,
            pages,
            ams: found
                .issuers
                .iter()
                .map(|issuer| self.inner.ams.choice(issuer))
                .collect(),
        })
    }

    pub(super) async fn covered_by(
        &self,
        owner: &OwnerId,
        uri: &str,
    ) -> Result<Option<SharedResource>, Error> {
        let path: CanonicalPath<'static> = read_path(uri)?;
        let site = self.site();
        let Some(key) = self.inner.maps.covering_key(&site, &path).await? else {
            return Ok(None);
        };
        let reached = self.inner.reached_everywhere().await?;
        let map = self.inner.store.map_at(&site, &key).await?;
        Ok(map
            .filter(|map| map.owner == *owner && map.state != RowState::Tombstone)
            .map(|map| self.shared(map, reached)))
    }
}
