//! The AMs that this host works with, and its client at each.

mod entering;
mod standing;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tower_warden::{Am, Audience};
use uma_client::{
    AmClient, AmProfile, Clock, Dialect, Http, IntrospectionAuth, Issuer, epoch_seconds,
};

use super::ScopeDocuments;
use super::paths::Locks;
use crate::outbound::{Outbound, Vetted};
use crate::policy::{AmSetting, PatStrategy, brought};
use crate::store::{AmRecord, Store as _};
use crate::{AmChoice, AmPolicy, AnyStore, Error, ErrorKind};

/// The AMs.
pub(crate) struct Ams {
    policy: AmPolicy,
    http: Http,
    /// For AMs that owners bring.
    brought_http: Http,
    rules: Arc<Outbound>,
    clock: Arc<dyn Clock>,
    client_name: String,
    host_id: Option<String>,
    scopes: ScopeDocuments,
    known: Mutex<HashMap<Issuer, Arc<AmEntry>>>,
    /// Counts how often something was forgotten: what was read before that is not remembered.
    forgotten: AtomicU64,
    registering: Locks<Issuer>,
}

/// An AM at which this host has a client.
pub(crate) struct AmEntry {
    pub(crate) setting: AmSetting,
    /// The AM under this host's client there.
    pub(crate) client: AmClient,
    /// The AM as enforcement knows it.
    pub(crate) enforced: Arc<Am>,
    client_id: String,
    secret_expires: Option<i64>,
}

impl AmEntry {
    pub(crate) fn issuer(&self) -> &Issuer {
        &self.setting.issuer
    }

    pub(crate) fn name(&self) -> &str {
        &self.setting.name
    }
}

impl Ams {
    pub(super) fn new(
        policy: AmPolicy,
        (http, brought_http): (Http, Http),
        rules: Outbound,
        clock: Arc<dyn Clock>,
        client_name: String,
        host_id: Option<String>,
        scopes: ScopeDocuments,
    ) -> Self {
        Self {
            policy,
            http,
            brought_http,
            rules: Arc::new(rules),
            clock,
            client_name,
            host_id,
            scopes,
            known: Mutex::default(),
            forgotten: AtomicU64::new(0),
            registering: Locks::default(),
        }
    }

    pub(super) fn scopes(&self) -> &ScopeDocuments {
        &self.scopes
    }

    pub(super) fn choices(&self) -> Vec<AmChoice> {
        self.policy.settings().iter().map(AmChoice::of).collect()
    }

    pub(super) fn allows_any(&self) -> bool {
        matches!(self.policy, AmPolicy::Any(_))
    }

    /// An AM as shown to people, also one that this host no longer works with.
    pub(crate) fn choice(&self, issuer: &Issuer) -> AmChoice {
        let setting = self.setting(issuer);
        AmChoice::of(&setting.unwrap_or_else(|| AmSetting::new(issuer.clone())))
    }

    /// Whether all owners of this host are one at an AM.
    pub(crate) fn owner_is_host(&self, issuer: &Issuer) -> bool {
        self.policy
            .settings()
            .iter()
            .any(|setting| setting.issuer == *issuer && setting.pat == PatStrategy::HostCredentials)
    }

    pub(super) fn choose(&self, typed: &str) -> Result<AmSetting, Error> {
        self.policy.choose(typed, &self.rules)
    }

    pub(super) fn rules(&self) -> &Outbound {
        &self.rules
    }

    /// Whether the operator names an AM: such a one is trusted in its address.
    pub(super) fn is_named(&self, issuer: &Issuer) -> bool {
        let settings = self.policy.settings();
        settings.iter().any(|setting| setting.issuer == *issuer)
    }

    /// The setting for an AM that is in the store; `None` if this host no longer works with it.
    pub(super) fn setting(&self, issuer: &Issuer) -> Option<AmSetting> {
        let named = self
            .policy
            .settings()
            .iter()
            .find(|setting| setting.issuer == *issuer);
        match (named, &self.policy) {
            (Some(setting), _) => Some(setting.clone()),
            (None, AmPolicy::Any(_)) => Some(brought(issuer.clone(), &self.rules)),
            (None, AmPolicy::Only(_)) => None,
        }
    }

    /// Whether this host works with an AM.
    pub(crate) fn is_served(&self, issuer: &Issuer) -> bool {
        self.setting(issuer).is_some()
    }

    /// Whether introspection at an AM is made with a PAT of the owner's own.
    pub(crate) fn introspects_as_owner(&self, issuer: &Issuer) -> bool {
        self.policy
            .settings()
            .iter()
            .find(|setting| setting.issuer == *issuer)
            .map_or_else(
                || {
                    self.remembered(issuer)
                        .is_none_or(|entry| introspects_as_owner(&entry.setting))
                },
                introspects_as_owner,
            )
    }

    /// The name of an AM for people.
    pub(crate) fn name(&self, issuer: &Issuer) -> String {
        self.setting(issuer).map_or_else(
            || AmSetting::new(issuer.clone()).name,
            |setting| setting.name,
        )
    }

    /// An AM at which the host has a client; `None` if it has none, or no longer works with that AM.
    pub(crate) async fn known(
        &self,
        store: &AnyStore,
        issuer: &Issuer,
    ) -> Result<Option<Arc<AmEntry>>, Error> {
        if let Some(entry) = self.remembered(issuer) {
            return Ok(Some(entry));
        }
        let Some(setting) = self.setting(issuer) else {
            return Ok(None);
        };
        let forgotten = self.forgotten.load(Ordering::SeqCst);
        let Some(record) = store.am(issuer).await? else {
            return Ok(None);
        };
        let setting = self.as_recorded(setting, &record);
        let client = self.client(&setting)?;
        let entry = self.entry(setting, &client, &record);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if self.forgotten.load(Ordering::SeqCst) == forgotten {
            known.insert(issuer.clone(), Arc::clone(&entry));
        }
        Ok(Some(entry))
    }

    /// Forgets what is remembered of an AM: the store knows something else.
    pub(crate) fn forget(&self, issuer: &Issuer) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        known.remove(issuer);
    }

    /// Forgets what is remembered of all AMs.
    pub(crate) fn forget_all(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        known.clear();
    }

    /// The setting of an AM that an owner brought, spoken to as was found out when it was brought.
    fn as_recorded(&self, setting: AmSetting, record: &AmRecord) -> AmSetting {
        if self.is_named(&setting.issuer) {
            return setting;
        }
        let dialect = Dialect::from_name(&record.dialect).unwrap_or(setting.dialect);
        let profile = AmProfile::from_name(&record.profile);
        let setting = setting.with_dialect(dialect);
        match profile {
            Some(profile) => setting.with_profile(profile),
            None => setting,
        }
    }

    pub(super) fn remembered(&self, issuer: &Issuer) -> Option<Arc<AmEntry>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(issuer).cloned()
    }

    fn remember(&self, setting: AmSetting, client: &AmClient, record: &AmRecord) -> Arc<AmEntry> {
        let entry = self.entry(setting, client, record);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(entry.issuer().clone(), Arc::clone(&entry));
        entry
    }

    fn entry(&self, setting: AmSetting, client: &AmClient, record: &AmRecord) -> Arc<AmEntry> {
        // What the operator gave by hand is not in the store, but for the id.
        let credentials = setting
            .credentials
            .clone()
            .unwrap_or_else(|| record.client.clone());
        let client_id = credentials.client_id.clone();
        let audience = setting
            .audience
            .clone()
            .unwrap_or_else(|| Audience::Expect(client_id.clone()));
        let mut enforced = Am::new(setting.issuer.clone(), audience).with_dialect(setting.dialect);
        // The name of an AM that an owner brought would be a label in metrics that she chooses.
        if self.is_named(&setting.issuer) {
            enforced = enforced.with_name(setting.name.clone());
        }
        Arc::new(AmEntry {
            client: client.with_credentials(credentials),
            enforced: Arc::new(enforced),
            client_id,
            secret_expires: record.secret_expires,
            setting,
        })
    }

    fn client(&self, setting: &AmSetting) -> Result<AmClient, Error> {
        let named = self.is_named(&setting.issuer);
        let http = if named {
            self.http.clone()
        } else {
            let rules = Arc::clone(&self.rules);
            let vetted = Vetted::new(self.brought_http.clone(), setting.issuer.clone(), rules);
            Http::new(vetted)
        };
        let mut profile = setting.profile.clone();
        let own = || self.scopes.base().to_owned();
        profile.scope_base.get_or_insert_with(own);
        let mut builder = AmClient::builder(setting.issuer.clone())
            .profile(profile)
            .dialect(setting.dialect)
            .http(http)
            .clock(Arc::clone(&self.clock));
        if let Some(url) = &setting.discovery_url {
            builder = builder.discovery_url(url.as_str());
        }
        if setting.allow_insecure {
            builder = builder.allow_insecure_http();
        }
        // An AM that an owner brings gets no say in where the host's secrets are sent.
        if !named && self.rules.wants_same_origin() {
            builder = builder.require_same_origin();
        }
        builder.build().map_err(|error| {
            Error::new(
                ErrorKind::UnknownAm,
                "this host can't speak to that authorization manager: its address is not https",
            )
            .at("am")
            .because(error)
        })
    }

    fn now(&self) -> i64 {
        epoch_seconds(self.clock.now())
    }

    fn is_good(&self, entry: &AmEntry) -> bool {
        let given = entry.setting.credentials.as_ref();
        given.is_none_or(|given| given.client_id == entry.client_id)
            && (given.is_some()
                || entry
                    .secret_expires
                    .is_none_or(|expires| expires > self.now()))
    }
}

fn introspects_as_owner(setting: &AmSetting) -> bool {
    setting.profile.introspection_auth == IntrospectionAuth::Pat
        && setting.pat != PatStrategy::HostCredentials
}

/// Trouble with an AM, in words for the owner.
pub(crate) fn am_trouble(name: &str, error: uma_client::Error) -> Error {
    use uma_client::ErrorKind as Uma;
    let (kind, text) = match error.kind() {
        Uma::Unreachable | Uma::Timeout | Uma::Unavailable => (
            ErrorKind::AmUnreachable,
            format!("{name} can't be reached; try again later"),
        ),
        Uma::NeedsConsent | Uma::PatDead | Uma::InsufficientScope => (
            ErrorKind::NeedsConsent,
            format!("your connection to {name} has ended; connect again"),
        ),
        Uma::Store => (
            ErrorKind::Store,
            String::from("this site's storage could not be read or written; try again later"),
        ),
        Uma::Refused | Uma::Conflict | Uma::InvalidScope | Uma::Unsupported | Uma::NotFound => (
            ErrorKind::AmRefused,
            format!("{name} refused what this site asked"),
        ),
        _ => (
            ErrorKind::AmRefused,
            format!("{name} answered in a way that this site can't trust"),
        ),
    };
    Error::new(kind, text).because(error)
}
