//! Codes, access tokens, refresh tokens and RPTs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Party, State, limits};
use crate::error::Error;

/// An ended RPT is remembered this long, so that a client can still have it upgraded (UMA Grant section 3.3.1).
const ENDED_RPT_KEPT_MS: i64 = 3_600_000;
const REFRESH_TOKEN_LIFE_MS: i64 = 30 * 24 * 3_600_000;

/// An authorization code. A used one is remembered, so that a replay is noticed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Code {
    pub(crate) client_id: String,
    pub(crate) user: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) family: String,
    pub(crate) good_until_ms: i64,
    pub(crate) used: bool,
}

/// An OAuth access token; with the scope `uma_protection` it is a PAT.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct AccessToken {
    pub(crate) client_id: String,
    pub(crate) party: Party,
    pub(crate) scopes: Vec<String>,
    pub(crate) family: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct RefreshToken {
    pub(crate) client_id: String,
    pub(crate) party: Party,
    pub(crate) scopes: Vec<String>,
    pub(crate) family: String,
    pub(crate) used: bool,
}

/// What an RPT allows on one resource.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Granted {
    /// Scopes granted by policy: they count as long as a policy still allows them.
    pub(crate) by_policy: BTreeSet<String>,
    /// Scopes put there by a script, whatever the policies say.
    pub(crate) by_script: BTreeSet<String>,
}

/// A requesting party token: for one (requesting party, client, host, owner).
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Rpt {
    pub(crate) client_id: String,
    pub(crate) subject: String,
    pub(crate) owner: Party,
    pub(crate) host: String,
    pub(crate) permissions: BTreeMap<String, Granted>,
    pub(crate) issued_ms: i64,
    pub(crate) expires_ms: i64,
}

impl Rpt {
    /// True when both speak of the same requesting party, client, host and owner.
    pub(crate) fn same_parties(&self, other: &Self) -> bool {
        self.client_id == other.client_id
            && self.subject == other.subject
            && self.owner == other.owner
            && self.host == other.host
    }

    /// Adds what another one allows.
    pub(crate) fn absorb(&mut self, other: &Self) {
        for (resource, granted) in &other.permissions {
            let mine = self.permissions.entry(resource.clone()).or_default();
            mine.by_policy.extend(granted.by_policy.iter().cloned());
            mine.by_script.extend(granted.by_script.iter().cloned());
        }
    }
}

impl State {
    pub(crate) fn issue_access_token(
        &mut self,
        token: AccessToken,
        expires_ms: i64,
    ) -> Result<String, Error> {
        self.access_tokens
            .issue(&self.mark, token, expires_ms, limits::TOKENS)
    }

    pub(crate) fn issue_refresh_token(
        &mut self,
        token: RefreshToken,
        now_ms: i64,
    ) -> Result<String, Error> {
        let expires_ms = now_ms.saturating_add(REFRESH_TOKEN_LIFE_MS);
        self.refresh_tokens
            .issue(&self.mark, token, expires_ms, limits::TOKENS)
    }

    pub(crate) fn issue_rpt(&mut self, rpt: Rpt) -> Result<String, Error> {
        let kept_until = rpt.expires_ms.saturating_add(ENDED_RPT_KEPT_MS);
        self.rpts.issue(&self.mark, rpt, kept_until, limits::TOKENS)
    }

    /// The RPT, unless it has ended.
    pub(crate) fn live_rpt(&self, token: &str, now_ms: i64) -> Option<&Rpt> {
        self.rpts
            .get(token, now_ms)
            .map(|(rpt, _)| rpt)
            .filter(|rpt| rpt.expires_ms > now_ms)
    }

    /// Revokes everything that came of one consent.
    pub(crate) fn revoke_family(&mut self, family: &str) {
        self.access_tokens.retain(|token| token.family != family);
        self.refresh_tokens.retain(|token| token.family != family);
    }

    /// Revokes a token of any kind; a refresh token takes its family with it. With `client`, only that client's tokens count. True when there was one.
    pub(crate) fn revoke(&mut self, token: &str, client: Option<&str>, now_ms: i64) -> bool {
        let of_client = |id: &str| client.is_none_or(|client| client == id);
        if let Some((refresh, _)) = self.refresh_tokens.get(token, now_ms) {
            if !of_client(&refresh.client_id) {
                return false;
            }
            let family = refresh.family.clone();
            self.revoke_family(&family);
            return true;
        }
        if let Some((access, _)) = self.access_tokens.get(token, now_ms) {
            return of_client(&access.client_id)
                && self.access_tokens.take(token, now_ms).is_some();
        }
        if let Some((rpt, _)) = self.rpts.get(token, now_ms) {
            return of_client(&rpt.client_id) && self.rpts.take(token, now_ms).is_some();
        }
        false
    }
}
