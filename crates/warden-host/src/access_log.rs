//! The audit sink that recent access comes from: off the way of requests, bounded, in batches.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tower_warden::{AuditSink, DecisionRecord, Mode, Reason};
use uma_client::{Clock, epoch_seconds};

use crate::store::{AccessRecord, Store as _};
use crate::{AnyStore, Error};

/// Most kinds of access that wait to be written.
const MOST_WAITING: usize = 4096;
/// How many are written in one transaction.
const BATCH: usize = 256;
/// How long an access waits for others to be written with.
const WAIT: Duration = Duration::from_secs(1);
/// Longest name and longest path, in characters.
const MOST_NAME: usize = 128;
const MOST_PATH: usize = 512;
const DAY: i64 = 24 * 60 * 60;

/// For how long, and how many of, an owner's accesses are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention {
    pub(crate) days: u16,
    pub(crate) most: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            days: 30,
            most: 500,
        }
    }
}

impl Retention {
    /// What is older than this is not kept.
    pub(crate) fn before(self, now: i64) -> i64 {
        now.saturating_sub(i64::from(self.days) * DAY)
    }
}

/// Keeps decisions about what owners share, for [`Host::accesses`](crate::Host::accesses): give it to
/// `WardenLayer::builder().audit(..)`. Clones are one and the same.
///
/// It takes a decision in memory and returns; what is alike becomes one, and is written a second later, at most 256 in one
/// transaction. When the store is too slow or does not answer, accesses are dropped and counted ([`AccessLog::dropped`]);
/// requests never wait. What owners do by their own door is not kept.
#[derive(Clone)]
pub struct AccessLog(Arc<Inner>);

struct Inner {
    store: AnyStore,
    clock: Arc<dyn Clock>,
    retention: Retention,
    waiting: Mutex<HashMap<String, AccessRecord>>,
    writing: AtomicBool,
    one_writer: tokio::sync::Mutex<()>,
    dropped: AtomicU64,
}

impl AccessLog {
    pub(crate) fn new(store: AnyStore, clock: Arc<dyn Clock>, retention: Retention) -> Self {
        Self(Arc::new(Inner {
            store,
            clock,
            retention,
            waiting: Mutex::default(),
            writing: AtomicBool::new(false),
            one_writer: tokio::sync::Mutex::new(()),
            dropped: AtomicU64::new(0),
        }))
    }

    /// How many accesses were not kept, since too many came or the store could not be written.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Writes what waits; for use before the process ends.
    ///
    /// # Errors
    ///
    /// Store errors; what could not be written is dropped and counted.
    pub async fn flush(&self) -> Result<(), Error> {
        self.0.write().await
    }
}

impl Inner {
    fn take(&self) -> Vec<AccessRecord> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *waiting).into_values().collect()
    }

    /// Lets it wait, with those that are alike. Says whether there was room.
    fn put(&self, access: AccessRecord) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // The digest does not hold the owner.
        let key = format!("{}:{}", access.digest(), access.owner);
        if let Some(alike) = waiting.get_mut(&key) {
            alike.first = alike.first.min(access.first);
            alike.last = alike.last.max(access.last);
            alike.times = alike.times.saturating_add(access.times);
            return true;
        }
        if waiting.len() >= MOST_WAITING {
            return false;
        }
        waiting.insert(key, access);
        true
    }

    async fn write(&self) -> Result<(), Error> {
        let _alone = self.one_writer.lock().await;
        let accesses = self.take();
        let before = self.retention.before(epoch_seconds(self.clock.now()));
        let mut result = Ok(());
        for batch in accesses.chunks(BATCH) {
            let kept = self
                .store
                .accesses_kept(batch, self.retention.most, before)
                .await;
            if let Err(error) = kept {
                self.drop_some(batch.iter().map(|access| access.times).sum());
                result = Err(error);
            }
        }
        result
    }

    fn drop_some(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }
}

impl AuditSink for AccessLog {
    async fn record(&self, decision: DecisionRecord) {
        let Some(access) = access(decision) else {
            return;
        };
        if self.0.retention.days == 0 {
            return;
        }
        if !self.0.put(access) {
            self.0.drop_some(1);
        }
        if self.0.writing.swap(true, Ordering::SeqCst) {
            return;
        }
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep(WAIT).await;
            // What comes from here on starts the next.
            inner.writing.store(false, Ordering::SeqCst);
            if let Err(error) = inner.write().await {
                tracing::warn!(error = %error, "accesses could not be kept; owners will not see them");
            }
        });
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog")
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

/// What is kept of a decision, if it is about something that an owner shares and took effect.
fn access(decision: DecisionRecord) -> Option<AccessRecord> {
    if decision.mode != Mode::Enforce
        || matches!(decision.reason, Reason::Owner | Reason::Preflight)
    {
        return None;
    }
    let at = epoch_seconds(decision.time);
    Some(AccessRecord {
        owner: decision.owner?,
        map: decision.map?,
        first: at,
        last: at,
        times: 1,
        method: plain(decision.method.as_str(), 16),
        path: plain(&decision.path, MOST_PATH),
        allowed: decision.allowed,
        reason: decision.reason.code().to_owned(),
        scopes: plain(&decision.required.join(" "), MOST_PATH),
        who: plain(decision.subject.as_deref().unwrap_or(""), MOST_NAME),
        app: plain(decision.client_id.as_deref().unwrap_or(""), MOST_NAME),
        name: None,
    })
}

/// Others' words, fit to stand among ours: of a bounded length, without control characters and without those that turn
/// the direction of the text around them.
fn plain(text: &str, most: usize) -> String {
    text.chars()
        .filter(|c| {
            !c.is_control()
                && !matches!(*c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        })
        .take(most)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_words_are_made_harmless() {
        assert_eq!(plain("a\r\nb\0\u{202e}c\u{200b}", 9), "abc");
        assert_eq!(plain("ééé", 2), "éé");
    }

    #[test]
    fn what_is_older_than_the_days_goes() {
        let month = Retention::default();
        assert_eq!(month.before(31 * DAY), DAY);
        assert_eq!(Retention { days: 0, most: 1 }.before(5), 5);
    }
}
