//! What all handlers share: the settings, the state behind its lock, the clock, the faults.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::builder::Personality;
use crate::error::Error;
use crate::faults::Faults;
use crate::persist::StateFile;
use crate::state::State;

pub(crate) struct Shared {
    /// The issuer, verbatim.
    pub(crate) issuer: String,
    /// The issuer without a trailing slash: what endpoint URLs begin with.
    pub(crate) base: String,
    /// The path of `base`: empty, or `/something`.
    pub(crate) prefix: String,
    /// True when the issuer is https, so that cookies are marked `Secure`.
    pub(crate) secure: bool,
    /// The name of the cookie of a signed-in person.
    pub(crate) session_cookie: String,
    /// What the pages call the AM.
    pub(crate) name: String,
    pub(crate) personality: Personality,
    pub(crate) token_ttl: Duration,
    pub(crate) ticket_ttl: Duration,
    pub(crate) poll_interval: Duration,
    pub(crate) resource_id_prefix: String,
    /// What secrets begin with.
    pub(crate) mark: String,
    /// Digest of the initial access token that dynamic registration needs.
    pub(crate) initial_access_token: Option<String>,
    pub(crate) file: Option<StateFile>,
    pub(crate) state: Mutex<State>,
    /// How far a script moved the clock.
    pub(crate) clock_offset_ms: AtomicI64,
    pub(crate) faults: Faults,
}

impl Shared {
    /// Unix milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        unix_ms(SystemTime::now()).saturating_add(self.clock_offset_ms.load(Ordering::Relaxed))
    }

    /// The URL of a path below the issuer; `path` begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The path of an AM page, for links and redirects within the AM.
    pub(crate) fn local(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    pub(crate) fn read<T>(&self, look: impl FnOnce(&State, i64) -> T) -> T {
        let now_ms = self.now_ms();
        look(&self.lock(), now_ms)
    }

    /// Changes the state. With a state file the change is on disk before this returns; when it can't be written, nothing has changed.
    pub(crate) fn change<T>(&self, act: impl FnOnce(&mut State, i64) -> T) -> Result<T, Error> {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let Some(file) = &self.file else {
            state.prune(now_ms);
            return Ok(act(&mut state, now_ms));
        };
        // The write blocks this thread for a moment: fine for one developer, and it keeps the order of changes.
        let mut next = state.clone();
        next.prune(now_ms);
        let result = act(&mut next, now_ms);
        file.write(&next)?;
        *state = next;
        Ok(result)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Unix milliseconds of a point in time; what lies outside of `i64` is cut.
pub(crate) fn unix_ms(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => millis(after),
        Err(before) => millis(before.duration()).saturating_neg(),
    }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
