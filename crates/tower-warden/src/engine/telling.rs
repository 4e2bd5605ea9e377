//! What a decision leaves behind, and that an explanation is what enforcement does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use crate::fake::*;
use crate::*;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<DecisionRecord>>>);

impl AuditSink for Kept {
    async fn record(&self, decision: DecisionRecord) {
        warden_canary::shown(format!("{decision:?}"));
        self.0.lock().unwrap().push(decision);
    }
}

impl Kept {
    async fn last(&self, count: usize) -> DecisionRecord {
        until(|| self.0.lock().unwrap().len() >= count).await;
        let records = self.0.lock().unwrap();
        assert_eq!(records.len(), count);
        records.last().unwrap().clone()
    }
}

#[tokio::test]
async fn records_tell_what_was_granted_from_where_and_whether_a_ticket_went_out() {
    let world = World::new();
    world.am.grant("views", "/api/mapped", &["view", "print"]);
    let kept = Kept::default();
    let app = world.serve(&world.builder().audit(kept.clone(), 100).build().unwrap());
    let mut count = 0;
    let mut check = async |method: &str, path: &str, token: Option<&str>, expected| {
        match token {
            Some(token) => app.call(method, path, token).await,
            None => app.send(request(method, path, &[])).await,
        };
        count += 1;
        let record = kept.last(count).await;
        let told = (
            record.outcome.as_str(),
            record.reason.code(),
            record.cache.as_str(),
            record.ticket_issued,
            record.granted.join(" "),
        );
        assert_eq!(told, expected, "{method} {path} {token:?}");
    };
    let scopes = || String::from("view print");
    let none = String::new;
    let get = "GET";
    let mapped = "/api/mapped";
    let row = |outcome, reason, cache, ticket, granted| (outcome, reason, cache, ticket, granted);
    check(
        get,
        mapped,
        Some("views"),
        row("allow", "granted", "miss", false, scopes()),
    )
    .await;
    check(
        get,
        mapped,
        Some("views"),
        row("allow", "granted", "hit", false, scopes()),
    )
    .await;
    let row_of = row("challenge", "insufficient_scope", "hit", true, scopes());
    check("PUT", mapped, Some("views"), row_of).await;
    check(
        get,
        mapped,
        Some("views"),
        row("allow", "granted", "miss", false, scopes()),
    )
    .await;
    world.clock.advance(Duration::from_secs(11));
    check(
        get,
        mapped,
        Some("views"),
        row("allow", "granted", "stale", false, scopes()),
    )
    .await;
    check(
        get,
        mapped,
        None,
        row("challenge", "no_token", "unused", true, none()),
    )
    .await;
    world.am.fail_tickets(Some(Trouble::Refuses));
    check(
        get,
        mapped,
        None,
        row("error", "no_token", "unused", false, none()),
    )
    .await;
    check(
        get,
        mapped,
        Some("bad"),
        row("error", "token_inactive", "miss", false, none()),
    )
    .await;
    check(
        get,
        mapped,
        Some("bad"),
        row("error", "token_inactive", "negative", false, none()),
    )
    .await;
    check(
        "PURGE",
        mapped,
        None,
        row("deny", "uncovered_verb", "unused", false, none()),
    )
    .await;
    check(
        get,
        "/api/other",
        None,
        row("pass", "unmapped", "unused", false, none()),
    )
    .await;
    world.am.fail_verify(Some(Trouble::Unreachable));
    check(
        get,
        mapped,
        Some("new"),
        row("error", "am_unavailable", "miss", false, none()),
    )
    .await;
}

#[tokio::test]
async fn what_a_handler_asks_for_leaves_its_trace_too() {
    let world = World::new();
    world.am.grant("views", "/api/mapped", &["view"]);
    let kept = Kept::default();
    let app = world.serve(&world.builder().audit(kept.clone(), 100).build().unwrap());
    let value = format!("Bearer {}", token_of("views"));
    let head = request("GET", "/api/mapped", &[("authorization", &value)]);
    let grant = async || match app.engine.judge(&RequestHead::of(&head)).await {
        Verdict::Allow(Access::Granted(grant)) => grant,
        other => panic!("{other:?}"),
    };
    let admitted = grant().await;
    kept.last(1).await;
    admitted.require("view").await.unwrap();
    let record = kept.last(2).await;
    assert!(record.further && record.allowed);
    assert_eq!(
        (record.path.as_str(), record.required.join(" ")),
        ("/api/mapped", "view".into())
    );
    let refusal = admitted.require("edit").await.unwrap_err();
    assert!(refusal.is_challenge());
    let record = kept.last(3).await;
    assert_eq!(
        (
            record.outcome,
            record.ticket_issued,
            record.required.join(" "),
            record.cache
        ),
        (Outcome::Challenge, true, "edit".into(), CacheState::Hit)
    );
    let refusal = admitted.require("unheard-of").await.unwrap_err();
    assert_eq!(refusal.status(), 403);
    assert_eq!(kept.last(4).await.reason, Reason::UncoveredVerb);
    let admitted = grant().await;
    kept.last(5).await;
    world.clock.advance(Duration::from_secs(11));
    let refusal = admitted.require("view").await.unwrap_err();
    assert_eq!(
        (refusal.reason().code(), refusal.is_challenge()),
        ("answer_ended", true),
        "an answer that has ended lets nobody in, and a good token is not called bad"
    );
    assert_eq!(kept.last(6).await.cache, CacheState::Stale);
}

#[tokio::test]
async fn requests_that_wait_for_anothers_load_say_so() {
    let world = World::new();
    world.am.grant("views", "/api/mapped", &["view"]);
    let kept = Kept::default();
    let app = world.serve(&world.builder().audit(kept.clone(), 100).build().unwrap());
    world.am.hold();
    let asking: Vec<_> = (0..3)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move { app.call("GET", "/api/mapped", "views").await.status })
        })
        .collect();
    until(|| world.am.verified() == 1).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    world.am.release();
    for request in asking {
        assert_eq!(request.await.unwrap(), 200);
    }
    kept.last(3).await;
    let mut states: Vec<_> = kept
        .0
        .lock()
        .unwrap()
        .iter()
        .map(|record| record.cache.as_str())
        .collect();
    states.sort_unstable();
    assert_eq!(states, ["coalesced", "coalesced", "miss"]);
}

#[cfg(feature = "http2")]
#[tokio::test]
async fn a_websocket_over_http2_needs_what_a_get_needs() {
    let world = World::new();
    world.am.grant("views", "/api/mapped", &["view"]);
    world.am.grant("edits", "/api/mapped", &["edit"]);
    let app = world.app();
    let send = async |protocol: Option<&'static str>, token: &str| {
        let value = format!("Bearer {}", token_of(token));
        let mut request = request("CONNECT", "/", &[("authorization", &value)]);
        *request.uri_mut() = "https://host.example/api/mapped".parse().unwrap();
        if let Some(protocol) = protocol {
            let protocol = hyper::ext::Protocol::from_static(protocol);
            request.extensions_mut().insert(protocol);
        }
        let answer = app.send(request).await;
        (answer.status, answer.by_handler)
    };
    assert_eq!(send(Some("websocket"), "views").await, (200, true));
    assert_eq!(send(Some("websocket"), "edits").await, (401, false));
    assert_eq!(send(Some("websocket"), "unknown").await, (401, false));
    for protocol in [None, Some("connect-udp"), Some("WebSocket"), Some("")] {
        assert_eq!(send(protocol, "views").await, (403, false), "{protocol:?}");
    }
}

/// One request, and the state of the world that it comes into.
#[derive(Debug, Clone)]
struct Recipe {
    method: &'static str,
    path: &'static str,
    fields: Vec<(&'static str, String)>,
    signed_in: bool,
    state: MapState,
    shadow: bool,
    before: Vec<(&'static str, u64)>,
    verify: Option<Trouble>,
    tickets: Option<Trouble>,
    open: bool,
    peer: bool,
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let bearer = |token: &str| vec![("authorization", format!("Bearer {token}"))];
    let foreign = "e30.eyJpc3MiOiJodHRwczovL290aGVyLmV4YW1wbGUifQ.c2ln";
    let fields = prop_oneof![
        2 => Just(vec![]),
        6 => prop::sample::select(vec!["views", "edits", "unknown", "late"]).prop_map(move |token| bearer(&token_of(token))),
        1 => Just(bearer(foreign)),
        1 => Just(bearer("a b")),
        1 => Just(vec![("authorization", "Bearer a".to_owned()), ("authorization", "Bearer a".to_owned())]),
        1 => Just(vec![("origin", "https://a.example".to_owned()), ("access-control-request-method", "PUT".to_owned())]),
    ];
    let trouble = || {
        prop_oneof![
            6 => Just(None),
            1 => Just(Some(Trouble::Unreachable)),
            1 => Just(Some(Trouble::Fails)),
            1 => Just(Some(Trouble::Refuses)),
        ]
    };
    let request = (
        prop::sample::select(vec![
            "GET", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PURGE",
        ]),
        prop_oneof![
            8 => Just("/api/mapped"),
            8 => prop::sample::select(vec![
                "/api/tree/x", "/api/tree//x", "/api/nobody", "/api/private/x", "/elsewhere", "/api/a;b", "/off/x", "/",
            ]),
        ],
        fields,
        prop::bool::weighted(0.1),
    );
    let state = prop_oneof![
        8 => Just(MapState::Active),
        1 => Just(MapState::Pending),
        1 => Just(MapState::Lost),
    ];
    let before = prop::collection::vec(
        (
            prop::sample::select(vec!["views", "edits", "unknown"]),
            prop::sample::select(vec![0, 0, 2, 11]),
        ),
        0..3,
    );
    let am = (trouble(), trouble(), prop::bool::weighted(0.15));
    let world = (state, prop::bool::weighted(0.2), before, am, any::<bool>());
    (request, world).prop_map(
        |(
            (method, path, fields, signed_in),
            (state, shadow, before, (verify, tickets, open), peer),
        )| Recipe {
            method,
            path,
            fields,
            signed_in,
            state,
            shadow,
            before,
            verify,
            tickets,
            open,
            peer,
        },
    )
}

impl Recipe {
    /// A world that has come to the state of the recipe.
    async fn world(&self) -> (World, App, Kept) {
        let world = World::new();
        world.maps.insert(map("/api/mapped").with_state(self.state));
        world.am.grant("views", "/api/mapped", &["view"]);
        world.am.grant("edits", "/api/mapped", &["edit"]);
        let mut late = token_for("/api/mapped", &["view"]);
        late.window.not_before = Some(NOW as i64 + 3600);
        world.am.answer("late", Evidence::Active(late));
        let kept = Kept::default();
        let mode = if self.shadow {
            Mode::Shadow
        } else {
            Mode::Enforce
        };
        let layer = world
            .builder()
            .guard_in_mode("/api/mapped", Unmapped::Pass, mode)
            .guard_in_mode("/off", Unmapped::Deny, Mode::Off)
            .pass_preflights()
            .source_budget(Rate::new(0, 2))
            .audit(kept.clone(), 100)
            .build()
            .unwrap();
        let app = world.serve(&layer);
        for (number, (token, pause)) in self.before.iter().enumerate() {
            app.call("GET", "/api/mapped", token).await;
            kept.last(number + 1).await;
            world.clock.advance(Duration::from_secs(*pause));
        }
        world.am.fail_verify(self.verify);
        world.am.fail_tickets(self.tickets);
        world.am.wants_no_token(self.open);
        (world, app, kept)
    }

    fn request(&self) -> http::Request<http_body_util::Full<bytes::Bytes>> {
        let fields: Vec<_> = self
            .fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let mut request = request(self.method, self.path, &fields);
        if self.signed_in {
            request.extensions_mut().insert(SignedIn("alice"));
        }
        if self.peer {
            let peer = Peer::new(std::net::Ipv4Addr::LOCALHOST.into());
            request.extensions_mut().insert(peer);
        }
        request
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Two worlds in one state: one explains a request, the other is sent it, twice.
    #[test]
    fn an_explanation_agrees_with_enforcement(recipe in recipes()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let outcome: Result<(), TestCaseError> = runtime.block_on(async {
            let (_explaining, asked, silent) = recipe.world().await;
            let (_enforcing, sent, kept) = recipe.world().await;
            let before = kept.0.lock().unwrap().len();
            for round in 1..=2 {
                let head = recipe.request();
                let explained = asked.engine.explain(&RequestHead::of(&head)).await;
                warden_canary::shown(&explained);
                let answer = sent.send(recipe.request()).await;
                let told = (explained.outcome, explained.reason, explained.cache, explained.ticket);
                if explained.mode == Mode::Off {
                    prop_assert!(answer.by_handler && explained.allowed);
                    continue;
                }
                let record = kept.last(before + round).await;
                prop_assert_eq!(told, (record.outcome, record.reason, record.cache, record.ticket_issued));
                prop_assert_eq!(explained.allowed, record.allowed);
                if record.mode == Mode::Enforce {
                    prop_assert_eq!(answer.by_handler, explained.allowed);
                    prop_assert_eq!(explained.status.map_or(200, |status| status.as_u16()), answer.status);
                } else {
                    prop_assert!(answer.by_handler);
                }
                prop_assert_eq!(answer.ticket().is_some(), explained.ticket);
                if explained.ticket {
                    // One that is really given forgets the answer, and the worlds part.
                    break;
                }
            }
            prop_assert_eq!(silent.0.lock().unwrap().len(), before, "explanations leave no records");
            Ok(())
        });
        outcome?;
    }
}

#[cfg(feature = "metrics")]
mod counted;
