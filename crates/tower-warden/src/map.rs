//! A resource map: one path of the host that an owner has put under the protection of an AM.

use std::sync::{Arc, LazyLock};

use http::Method;
use uma_client::{ResourceId, Scopes};

use crate::{Am, CanonicalPath, MapId, MethodScopes, OwnerId, Site};

/// A protected path: its owner, the AM that decides, and the resource's id and scopes there.
///
/// ```
/// use std::sync::Arc;
/// use tower_warden::{Am, Audience, CanonicalPath, OwnerId, ResourceMap};
/// use uma_client::{Issuer, ResourceId, Scopes};
///
/// let am = Arc::new(Am::new(Issuer::parse("https://am.example")?, Audience::Expect("host".into())));
/// let album = ResourceMap::new(
///     CanonicalPath::parse("/albums/alice/summer").unwrap(),
///     OwnerId::new("alice"),
///     am,
///     ResourceId::parse("112210f47de98100")?,
///     Scopes::parse(["view", "edit"])?,
/// )
/// .with_subtree(true);
/// assert!(album.is_subtree());
/// # Ok::<(), uma_client::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceMap {
    id: MapId,
    site: Site,
    key: Box<str>,
    subtree: bool,
    state: MapState,
    owner: OwnerId,
    am: Arc<Am>,
    resource_id: ResourceId,
    scopes: Scopes,
    methods: Arc<MethodScopes>,
}

/// Where a map stands in the life of its registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MapState {
    /// Registered at the AM; requests are decided.
    Active,
    /// Being registered; requests are refused.
    Pending,
    /// The AM said that it does not know the resource; requests are refused until that is cleared up.
    Suspect,
    /// Proved gone at the AM; requests are refused until the owner registers it again or stops sharing.
    Lost,
}

impl MapState {
    /// The state as a word, as it stands in events and stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Suspect => "suspect",
            Self::Lost => "lost",
        }
    }
}

impl ResourceMap {
    /// An active map of exactly `path`, on the default site, with the default [`MethodScopes`].
    #[must_use]
    #[allow(clippy::needless_pass_by_value, reason = "a path belongs to its map")]
    pub fn new(
        path: CanonicalPath<'_>,
        owner: OwnerId,
        am: Arc<Am>,
        resource_id: ResourceId,
        scopes: Scopes,
    ) -> Self {
        static METHODS: LazyLock<Arc<MethodScopes>> = LazyLock::new(Arc::default);
        static SITE: LazyLock<Site> = LazyLock::new(Site::default);
        Self {
            id: MapId::new(0),
            site: SITE.clone(),
            key: path.as_key().into(),
            subtree: false,
            state: MapState::Active,
            owner,
            am,
            resource_id,
            scopes,
            methods: METHODS.clone(),
        }
    }

    /// Sets the host's key for the map, by which it can be purged.
    #[must_use]
    pub fn with_id(mut self, id: MapId) -> Self {
        self.id = id;
        self
    }

    /// Sets the site that the path belongs to.
    #[must_use]
    pub fn with_site(mut self, site: Site) -> Self {
        self.site = site;
        self
    }

    /// Says whether the map covers everything below its path, too.
    #[must_use]
    pub fn with_subtree(mut self, subtree: bool) -> Self {
        self.subtree = subtree;
        self
    }

    /// Sets the state.
    #[must_use]
    pub fn with_state(mut self, state: MapState) -> Self {
        self.state = state;
        self
    }

    /// Sets the table from verbs to scopes for this type of resource.
    #[must_use]
    pub fn with_methods(mut self, methods: Arc<MethodScopes>) -> Self {
        self.methods = methods;
        self
    }

    /// The host's key for the map; 0 where the host gave none.
    #[must_use]
    pub fn id(&self) -> MapId {
        self.id
    }

    /// The site that the path belongs to.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The key of the path, as [`CanonicalPath::as_key`] gives it.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether the map covers everything below its path, too.
    #[must_use]
    pub fn is_subtree(&self) -> bool {
        self.subtree
    }

    /// Where the map stands in its life.
    #[must_use]
    pub fn state(&self) -> MapState {
        self.state
    }

    /// Whose data it is.
    #[must_use]
    pub fn owner(&self) -> &OwnerId {
        &self.owner
    }

    /// The AM that decides.
    #[must_use]
    pub fn am(&self) -> &Arc<Am> {
        &self.am
    }

    /// The resource's id at that AM.
    #[must_use]
    pub fn resource_id(&self) -> &ResourceId {
        &self.resource_id
    }

    /// The scopes that are registered at the AM for the resource.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// What the verb needs on this resource; `None` where no registered scope covers the verb.
    #[must_use]
    pub fn required(&self, method: &Method) -> Option<&Scopes> {
        self.methods
            .required(method)
            .filter(|required| required.is_subset(&self.scopes))
    }
}
