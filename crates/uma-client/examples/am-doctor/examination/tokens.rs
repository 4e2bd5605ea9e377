//! What the AM says of tokens.

use uma_client::wire::PermissionRequest;
use uma_client::{
    Introspection, IntrospectionAuth, IntrospectionCredential, Pat, ResourceId, Secret,
};

use super::{Examination, NO_TOKEN};
use crate::report::{Finding, Mark};

impl Examination {
    pub(super) async fn introspect(&mut self, pat: &Pat) {
        const STEP: &str = "introspection";
        let ways = [
            (self.profile.introspection_auth, "as the profile has it"),
            (IntrospectionAuth::Pat, "with the PAT"),
            (
                IntrospectionAuth::ClientSecretBasic,
                "with the client's secret, by HTTP Basic",
            ),
            (
                IntrospectionAuth::ClientSecretPost,
                "with the client's secret, in the form",
            ),
        ];
        let begun = self.profile.introspection_auth;
        let mut failure = None;
        for (auth, how) in ways {
            self.profile.introspection_auth = auth;
            let Some(am) = self.client(STEP) else { return };
            let credential = match auth {
                IntrospectionAuth::Pat => IntrospectionCredential::Pat(pat),
                _ => IntrospectionCredential::Client,
            };
            match am.introspect(credential, &Secret::new(NO_TOKEN)).await {
                Ok(Introspection::Inactive) if auth == begun => {
                    return self.good(STEP, "a made-up token is inactive");
                }
                Ok(Introspection::Inactive) => return self.different(STEP, how),
                Ok(_) => {
                    let said = "a made-up token is called active: nothing can be protected here";
                    return self.findings.push(Finding::new(STEP, Mark::Bad, said));
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        self.profile.introspection_auth = begun;
        if let Some(error) = failure {
            self.bad(STEP, &error);
        }
    }

    /// Tried where the metadata or the profile say that there are any: others could mean something else by their no.
    pub(super) async fn live(&mut self, id: &ResourceId) {
        const STEP: &str = "live decisions";
        if !self.expects_live {
            return self.good(
                STEP,
                "none that is known of: introspection says all there is",
            );
        }
        self.profile.live_decision = true;
        let asked = PermissionRequest {
            resource_id: id.as_str().to_owned(),
            resource_scopes: vec!["view".to_owned()],
        };
        let Some(am) = self.client(STEP) else { return };
        match am.live_decision(&Secret::new(NO_TOKEN), &[asked]).await {
            Ok(decision) if decision.permitted.is_empty() => {
                self.different(STEP, "the AM says at any time what its policies permit");
            }
            Ok(_) => {
                let said = "a made-up token is permitted something: nothing can be protected here";
                self.findings.push(Finding::new(STEP, Mark::Bad, said));
            }
            Err(error) => {
                self.profile.live_decision = false;
                self.bad(STEP, &error);
            }
        }
    }
}
