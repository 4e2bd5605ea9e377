//! Hearing of changes before the next poll would.

use std::fmt;
use std::pin::Pin;

use crate::Error;

/// What a [`Listener`] hears.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// Something changed.
    Changed,
    /// The way to the store was cut off for a while: something may have been missed.
    Gap,
    /// A word of [`Store::said`](super::Store::said).
    Word(String),
}

/// Hears of changes as they are committed. Only a hint: what has changed, and whether, is to be read.
pub struct Listener {
    source: Box<dyn Hears>,
}

/// What a store hears with.
#[allow(dead_code, reason = "not every store has one")]
pub(crate) trait Hears: Send + 'static {
    /// Waits for the next. An error means that this listener is of no use any more. It is awaited to the end, never dropped
    /// half-way but with the listener.
    fn hear(&mut self) -> Pin<Box<dyn Future<Output = Result<Heard, Error>> + Send + '_>>;
}

impl Listener {
    #[allow(dead_code, reason = "not every store has one")]
    pub(crate) fn new(source: impl Hears) -> Self {
        Self {
            source: Box::new(source),
        }
    }

    /// Waits for the next.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) when this listener is of no use any more.
    pub async fn heard(&mut self) -> Result<Heard, Error> {
        self.source.hear().await
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}
