//! Recent access, for its owner.

use tower_warden::OwnerId;

use super::Host;
use super::connect::time;
use crate::access::Outcome;
use crate::store::{AccessRecord, AccessesQuery, Store as _};
use crate::{AccessLog, AccessQuery, Error, RecentAccess, RecentAccesses};

impl Host {
    /// What keeps accesses to what owners share, for `WardenLayer::builder().audit(host.access_log(), 1024)`. Without it,
    /// recent access stays empty.
    #[must_use]
    pub fn access_log(&self) -> AccessLog {
        self.inner.access_log.clone()
    }

    /// Who got at what the owner shares of late, or wanted to; the latest first. What was shared and is no longer stays in
    /// it for its time.
    ///
    /// # Errors
    ///
    /// Store errors.
    pub async fn accesses(
        &self,
        owner: &OwnerId,
        query: &AccessQuery,
    ) -> Result<RecentAccesses, Error> {
        let inner = &self.inner;
        let size = u64::from(query.page_size);
        let mut wanted = AccessesQuery {
            map: query.map,
            allowed: query.allowed,
            since: inner.retention.before(inner.now()),
            offset: (query.page - 1).saturating_mul(size),
            limit: query.page_size,
        };
        let mut page = query.page;
        let mut found = inner.store.accesses_page(owner, &wanted).await?;
        let pages = found.matching.div_ceil(size).max(1);
        if page > pages {
            page = pages;
            wanted.offset = (page - 1) * size;
            found = inner.store.accesses_page(owner, &wanted).await?;
        }
        Ok(RecentAccesses {
            accesses: found.accesses.into_iter().map(seen).collect(),
            matching: found.matching,
            page,
            pages,
        })
    }
}

fn seen(record: AccessRecord) -> RecentAccess {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    RecentAccess {
        map: record.map,
        resource: record.name,
        path: record.path,
        method: record.method,
        scopes: record
            .scopes
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        first: time(record.first),
        last: time(record.last),
        times: record.times,
        outcome: Outcome::of(record.allowed, &record.reason),
        reason: record.reason,
        who: some(record.who),
        app: some(record.app),
    }
}
