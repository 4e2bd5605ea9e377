//! The door behind which the host's maps are found.

mod index;
mod memory;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::Method;

pub use index::{DuplicateMap, MapIndex};
pub use memory::MemoryMaps;

use crate::{CanonicalPath, Requirements, ResourceMap, Site};

/// Finds what a request needs. Implement it for maps that are not in memory, or not by path.
///
/// Rules for implementations: the same target gives the same answer until the host changes its maps; an exact map goes
/// before the nearest ancestor map that covers its subtree; what is not known for certain is an error, never
/// [`Resolution::Unmapped`].
pub trait ResourceMaps: Send + Sync + 'static {
    /// Looks the target up: at once where the answer is in memory.
    fn find(&self, target: &Target<'_>) -> Lookup;

    /// Whether the maps are those of an epoch or a later one, for requests that demand it. An epoch counts the changes of
    /// maps that are kept in a store; maps without one are as new as can be.
    fn reach(&self, epoch: u64) -> Reach {
        let _ = epoch;
        Reach::Now
    }

    /// The maps that come into question for a target, for explanations: those of the path and of its ancestors. Maps that
    /// are not in memory may leave this out.
    fn candidates(&self, target: &Target<'_>) -> Vec<Arc<ResourceMap>> {
        let _ = target;
        Vec::new()
    }
}

impl<M: ResourceMaps + ?Sized> ResourceMaps for Arc<M> {
    fn find(&self, target: &Target<'_>) -> Lookup {
        (**self).find(target)
    }

    fn reach(&self, epoch: u64) -> Reach {
        (**self).reach(epoch)
    }

    fn candidates(&self, target: &Target<'_>) -> Vec<Arc<ResourceMap>> {
        (**self).candidates(target)
    }
}

/// What a request is aimed at.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    site: &'a Site,
    path: &'a CanonicalPath<'a>,
    method: &'a Method,
}

impl<'a> Target<'a> {
    /// A target on a site.
    #[must_use]
    pub const fn new(site: &'a Site, path: &'a CanonicalPath<'a>, method: &'a Method) -> Self {
        Self { site, path, method }
    }

    /// The site.
    #[must_use]
    pub const fn site(&self) -> &'a Site {
        self.site
    }

    /// The path.
    #[must_use]
    pub const fn path(&self) -> &'a CanonicalPath<'a> {
        self.path
    }

    /// The verb.
    #[must_use]
    pub const fn method(&self) -> &'a Method {
        self.method
    }
}

/// A look-up: done, or to be waited for.
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Lookup {
    /// The answer was in memory.
    Ready(Result<Resolution, LookupError>),
    /// The answer has to be fetched.
    Later(Pin<Box<dyn Future<Output = Result<Resolution, LookupError>> + Send>>),
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(answer) => f.debug_tuple("Ready").field(answer).finish(),
            Self::Later(_) => f.debug_tuple("Later").finish_non_exhaustive(),
        }
    }
}

impl From<Resolution> for Lookup {
    fn from(resolution: Resolution) -> Self {
        Self::Ready(Ok(resolution))
    }
}

/// Whether maps are as new as demanded.
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Reach {
    /// They are.
    Now,
    /// They have to catch up; an error says that they could not, and the request is refused.
    Later(Pin<Box<dyn Future<Output = Result<(), LookupError>> + Send>>),
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now => "Now",
            Self::Later(_) => "Later(..)",
        })
    }
}

/// What the maps say about a target.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolution {
    /// Nobody shares it: what happens is up to the guard.
    Unmapped,
    /// It is protected, and the verb needs these scopes.
    Mapped(Requirements),
    /// It is protected, and no scope covers the verb: refused, but for the owner's own door.
    Uncovered(Arc<ResourceMap>),
    /// More than one owner or AM could be meant: refused.
    Ambiguous,
}

impl Resolution {
    /// What a found map says about a verb.
    #[must_use]
    pub fn of_map(map: &Arc<ResourceMap>, method: &Method) -> Self {
        crate::Requirement::of_method(map.clone(), method).map_or_else(
            || Self::Uncovered(map.clone()),
            |requirement| Self::Mapped(requirement.into()),
        )
    }
}

/// The maps could not be read; the request is refused.
#[derive(Debug)]
pub struct LookupError {
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl LookupError {
    /// Wraps what the store said.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            source: source.into(),
        }
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the resource maps could not be read")
    }
}

impl std::error::Error for LookupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}
