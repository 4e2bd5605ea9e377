//! Telling other nodes that the epoch was raised.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgPool;

/// The channel on which nodes are told. Without a payload it is a change.
pub(super) const CHANNEL: &str = "warden_epoch";
/// Longest time that telling takes.
const TELLING: Duration = Duration::from_secs(1);

/// Tells, after a commit and beside it.
///
/// `NOTIFY` takes a lock of the whole server when its transaction commits. In a transaction of its own it holds nobody up
/// who writes, and many commits are told in one. Where it is lost, nodes learn of the change when they next ask.
#[derive(Debug, Clone, Default)]
pub(super) struct Teller {
    /// Whether somebody is about to tell.
    about_to: Arc<AtomicBool>,
}

impl Teller {
    pub(super) fn tell(&self, pool: &PgPool) {
        if self.about_to.swap(true, Ordering::AcqRel) {
            return;
        }
        let (about_to, pool) = (Arc::clone(&self.about_to), pool.clone());
        tokio::spawn(async move {
            // What is committed from here on may not be seen by those who are told, and is told again.
            about_to.store(false, Ordering::Release);
            let told = sqlx::raw_sql("NOTIFY warden_epoch").execute(&pool);
            match tokio::time::timeout(TELLING, told).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a change was not told to other nodes"),
                Err(_) => tracing::debug!("a change was not told to other nodes in time"),
            }
        });
    }
}
