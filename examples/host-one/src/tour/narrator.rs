//! Prints the exchanges of the tour, shortened and without secrets.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::header::{LOCATION, WARNING, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use uma_client::{Limits, ReqwestTransport, Transport, TransportError};

use crate::Failure;

/// Tells the story on stdout.
pub(crate) struct Narrator {
    verbose: bool,
    places: Mutex<Vec<(String, &'static str)>>,
    steps: Mutex<u32>,
}

impl Narrator {
    pub(crate) fn new(verbose: bool) -> Self {
        Self {
            verbose,
            places: Mutex::default(),
            steps: Mutex::new(0),
        }
    }

    /// Names a place, so that its addresses need not be shown.
    pub(crate) fn place(&self, base: &str, name: &'static str) {
        lock(&self.places).push((base.to_owned(), name));
    }

    /// Begins a step of the story.
    pub(super) fn step(&self, title: &str) {
        let mut steps = lock(&self.steps);
        *steps += 1;
        println!("\n{:>2}. {title}", *steps);
    }

    /// Says what a step has shown.
    pub(super) fn shown(&self, what: &str) {
        println!("    = {what}");
    }

    pub(crate) fn end(&self) {
        println!(
            "\nThe story went as it should, in {} steps.",
            *lock(&self.steps)
        );
    }

    pub(super) fn exchange(
        &self,
        from: &str,
        method: &str,
        url: &str,
        status: StatusCode,
        headers: &HeaderMap,
    ) {
        let (to, path) = self.shorten(url);
        println!("    {from:>8} -> {to:<5} {method:<6} {path}  =>  {status}");
        for name in [WWW_AUTHENTICATE, WARNING] {
            if let Some(value) = headers.get(&name).and_then(|value| value.to_str().ok()) {
                println!("{:24}{name}: {}", "", without_secrets(value));
            }
        }
        if self.verbose
            && let Some(value) = headers.get(LOCATION).and_then(|value| value.to_str().ok())
        {
            let (to, path) = self.shorten(value);
            println!("{:24}location: {to} {path}", "");
        }
    }

    /// The name of the place, and the path without the values of its query.
    fn shorten(&self, url: &str) -> (&'static str, String) {
        let places = lock(&self.places);
        let found = places.iter().find_map(|(base, name)| {
            let rest = url.strip_prefix(base.as_str())?;
            Some((*name, if rest.is_empty() { "/" } else { rest }))
        });
        let (name, rest) = found.unwrap_or(("", url));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let names: Vec<String> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, _)| format!("{name}=.."))
            .collect();
        let path = shorten_path(path);
        if names.is_empty() {
            (name, path)
        } else {
            (name, format!("{path}?{}", names.join("&")))
        }
    }
}

/// Long random segments say nothing to a reader.
fn shorten_path(path: &str) -> String {
    let segments: Vec<String> = path
        .split('/')
        .map(|segment| match segment.get(..6) {
            Some(head) if segment.len() > 20 && !segment.contains('-') => format!("{head}.."),
            _ => segment.to_owned(),
        })
        .collect();
    segments.join("/")
}

/// A challenge with its ticket cut short.
fn without_secrets(value: &str) -> String {
    match value.split_once("ticket=\"") {
        Some((before, rest)) => {
            let after = rest.split_once('"').map_or("", |(_, after)| after);
            format!("{before}ticket=\"..\"{after}")
        }
        None => value.to_owned(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The protocol's transport, with the narrator listening.
#[derive(Clone)]
pub(super) struct Overheard {
    speaker: &'static str,
    transport: ReqwestTransport,
    narrator: Arc<Narrator>,
}

impl Overheard {
    pub(super) fn new(
        speaker: &'static str,
        transport: ReqwestTransport,
        narrator: Arc<Narrator>,
    ) -> Self {
        Self {
            speaker,
            transport,
            narrator,
        }
    }
}

impl Transport for Overheard {
    async fn send(
        &self,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, TransportError> {
        let method = request.method().to_string();
        let url = request.uri().to_string();
        let response = self.transport.send(request, limits).await?;
        self.narrator.exchange(
            self.speaker,
            &method,
            &url,
            response.status(),
            response.headers(),
        );
        Ok(response)
    }
}

/// A step that did not go as it should.
pub(super) fn broken(what: impl Into<String>) -> Failure {
    what.into().into()
}
