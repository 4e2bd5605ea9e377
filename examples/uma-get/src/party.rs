//! For whom the requester asks: how the requesting party is made known to the AM.

use reqwest::Client;
use serde::Deserialize;
use uma_client::{AmClient, Secret, Ticket, TicketExchange};

use crate::Failure;
use crate::options::Options;

/// An exchange of a ticket, with what the options say of the requesting party.
pub(crate) async fn speak_for(
    options: &Options,
    am: &AmClient,
    ticket: Ticket,
) -> Result<TicketExchange, Failure> {
    let exchange = TicketExchange::new(ticket);
    if let (Some(token), Some(format)) = (&options.claim_token, &options.claim_token_format) {
        return Ok(exchange.claim_token(Secret::new(token.as_str()), format.as_str()));
    }
    let Some(user) = &options.user else {
        return Ok(exchange);
    };
    let password = options.password.as_deref().unwrap_or(user);
    let metadata = am.metadata().await?;
    let takes_passwords = metadata
        .grant_types_supported
        .iter()
        .any(|grant| grant == "password");
    if let (true, Some(endpoint)) = (takes_passwords, &metadata.token_endpoint) {
        let token = sign_in(options, endpoint, user, password).await?;
        return Ok(exchange.bearer(token));
    }
    let (token, format) = claim_token(options, am.issuer().as_str(), user, password).await?;
    Ok(exchange.claim_token(token, format))
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
}

/// The password grant (RFC 6749 section 4.3), which AMs such as Keycloak offer to command lines.
async fn sign_in(
    options: &Options,
    endpoint: &str,
    user: &str,
    password: &str,
) -> Result<Secret, Failure> {
    let mut form = vec![
        ("grant_type", "password"),
        ("client_id", options.client_id.as_str()),
        ("username", user),
        ("password", password),
    ];
    if let Some(secret) = &options.client_secret {
        form.push(("client_secret", secret));
    }
    let answer = client()?.post(endpoint).form(&form).send().await?;
    if !answer.status().is_success() {
        return Err(format!("the AM did not sign {user} in: {}", answer.status()).into());
    }
    let tokens: Tokens = answer.json().await?;
    Ok(Secret::new(tokens.access_token))
}

#[derive(Deserialize)]
struct Claim {
    claim_token: String,
    claim_token_format: String,
}

/// The short cut of the AM for development.
async fn claim_token(
    options: &Options,
    issuer: &str,
    user: &str,
    password: &str,
) -> Result<(Secret, String), Failure> {
    let form = [
        ("username", user),
        ("password", password),
        ("client_id", &options.client_id),
    ];
    let url = format!("{}/claim-token", issuer.trim_end_matches('/'));
    let answer = client()?.post(url).form(&form).send().await?;
    if !answer.status().is_success() {
        return Err(format!(
            "the AM did not sign {user} in: {}; is the client known there, and the password right? Where it can't by name and password, use --claim-token",
            answer.status()
        )
        .into());
    }
    let claim: Claim = answer.json().await?;
    Ok((Secret::new(claim.claim_token), claim.claim_token_format))
}

/// Passwords go to the AM alone: no redirect is followed.
fn client() -> Result<Client, reqwest::Error> {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(std::time::Duration::from_secs(10))
        .build()
}
