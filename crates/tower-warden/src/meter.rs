//! Counts for operators, through the `metrics` facade. Without the feature `metrics` nothing is counted.
//!
//! Labels are bounded: codes, and the short names that the operator gave AMs ([`Am::label`]). No path, user or token is
//! one, nor the issuer of an AM that an owner brought.

#![cfg_attr(
    not(feature = "metrics"),
    allow(unused_variables, reason = "nothing is counted")
)]

use std::sync::Arc;
use std::time::Duration;

use crate::{Am, CacheState, Mode, Outcome, Reason};

/// Whether anything is counted, so that clocks need to be read.
pub(crate) const COUNTING: bool = cfg!(feature = "metrics");

pub(crate) fn decision(
    outcome: Outcome,
    reason: Reason,
    mode: Mode,
    am: Option<&Am>,
    elapsed: Duration,
) {
    #[cfg(feature = "metrics")]
    {
        let outcome = outcome.as_str();
        let am: Arc<str> = am.map_or_else(|| Arc::from(""), |am| am.label().clone());
        metrics::counter!("warden_decisions_total", "decision" => outcome, "reason" => reason.code(), "mode" => mode.as_str(), "am" => am).increment(1);
        metrics::histogram!("warden_decision_duration_seconds", "outcome" => outcome)
            .record(elapsed);
    }
}

/// What the cache gave a request whose token was looked up.
pub(crate) fn cache(state: CacheState) {
    #[cfg(feature = "metrics")]
    if state != CacheState::Unused {
        let result = state.as_str();
        metrics::counter!("warden_introspection_cache_total", "result" => result).increment(1);
    }
}

/// How many answers are kept, about.
pub(crate) fn entries(answers: u64) {
    #[cfg(feature = "metrics")]
    #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52")]
    metrics::gauge!("warden_introspection_cache_entries").set(answers as f64);
}

/// An answer was dropped to make room (`size`), or since it had ended (`expired`).
pub(crate) fn eviction(cause: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("warden_introspection_cache_evictions_total", "cause" => cause).increment(1);
}

pub(crate) fn am_call(
    am: &Arc<str>,
    endpoint: &'static str,
    outcome: &'static str,
    elapsed: Duration,
) {
    #[cfg(feature = "metrics")]
    {
        metrics::counter!("warden_am_requests_total", "am" => am.clone(), "endpoint" => endpoint, "outcome" => outcome).increment(1);
        metrics::histogram!("warden_am_request_duration_seconds", "am" => am.clone(), "endpoint" => endpoint).record(elapsed);
    }
}

pub(crate) fn ticket(am: &Am, outcome: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("warden_tickets_total", "am" => am.label().clone(), "outcome" => outcome)
        .increment(1);
}

/// 0: closed; 1: one call finds out; 2: open.
pub(crate) fn circuit(am: &Arc<str>, state: u8) {
    #[cfg(feature = "metrics")]
    metrics::gauge!("warden_am_circuit_state", "am" => am.clone()).set(f64::from(state));
}
