//! Whether the client that the host once registered at an AM is still good for connecting.

use std::sync::Arc;

use http::StatusCode;
use uma_client::{AmClient, Registration, epoch_seconds};

use super::super::Inner;
use crate::policy::AmSetting;
use crate::store::AmRecord;

/// What has become of a registration.
pub(super) enum Standing {
    /// It is as it was, or the AM can't be asked.
    Good,
    /// It was brought up to date: keep what the AM gave.
    Changed(Box<AmRecord>),
    /// The AM does not know it any more, or won't change it: register anew.
    Gone,
}

impl Inner {
    /// Asks the AM, where it lets registrations be managed (RFC 7592): it may have forgotten this host, and this host may
    /// answer elsewhere than it did. Owners connect seldom, and one who is led to an AM's error page is lost.
    pub(super) async fn standing(
        self: &Arc<Self>,
        setting: &AmSetting,
        client: &AmClient,
        record: &AmRecord,
    ) -> Standing {
        let (Some(uri), Some(token)) = (&record.registration_uri, &record.registration_token)
        else {
            return Standing::Good;
        };
        let registration = Registration::new(record.client.clone())
            .with_management(Some(uri.clone()), Some(token.clone()));
        let found = match client.read_registration(&registration).await {
            Ok(found) => found,
            Err(error) => {
                let gone = matches!(
                    error.status(),
                    Some(
                        StatusCode::UNAUTHORIZED
                            | StatusCode::FORBIDDEN
                            | StatusCode::NOT_FOUND
                            | StatusCode::GONE
                    )
                );
                tracing::warn!(am = %setting.issuer, error = %error, gone, "the host's registration could not be read");
                return if gone { Standing::Gone } else { Standing::Good };
            }
        };
        let callback = self.callback(&setting.issuer);
        if found.metadata.redirect_uris.contains(&callback) {
            return self.changed(record, &found);
        }
        let Ok(metadata) = client.metadata().await else {
            return Standing::Good;
        };
        let asked = self.asked(setting, &metadata);
        match client.update_registration(&found, &asked).await {
            Ok(updated) => self.changed(record, &updated),
            Err(error) => {
                tracing::warn!(am = %setting.issuer, error = %error, "the host's registration could not be updated");
                Standing::Gone
            }
        }
    }

    fn changed(&self, record: &AmRecord, found: &Registration) -> Standing {
        let mut changed = record.clone();
        changed.client.clone_from(&found.credentials);
        changed.secret_expires = found.secret_expires_at.map(epoch_seconds);
        if let Some(token) = &found.registration_token {
            changed.registration_token = Some(token.clone());
        }
        let same = changed.client == record.client
            && changed.registration_token == record.registration_token;
        if same {
            Standing::Good
        } else {
            Standing::Changed(Box::new(changed))
        }
    }
}
