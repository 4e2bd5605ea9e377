//! One renewal, as the task that all who wait share.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::flight::Landing;
use crate::ids::Pat;
use crate::pat::keeper::{Keeper, OPERATION, State};
use crate::pat::{PatGrant, PatState, StoredPat};

/// How long a failed renewal is remembered.
const FAILURE_LIFE: Duration = Duration::from_secs(1);

/// What a look into the store has come to.
enum Found {
    /// A PAT to be used.
    Good(Pat),
    /// What is to be renewed, if there is anything.
    ToRenew(Option<StoredPat>),
}

impl Keeper {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn recent_failure(&self, state: &State) -> Option<Error> {
        let (until, error) = state.failure.as_ref()?;
        (self.clock.monotonic() < *until).then(|| error.clone())
    }

    /// Joins the renewal in flight, or starts one.
    pub(super) fn renewal(self: &Arc<Self>) -> Landing<Pat> {
        self.flight.join(|| {
            let keeper = Arc::clone(self);
            async move { keeper.renew().await }
        })
    }

    async fn renew(&self) -> Result<Pat, Error> {
        let result = self.try_renew().await;
        let mut state = self.state();
        state.wanted = false;
        let Err(error) = result else {
            state.failure = None;
            return result;
        };
        if !error.is_transient() {
            return Err(error);
        }
        state.failure = self
            .clock
            .monotonic()
            .checked_add(FAILURE_LIFE)
            .map(|until| (until, error.clone()));
        state.living(self.clock.now()).ok_or(error)
    }

    async fn try_renew(&self) -> Result<Pat, Error> {
        self.save_unsaved().await?;
        let (generation, wanted) = {
            let state = self.state();
            (state.generation, state.wanted)
        };
        let mut held = match self.look_up(generation, wanted).await? {
            Found::Good(pat) => return Ok(pat),
            Found::ToRenew(held) => held,
        };
        let _claim = match self.store.claim_renewal_boxed().await {
            Ok(claim) if claim.is_contested() => {
                // Whoever had it before may have renewed.
                match self.look_up(generation, wanted).await? {
                    Found::Good(pat) => return Ok(pat),
                    Found::ToRenew(now) => held = now,
                }
                claim
            }
            Ok(claim) => claim,
            // Another node is at it, or the store is in trouble; what still lives serves meanwhile.
            Err(error) => return self.state().living(self.clock.now()).ok_or(error),
        };
        let tokens = match (self.grant, &held) {
            (PatGrant::ClientCredentials, _) => self.client.client_credentials().await?,
            (PatGrant::OwnerConsent, None) => {
                self.drop_current(generation);
                return Err(self.consent("there is no PAT"));
            }
            (PatGrant::OwnerConsent, Some(held)) => match &held.refresh_token {
                Some(refresh_token) => match self.client.refresh(refresh_token).await {
                    Err(error) if error.needs_consent() => {
                        return self.refused(held, generation, error).await;
                    }
                    tokens => tokens?,
                },
                None => return self.without_refresh(held, generation).await,
            },
        };
        if !self.client.profile().grants_pat(tokens.scope.as_deref()) {
            return Err(Error::new(
                ErrorKind::InsufficientScope,
                "the AM granted less than the scope of a PAT",
            ));
        }
        let mut renewed = StoredPat::from_tokens(&tokens, self.clock.now());
        if let (PatGrant::OwnerConsent, Some(held)) = (self.grant, &held) {
            if renewed.refresh_token.is_none() {
                renewed.refresh_token.clone_from(&held.refresh_token);
                renewed.refresh_expires_at = renewed.refresh_expires_at.or(held.refresh_expires_at);
            }
            match self.store.load_boxed().await {
                // A new consent, or another node was as quick.
                Ok(PatState::Held(other)) if other != *held => {
                    return Ok(self.adopt(generation, &other));
                }
                Ok(PatState::None) => {
                    self.drop_current(generation);
                    return Err(self.consent("the PAT was given up meanwhile"));
                }
                _ => {}
            }
        }
        {
            let mut state = self.state();
            if state.generation == generation {
                state.unsaved = Some(renewed);
            }
        }
        self.save_unsaved().await?;
        let current = self.state().current.as_ref().map(StoredPat::pat);
        current.ok_or_else(|| {
            Error::new(ErrorKind::Unavailable, "the PAT was given up meanwhile")
                .at(OPERATION, Some(self.client.issuer()))
        })
    }

    /// What is stored, and whether it is to be renewed; `wanted` says so though there is life left.
    async fn look_up(&self, generation: u64, wanted: bool) -> Result<Found, Error> {
        let held = match self.store.load_boxed().await {
            Ok(PatState::Held(held)) => held,
            Ok(PatState::None) => return Ok(Found::ToRenew(None)),
            Ok(PatState::NeedsConsent) if self.grant == PatGrant::ClientCredentials => {
                return Ok(Found::ToRenew(None));
            }
            Ok(PatState::NeedsConsent) => {
                self.drop_current(generation);
                return Err(self.consent("the store says so"));
            }
            // The store is in trouble; a living PAT needs no store.
            Err(error) => {
                let living = self.state().living(self.clock.now());
                return living.map(Found::Good).ok_or(error);
            }
        };
        let (is_dead, is_news) = {
            let state = self.state();
            let known = state.current.as_ref();
            (
                state.is_dead(&held),
                known.is_some_and(|known| *known != held),
            )
        };
        if !is_dead {
            let pat = self.adopt(generation, &held);
            // What another node has renewed is as good as what was wanted.
            if (!wanted || is_news) && !held.wants_renewal(self.clock.now()) {
                return Ok(Found::Good(pat));
            }
        }
        Ok(Found::ToRenew(Some(held)))
    }

    /// Makes a saved PAT the current one, unless a consent came between. Says which PAT counts.
    fn adopt(&self, generation: u64, pat: &StoredPat) -> Pat {
        let mut state = self.state();
        if state.generation != generation
            && let Some(current) = &state.current
        {
            return current.pat();
        }
        state.current = Some(pat.clone());
        pat.pat()
    }

    fn drop_current(&self, generation: u64) {
        let mut state = self.state();
        if state.generation == generation {
            state.current = None;
        }
    }

    /// Saves what the AM gave; only then it may be used.
    async fn save_unsaved(&self) -> Result<(), Error> {
        let _saving = self.saving.lock().await;
        let (unsaved, generation) = {
            let state = self.state();
            let Some(unsaved) = state.unsaved.clone() else {
                return Ok(());
            };
            (unsaved, state.generation)
        };
        match self.store.save_boxed(&unsaved).await {
            // What is there counts, and this will never be saved.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let mut state = self.state();
                if state.generation == generation {
                    state.unsaved = None;
                    state.current = None;
                }
                return Ok(());
            }
            saved => saved?,
        }
        let mut state = self.state();
        if state.generation == generation {
            state.unsaved = None;
            state.dead = None;
            state.current = Some(unsaved);
        }
        Ok(())
    }

    /// The AM no longer takes the refresh token.
    async fn refused(&self, held: &StoredPat, generation: u64, error: Error) -> Result<Pat, Error> {
        // Another node may have used it before, and have saved what came of it.
        if let Ok(PatState::Held(other)) = self.store.load_boxed().await
            && other.refresh_token != held.refresh_token
            && other.is_alive(self.clock.now())
            && !self.state().is_dead(&other)
        {
            return Ok(self.adopt(generation, &other));
        }
        self.give_up(generation).await;
        Err(error)
    }

    /// There is no refresh token: what lives is used until it dies.
    async fn without_refresh(&self, held: &StoredPat, generation: u64) -> Result<Pat, Error> {
        let usable = held.is_alive(self.clock.now()) && !self.state().is_dead(held);
        if usable {
            return Ok(held.pat());
        }
        self.give_up(generation).await;
        Err(self.consent("the PAT is dead and there is no refresh token"))
    }

    async fn give_up(&self, generation: u64) {
        let _saving = self.saving.lock().await;
        {
            let mut state = self.state();
            if state.generation != generation {
                return;
            }
            state.current = None;
        }
        if let Err(error) = self.store.needs_consent_boxed().await {
            tracing::warn!(am = %self.client.issuer(), %error, "cannot note that the owner has to consent again");
        }
    }

    fn consent(&self, why: &'static str) -> Error {
        Error::new(ErrorKind::NeedsConsent, why).at(OPERATION, Some(self.client.issuer()))
    }
}
