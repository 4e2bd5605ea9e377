//! Telling an AM's profile from its metadata.

use std::sync::Arc;

use crate::client::discovery::Discovery;
use crate::client::hints::Hints;
use crate::client::{AmClient, Shared};
use crate::error::Error;
use crate::profile::AmProfile;

impl AmClient {
    /// This client, with the profile that the AM's metadata tell for certain ([`AmProfile::recognise`]); as it is where they
    /// tell none. One line in the log says which it was.
    ///
    /// # Errors
    /// As [`metadata`](Self::metadata).
    pub async fn with_detected_profile(&self) -> Result<Self, Error> {
        let metadata = self.metadata().await?;
        let detected = AmProfile::recognise(&metadata);
        let profile = detected.as_ref().unwrap_or_else(|| self.profile());
        tracing::info!(
            am = %self.issuer(),
            dialect = self.dialect().as_str(),
            profile = &*profile.name,
            recognised = detected.is_some(),
            live_decisions = profile.live_decision,
            "how this AM is spoken to",
        );
        let Some(profile) = detected.filter(|detected| detected != self.profile()) else {
            return Ok(self.clone());
        };
        let mut settings = self.shared.settings.clone();
        settings.profile = profile;
        Ok(Self {
            shared: Arc::new(Shared {
                issuer: self.shared.issuer.clone(),
                settings,
                http: self.shared.http.clone(),
                clock: Arc::clone(&self.shared.clock),
                discovery: Discovery::new(),
                hints: Hints::default(),
            }),
            credentials: self.credentials.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::AmProfile;
    use crate::testing::{answer, builder, metadata, raw_script};

    #[tokio::test]
    async fn a_profile_is_detected_where_that_is_certain() {
        let (script, http) = raw_script(|_| {
            let mut metadata = metadata();
            let realm = "https://am.example/realms/x/authz/protection";
            metadata["resource_registration_endpoint"] = json!(format!("{realm}/resource_set"));
            metadata["permission_endpoint"] = json!(format!("{realm}/permission"));
            async move { answer(200, metadata) }
        });
        let am = builder(&http).build().unwrap();
        let detected = am.with_detected_profile().await.unwrap();
        assert_eq!(detected.profile(), &AmProfile::keycloak());
        assert_eq!(detected.credentials(), am.credentials());
        detected.metadata().await.unwrap();
        let asked: Vec<String> = script.all().into_iter().map(|seen| seen.uri).collect();
        assert_eq!(asked.len(), 3, "{asked:?}");
        assert!(asked[2].ends_with("/openid-configuration"), "{asked:?}");
    }

    #[tokio::test]
    async fn what_is_not_recognised_stays_as_it_was_named() {
        let (script, http) = raw_script(|_| async { answer(200, metadata()) });
        let mut named = AmProfile::uma2();
        named.name = "of-my-own".into();
        let am = builder(&http).profile(named.clone()).build().unwrap();
        let detected = am.with_detected_profile().await.unwrap();
        assert_eq!(detected.profile(), &named);
        detected.metadata().await.unwrap();
        assert_eq!(script.all().len(), 1, "the metadata are not fetched again");
    }
}
