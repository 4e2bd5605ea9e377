//! Telling owners in time.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use tower_warden::OwnerId;

use crate::AmChoice;

/// What an owner should hear of, best before anybody is turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The connection to the AM ends, and only connecting again prolongs it. After that nobody is let in.
    ConsentEndsSoon {
        /// The AM.
        am: AmChoice,
        /// When it ends.
        ends: SystemTime,
    },
    /// The AM no longer honours what the owner consented to: nobody is let in until the owner connects again.
    ConsentNeeded {
        /// The AM.
        am: AmChoice,
    },
    /// A shared resource is gone at the AM; nobody is let in. It waits for its owner to share it again, or to stop.
    ResourceLost {
        /// The AM.
        am: AmChoice,
        /// The path, percent-encoded.
        uri: String,
        /// The name that the owner gave it.
        name: String,
    },
    /// The AM says that it has far less than what is shared. Nothing was changed for that.
    Drift {
        /// The AM.
        am: AmChoice,
        /// How many resources the AM did not list.
        missing: usize,
        /// How many are shared.
        of: usize,
    },
    /// All that the owner shares has moved to another AM.
    Moved {
        /// The AM that decides now.
        am: AmChoice,
        /// How many resources have moved.
        resources: u64,
    },
}

/// Tells an owner something: by mail, by a banner, by whatever the host has.
///
/// # Contract
///
/// Each notice is given once for each event, in the background; on several nodes it may come twice. It is not given again
/// when telling fails: the pages show the same.
pub trait Notify: Send + Sync + 'static {
    /// Tells `owner` of `notice`.
    fn notify(&self, owner: &OwnerId, notice: &Notice) -> impl Future<Output = ()> + Send;
}

type Telling<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

trait Erased: Send + Sync {
    fn notify<'a>(&'a self, owner: &'a OwnerId, notice: &'a Notice) -> Telling<'a>;
}

impl<N: Notify> Erased for N {
    fn notify<'a>(&'a self, owner: &'a OwnerId, notice: &'a Notice) -> Telling<'a> {
        Box::pin(Notify::notify(self, owner, notice))
    }
}

/// A hook without its type; none tells the log alone.
#[derive(Clone, Default)]
pub(crate) struct AnyNotify(Option<Arc<dyn Erased>>);

impl AnyNotify {
    pub(crate) fn new(notify: impl Notify) -> Self {
        Self(Some(Arc::new(notify)))
    }

    /// Tells in the background: nobody waits for a mail server.
    pub(crate) fn tell(&self, owner: &OwnerId, notice: Notice) {
        tracing::info!(notice = ?kind(&notice), "an owner is told of something");
        if let Some(hook) = &self.0 {
            let (hook, owner) = (Arc::clone(hook), owner.clone());
            tokio::spawn(async move { hook.notify(&owner, &notice).await });
        }
    }
}

fn kind(notice: &Notice) -> &'static str {
    match notice {
        Notice::ConsentEndsSoon { .. } => "consent ends soon",
        Notice::ConsentNeeded { .. } => "consent needed",
        Notice::ResourceLost { .. } => "resource lost",
        Notice::Drift { .. } => "drift",
        Notice::Moved { .. } => "moved",
    }
}

impl fmt::Debug for AnyNotify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyNotify")
    }
}
