//! Looking through what an owner shares.

use uma_client::Issuer;

use crate::store::MapsQuery;
use crate::{AmChoice, SharedResource};

/// Most resources on one page.
const MOST: u32 = 200;

/// How a shared resource stands, in the three ways that matter to its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Standing {
    /// The owner's AM decides.
    Protected,
    /// It is being registered; nobody is let in until then.
    Pending,
    /// Something is wrong: the connection, the registration, or what the AM says. Nobody is let in, or that may be so soon.
    Problem,
}

impl Standing {
    /// The standing as a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::Pending => "pending",
            Self::Problem => "problem",
        }
    }
}

/// What to look for among an owner's resources.
///
/// ```
/// use warden_host::{ResourceQuery, Standing};
///
/// let query = ResourceQuery::new().search("summer").standing(Standing::Problem).page(2);
/// # let _ = query;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ResourceQuery {
    search: String,
    standing: Option<Standing>,
    am: Option<Issuer>,
    page: u64,
    page_size: u32,
}

impl ResourceQuery {
    /// All, the first 50 of them.
    pub fn new() -> Self {
        Self {
            search: String::new(),
            standing: None,
            am: None,
            page: 1,
            page_size: 50,
        }
    }

    /// Wants this text in the name or in the decoded path, in any case; empty is any.
    pub fn search(mut self, text: impl AsRef<str>) -> Self {
        self.search = text.as_ref().trim().to_lowercase();
        self
    }

    /// Wants those that stand so.
    pub fn standing(mut self, standing: Standing) -> Self {
        self.standing = Some(standing);
        self
    }

    /// Wants those at this AM.
    pub fn am(mut self, issuer: Issuer) -> Self {
        self.am = Some(issuer);
        self
    }

    /// Which page, from 1 on; one behind the last is the last.
    pub fn page(mut self, page: u64) -> Self {
        self.page = page.max(1);
        self
    }

    /// How many on a page: 1 to 200.
    pub fn page_size(mut self, size: u32) -> Self {
        self.page_size = size.clamp(1, MOST);
        self
    }

    pub(crate) fn wanted_page(&self) -> u64 {
        self.page
    }

    pub(crate) fn pages(&self, matching: u64) -> u64 {
        matching.div_ceil(u64::from(self.page_size)).max(1)
    }

    pub(crate) fn at_page(&self, page: u64) -> MapsQuery {
        MapsQuery {
            search: self.search.clone(),
            standing: self.standing,
            issuer: self.am.clone(),
            offset: page.saturating_sub(1).saturating_mul(self.page_size.into()),
            limit: self.page_size,
        }
    }
}

impl Default for ResourceQuery {
    fn default() -> Self {
        Self::new()
    }
}

/// A page of what an owner shares, by path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourcesPage {
    /// The resources on this page.
    pub resources: Vec<SharedResource>,
    /// How many fit the query.
    pub matching: u64,
    /// How many the owner shares.
    pub all: u64,
    /// Which page it is, from 1 on.
    pub page: u64,
    /// How many pages there are; at least 1.
    pub pages: u64,
    /// The AMs that the owner's resources are at.
    pub ams: Vec<AmChoice>,
}
