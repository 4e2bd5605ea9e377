//! Why a request is decided as it is, told by the code that decides it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use uma_client::Scopes;

use crate::decision::granted_scopes;
use crate::{Evidence, Mode, Reason, Requirements, ResourceMap};

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
    cache: Option<&'static str>,
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

    pub(crate) fn answered(
        &self,
        requirements: &Requirements,
        evidence: &Evidence,
        now: i64,
        cache: &'static str,
    ) {
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
        self.with(|gathered| {
            gathered.answer = Some(brief);
            gathered.cache = Some(cache);
        });
    }

    pub(crate) fn finish(&self, reason: Reason, allowed: bool, mode: Mode) -> Explanation {
        let gathered = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Explanation {
            allowed,
            reason,
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
    /// Whether the AM's answer was kept (`hit`) or asked for (`miss`), if one was needed.
    pub cache: Option<&'static str>,
    /// The AM's answer.
    pub answer: Option<AnswerBrief>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decision = if self.allowed { "allow" } else { "refuse" };
        writeln!(
            f,
            "decision: {decision} ({}, mode {})",
            self.reason.code(),
            self.mode.as_str()
        )?;
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
            let cache = self.cache.unwrap_or("unused");
            writeln!(
                f,
                "AM says:  {state}, scopes here: [{}] (cache {cache})",
                answer.scopes.join(" ")
            )?;
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
