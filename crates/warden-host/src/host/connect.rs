//! Connecting an owner to an AM.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tower_warden::OwnerId;
use uma_client::{AuthorizationRequest, ClientCredentials, CodeExchange, StoredPat};
use url::Url;

use super::Host;
use super::ams::{AmEntry, am_trouble};
use crate::am_key::{am_key, fingerprint};
use crate::outbound::refused;
use crate::store::{Consent, MapsQuery, PendingConnect, Store as _};
use crate::{AuthorizationAnswer, Connection, Error, ErrorKind, PatStrategy, ReturnPath};

/// How long an owner has for the consent, in seconds.
const PATIENCE: i64 = 600;

/// What an authorization is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Connect,
    Move,
}

impl Host {
    pub(super) async fn connect_begin(
        &self,
        owner: &OwnerId,
        session: &str,
        am: &str,
        return_to: &ReturnPath,
        purpose: Purpose,
    ) -> Result<Url, Error> {
        let inner = &self.inner;
        let am = self.am_chosen(owner, am, purpose).await?;
        match am.setting.pat {
            PatStrategy::OwnerConsent => {}
            PatStrategy::HostCredentials => {
                // Nobody has to be asked: the way back is the only way there is.
                am.client
                    .client_credentials()
                    .await
                    .map_err(|error| am_trouble(am.name(), error))?;
                self.consented(owner, am.issuer(), &Consent::Host, purpose)
                    .await?;
                return back_at(&inner.callback_base, return_to);
            }
            PatStrategy::OwnerCredentials => {
                return Err(Error::new(
                    ErrorKind::CredentialsNeeded,
                    format!(
                        "make a client for this site at {}, and give its id and secret",
                        am.name()
                    ),
                )
                .at("am"));
            }
        }
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
            moves: purpose == Purpose::Move,
        };
        inner.store.connect_begun(&pending, now).await?;
        Ok(begun.url)
    }

    /// The AM that an owner chose or brought, with a client of this host's there.
    async fn am_chosen(
        &self,
        owner: &OwnerId,
        am: &str,
        purpose: Purpose,
    ) -> Result<Arc<AmEntry>, Error> {
        let inner = &self.inner;
        let chosen = match inner.ams.choose(am) {
            Ok(setting) if inner.ams.is_named(&setting.issuer) => Ok((setting, false)),
            // Once it has worked, it is an AM like any other.
            Ok(setting) => {
                let known = inner.store.am(&setting.issuer).await?.is_some();
                Ok((setting, !known))
            }
            Err(error) if inner.ams.allows_any() => Err(error),
            Err(error) => return Err(error),
        };
        let new = match chosen {
            Ok((setting, false)) => {
                self.refuse_chosen(owner, &setting.issuer, purpose).await?;
                return inner.am_for_connect(setting).await;
            }
            Ok((setting, true)) => {
                self.refuse_chosen(owner, &setting.issuer, purpose).await?;
                Ok(setting)
            }
            Err(error) => Err(error),
        };
        let _alone = inner
            .enrolments
            .begin(owner, inner.clock.monotonic())
            .await?;
        let begin = Instant::now();
        let rules = inner.ams.rules();
        let entered = match new {
            Ok(setting) => {
                let issuer = setting.issuer.clone();
                let work = inner.am_for_connect(setting);
                match tokio::time::timeout(rules.answers_after, work).await {
                    Ok(entered) => entered,
                    Err(_) => Err(refused()),
                }
                .inspect_err(|error| {
                    let cause = error.source().map(ToString::to_string);
                    tracing::info!(am = %issuer, error = %error, cause, "an AM that an owner brought can't be used");
                })
            }
            Err(error) => Err(error),
        };
        match entered {
            Ok(entry) => Ok(entry),
            Err(error) if error.kind() == ErrorKind::Store => Err(error),
            Err(error) => {
                // One answer after one time: what answers inside this network, and how fast, can't be told from it.
                tokio::time::sleep_until(begin + rules.answers_after).await;
                Err(refused().because(error))
            }
        }
    }

    async fn refuse_chosen(
        &self,
        owner: &OwnerId,
        issuer: &uma_client::Issuer,
        purpose: Purpose,
    ) -> Result<(), Error> {
        match purpose {
            Purpose::Connect => self.refuse_elsewhere(owner, issuer).await,
            Purpose::Move => self.refuse_move(owner, issuer).await,
        }
    }

    pub(super) async fn connect_by_client(
        &self,
        owner: &OwnerId,
        am: &str,
        client: ClientCredentials,
        purpose: Purpose,
    ) -> Result<(), Error> {
        let setting = self.inner.ams.choose(am)?;
        if setting.pat != PatStrategy::OwnerCredentials {
            return Err(Error::new(
                ErrorKind::UnknownAm,
                format!("{} is not connected to in this way", setting.name),
            )
            .at("am"));
        }
        self.refuse_chosen(owner, &setting.issuer, purpose).await?;
        let am = self.inner.am_for_connect(setting).await?;
        // It is tried before it is kept.
        am.client
            .with_credentials(client.clone())
            .client_credentials()
            .await
            .map_err(|error| am_trouble(am.name(), error))?;
        self.consented(owner, am.issuer(), &Consent::Client(client), purpose)
            .await
    }

    /// An owner who shares through one AM can't simply go to another: those shares would be nobody's.
    async fn refuse_elsewhere(
        &self,
        owner: &OwnerId,
        issuer: &uma_client::Issuer,
    ) -> Result<(), Error> {
        let page = self
            .inner
            .store
            .maps_page(owner, &MapsQuery::default())
            .await?;
        let elsewhere = page.issuers.iter().find(|one| *one != issuer);
        elsewhere.map_or(Ok(()), |one| Err(self.connected_elsewhere(one)))
    }

    fn connected_elsewhere(&self, issuer: &uma_client::Issuer) -> Error {
        Error::new(
            ErrorKind::ConnectedElsewhere,
            format!(
                "you share through {}; stop sharing there, or move all of it, before you connect to another authorization manager",
                self.inner.ams.name(issuer)
            ),
        )
        .at("am")
    }

    /// What an owner consented to counts from here on.
    async fn consented(
        &self,
        owner: &OwnerId,
        issuer: &uma_client::Issuer,
        consent: &Consent,
        purpose: Purpose,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        match purpose {
            Purpose::Connect => {
                let connected = inner
                    .store
                    .connected(owner, issuer, consent, inner.now())
                    .await?;
                if !connected {
                    return Err(self.connected_elsewhere(issuer));
                }
                inner.keepers.forget(owner, issuer);
                inner.publish().await?;
                inner.purge_owner(owner).await;
                tracing::info!(am = %issuer, "an owner was connected");
            }
            Purpose::Move => {
                let begun = inner
                    .store
                    .move_begun(owner, issuer, consent, inner.now())
                    .await?;
                self.move_accepted(begun, issuer)?;
                inner.keepers.forget(owner, issuer);
                tracing::info!(am = %issuer, "an owner has begun to move");
                self.move_at_once(owner).await;
            }
        }
        // What waited for this can go on.
        inner.wake_reconciler();
        Ok(())
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
        let consent = Consent::Pat(StoredPat::from_tokens(&tokens, inner.clock.now()));
        let purpose = if pending.moves {
            Purpose::Move
        } else {
            Purpose::Connect
        };
        self.consented(owner, &pending.issuer, &consent, purpose)
            .await?;
        Ok(pending.return_to)
    }

    pub(super) async fn connection_of(&self, owner: &OwnerId) -> Result<Option<Connection>, Error> {
        let record = self.inner.store.connection(owner).await?;
        Ok(record.map(|record| Connection {
            name: self.inner.ams.name(&record.issuer),
            issuer: record.issuer,
            since: time(record.since),
            state: record.state,
            ends: record.ends.map(time),
        }))
    }
}

/// The host's own page to go back to.
fn back_at(base: &Url, return_to: &ReturnPath) -> Result<Url, Error> {
    base.join(return_to.as_str()).map_err(|error| {
        Error::new(ErrorKind::Config, "there is no way back to this site").because(error)
    })
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
