//! Why a request is decided as it is, told by the code that decides it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use uma_client::Scopes;

use crate::decision::granted_scopes;
use crate::event::Conclusion;
use crate::{CacheState, Evidence, Mode, Outcome, Reason, Requirements, ResourceMap, Verdict};

/// What an explanation gathers on the way of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Gathered>>);

#[derive(Debug, Default)]
struct Gathered {
    key: Option<String>,
    guard: Option<String>,
    matched: Option<Arc<ResourceMap>>,
    lost: Vec<Arc<ResourceMap>>,
    required: Option<Scopes>,
    cache: CacheState,
    status: Option<StatusCode>,
    ticket: bool,
    answer: Option<AnswerBrief>,
}

/// An AM's answer in brief.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnswerBrief {
    /// Whether the AM calls the token active.
    pub active: bool,
    /// The scopes that it holds now on the resource that was asked for.
    pub scopes: Vec<String>,
    /// How many resources it holds permissions for.
    pub resources: usize,
    /// Who asks, if the AM says.
    pub subject: Option<String>,
    /// The application that asks, if the AM says.
    pub client_id: Option<String>,
    /// When the token ends, in seconds since the epoch.
    pub expires: Option<i64>,
}

impl Recorder {
    fn with(&self, note: impl FnOnce(&mut Gathered)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn guarded(&self, key: &str, guard: &str) {
        self.with(|gathered| {
            gathered.key = Some(key.to_owned());
            gathered.guard = Some(guard.to_owned());
        });
    }

    pub(crate) fn lost(&self, maps: Vec<Arc<ResourceMap>>) {
        self.with(|gathered| gathered.lost = maps);
    }

    pub(crate) fn matched(&self, map: &Arc<ResourceMap>, required: Option<&Scopes>) {
        self.with(|gathered| {
            gathered.matched = Some(map.clone());
            gathered.required = required.cloned();
            gathered.lost.retain(|lost| lost != map);
        });
    }

    pub(crate) fn answered(&self, requirements: &Requirements, evidence: &Evidence, now: i64) {
        let brief = match evidence {
            Evidence::Inactive => AnswerBrief {
                active: false,
                scopes: Vec::new(),
                resources: 0,
                subject: None,
                client_id: None,
                expires: None,
            },
            Evidence::Active(token) => AnswerBrief {
                active: true,
                scopes: granted_scopes(requirements.first(), token, now)
                    .map(str::to_owned)
                    .collect(),
                resources: token.permissions.len(),
                subject: token.subject.clone(),
                client_id: token.client_id.clone(),
                expires: token.window.expires,
            },
        };
        self.with(|gathered| gathered.answer = Some(brief));
    }

    /// The end, at the place where a request would leave its event.
    pub(crate) fn decided(&self, end: Conclusion, cache: CacheState) {
        self.with(|gathered| {
            gathered.cache = cache;
            gathered.status = end.status;
            gathered.ticket = end.ticket;
        });
    }

    pub(crate) fn finish(&self, verdict: &Verdict, mode: Mode) -> Explanation {
        let gathered = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Explanation {
            allowed: verdict.outcome().allows(),
            outcome: verdict.outcome(),
            reason: verdict.reason(),
            status: gathered.status,
            ticket: gathered.ticket,
            mode,
            key: gathered.key,
            guard: gathered.guard,
            matched: gathered.matched,
            lost: gathered.lost,
            required: gathered.required,
            cache: gathered.cache,
            answer: gathered.answer,
        }
    }
}

/// Why a request is decided as it is. Its `Display` is meant for people.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Explanation {
    /// Whether the request is let through, as far as Warden is concerned.
    pub allowed: bool,
    /// What becomes of it.
    pub outcome: Outcome,
    /// The status that a refusal has; under [`Mode::Shadow`] it takes no effect.
    pub status: Option<StatusCode>,
    /// Whether the AM gave a ticket, which a request would get.
    pub ticket: bool,
    /// The reason.
    pub reason: Reason,
    /// The mode of the guard.
    pub mode: Mode,
    /// The key of the path, if it has one reading and is guarded.
    pub key: Option<String>,
    /// The prefix of the guard that covers it.
    pub guard: Option<String>,
    /// The map that it met.
    pub matched: Option<Arc<ResourceMap>>,
    /// Maps of the path and its ancestors that gave way to the matched one, or do not cover what lies below them.
    pub lost: Vec<Arc<ResourceMap>>,
    /// The scopes that the verb needs.
    pub required: Option<Scopes>,
    /// Where the AM's answer came from, or was looked for.
    pub cache: CacheState,
    /// The AM's answer, if there was one.
    pub answer: Option<AnswerBrief>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "decision: {} ({}, mode {}",
            self.outcome.as_str(),
            self.reason.code(),
            self.mode.as_str()
        )?;
        match self.status {
            Some(status) => writeln!(f, ", status {})", status.as_u16())?,
            None => writeln!(f, ")")?,
        }
        if let (Some(key), Some(guard)) = (&self.key, &self.guard) {
            writeln!(f, "path:     {key} (guard {guard})")?;
        }
        if let Some(map) = &self.matched {
            writeln!(f, "map:      {}", Line(map))?;
        }
        for map in &self.lost {
            writeln!(f, "not:      {}", Line(map))?;
        }
        if let Some(required) = &self.required {
            writeln!(f, "needs:    {required}")?;
        }
        if let Some(answer) = &self.answer {
            let state = if answer.active { "active" } else { "inactive" };
            let scopes = answer.scopes.join(" ");
            writeln!(f, "AM says:  {state}, scopes here: [{scopes}]")?;
        }
        if self.cache != CacheState::Unused {
            writeln!(f, "cache:    {}", self.cache.as_str())?;
        }
        Ok(())
    }
}

struct Line<'a>(&'a ResourceMap);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reach = if self.0.is_subtree() {
            " and all below"
        } else {
            ""
        };
        write!(
            f,
            "{}{reach}, of {}, at {}, {}",
            self.0.key(),
            self.0.owner(),
            self.0.am().name(),
            self.0.state().as_str()
        )
    }
}
