use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use tokio::sync::Notify;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::error::ErrorKind;
use crate::testing::{self, Reply, Script, answer, clock, empty, raw_script, settle};

/// A store that can fail, and that notes what happens.
#[derive(Clone, Default)]
struct Store {
    memory: MemoryPatStore,
    saves: Arc<AtomicUsize>,
    broken: Arc<AtomicBool>,
    unreadable: Arc<AtomicBool>,
}

impl Store {
    fn held(&self) -> Option<String> {
        match self.memory.state() {
            PatState::Held(pat) => Some(pat.access_token.expose().to_owned()),
            _ => None,
        }
    }
}

impl PatStore for Store {
    async fn load(&self) -> Result<PatState, Error> {
        if self.unreadable.load(Ordering::SeqCst) {
            return Err(Error::store("load PAT", "unreadable"));
        }
        self.memory.load().await
    }

    async fn save(&self, pat: &StoredPat) -> Result<(), Error> {
        tokio::task::yield_now().await;
        if self.broken.load(Ordering::SeqCst) {
            return Err(Error::store("save PAT", io::Error::other("disk full")));
        }
        self.saves.fetch_add(1, Ordering::SeqCst);
        self.memory.save(pat).await
    }

    async fn needs_consent(&self) -> Result<(), Error> {
        self.memory.needs_consent().await
    }
}

/// An AM whose token endpoint gives `pat-1`, `pat-2`, … and `refresh-1`, …, or what `mode` says.
struct Am {
    script: Script,
    keeper: PatKeeper,
    store: Store,
    clock: ManualClock,
    mode: Arc<AtomicUsize>,
    gate: Arc<Notify>,
}

const GIVE: usize = 0;
const DOWN: usize = 1;
const INVALID_GRANT: usize = 2;
const GATED: usize = 3;
const REFUSE: usize = 4;

fn am(grant: PatGrant, life: u64) -> Am {
    let clock = clock();
    let mode = Arc::new(AtomicUsize::new(GIVE));
    let gate = Arc::new(Notify::new());
    let count = Arc::new(AtomicUsize::new(0));
    let (script, http) = {
        let (mode, gate) = (Arc::clone(&mode), Arc::clone(&gate));
        raw_script(move |seen| {
            let (mode, gate, count) = (Arc::clone(&mode), Arc::clone(&gate), Arc::clone(&count));
            async move {
                if seen.uri.contains(".well-known") {
                    return answer(200, testing::metadata());
                }
                match mode.load(Ordering::SeqCst) {
                    DOWN => return empty(503),
                    INVALID_GRANT => return answer(400, json!({"error": "invalid_grant"})),
                    REFUSE => return answer(401, json!({"error": "invalid_client"})),
                    GATED => gate.notified().await,
                    _ => {}
                }
                let n = count.fetch_add(1, Ordering::SeqCst) + 1;
                answer(
                    200,
                    json!({"access_token": format!("canary-pat-{n}"), "token_type": "Bearer",
                                   "expires_in": life, "refresh_token": format!("canary-refresh-{n}"), "refresh_expires_in": 1800}),
                )
            }
        })
    };
    let store = Store::default();
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let client = testing::builder(&http)
        .clock(Arc::clone(&shared))
        .build()
        .unwrap();
    let keeper = PatKeeper::new(client, grant, store.clone(), shared);
    Am {
        script,
        keeper,
        store,
        clock,
        mode,
        gate,
    }
}

impl Am {
    /// The owner consented now: a PAT that lives 300 s.
    fn consent(self) -> Self {
        let now = self.clock.now();
        let pat = StoredPat::new(Secret::new("canary-pat-0"), now)
            .with_expiry(Some(now + Duration::from_secs(300)))
            .with_refresh(
                Some(Secret::new("canary-refresh-0")),
                Some(now + Duration::from_secs(1800)),
            );
        *self.store.memory.lock() = PatState::Held(pat);
        self
    }

    fn owner() -> Self {
        am(PatGrant::OwnerConsent, 300).consent()
    }

    fn mode(&self, mode: usize) {
        self.mode.store(mode, Ordering::SeqCst);
    }

    async fn pat(&self) -> Result<String, Error> {
        self.keeper.pat().await.map(|pat| pat.expose().to_owned())
    }

    fn renewals(&self) -> usize {
        self.script.calls().len()
    }
}

#[tokio::test]
async fn a_pat_is_used_until_a_fifth_of_its_life_is_left() {
    let am = Am::owner();
    assert_eq!(am.pat().await.unwrap(), "canary-pat-0");
    am.clock.advance(Duration::from_secs(240));
    assert_eq!(am.pat().await.unwrap(), "canary-pat-0");
    assert_eq!(am.renewals(), 0);
    am.clock.advance(Duration::from_secs(1));
    assert_eq!(am.pat().await.unwrap(), "canary-pat-1");
    assert_eq!(am.pat().await.unwrap(), "canary-pat-1");
    assert_eq!(am.renewals(), 1);
    assert_eq!(
        am.script.last().form("refresh_token").as_deref(),
        Some("canary-refresh-0")
    );
    assert_eq!(am.store.held().as_deref(), Some("canary-pat-1"));
}

/// P1: one refresh for 100 callers, also when callers leave.
#[tokio::test]
async fn p1_single_flight() {
    let am = Am::owner();
    am.clock.advance(Duration::from_secs(301));
    am.mode(GATED);
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let keeper = am.keeper.clone();
            tokio::spawn(async move { keeper.pat().await.unwrap().expose().to_owned() })
        })
        .collect();
    settle().await;
    callers[0].abort();
    callers[50].abort();
    settle().await;
    am.gate.notify_one();
    for (i, caller) in callers.into_iter().enumerate() {
        if i != 0 && i != 50 {
            assert_eq!(caller.await.unwrap(), "canary-pat-1");
        }
    }
    assert_eq!(am.renewals(), 1);
    assert_eq!(am.store.saves.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn all_callers_may_leave_and_the_rotation_is_saved_all_the_same() {
    let am = Am::owner();
    am.clock.advance(Duration::from_secs(301));
    am.mode(GATED);
    let keeper = am.keeper.clone();
    let caller = tokio::spawn(async move { keeper.pat().await.map(|_| ()) });
    settle().await;
    caller.abort();
    am.gate.notify_one();
    settle().await;
    assert_eq!(am.store.held().as_deref(), Some("canary-pat-1"));
    am.mode(DOWN);
    assert_eq!(am.pat().await.unwrap(), "canary-pat-1");
}

/// P2: dead once, renewed, called once more; and no more than that.
#[tokio::test]
async fn p2_one_renewal_and_one_retry() {
    let am = Am::owner();
    let dead = || Error::new(ErrorKind::PatDead, "");
    let calls = Arc::new(Mutex::new(Vec::new()));
    let call = |dies: fn(&str) -> bool| {
        let calls = Arc::clone(&calls);
        am.keeper.call(move |pat: Pat| {
            calls.lock().unwrap().push(pat.expose().to_owned());
            async move {
                if dies(pat.expose()) {
                    Err(dead())
                } else {
                    Ok(())
                }
            }
        })
    };
    call(|pat| pat == "canary-pat-0").await.unwrap();
    assert_eq!(*calls.lock().unwrap(), ["canary-pat-0", "canary-pat-1"]);
    assert_eq!(am.renewals(), 1);

    calls.lock().unwrap().clear();
    assert!(call(|_| true).await.unwrap_err().is_pat_dead());
    assert_eq!(*calls.lock().unwrap(), ["canary-pat-1", "canary-pat-2"]);
    assert_eq!(am.renewals(), 2);

    let other = am
        .keeper
        .call(|_| async { Err::<(), _>(Error::new(ErrorKind::Refused, "")) })
        .await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(am.renewals(), 2);
}

#[tokio::test]
async fn many_calls_that_meet_the_same_dead_pat_renew_once() {
    let am = Am::owner();
    am.pat().await.unwrap();
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let keeper = am.keeper.clone();
            tokio::spawn(async move {
                keeper
                    .call(|pat| async move {
                        tokio::task::yield_now().await;
                        if pat.expose() == "canary-pat-0" {
                            Err(Error::new(ErrorKind::PatDead, ""))
                        } else {
                            Ok(())
                        }
                    })
                    .await
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(am.renewals(), 1);
    // A straggler that failed with the old PAT gets the current one without another renewal.
    let first = AtomicBool::new(true);
    am.keeper
        .call(|_| {
            let late = first.swap(false, Ordering::SeqCst);
            async move {
                if late {
                    Err(Error::new(ErrorKind::PatDead, ""))
                } else {
                    Ok(())
                }
            }
        })
        .await
        .unwrap();
    assert_eq!(
        am.renewals(),
        2,
        "the current one was called dead: that is a renewal"
    );
}

/// P3: the owner has to consent again, and the store knows.
#[tokio::test]
async fn p3_invalid_grant_needs_consent() {
    let am = Am::owner();
    am.clock.advance(Duration::from_secs(301));
    am.mode(INVALID_GRANT);
    let error = am.keeper.pat().await.unwrap_err();
    assert!(error.needs_consent());
    assert_eq!(
        (error.status().map(|status| status.as_u16()), error.code()),
        (Some(400), Some("invalid_grant"))
    );
    assert_eq!(am.store.memory.state(), PatState::NeedsConsent);
    am.mode(GIVE);
    assert!(am.keeper.pat().await.unwrap_err().needs_consent());
    assert_eq!(am.renewals(), 1, "the AM is not asked again");
    assert_eq!(am.keeper.state().await.unwrap(), PatState::NeedsConsent);

    let consent = StoredPat::new(Secret::new("new"), am.clock.now());
    am.keeper.replace(consent).await.unwrap();
    assert_eq!(am.pat().await.unwrap(), "new");
    assert_eq!(am.store.held().as_deref(), Some("new"));
}

#[tokio::test]
async fn no_pat_at_all_needs_consent() {
    let am = am(PatGrant::OwnerConsent, 300);
    assert!(am.keeper.pat().await.unwrap_err().needs_consent());
    assert_eq!(
        am.store.memory.state(),
        PatState::None,
        "there is nothing to note"
    );
    let am = am.consent();
    assert_eq!(
        am.pat().await.unwrap(),
        "canary-pat-0",
        "a consent in the store is found"
    );
}

/// Other refusals of a refresh are not the owner's trouble.
#[tokio::test]
async fn bad_client_credentials_do_not_cost_the_owners_consent() {
    let am = Am::owner();
    am.clock.advance(Duration::from_secs(301));
    am.mode(REFUSE);
    assert_eq!(
        am.keeper.pat().await.unwrap_err().kind(),
        ErrorKind::Refused
    );
    assert_eq!(am.store.held().as_deref(), Some("canary-pat-0"));
    am.mode(GIVE);
    assert_eq!(am.pat().await.unwrap(), "canary-pat-1");
}

#[tokio::test]
async fn a_living_pat_serves_while_the_am_is_down() {
    let am = Am::owner();
    am.mode(DOWN);
    am.clock.advance(Duration::from_secs(250));
    for _ in 0..5 {
        assert_eq!(am.pat().await.unwrap(), "canary-pat-0");
    }
    assert_eq!(am.renewals(), 1, "a failure is remembered for a second");
    am.clock.advance(Duration::from_secs(50));
    assert_eq!(
        am.keeper.pat().await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    am.mode(GIVE);
    assert!(am.keeper.pat().await.is_err());
    am.clock.advance(Duration::from_secs(1));
    assert_eq!(am.pat().await.unwrap(), "canary-pat-1");
}

#[tokio::test(start_paused = true)]
async fn a_living_pat_serves_while_the_am_is_slow() {
    let am = Am::owner();
    am.mode(GATED);
    am.clock.advance(Duration::from_secs(250));
    let begun = tokio::time::Instant::now();
    assert_eq!(am.pat().await.unwrap(), "canary-pat-0");
    assert!(begun.elapsed() < Duration::from_secs(1));
    am.gate.notify_one();
    settle().await;
    assert_eq!(am.pat().await.unwrap(), "canary-pat-1");
    assert_eq!(am.renewals(), 1);
}

#[tokio::test]
async fn a_dead_pat_does_not_serve_while_the_am_is_down() {
    let am = Am::owner();
    am.mode(DOWN);
    let dead = am
        .keeper
        .call(|_| async { Err::<(), _>(Error::new(ErrorKind::PatDead, "")) })
        .await;
    assert_eq!(dead.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(
        am.keeper.pat().await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
}

/// What the AM gave is saved before it is used, and not lost when saving fails.
#[tokio::test]
async fn a_rotation_that_cannot_be_saved_is_kept_and_saved_later() {
    let am = Am::owner();
    am.pat().await.unwrap();
    am.clock.advance(Duration::from_secs(250));
    am.store.broken.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let error = am.keeper.pat().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
    }
    assert_eq!(am.renewals(), 1, "the refresh token is not spent twice");
    assert_eq!(am.store.held().as_deref(), Some("canary-pat-0"));
    am.store.broken.store(false, Ordering::SeqCst);
    assert_eq!(am.pat().await.unwrap(), "canary-pat-1");
    assert_eq!(am.store.held().as_deref(), Some("canary-pat-1"));
    assert_eq!(am.renewals(), 1);
}

#[tokio::test]
async fn a_living_pat_needs_no_store() {
    let am = Am::owner();
    am.pat().await.unwrap();
    am.store.unreadable.store(true, Ordering::SeqCst);
    am.clock.advance(Duration::from_secs(250));
    assert_eq!(am.pat().await.unwrap(), "canary-pat-0");
    am.clock.advance(Duration::from_secs(50));
    assert_eq!(am.keeper.pat().await.unwrap_err().kind(), ErrorKind::Store);
}

#[tokio::test]
async fn what_another_node_renewed_is_adopted() {
    let am = Am::owner();
    am.pat().await.unwrap();
    am.clock.advance(Duration::from_secs(250));
    let now = am.clock.now();
    let other = StoredPat::new(Secret::new("other"), now)
        .with_expiry(Some(now + Duration::from_secs(300)))
        .with_refresh(Some(Secret::new("other-refresh")), None);
    *am.store.memory.lock() = PatState::Held(other);
    assert_eq!(am.pat().await.unwrap(), "other");
    assert_eq!(am.renewals(), 0);
}

#[tokio::test]
async fn client_credentials_fetch_anew_and_never_refresh() {
    let am = am(PatGrant::ClientCredentials, 300);
    assert_eq!(am.pat().await.unwrap(), "canary-pat-1");
    am.clock.advance(Duration::from_secs(250));
    assert_eq!(am.pat().await.unwrap(), "canary-pat-2");
    assert!(
        am.script
            .calls()
            .iter()
            .all(|seen| seen.form("grant_type").as_deref() == Some("client_credentials"))
    );
    let renewed = am
        .keeper
        .call(|pat| async move {
            if pat.expose() == "canary-pat-2" {
                Err(Error::new(ErrorKind::PatDead, ""))
            } else {
                Ok(pat.expose().to_owned())
            }
        })
        .await;
    assert_eq!(renewed.unwrap(), "canary-pat-3");
    assert_eq!(am.keeper.keep_refresh_token_alive().await.unwrap(), None);
}

/// Lives that no clock can hold are cut, and nothing panics.
#[tokio::test]
async fn absurd_lives() {
    let am = am(PatGrant::ClientCredentials, u64::MAX);
    assert_eq!(am.pat().await.unwrap(), "canary-pat-1");
    am.clock.advance(Duration::from_secs(3600));
    assert_eq!(am.pat().await.unwrap(), "canary-pat-1");
    let zero = self::am(PatGrant::ClientCredentials, 0);
    assert_eq!(zero.pat().await.unwrap(), "canary-pat-1");
    assert_eq!(zero.pat().await.unwrap(), "canary-pat-2");
}

#[test]
fn a_pat_without_a_date_is_renewed_within_an_hour_and_not_taken_for_dead() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let pat = StoredPat::new(Secret::new("t"), now);
    assert!(!pat.wants_renewal(now + Duration::from_secs(2880)));
    assert!(pat.wants_renewal(now + Duration::from_secs(2881)));
    assert!(pat.is_alive(now + Duration::from_secs(1 << 40)));
    // A clock that went back.
    assert!(!pat.wants_renewal(SystemTime::UNIX_EPOCH));
    let dated = pat.with_expiry(Some(now + Duration::from_secs(10)));
    assert!(dated.is_alive(SystemTime::UNIX_EPOCH) && !dated.wants_renewal(SystemTime::UNIX_EPOCH));
    assert!(!dated.is_alive(now + Duration::from_secs(10)));
}

#[tokio::test]
async fn without_a_refresh_token_a_pat_serves_until_it_dies() {
    let am = Am::owner();
    let now = am.clock.now();
    let pat =
        StoredPat::new(Secret::new("bare"), now).with_expiry(Some(now + Duration::from_secs(100)));
    *am.store.memory.lock() = PatState::Held(pat);
    am.clock.advance(Duration::from_secs(99));
    assert_eq!(am.pat().await.unwrap(), "bare");
    am.clock.advance(Duration::from_secs(1));
    assert!(am.keeper.pat().await.unwrap_err().needs_consent());
    assert_eq!(am.store.memory.state(), PatState::NeedsConsent);
    assert_eq!(am.renewals(), 0);
}

#[tokio::test]
async fn refresh_tokens_are_kept_alive_by_their_own_life() {
    let am = Am::owner();
    assert_eq!(
        am.keeper.keep_refresh_token_alive().await.unwrap(),
        Some(Duration::from_secs(900))
    );
    assert_eq!(am.renewals(), 0);
    am.clock.advance(Duration::from_secs(901));
    assert_eq!(
        am.keeper.keep_refresh_token_alive().await.unwrap(),
        Some(Duration::from_secs(900))
    );
    assert_eq!(am.renewals(), 1);
    assert_eq!(am.store.held().as_deref(), Some("canary-pat-1"));
    am.keeper
        .replace(StoredPat::new(Secret::new("t"), am.clock.now()))
        .await
        .unwrap();
    assert_eq!(am.keeper.keep_refresh_token_alive().await.unwrap(), None);
}

/// A renewal that began before a new consent neither overwrites nor flags it.
#[tokio::test]
async fn a_new_consent_wins_over_a_renewal_in_flight() {
    for ends in [GIVE, INVALID_GRANT] {
        let am = Am::owner();
        am.clock.advance(Duration::from_secs(301));
        am.mode(GATED);
        let keeper = am.keeper.clone();
        let caller = tokio::spawn(async move { keeper.pat().await });
        settle().await;
        am.keeper
            .replace(StoredPat::new(Secret::new("new"), am.clock.now()))
            .await
            .unwrap();
        am.mode(ends);
        am.gate.notify_one();
        let _ = caller.await.unwrap();
        assert_eq!(am.store.held().as_deref(), Some("new"));
        assert_eq!(am.pat().await.unwrap(), "new");
    }
}

/// What is written to the store behind the keeper's back while it renews is not overwritten.
#[tokio::test]
async fn the_store_wins_over_a_renewal_in_flight() {
    for gone in [false, true] {
        let am = Am::owner();
        am.clock.advance(Duration::from_secs(301));
        am.mode(GATED);
        let keeper = am.keeper.clone();
        let caller = tokio::spawn(async move { keeper.pat().await });
        settle().await;
        let consent = StoredPat::new(Secret::new("new"), am.clock.now());
        *am.store.memory.lock() = if gone {
            PatState::None
        } else {
            PatState::Held(consent)
        };
        am.gate.notify_one();
        let result = caller.await.unwrap();
        assert_eq!(am.store.saves.load(Ordering::SeqCst), 0);
        if gone {
            assert!(result.unwrap_err().needs_consent());
            assert!(am.keeper.pat().await.unwrap_err().needs_consent());
        } else {
            assert_eq!(result.unwrap().expose(), "new");
            assert_eq!(am.pat().await.unwrap(), "new");
        }
    }
}

#[tokio::test]
async fn what_was_forgotten_is_read_anew() {
    let am = Am::owner();
    am.pat().await.unwrap();
    *am.store.memory.lock() = PatState::Held(StoredPat::new(Secret::new("new"), am.clock.now()));
    assert_eq!(am.pat().await.unwrap(), "canary-pat-0");
    am.keeper.forget();
    assert_eq!(am.pat().await.unwrap(), "new");
}

/// P4: nothing secret in logs or `Debug`.
#[tokio::test]
async fn p4_no_secret_in_logs() {
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<String>>);
    impl Visit for Log {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            use std::fmt::Write;
            write!(self.0.lock().unwrap(), "{field}={value:?} ").unwrap();
        }
    }
    impl tracing::Subscriber for Log {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, attributes: &Attributes<'_>) -> Id {
            attributes.record(&mut self.clone());
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            event.record(&mut self.clone());
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let am = Am::owner();
    am.clock.advance(Duration::from_secs(301));
    am.pat().await.unwrap();
    am.mode(INVALID_GRANT);
    am.clock.advance(Duration::from_secs(301));
    let error = am.keeper.pat().await.unwrap_err();
    let _ = am
        .keeper
        .client()
        .introspect(&Pat::new("canary-pat"), &Secret::new("canary-rpt"))
        .await;
    let printed = format!(
        "{}{error}{error:?}{:?}{:?}",
        log.0.lock().unwrap(),
        am.keeper,
        am.store.memory
    );
    assert!(
        printed.contains("POST token (refresh)"),
        "the log is there: {printed}"
    );
    assert!(
        !printed.contains("canary") && !printed.contains("s3cret"),
        "{printed}"
    );
}

#[test]
fn keeper_futures_can_be_spawned() {
    fn is_send<T: Send>(_: T) {}
    let am = Am::owner();
    is_send(am.keeper.pat());
    is_send(am.keeper.keep_refresh_token_alive());
    is_send(
        am.keeper
            .replace(StoredPat::new(Secret::new("t"), am.clock.now())),
    );
    is_send(am.keeper.call(|_| async { Ok(()) }));
    let _: Reply = empty(200);
}

mod nodes;
