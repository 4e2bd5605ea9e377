//! Connecting an owner to an AM.

use std::time::{Duration, SystemTime};

use tower_warden::OwnerId;
use uma_client::{AuthorizationRequest, CodeExchange, StoredPat};
use url::Url;

use super::Host;
use super::ams::am_trouble;
use crate::am_key::{am_key, fingerprint};
use crate::store::{PendingConnect, Store as _};
use crate::{AuthorizationAnswer, Connection, Error, ErrorKind, ReturnPath};

/// How long an owner has for the consent, in seconds.
const PATIENCE: i64 = 600;

impl Host {
    pub(super) async fn connect_begin(
        &self,
        owner: &OwnerId,
        session: &str,
        am: &str,
        return_to: &ReturnPath,
    ) -> Result<Url, Error> {
        let inner = &self.inner;
        let setting = inner.ams.choose(am)?;
        self.refuse_elsewhere(owner, &setting.issuer).await?;
        let am = inner.am_for_connect(setting).await?;
        let redirect_uri = inner.callback(am.issuer());
        let begun = am
            .client
            .authorization(AuthorizationRequest::new(redirect_uri))
            .await
            .map_err(|error| am_trouble(am.name(), error))?;
        let now = inner.now();
        let pending = PendingConnect {
            state_hash: fingerprint("state", begun.state.expose()),
            owner: owner.clone(),
            session_hash: fingerprint("session", session),
            issuer: am.issuer().clone(),
            verifier: begun.verifier,
            return_to: return_to.clone(),
            redirect_uri: begun.redirect_uri,
            expires: now.saturating_add(PATIENCE),
        };
        inner.store.connect_begun(&pending, now).await?;
        Ok(begun.url)
    }

    /// An owner who shares through one AM can't go to another: those shares would be nobody's.
    async fn refuse_elsewhere(
        &self,
        owner: &OwnerId,
        issuer: &uma_client::Issuer,
    ) -> Result<(), Error> {
        let maps = self.inner.store.maps_of(owner).await?;
        let elsewhere = maps
            .iter()
            .find(|map| map.state != crate::store::RowState::Tombstone && map.issuer != *issuer);
        elsewhere.map_or(Ok(()), |map| Err(self.connected_elsewhere(&map.issuer)))
    }

    fn connected_elsewhere(&self, issuer: &uma_client::Issuer) -> Error {
        Error::new(
            ErrorKind::ConnectedElsewhere,
            format!(
                "you share through {}; stop sharing there before you connect to another authorization manager",
                self.inner.ams.name(issuer)
            ),
        )
        .at("am")
    }

    pub(super) async fn connect_finish(
        &self,
        owner: &OwnerId,
        session: &str,
        key: &str,
        answer: AuthorizationAnswer,
    ) -> Result<ReturnPath, Error> {
        let inner = &self.inner;
        let not_begun = || {
            Error::new(
                ErrorKind::State,
                "this answer belongs to no connection that you began here, or was used before; begin again",
            )
        };
        let state = answer.state.ok_or_else(not_begun)?;
        let pending = inner
            .store
            .connect_answered(&fingerprint("state", state.expose()))
            .await?
            .ok_or_else(not_begun)?;
        // From here on the authorization is used up, whatever comes of it.
        if pending.owner != *owner
            || pending.session_hash != fingerprint("session", session)
            || am_key(&pending.issuer) != key
        {
            tracing::warn!(am = %pending.issuer, "an authorization was answered by another owner, session or AM");
            return Err(not_begun());
        }
        if pending.expires <= inner.now() {
            return Err(Error::new(
                ErrorKind::State,
                "connecting took longer than ten minutes; begin again",
            ));
        }
        if answer
            .iss
            .as_deref()
            .is_some_and(|iss| iss != pending.issuer.as_str())
        {
            return Err(not_begun());
        }
        let am = inner.am(&pending.issuer).await?;
        if let Some(error) = answer.error {
            return Err(not_consented(am.name(), &error));
        }
        let code = answer.code.ok_or_else(not_begun)?;
        // The state was found by its hash: what was sent is what came back.
        let exchange = CodeExchange::new(pending.redirect_uri, code)
            .verifier(pending.verifier)
            .states(state.clone(), state)
            .issuer(answer.iss.as_deref());
        let tokens =
            am.client
                .exchange_code(exchange)
                .await
                .map_err(|error| match error.kind() {
                    uma_client::ErrorKind::IssuerMismatch
                    | uma_client::ErrorKind::StateMismatch => not_begun().because(error),
                    _ => am_trouble(am.name(), error),
                })?;
        let pat = StoredPat::from_tokens(&tokens, inner.clock.now());
        if !inner
            .store
            .connected(owner, &pending.issuer, &pat, inner.now())
            .await?
        {
            return Err(self.connected_elsewhere(&pending.issuer));
        }
        inner.keepers.forget(owner, &pending.issuer);
        // What waited for this PAT can go on.
        inner.wake_reconciler();
        tracing::info!(am = %pending.issuer, "an owner was connected");
        Ok(pending.return_to)
    }

    pub(super) async fn connection_of(&self, owner: &OwnerId) -> Result<Option<Connection>, Error> {
        let record = self.inner.store.connection(owner).await?;
        Ok(record.map(|record| Connection {
            name: self.inner.ams.name(&record.issuer),
            issuer: record.issuer,
            since: time(record.since),
            state: record.state,
        }))
    }
}

/// The owner did not consent, or the AM was in trouble (RFC 6749 section 4.1.2.1). Nothing of what it wrote is shown.
fn not_consented(name: &str, error: &str) -> Error {
    match error {
        "access_denied" => Error::new(
            ErrorKind::NoConsent,
            format!("you did not allow this site at {name}; nothing was changed"),
        ),
        "temporarily_unavailable" | "server_error" => Error::new(
            ErrorKind::AmUnreachable,
            format!("{name} is in trouble; try again later"),
        ),
        _ => Error::new(
            ErrorKind::AmRefused,
            format!("{name} refused to connect you"),
        ),
    }
}

/// A stored time.
pub(super) fn time(seconds: i64) -> SystemTime {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
