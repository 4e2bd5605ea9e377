//! The part of the way that waits for an AM.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use uma_client::{Chain, Challenge, PermissionOutcome, Ticket};

use super::Shared;
use super::token::Shortfall;
use crate::answers::{Answer, AnswerKey, Departure, Found, Landed};
use crate::event::{CacheState, Conclusion, On, Trail};
use crate::gate::Barred;
use crate::{
    Access, Evidence, Judgement, Outcome, Reason, Refusal, Requirements, Rpt, Verdict, meter,
};

/// How often a request asks again because what it waited for was forgotten or purged meanwhile.
const ROUNDS: usize = 3;

impl Shared {
    /// Judges a request whose token has no fresh answer.
    pub(super) async fn ask(
        self: Arc<Self>,
        requirements: Requirements,
        key: AnswerKey,
        rpt: Rpt,
        mut trail: Trail,
    ) -> Verdict {
        let deadline = self.deadline();
        let mut requirements = requirements;
        for _ in 0..ROUNDS {
            let cache = &mut trail.cache;
            let found = self.answer(&requirements, key, &rpt, deadline, cache);
            let (answer, may_refuse) = match found.await {
                Ok(found) => found,
                Err(barred) => {
                    let refusal = Refusal::unknown(reason(&barred), barred.retry_after());
                    let on = On::Requirements(&requirements, None);
                    return self.refused(&trail, on, refusal);
                }
            };
            match self.decide(requirements, answer, &trail, self.clock.now()) {
                Ok(verdict) => return verdict,
                Err(shortfall) if may_refuse => {
                    let mode = trail.mode;
                    let state = self.want_ticket(trail, shortfall, deadline);
                    return Judgement { mode, state }.await;
                }
                Err(shortfall) => requirements = shortfall.requirements,
            }
        }
        let busy = Barred::Busy(Duration::from_secs(1));
        let refusal = Refusal::unknown(Reason::AmBusy, busy.retry_after());
        self.refused(&trail, On::Requirements(&requirements, None), refusal)
    }

    /// The AM's answer on a token: one that is kept, one that is on its way, or a new one; and whether it may refuse.
    async fn answer(
        self: &Arc<Self>,
        requirements: &Requirements,
        key: AnswerKey,
        rpt: &Rpt,
        deadline: Instant,
        cache: &mut CacheState,
    ) -> Result<(Arc<Answer>, bool), Arc<Barred>> {
        for _ in 0..ROUNDS {
            let landing = match self.answers.find(key, requirements) {
                Found::Answer(answer) => {
                    *cache = CacheState::Coalesced;
                    return Ok((answer, true));
                }
                Found::Flight(landing, None) => {
                    *cache = CacheState::Coalesced;
                    landing
                }
                Found::Flight(landing, Some(departure)) => {
                    self.depart(departure, requirements.clone(), rpt.clone());
                    landing
                }
            };
            let left = deadline.saturating_duration_since(self.clock.monotonic());
            let Ok(landed) = timeout(left, landing.landed()).await else {
                return Err(Arc::new(Barred::Late));
            };
            // A load that broke off, or an answer that was purged meanwhile, has to be got anew.
            let Some(Landed { outcome, forgotten }) = landed else {
                continue;
            };
            let answer = outcome?;
            if self.answers.stands(&answer, requirements) {
                return Ok((answer, !forgotten));
            }
        }
        Err(Arc::new(Barred::Busy(Duration::from_secs(1))))
    }

    /// Asks the AM in a task of its own, so that the end of the request neither stops nor repeats it.
    fn depart(self: &Arc<Self>, departure: Departure, requirements: Requirements, rpt: Rpt) {
        let shared = self.clone();
        tokio::spawn(async move {
            let gate = shared.gates.before(requirements.am());
            let active = |evidence: &Evidence| matches!(evidence, Evidence::Active(_));
            let asking = shared.protection.verify(&requirements, &rpt);
            let (token, issuer) = (rpt.secret().expose(), requirements.am().issuer());
            let witness = shared.answers.witness(token, issuer);
            let outcome = gate
                .verify(witness, shared.deadline(), active, asking)
                .await;
            if outcome.as_ref().is_ok_and(active) {
                shared.answers.is_at_home(token, issuer);
            }
            if let Err(barred) = &outcome {
                warn(&requirements, "the token could not be checked", barred);
            }
            departure.land(outcome);
        });
    }

    /// Refuses a request with a ticket, or says that none is to be had.
    pub(super) async fn ask_ticket(
        self: Arc<Self>,
        shortfall: Shortfall,
        trail: Trail,
        deadline: Instant,
    ) -> Verdict {
        let requirements = &shortfall.requirements;
        let gate = self.gates.before(requirements.am());
        if let Some(token) = trail.token
            && let Err(after) = self.answers.may_cost_a_ticket(token)
        {
            let refusal = Refusal::no_ticket(shortfall.reason, Some(after));
            return self.refused(&trail, shortfall.on(), refusal);
        }
        let asking = self.protection.request_permission(requirements);
        let owner = requirements.owner();
        let witness = self.answers.keys().name(owner.as_str());
        let refusal = match gate
            .ticket(shortfall.budget, owner, witness, deadline, asking)
            .await
        {
            Ok(PermissionOutcome::Ticket(ticket)) => {
                // The AM may upgrade this very token: what it said of it so far must not refuse the next request.
                // An explanation gives it to nobody.
                if trail.recorder.is_none() {
                    if let Some(token) = &trail.token {
                        self.answers.forget(token);
                    }
                    meter::ticket(requirements.am(), "given");
                }
                self.challenge(&shortfall, Some(&ticket))
            }
            Ok(PermissionOutcome::NoneNeeded) => {
                let end = Conclusion::let_through(Reason::Open, Outcome::Allow);
                self.decided(&trail, end, shortfall.on());
                let now = uma_client::epoch_seconds(self.clock.now());
                let grant = self.grant(shortfall.requirements, None, &trail, now, None);
                return Verdict::Allow(Access::Granted(grant));
            }
            Ok(_) => Refusal::no_ticket(shortfall.reason, None),
            Err(barred) => {
                warn(requirements, "no ticket could be had", &barred);
                if trail.recorder.is_none() {
                    meter::ticket(requirements.am(), "none");
                }
                Refusal::no_ticket(shortfall.reason, barred.known_retry_after())
            }
        };
        self.refused(&trail, shortfall.on(), refusal)
    }

    /// The dialect's refusal; one that can't be written safely is as good as none.
    pub(super) fn challenge(&self, shortfall: &Shortfall, ticket: Option<&Ticket>) -> Refusal {
        let am = shortfall.requirements.am();
        let mut challenge = Challenge::new(&self.realm, am.issuer())
            .with_host_id(&self.host_id)
            .with_token(shortfall.token());
        if let Some(ticket) = ticket {
            challenge = challenge.with_ticket(ticket);
        }
        match am.dialect().refusal(&challenge) {
            Ok(response) => Refusal::challenge(shortfall.reason, response, ticket.is_some()),
            Err(error) => {
                tracing::warn!(target: "tower_warden", am = am.name(), error = %Chain(&error), "the challenge can't be written");
                Refusal::no_ticket(shortfall.reason, None)
            }
        }
    }

    fn refused(&self, trail: &Trail, on: On<'_>, refusal: Refusal) -> Verdict {
        self.decided(trail, Conclusion::from(&refusal), on);
        Verdict::Refuse(refusal)
    }
}

fn reason(barred: &Barred) -> Reason {
    match barred {
        Barred::Busy(_) | Barred::Open(_) => Reason::AmBusy,
        Barred::Late | Barred::Failed(_) => Reason::AmUnavailable,
    }
}

fn warn(requirements: &Requirements, what: &'static str, barred: &Barred) {
    let am = requirements.am().name();
    match barred {
        Barred::Failed(error) => {
            tracing::warn!(target: "tower_warden", am, error = %Chain(error), "{what}");
        }
        Barred::Busy(_) => {
            tracing::warn!(target: "tower_warden", am, "{what}: the budget of the gate is spent");
        }
        Barred::Open(_) => {
            tracing::warn!(target: "tower_warden", am, "{what}: it failed lately and is left alone");
        }
        Barred::Late => {
            tracing::warn!(target: "tower_warden", am, "{what}: it took too long");
        }
    }
}
