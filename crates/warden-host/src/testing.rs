//! Hosts that know no AM but one in memory.

mod am;
mod crash;
mod place;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Request;
use tower_warden::{CanonicalPath, Engine, OwnerId, Unmapped, WardenLayer};
use uma_client::{Issuer, ManualClock};
use url::Url;

pub(crate) use am::{FakeAm, Fault, Tags};
pub(crate) use crash::{arm, crash_point, disarm, is_spared, spared};
pub(crate) use place::Place;

use crate::{
    AmPolicy, AmSetting, AnyStore, AuthorizationAnswer, BoxError, Catalogue, Error, Host,
    HostBuilder, Notice, Notify, ReturnPath, SealingKey, ShareRequest, SharedResource,
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

    async fn below(&self, path: &CanonicalPath<'_>) -> Result<Vec<String>, BoxError> {
        let own = path.to_uri();
        Ok(["x", "y%20z", "deep/er"]
            .map(|below| format!("{own}/{below}"))
            .into_iter()
            .chain(["/people/bob/not-below".to_owned()])
            .collect())
    }
}

pub(crate) fn alice() -> OwnerId {
    OwnerId::new("alice")
}

pub(crate) fn clock() -> ManualClock {
    warden_canary::listen();
    ManualClock::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000))
}

/// An empty store, gone with the test.
pub(crate) async fn new_store() -> AnyStore {
    store(&place::new_url().await).await
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

/// The same, spoken to as they speak.
fn spoken_by(am: &FakeAm) -> Vec<AmSetting> {
    let spoken = |setting: AmSetting| setting.with_dialect(am.dialect());
    settings().into_iter().map(spoken).collect()
}

/// The same, of a kind that wants to be read back what it was told.
pub(crate) fn settings_read_back() -> Vec<AmSetting> {
    let mut profile = uma_client::AmProfile::uma2();
    profile.reads_back = true;
    settings()
        .into_iter()
        .map(|setting| setting.with_profile(profile.clone()))
        .collect()
}

/// A host over a store, with an engine that guards `/people` attached.
pub(crate) async fn host_over(am: &FakeAm, store: AnyStore, clock: &ManualClock) -> (Host, Engine) {
    host_with(am, store, clock, |builder| builder).await
}

/// The same, with AMs that are spoken to otherwise.
pub(crate) async fn host_of(
    am: &FakeAm,
    store: AnyStore,
    clock: &ManualClock,
    settings: Vec<AmSetting>,
) -> (Host, Engine) {
    host_with(am, store, clock, |builder| {
        builder.ams(AmPolicy::Only(settings))
    })
    .await
}

/// The same, told more.
pub(crate) async fn host_with(
    am: &FakeAm,
    store: AnyStore,
    clock: &ManualClock,
    more: impl FnOnce(HostBuilder) -> HostBuilder,
) -> (Host, Engine) {
    let builder = Host::builder(store)
        .http(am.http())
        .callback_base(Url::parse("https://host.example/uma/callback").unwrap())
        .ams(AmPolicy::Only(spoken_by(am)))
        .catalogue(People)
        .clock(Arc::new(clock.clone()))
        .background_rate(100_000);
    let host = more(builder).build().await.unwrap();
    let warden = WardenLayer::builder()
        .maps(host.maps())
        .protection(host.protection())
        .guard("/people", Unmapped::Pass)
        .host_id("host.example")
        .clock(Arc::new(clock.clone()))
        .build()
        .unwrap();
    host.attach(warden.engine().clone());
    (host, warden.engine().clone())
}

/// A host in memory.
pub(crate) async fn host(am: &FakeAm) -> (Host, Engine, ManualClock) {
    let clock = clock();
    let (host, engine) = host_over(am, new_store().await, &clock).await;
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
    consent(host, owner, &url, AM).await.unwrap();
}

/// The owner consents at an AM.
pub(crate) async fn consent(
    host: &Host,
    owner: &OwnerId,
    url: &Url,
    am: &str,
) -> Result<(), Error> {
    let answer = AuthorizationAnswer::new()
        .with_state(query(url, "state"))
        .with_code(format!("code-{owner}"))
        .with_iss(am);
    let back = host
        .finish_connect(owner, "session", &key_of(url), answer)
        .await?;
    assert_eq!(back.as_str(), "/back");
    Ok(())
}

/// Moves an owner to the other AM, consent and all.
pub(crate) async fn move_there(host: &Host, owner: &OwnerId) -> Result<(), Error> {
    let back = ReturnPath::parse("/back").unwrap();
    let url = host.begin_move(owner, "session", OTHER_AM, &back).await?;
    consent(host, owner, &url, OTHER_AM).await
}

/// A hook that remembers what it was told.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<std::sync::Mutex<Vec<(String, Notice)>>>);

impl Told {
    pub(crate) fn take(&self) -> Vec<(String, Notice)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Notify for Told {
    async fn notify(&self, owner: &OwnerId, notice: &Notice) {
        let told = (owner.as_str().to_owned(), notice.clone());
        self.0.lock().unwrap().push(told);
    }
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

impl crate::host::Inner {
    /// The store's epoch.
    pub(crate) async fn store_epoch(&self) -> i64 {
        let changes = crate::store::Store::changes_since(&self.store, i64::MAX - 1).await;
        changes.unwrap().epoch
    }
}
