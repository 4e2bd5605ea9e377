//! The metrics: names, labels, and that these are bounded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

use crate::fake::*;
use crate::*;

/// Keeps what is counted under `name{label=value,..}`.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<BTreeMap<String, f64>>>);

struct Line(Book, String);

impl Line {
    fn with(&self, change: impl FnOnce(&mut f64)) {
        change(
            (self.0.0.lock().unwrap())
                .entry(self.1.clone())
                .or_default(),
        );
    }
}

impl CounterFn for Line {
    fn increment(&self, value: u64) {
        self.with(|line| *line += value as f64);
    }
    fn absolute(&self, value: u64) {
        self.with(|line| *line = value as f64);
    }
}

impl GaugeFn for Line {
    fn increment(&self, value: f64) {
        self.with(|line| *line += value);
    }
    fn decrement(&self, value: f64) {
        self.with(|line| *line -= value);
    }
    fn set(&self, value: f64) {
        self.with(|line| *line = value);
    }
}

impl HistogramFn for Line {
    fn record(&self, _: f64) {
        self.with(|line| *line += 1.0);
    }
}

impl Book {
    fn line(&self, key: &Key) -> Arc<Line> {
        let labels: Vec<_> = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        Arc::new(Line(
            self.clone(),
            format!("{}{{{}}}", key.name(), labels.join(",")),
        ))
    }

    fn get(&self, line: &str) -> f64 {
        self.0.lock().unwrap().get(line).copied().unwrap_or(0.0)
    }

    fn take(&self) -> BTreeMap<String, f64> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Recorder for Book {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.line(key).into()
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.line(key).into()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.line(key).into()
    }
}

fn counted(run: impl AsyncFnOnce(&Book)) {
    let book = Book::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    metrics::with_local_recorder(&book, || runtime.block_on(run(&book)));
    for line in book.0.lock().unwrap().keys() {
        warden_canary::shown(line);
    }
}

#[test]
fn decisions_caches_calls_and_tickets_are_counted_under_their_names() {
    counted(async |book| {
        let world = World::new();
        let named = Arc::new(
            Am::new(
                uma_client::Issuer::parse("https://am.example").unwrap(),
                Audience::NotChecked,
            )
            .with_name("home"),
        );
        world.maps.insert(map_at("/api/mapped", "alice", &named));
        world.am.grant("views", "/api/mapped", &["view"]);
        let app = world.app();
        app.call("GET", "/api/mapped", "views").await;
        app.call("GET", "/api/mapped", "views").await;
        app.call("PUT", "/api/mapped", "views").await;
        app.get("/api/other").await;
        app.get("/api/private/x").await;
        app.get("/elsewhere").await;
        world.am.fail_tickets(Some(Trouble::Refuses));
        app.call("GET", "/api/mapped", "bad").await;
        app.call("GET", "/api/mapped", "bad").await;
        let decisions = |decision, reason, am| {
            let name = "warden_decisions_total";
            book.get(&format!(
                "{name}{{decision={decision},reason={reason},mode=enforce,am={am}}}"
            ))
        };
        assert_eq!(decisions("allow", "granted", "home"), 2.0);
        assert_eq!(decisions("challenge", "insufficient_scope", "home"), 1.0);
        assert_eq!(decisions("pass", "unmapped", ""), 1.0);
        assert_eq!(decisions("deny", "unmapped_denied", ""), 1.0);
        assert_eq!(decisions("error", "token_inactive", "home"), 2.0);
        let all = book.take();
        for (line, count) in [
            ("warden_decision_duration_seconds{outcome=allow}", 2.0),
            ("warden_introspection_cache_total{result=miss}", 2.0),
            ("warden_introspection_cache_total{result=hit}", 2.0),
            ("warden_introspection_cache_total{result=negative}", 1.0),
            ("warden_introspection_cache_entries{}", 1.0),
            (
                "warden_am_requests_total{am=home,endpoint=introspection,outcome=ok}",
                2.0,
            ),
            (
                "warden_am_requests_total{am=home,endpoint=permission,outcome=ok}",
                1.0,
            ),
            (
                "warden_am_requests_total{am=home,endpoint=permission,outcome=error}",
                2.0,
            ),
            ("warden_am_circuit_state{am=home}", 0.0),
            ("warden_tickets_total{am=home,outcome=given}", 1.0),
            ("warden_tickets_total{am=home,outcome=none}", 2.0),
        ] {
            // The count of entries is settled now and then only.
            if line.contains("entries") {
                assert!(all.contains_key(line), "{all:#?}");
            } else {
                assert_eq!(all.get(line), Some(&count), "{line}: {all:#?}");
            }
        }
    });
}

#[test]
fn an_explanation_counts_no_decision_and_no_look_into_the_cache() {
    counted(async |book| {
        let world = World::new();
        let app = world.app();
        let value = format!("Bearer {}", token_of("unknown"));
        let head = request("GET", "/api/mapped", &[("authorization", &value)]);
        app.engine.explain(&RequestHead::of(&head)).await;
        let lines = book.take();
        for line in lines.keys() {
            let told = ["decision", "cache_total", "tickets"];
            assert!(!told.iter().any(|word| line.contains(word)), "{line}");
        }
    });
}

#[test]
fn no_label_is_what_an_owner_or_a_requester_chooses() {
    counted(async |book| {
        let world = World::new();
        for number in 0..20 {
            let path = format!("/api/brought{number}");
            let brought = am(&format!("https://brought{number}.example"));
            world
                .maps
                .insert(map_at(&path, &format!("owner{number}"), &brought));
        }
        let app = world.app();
        for number in 0..20 {
            let path = format!("/api/brought{number}");
            app.call("GET", &path, &format!("chosen{number}")).await;
            app.send(request(&format!("VERB{number}"), &path, &[]))
                .await;
        }
        let lines = book.take();
        assert!(lines.len() < 20, "{lines:#?}");
        for line in lines.keys() {
            for chosen in ["brought", "owner", "chosen", "VERB", "/api"] {
                assert!(!line.contains(chosen), "{line}");
            }
        }
    });
}

#[test]
fn what_is_dropped_for_room_is_counted() {
    counted(async |book| {
        let world = World::new();
        let limits = GateLimits::default().with_new_tokens(Rate::new(0, 100_000));
        let layer = world
            .builder()
            .cache_capacity(3)
            .gate(limits)
            .build()
            .unwrap();
        let app = world.serve(&layer);
        for owner in 0..40 {
            let path = format!("/api/o{owner}");
            let theirs = am(&format!("https://am{owner}.example"));
            world.maps.insert(map_at(&path, "bob", &theirs));
            let token = format!("token{owner}");
            world.am.grant(&token, &path, &["view"]);
            assert_eq!(app.call("GET", &path, &token).await.status, 200);
        }
        app.engine.shared.answers.settle();
        assert!(book.get("warden_introspection_cache_evictions_total{cause=size}") > 0.0);
    });
}
