//! Purging, apart from the engine.

use std::fmt;
use std::sync::Arc;

use crate::answers::{Answers, Purge};

/// Purges the cached answers of an [`Engine`](crate::Engine). It keeps neither the engine nor its maps alive.
#[derive(Clone)]
pub struct Purger {
    answers: Arc<Answers>,
}

impl Purger {
    pub(super) const fn new(answers: Arc<Answers>) -> Self {
        Self { answers }
    }

    /// As [`Engine::purge`](crate::Engine::purge).
    pub fn purge(&self, purge: Purge) {
        self.answers.purge(purge);
    }
}

impl fmt::Debug for Purger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Purger").finish_non_exhaustive()
    }
}
