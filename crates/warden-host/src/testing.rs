//! Hosts that know no AM but one in memory.

mod am;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Request;
use tower_warden::{CanonicalPath, Engine, OwnerId, Unmapped, WardenLayer};
use uma_client::{Issuer, ManualClock};
use url::Url;

pub(crate) use am::{FakeAm, Fault};

use crate::{
    AmPolicy, AmSetting, AnyStore, AuthorizationAnswer, BoxError, Catalogue, Error, Host,
    ReturnPath, SealingKey, ShareRequest, SharedResource,
};

pub(crate) const AM: &str = "https://am.example";
pub(crate) const OTHER_AM: &str = "https://other.example";

/// `/people/{person}/…` is the person's.
struct People;

impl Catalogue for People {
    async fn owner_of(&self, path: &CanonicalPath<'_>) -> Result<Option<OwnerId>, BoxError> {
        let mut segments = path.segments();
        match (segments.next(), segments.next()) {
            (Some("people"), Some("broken")) => Err("the catalogue is away".into()),
            (Some("people"), Some(person)) => Ok(Some(OwnerId::new(person))),
            _ => Ok(None),
        }
    }
}

pub(crate) fn alice() -> OwnerId {
    OwnerId::new("alice")
}

pub(crate) fn clock() -> ManualClock {
    ManualClock::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000))
}

pub(crate) async fn store(url: &str) -> AnyStore {
    AnyStore::open(url, SealingKey::from_bytes(&[7; 32]).unwrap())
        .await
        .unwrap()
}

/// The AMs in memory.
pub(crate) fn settings() -> Vec<AmSetting> {
    [(AM, "Home"), (OTHER_AM, "Other")]
        .map(|(issuer, name)| AmSetting::new(Issuer::parse(issuer).unwrap()).with_name(name))
        .into()
}

/// A host over a store, with an engine that guards `/people` attached.
pub(crate) async fn host_over(am: &FakeAm, store: AnyStore, clock: &ManualClock) -> (Host, Engine) {
    host_of(am, store, clock, settings()).await
}

/// The same, with AMs that are spoken to otherwise.
pub(crate) async fn host_of(
    am: &FakeAm,
    store: AnyStore,
    clock: &ManualClock,
    settings: Vec<AmSetting>,
) -> (Host, Engine) {
    let host = Host::builder(store)
        .http(am.http())
        .callback_base(Url::parse("https://host.example/uma/callback").unwrap())
        .ams(AmPolicy::Only(settings))
        .catalogue(People)
        .clock(Arc::new(clock.clone()))
        .build()
        .await
        .unwrap();
    let warden = WardenLayer::builder()
        .maps(host.maps())
        .protection(host.protection())
        .guard("/people", Unmapped::Pass)
        .clock(Arc::new(clock.clone()))
        .build()
        .unwrap();
    host.attach(warden.engine().clone());
    (host, warden.engine().clone())
}

/// A host in memory.
pub(crate) async fn host(am: &FakeAm) -> (Host, Engine, ManualClock) {
    let clock = clock();
    let (host, engine) = host_over(am, store("sqlite::memory:").await, &clock).await;
    (host, engine, clock)
}

pub(crate) fn query(url: &Url, name: &str) -> String {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .unwrap()
        .1
        .into_owned()
}

pub(crate) fn key_of(url: &Url) -> String {
    query(url, "redirect_uri")
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned()
}

pub(crate) async fn begin(host: &Host, owner: &OwnerId) -> Result<Url, Error> {
    host.begin_connect(owner, "session", AM, &ReturnPath::parse("/back").unwrap())
        .await
}

/// Connects an owner, consent and all.
pub(crate) async fn connect(host: &Host, owner: &OwnerId) {
    let url = begin(host, owner).await.unwrap();
    let answer = AuthorizationAnswer::new()
        .with_state(query(&url, "state"))
        .with_code(format!("code-{owner}"))
        .with_iss(AM);
    let back = host
        .finish_connect(owner, "session", &key_of(&url), answer)
        .await
        .unwrap();
    assert_eq!(back.as_str(), "/back");
}

pub(crate) async fn share(host: &Host, uri: &str) -> Result<SharedResource, Error> {
    host.share(&alice(), ShareRequest::new(uri, "Summer")).await
}

/// What a request without a token gets: a status, or 0 where it is passed on.
pub(crate) async fn get(engine: &Engine, uri: &str) -> u16 {
    let request = Request::get(uri).body(()).unwrap();
    let judgement = engine.judge(&tower_warden::RequestHead::of(&request));
    match judgement.await {
        tower_warden::Verdict::Refuse(refusal) => refusal.status().as_u16(),
        _ => 0,
    }
}

/// Lets tasks that were spawned run until `done`.
pub(crate) async fn until(done: impl AsyncFn() -> bool) {
    for _ in 0..2000 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it did not come about");
}
