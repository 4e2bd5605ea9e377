//! The outcome of judging a request.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::{Access, Mode, Outcome, Reason, Refusal};

/// What is to be done with a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// Not Warden's: pass it on as it is.
    Pass(Reason),
    /// Pass it on, with what Warden found out in its extensions.
    Allow(Access),
    /// Answer it with this.
    Refuse(Refusal),
}

impl Verdict {
    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Pass(reason) => *reason,
            Self::Allow(Access::Granted(grant)) if grant.is_open() => Reason::Open,
            Self::Allow(Access::Granted(_)) => Reason::Granted,
            Self::Allow(Access::Owner(_)) => Reason::Owner,
            Self::Allow(Access::Unmapped) => Reason::Unmapped,
            Self::Refuse(refusal) => refusal.reason(),
        }
    }

    /// What becomes of the request.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Pass(_) | Self::Allow(Access::Unmapped) => Outcome::Pass,
            Self::Allow(_) => Outcome::Allow,
            Self::Refuse(refusal) => refusal.outcome(),
        }
    }
}

/// A verdict that is there, or that an AM or a store has to be waited for.
///
/// It is a future, so that callers who do not mind waiting can await it.
pub struct Judgement {
    pub(crate) mode: Mode,
    pub(crate) state: State,
}

pub(crate) enum State {
    Ready(Option<Verdict>),
    Later(Pin<Box<dyn Future<Output = Verdict> + Send>>),
}

impl Judgement {
    /// The verdict, if it is there already.
    ///
    /// # Errors
    ///
    /// The judgement itself, if it has to be awaited.
    #[expect(clippy::result_large_err, reason = "both ways are the ordinary ones")]
    pub fn into_ready(self) -> Result<Verdict, Self> {
        match self.state {
            State::Ready(Some(verdict)) => Ok(verdict),
            state => Err(Self {
                mode: self.mode,
                state,
            }),
        }
    }

    /// The mode of the guard that covers the path.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }
}

impl Future for Judgement {
    type Output = Verdict;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Verdict> {
        match &mut self.state {
            State::Ready(verdict) => verdict.take().map_or(Poll::Pending, Poll::Ready),
            State::Later(later) => later.as_mut().poll(context),
        }
    }
}

impl fmt::Debug for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_tuple("Judgement");
        match &self.state {
            State::Ready(verdict) => out.field(verdict).finish(),
            State::Later(_) => out.finish_non_exhaustive(),
        }
    }
}
