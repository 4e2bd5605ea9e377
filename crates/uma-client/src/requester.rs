//! The requester's side: from a challenge to an RPT.
//!
//! ```
//! use http::header::{HeaderMap, WWW_AUTHENTICATE};
//! use uma_client::UmaChallenge;
//!
//! let mut headers = HeaderMap::new();
//! headers.append(WWW_AUTHENTICATE, r#"UMA realm="x",as_uri="https://as.example.com",ticket="t1""#.parse().unwrap());
//! headers.append(WWW_AUTHENTICATE, "Bearer".parse().unwrap());
//! let challenge = UmaChallenge::parse(&headers)?.expect("there is one");
//! assert_eq!(challenge.issuer.unwrap().as_str(), "https://as.example.com");
//! # Ok::<(), uma_client::Error>(())
//! ```

use std::time::Duration;

use http::StatusCode;
use url::Url;

use crate::client::AmClient;
use crate::error::{Error, ErrorKind};
use crate::ids::Ticket;
use crate::secret::Secret;

mod challenge;
mod exchange;
mod guard;

pub use challenge::UmaChallenge;
pub use exchange::{Exchange, Grant, TicketExchange};
pub use guard::RefusalGuard;

const EXCHANGE: &str = "ticket exchange";
const OWN_TOKEN: &str = "POST token (requester)";
/// Between polls when the AM does not say (UMA 2.0 Grant section 3.3.6), and the bounds of what it may say.
pub(crate) const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
pub(crate) const MIN_INTERVAL: Duration = Duration::from_secs(1);
pub(crate) const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// A requester at one AM: exchanges tickets for RPTs. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Requester {
    client: AmClient,
}

impl Requester {
    /// A requester with the credentials of `client`. Without credentials every exchange needs a
    /// [bearer](TicketExchange::bearer).
    pub fn new(client: AmClient) -> Self {
        Self { client }
    }

    /// The client.
    pub fn client(&self) -> &AmClient {
        &self.client
    }

    /// Presents a ticket (grant type `urn:ietf:params:oauth:grant-type:uma-ticket`, UMA 2.0 Grant section 3.3.1). The ticket
    /// is spent, whatever comes back. In a dialect in which the exchange is made with the requester's own token and none is
    /// given ([`TicketExchange::bearer`], [`TicketExchange::rpt`]), that token is fetched first.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidTicket`] when the AM does not take the ticket (`invalid_grant`, `invalid_ticket`): begin again at
    /// the host. [`ErrorKind::InvalidScope`]; [`ErrorKind::Malformed`] when a new ticket is missing or equals the one that was
    /// sent; [`ErrorKind::Refused`] for bad credentials; and what any call may end with.
    pub async fn exchange(&self, exchange: TicketExchange) -> Result<Exchange, Error> {
        let dialect = self.client.dialect();
        let discovered = self.client.discovered().await?;
        let context = self.client.context(&discovered);
        let at = |error: Error| self.client.at(EXCHANGE, error);
        let mut exchange = exchange;
        if dialect.exchange_needs_token(&exchange) {
            exchange = exchange.bearer(self.own_token().await?.rpt);
        }
        let profile = self.client.profile();
        if exchange.is_unattended() {
            for (name, value) in &profile.unattended_parameters {
                exchange = exchange.parameter(name.as_str(), value.as_str());
            }
        }
        let request = dialect.exchange(&context, &exchange).map_err(at)?;
        let mut tries = 1 + u8::from(profile.retries_exchange);
        let response = loop {
            tries -= 1;
            let response = self
                .client
                .send(EXCHANGE, request.clone(), self.client.limits())
                .await?;
            if tries == 0 || response.status() != StatusCode::INTERNAL_SERVER_ERROR {
                break response;
            }
        };
        let outcome = dialect
            .exchanged(&context, &exchange.ticket, &response)
            .map_err(at)?;
        if outcome == Exchange::Denied && exchange::was_submitted(profile, &response) {
            return Ok(Exchange::Submitted {
                ticket: exchange.ticket,
                interval: DEFAULT_INTERVAL,
            });
        }
        Ok(outcome)
    }

    /// Fetches the requester's own token, in dialects in which a requester first shows who it is and only then learns of
    /// tickets ([`Dialect::Draft03`](crate::Dialect::Draft03)): present it at the host like an RPT. It carries no permission.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] in dialects that know no such token, [`ErrorKind::Config`] without credentials,
    /// [`ErrorKind::Refused`] for bad ones, and what any call may end with.
    pub async fn own_token(&self) -> Result<Grant, Error> {
        let dialect = self.client.dialect();
        let discovered = self.client.discovered().await?;
        let context = self.client.context(&discovered);
        let at = |error: Error| self.client.at(OWN_TOKEN, error);
        let request = dialect.own_token(&context).map_err(at)?;
        let response = self
            .client
            .send(OWN_TOKEN, request, self.client.limits())
            .await?;
        dialect.own_token_given(&context, &response).map_err(at)
    }

    /// Polls as long as the AM says `request_submitted`, at the interval it asks for (5 s if it does not; 1 s to 60 s), each
    /// time with the newest ticket, and at most until `patience` has passed. `first` is what the polls send besides the
    /// ticket. [`Exchange::Submitted`] comes back when the time is over: go on with its ticket later.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange).
    pub async fn poll(
        &self,
        first: TicketExchange,
        interval: Option<Duration>,
        patience: Duration,
    ) -> Result<Exchange, Error> {
        let begun = tokio::time::Instant::now();
        let mut exchange = first;
        let mut interval = interval;
        loop {
            let pause = interval
                .unwrap_or(DEFAULT_INTERVAL)
                .clamp(MIN_INTERVAL, MAX_INTERVAL);
            if begun.elapsed().saturating_add(pause) > patience {
                return Ok(Exchange::Submitted {
                    ticket: exchange.ticket,
                    interval: pause,
                });
            }
            tokio::time::sleep(pause).await;
            match self.exchange(exchange.clone()).await? {
                Exchange::Submitted {
                    ticket,
                    interval: next,
                } => {
                    interval = Some(next);
                    exchange.ticket = ticket;
                }
                ended => return Ok(ended),
            }
        }
    }

    /// Where to send the requesting party's browser after [`Exchange::NeedInfo`] (UMA 2.0 Grant section 3.3.2). The AM sends
    /// it back to `return_to` with a new `ticket`, and with `state` as it was: compare that before you go on.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when neither the answer nor the metadata name a place, [`ErrorKind::Config`] without a client
    /// id or when `return_to` is not an absolute URL without fragment.
    pub async fn interaction_url(
        &self,
        ticket: &Ticket,
        redirect_user: Option<&Url>,
        return_to: &str,
        state: &Secret,
    ) -> Result<Url, Error> {
        const OPERATION: &str = "claims interaction";
        let at = |error: Error| self.client.at(OPERATION, error);
        let returns = Url::parse(return_to)
            .ok()
            .filter(|url| url.fragment().is_none());
        let (Some(_), Some(credentials)) = (returns, self.client.credentials()) else {
            return Err(at(Error::new(
                ErrorKind::Config,
                "a client id and an absolute URL to return to are needed",
            )));
        };
        let mut url = match redirect_user {
            Some(url) => url.clone(),
            None => self
                .client
                .discovered()
                .await?
                .endpoints
                .claims()
                .map_err(at)?
                .clone(),
        };
        url.query_pairs_mut()
            .append_pair("client_id", &credentials.client_id)
            .append_pair("ticket", ticket.expose())
            .append_pair("claims_redirect_uri", return_to)
            .append_pair("state", state.expose());
        Ok(url)
    }
}

#[cfg(test)]
mod tests;
