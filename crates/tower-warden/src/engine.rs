//! The whole way of a request: one reading of the path, the map, the owner's door, the token, the answer, the decision.

mod asking;
mod finding;
mod purger;
mod token;

pub(crate) use token::Admitted;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Extensions, Method, StatusCode};
use uma_client::{Chain, Clock};

use crate::answers::{Answers, Purge};
use crate::audit::AuditQueue;
use crate::event::{Conclusion, Listeners, On, Trail};
use crate::explain::{Explanation, Recorder};
use crate::gate::Gates;
use crate::guard::{Guard, Guards};
use crate::peer::SourceBudgets;
use crate::protection::ErasedProtection;
use crate::refusal::OnReject;
use crate::verdict::State;
use crate::{
    Access, CanonicalPath, Judgement, LookupError, MapState, Mode, OwnerId, Reason, Refusal,
    RequestHead, Resolution, ResourceMap, ResourceMaps, Site, Target, Unmapped, Verdict,
};

/// How long to wait before the maps are asked for again.
const MAPS_RETRY: Duration = Duration::from_secs(1);

pub use finding::MIN_EPOCH_HEADER;
pub use purger::Purger;

pub(crate) type OwnAccess = dyn Fn(&Extensions, &OwnerId) -> bool + Send + Sync;

/// Judges requests. The layer does nothing but what it says; clones are one and the same.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) guards: Guards,
    pub(crate) site: Site,
    pub(crate) realm: String,
    pub(crate) host_id: String,
    pub(crate) maps: Arc<dyn ResourceMaps>,
    pub(crate) protection: Arc<dyn ErasedProtection>,
    pub(crate) answers: Arc<Answers>,
    pub(crate) gates: Gates,
    pub(crate) sources: Option<SourceBudgets>,
    pub(crate) own_access: Option<Box<OwnAccess>>,
    pub(crate) on_reject: Option<Box<OnReject>>,
    pub(crate) audit: Option<AuditQueue>,
    pub(crate) preflight: bool,
    pub(crate) outermost: bool,
    pub(crate) keep_authorization: bool,
    pub(crate) legacy_tokens: bool,
    pub(crate) min_epoch: bool,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Engine {
    /// Judges a request by its head. Ready at once unless a map has to be fetched or an AM to be asked.
    ///
    /// Once polled, a judgement that is not ready needs a tokio runtime.
    #[must_use]
    pub fn judge(&self, head: &RequestHead<'_>) -> Judgement {
        self.judge_and_record(head, None)
    }

    /// Tells why a request is decided as it is, by the same way: budgets are spent and the AM is asked as for the request
    /// itself, about the token and for a ticket, since it alone knows whether it wants one. The ticket is dropped, and no
    /// decision is left in events, metrics or records.
    pub async fn explain(&self, head: &RequestHead<'_>) -> Explanation {
        let recorder = Recorder::default();
        let judgement = self.judge_and_record(head, Some(recorder.clone()));
        let mode = judgement.mode();
        let verdict = judgement.await;
        recorder.finish(&verdict, mode)
    }

    fn judge_and_record(&self, head: &RequestHead<'_>, recorder: Option<Recorder>) -> Judgement {
        let shared = &self.shared;
        let path = match CanonicalPath::parse(head.path()) {
            Ok(path) if !shared.is_rewritten(head) => path,
            Ok(_) => return shared.ambiguous(head, Reason::RewrittenPath, recorder),
            Err(_) => return shared.ambiguous(head, Reason::AmbiguousPath, recorder),
        };
        let Some(guard) = shared.guards.covering(&path) else {
            // Who strips parameters could find it below a guard all the same.
            return if path.has_parameters() {
                shared.ambiguous(head, Reason::AmbiguousPath, recorder)
            } else if head.is_changed() {
                // A guard that names the path without the prefix would guard nothing.
                shared.ambiguous(head, Reason::RewrittenPath, recorder)
            } else {
                not_guarded()
            };
        };
        if guard.mode == Mode::Off {
            return not_guarded();
        }
        if let Some(recorder) = &recorder {
            let target = Target::new(&shared.site, &path, head.verb());
            recorder.guarded(path.as_key(), guard.prefix.as_key());
            recorder.lost(shared.maps.candidates(&target));
        }
        let trail = shared.trail(head, guard.mode, recorder);
        let mode = trail.mode;
        let state = shared.find_and_judge(head, &path, guard.unmapped, trail);
        Judgement { mode, state }
    }

    /// Makes answers that were got so far count no more: whatever is asked anew does. Loads in flight don't count either.
    pub fn purge(&self, purge: Purge) {
        self.shared.answers.purge(purge);
    }

    /// What purges this engine's answers and holds nothing else of it: for what the engine itself holds, such as its maps.
    #[must_use]
    pub fn purger(&self) -> Purger {
        Purger::new(Arc::clone(&self.shared.answers))
    }

    /// Whether every request to a path, and to all below it if `subtree`, is under a guard that enforces.
    ///
    /// Sharing a path of which this is not true would protect nothing.
    #[must_use]
    pub fn enforces(&self, path: &CanonicalPath<'_>, subtree: bool) -> bool {
        self.shared.guards.enforce(path, subtree)
    }

    /// The site that this engine serves.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.shared.site
    }

    /// How many decisions the audit sink has missed because it was too slow.
    #[must_use]
    pub fn audit_dropped(&self) -> u64 {
        self.shared.audit.as_ref().map_or(0, AuditQueue::dropped)
    }
}

impl Shared {
    fn trail(&self, head: &RequestHead<'_>, mode: Mode, recorder: Option<Recorder>) -> Trail {
        Trail::start(head, mode, recorder, self.listeners())
    }

    fn is_rewritten(&self, head: &RequestHead<'_>) -> bool {
        head.is_rewritten() || (self.outermost && head.is_changed())
    }

    /// A path without a single reading: refused where some reading of it is guarded, else none of Warden's business.
    fn ambiguous(
        &self,
        head: &RequestHead<'_>,
        reason: Reason,
        recorder: Option<Recorder>,
    ) -> Judgement {
        let sent = self.guards.covering_some_reading(head.path());
        let seen = head
            .is_changed()
            .then(|| self.guards.covering_some_reading(head.behind()))
            .flatten();
        // The stricter of the two, if the paths differ.
        let guard: Option<&Guard> = match (sent, seen) {
            (Some(sent), _) if sent.mode == Mode::Enforce => Some(sent),
            (_, Some(seen)) if seen.mode == Mode::Enforce => Some(seen),
            (sent, seen) => sent.or(seen),
        };
        match guard {
            None => not_guarded(),
            Some(guard) if guard.mode == Mode::Off => not_guarded(),
            Some(guard) => {
                let trail = self.trail(head, guard.mode, recorder);
                let refusal = Refusal::plain(reason, StatusCode::BAD_REQUEST);
                Judgement {
                    mode: guard.mode,
                    state: self.refuse(&trail, On::Nothing, refusal),
                }
            }
        }
    }

    fn judge_found(
        self: &Arc<Self>,
        head: &RequestHead<'_>,
        path: &CanonicalPath<'_>,
        unmapped: Unmapped,
        trail: Trail,
        found: Result<Resolution, LookupError>,
    ) -> State {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(target: "tower_warden", error = %Chain(&error), "the maps could not be read");
                let refusal = Refusal::unknown(Reason::MapsUnavailable, MAPS_RETRY);
                return self.refuse(&trail, On::Nothing, refusal);
            }
        };
        let (map, required) = match &found {
            Resolution::Mapped(requirements) => {
                let first = requirements.first();
                (Some(first.map()), Some(first.required()))
            }
            Resolution::Uncovered(map) => (Some(map), None),
            Resolution::Unmapped | Resolution::Ambiguous => (None, None),
        };
        // A `;` is a character of its segment only where an owner has registered it as one.
        if path.has_parameters() && map.is_none_or(|map| has_own_parameters(path, map)) {
            let refusal = Refusal::plain(Reason::AmbiguousPath, StatusCode::BAD_REQUEST);
            return self.refuse(&trail, On::Nothing, refusal);
        }
        let Some(map) = map else {
            return match (found, unmapped) {
                (Resolution::Ambiguous, _) => {
                    let refusal = Refusal::no_ticket(Reason::AmbiguousMap, None);
                    self.refuse(&trail, On::Nothing, refusal)
                }
                (_, Unmapped::Pass) => self.allow(&trail, On::Nothing, Access::Unmapped),
                (_, Unmapped::Deny) => {
                    let refusal = Refusal::plain(Reason::UnmappedDenied, StatusCode::NOT_FOUND);
                    self.refuse(&trail, On::Nothing, refusal)
                }
            };
        };
        if let Some(recorder) = &trail.recorder {
            recorder.matched(map, required);
        }
        if self.is_owner(head, map) {
            return self.allow(&trail, On::Map(map), Access::Owner(map.owner().clone()));
        }
        if self.preflight && is_preflight(head) {
            let verdict = Verdict::Pass(Reason::Preflight);
            return self.let_through(&trail, On::Map(map), verdict);
        }
        if let Some(state) = inactive_state(&found) {
            let refusal = Refusal::no_ticket(Reason::MapNotActive(state), None);
            return self.refuse(&trail, On::Map(map), refusal);
        }
        match found {
            Resolution::Mapped(requirements) => self.judge_token(head, trail, requirements),
            _ => {
                let refusal = Refusal::plain(Reason::UncoveredVerb, StatusCode::FORBIDDEN);
                self.refuse(&trail, On::Map(map), refusal)
            }
        }
    }

    fn is_owner(&self, head: &RequestHead<'_>, map: &ResourceMap) -> bool {
        self.own_access
            .as_ref()
            .is_some_and(|own_access| own_access(head.extensions(), map.owner()))
    }

    fn deadline(&self) -> Instant {
        self.clock.monotonic() + self.gates.limits().deadline()
    }

    fn listeners(&self) -> Listeners<'_> {
        Listeners {
            clock: &*self.clock,
            keys: self.answers.keys(),
            audit: self.audit.as_ref(),
        }
    }

    fn decided(&self, trail: &Trail, end: Conclusion, on: On<'_>) {
        trail.decided(self.listeners(), end, on);
    }

    fn refuse(&self, trail: &Trail, on: On<'_>, refusal: Refusal) -> State {
        self.decided(trail, Conclusion::from(&refusal), on);
        State::Ready(Some(Verdict::Refuse(refusal)))
    }

    fn allow(&self, trail: &Trail, on: On<'_>, access: Access) -> State {
        self.let_through(trail, on, Verdict::Allow(access))
    }

    fn let_through(&self, trail: &Trail, on: On<'_>, verdict: Verdict) -> State {
        let end = Conclusion::let_through(verdict.reason(), verdict.outcome());
        self.decided(trail, end, on);
        State::Ready(Some(verdict))
    }
}

fn not_guarded() -> Judgement {
    Judgement {
        mode: Mode::Off,
        state: State::Ready(Some(Verdict::Pass(Reason::NotGuarded))),
    }
}

/// The state of a map that keeps the request from being decided.
fn inactive_state(found: &Resolution) -> Option<MapState> {
    let inactive = |state: &MapState| *state != MapState::Active;
    match found {
        Resolution::Mapped(requirements) => requirements
            .iter()
            .map(|requirement| requirement.map().state())
            .find(inactive),
        Resolution::Uncovered(map) => Some(map.state()).filter(inactive),
        Resolution::Unmapped | Resolution::Ambiguous => None,
    }
}

/// Whether the path holds a `;` that is not part of the path of the map.
fn has_own_parameters(path: &CanonicalPath<'_>, map: &ResourceMap) -> bool {
    let mapped = map
        .key()
        .split('/')
        .filter(|segment| !segment.is_empty())
        .count();
    path.has_parameters_below(mapped)
}

/// A CORS preflight (Fetch standard, section 4.8): not every `OPTIONS` is one.
fn is_preflight(head: &RequestHead<'_>) -> bool {
    head.method() == Method::OPTIONS
        && head.headers().contains_key(http::header::ORIGIN)
        && head
            .headers()
            .contains_key(http::header::ACCESS_CONTROL_REQUEST_METHOD)
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("guards", &self.shared.guards)
            .field("site", &self.shared.site)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod dialects;
#[cfg(test)]
mod telling;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod which_request;
