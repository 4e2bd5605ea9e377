//! What may be answered, and when.
//!
//! A handler may be reached for a path if at some instant between asking and answering the path may have been open, or
//! if at some instant of that time, or of the time for which answers are kept before it, the token may have been
//! permitted. Whatever is not known for sure (a call under way, a call that failed) counts as "may".

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{PATHS, PEOPLE};

/// An instant at which a handler was reached.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) path: usize,
    pub(crate) token: Option<Arc<str>>,
    pub(crate) let_in: bool,
    pub(crate) sent: Instant,
    pub(crate) received: Instant,
}

#[derive(Debug)]
struct Token {
    text: Arc<str>,
    resource: String,
    from: Instant,
    until: Option<Instant>,
}

#[derive(Debug, Default)]
struct Path {
    /// Since when it may be open, or can't be.
    may_be_open: Vec<(Instant, bool)>,
    /// Since when which resource it may be.
    resource: Vec<(Instant, Option<String>)>,
    tokens: Vec<Token>,
}

pub(crate) struct Model {
    uris: Vec<String>,
    paths: Vec<Mutex<Path>>,
    kept: Duration,
}

impl Model {
    pub(crate) fn new(kept: Duration) -> Self {
        let uri = |person| {
            PATHS
                .iter()
                .map(move |path| format!("/api/people/{person}/{path}"))
        };
        let uris: Vec<String> = PEOPLE.iter().flat_map(uri).collect();
        let now = Instant::now();
        let open = || Path {
            may_be_open: vec![(now, true)],
            ..Path::default()
        };
        Self {
            paths: uris.iter().map(|_| Mutex::new(open())).collect(),
            uris,
            kept,
        }
    }

    pub(crate) fn paths(&self) -> usize {
        self.uris.len()
    }

    pub(crate) fn uri(&self, path: usize) -> &str {
        &self.uris[path]
    }

    /// The newest token for a path.
    pub(crate) fn token(&self, path: usize) -> Option<Arc<str>> {
        self.older_token(path, 0)
    }

    /// The token that many before the newest.
    pub(crate) fn older_token(&self, path: usize, back: usize) -> Option<Arc<str>> {
        let path = self.paths[path].lock().unwrap();
        let token = path.tokens.iter().rev().nth(back)?;
        Some(Arc::clone(&token.text))
    }

    /// A stop begins, or a share is of unknown outcome: from now on it may be open, and may have any resource.
    pub(crate) fn may_open(&self, path: usize) {
        let mut path = self.paths[path].lock().unwrap();
        let now = Instant::now();
        path.may_be_open.push((now, true));
        path.resource.push((now, None));
    }

    /// A share has succeeded on all nodes, at this instant.
    pub(crate) fn closed(&self, path: usize, at: Instant) {
        self.paths[path]
            .lock()
            .unwrap()
            .may_be_open
            .push((at, false));
    }

    /// The resource that a path is, since an instant.
    pub(crate) fn is(&self, path: usize, resource: &str, since: Instant) {
        let mut path = self.paths[path].lock().unwrap();
        path.resource.push((since, Some(resource.to_owned())));
    }

    /// A token for a resource is about to be given out.
    pub(crate) fn gives(&self, path: usize, token: &str, resource: &str, from: Instant) {
        self.paths[path].lock().unwrap().tokens.push(Token {
            text: token.into(),
            resource: resource.to_owned(),
            from,
            until: None,
        });
    }

    /// The AM has revoked a token, at this instant at the latest.
    pub(crate) fn revoked(&self, path: usize, token: &str, at: Instant) {
        let mut path = self.paths[path].lock().unwrap();
        let token = path.tokens.iter_mut().find(|known| *known.text == *token);
        token.unwrap().until = Some(at);
    }

    /// What was answered though nothing permits it.
    pub(crate) fn judge<'a>(&self, hits: &'a [Hit]) -> Vec<&'a Hit> {
        hits.iter().filter(|hit| !self.permits(hit)).collect()
    }

    fn permits(&self, hit: &Hit) -> bool {
        let path = self.paths[hit.path].lock().unwrap();
        // Open, the host's own rules refuse whoever is not the owner.
        if !hit.let_in {
            return path.held(&path.may_be_open, hit.sent, hit.received, |open| *open);
        }
        let known = |token: &&Token| Some(&token.text) == hit.token.as_ref();
        let Some(token) = path.tokens.iter().find(known) else {
            return false;
        };
        // An answer may have been kept, but not from before the token was, nor longer than answers are kept.
        let until = token.until.map_or(hit.received, |until| until + self.kept);
        let (from, to) = (hit.sent.max(token.from), hit.received.min(until));
        from <= to
            && path.held(&path.resource, from, to, |resource| {
                resource
                    .as_deref()
                    .is_none_or(|resource| resource == token.resource)
            })
    }
}

impl Path {
    /// Whether something was so at some instant of a span.
    fn held<T>(
        &self,
        events: &[(Instant, T)],
        from: Instant,
        to: Instant,
        is: impl Fn(&T) -> bool,
    ) -> bool {
        events.iter().enumerate().any(|(number, (since, value))| {
            let until = events.get(number + 1).map(|(until, _)| *until);
            is(value) && *since <= to && until.is_none_or(|until| until >= from)
        })
    }
}

#[test]
fn the_model_forbids() {
    let model = Model::new(Duration::from_secs(2));
    let zero = Instant::now() + Duration::from_secs(10);
    let at = |seconds: u64| zero + Duration::from_secs(seconds);
    let hit = |second, let_in, token: Option<&str>| Hit {
        path: 0,
        token: token.map(Into::into),
        let_in,
        sent: at(second),
        received: at(second),
    };
    model.closed(0, at(1));
    model.is(0, "r", at(1));
    model.gives(0, "rpt", "r", at(2));
    model.revoked(0, "rpt", at(4));
    let forbidden = |hit: Hit| !model.judge(&[hit]).is_empty();
    assert!(!forbidden(hit(0, false, None)));
    assert!(
        forbidden(hit(2, false, None)),
        "it was refused everywhere by then"
    );
    assert!(
        forbidden(hit(0, true, None)),
        "nobody gets in without a token"
    );
    assert!(!forbidden(hit(3, true, Some("rpt"))));
    assert!(!forbidden(hit(6, true, Some("rpt"))), "kept");
    assert!(forbidden(hit(7, true, Some("rpt"))), "kept too long");
    assert!(forbidden(hit(1, true, Some("rpt"))), "before there was one");
    assert!(forbidden(hit(3, true, Some("another"))));
    model.is(0, "s", at(5));
    assert!(
        forbidden(hit(6, true, Some("rpt"))),
        "another resource by now"
    );
}
