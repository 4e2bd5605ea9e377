//! What each decision leaves behind: one event, one count, one record, or an explanation.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use uma_client::Clock;

use crate::answers::{AnswerKey, Keys};
use crate::audit::{AuditQueue, DecisionRecord};
use crate::explain::Recorder;
use crate::{ActiveToken, Mode, Reason, RequestHead, Requirements, ResourceMap, meter};

/// The target of decision events.
const TARGET: &str = "tower_warden::decision";

/// How many of the scopes that a token carries stand in an event.
const MOST_SCOPES: usize = 32;

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheState {
    /// None was needed.
    Unused,
    Hit,
    Miss,
}

impl CacheState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Hit => "hit",
            Self::Miss => "miss",
        }
    }
}

/// A decision as it is being made. What nobody wants to know is not found out.
#[derive(Debug, Clone)]
pub(crate) struct Trail {
    started: Option<Instant>,
    request: Option<Arc<RequestLine>>,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) mode: Mode,
    pub(crate) cache: CacheState,
    pub(crate) token: Option<AnswerKey>,
}

#[derive(Debug)]
struct RequestLine {
    method: Method,
    path: String,
}

impl Trail {
    pub(crate) fn start(
        head: &RequestHead<'_>,
        mode: Mode,
        recorder: Option<Recorder>,
        audit: Option<&AuditQueue>,
        clock: &dyn Clock,
    ) -> Self {
        let heard = meter::COUNTING
            || audit.is_some()
            || tracing::enabled!(target: TARGET, tracing::Level::WARN);
        Self {
            started: heard.then(|| clock.monotonic()),
            request: audit.map(|_| {
                Arc::new(RequestLine {
                    method: head.method().clone(),
                    path: head.path().to_owned(),
                })
            }),
            recorder,
            mode,
            cache: CacheState::Unused,
            token: None,
        }
    }

    /// A trail that belongs to a request whose own has ended.
    pub(crate) fn within(mode: Mode, token: Option<AnswerKey>) -> Self {
        Self {
            started: None,
            request: None,
            recorder: None,
            mode,
            cache: CacheState::Hit,
            token,
        }
    }

    pub(crate) fn with_token(mut self, token: AnswerKey, cache: CacheState) -> Self {
        self.token = Some(token);
        self.cache = cache;
        meter::cache(cache.as_str());
        self
    }

    /// Whether a ticket may be asked for: only where the refusal takes effect.
    pub(crate) fn wants_ticket(&self) -> bool {
        self.mode == Mode::Enforce && self.recorder.is_none()
    }

    pub(crate) fn decided(
        &self,
        clock: &dyn Clock,
        keys: &Keys,
        audit: Option<&AuditQueue>,
        reason: Reason,
        on: On<'_>,
    ) {
        if self.recorder.is_some() {
            return;
        }
        let Some(started) = self.started else { return };
        let elapsed = clock.monotonic().saturating_duration_since(started);
        let am = on.map().map(|map| map.am().name());
        let decision = if reason.allows() { "allow" } else { "refuse" };
        meter::decision(decision, reason.code(), self.mode.as_str(), am, elapsed);
        let token = || self.fingerprint(keys);
        self.tell(elapsed, reason, on, token);
        if let (Some(audit), Some(request)) = (audit, &self.request) {
            let mut record = self.record(request, clock, elapsed, reason, on);
            record.token = token();
            audit.send(record);
        }
    }

    fn tell(
        &self,
        elapsed: Duration,
        reason: Reason,
        on: On<'_>,
        token: impl Fn() -> Option<String>,
    ) {
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
                    required = on.required().map(tracing::field::display),
                    granted = on.granted().map(tracing::field::display),
                    cache = self.cache.as_str(),
                    token = token().map(tracing::field::display),
                    elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
                )
            };
        }
        match reason {
            reason if reason.allows() => event!(tracing::Level::DEBUG, "allow"),
            Reason::MapsUnavailable
            | Reason::AmUnavailable
            | Reason::AmBusy
            | Reason::AmbiguousMap => event!(tracing::Level::WARN, "refuse"),
            _ => event!(tracing::Level::INFO, "refuse"),
        }
    }

    fn record(
        &self,
        request: &RequestLine,
        clock: &dyn Clock,
        elapsed: Duration,
        reason: Reason,
        on: On<'_>,
    ) -> DecisionRecord {
        let map = on.map();
        let token = on.token();
        DecisionRecord {
            time: clock.now(),
            elapsed,
            mode: self.mode,
            allowed: reason.allows(),
            reason,
            method: request.method.clone(),
            path: request.path.clone(),
            map: map.map(ResourceMap::id),
            owner: map.map(|map| map.owner().clone()),
            am: map.map(|map| map.am().issuer().clone()),
            resource_id: map.map(|map| map.resource_id().clone()),
            required: on.required().map_or_else(Vec::new, |required| {
                required.split(' ').map(str::to_owned).collect()
            }),
            subject: token.and_then(|token| token.subject.clone()),
            client_id: token.and_then(|token| token.client_id.clone()),
            token: None,
        }
    }

    fn fingerprint(&self, keys: &Keys) -> Option<String> {
        self.token
            .map(|key| format!("{:016x}", keys.fingerprint(&key)))
    }
}

/// What a decision is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum On<'a> {
    Nothing,
    Map(&'a ResourceMap),
    Requirements(&'a Requirements, Option<&'a ActiveToken>),
}

impl<'a> On<'a> {
    fn map(self) -> Option<&'a ResourceMap> {
        match self {
            On::Nothing => None,
            On::Map(map) => Some(map),
            On::Requirements(requirements, _) => Some(requirements.first().map()),
        }
    }

    fn token(self) -> Option<&'a ActiveToken> {
        match self {
            On::Requirements(_, token) => token,
            _ => None,
        }
    }

    /// The required scopes, separated by blanks, which no scope holds.
    fn required(self) -> Option<String> {
        let On::Requirements(requirements, _) = self else {
            return None;
        };
        let scopes: Vec<&str> = requirements
            .iter()
            .flat_map(|requirement| requirement.required().iter())
            .map(uma_client::Scope::as_str)
            .collect();
        Some(scopes.join(" "))
    }

    /// The scopes that the token carries for the resource.
    fn granted(self) -> Option<String> {
        let On::Requirements(requirements, Some(token)) = self else {
            return None;
        };
        let id = requirements.first().map().resource_id();
        let scopes: Vec<&str> = token
            .permissions
            .iter()
            .filter(|permission| permission.resource_id == *id)
            .flat_map(|permission| permission.scopes.iter().map(String::as_str))
            // The AM's words: nothing that could look like another line, and not without end.
            .filter(|scope| uma_client::Scope::parse(scope).is_ok())
            .take(MOST_SCOPES)
            .collect();
        Some(scopes.join(" "))
    }
}
