//! Loads in flight: one per key, however many wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::{Answer, AnswerKey, PassThroughHasher};
use crate::gate::Barred;

pub(crate) type Outcome = Result<Arc<Answer>, Arc<Barred>>;

/// The table of loads in flight.
///
/// The cache is changed only under its lock (see [`Flights::land`] and [`Flights::forget`]), so that what was forgotten
/// while a load was in flight is not brought back by it.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<AnswerKey, Flight, PassThroughHasher>>);

#[derive(Debug)]
struct Flight {
    stamp: u64,
    outcome: watch::Sender<Option<Landed>>,
}

/// The end of a load.
#[derive(Debug, Clone)]
pub(crate) struct Landed {
    pub(crate) outcome: Outcome,
    /// Whether the load was forgotten meanwhile: what it brought may let a request in, and refuses none.
    pub(crate) forgotten: bool,
}

/// Whom the one who makes a load has to tell.
pub(super) type Teller = watch::Sender<Option<Landed>>;

/// Where requests wait for a load.
#[derive(Debug)]
pub(crate) struct Landing(watch::Receiver<Option<Landed>>);

impl Landing {
    /// Waits for the end of the load; `None` if it broke off, so that it has to be made again.
    pub(crate) async fn landed(mut self) -> Option<Landed> {
        let landed = self.0.wait_for(Option::is_some).await.ok()?;
        landed.clone()
    }
}

/// What [`Flights::enter`] found.
pub(super) enum Entered {
    Answer(Arc<Answer>),
    Joined(Landing),
    Began(Landing, Teller),
}

impl Flights {
    /// Finds an answer or a load that counts, else enters a new load with this stamp.
    pub(super) fn enter(
        &self,
        key: AnswerKey,
        fresh: impl FnOnce() -> Option<Arc<Answer>>,
        counts: impl FnOnce(u64) -> bool,
        stamp: impl FnOnce() -> u64,
    ) -> Entered {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = fresh() {
            return Entered::Answer(answer);
        }
        if let Some(flight) = flights.get(&key).filter(|flight| counts(flight.stamp)) {
            return Entered::Joined(Landing(flight.outcome.subscribe()));
        }
        let (outcome, landing) = watch::channel(None);
        let flight = Flight {
            stamp: stamp(),
            outcome: outcome.clone(),
        };
        flights.insert(key, flight);
        Entered::Began(Landing(landing), outcome)
    }

    /// Ends a load; what it brought is kept only if the load is still the one in the table.
    pub(super) fn land(
        &self,
        key: &AnswerKey,
        stamp: u64,
        outcome: Outcome,
        teller: &Teller,
        keep: impl FnOnce(&Arc<Answer>),
    ) {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = flights.get(key).is_some_and(|flight| flight.stamp == stamp);
        if current {
            flights.remove(key);
            if let Ok(answer) = &outcome {
                keep(answer);
            }
        }
        drop(flights);
        teller.send_replace(Some(Landed {
            outcome,
            forgotten: !current,
        }));
    }

    /// Takes a load that broke off out of the table.
    pub(super) fn abandon(&self, key: &AnswerKey, stamp: u64) {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if flights.get(key).is_some_and(|flight| flight.stamp == stamp) {
            flights.remove(key);
        }
    }

    /// Takes the load of a key out of the table, if there is one, and changes the cache along with it.
    pub(super) fn forget(&self, key: &AnswerKey, forget: impl FnOnce()) {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        flights.remove(key);
        forget();
    }
}
