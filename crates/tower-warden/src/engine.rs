//! The whole way of a request: one reading of the path, the map, the owner's door, the token, the answer, the decision.

mod asking;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use http::{Extensions, Method, StatusCode};
use uma_client::{Clock, TokenState, epoch_seconds};

use crate::answers::{Answer, Answers, Purge};
use crate::bearer::{BearerError, bearer};
use crate::decision::{Decision, Insufficiency, decide};
use crate::event::{CacheState, On, Trail};
use crate::gate::{Gates, TicketFor};
use crate::guard::Guards;
use crate::head::OwnedHead;
use crate::protection::ErasedProtection;
use crate::verdict::State;
use crate::{
    Access, CanonicalPath, Grant, Judgement, Lookup, LookupError, MapState, Mode, OwnerId, Reason,
    Refusal, RequestHead, Requirements, Resolution, ResourceMap, ResourceMaps, Rpt, Site, Target,
    Unmapped, Verdict,
};

/// How long to wait before the maps are asked for again.
const MAPS_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

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
    pub(crate) own_access: Option<Box<OwnAccess>>,
    pub(crate) preflight: bool,
    pub(crate) outermost: bool,
    pub(crate) legacy_tokens: bool,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Engine {
    /// Judges a request by its head. Ready at once unless a map has to be fetched or an AM to be asked.
    ///
    /// Once polled, a judgement that is not ready needs a tokio runtime.
    #[must_use]
    pub fn judge(&self, head: &RequestHead<'_>) -> Judgement {
        let shared = &self.shared;
        let path = match CanonicalPath::parse(head.path()) {
            Ok(path) if !shared.is_rewritten(head) => path,
            Ok(_) => return shared.ambiguous(head, Reason::RewrittenPath),
            Err(_) => return shared.ambiguous(head, Reason::AmbiguousPath),
        };
        let Some(guard) = shared.guards.covering(&path) else {
            // Who strips parameters could find it below a guard all the same.
            return if path.has_parameters() {
                shared.ambiguous(head, Reason::AmbiguousPath)
            } else {
                not_guarded()
            };
        };
        if guard.mode == Mode::Off {
            return not_guarded();
        }
        let trail = Trail::start(&*shared.clock, guard.mode);
        let target = Target::new(&shared.site, &path, head.method());
        let state = match shared.maps.find(&target) {
            Lookup::Ready(found) => shared.judge_found(head, &path, guard.unmapped, trail, found),
            Lookup::Later(finding) => {
                let shared = shared.clone();
                let unmapped = guard.unmapped;
                let head = OwnedHead::from(head);
                let path = path.into_owned();
                State::Later(Box::pin(async move {
                    let found = finding.await;
                    let state = shared.judge_found(&head.as_head(), &path, unmapped, trail, found);
                    Judgement {
                        mode: trail.mode,
                        state,
                    }
                    .await
                }))
            }
        };
        Judgement {
            mode: trail.mode,
            state,
        }
    }

    /// Makes answers that were got so far count no more: whatever is asked anew does. Loads in flight don't count either.
    pub fn purge(&self, purge: Purge) {
        self.shared.answers.purge(purge);
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
}

impl Shared {
    fn is_rewritten(&self, head: &RequestHead<'_>) -> bool {
        head.is_rewritten() || (self.outermost && head.is_stripped())
    }

    /// A path without a single reading: refused where some reading of it is guarded, else none of Warden's business.
    fn ambiguous(&self, head: &RequestHead<'_>, reason: Reason) -> Judgement {
        match self.guards.covering_some_reading(head.path()) {
            None => not_guarded(),
            Some(guard) if guard.mode == Mode::Off => not_guarded(),
            Some(guard) => {
                let trail = Trail::start(&*self.clock, guard.mode);
                Judgement {
                    mode: guard.mode,
                    state: self.refuse(
                        trail,
                        On::Nothing,
                        Refusal::plain(reason, StatusCode::BAD_REQUEST),
                    ),
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
                return self.refuse(trail, On::Nothing, refusal);
            }
        };
        let map = match &found {
            Resolution::Mapped(requirements) => Some(requirements.first().map()),
            Resolution::Uncovered(map) => Some(map),
            Resolution::Unmapped | Resolution::Ambiguous => None,
        };
        // A `;` is a character of its segment only where an owner has registered it as one.
        if path.has_parameters() && map.is_none_or(|map| has_own_parameters(path, map)) {
            let refusal = Refusal::plain(Reason::AmbiguousPath, StatusCode::BAD_REQUEST);
            return self.refuse(trail, On::Nothing, refusal);
        }
        let Some(map) = map else {
            return match (found, unmapped) {
                (Resolution::Ambiguous, _) => {
                    let refusal = Refusal::no_ticket(Reason::AmbiguousMap, None);
                    self.refuse(trail, On::Nothing, refusal)
                }
                (_, Unmapped::Pass) => self.allow(trail, On::Nothing, Access::Unmapped),
                (_, Unmapped::Deny) => {
                    let refusal = Refusal::plain(Reason::UnmappedDenied, StatusCode::NOT_FOUND);
                    self.refuse(trail, On::Nothing, refusal)
                }
            };
        };
        if self.is_owner(head, map) {
            return self.allow(trail, On::Map(map), Access::Owner(map.owner().clone()));
        }
        if self.preflight && is_preflight(head) {
            trail.decided(&*self.clock, Reason::Preflight, On::Map(map));
            return State::Ready(Some(Verdict::Pass(Reason::Preflight)));
        }
        let inactive = match &found {
            Resolution::Mapped(requirements) => requirements
                .iter()
                .map(|requirement| requirement.map().state())
                .find(|state| *state != MapState::Active),
            _ => Some(map.state()).filter(|state| *state != MapState::Active),
        };
        if let Some(state) = inactive {
            let refusal = Refusal::no_ticket(Reason::MapNotActive(state), None);
            return self.refuse(trail, On::Map(map), refusal);
        }
        match found {
            Resolution::Mapped(requirements) => self.judge_token(head, trail, requirements),
            _ => {
                let refusal = Refusal::plain(Reason::UncoveredVerb, StatusCode::FORBIDDEN);
                self.refuse(trail, On::Map(map), refusal)
            }
        }
    }

    fn is_owner(&self, head: &RequestHead<'_>, map: &ResourceMap) -> bool {
        self.own_access
            .as_ref()
            .is_some_and(|own_access| own_access(head.extensions(), map.owner()))
    }

    fn judge_token(
        self: &Arc<Self>,
        head: &RequestHead<'_>,
        trail: Trail,
        requirements: Requirements,
    ) -> State {
        let on = On::Requirements(&requirements);
        let legacy = self.legacy_tokens.then(|| requirements.am().dialect());
        let token = match bearer(head.headers(), legacy) {
            Ok(Some(token)) => token,
            Ok(None) => return self.judge_tokenless(trail, requirements),
            Err(error) => {
                let reason = match error {
                    BearerError::Repeated => Reason::RepeatedAuthorization,
                    BearerError::Malformed => Reason::MalformedAuthorization,
                };
                return self.refuse(trail, on, Refusal::plain(reason, StatusCode::BAD_REQUEST));
            }
        };
        let credential = self.protection.credential(&requirements);
        let key = self.answers.keys().answer(&requirements, credential, token);
        let Some(answer) = self.answers.fresh(&key, &requirements) else {
            let asking = self.clone().ask(requirements, key, Rpt::new(token), trail);
            return State::Later(Box::pin(asking));
        };
        let trail = trail.with_token(key, CacheState::Hit);
        match self.decide(requirements, answer, trail) {
            Ok(verdict) => State::Ready(Some(verdict)),
            Err(shortfall) => self.want_ticket(trail, shortfall, self.deadline()),
        }
    }

    /// Runs the one decision over an answer, wherever it came from.
    fn decide(
        &self,
        requirements: Requirements,
        answer: Arc<Answer>,
        trail: Trail,
    ) -> Result<Verdict, Shortfall> {
        let now = epoch_seconds(self.clock.now());
        match decide(&requirements, &answer.evidence, now) {
            Decision::Allow { expires } => {
                trail.decided(
                    &*self.clock,
                    Reason::Granted,
                    On::Requirements(&requirements),
                );
                let grant = Grant::new(requirements, answer, now, expires);
                Ok(Verdict::Allow(Access::Granted(grant)))
            }
            Decision::Refuse(insufficiency) => Err(Shortfall {
                requirements,
                reason: Reason::Insufficient(insufficiency),
                budget: match answer.evidence {
                    crate::Evidence::Active(_) => TicketFor::Confirmed,
                    crate::Evidence::Inactive => TicketFor::Anonymous,
                },
            }),
        }
    }

    fn judge_tokenless(self: &Arc<Self>, trail: Trail, requirements: Requirements) -> State {
        let shortfall = Shortfall {
            requirements,
            reason: Reason::NoToken,
            budget: TicketFor::Anonymous,
        };
        self.want_ticket(trail, shortfall, self.deadline())
    }

    /// Refuses a request that needs a permission: with a ticket where the dialect wants one and the mode allows it.
    fn want_ticket(
        self: &Arc<Self>,
        trail: Trail,
        shortfall: Shortfall,
        deadline: Instant,
    ) -> State {
        if trail.mode != Mode::Enforce {
            let refusal = Refusal::no_ticket(shortfall.reason, None);
            return self.refuse(trail, On::Requirements(&shortfall.requirements), refusal);
        }
        let dialect = shortfall.requirements.am().dialect();
        if !dialect.needs_ticket(shortfall.token()) {
            let refusal = self.challenge(&shortfall, None);
            return self.refuse(trail, On::Requirements(&shortfall.requirements), refusal);
        }
        State::Later(Box::pin(
            self.clone().ask_ticket(shortfall, trail, deadline),
        ))
    }

    fn deadline(&self) -> Instant {
        self.clock.monotonic() + self.gates.limits().deadline()
    }

    fn refuse(&self, trail: Trail, on: On<'_>, refusal: Refusal) -> State {
        trail.decided(&*self.clock, refusal.reason(), on);
        State::Ready(Some(Verdict::Refuse(refusal)))
    }

    fn allow(&self, trail: Trail, on: On<'_>, access: Access) -> State {
        let verdict = Verdict::Allow(access);
        trail.decided(&*self.clock, verdict.reason(), on);
        State::Ready(Some(verdict))
    }
}

/// A request that does not hold what it needs.
#[derive(Debug)]
struct Shortfall {
    requirements: Requirements,
    reason: Reason,
    budget: TicketFor,
}

impl Shortfall {
    /// What the token was worth: dialects tell one that is no good from one that is too weak.
    fn token(&self) -> TokenState {
        match self.reason {
            Reason::NoToken => TokenState::None,
            Reason::Insufficient(Insufficiency::Scopes) => TokenState::Insufficient,
            _ => TokenState::Invalid,
        }
    }
}

fn not_guarded() -> Judgement {
    Judgement {
        mode: Mode::Off,
        state: State::Ready(Some(Verdict::Pass(Reason::NotGuarded))),
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

/// An error and its causes on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut error = self.0.source();
        while let Some(cause) = error {
            write!(f, ": {cause}")?;
            error = cause.source();
        }
        Ok(())
    }
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
mod tests;
