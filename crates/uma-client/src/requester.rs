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

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use url::{Url, form_urlencoded};

use crate::answer::{self, Credential};
use crate::client::{AmClient, request, with_body};
use crate::error::{Error, ErrorKind};
use crate::ids::{self, Ticket};
use crate::secret::Secret;
use crate::wire;

mod challenge;
mod exchange;
mod guard;

pub use challenge::UmaChallenge;
pub use exchange::{Exchange, Grant, TicketExchange};
pub use guard::RefusalGuard;

const EXCHANGE: &str = "POST token (ticket)";
/// Between polls when the AM does not say (UMA 2.0 Grant section 3.3.6), and the bounds of what it may say.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
const MIN_INTERVAL: Duration = Duration::from_secs(1);
const MAX_INTERVAL: Duration = Duration::from_secs(60);

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
    /// is spent, whatever comes back.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidTicket`] when the AM does not take the ticket (`invalid_grant`, `invalid_ticket`): begin again at
    /// the host. [`ErrorKind::InvalidScope`]; [`ErrorKind::Malformed`] when a new ticket is missing or equals the one that was
    /// sent; [`ErrorKind::Refused`] for bad credentials; and what any call may end with.
    pub async fn exchange(&self, exchange: TicketExchange) -> Result<Exchange, Error> {
        let discovered = self.client.discovered().await?;
        let at = |error: Error| self.client.at(EXCHANGE, error);
        let url = discovered.endpoints.token().map_err(at)?;

        let request = self.write(&exchange, url).map_err(at)?;
        let response = self
            .client
            .send(EXCHANGE, request, self.client.limits())
            .await?;
        self.read(&exchange.ticket, &response).map_err(at)
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

    fn write(&self, exchange: &TicketExchange, url: &Url) -> Result<Request<Bytes>, Error> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        exchange.write(&mut form)?;
        let authorization = match (&exchange.bearer, self.client.credentials()) {
            (Some(bearer), _) => Some(ids::bearer(bearer)?),
            (None, Some(credentials)) => credentials.authenticate(credentials.auth, &mut form)?,
            (None, None) => {
                return Err(Error::new(
                    ErrorKind::Config,
                    "this needs the client's credentials or a bearer token",
                ));
            }
        };
        let mut request =
            request(Method::POST, url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        with_body(request, form.finish())
    }

    fn read(&self, sent: &Ticket, response: &Response<Bytes>) -> Result<Exchange, Error> {
        if response.status() == StatusCode::OK {
            let answer: wire::TokenResponse = answer::json(response)?;
            return Grant::read(answer)
                .map(Exchange::Granted)
                .map_err(|error| answer::unreadable(response, error));
        }
        let refusal = || answer::refusal(self.client.profile(), Credential::Other, response);
        let by_code = matches!(
            response.status(),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        );
        let code = answer::error_code(response).filter(|_| by_code);
        match code.as_deref() {
            Some("need_info") => exchange::need_info(&self.client, sent, response),
            Some("request_submitted") => exchange::submitted(sent, response),
            Some("request_denied" | "access_denied") => Ok(Exchange::Denied),
            Some("invalid_grant" | "invalid_ticket" | "expired_ticket") => {
                Err(refusal().with_kind(ErrorKind::InvalidTicket))
            }
            Some("invalid_scope") => Err(refusal().with_kind(ErrorKind::InvalidScope)),
            _ => Err(refusal()),
        }
    }
}

#[cfg(test)]
mod tests;
