//! From the token of a request to its verdict: the kept answer, the decision, and what a request that falls short gets.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::StatusCode;
use uma_client::{Scopes, TokenState, epoch_seconds};

use super::{Engine, Shared};
use crate::answers::{Answer, AnswerKey, Kept};
use crate::bearer::{BearerError, bearer};
use crate::decision::{Decision, Insufficiency, decide};
use crate::event::{CacheState, Conclusion, On, RequestLine, Trail};
use crate::gate::TicketFor;
use crate::stranger::claims_another_issuer;
use crate::verdict::State;
use crate::{
    Access, ActiveToken, Evidence, Grant, Judgement, Mode, Outcome, Peer, Reason, Refusal,
    RequestHead, Requirement, Requirements, ResourceMap, Rpt, Verdict,
};

/// What a [`Grant`] brings of the request that it let in.
pub(crate) struct Admitted<'a> {
    pub(crate) map: &'a Arc<ResourceMap>,
    /// None where the AM wanted no token.
    pub(crate) answer: Option<&'a Arc<Answer>>,
    pub(crate) token: Option<AnswerKey>,
    pub(crate) request: Option<&'a Arc<RequestLine>>,
}

impl Engine {
    /// Checks a token for further scopes on the resource of a request: the way of a request from its answer on.
    pub(crate) async fn judge_further(
        &self,
        admitted: Admitted<'_>,
        scopes: Scopes,
    ) -> Result<(), Refusal> {
        let shared = &self.shared;
        let Admitted {
            map, answer, token, ..
        } = admitted;
        let mut trail = Trail::further(admitted.request.cloned(), token, shared.listeners());
        let registered = scopes.is_subset(map.scopes());
        let requirements: Requirements = Requirement::new(map.clone(), scopes).into();
        if !registered {
            let refusal = Refusal::plain(Reason::UncoveredVerb, StatusCode::FORBIDDEN);
            let on = On::Requirements(&requirements, None);
            shared.decided(&trail, Conclusion::from(&refusal), on);
            return Err(refusal);
        }
        let now = shared.answers.now();
        let shortfall = match answer {
            Some(answer) if shared.answers.is_fresh(answer, &requirements, now) => {
                trail.cache = CacheState::Hit;
                match shared.decide(requirements, answer.clone(), &trail, now.wall) {
                    Ok(_) => return Ok(()),
                    Err(shortfall) => shortfall,
                }
            }
            Some(_) => {
                trail.cache = CacheState::Stale;
                Shortfall {
                    reason: Reason::AnswerEnded,
                    budget: TicketFor::Confirmed,
                    ..Shortfall::tokenless(requirements)
                }
            }
            None => Shortfall::tokenless(requirements),
        };
        let state = shared.want_ticket(trail, shortfall, shared.deadline());
        let mode = Mode::Enforce;
        match (Judgement { mode, state }).await {
            Verdict::Refuse(refusal) => Err(refusal),
            _ => Ok(()),
        }
    }
}

impl Shared {
    pub(super) fn judge_token(
        self: &Arc<Self>,
        head: &RequestHead<'_>,
        trail: Trail,
        requirements: Requirements,
    ) -> State {
        let legacy = self.legacy_tokens.then(|| requirements.am().dialect());
        let token = match bearer(head.headers(), legacy) {
            Ok(token) => token,
            Err(error) => {
                let reason = match error {
                    BearerError::Repeated => Reason::RepeatedAuthorization,
                    BearerError::Malformed => Reason::MalformedAuthorization,
                };
                let refusal = Refusal::plain(reason, StatusCode::BAD_REQUEST);
                return self.refuse(&trail, On::Requirements(&requirements, None), refusal);
            }
        };
        let Some(token) = token else {
            let shortfall = Shortfall::tokenless(requirements);
            return self.want_ticket_from(head, trail, shortfall);
        };
        let credential = self.protection.credential(&requirements);
        let key = self.answers.keys().answer(&requirements, credential, token);
        let now = self.answers.now();
        let cache = match self.answers.look(&key, &requirements, now) {
            Kept::Fresh(answer) => {
                let cache = match answer.evidence {
                    Evidence::Active(_) => CacheState::Hit,
                    Evidence::Inactive => CacheState::Negative,
                };
                let trail = trail.with_token(key, cache);
                return match self.decide(requirements, answer, &trail, now.wall) {
                    Ok(verdict) => State::Ready(Some(verdict)),
                    Err(shortfall) => self.want_ticket_from(head, trail, shortfall),
                };
            }
            Kept::Stale => CacheState::Stale,
            Kept::Nothing => CacheState::Miss,
        };
        let trail = trail.with_token(key, cache);
        let issuer = requirements.am().issuer();
        if claims_another_issuer(token, issuer) || self.answers.is_at_home_elsewhere(token, issuer)
        {
            let shortfall = Shortfall {
                reason: Reason::TokenOfAnotherAm,
                ..Shortfall::tokenless(requirements)
            };
            return self.want_ticket_from(head, trail, shortfall);
        }
        if trail.mode == Mode::Enforce
            && let Some(refused) = self.spend(head, &trail, &requirements)
        {
            return refused;
        }
        State::Later(Box::pin(self.clone().ask(
            requirements,
            key,
            Rpt::new(token),
            trail,
        )))
    }

    /// Takes the call that a request needs from the budget of its source, if the host tells sources apart.
    fn spend(
        &self,
        head: &RequestHead<'_>,
        trail: &Trail,
        requirements: &Requirements,
    ) -> Option<State> {
        let sources = self.sources.as_ref()?;
        let peer = *head.extensions().get::<Peer>()?;
        let after = sources.take(peer, self.clock.monotonic()).err()?;
        let refusal = Refusal::too_many(Reason::SourceBusy, after);
        Some(self.refuse(trail, On::Requirements(requirements, None), refusal))
    }

    /// Runs the one decision over an answer, wherever it came from.
    pub(super) fn decide(
        self: &Arc<Self>,
        requirements: Requirements,
        answer: Arc<Answer>,
        trail: &Trail,
        now: SystemTime,
    ) -> Result<Verdict, Shortfall> {
        let now = epoch_seconds(now);
        if let Some(recorder) = &trail.recorder {
            recorder.answered(&requirements, &answer.evidence, now);
        }
        match decide(&requirements, &answer.evidence, now) {
            Decision::Allow { expires } => {
                let on = On::Requirements(&requirements, answer.token());
                let end = Conclusion::let_through(Reason::Granted, Outcome::Allow);
                self.decided(trail, end, on);
                let grant = self.grant(requirements, Some(answer), trail, now, expires);
                Ok(Verdict::Allow(Access::Granted(grant)))
            }
            Decision::Refuse(insufficiency) => Err(Shortfall {
                requirements,
                reason: Reason::Insufficient(insufficiency),
                budget: match answer.evidence {
                    Evidence::Active(_) => TicketFor::Confirmed,
                    Evidence::Inactive => TicketFor::Anonymous,
                },
                answer: Some(answer),
            }),
        }
    }

    pub(super) fn grant(
        self: &Arc<Self>,
        requirements: Requirements,
        answer: Option<Arc<Answer>>,
        trail: &Trail,
        decided_at: i64,
        expires: Option<i64>,
    ) -> Grant {
        let engine = Engine {
            shared: self.clone(),
        };
        Grant {
            engine,
            requirements,
            answer,
            token: trail.token,
            request: trail.request.clone(),
            decided_at,
            expires,
        }
    }

    /// As [`Shared::want_ticket`], for a request that has cost its source nothing yet.
    fn want_ticket_from(
        self: &Arc<Self>,
        head: &RequestHead<'_>,
        trail: Trail,
        shortfall: Shortfall,
    ) -> State {
        let asks = trail.wants_ticket() && shortfall.needs_ticket();
        if asks && let Some(refused) = self.spend(head, &trail, &shortfall.requirements) {
            return refused;
        }
        self.want_ticket(trail, shortfall, self.deadline())
    }

    /// Refuses a request that needs a permission: with a ticket where the dialect wants one and the mode allows it.
    pub(super) fn want_ticket(
        self: &Arc<Self>,
        trail: Trail,
        shortfall: Shortfall,
        deadline: Instant,
    ) -> State {
        if !trail.wants_ticket() {
            let refusal = Refusal::unasked(shortfall.reason);
            return self.refuse(&trail, shortfall.on(), refusal);
        }
        if !shortfall.needs_ticket() {
            let refusal = self.challenge(&shortfall, None);
            return self.refuse(&trail, shortfall.on(), refusal);
        }
        State::Later(Box::pin(
            self.clone().ask_ticket(shortfall, trail, deadline),
        ))
    }
}

/// A request that does not hold what it needs.
#[derive(Debug)]
pub(super) struct Shortfall {
    pub(super) requirements: Requirements,
    pub(super) reason: Reason,
    pub(super) budget: TicketFor,
    answer: Option<Arc<Answer>>,
}

impl Shortfall {
    pub(super) fn tokenless(requirements: Requirements) -> Self {
        Self {
            requirements,
            reason: Reason::NoToken,
            budget: TicketFor::Anonymous,
            answer: None,
        }
    }

    pub(super) fn on(&self) -> On<'_> {
        let token: Option<&ActiveToken> = self.answer.as_ref().and_then(|answer| answer.token());
        On::Requirements(&self.requirements, token)
    }

    fn needs_ticket(&self) -> bool {
        let dialect = self.requirements.am().dialect();
        dialect.needs_ticket(self.token())
    }

    /// What the token was worth: dialects tell one that is no good from one that is too weak.
    pub(super) fn token(&self) -> TokenState {
        match self.reason {
            Reason::NoToken => TokenState::None,
            Reason::Insufficient(Insufficiency::Scopes) => TokenState::Insufficient,
            _ => TokenState::Invalid,
        }
    }
}
