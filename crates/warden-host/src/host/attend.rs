//! Keeping connections alive while nobody visits, and telling owners in time where that can't be done.

use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use uma_client::ErrorKind as UmaKind;

use super::Host;
use super::connect::time;
use crate::store::{Attention, Store as _};
use crate::{Error, ErrorKind, Notice, PatStrategy};

/// Connections that are read at once.
const MOST_READ: u32 = 256;
/// Connections that are looked at at once.
const MOST_AT_WORK: usize = 8;
/// Connections in one run; the rest is due in the next.
const MOST_IN_ALL: usize = 50_000;

/// What a look at the connections did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptAlive {
    /// Refresh tokens whose life was prolonged.
    pub renewed: usize,
    /// Owners who were told that their connection ends.
    pub warned: usize,
    /// Connections that have ended.
    pub ended: usize,
    /// Connections to be looked at later, for trouble with their AM.
    pub deferred: usize,
}

impl KeptAlive {
    fn count(&mut self, result: Result<Result<Attended, Error>, JoinError>) -> Result<(), Error> {
        match result {
            Ok(attended) => match attended? {
                Attended::Renewed => self.renewed += 1,
                Attended::Warned => self.warned += 1,
                Attended::Ended => self.ended += 1,
                Attended::Deferred => self.deferred += 1,
                Attended::Nothing => {}
            },
            Err(error) => {
                tracing::error!(error = %error, "looking at a connection ended in a panic");
            }
        }
        Ok(())
    }
}

/// What became of one connection.
enum Attended {
    Renewed,
    Warned,
    Ended,
    Deferred,
    Nothing,
}

impl Host {
    /// Looks at every connection that is due. What nobody visits costs its AM one renewal in each half of the refresh
    /// token's life, and nothing where it has no end.
    pub(super) async fn attend_once(&self) -> Result<KeptAlive, Error> {
        let inner = &self.inner;
        let mut kept = KeptAlive::default();
        let mut seen = 0;
        while seen < MOST_IN_ALL {
            let due = inner.store.attention_due(inner.now(), MOST_READ).await?;
            if due.is_empty() {
                break;
            }
            seen += due.len();
            let mut at_work: JoinSet<Result<Attended, Error>> = JoinSet::new();
            for attention in due {
                if at_work.len() >= MOST_AT_WORK
                    && let Some(result) = at_work.join_next().await
                {
                    kept.count(result)?;
                }
                let host = self.clone();
                at_work.spawn(async move { host.attend_to(&attention).await });
            }
            while let Some(result) = at_work.join_next().await {
                kept.count(result)?;
            }
        }
        Ok(kept)
    }

    async fn attend_to(&self, attention: &Attention) -> Result<Attended, Error> {
        let inner = &self.inner;
        let issuer = &attention.issuer;
        if self.leave_am(&attention.owner, issuer).await? {
            return Ok(Attended::Nothing);
        }
        let am = match inner.am(issuer).await {
            Ok(am) => am,
            Err(error) if error.kind() == ErrorKind::UnknownAm => {
                return self.done(attention, None, attention.warned).await;
            }
            Err(error) => return Err(error),
        };
        if am.setting.pat != PatStrategy::OwnerConsent {
            return self.done(attention, None, false).await;
        }
        let now = inner.now();
        if !inner.patience.is_over(issuer, inner.clock.monotonic()) {
            return self.later(attention, now).await;
        }
        let keeper = match inner.keeper(&attention.owner, &am).await {
            Ok(keeper) => keeper,
            Err(error) => return Err(super::am_trouble(am.name(), error)),
        };
        if !attention.prolongs && !attention.warned {
            return self.warn(attention, Some(attention.ends)).await;
        }
        let outcome = if attention.prolongs {
            keeper.keep_refresh_token_alive().await
        } else {
            // It ends now, unless the owner has come back; the last word is the AM's.
            keeper.pat().await.map(|_| None)
        };
        match outcome {
            Ok(next) => {
                let next = next
                    .and_then(|wait| i64::try_from(wait.as_secs()).ok())
                    .map(|wait| now.saturating_add(wait.max(1)));
                let renewed = !inner
                    .store
                    .attended(attention, next, attention.warned)
                    .await?;
                Ok(if renewed {
                    Attended::Renewed
                } else {
                    Attended::Nothing
                })
            }
            Err(error) if error.kind() == UmaKind::NeedsConsent => Ok(Attended::Ended),
            Err(error) => {
                tracing::info!(am = %issuer, error = %error, "a connection could not be kept alive yet");
                if matches!(
                    error.kind(),
                    UmaKind::Unreachable | UmaKind::Timeout | UmaKind::Unavailable
                ) {
                    let now = inner.clock.monotonic();
                    inner.patience.begin(issuer, now, error.retry_after());
                }
                self.later(attention, now).await
            }
        }
    }

    /// Looks again later; an owner whose connection comes near its end meanwhile is told.
    async fn later(&self, attention: &Attention, now: i64) -> Result<Attended, Error> {
        let left = attention.ends.saturating_sub(now);
        let life = attention.ends.saturating_sub(attention.issued);
        let next = now.saturating_add((left / 8).clamp(60, 3600));
        if left < life / 4 && !attention.warned {
            return self.warn(attention, Some(next)).await;
        }
        self.inner
            .store
            .attended(attention, Some(next), attention.warned)
            .await?;
        Ok(Attended::Deferred)
    }

    /// Tells the owner, once.
    async fn warn(&self, attention: &Attention, next: Option<i64>) -> Result<Attended, Error> {
        let inner = &self.inner;
        if !inner.store.attended(attention, next, true).await? {
            return Ok(Attended::Nothing);
        }
        let notice = Notice::ConsentEndsSoon {
            am: inner.ams.choice(&attention.issuer),
            ends: time(attention.ends),
        };
        inner.notify.tell(&attention.owner, notice);
        Ok(Attended::Warned)
    }

    async fn done(
        &self,
        attention: &Attention,
        next: Option<i64>,
        warned: bool,
    ) -> Result<Attended, Error> {
        self.inner.store.attended(attention, next, warned).await?;
        Ok(Attended::Nothing)
    }

    /// Looks at the connections at once, then every `every`.
    pub(super) async fn attend_for_ever(&self, every: Duration) {
        loop {
            let host = self.clone();
            if let Err(error) =
                super::carried_through(async move { host.attend_once().await }).await
            {
                tracing::warn!(error = %error, "connections could not be looked at; it will be tried again");
            }
            tokio::time::sleep(every).await;
        }
    }
}
