//! A requester on the command line: meets a challenge, earns an RPT, prints the answer, or says what the AM wants.

mod options;
mod party;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use reqwest::header::AUTHORIZATION;
use reqwest::{Client, Response, StatusCode, redirect};
use uma_client::{
    AmClient, AmProfile, ClientCredentials, Exchange, RefusalGuard, Requester, Secret, Ticket,
    UmaChallenge, wire,
};
use url::{Host, Url};

use crate::options::Options;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What came of it; each has an exit code of its own.
enum Outcome {
    /// The host answered 2xx.
    Answered,
    /// The host answered something else.
    Refused,
    /// The AM wants to know more.
    NeedInfo,
    /// The AM asks the owner.
    Submitted,
    /// The AM says no.
    Denied,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options).await {
        Ok(Outcome::Answered) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::from(3),
        Ok(Outcome::NeedInfo) => ExitCode::from(4),
        Ok(Outcome::Submitted) => ExitCode::from(5),
        Ok(Outcome::Denied) => ExitCode::from(6),
        Err(error) => {
            eprintln!("uma-get: {}", uma_client::Chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<Outcome, Failure> {
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()?;
    let mut guard = RefusalGuard::default();
    let mut shown: Option<Shown> = None;
    loop {
        let token = shown.as_ref().map(Shown::token);
        let answer = send(&client, options, token).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await?;
        let challenge = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                UmaChallenge::parse_response(&headers, &body)?
            }
            _ => None,
        };
        let Some(challenge) = challenge else {
            return print(status, &body);
        };
        let rpt = shown.as_ref().and_then(Shown::rpt);
        if guard.refused(options.url.as_str(), rpt).is_err() {
            eprintln!(
                "uma-get: the host refuses what the AM has granted: the owner permits less than this request needs"
            );
            return Ok(Outcome::Denied);
        }
        match earn(options, challenge, shown).await? {
            Ok(earned) => shown = Some(earned),
            Err(outcome) => return Ok(outcome),
        }
    }
}

async fn send(
    client: &Client,
    options: &Options,
    rpt: Option<&Secret>,
) -> Result<Response, Failure> {
    let mut request = client.request(options.method.clone(), options.url.clone());
    if let Some(rpt) = rpt {
        request = request.header(AUTHORIZATION, format!("Bearer {}", rpt.expose()));
    }
    if let Some(body) = &options.data {
        request = request.body(body.clone());
    }
    Ok(request.send().await?)
}

fn print(status: StatusCode, body: &[u8]) -> Result<Outcome, Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(body)?;
    if !body.is_empty() && !body.ends_with(b"\n") {
        out.write_all(b"\n")?;
    }
    if status.is_success() {
        return Ok(Outcome::Answered);
    }
    eprintln!("uma-get: the host answered {status}");
    Ok(Outcome::Refused)
}

/// A token that was shown to the host.
enum Shown {
    /// This requester's own, which only says who asks.
    Own(Secret),
    Rpt(Secret),
}

impl Shown {
    fn token(&self) -> &Secret {
        match self {
            Self::Own(token) | Self::Rpt(token) => token,
        }
    }

    fn rpt(&self) -> Option<&Secret> {
        match self {
            Self::Own(_) => None,
            Self::Rpt(token) => Some(token),
        }
    }
}

/// Takes the ticket of a challenge to the AM: an RPT, or why there is none. Where a ticket is given only to those who say who
/// they are, a token that does.
async fn earn(
    options: &Options,
    challenge: UmaChallenge,
    shown: Option<Shown>,
) -> Result<Result<Shown, Outcome>, Failure> {
    let Some(issuer) = challenge.issuer else {
        return Err("the host's challenge names no AM".into());
    };
    if let Some(expected) = &options.am
        && *expected != issuer
    {
        return Err(format!(
            "the host names the AM {issuer}, not {expected}: nothing was sent there"
        )
        .into());
    }
    let tells =
        options.user.is_some() || options.client_secret.is_some() || options.claim_token.is_some();
    if options.am.is_none() && tells && !is_local(&options.url) {
        return Err(format!("the host names the AM {issuer}; say with --am that you trust it with what you told about yourself").into());
    }
    let insecure = options.insecure_http || (is_local(issuer.url()) && is_local(&options.url));
    let mut am = AmClient::builder(issuer).dialect(challenge.dialect);
    if options.keycloak {
        am = am.profile(AmProfile::keycloak());
    }
    if insecure {
        am = am.allow_insecure_http();
    }
    let credentials = match &options.client_secret {
        Some(secret) => ClientCredentials::basic(&options.client_id, Secret::new(secret.as_str())),
        None => ClientCredentials::public(&options.client_id),
    };
    let am = am.credentials(credentials).build()?;
    let am = if options.keycloak {
        am
    } else {
        am.with_detected_profile().await?
    };
    let requester = Requester::new(am.clone());
    let Some(ticket) = challenge.ticket else {
        // An RPT that has ended counts as none: it begins again.
        if matches!(shown, Some(Shown::Own(_))) {
            return Err("the host does not take this requester's own token, and gives no ticket without one".into());
        }
        return Ok(Ok(Shown::Own(requester.own_token().await?.rpt)));
    };
    let exchange = |ticket: Ticket| party::speak_for(options, &am, ticket);
    let mut first = exchange(ticket).await?;
    match shown {
        Some(Shown::Own(own)) => first = first.bearer(own),
        Some(Shown::Rpt(rpt)) => first = first.rpt(rpt),
        None => {}
    }
    let mut outcome = requester.exchange(first).await?;
    if let (Exchange::Submitted { ticket, interval }, Some(patience)) = (&outcome, options.wait) {
        eprintln!(
            "uma-get: the owner is asked; waiting for at most {} s",
            patience.as_secs()
        );
        let again = exchange(ticket.clone()).await?;
        outcome = requester.poll(again, Some(*interval), patience).await?;
    }
    match outcome {
        Exchange::Granted(grant) => Ok(Ok(Shown::Rpt(grant.rpt))),
        Exchange::NeedInfo {
            required_claims,
            redirect_user,
            ..
        } => {
            eprintln!("uma-get: need_info: the AM wants to know more about who asks");
            for claim in &required_claims {
                eprintln!("  {}", plain(&describe(claim)));
            }
            if let Some(url) = redirect_user {
                eprintln!("  or a visit to {url}");
            }
            eprintln!(
                "  say for whom you ask with --user NAME, or push a claim with --claim-token"
            );
            Ok(Err(Outcome::NeedInfo))
        }
        Exchange::Submitted { .. } => {
            eprintln!(
                "uma-get: request_submitted: the owner is asked; try again when she has answered, or wait with --wait 60s"
            );
            Ok(Err(Outcome::Submitted))
        }
        Exchange::Denied => {
            eprintln!("uma-get: request_denied: the owner's rules do not permit it");
            Ok(Err(Outcome::Denied))
        }
        _ => Err("the AM answered in a way that this program does not know".into()),
    }
}

/// Whether a URL stays on this machine, where there is no TLS in a demo.
fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// What an AM wrote, without what a terminal would act on.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(200)
        .collect()
}

fn describe(claim: &wire::RequiredClaim) -> String {
    let name = claim
        .friendly_name
        .as_deref()
        .or(claim.name.as_deref())
        .unwrap_or("a claim");
    match claim.claim_token_format.first() {
        Some(format) => format!("{name}, as {format}"),
        None => name.to_owned(),
    }
}
