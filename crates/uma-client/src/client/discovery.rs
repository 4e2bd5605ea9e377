//! Metadata: fetched once for all who wait, fresh by the AM's word, the last good copy kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::answer::{self, Credential};
use crate::client::{Endpoints, Shared, request, with_body};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::flight::Flight;
use crate::wire::Metadata;

const OPERATION: &str = "GET metadata";
/// Life of an answer that does not say how long it lives, or that forbids to store it.
const DEFAULT_LIFE: Duration = Duration::from_secs(3600);
/// Bounds of a stated life: no storm of fetches, and no address kept for ever.
const MIN_LIFE: Duration = Duration::from_secs(10);
const MAX_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Metadata of this age are fetched anew when an endpoint answers 404.
const DOUBTABLE_AGE: Duration = Duration::from_secs(60);
/// How long a failure is remembered.
const FAILURE_LIFE: Duration = Duration::from_secs(1);

/// Checked metadata.
#[derive(Debug)]
pub(crate) struct Discovered {
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) endpoints: Endpoints,
}

pub(crate) struct Discovery {
    state: Mutex<State>,
    flight: Flight<Arc<Discovered>>,
}

#[derive(Default)]
struct State {
    good: Option<Good>,
    failure: Option<(Instant, Error)>,
}

struct Good {
    discovered: Arc<Discovered>,
    fetched_at: Instant,
    /// `None`: to be fetched anew.
    fresh_until: Option<Instant>,
}

impl Discovery {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::default(),
            flight: Flight::default(),
        }
    }

    pub(crate) fn expire(&self, clock: &dyn Clock) {
        let now = clock.monotonic();
        let mut state = self.state();
        if let Some(good) = &mut state.good {
            good.fresh_until = None;
        }
        if state
            .failure
            .as_ref()
            .is_some_and(|(until, _)| *until <= now)
        {
            state.failure = None;
        }
    }

    /// An endpoint is not there: perhaps it moved. What was fetched just now is believed.
    pub(crate) fn doubt(&self, clock: &dyn Clock) {
        let mut state = self.state();
        if let Some(good) = &mut state.good
            && clock.monotonic().saturating_duration_since(good.fetched_at) > DOUBTABLE_AGE
        {
            good.fresh_until = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn discovered(shared: &Arc<Shared>) -> Result<Arc<Discovered>, Error> {
    let (last_good, landing) = {
        let state = shared.discovery.state();
        let now = shared.clock.monotonic();
        let last_good = state.good.as_ref().map(|good| Arc::clone(&good.discovered));
        let is_fresh = |good: &Good| good.fresh_until.is_some_and(|until| now < until);
        match (&last_good, &state.failure) {
            (Some(good), _) if state.good.as_ref().is_some_and(is_fresh) => {
                return Ok(Arc::clone(good));
            }
            (Some(good), Some((until, _))) if now < *until => return Ok(Arc::clone(good)),
            (None, Some((until, error))) if now < *until => return Err(error.clone()),
            _ => {}
        }
        let landing = shared.discovery.flight.join(|| renew(Arc::clone(shared)));
        (last_good, landing)
    };
    match last_good {
        // The fetch goes on by itself.
        Some(good) => Ok(good),
        None => landing.wait().await,
    }
}

async fn renew(shared: Arc<Shared>) -> Result<Arc<Discovered>, Error> {
    let fetched = fetch(&shared)
        .await
        .map_err(|error| error.at(OPERATION, Some(&shared.issuer)));
    let now = shared.clock.monotonic();
    let mut state = shared.discovery.state();
    match fetched {
        Ok((discovered, life)) => {
            let discovered = Arc::new(discovered);
            state.failure = None;
            state.good = Some(Good {
                discovered: Arc::clone(&discovered),
                fetched_at: now,
                fresh_until: now.checked_add(life),
            });
            Ok(discovered)
        }
        Err(error) => {
            tracing::warn!(am = %shared.issuer, kind = ?error.kind(), "metadata of the AM cannot be had");
            if error.kind() == ErrorKind::IssuerMismatch {
                // Whoever answers there now, it is not this AM.
                state.good = None;
            }
            state.failure = now
                .checked_add(FAILURE_LIFE)
                .map(|until| (until, error.clone()));
            Err(error)
        }
    }
}

async fn fetch(shared: &Shared) -> Result<(Discovered, Duration), Error> {
    let settings = &shared.settings;
    let mut urls = settings
        .dialect
        .metadata_urls(
            &shared.issuer,
            settings.discovery_url.as_ref(),
            &settings.profile,
        )?
        .into_iter();
    let first = urls
        .next()
        .ok_or_else(|| Error::new(ErrorKind::Config, "the profile names no metadata document"))?;
    let (mut metadata, life) = fetch_one(shared, &first).await?;
    for url in urls {
        let (more, _) = fetch_one(shared, &url).await?;
        metadata.fill_from(more);
    }
    let endpoints = Endpoints::vet(
        settings.dialect,
        &metadata,
        &shared.issuer,
        settings.allow_http,
        settings.same_origin,
    )?;
    let discovered = Discovered {
        metadata: Arc::new(metadata),
        endpoints,
    };
    Ok((discovered, life))
}

async fn fetch_one(shared: &Shared, url: &Url) -> Result<(Metadata, Duration), Error> {
    let settings = &shared.settings;
    let request = with_body(request(Method::GET, url), Bytes::new())?;
    let response = shared.send(OPERATION, request, settings.long).await?;
    if response.status() != StatusCode::OK {
        return Err(answer::refusal(
            &settings.profile,
            Credential::Other,
            &response,
        ));
    }
    let metadata = settings.dialect.read_metadata(&response)?;
    if metadata.issuer != shared.issuer.as_str() {
        return Err(Error::new(
            ErrorKind::IssuerMismatch,
            "member `issuer` is not the issuer that was asked",
        ));
    }
    Ok((metadata, life(response.headers())))
}

/// The life that `Cache-Control` gives (RFC 9111 section 5.2.2).
fn life(headers: &HeaderMap) -> Duration {
    let mut stated = None;
    let values = headers
        .get_all(CACHE_CONTROL)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    for directive in values.flat_map(|value| value.split(',')) {
        let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return DEFAULT_LIFE,
            "max-age" if stated.is_none() => {
                stated = argument.trim().trim_matches('"').parse().ok();
            }
            _ => {}
        }
    }
    stated.map_or(DEFAULT_LIFE, |seconds| {
        Duration::from_secs(seconds).clamp(MIN_LIFE, MAX_LIFE)
    })
}

#[cfg(test)]
mod tests;
