//! Counts for operators, through the `metrics` facade. Without the feature `metrics` nothing is counted.
//!
//! Labels are bounded: codes, and the short names that the host gave its AMs. No path, user or token is one.

#![cfg_attr(
    not(feature = "metrics"),
    allow(unused_variables, reason = "nothing is counted")
)]

use std::time::Duration;

/// Whether anything is counted, so that clocks need to be read.
pub(crate) const COUNTING: bool = cfg!(feature = "metrics");

pub(crate) fn decision(
    decision: &'static str,
    reason: &'static str,
    mode: &'static str,
    am: Option<&str>,
    elapsed: Duration,
) {
    #[cfg(feature = "metrics")]
    {
        let am = am.unwrap_or_default().to_owned();
        metrics::counter!("warden_decisions_total", "decision" => decision, "reason" => reason, "mode" => mode, "am" => am).increment(1);
        metrics::histogram!("warden_decision_duration_seconds", "decision" => decision)
            .record(elapsed);
    }
}

pub(crate) fn cache(result: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("warden_introspection_cache_total", "result" => result).increment(1);
}

pub(crate) fn am_call(am: &str, endpoint: &'static str, outcome: &'static str, elapsed: Duration) {
    #[cfg(feature = "metrics")]
    {
        metrics::counter!("warden_am_requests_total", "am" => am.to_owned(), "endpoint" => endpoint, "outcome" => outcome).increment(1);
        metrics::histogram!("warden_am_request_duration_seconds", "am" => am.to_owned(), "endpoint" => endpoint).record(elapsed);
    }
}

pub(crate) fn ticket(am: &str, outcome: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("warden_tickets_total", "am" => am.to_owned(), "outcome" => outcome)
        .increment(1);
}

/// 0: closed; 1: one call finds out; 2: open.
pub(crate) fn circuit(am: &str, state: u8) {
    #[cfg(feature = "metrics")]
    metrics::gauge!("warden_am_circuit_state", "am" => am.to_owned()).set(f64::from(state));
}
