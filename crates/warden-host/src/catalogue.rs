//! What the host knows of its own paths.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tower_warden::{CanonicalPath, OwnerId};

/// Any error of the host's own code.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Says whose data a path of the host is. What a form says about that is never trusted.
///
/// # Contract
///
/// The answer is about the whole path as a request would name it; a path that nobody owns, or that does not exist, is
/// `None`. An error is trouble (the owner is told to try again), not a "no".
pub trait Catalogue: Send + Sync + 'static {
    /// Who owns what lies at `path`.
    fn owner_of(
        &self,
        path: &CanonicalPath<'_>,
    ) -> impl Future<Output = Result<Option<OwnerId>, BoxError>> + Send;

    /// What lies below `path`, as percent-encoded paths, for [`Host::share_tree`](crate::Host::share_tree); without, nothing
    /// does.
    fn below(
        &self,
        path: &CanonicalPath<'_>,
    ) -> impl Future<Output = Result<Vec<String>, BoxError>> + Send {
        let _ = path;
        std::future::ready(Ok(Vec::new()))
    }
}

type BelowFuture<'a> = Pin<Box<dyn Future<Output = Result<Vec<String>, BoxError>> + Send + 'a>>;
type OwnerFuture<'a> = Pin<Box<dyn Future<Output = Result<Option<OwnerId>, BoxError>> + Send + 'a>>;

trait Erased: Send + Sync {
    fn owner_of<'a>(&'a self, path: &'a CanonicalPath<'a>) -> OwnerFuture<'a>;
    fn below<'a>(&'a self, path: &'a CanonicalPath<'a>) -> BelowFuture<'a>;
}

impl<C: Catalogue> Erased for C {
    fn owner_of<'a>(&'a self, path: &'a CanonicalPath<'a>) -> OwnerFuture<'a> {
        Box::pin(Catalogue::owner_of(self, path))
    }

    fn below<'a>(&'a self, path: &'a CanonicalPath<'a>) -> BelowFuture<'a> {
        Box::pin(Catalogue::below(self, path))
    }
}

/// A catalogue without its type.
#[derive(Clone)]
pub(crate) struct AnyCatalogue(Arc<dyn Erased>);

impl AnyCatalogue {
    pub(crate) fn new(catalogue: impl Catalogue) -> Self {
        Self(Arc::new(catalogue))
    }

    pub(crate) async fn owner_of(
        &self,
        path: &CanonicalPath<'_>,
    ) -> Result<Option<OwnerId>, BoxError> {
        self.0.owner_of(path).await
    }

    pub(crate) async fn below(&self, path: &CanonicalPath<'_>) -> Result<Vec<String>, BoxError> {
        self.0.below(path).await
    }
}

impl fmt::Debug for AnyCatalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyCatalogue")
    }
}
