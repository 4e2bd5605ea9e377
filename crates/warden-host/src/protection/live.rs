//! Live decisions for some of a host's resources.

use std::fmt;
use std::sync::Arc;

use tower_warden::{LiveDecisions, Requirement, Requirements, ResourceMap};
use uma_client::ResourceId;

/// For which resources live decisions are wanted.
#[derive(Clone, Default)]
pub(crate) enum LiveChoice {
    #[default]
    None,
    All,
    Some(Arc<LiveFor>),
}

type LiveFor = dyn Fn(&ResourceMap) -> bool + Send + Sync;

impl LiveChoice {
    /// Whether the AM is asked on each check for the resource of a map.
    pub(crate) fn is_for(&self, map: &ResourceMap) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Some(wanted) => wanted(map),
        }
    }

    /// For which resources of a token the AM is asked, when a request with these requirements bears it.
    ///
    /// The evidence is kept, and requests for other resources lean on it. So what the token holds besides is asked for
    /// whatever it is: nothing is kept unconfirmed that should have been confirmed.
    pub(super) fn decisions(&self, requirements: &Requirements) -> LiveDecisions {
        match self {
            Self::None => LiveDecisions::never(),
            Self::All => LiveDecisions::always(),
            Self::Some(wanted) => {
                let spared: Vec<ResourceId> = requirements
                    .iter()
                    .map(Requirement::map)
                    .filter(|map| !wanted(map))
                    .map(|map| map.resource_id().clone())
                    .collect();
                LiveDecisions::only(move |id| !spared.contains(id))
            }
        }
    }
}

impl fmt::Debug for LiveChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::All => "All",
            Self::Some(_) => "Some(..)",
        })
    }
}
