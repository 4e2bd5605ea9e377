//! More of what a host can do: leaving and moving, pages of resources, many at once, upkeep.

use std::time::Duration;

use tower_warden::{OwnerId, Purge};
use uma_client::ClientCredentials;
use url::Url;

use super::connect::Purpose;
use super::{Bulk, Host, KeptAlive, Resealed, carried_through};
use crate::{
    Disconnected, Drift, Epoch, Error, Leftover, Move, NodeStatus, ResourceQuery, ResourcesPage,
    ReturnPath, ShareRequest, SharedResource, Stopped,
};

impl Host {
    /// Whether owners may bring AMs that are not among [`Host::ams`].
    #[must_use]
    pub fn allows_any_am(&self) -> bool {
        self.inner.ams.allows_any()
    }

    /// Connects an owner to an AM with a client that the owner made there for this host
    /// ([`PatStrategy::OwnerCredentials`](crate::PatStrategy::OwnerCredentials)).
    ///
    /// # Errors
    ///
    /// As for [`Host::begin_connect`].
    pub async fn connect_with(
        &self,
        owner: &OwnerId,
        am: &str,
        client: ClientCredentials,
    ) -> Result<(), Error> {
        let (host, owner, am) = (self.clone(), owner.clone(), am.to_owned());
        carried_through(async move {
            host.connect_by_client(&owner, &am, client, Purpose::Connect)
                .await
        })
        .await
    }

    /// As [`Host::connect_with`], to move all that the owner shares to that AM, as [`Host::begin_move`] does.
    ///
    /// # Errors
    ///
    /// As for [`Host::begin_move`].
    pub async fn begin_move_with(
        &self,
        owner: &OwnerId,
        am: &str,
        client: ClientCredentials,
    ) -> Result<(), Error> {
        let (host, owner, am) = (self.clone(), owner.clone(), am.to_owned());
        carried_through(async move {
            host.connect_by_client(&owner, &am, client, Purpose::Move)
                .await
        })
        .await
    }

    /// Disconnects an owner from the AM that is the owner's. When this returns, what this host held is wiped and all that
    /// the owner shares is denied, until the owner connects there again, moves to another AM, or stops sharing. The PAT is
    /// then given back to the AM, as far as that takes it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotConnected`](crate::ErrorKind::NotConnected), and store errors.
    pub async fn disconnect(&self, owner: &OwnerId) -> Result<Disconnected, Error> {
        let (host, owner) = (self.clone(), owner.clone());
        carried_through(async move { host.disconnect_now(&owner).await }).await
    }

    /// As [`Host::begin_connect`], to move all that the owner shares to another AM: it is registered there, then one
    /// transaction switches, then it is deleted at the old one. At every moment exactly one of them decides.
    ///
    /// # Errors
    ///
    /// As for [`Host::begin_connect`], and [`ErrorKind::NotConnected`](crate::ErrorKind::NotConnected) where there is nothing
    /// to move, [`ErrorKind::AlreadyThere`](crate::ErrorKind::AlreadyThere),
    /// [`ErrorKind::MoveUnderWay`](crate::ErrorKind::MoveUnderWay) to a third AM.
    pub async fn begin_move(
        &self,
        owner: &OwnerId,
        session: &str,
        am: &str,
        return_to: &ReturnPath,
    ) -> Result<Url, Error> {
        let (host, owner, session) = (self.clone(), owner.clone(), session.to_owned());
        let (am, return_to) = (am.to_owned(), return_to.clone());
        carried_through(async move {
            host.connect_begin(&owner, &session, &am, &return_to, Purpose::Move)
                .await
        })
        .await
    }

    /// The owner's move, while it is under way.
    ///
    /// # Errors
    ///
    /// Store errors.
    pub async fn moving(&self, owner: &OwnerId) -> Result<Option<Move>, Error> {
        self.move_under_way(owner).await
    }

    /// Gives up a move before the switch: the AM until now goes on deciding. Says whether there was one.
    ///
    /// # Errors
    ///
    /// Store errors.
    pub async fn cancel_move(&self, owner: &OwnerId) -> Result<bool, Error> {
        self.move_given_up(owner).await
    }

    /// Registrations of the owner that are still to be deleted at AMs. They let nobody in.
    ///
    /// # Errors
    ///
    /// Store errors.
    pub async fn leftovers(&self, owner: &OwnerId) -> Result<Vec<Leftover>, Error> {
        self.left_over(owner).await
    }

    /// A page of what the owner shares, by path.
    ///
    /// # Errors
    ///
    /// Store errors.
    pub async fn resources_page(
        &self,
        owner: &OwnerId,
        query: &ResourceQuery,
    ) -> Result<ResourcesPage, Error> {
        self.page_of(owner, query).await
    }

    /// What the owner shares that covers a path: exactly that path, or the nearest above it whose subtree is shared.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadPath`](crate::ErrorKind::BadPath) and store errors.
    pub async fn covering(
        &self,
        owner: &OwnerId,
        uri: &str,
    ) -> Result<Option<SharedResource>, Error> {
        self.covered_by(owner, uri).await
    }

    /// Shares many paths. When this returns, all that are accepted are denied to others; they are registered at the owner's
    /// AM at an even pace, a few at a time, and after a crash by the reconciler.
    ///
    /// # Errors
    ///
    /// As for [`Host::share`], as far as it is not about one path: those are [`Bulk::refused`].
    pub async fn share_many(
        &self,
        owner: &OwnerId,
        requests: Vec<ShareRequest>,
    ) -> Result<Bulk, Error> {
        let (host, owner) = (self.clone(), owner.clone());
        carried_through(async move { host.share_all(&owner, requests).await }).await
    }

    /// Shares a path and all that [`Catalogue::below`](crate::Catalogue::below) names below it, each as a resource of its
    /// own, named by its last segment, with the scopes of the request. As [`Host::share_many`].
    ///
    /// # Errors
    ///
    /// As for [`Host::share`].
    pub async fn share_tree(&self, owner: &OwnerId, request: ShareRequest) -> Result<Bulk, Error> {
        let (host, owner) = (self.clone(), owner.clone());
        carried_through(async move { host.share_below(&owner, request).await }).await
    }

    /// Stops sharing these paths, in one transaction. Says how many were shared.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadPath`](crate::ErrorKind::BadPath) and store errors.
    pub async fn stop_many(&self, owner: &OwnerId, uris: &[String]) -> Result<Stopped, Error> {
        let paths = self.keys_of(uris)?;
        let (host, owner) = (self.clone(), owner.clone());
        carried_through(async move { host.stop_these(&owner, Some(paths)).await }).await
    }

    /// Stops sharing everything, in one transaction. Says how many paths were shared.
    ///
    /// # Errors
    ///
    /// Store errors.
    pub async fn stop_all(&self, owner: &OwnerId) -> Result<Stopped, Error> {
        let (host, owner) = (self.clone(), owner.clone());
        carried_through(async move { host.stop_these(&owner, None).await }).await
    }

    /// Keeps refresh tokens alive whose life is half over, and tells owners whose connection ends. What is not due costs
    /// nothing. The task of [`Host::spawn_reconciler`] does this by itself.
    ///
    /// # Errors
    ///
    /// Store errors; trouble with AMs is counted in the answer.
    pub async fn keep_alive(&self) -> Result<KeptAlive, Error> {
        let host = self.clone();
        carried_through(async move { host.attend_once().await }).await
    }

    /// Compares what the owner shares with what the owner's AM lists: one call where they are in step. What the AM does not
    /// know comes under suspicion and is looked into, one by one; nothing is believed that would be about too many at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotConnected`](crate::ErrorKind::NotConnected), AM and store errors.
    pub async fn check_drift(&self, owner: &OwnerId) -> Result<Drift, Error> {
        let (host, owner) = (self.clone(), owner.clone());
        carried_through(async move { host.drift_of(&owner, host.inner.drift).await }).await
    }

    /// [`Host::check_drift`] for all owners who share something, one after the other; for use after a backup was restored.
    /// Gives those who are not in step.
    ///
    /// # Errors
    ///
    /// Store errors; AMs that can't be asked are left out.
    pub async fn check_all_drift(&self) -> Result<Vec<(OwnerId, Drift)>, Error> {
        let host = self.clone();
        carried_through(async move { host.drift_of_all(host.inner.drift).await }).await
    }

    /// Seals anew, with the current key, what older keys have sealed. The task of [`Host::spawn_reconciler`] does this when
    /// it begins.
    ///
    /// # Errors
    ///
    /// Store errors.
    pub async fn reseal(&self) -> Result<Resealed, Error> {
        let host = self.clone();
        carried_through(async move { host.reseal_all().await }).await
    }

    /// Makes what is cached of an AM's answers count no more, on this node at once and within a second on all.
    ///
    /// # Errors
    ///
    /// Store errors.
    pub async fn purge(&self, purge: Purge) -> Result<Epoch, Error> {
        let host = self.clone();
        carried_through(async move { host.inner.purge_everywhere(&purge).await }).await
    }

    /// The epoch of which all is in force on this node: at least what calls that were made to it have changed.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    /// How this node stands.
    #[must_use]
    pub fn status(&self) -> NodeStatus {
        self.inner.status()
    }

    /// The same host, whose calls wait for other nodes no longer than `patience`: for callers who would rather be told that
    /// something is being protected than wait. See [`HostBuilder::wait_for_nodes`](crate::HostBuilder::wait_for_nodes).
    #[must_use]
    pub fn with_patience(&self, patience: Duration) -> Self {
        Self {
            patience,
            ..self.clone()
        }
    }

    /// Takes this node out, when it is about to end: from now on requests to guarded paths get 503 here, and other nodes
    /// don't wait for it. A node that ends without this is waited for until its lease has run out.
    ///
    /// # Errors
    ///
    /// Store errors; the node is out all the same.
    pub async fn leave(&self) -> Result<(), Error> {
        self.inner.leave().await
    }
}
