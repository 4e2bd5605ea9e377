//! The AM's answers, kept for a short while. Answers are kept, decisions never.

mod flights;
mod front;
mod key;
mod purges;
mod shares;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use moka::notification::RemovalCause;
use moka::sync::Cache;
use uma_client::{Clock, Issuer, epoch_seconds};

use flights::{Entered, Flights, Outcome, Teller};
pub(crate) use flights::{Landed, Landing};
use front::Front;
pub(crate) use key::{AnswerKey, Keys, PassThroughHasher};
pub use purges::Purge;
use purges::Purges;
use shares::Shares;

use crate::gate::{Barred, Bucket, Rate};
use crate::{ActiveToken, Evidence, Requirements, meter};

/// Longest life of a cached answer that can be set.
pub const MAX_CACHE_TTL: Duration = Duration::from_secs(60);
/// Longest life of a cached "inactive".
const INACTIVE_TTL: Duration = Duration::from_secs(1);

/// How long it is remembered which AM has confirmed a token.
const HOME_TTL: Duration = Duration::from_secs(600);
/// How many tickets one token may cost.
const TICKETS_OF_A_TOKEN: Rate = Rate::of(5.0, 20.0);

/// How many answers are kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnswerLimits {
    pub(crate) ttl: Duration,
    pub(crate) active: u64,
    pub(crate) inactive: u64,
}

impl Default for AnswerLimits {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(10),
            active: 100_000,
            inactive: 10_000,
        }
    }
}

/// What an AM said of a token, when it was asked, and how long that may be used.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) evidence: Evidence,
    key: AnswerKey,
    /// Whose answer it is.
    am: u64,
    /// Drawn when the AM began to be asked.
    stamp: u64,
    /// The end by the monotonic clock, which no one can set back.
    deadline: Instant,
    /// The end by the wall clock, which goes on while the machine sleeps.
    deadline_wall: SystemTime,
}

impl Answer {
    /// What the AM says of the token, if it is active.
    pub(crate) fn token(&self) -> Option<&ActiveToken> {
        match &self.evidence {
            Evidence::Active(token) => Some(token),
            Evidence::Inactive => None,
        }
    }
}

/// A moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) monotonic: Instant,
    pub(crate) wall: SystemTime,
}

type AnswerCache = Cache<AnswerKey, Arc<Answer>, PassThroughHasher>;

/// The answers of all AMs.
///
/// Active and inactive answers live apart, so that random tokens can't drive out good ones.
pub(crate) struct Answers {
    keys: Keys,
    front: Front,
    active: AnswerCache,
    active_shares: Arc<Shares>,
    /// For active answers of AMs that hold their share already: there they compete with each other alone.
    crowded: AnswerCache,
    inactive: AnswerCache,
    /// At which AM a token was lately confirmed.
    homes: Cache<AnswerKey, u64, PassThroughHasher>,
    home_shares: Arc<Shares>,
    /// How many tickets a token has cost lately.
    tickets: Cache<AnswerKey, Arc<Mutex<Bucket>>, PassThroughHasher>,
    flights: Flights,
    purges: Purges,
    limits: AnswerLimits,
    clock: Arc<dyn Clock>,
}

/// What is kept for a key.
pub(crate) enum Kept {
    Fresh(Arc<Answer>),
    /// An answer that has ended or was purged.
    Stale,
    Nothing,
}

/// What there is for a key.
pub(crate) enum Found {
    /// A fresh answer.
    Answer(Arc<Answer>),
    /// A load to wait for; whoever holds the departure has to make it.
    Flight(Landing, Option<Departure>),
}

/// A load that has begun. Dropped before it has landed, it makes those who wait begin anew.
#[derive(Debug)]
pub(crate) struct Departure {
    answers: Arc<Answers>,
    key: AnswerKey,
    am: u64,
    stamp: u64,
    teller: Teller,
    begun: Instant,
    begun_wall: SystemTime,
}

impl Departure {
    /// Ends the load: keeps what the AM said, unless the load was forgotten meanwhile, and tells those who wait.
    pub(crate) fn land(self, outcome: Result<Evidence, Barred>) {
        let outcome = outcome
            .map(|evidence| Arc::new(self.answer(evidence)))
            .map_err(Arc::new);
        self.answers
            .land(&self.key, self.stamp, outcome, &self.teller);
    }

    fn answer(&self, evidence: Evidence) -> Answer {
        let ttl = match &evidence {
            Evidence::Inactive => INACTIVE_TTL,
            Evidence::Active(token) => {
                let ttl = self.key.shorten(self.answers.limits.ttl);
                let ttl = token.fresh_for.map_or(ttl, |fresh| ttl.min(fresh));
                let now = epoch_seconds(self.begun_wall);
                token.window.expires.map_or(ttl, |expires| {
                    let left = u64::try_from(expires.saturating_sub(now)).unwrap_or(0);
                    ttl.min(Duration::from_secs(left))
                })
            }
        };
        Answer {
            evidence,
            key: self.key,
            am: self.am,
            stamp: self.stamp,
            // What the clock can't express has ended.
            deadline: self.begun.checked_add(ttl).unwrap_or(self.begun),
            deadline_wall: self.begun_wall.checked_add(ttl).unwrap_or(self.begun_wall),
        }
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        self.answers.flights.abandon(&self.key, self.stamp);
    }
}

/// An answer of ordinary size weighs one; an AM that says a great deal does not get more room for it.
fn weigh(_: &AnswerKey, answer: &Arc<Answer>) -> u32 {
    let Some(token) = answer.token() else {
        return 1;
    };
    let names = token.audience.iter().chain(&token.issuer);
    let names = names.chain(&token.subject).chain(&token.client_id);
    let names: usize = names.map(|name| name.len() + size_of::<String>()).sum();
    let bytes: usize = token
        .permissions
        .iter()
        .map(|permission| {
            let scopes = permission.scopes.iter();
            let text: usize = scopes.map(|scope| scope.len() + size_of::<String>()).sum();
            text + permission.resource_id.as_str().len() + 100
        })
        .sum();
    u32::try_from(1 + (names + bytes) / 1024).unwrap_or(u32::MAX)
}

fn count_eviction(cause: RemovalCause) {
    match cause {
        RemovalCause::Size => meter::eviction("size"),
        RemovalCause::Expired => meter::eviction("expired"),
        // Forgotten or replaced on purpose.
        RemovalCause::Explicit | RemovalCause::Replaced => {}
    }
}

impl Answers {
    pub(crate) fn new(limits: AnswerLimits, clock: Arc<dyn Clock>) -> Self {
        let active_shares = Arc::new(Shares::new(limits.active));
        let home_shares = Arc::new(Shares::new(limits.active));
        let (active, homes) = (active_shares.clone(), home_shares.clone());
        Self {
            keys: Keys::random(),
            front: Front::new(),
            active: Cache::builder()
                .max_capacity(active_shares.capacity())
                .weigher(weigh)
                .time_to_live(limits.ttl)
                .eviction_listener(move |key: Arc<AnswerKey>, answer, cause| {
                    active.give_back(answer.am, weigh(&key, &answer).into());
                    count_eviction(cause);
                })
                .build_with_hasher(PassThroughHasher::default()),
            crowded: Cache::builder()
                .max_capacity(active_shares.reserve())
                .weigher(weigh)
                .time_to_live(limits.ttl)
                .eviction_listener(|_: Arc<AnswerKey>, _, cause| count_eviction(cause))
                .build_with_hasher(PassThroughHasher::default()),
            active_shares,
            inactive: Cache::builder()
                .max_capacity(limits.inactive)
                .time_to_live(INACTIVE_TTL)
                .eviction_listener(|_: Arc<AnswerKey>, _, cause| count_eviction(cause))
                .build_with_hasher(PassThroughHasher::default()),
            homes: Cache::builder()
                .max_capacity(home_shares.capacity())
                .time_to_live(HOME_TTL)
                .eviction_listener(move |_: Arc<AnswerKey>, am, _| homes.give_back(am, 1))
                .build_with_hasher(PassThroughHasher::default()),
            home_shares,
            tickets: Cache::builder()
                .max_capacity(limits.inactive)
                .time_to_idle(HOME_TTL)
                .build_with_hasher(PassThroughHasher::default()),
            flights: Flights::default(),
            purges: Purges::default(),
            limits,
            clock,
        }
    }

    /// This moment.
    pub(crate) fn now(&self) -> Now {
        Now {
            monotonic: self.clock.monotonic(),
            wall: self.clock.now(),
        }
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The kept answer for a key: fresh if it has not ended and nothing that it leans on was purged since it was asked for.
    pub(crate) fn look(&self, key: &AnswerKey, requirements: &Requirements, now: Now) -> Kept {
        if let Some(answer) = self.front.get(key)
            && self.is_fresh(&answer, requirements, now)
        {
            return Kept::Fresh(answer);
        }
        let kept = self
            .active
            .get(key)
            .or_else(|| self.crowded.get(key))
            .or_else(|| self.inactive.get(key));
        match kept {
            Some(answer) if self.is_fresh(&answer, requirements, now) => Kept::Fresh(answer),
            Some(_) => Kept::Stale,
            None => Kept::Nothing,
        }
    }

    fn fresh(&self, key: &AnswerKey, requirements: &Requirements) -> Option<Arc<Answer>> {
        match self.look(key, requirements, self.now()) {
            Kept::Fresh(answer) => Some(answer),
            Kept::Stale | Kept::Nothing => None,
        }
    }

    /// Whether an answer may be used at this moment, for these requirements.
    pub(crate) fn is_fresh(&self, answer: &Answer, requirements: &Requirements, now: Now) -> bool {
        now.monotonic < answer.deadline
            && now.wall < answer.deadline_wall
            && self.stands(answer, requirements)
    }

    /// Whether nothing that an answer leans on was purged since it was asked for.
    pub(crate) fn stands(&self, answer: &Answer, requirements: &Requirements) -> bool {
        self.purges.allow(answer.stamp, requirements)
    }

    /// Finds a fresh answer or a load in flight that counts; else begins a load, which others then find.
    pub(crate) fn find(self: &Arc<Self>, key: AnswerKey, requirements: &Requirements) -> Found {
        let mut stamp = 0;
        let entered = self.flights.enter(
            key,
            || self.fresh(&key, requirements),
            |stamp| self.purges.allow(stamp, requirements),
            || {
                stamp = self.purges.stamp();
                stamp
            },
        );
        match entered {
            Entered::Answer(answer) => Found::Answer(answer),
            Entered::Joined(landing) => Found::Flight(landing, None),
            Entered::Began(landing, teller) => {
                let departure = Departure {
                    answers: self.clone(),
                    key,
                    am: self.keys.am(requirements.am().issuer()),
                    stamp,
                    teller,
                    begun: self.clock.monotonic(),
                    begun_wall: self.clock.now(),
                };
                Found::Flight(landing, Some(departure))
            }
        }
    }

    fn land(&self, key: &AnswerKey, stamp: u64, outcome: Outcome, teller: &Teller) {
        self.flights.land(key, stamp, outcome, teller, |answer| {
            self.front.clear(key);
            match answer.evidence {
                Evidence::Active(_) => {
                    self.inactive.invalidate(key);
                    let weight = weigh(key, answer);
                    let (keep, drop) = if self.active_shares.take(answer.am, weight.into()) {
                        // Small ones only, so that what the slots hold is bounded, too.
                        if weight == 1 {
                            self.front.put(answer);
                        }
                        (&self.active, &self.crowded)
                    } else {
                        (&self.crowded, &self.active)
                    };
                    drop.invalidate(key);
                    keep.insert(*key, answer.clone());
                }
                Evidence::Inactive => {
                    self.active.invalidate(key);
                    self.crowded.invalidate(key);
                    self.inactive.insert(*key, answer.clone());
                }
            }
            let caches = [&self.active, &self.crowded, &self.inactive];
            meter::entries(caches.iter().map(|cache| cache.entry_count()).sum());
        });
    }

    /// Remembers that an AM has confirmed a token. The first holds: another AM that was shown the token must not draw it
    /// away.
    pub(crate) fn is_at_home(&self, token: &str, am: &Issuer) {
        let (token, am) = (self.keys.token(token), self.keys.am(am));
        let elsewhere = self.homes.get(&token).is_some_and(|home| home != am);
        if !elsewhere && self.home_shares.take(am, 1) {
            self.homes.insert(token, am);
        }
    }

    /// What tells a token apart that this AM has lately confirmed; nothing for any other.
    pub(crate) fn witness(&self, token: &str, am: &Issuer) -> Option<u64> {
        let token = self.keys.token(token);
        let home = self.homes.get(&token)?;
        (home == self.keys.am(am)).then(|| token.half())
    }

    /// Whether another AM has lately confirmed a token.
    pub(crate) fn is_at_home_elsewhere(&self, token: &str, am: &Issuer) -> bool {
        let home = self.homes.get(&self.keys.token(token));
        home.is_some_and(|home| home != self.keys.am(am))
    }

    /// Whether a token may cost another ticket: a loop of refused requests must not spend what others need.
    pub(crate) fn may_cost_a_ticket(&self, token: AnswerKey) -> Result<(), Duration> {
        let now = self.clock.monotonic();
        let bucket = self.tickets.get_with(token, || {
            Arc::new(Mutex::new(Bucket::full(TICKETS_OF_A_TOKEN, now)))
        });
        bucket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(now)
    }

    /// Forgets a token's answer, and that of a load in flight for it.
    pub(crate) fn forget(&self, key: &AnswerKey) {
        self.flights.forget(key, || {
            self.front.clear(key);
            self.active.invalidate(key);
            self.crowded.invalidate(key);
            self.inactive.invalidate(key);
        });
    }

    /// From now on, only what is asked anew counts for what is purged.
    pub(crate) fn purge(&self, purge: Purge) {
        // An answer lives no longer than the time to live behind its load, and a load no longer than its deadline: 60 s each.
        let keep = MAX_CACHE_TTL * 3;
        self.purges.add(purge, self.clock.monotonic(), keep);
    }
}

#[cfg(test)]
impl Answers {
    /// Has the caches do what they have put off.
    pub(crate) fn settle(&self) {
        self.active.run_pending_tasks();
        self.crowded.run_pending_tasks();
        self.inactive.run_pending_tasks();
        self.homes.run_pending_tasks();
    }

    /// How much an AM holds, and all together.
    pub(crate) fn held(&self, am: &crate::Am) -> (u64, u64) {
        self.active_shares.held(self.keys.am(am.issuer()))
    }

    /// How much is kept on active tokens.
    pub(crate) fn kept(&self) -> u64 {
        self.active.weighted_size()
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers")
            .field("active", &self.active.entry_count())
            .field("inactive", &self.inactive.entry_count())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod crowding;
#[cfg(test)]
mod forgetting;
#[cfg(test)]
mod moka_tests;
#[cfg(test)]
mod tests;
