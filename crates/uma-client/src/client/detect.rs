//! Telling what an AM speaks, and how, from its metadata.

use std::sync::Arc;

use crate::client::discovery::Discovery;
use crate::client::hints::Hints;
use crate::client::{AmClient, Settings, Shared};
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::profile::AmProfile;

impl AmClient {
    /// This client, with the profile that the AM's metadata tell for certain ([`AmProfile::recognise`]); as it is where they
    /// tell none. One line in the log says which it was.
    ///
    /// # Errors
    /// As [`metadata`](Self::metadata).
    pub async fn with_detected_profile(&self) -> Result<Self, Error> {
        let metadata = self.metadata().await?;
        let detected = self.dialect().recognise(&metadata);
        let profile = detected.as_ref().unwrap_or_else(|| self.profile());
        tracing::info!(
            am = %self.issuer(),
            dialect = self.dialect().as_str(),
            profile = &*profile.name,
            recognised = detected.is_some(),
            live_decisions = profile.live_decision,
            "how this AM is spoken to",
        );
        let changed = detected.filter(|detected| detected != self.profile());
        Ok(changed.map_or_else(
            || self.clone(),
            |profile| self.spoken_to(self.dialect(), profile),
        ))
    }

    /// This client, with the dialect and the profile that the AM's metadata tell for certain. An AM that says that it has no
    /// metadata document of this client's dialect (404, 410) speaks the first of the others whose document it has; any other
    /// answer, or none, says nothing about what it speaks, and is an error.
    ///
    /// # Errors
    /// As [`metadata`](Self::metadata); those of this client's own dialect where the AM has none of the documents.
    pub async fn detected(&self) -> Result<Self, Error> {
        let absent = match self.metadata().await {
            Ok(_) => return self.with_detected_profile().await,
            Err(error) if error.kind() == ErrorKind::NotFound => error,
            Err(error) => return Err(error),
        };
        let others = Dialect::ALL
            .iter()
            .filter(|dialect| **dialect != self.dialect());
        for dialect in others {
            let other = self.spoken_to(*dialect, dialect.profile());
            match other.metadata().await {
                Ok(_) => return other.with_detected_profile().await,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(absent)
    }

    /// The same client, speaking otherwise.
    fn spoken_to(&self, dialect: Dialect, profile: AmProfile) -> Self {
        Self {
            shared: Arc::new(Shared {
                issuer: self.shared.issuer.clone(),
                settings: Settings {
                    dialect,
                    profile,
                    ..self.shared.settings.clone()
                },
                http: self.shared.http.clone(),
                clock: Arc::clone(&self.shared.clock),
                discovery: Discovery::new(),
                hints: Hints::default(),
            }),
            credentials: self.credentials.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{answer, builder, metadata, raw_script};
    use crate::{AmProfile, Dialect, ErrorKind};

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
        let both = am.detected().await.unwrap();
        assert_eq!(both.profile(), &AmProfile::keycloak());
        assert_eq!(both.dialect(), Dialect::Uma2);
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

    fn of_2012() -> serde_json::Value {
        json!({
            "version": "1.0",
            "issuer": "https://am.example",
            "token_types_supported": ["artifact"],
            "host_grant_types_supported": ["authorization_code", "client_credentials"],
            "host_token_endpoint": "https://am.example/token",
            "host_user_endpoint": "https://am.example/user",
            "resource_set_registration_endpoint": "https://am.example/sets",
            "token_status_endpoint": "https://am.example/status",
            "permission_registration_endpoint": "https://am.example/permission",
            "requester_token_endpoint": "https://am.example/requester",
            "permission_request_endpoint": "https://am.example/grant",
        })
    }

    #[tokio::test]
    async fn a_dialect_is_detected_by_the_document_that_is_there() {
        let (_, http) = raw_script(|seen| async move {
            if seen.uri.ends_with("/uma-configuration") {
                answer(200, of_2012())
            } else {
                answer(404, json!({}))
            }
        });
        let am = builder(&http).build().unwrap();
        let detected = am.detected().await.unwrap();
        assert_eq!(detected.dialect(), Dialect::Draft03);
        assert_eq!(*detected.profile(), Dialect::Draft03.profile());
        assert_eq!(detected.credentials(), am.credentials());
    }

    /// A UMA 2.0 AM in trouble is not taken for one of 2012, whatever else is served there.
    #[tokio::test]
    async fn trouble_tells_no_dialect() {
        for status in [500, 503, 403, 401, 302] {
            let (_, http) = raw_script(move |seen| async move {
                if seen.uri.ends_with("/uma-configuration") {
                    answer(200, of_2012())
                } else {
                    answer(status, json!({}))
                }
            });
            let error = builder(&http)
                .build()
                .unwrap()
                .detected()
                .await
                .unwrap_err();
            assert_ne!(error.kind(), ErrorKind::NotFound, "{status}");
        }
        let (script, http) = raw_script(|_| async { answer(404, json!({})) });
        let error = builder(&http)
            .build()
            .unwrap()
            .detected()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(script.all().len(), 2);
    }
}
