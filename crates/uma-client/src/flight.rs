//! Single flight: however many ask, one task works, and nobody who stops waiting stops or repeats it.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use tracing::instrument::WithSubscriber;

use crate::error::{Error, ErrorKind};

/// The task in flight, if any.
pub(crate) struct Flight<T>(Mutex<Option<Landing<T>>>);

/// Where the result of a flight will be.
pub(crate) struct Landing<T>(watch::Receiver<Option<Result<T, Error>>>);

impl<T> Clone for Landing<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// Joins the flight, or starts it as a task of its own.
    pub(crate) fn join<F>(&self, start: impl FnOnce() -> F) -> Landing<T>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(landing) = current.as_ref().filter(|landing| landing.is_pending()) {
            return landing.clone();
        }
        let (sender, receiver) = watch::channel(None);
        let work = start();
        tokio::spawn(
            async move {
                let result = work.await;
                sender.send_replace(Some(result));
            }
            .with_current_subscriber(),
        );
        let landing = Landing(receiver);
        *current = Some(landing.clone());
        landing
    }
}

impl<T: Clone> Landing<T> {
    fn is_pending(&self) -> bool {
        self.0.has_changed().is_ok() && self.0.borrow().is_none()
    }

    /// Waits for the result.
    pub(crate) async fn wait(mut self) -> Result<T, Error> {
        let landed = self
            .0
            .wait_for(Option::is_some)
            .await
            .map(|result| result.clone());
        match landed {
            Ok(Some(result)) => result,
            // The task was stopped with its runtime, or panicked.
            _ => Err(Error::new(
                ErrorKind::Unavailable,
                "the task that did the work is gone",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn one_works_for_all_and_survives_those_who_leave() {
        let flight = Flight::<u32>::default();
        let runs = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(Notify::new());
        let start = || {
            let (runs, gate) = (runs.clone(), gate.clone());
            async move {
                runs.fetch_add(1, Ordering::SeqCst);
                gate.notified().await;
                Ok(7)
            }
        };
        let first = flight.join(start);
        let second = flight.join(start);
        drop(first.wait());
        tokio::task::yield_now().await;
        gate.notify_one();
        assert_eq!(second.wait().await.unwrap(), 7);
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        gate.notify_one();
        assert_eq!(flight.join(start).wait().await.unwrap(), 7);
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_next_flight_starts() {
        let flight = Flight::<u32>::default();
        let landing = flight.join(|| async { panic!("on purpose") });
        assert_eq!(
            landing.wait().await.unwrap_err().kind(),
            ErrorKind::Unavailable
        );
        assert_eq!(flight.join(|| async { Ok(1) }).wait().await.unwrap(), 1);
    }
}
