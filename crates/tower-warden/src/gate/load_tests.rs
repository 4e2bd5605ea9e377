//! What reaches an AM when very many ask at once, and how long a request may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use uma_client::{Clock, PermissionOutcome, Ticket};

use crate::fake::*;
use crate::*;

/// The clock of tokio, which goes only while nothing else does once it is paused.
struct TokioClock(tokio::time::Instant);

impl Clock for TokioClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW) + self.0.elapsed()
    }

    fn monotonic(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// An AM to which every token is good, or none; it takes its time, and counts how many ask at once.
#[derive(Clone)]
struct Busy(Arc<Counts>);

struct Counts {
    good: bool,
    takes: Duration,
    verified: AtomicUsize,
    tickets: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Busy {
    fn new(good: bool, takes: Duration) -> Self {
        Self(Arc::new(Counts {
            good,
            takes,
            verified: AtomicUsize::new(0),
            tickets: AtomicUsize::new(0),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }))
    }

    async fn work(&self, count: &AtomicUsize) -> usize {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let now = self.0.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(now, Ordering::SeqCst);
        if self.0.takes.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(self.0.takes).await;
        }
        self.0.now.fetch_sub(1, Ordering::SeqCst);
        number
    }

    fn verified(&self) -> usize {
        self.0.verified.load(Ordering::SeqCst)
    }

    fn tickets(&self) -> usize {
        self.0.tickets.load(Ordering::SeqCst)
    }

    fn most(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }
}

impl Protection for Busy {
    async fn verify(&self, _: &Requirements, _: &Rpt) -> Result<Evidence, ProtectionError> {
        self.work(&self.0.verified).await;
        Ok(if self.0.good {
            Evidence::Active(token_for("/api/mapped", &["view"]))
        } else {
            Evidence::Inactive
        })
    }

    async fn request_permission(
        &self,
        _: &Requirements,
    ) -> Result<PermissionOutcome, ProtectionError> {
        let number = self.work(&self.0.tickets).await;
        let ticket = Ticket::parse(&format!("ticket-{number}"));
        Ok(PermissionOutcome::Ticket(ticket.unwrap()))
    }
}

fn app(am: &Busy, limits: GateLimits) -> App {
    let world = World::new();
    let clock = Arc::new(TokioClock(tokio::time::Instant::now()));
    let builder = world.builder().protection(am.clone()).clock(clock);
    world.serve(&builder.gate(limits).build().unwrap())
}

/// Sends requests at once, one for each token; gives the answers in order.
async fn at_once(app: &App, tokens: impl Iterator<Item = Option<String>>) -> Vec<Answered> {
    let requests: Vec<_> = tokens
        .map(|token| {
            let app = app.clone();
            tokio::spawn(async move {
                match token {
                    Some(token) => app.call("GET", "/api/mapped", &token).await,
                    None => app.get("/api/mapped").await,
                }
            })
        })
        .collect();
    let mut answers = Vec::new();
    for request in requests {
        answers.push(request.await.unwrap());
    }
    answers
}

fn tokens(kind: &str, count: usize) -> impl Iterator<Item = Option<String>> {
    (0..count).map(move |number| Some(format!("{kind}{number}")))
}

#[test]
fn the_limits_are_those_that_are_documented() {
    let rate = || Rate::new(200, 400);
    let documented = GateLimits::default()
        .with_deadline(Duration::from_secs(3))
        .with_concurrency(64)
        .with_queue(Duration::from_millis(100))
        .with_new_tokens(rate())
        .with_tickets(rate())
        .with_anonymous_tickets(rate());
    assert_eq!(GateLimits::default(), documented);
    let bounded = documented
        .with_deadline(Duration::from_secs(3600))
        .with_concurrency(0);
    let bounds = documented
        .with_deadline(Duration::from_secs(60))
        .with_concurrency(1);
    assert_eq!(bounded, bounds);
    assert_eq!(Rate::new(1, 0), Rate::new(1, 1));
    assert_ne!(Rate::new(0, 0), Rate::new(0, 1));
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_random_tokens_cost_no_more_than_the_gate_allows() {
    let am = Busy::new(false, Duration::ZERO);
    let app = app(&am, GateLimits::default());
    let answers = at_once(&app, tokens("random", 10_000)).await;
    // Not a moment passes: the burst is all that there is.
    assert_eq!(am.verified(), 400);
    assert!(am.tickets() <= 400, "{}", am.tickets());
    assert!(am.most() <= 64, "{}", am.most());
    for answer in &answers {
        assert!(!answer.by_handler);
        assert!(matches!(answer.status, 401 | 403 | 503));
        if answer.status != 401 {
            assert!(answer.header("warning").is_some());
            assert!(answer.header("retry-after").is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_with_ten_thousand_good_tokens_is_bounded_by_concurrency_alone() {
    let am = Busy::new(true, Duration::ZERO);
    let app = app(&am, GateLimits::default());
    for answer in at_once(&app, tokens("good", 10_000)).await {
        assert_eq!(answer.status, 200);
    }
    assert_eq!(am.verified(), 10_000);
    // Nobody has vouched for them yet: they get half of the turns, and use all of these.
    assert_eq!(am.most(), 32);
}

#[tokio::test(start_paused = true)]
async fn tickets_asked_for_at_once_are_as_many_as_the_requests() {
    let am = Busy::new(true, Duration::ZERO);
    let app = app(&am, GateLimits::default());
    let answers = at_once(&app, (0..100).map(|_| None)).await;
    let tickets: std::collections::BTreeSet<_> = answers
        .iter()
        .map(|answer| answer.ticket().unwrap())
        .collect();
    assert_eq!((tickets.len(), am.tickets()), (100, 100));
}

#[tokio::test(start_paused = true)]
async fn all_that_a_request_asks_an_am_shares_one_deadline() {
    let am = Busy::new(false, Duration::from_secs(2));
    let app = app(&am, GateLimits::default());
    let begun = tokio::time::Instant::now();
    let late = app.call("GET", "/api/mapped", "unknown").await;
    // Two seconds for the token; the ticket would take two more, and gets one.
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    assert_eq!((late.status, am.verified(), am.tickets()), (403, 1, 1));
    assert!(late.header("www-authenticate").is_none());
}

#[tokio::test(start_paused = true)]
async fn no_one_queues_longer_than_the_gate_says() {
    let am = Busy::new(true, Duration::from_millis(2500));
    let app = app(&am, GateLimits::default().with_concurrency(2));
    let first = tokio::spawn({
        let app = app.clone();
        async move { app.call("GET", "/api/mapped", "first").await.status }
    });
    until(|| am.verified() == 1).await;
    let begun = tokio::time::Instant::now();
    let second = app.call("GET", "/api/mapped", "second").await;
    assert_eq!(begun.elapsed(), Duration::from_millis(100));
    assert_eq!((second.status, second.reason().as_str()), (503, "am_busy"));
    assert_eq!(first.await.unwrap(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_flood_at_one_am_leaves_another_alone() {
    let world = World::new();
    let other = am("https://other.example");
    world.maps.insert(map_at("/api/theirs", "bob", &other));
    world.am.grant("good", "/api/theirs", &["view"]);
    let app = world.app();
    at_once(&app, tokens("random", 1000)).await;
    let busy = app.call("GET", "/api/mapped", "one-more").await;
    assert_eq!((busy.status, busy.reason().as_str()), (503, "am_busy"));
    assert_eq!(app.call("GET", "/api/theirs", "good").await.status, 200);
    assert_eq!(app.call("GET", "/api/theirs", "bad").await.status, 401);
    assert_eq!(app.get("/api/theirs").await.status, 401);
}
