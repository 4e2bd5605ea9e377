//! What each decision leaves behind: one event, one count, one record, or an explanation.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use uma_client::Clock;

use crate::answers::{AnswerKey, Keys};
use crate::audit::{AuditQueue, DecisionRecord};
use crate::explain::Recorder;
use crate::{
    ActiveToken, Mode, Outcome, Reason, Refusal, RequestHead, Requirements, ResourceMap, meter,
};

/// The target of decision events.
const TARGET: &str = "tower_warden::decision";

/// How many of the scopes that a token carries stand in an event.
const MOST_SCOPES: usize = 32;

/// Where the AM's answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum CacheState {
    /// None was needed, or none was looked for.
    #[default]
    Unused,
    /// A kept answer on an active token.
    Hit,
    /// A kept "inactive".
    Negative,
    /// There was none.
    Miss,
    /// There was one that had ended or was purged; the AM is asked anew.
    Stale,
    /// Another request was asking already.
    Coalesced,
}

impl CacheState {
    /// The state as a word, as it stands in events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Hit => "hit",
            Self::Negative => "negative",
            Self::Miss => "miss",
            Self::Stale => "stale",
            Self::Coalesced => "coalesced",
        }
    }
}

/// How a judgement ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conclusion {
    pub(crate) reason: Reason,
    pub(crate) outcome: Outcome,
    /// Whether a ticket goes out with it.
    pub(crate) ticket: bool,
    /// None where the request is let through.
    pub(crate) status: Option<StatusCode>,
}

impl Conclusion {
    pub(crate) const fn let_through(reason: Reason, outcome: Outcome) -> Self {
        Self {
            reason,
            outcome,
            ticket: false,
            status: None,
        }
    }
}

impl From<&Refusal> for Conclusion {
    fn from(refusal: &Refusal) -> Self {
        Self {
            reason: refusal.reason(),
            outcome: refusal.outcome(),
            ticket: refusal.has_ticket(),
            status: Some(refusal.status()),
        }
    }
}

/// A decision as it is being made. What nobody wants to know is not found out.
#[derive(Debug, Clone)]
pub(crate) struct Trail {
    started: Option<Instant>,
    pub(crate) request: Option<Arc<RequestLine>>,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) mode: Mode,
    pub(crate) cache: CacheState,
    pub(crate) token: Option<AnswerKey>,
    /// Whether a handler asks for more than the verb needs.
    further: bool,
}

#[derive(Debug)]
pub(crate) struct RequestLine {
    method: Method,
    path: String,
}

/// What a trail needs of the engine.
#[derive(Clone, Copy)]
pub(crate) struct Listeners<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) keys: &'a Keys,
    pub(crate) audit: Option<&'a AuditQueue>,
}

impl Listeners<'_> {
    fn begin(&self) -> Option<Instant> {
        let heard = meter::COUNTING
            || self.audit.is_some()
            || tracing::enabled!(target: TARGET, tracing::Level::WARN);
        heard.then(|| self.clock.monotonic())
    }
}

impl Trail {
    pub(crate) fn start(
        head: &RequestHead<'_>,
        mode: Mode,
        recorder: Option<Recorder>,
        listeners: Listeners<'_>,
    ) -> Self {
        Self {
            started: listeners.begin(),
            request: listeners.audit.map(|_| {
                Arc::new(RequestLine {
                    method: head.method().clone(),
                    path: head.path().to_owned(),
                })
            }),
            recorder,
            mode,
            cache: CacheState::Unused,
            token: None,
            further: false,
        }
    }

    /// The trail of what a handler asks for, after the request's own has ended.
    pub(crate) fn further(
        request: Option<Arc<RequestLine>>,
        token: Option<AnswerKey>,
        listeners: Listeners<'_>,
    ) -> Self {
        Self {
            started: listeners.begin(),
            request,
            recorder: None,
            mode: Mode::Enforce,
            cache: CacheState::Unused,
            token,
            further: true,
        }
    }

    pub(crate) fn with_token(mut self, token: AnswerKey, cache: CacheState) -> Self {
        self.token = Some(token);
        self.cache = cache;
        self
    }

    /// Whether a ticket may be asked for: only where the refusal takes effect.
    pub(crate) fn wants_ticket(&self) -> bool {
        self.mode == Mode::Enforce
    }

    pub(crate) fn decided(&self, listeners: Listeners<'_>, end: Conclusion, on: On<'_>) {
        if let Some(recorder) = &self.recorder {
            recorder.decided(end, self.cache);
            return;
        }
        let Some(started) = self.started else { return };
        let elapsed = listeners
            .clock
            .monotonic()
            .saturating_duration_since(started);
        let am = on.map().map(|map| &**map.am());
        meter::decision(end.outcome, end.reason, self.mode, am, elapsed);
        meter::cache(self.cache);
        let token = || self.fingerprint(listeners.keys);
        self.tell(elapsed, end, on, token);
        if let (Some(audit), Some(request)) = (listeners.audit, &self.request) {
            let mut record = self.record(request, listeners.clock, elapsed, end, on);
            record.token = token();
            audit.send(record);
        }
    }

    fn tell(
        &self,
        elapsed: Duration,
        end: Conclusion,
        on: On<'_>,
        token: impl Fn() -> Option<String>,
    ) {
        macro_rules! event {
            ($level:expr) => {
                tracing::event!(
                    target: TARGET,
                    $level,
                    decision = end.outcome.as_str(),
                    reason = end.reason.code(),
                    mode = self.mode.as_str(),
                    owner = on.map().map(|map| map.owner().as_str()),
                    am = on.map().map(|map| map.am().name()),
                    resource_id = on.map().map(|map| map.resource_id().as_str()),
                    required = on.required().map(tracing::field::display),
                    granted = on.granted().map(|scopes| tracing::field::display(scopes.join(" "))),
                    cache = self.cache.as_str(),
                    ticket = end.ticket,
                    further = self.further.then_some(true),
                    token = token().map(tracing::field::display),
                    elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
                )
            };
        }
        match end.reason {
            reason if reason.allows() => event!(tracing::Level::DEBUG),
            Reason::MapsUnavailable
            | Reason::AmUnavailable
            | Reason::AmBusy
            | Reason::AmbiguousMap => event!(tracing::Level::WARN),
            _ => event!(tracing::Level::INFO),
        }
    }

    fn record(
        &self,
        request: &RequestLine,
        clock: &dyn Clock,
        elapsed: Duration,
        end: Conclusion,
        on: On<'_>,
    ) -> DecisionRecord {
        let map = on.map();
        let token = on.token();
        let owned = |scopes: Vec<&str>| scopes.into_iter().map(str::to_owned).collect();
        DecisionRecord {
            time: clock.now(),
            elapsed,
            mode: self.mode,
            allowed: end.reason.allows(),
            outcome: end.outcome,
            reason: end.reason,
            method: request.method.clone(),
            path: request.path.clone(),
            further: self.further,
            map: map.map(ResourceMap::id),
            owner: map.map(|map| map.owner().clone()),
            am: map.map(|map| map.am().issuer().clone()),
            resource_id: map.map(|map| map.resource_id().clone()),
            required: on.required().map_or_else(Vec::new, |required| {
                required.split(' ').map(str::to_owned).collect()
            }),
            granted: on.granted().map_or_else(Vec::new, owned),
            cache: self.cache,
            ticket_issued: end.ticket,
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
    fn granted(self) -> Option<Vec<&'a str>> {
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
        Some(scopes)
    }
}
