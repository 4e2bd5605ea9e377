//! The one event that each decision leaves.

use std::time::{Duration, Instant};

use uma_client::Clock;

use crate::answers::AnswerKey;
use crate::{Mode, Reason, Requirements, ResourceMap};

/// The target of decision events.
const TARGET: &str = "tower_warden::decision";

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheState {
    /// None was needed.
    Unused,
    Hit,
    Miss,
}

impl CacheState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Hit => "hit",
            Self::Miss => "miss",
        }
    }
}

/// A decision as it is being made; read only if someone listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trail {
    started: Option<Instant>,
    pub(crate) mode: Mode,
    pub(crate) cache: CacheState,
    pub(crate) token: Option<AnswerKey>,
}

impl Trail {
    pub(crate) fn start(clock: &dyn Clock, mode: Mode) -> Self {
        let heard = tracing::enabled!(target: TARGET, tracing::Level::WARN);
        Self {
            started: heard.then(|| clock.monotonic()),
            mode,
            cache: CacheState::Unused,
            token: None,
        }
    }

    pub(crate) fn with_token(mut self, token: AnswerKey, cache: CacheState) -> Self {
        self.token = Some(token);
        self.cache = cache;
        self
    }

    pub(crate) fn decided(&self, clock: &dyn Clock, reason: Reason, on: On<'_>) {
        let Some(started) = self.started else { return };
        self.write(
            clock.monotonic().saturating_duration_since(started),
            reason,
            on,
        );
    }

    fn write(&self, elapsed: Duration, reason: Reason, on: On<'_>) {
        macro_rules! event {
            ($level:expr, $decision:literal) => {
                tracing::event!(
                    target: TARGET,
                    $level,
                    decision = $decision,
                    reason = reason.code(),
                    mode = self.mode.as_str(),
                    owner = on.map().map(|map| map.owner().as_str()),
                    am = on.map().map(|map| map.am().name()),
                    resource_id = on.map().map(|map| map.resource_id().as_str()),
                    required = on.required(),
                    cache = self.cache.as_str(),
                    token = self.token.map(|key| tracing::field::display(format!("{:016x}", key.fingerprint()))),
                    elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
                )
            };
        }
        match reason {
            Reason::NotGuarded
            | Reason::Unmapped
            | Reason::Owner
            | Reason::Preflight
            | Reason::Granted
            | Reason::Open => event!(tracing::Level::DEBUG, "allow"),
            Reason::MapsUnavailable
            | Reason::AmUnavailable
            | Reason::AmBusy
            | Reason::AmbiguousMap => event!(tracing::Level::WARN, "refuse"),
            _ => event!(tracing::Level::INFO, "refuse"),
        }
    }
}

/// What a decision is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum On<'a> {
    Nothing,
    Map(&'a ResourceMap),
    Requirements(&'a Requirements),
}

impl<'a> On<'a> {
    fn map(self) -> Option<&'a ResourceMap> {
        match self {
            On::Nothing => None,
            On::Map(map) => Some(map),
            On::Requirements(requirements) => Some(requirements.first().map()),
        }
    }

    fn required(self) -> Option<tracing::field::DisplayValue<String>> {
        let On::Requirements(requirements) = self else {
            return None;
        };
        let scopes: Vec<&str> = requirements
            .iter()
            .flat_map(|requirement| requirement.required().iter())
            .map(uma_client::Scope::as_str)
            .collect();
        Some(tracing::field::display(scopes.join(" ")))
    }
}
