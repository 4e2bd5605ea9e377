//! Many paths at once: committed at once, registered at an even pace.

use std::collections::HashSet;
use std::fmt;

use tokio::task::JoinHandle;
use tower_warden::{OwnerId, Site};
use uma_client::Issuer;

use super::Host;
use super::share::{new_share, not_connected, read_path, taken};
use crate::reconcile::Account;
use crate::store::{Intended, MapRecord, NewShare, RowState, Store as _};
use crate::{Epoch, Error, ErrorKind, ShareRequest, Spread, Stopped};

/// Rows that are committed in one transaction.
const ROWS: usize = 256;
/// Most paths in one call.
const MOST: usize = 100_000;

/// Many paths that were shared in one go. All of them are denied to others from the moment that there is one of these, on
/// other nodes as [`Bulk::spread`] says.
#[must_use = "what was refused stands in it"]
pub struct Bulk {
    /// How many paths are being registered.
    pub accepted: usize,
    /// How many were shared just so already.
    pub unchanged: usize,
    /// The paths that can't be shared, as they were given, and why.
    pub refused: Vec<(String, Error)>,
    /// The epoch from which on they are denied.
    pub epoch: Epoch,
    /// Whether every node denies them.
    pub spread: Spread,
    work: Option<JoinHandle<BulkDone>>,
}

/// What became of many paths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkDone {
    /// How many are registered.
    pub active: usize,
    /// How many wait for the reconciler, for trouble with the AM; they stay denied until then.
    pub waiting: usize,
}

impl Bulk {
    /// Waits until the AM was told of all. It goes on without that, too, and after a crash by the reconciler.
    pub async fn finished(self) -> BulkDone {
        let waiting = BulkDone {
            active: 0,
            waiting: self.accepted,
        };
        match self.work {
            Some(work) => work.await.unwrap_or(waiting),
            None => BulkDone::default(),
        }
    }
}

impl fmt::Debug for Bulk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk")
            .field("accepted", &self.accepted)
            .field("unchanged", &self.unchanged)
            .field("refused", &self.refused.len())
            .finish_non_exhaustive()
    }
}

impl Host {
    pub(super) async fn share_all(
        &self,
        owner: &OwnerId,
        requests: Vec<ShareRequest>,
    ) -> Result<Bulk, Error> {
        if requests.len() > MOST {
            return Err(Error::new(
                ErrorKind::TooMany,
                format!("share at most {MOST} paths at once"),
            ));
        }
        let issuer = self.am_to_share_through(owner).await?;
        let site = self.site();
        let mut refused = Vec::new();
        let mut keys = HashSet::new();
        let mut shares = Vec::with_capacity(requests.len());
        for request in requests {
            let uri = request.uri.clone();
            let share = match self.check_request(owner, &request).await {
                Ok(path) => new_share(&path, &site, owner, &issuer, request),
                Err(error) if error.kind() == ErrorKind::Catalogue => return Err(error),
                Err(error) => Err(error),
            };
            match share {
                Ok(share) if keys.insert(share.path_key.clone()) => shares.push(share),
                // The same path in another spelling.
                Ok(_) => {}
                Err(error) => refused.push((uri, error)),
            }
        }
        self.commit_all(owner, issuer, shares, refused).await
    }

    async fn commit_all(
        &self,
        owner: &OwnerId,
        issuer: Issuer,
        shares: Vec<NewShare>,
        mut refused: Vec<(String, Error)>,
    ) -> Result<Bulk, Error> {
        let inner = &self.inner;
        let mut unchanged = 0;
        let mut rows = Vec::with_capacity(shares.len());
        for part in shares.chunks(ROWS) {
            let intended = inner.store.shares_intended(part, inner.now()).await?;
            for (share, intended) in part.iter().zip(intended) {
                let uri = || crate::maps::uri_of_key(&share.path_key);
                match intended {
                    Intended::Kept { map, .. } if map.state == RowState::Active && map.synced => {
                        unchanged += 1;
                    }
                    Intended::Kept { map, fresh } => rows.push((*map, fresh)),
                    Intended::Taken => refused.push((uri(), taken())),
                    Intended::OtherAm => refused.push((uri(), not_connected())),
                }
            }
            // Denied from here on.
            inner.publish().await?;
        }
        let accepted = rows.len();
        let epoch = inner.epoch();
        let (host, owner) = (self.clone(), owner.clone());
        let work = (accepted > 0)
            .then(|| tokio::spawn(async move { host.register_all(&owner, &issuer, rows).await }));
        Ok(Bulk {
            accepted,
            unchanged,
            refused,
            epoch,
            spread: inner.spread(epoch, self.patience).await,
            work,
        })
    }

    async fn register_all(
        &self,
        owner: &OwnerId,
        issuer: &Issuer,
        rows: Vec<(MapRecord, bool)>,
    ) -> BulkDone {
        let all = rows.len();
        let done = match self.try_register_all(owner, issuer, rows).await {
            Ok(done) => done,
            Err(error) => {
                tracing::warn!(error = %error, "many paths wait to be registered");
                BulkDone {
                    active: 0,
                    waiting: all,
                }
            }
        };
        if done.waiting > 0 {
            self.inner.wake_reconciler();
        }
        done
    }

    async fn try_register_all(
        &self,
        owner: &OwnerId,
        issuer: &Issuer,
        rows: Vec<(MapRecord, bool)>,
    ) -> Result<BulkDone, Error> {
        let am = self.inner.am(issuer).await?;
        let mut account = Account::paced(self, &am, owner)
            .await
            .map_err(|error| super::am_trouble(am.name(), error))?;
        let (pending, told): (Vec<_>, Vec<_>) = rows
            .into_iter()
            .partition(|(row, _)| row.state == RowState::Pending);
        let batch = account.register_many(pending).await?;
        Ok(BulkDone {
            active: batch.active,
            // New names of what is active are told by the reconciler.
            waiting: batch.waiting + told.len(),
        })
    }

    pub(super) async fn share_below(
        &self,
        owner: &OwnerId,
        request: ShareRequest,
    ) -> Result<Bulk, Error> {
        let path = self.check_request(owner, &request).await?;
        let below = self.inner.catalogue.below(&path).await.map_err(|error| {
            Error::new(
                ErrorKind::Catalogue,
                "this site could not find out what lies below that path; try again later",
            )
            .because(error)
        })?;
        let inside = format!("{}/", path.as_key().trim_end_matches('/'));
        let mut requests = Vec::with_capacity(below.len() + 1);
        for uri in below {
            let lies_below = read_path(&uri).is_ok_and(|below| below.as_key().starts_with(&inside));
            if lies_below {
                requests.push(request.clone().for_path(uri));
            }
        }
        requests.insert(0, request);
        self.share_all(owner, requests).await
    }

    pub(super) async fn stop_these(
        &self,
        owner: &OwnerId,
        paths: Option<Vec<(Site, String)>>,
    ) -> Result<Stopped, Error> {
        let inner = &self.inner;
        let stopped = inner
            .store
            .shares_stopped(owner, paths.as_deref(), inner.now())
            .await?;
        if stopped.is_empty() {
            return Ok(self.stopped(0));
        }
        inner.publish().await?;
        inner.wake_reconciler();
        Ok(self.stopped(stopped.len()))
    }

    pub(super) fn keys_of(&self, uris: &[String]) -> Result<Vec<(Site, String)>, Error> {
        let site = self.site();
        uris.iter()
            .map(|uri| Ok((site.clone(), read_path(uri)?.as_key().to_owned())))
            .collect()
    }
}
