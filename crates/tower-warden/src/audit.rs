//! Decisions for a record that outlives the log: who was let in or refused, where, and why.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::Method;
use tokio::sync::mpsc;
use uma_client::{Issuer, ResourceId};

use crate::{CacheState, MapId, Mode, Outcome, OwnerId, Reason};

/// Keeps decisions, as for the owners' view of recent access.
///
/// It is called from one task, one decision after the other, and never holds up a request: what comes faster than it is
/// kept in a queue ([`WardenBuilder::audit`](crate::WardenBuilder::audit)), and dropped and counted when that is full.
pub trait AuditSink: Send + Sync + 'static {
    /// Keeps one decision.
    fn record(&self, decision: DecisionRecord) -> impl Future<Output = ()> + Send;
}

/// One decision. It carries no token, ticket or secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecisionRecord {
    /// When it was made.
    pub time: SystemTime,
    /// How long it took.
    pub elapsed: Duration,
    /// The mode of the guard; only under [`Mode::Enforce`] did it take effect.
    pub mode: Mode,
    /// Whether the request was permitted.
    pub allowed: bool,
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The verb.
    pub method: Method,
    /// The path as it was sent, without the query.
    pub path: String,
    /// Whether a handler asked for more than the verb needs ([`Grant::require`](crate::Grant::require)): such a decision
    /// comes after that on the request as a whole.
    pub further: bool,
    /// The map that it met.
    pub map: Option<MapId>,
    /// Whose data it is.
    pub owner: Option<OwnerId>,
    /// The AM that decides.
    pub am: Option<Issuer>,
    /// The resource's id there.
    pub resource_id: Option<ResourceId>,
    /// The scopes that the request needs.
    pub required: Vec<String>,
    /// The scopes that the token carries for the resource, if the AM was asked or its answer was kept.
    pub granted: Vec<String>,
    /// Where the AM's answer came from.
    pub cache: CacheState,
    /// Whether a ticket went out with the refusal.
    pub ticket_issued: bool,
    /// Who asked, if the AM says.
    pub subject: Option<String>,
    /// The application that asked, if the AM says.
    pub client_id: Option<String>,
    /// A fingerprint of the token, equal for equal tokens until the process ends.
    pub token: Option<String>,
}

/// A bounded queue before a sink.
pub(crate) struct AuditQueue {
    sender: mpsc::Sender<DecisionRecord>,
    waiting: Mutex<Option<Worker>>,
    started: AtomicBool,
    dropped: AtomicU64,
}

type Worker = Box<dyn FnOnce() + Send>;

impl AuditQueue {
    pub(crate) fn new(sink: impl AuditSink, capacity: usize) -> Self {
        let (sender, mut receiver) = mpsc::channel(capacity.max(1));
        let worker = move || {
            let sink = Arc::new(sink);
            tokio::spawn(async move {
                while let Some(record) = receiver.recv().await {
                    let sink = sink.clone();
                    // In a task of its own, so that a sink that panics over one decision still gets the next.
                    let _ = tokio::spawn(async move { sink.record(record).await }).await;
                }
            });
        };
        Self {
            sender,
            waiting: Mutex::new(Some(Box::new(worker))),
            started: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
        }
    }

    /// Hands a decision on, or counts it as dropped.
    pub(crate) fn send(&self, record: DecisionRecord) {
        // A layer may be built outside a runtime, so that the worker starts with the first decision inside one.
        if !self.started.load(Ordering::Acquire) && tokio::runtime::Handle::try_current().is_ok() {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(worker) = waiting.take() {
                worker();
            }
            self.started.store(true, Ordering::Release);
        }
        if self.sender.try_send(record).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
