//! Coming to have a client at an AM, and a PAT of an owner there.

use std::sync::Arc;

use tower_warden::OwnerId;
use uma_client::wire::{ClientMetadata, Metadata};
use uma_client::{AmClient, Issuer, Registration, StoredPat, TokenHint, epoch_seconds};

use super::super::Inner;
use super::standing::Standing;
use super::{AmEntry, am_trouble};
use crate::am_key::am_key;
use crate::policy::{AmSetting, PatStrategy};
use crate::store::{AmRecord, Store as _};
use crate::{Error, ErrorKind};

impl Inner {
    /// An AM at which the host has a client: registers it there if that was never done, or if its secret has ended.
    ///
    /// However many owners come at once, it is registered once (RFC 7591).
    pub(crate) async fn am_for_connect(
        self: &Arc<Self>,
        setting: AmSetting,
    ) -> Result<Arc<AmEntry>, Error> {
        let ams = &self.ams;
        let issuer = setting.issuer.clone();
        let _alone = ams.registering.lock(issuer.clone()).await;
        let known = ams.remembered(&issuer).filter(|entry| ams.is_good(entry));
        if setting.credentials.is_some()
            && let Some(entry) = known
        {
            return Ok(entry);
        }
        let kept = self.store.am(&issuer).await?;
        let setting = self.spoken_to(setting, kept.as_ref()).await?;
        let client = ams.client(&setting)?;
        if let Some(given) = &setting.credentials {
            let mut by_id = given.clone();
            // The secret stays where the operator keeps it.
            by_id.secret = None;
            let record = AmRecord {
                issuer: issuer.clone(),
                dialect: setting.dialect.as_str().to_owned(),
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
            match self.standing(&setting, &client, kept).await {
                Standing::Good if is_spoken_to_so(kept, &setting) => {
                    return Ok(ams.remember(setting, &client, kept));
                }
                standing @ (Standing::Good | Standing::Changed(_)) => {
                    let mut record = match standing {
                        Standing::Changed(record) => *record,
                        _ => kept.clone(),
                    };
                    record.dialect = setting.dialect.as_str().to_owned();
                    record.profile = setting.profile.name.to_string();
                    let before = Some(kept.clone());
                    return self.am_settled(setting, &client, record, before).await;
                }
                Standing::Gone => {}
            }
        }
        let registration = self.register_at(&setting, &client).await?;
        let record = AmRecord {
            issuer: issuer.clone(),
            dialect: setting.dialect.as_str().to_owned(),
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

    /// The setting of an AM that an owner brings, with the dialect and the profile that the AM's metadata tell for certain.
    /// One that is known keeps its dialect: what is registered there is registered in that.
    async fn spoken_to(
        &self,
        setting: AmSetting,
        kept: Option<&AmRecord>,
    ) -> Result<AmSetting, Error> {
        let ams = &self.ams;
        if ams.is_named(&setting.issuer) {
            return Ok(setting);
        }
        let setting = match kept {
            Some(kept) => ams.as_recorded(setting, kept),
            None => setting,
        };
        let client = ams.client(&setting)?;
        let told = match kept {
            None => client.detected().await,
            Some(_) => client.with_detected_profile().await,
        };
        match told {
            Ok(told) => {
                let mut profile = told.profile().clone();
                profile.scope_base.clone_from(&setting.profile.scope_base);
                Ok(setting.with_dialect(told.dialect()).with_profile(profile))
            }
            Err(error) if kept.is_some() => {
                tracing::info!(am = %setting.issuer, error = %error, "an AM is spoken to as before");
                Ok(setting)
            }
            Err(error) => Err(am_trouble(&setting.name, error)),
        }
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
        let entry = self.ams.remember(setting, client, &kept);
        if replaces.is_some_and(|before| before != entry.client_id) {
            self.keepers.drop_am(entry.issuer());
            self.publish().await?;
        }
        Ok(entry)
    }

    async fn register_at(
        &self,
        setting: &AmSetting,
        client: &AmClient,
    ) -> Result<Registration, Error> {
        let metadata = client
            .metadata()
            .await
            .map_err(|error| am_trouble(&setting.name, error))?;
        let asked = self.asked(setting, &metadata);
        client
            .register(&asked, setting.initial_access_token.as_ref())
            .await
            .map_err(|error| am_trouble(&setting.name, error))
    }

    /// What the host asks to be registered as.
    pub(super) fn asked(&self, setting: &AmSetting, metadata: &Metadata) -> ClientMetadata {
        // RFC 8414 section 2: what is left out is client_secret_basic.
        let methods = &metadata.token_endpoint_auth_methods_supported;
        let offers = |name: &str| methods.iter().any(|method| method == name);
        let auth = if !offers("client_secret_basic") && offers("client_secret_post") {
            "client_secret_post"
        } else {
            "client_secret_basic"
        };
        let scopes: Vec<&str> = setting.profile.pat_scopes().collect();
        let grants: &[&str] = match setting.pat {
            PatStrategy::HostCredentials => &["client_credentials"],
            PatStrategy::OwnerConsent | PatStrategy::OwnerCredentials => {
                &["authorization_code", "refresh_token"]
            }
        };
        ClientMetadata {
            client_name: Some(self.ams.client_name.clone()),
            redirect_uris: vec![self.callback(&setting.issuer)],
            grant_types: grants.iter().map(ToString::to_string).collect(),
            response_types: vec!["code".into()],
            token_endpoint_auth_method: Some(auth.into()),
            scope: Some(scopes.join(" ")).filter(|scopes| !scopes.is_empty()),
            software_id: self.ams.host_id.clone(),
            ..ClientMetadata::default()
        }
    }

    /// The callback of an AM.
    pub(crate) fn callback(&self, issuer: &Issuer) -> String {
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
    pub(crate) async fn keeper(
        &self,
        owner: &OwnerId,
        am: &AmEntry,
    ) -> Result<Arc<uma_client::PatKeeper>, uma_client::Error> {
        self.keepers
            .of(
                &self.store,
                &self.worker,
                &self.clock,
                &self.notify,
                owner,
                am,
            )
            .await
    }

    /// Gives tokens back to an AM, as far as it takes them (RFC 7009). What comes of it changes nothing here.
    pub(crate) async fn give_back(&self, issuer: &Issuer, pat: Option<StoredPat>) {
        let (Some(pat), Ok(am)) = (pat, self.am(issuer).await) else {
            return;
        };
        // The refresh token first: most AMs drop what came from it as well.
        let refresh = pat
            .refresh_token
            .map(|token| (token, TokenHint::RefreshToken));
        for (token, hint) in refresh
            .into_iter()
            .chain([(pat.access_token, TokenHint::AccessToken)])
        {
            if let Err(error) = am.client.revoke(&token, hint).await {
                tracing::info!(am = %issuer, error = %error, "a token could not be given back to its AM");
            }
        }
    }
}

/// Whether what is kept of an AM says that it is spoken to as it is now.
fn is_spoken_to_so(kept: &AmRecord, setting: &AmSetting) -> bool {
    kept.dialect == setting.dialect.as_str() && kept.profile == setting.profile.name
}
