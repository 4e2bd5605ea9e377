//! What the host tells its people: the last notice of each, until they have been told on the home page.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tower_warden::OwnerId;
use warden_host::{Notice, Notify};

/// The notices that wait. A real host would send mail, too.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notices(Arc<Mutex<HashMap<String, String>>>);

impl Notices {
    /// What `user` has not been told yet.
    pub(crate) fn take(&self, user: &str) -> Option<String> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(user)
    }
}

impl Notify for Notices {
    async fn notify(&self, owner: &OwnerId, notice: &Notice) {
        let Some(text) = words(notice) else { return };
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(owner.as_str().to_owned(), text);
    }
}

fn words(notice: &Notice) -> Option<String> {
    Some(match notice {
        Notice::ConsentEndsSoon { am, .. } => {
            format!(
                "Your connection to {} ends soon. Reconnect before it does.",
                am.name
            )
        }
        Notice::ConsentNeeded { am } => format!(
            "Your connection to {} has ended, and nobody else gets at what you share. Reconnect.",
            am.name
        ),
        Notice::ResourceLost { am, name, .. } => {
            format!(
                "“{name}” is gone at {}, so nobody else gets at it.",
                am.name
            )
        }
        Notice::Drift { am, missing, of } => format!(
            "{} does not list {missing} of the {of} things that you share. Nothing was changed for that.",
            am.name
        ),
        Notice::Moved { am, resources } => {
            format!(
                "What you share ({resources} in all) has moved to {}.",
                am.name
            )
        }
        _ => return None,
    })
}
