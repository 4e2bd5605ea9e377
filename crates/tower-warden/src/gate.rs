//! The gate before each AM: what reaches it, how much at once, and for how long.

mod breaker;
mod bucket;
mod fair;
mod gates;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use uma_client::Clock;

use breaker::{Breaker, Failure};
pub(crate) use bucket::Bucket;
use fair::FairBucket;
pub(crate) use gates::Gates;

use crate::{OwnerId, ProtectionError, ProtectionErrorKind, meter};

/// What one AM may be asked. All limits hold for each AM by itself.
///
/// ```
/// use std::time::Duration;
/// use tower_warden::GateLimits;
///
/// let limits = GateLimits::default().with_concurrency(16).with_deadline(Duration::from_secs(1));
/// # let _ = limits;
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GateLimits {
    deadline: Duration,
    concurrency: usize,
    queue: Duration,
    new_tokens: Rate,
    tickets: Rate,
    anonymous_tickets: Rate,
}

/// How often something may happen: so many in a second, and so many at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    per_second: f64,
    burst: f64,
}

impl Rate {
    /// A rate of `per_second` with bursts of up to `burst`.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        // A burst of less than one would never let anything happen.
        let burst = burst.max(u32::from(per_second > 0));
        Self::of(f64::from(per_second), f64::from(burst))
    }

    pub(crate) const fn of(per_second: f64, burst: f64) -> Self {
        Self { per_second, burst }
    }
}

impl Default for GateLimits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(3),
            concurrency: 64,
            queue: Duration::from_millis(100),
            new_tokens: Rate::new(200, 400),
            tickets: Rate::new(200, 400),
            anonymous_tickets: Rate::new(200, 400),
        }
    }
}

impl GateLimits {
    /// How long all AM work of one request, or looking up its maps, may take together; 3 s by default, at most 60 s.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.min(Duration::from_secs(60));
        self
    }

    /// How many calls may be under way at once; 64 by default, at least 1.
    #[must_use]
    pub fn with_concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// How long a call may wait for its turn; 100 ms by default.
    #[must_use]
    pub fn with_queue(mut self, wait: Duration) -> Self {
        self.queue = wait;
        self
    }

    /// How many tokens may be asked about that turn out not to be active; 200 a second, 400 at once by default.
    #[must_use]
    pub fn with_new_tokens(mut self, rate: Rate) -> Self {
        self.new_tokens = rate;
        self
    }

    /// How many tickets may be asked for by requests with a confirmed token; 200 a second, 400 at once by default.
    #[must_use]
    pub fn with_tickets(mut self, rate: Rate) -> Self {
        self.tickets = rate;
        self
    }

    /// How many tickets may be asked for by all other requests; 200 a second, 400 at once by default.
    #[must_use]
    pub fn with_anonymous_tickets(mut self, rate: Rate) -> Self {
        self.anonymous_tickets = rate;
        self
    }

    pub(crate) const fn deadline(&self) -> Duration {
        self.deadline
    }
}

/// Why a call did not get an answer.
#[derive(Debug)]
pub(crate) enum Barred {
    /// A budget is spent, or no turn came in time.
    Busy(Duration),
    /// The AM failed lately and is left alone for a while.
    Open(Duration),
    /// The deadline passed.
    Late,
    /// The AM was asked, and failed.
    Failed(ProtectionError),
}

impl Barred {
    /// When it makes sense to try again.
    pub(crate) fn retry_after(&self) -> Duration {
        self.known_retry_after().unwrap_or(Duration::from_secs(1))
    }

    /// When it makes sense to try again, where that is known.
    pub(crate) fn known_retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy(after) | Self::Open(after) => Some(*after),
            Self::Late => None,
            Self::Failed(error) => error.retry_after(),
        }
    }
}

/// Whose budget a ticket is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TicketFor {
    Confirmed,
    Anonymous,
}

/// The gate before one AM.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: GateLimits,
    /// The AM in metrics.
    label: Arc<str>,
    turns: Semaphore,
    /// Half of the turns, for what nobody has vouched for: the other half is left to those who are in.
    strangers: Semaphore,
    breaker: Mutex<Breaker>,
    new_tokens: Mutex<Bucket>,
    tickets: Mutex<FairBucket>,
    anonymous_tickets: Mutex<FairBucket>,
    clock: Arc<dyn Clock>,
}

impl Gate {
    fn new(label: Arc<str>, limits: GateLimits, clock: Arc<dyn Clock>) -> Self {
        let now = clock.monotonic();
        let fair = |rate| Mutex::new(FairBucket::full(rate, now));
        Self {
            label,
            turns: Semaphore::new(limits.concurrency),
            strangers: Semaphore::new((limits.concurrency / 2).max(1)),
            breaker: Mutex::new(Breaker::default()),
            new_tokens: Mutex::new(Bucket::full(limits.new_tokens, now)),
            tickets: fair(limits.tickets),
            anonymous_tickets: fair(limits.anonymous_tickets),
            limits,
            clock,
        }
    }

    /// Asks about a token; `witness` tells tokens apart that the AM has lately confirmed. Any other takes a unit from the
    /// budget; it comes back if `confirmed` says that the answer was good, or if the token can't have been what the AM failed
    /// on, which the breaker bounds.
    pub(crate) async fn verify<T>(
        &self,
        witness: Option<u64>,
        deadline: Instant,
        confirmed: impl FnOnce(&T) -> bool,
        ask: impl Future<Output = Result<T, ProtectionError>>,
    ) -> Result<T, Barred> {
        let known = witness.is_some();
        let take = |now| {
            if known {
                Ok(())
            } else {
                lock(&self.new_tokens).take(now)
            }
        };
        let caller = Caller { known, witness };
        let answer = self
            .pass("introspection", caller, take, deadline, ask)
            .await;
        let back = match &answer {
            Ok(answer) => confirmed(answer),
            Err(Barred::Failed(error)) => matches!(
                error.kind(),
                ProtectionErrorKind::Unreachable | ProtectionErrorKind::Busy
            ),
            // Of what is busy or left alone, nothing was taken.
            Err(Barred::Late | Barred::Busy(_) | Barred::Open(_)) => false,
        };
        if back && !known {
            lock(&self.new_tokens).give_back();
        }
        answer
    }

    /// Asks for a ticket; `witness` tells owners apart.
    pub(crate) async fn ticket<T>(
        &self,
        budget: TicketFor,
        owner: &OwnerId,
        witness: u64,
        deadline: Instant,
        ask: impl Future<Output = Result<T, ProtectionError>>,
    ) -> Result<T, Barred> {
        let bucket = match budget {
            TicketFor::Confirmed => &self.tickets,
            TicketFor::Anonymous => &self.anonymous_tickets,
        };
        let take = |now| lock(bucket).take(owner, now);
        let caller = Caller {
            known: budget == TicketFor::Confirmed,
            witness: Some(witness),
        };
        self.pass("permission", caller, take, deadline, ask).await
    }

    async fn pass<T>(
        &self,
        endpoint: &'static str,
        caller: Caller,
        take: impl FnOnce(Instant) -> Result<(), Duration>,
        deadline: Instant,
        ask: impl Future<Output = Result<T, ProtectionError>>,
    ) -> Result<T, Barred> {
        let left = |now| deadline.saturating_duration_since(now);
        let wait = self.limits.queue.min(left(self.clock.monotonic()));
        let stranger = if caller.known {
            None
        } else {
            Some(turn(&self.strangers, wait).await?)
        };
        let turn = turn(&self.turns, wait).await?;
        // Only now that the turn has come: what waits must neither hold units that others could use, nor go on to an AM
        // that was found dead meanwhile.
        let now = self.clock.monotonic();
        let entry = lock(&self.breaker)
            .enter(now, caller.witness)
            .map_err(Barred::Open)?;
        let mut trial = Trial {
            gate: self,
            entry: Some(entry),
        };
        take(now).map_err(Barred::Busy)?;
        let outcome = timeout(left(self.clock.monotonic()), ask).await;
        drop((turn, stranger));
        let ended = self.clock.monotonic();
        let mut breaker = lock(&self.breaker);
        trial.entry = None;
        let perhaps = Failure::Perhaps {
            witness: caller.witness,
        };
        let answer = match outcome {
            Ok(Ok(answer)) => {
                breaker.succeed();
                Ok(answer)
            }
            Ok(Err(error)) => {
                use ProtectionErrorKind as Kind;
                let after = error.retry_after();
                match error.kind() {
                    Kind::Unreachable | Kind::Busy => {
                        breaker.fail(entry, ended, Failure::Certain, after);
                    }
                    Kind::Am => breaker.fail(entry, ended, perhaps, after),
                    // The AM answered.
                    Kind::Refused | Kind::Unregistered => breaker.succeed(),
                    // It may not have been asked at all.
                    Kind::Pat | Kind::Host => breaker.leave(entry),
                }
                Err(Barred::Failed(error))
            }
            Err(_) => {
                breaker.fail(entry, ended, perhaps, None);
                Err(Barred::Late)
            }
        };
        let state = breaker.state(ended);
        // The recorder is the host's: not to be called under a lock.
        drop(breaker);
        let outcome = if answer.is_ok() { "ok" } else { "error" };
        let elapsed = ended.saturating_duration_since(now);
        meter::am_call(&self.label, endpoint, outcome, elapsed);
        meter::circuit(&self.label, state);
        answer
    }
}

/// Who has the AM asked.
#[derive(Debug, Clone, Copy)]
struct Caller {
    /// Whether the AM has lately confirmed the token of the request.
    known: bool,
    /// To whom a failure is put down, if not to a stranger.
    witness: Option<u64>,
}

/// A call on its way; dropped before its end, it leaves the breaker as it was.
struct Trial<'a> {
    gate: &'a Gate,
    entry: Option<breaker::Entry>,
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            lock(&self.gate.breaker).leave(entry);
        }
    }
}

async fn turn(turns: &Semaphore, wait: Duration) -> Result<SemaphorePermit<'_>, Barred> {
    if let Ok(turn) = turns.try_acquire() {
        return Ok(turn);
    }
    match timeout(wait, turns.acquire()).await {
        Ok(Ok(turn)) => Ok(turn),
        _ => Err(Barred::Busy(Duration::from_secs(1))),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod blame;
#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod tests;
