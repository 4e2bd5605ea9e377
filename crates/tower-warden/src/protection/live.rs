//! Live decisions: what an AM's policies permit now, which its introspection may not say.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use uma_client::wire::PermissionRequest;
use uma_client::{AmClient, Error, ErrorKind, LiveDecision, ResourceId};

use super::{Evidence, Rpt, Source};

/// Most resources that are asked for one by one, when the AM does not know one of a token's.
const MOST_ALONE: usize = 16;

type Choice = dyn Fn(&ResourceId) -> bool + Send + Sync;

/// For which resources the AM is asked on each check of a token what its policies permit at that moment, besides what the
/// token was once given.
///
/// An AM may go on calling a token good after the owner has taken back what she permitted: Keycloak does so until the token
/// ends, and for tokens that are refreshed from it. With live decisions her "no" holds as soon as cached answers end. They
/// cost one more call on each cache miss, and can only take away: a token that introspection does not call good gets
/// nothing. The AM's profile has to have them ([`AmProfile::live_decision`](uma_client::AmProfile::live_decision)).
///
/// ```
/// use tower_warden::LiveDecisions;
///
/// let diary = String::from("9f3c");
/// let for_one = LiveDecisions::only(move |id| id.as_str() == diary);
/// let for_all = LiveDecisions::always();
/// # let _ = (for_one, for_all);
/// ```
#[derive(Clone, Default)]
pub struct LiveDecisions(Asked);

#[derive(Clone, Default)]
enum Asked {
    #[default]
    Never,
    Always,
    Only(Arc<Choice>),
}

impl LiveDecisions {
    /// For no resource: the default.
    #[must_use]
    pub fn never() -> Self {
        Self::default()
    }

    /// For all resources.
    #[must_use]
    pub fn always() -> Self {
        Self(Asked::Always)
    }

    /// For the resources that `choice` says yes to. It is asked for all resources of a token, of this host or not.
    #[must_use]
    pub fn only(choice: impl Fn(&ResourceId) -> bool + Send + Sync + 'static) -> Self {
        Self(Asked::Only(Arc::new(choice)))
    }

    /// Whether they are made for any resource.
    #[must_use]
    pub fn are_made(&self) -> bool {
        !matches!(self.0, Asked::Never)
    }

    fn are_made_for(&self, resource: &ResourceId) -> bool {
        match &self.0 {
            Asked::Never => false,
            Asked::Always => true,
            Asked::Only(choice) => choice(resource),
        }
    }

    /// Takes from evidence what the AM's policies no longer permit. All permissions of the token are asked for, not only
    /// those of one request: the evidence is kept, and other requests lean on it.
    ///
    /// # Errors
    ///
    /// That of [`AmClient::live_decision`]: evidence that could not be confirmed does not count.
    pub async fn confirm(
        &self,
        client: &AmClient,
        rpt: &Rpt,
        evidence: Evidence,
    ) -> Result<Evidence, Error> {
        let Evidence::Active(mut token) = evidence else {
            return Ok(evidence);
        };
        let mut asked: BTreeMap<&ResourceId, Vec<String>> = BTreeMap::new();
        for permission in &token.permissions {
            if self.are_made_for(&permission.resource_id) {
                let scopes = asked.entry(&permission.resource_id).or_default();
                scopes.extend_from_slice(&permission.scopes);
            }
        }
        if asked.is_empty() {
            return Ok(Evidence::Active(token));
        }
        let asked: Vec<PermissionRequest> = asked
            .into_iter()
            .map(|(id, mut scopes)| {
                scopes.sort_unstable();
                scopes.dedup();
                let mut request = PermissionRequest::default();
                id.as_str().clone_into(&mut request.resource_id);
                request.resource_scopes = scopes;
                request
            })
            .collect();
        let decision = decide_now(client, rpt, &asked).await?;
        for permission in &mut token.permissions {
            if self.are_made_for(&permission.resource_id) {
                let id = &permission.resource_id;
                permission
                    .scopes
                    .retain(|scope| decision.permits(id, scope));
            }
        }
        token
            .permissions
            .retain(|permission| !permission.scopes.is_empty());
        token.source = Source::LiveDecision;
        Ok(Evidence::Active(token))
    }
}

async fn decide_now(
    client: &AmClient,
    rpt: &Rpt,
    asked: &[PermissionRequest],
) -> Result<LiveDecision, Error> {
    let unknown = |error: &Error| {
        matches!(
            error.kind(),
            ErrorKind::InvalidResourceId | ErrorKind::InvalidScope
        )
    };
    match client.live_decision(rpt.secret(), asked).await {
        Err(error) if unknown(&error) => {}
        decided => return decided,
    }
    // One that the AM no longer knows must not take the others away.
    let mut decision = LiveDecision::default();
    if let [_, _, ..] = asked {
        for one in asked.iter().take(MOST_ALONE) {
            match client
                .live_decision(rpt.secret(), std::slice::from_ref(one))
                .await
            {
                Ok(decided) => decision.permitted.extend(decided.permitted),
                Err(error) if unknown(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(decision)
}

impl fmt::Debug for LiveDecisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Asked::Never => "LiveDecisions(never)",
            Asked::Always => "LiveDecisions(always)",
            Asked::Only(_) => "LiveDecisions(only ..)",
        })
    }
}

#[cfg(test)]
mod tests;
