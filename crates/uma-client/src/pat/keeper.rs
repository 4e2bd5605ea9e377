use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use crate::client::AmClient;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::flight::Flight;
use crate::ids::Pat;
use crate::pat::{ErasedStore, PatGrant, PatState, PatStore, StoredPat, elapsed, less_left};
use crate::secret::Secret;

mod renewal;

const OPERATION: &str = "renew PAT";
/// How long a caller waits for a renewal while the old PAT still lives.
const PATIENCE: Duration = Duration::from_millis(500);

/// Keeps one owner's PAT at one AM alive. Cloning is cheap; clones share the PAT.
///
/// * However many callers wait, one task renews; a caller who stops waiting neither stops nor repeats it.
/// * A PAT is renewed when a call needs it and less than a fifth of its life is left. While it still lives, a renewal that
///   is slow or fails for a passing reason costs nothing: the living PAT is used.
/// * What the AM gives is saved before it is used. When saving fails it is kept, not used, and saved at the next call.
/// * A refresh token that the AM no longer takes is [`ErrorKind::NeedsConsent`], and noted in the store.
/// * Each renewal looks into the store first: another node may have renewed already.
///
/// ```no_run
/// # async fn example(am: uma_client::AmClient, id: uma_client::ResourceId) -> Result<(), uma_client::Error> {
/// use std::sync::Arc;
/// use uma_client::{MemoryPatStore, PatGrant, PatKeeper, SystemClock};
///
/// let keeper = PatKeeper::new(am.clone(), PatGrant::ClientCredentials, MemoryPatStore::new(), Arc::new(SystemClock::new()));
/// let resource = keeper.call(|pat| { let (am, id) = (am.clone(), id.clone()); async move { am.read_resource(&pat, &id).await } }).await?;
/// # let _ = resource;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PatKeeper(Arc<Keeper>);

struct Keeper {
    client: AmClient,
    grant: PatGrant,
    store: Box<dyn ErasedStore>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    flight: Flight<Pat>,
    /// Held while something is saved: a renewal must not overwrite a new consent.
    saving: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// Saved, to be used.
    current: Option<StoredPat>,
    /// From the AM, not yet saved, not to be used.
    unsaved: Option<StoredPat>,
    /// An access token that the AM called dead.
    dead: Option<Secret>,
    /// Renew though there is life left.
    wanted: bool,
    /// The last renewal failed, and until when that is remembered.
    failure: Option<(Instant, Error)>,
    /// Counts consents: a renewal that began before one does not count.
    generation: u64,
}

impl State {
    fn is_dead(&self, pat: &StoredPat) -> bool {
        self.dead.as_ref() == Some(&pat.access_token)
    }

    /// The current PAT, if it can be used at all.
    fn living(&self, now: SystemTime) -> Option<Pat> {
        let current = self.current.as_ref()?;
        (self.unsaved.is_none() && current.is_alive(now) && !self.is_dead(current))
            .then(|| current.pat())
    }
}

impl PatKeeper {
    /// A keeper for the PAT in `store`. Nothing is read or sent yet.
    pub fn new(
        client: AmClient,
        grant: PatGrant,
        store: impl PatStore,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Keeper {
            client,
            grant,
            store: Box::new(store),
            clock,
            state: Mutex::default(),
            flight: Flight::default(),
            saving: tokio::sync::Mutex::default(),
        }))
    }

    /// The client that renews.
    pub fn client(&self) -> &AmClient {
        &self.0.client
    }

    /// A PAT to call with, renewed if that is due.
    ///
    /// # Errors
    /// [`ErrorKind::NeedsConsent`] when only the owner can help; [`ErrorKind::Store`]; what a call to the AM may end with.
    pub async fn pat(&self) -> Result<Pat, Error> {
        let landing = {
            let state = self.0.state();
            let now = self.0.clock.now();
            let living = state.living(now);
            if let (Some(pat), Some(current)) = (&living, &state.current)
                && !current.wants_renewal(now)
                && !state.wanted
            {
                return Ok(pat.clone());
            }
            if let Some(error) = self.0.recent_failure(&state) {
                return living.ok_or(error);
            }
            self.0.renewal()
        };
        if let Ok(renewed) = tokio::time::timeout(PATIENCE, landing.clone().wait()).await {
            return renewed;
        }
        // The AM is slow; what still lives serves meanwhile.
        let living = self.0.state().living(self.0.clock.now());
        match living {
            Some(pat) => Ok(pat),
            None => landing.wait().await,
        }
    }

    /// Makes a call with a PAT. When the AM says that the PAT is dead it is renewed once (unless another caller has done
    /// that already) and the call is made once more.
    ///
    /// # Errors
    /// As [`pat`](Self::pat), and what the call ends with.
    pub async fn call<T, F, Fut>(&self, f: F) -> Result<T, Error>
    where
        F: Fn(Pat) -> Fut + Send,
        Fut: Future<Output = Result<T, Error>> + Send,
    {
        let pat = self.pat().await?;
        match f(pat.clone()).await {
            Err(error) if error.is_pat_dead() => {
                let renewed = self.after_death(&pat).await?;
                f(renewed).await
            }
            result => result,
        }
    }

    /// Takes a PAT that the owner has just consented to: saves it, and uses it from then on.
    ///
    /// # Errors
    /// [`ErrorKind::Store`] when it cannot be saved; then it is not used.
    pub async fn replace(&self, pat: StoredPat) -> Result<(), Error> {
        let _saving = self.0.saving.lock().await;
        self.0.store.save_boxed(&pat).await?;
        let mut state = self.0.state();
        let generation = state.generation.wrapping_add(1);
        *state = State {
            current: Some(pat),
            generation,
            ..State::default()
        };
        Ok(())
    }

    /// Forgets what is in memory, because the store was changed by somebody else: what is in the store now counts, and what
    /// a renewal in flight brings is thrown away. Does not touch the store.
    pub fn forget(&self) {
        let mut state = self.0.state();
        let generation = state.generation.wrapping_add(1);
        *state = State {
            generation,
            ..State::default()
        };
    }

    /// What there is, renewed or not.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub async fn state(&self) -> Result<PatState, Error> {
        if let Some(current) = &self.0.state().current {
            return Ok(PatState::Held(current.clone()));
        }
        self.0.store.load_boxed().await
    }

    /// For timers: renews when less than half of the *refresh token's* life is left, so that an owner whom nobody visits
    /// need not consent again. Returns after how long to look again; `None` when the refresh token has no date (or there is
    /// none), so that no timer is needed.
    ///
    /// # Errors
    /// As [`pat`](Self::pat).
    pub async fn keep_refresh_token_alive(&self) -> Result<Option<Duration>, Error> {
        if self.0.grant == PatGrant::ClientCredentials {
            return Ok(None);
        }
        let PatState::Held(held) = self.state().await? else {
            return Ok(None);
        };
        let (Some(end), Some(_)) = (held.refresh_expires_at, &held.refresh_token) else {
            return Ok(None);
        };
        let now = self.0.clock.now();
        if !less_left(held.issued_at, end, now, 2) {
            let half = elapsed(held.issued_at, end) / 2;
            return Ok(Some(elapsed(now, end).saturating_sub(half)));
        }
        let landing = {
            let mut state = self.0.state();
            if let Some(error) = self.0.recent_failure(&state) {
                return Err(error);
            }
            state.wanted = true;
            self.0.renewal()
        };
        landing.wait().await?;
        let PatState::Held(held) = self.state().await? else {
            return Ok(None);
        };
        // At least a second, so that an AM that shortens lives does not keep the timer busy.
        Ok(held.refresh_expires_at.map(|end| {
            let half = elapsed(held.issued_at, end) / 2;
            elapsed(self.0.clock.now(), end)
                .saturating_sub(half)
                .max(Duration::from_secs(1))
        }))
    }

    /// A PAT that is not `failed`.
    pub(super) async fn after_death(&self, failed: &Pat) -> Result<Pat, Error> {
        // Twice: the flight that is joined first may have begun before the death was known.
        for _ in 0..2 {
            let landing = {
                let mut state = self.0.state();
                let now = self.0.clock.now();
                match state.living(now) {
                    Some(pat) if pat != *failed => return Ok(pat),
                    _ => {}
                }
                state.dead = Some(failed.secret().clone());
                if let Some(error) = self.0.recent_failure(&state) {
                    return Err(error);
                }
                self.0.renewal()
            };
            let pat = landing.wait().await?;
            if pat != *failed {
                return Ok(pat);
            }
        }
        Err(
            Error::new(ErrorKind::PatDead, "the renewed PAT is dead as well")
                .at(OPERATION, Some(self.0.client.issuer())),
        )
    }
}

impl fmt::Debug for PatKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PatKeeper")
            .field("client", &self.0.client)
            .field("grant", &self.0.grant)
            .finish_non_exhaustive()
    }
}
