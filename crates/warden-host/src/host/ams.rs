//! The AMs that this host works with, and its client at each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tower_warden::{Am, Audience, OwnerId};
use uma_client::wire::ClientMetadata;
use uma_client::{AmClient, Clock, Http, IntrospectionAuth, Issuer, Registration, epoch_seconds};

use super::{Inner, paths::Locks};
use crate::am_key::am_key;
use crate::policy::AmSetting;
use crate::store::{AmRecord, Store as _};
use crate::{AmChoice, AmPolicy, AnyStore, Error, ErrorKind};

/// The AMs.
pub(crate) struct Ams {
    policy: AmPolicy,
    http: Http,
    clock: Arc<dyn Clock>,
    client_name: String,
    host_id: Option<String>,
    known: Mutex<HashMap<Issuer, Arc<AmEntry>>>,
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
        http: Http,
        clock: Arc<dyn Clock>,
        client_name: String,
        host_id: Option<String>,
    ) -> Self {
        Self {
            policy,
            http,
            clock,
            client_name,
            host_id,
            known: Mutex::default(),
            registering: Locks::default(),
        }
    }

    pub(super) fn choices(&self) -> Vec<AmChoice> {
        let choice = |setting: &AmSetting| AmChoice {
            issuer: setting.issuer.clone(),
            name: setting.name.clone(),
        };
        self.policy.settings().iter().map(choice).collect()
    }

    pub(super) fn choose(&self, typed: &str) -> Result<AmSetting, Error> {
        self.policy.choose(typed)
    }

    /// The setting for an AM that is in the store; `None` if this host no longer works with it.
    fn setting(&self, issuer: &Issuer) -> Option<AmSetting> {
        let named = self
            .policy
            .settings()
            .iter()
            .find(|setting| setting.issuer == *issuer);
        match (named, &self.policy) {
            (Some(setting), _) => Some(setting.clone()),
            (None, AmPolicy::Any(_)) => Some(AmSetting::new(issuer.clone())),
            (None, AmPolicy::Only(_)) => None,
        }
    }

    /// Whether introspection at an AM is made with the owner's PAT.
    pub(crate) fn introspects_as_owner(&self, issuer: &Issuer) -> bool {
        self.policy
            .settings()
            .iter()
            .find(|setting| setting.issuer == *issuer)
            .is_none_or(|setting| setting.profile.introspection_auth == IntrospectionAuth::Pat)
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
        let Some(record) = store.am(issuer).await? else {
            return Ok(None);
        };
        let client = self.client(&setting)?;
        self.remember(setting, &client, &record).map(Some)
    }

    fn remembered(&self, issuer: &Issuer) -> Option<Arc<AmEntry>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(issuer).cloned()
    }

    fn remember(
        &self,
        setting: AmSetting,
        client: &AmClient,
        record: &AmRecord,
    ) -> Result<Arc<AmEntry>, Error> {
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
        let enforced = Am::new(setting.issuer.clone(), audience)
            .with_dialect(setting.dialect)
            .with_name(setting.name.clone());
        let entry = Arc::new(AmEntry {
            client: client.with_credentials(credentials),
            enforced: Arc::new(enforced),
            client_id,
            secret_expires: record.secret_expires,
            setting,
        });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(entry.issuer().clone(), Arc::clone(&entry));
        Ok(entry)
    }

    fn client(&self, setting: &AmSetting) -> Result<AmClient, Error> {
        let mut builder = AmClient::builder(setting.issuer.clone())
            .profile(setting.profile.clone())
            .dialect(setting.dialect)
            .http(self.http.clone())
            .clock(Arc::clone(&self.clock));
        if let Some(url) = &setting.discovery_url {
            builder = builder.discovery_url(url.as_str());
        }
        if setting.allow_insecure {
            builder = builder.allow_insecure_http();
        }
        // An AM that an owner brings gets no say in where the host's secrets are sent.
        let named = self
            .policy
            .settings()
            .iter()
            .any(|one| one.issuer == setting.issuer);
        if !named {
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

impl Inner {
    /// An AM at which the host has a client: registers it there if that was never done, or if its secret has ended.
    ///
    /// However many owners come at once, it is registered once (RFC 7591).
    pub(super) async fn am_for_connect(
        self: &Arc<Self>,
        setting: AmSetting,
    ) -> Result<Arc<AmEntry>, Error> {
        let ams = &self.ams;
        let issuer = setting.issuer.clone();
        if let Some(entry) = ams.remembered(&issuer).filter(|entry| ams.is_good(entry)) {
            return Ok(entry);
        }
        let _alone = ams.registering.lock(issuer.clone()).await;
        if let Some(entry) = ams.remembered(&issuer).filter(|entry| ams.is_good(entry)) {
            return Ok(entry);
        }
        let kept = self.store.am(&issuer).await?;
        let client = ams.client(&setting)?;
        if let Some(given) = &setting.credentials {
            let mut by_id = given.clone();
            // The secret stays where the operator keeps it.
            by_id.secret = None;
            let record = AmRecord {
                issuer: issuer.clone(),
                dialect: dialect_name(&setting),
                profile: setting.profile.name.to_string(),
                client: by_id,
                secret_expires: None,
                registration_token: None,
                registration_uri: None,
            };
            return self.am_settled(setting, &client, record, kept).await;
        }
        if let Some(kept) = &kept
            && kept
                .secret_expires
                .is_none_or(|expires| expires > ams.now())
        {
            return ams.remember(setting, &client, kept);
        }
        let registration = self.register_at(&setting, &client, &issuer).await?;
        let record = AmRecord {
            issuer: issuer.clone(),
            dialect: dialect_name(&setting),
            profile: setting.profile.name.to_string(),
            client: registration.credentials.clone(),
            secret_expires: registration.secret_expires_at.map(epoch_seconds),
            registration_token: registration.registration_token.clone(),
            registration_uri: registration.registration_uri.clone(),
        };
        let entry = self.am_settled(setting, &client, record, kept).await?;
        if entry.client_id != registration.credentials.client_id {
            // Another node was first; what the AM keeps of this one is of no use to anybody.
            if let Err(error) = client.delete_registration(&registration).await {
                tracing::info!(am = %issuer, error = %error, "a surplus client registration stays at the AM");
            }
        }
        Ok(entry)
    }

    /// Keeps a client and makes it known.
    async fn am_settled(
        self: &Arc<Self>,
        setting: AmSetting,
        client: &AmClient,
        record: AmRecord,
        before: Option<AmRecord>,
    ) -> Result<Arc<AmEntry>, Error> {
        let replaces = before.map(|before| before.client.client_id);
        let kept = self
            .store
            .am_registered(&record, replaces.as_deref(), self.now())
            .await?;
        let entry = self.ams.remember(setting, client, &kept)?;
        if replaces.is_some_and(|before| before != entry.client_id) {
            self.keepers.forget_am(entry.issuer());
            self.publish().await?;
        }
        Ok(entry)
    }

    async fn register_at(
        &self,
        setting: &AmSetting,
        client: &AmClient,
        issuer: &Issuer,
    ) -> Result<Registration, Error> {
        let metadata = client
            .metadata()
            .await
            .map_err(|error| am_trouble(&setting.name, error))?;
        // RFC 8414 section 2: what is left out is client_secret_basic.
        let methods = &metadata.token_endpoint_auth_methods_supported;
        let offers = |name: &str| methods.iter().any(|method| method == name);
        let auth = if !offers("client_secret_basic") && offers("client_secret_post") {
            "client_secret_post"
        } else {
            "client_secret_basic"
        };
        let scopes: Vec<&str> = setting.profile.pat_scopes().collect();
        let asked = ClientMetadata {
            client_name: Some(self.ams.client_name.clone()),
            redirect_uris: vec![self.callback(issuer)],
            grant_types: vec!["authorization_code".into(), "refresh_token".into()],
            response_types: vec!["code".into()],
            token_endpoint_auth_method: Some(auth.into()),
            scope: Some(scopes.join(" ")).filter(|scopes| !scopes.is_empty()),
            software_id: self.ams.host_id.clone(),
            ..ClientMetadata::default()
        };
        client
            .register(&asked, setting.initial_access_token.as_ref())
            .await
            .map_err(|error| am_trouble(&setting.name, error))
    }

    /// The callback of an AM.
    pub(super) fn callback(&self, issuer: &Issuer) -> String {
        let base = self.callback_base.as_str().trim_end_matches('/');
        format!("{base}/{}", am_key(issuer))
    }

    /// The AM of an owner's map or connection, if this host can speak to it.
    pub(crate) async fn am(&self, issuer: &Issuer) -> Result<Arc<AmEntry>, Error> {
        self.ams.known(&self.store, issuer).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::UnknownAm,
                format!("this host no longer works with {}", self.ams.name(issuer)),
            )
        })
    }

    /// The keeper of an owner's PAT at an AM.
    pub(crate) fn keeper(&self, owner: &OwnerId, am: &AmEntry) -> Arc<uma_client::PatKeeper> {
        self.keepers.of(&self.store, &self.clock, owner, am)
    }
}

fn dialect_name(setting: &AmSetting) -> String {
    format!("{:?}", setting.dialect).to_ascii_lowercase()
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
