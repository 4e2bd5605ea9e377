//! Hearing what is told.

use std::pin::Pin;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use super::connecting::ACQUIRE;
use super::telling::CHANNEL;
use crate::Error;
use crate::store::listener::Hears;
use crate::store::{Heard, Listener, OrStore as _};

/// Begins to hear, on a connection of its own.
pub(super) async fn listen(options: PgConnectOptions) -> Result<Listener, Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&pool).await.or_store()?;
    listener.listen(CHANNEL).await.or_store()?;
    Ok(Listener::new(Ear(listener)))
}

struct Ear(PgListener);

impl Hears for Ear {
    fn hear(&mut self) -> Pin<Box<dyn Future<Output = Result<Heard, Error>> + Send + '_>> {
        Box::pin(async {
            // Not `recv`: it connects again by itself, and does not say what it may have missed.
            let heard = self.0.try_recv().await.or_store()?;
            Ok(match heard {
                None => Heard::Gap,
                Some(told) if told.payload().is_empty() => Heard::Changed,
                Some(told) => Heard::Word(told.payload().to_owned()),
            })
        })
    }
}
