//! The options of the command line.

use std::time::Duration;

use clap::Parser;
use reqwest::Method;
use uma_client::Issuer;
use url::Url;

/// Fetch a URL that an owner shares under UMA.
///
/// Exit codes: 0 the host answered, 1 something failed, 2 wrong options, 3 the host refused, 4 need_info,
/// 5 request_submitted, 6 request_denied.
#[derive(Debug, Parser)]
#[command(name = "uma-get", version)]
pub(crate) struct Options {
    /// What to fetch.
    pub(crate) url: Url,

    /// The method.
    #[arg(
        short = 'X',
        long = "request",
        value_name = "METHOD",
        default_value = "GET"
    )]
    pub(crate) method: Method,

    /// The body to send.
    #[arg(short = 'd', long = "data", value_name = "BODY")]
    pub(crate) data: Option<String>,

    /// This requester's client at the AM.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: String,

    /// The secret of that client, if it has one.
    #[arg(
        long,
        env = "UMA_GET_CLIENT_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub(crate) client_secret: Option<String>,

    /// For whom to ask: a person whom the AM can sign in by name and password.
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// The password of that person; the name, as in the demos, unless given.
    #[arg(
        long,
        env = "UMA_GET_PASSWORD",
        value_name = "PASSWORD",
        hide_env_values = true,
        requires = "user"
    )]
    pub(crate) password: Option<String>,

    /// A claim token to push, with its format.
    #[arg(
        long,
        value_name = "TOKEN",
        requires = "claim_token_format",
        conflicts_with = "user"
    )]
    pub(crate) claim_token: Option<String>,

    /// The format of the claim token.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) claim_token_format: Option<String>,

    /// The only AM to send anything to. Needed with --user, --client-secret and --claim-token, unless the URL is on this machine.
    #[arg(long, value_name = "ISSUER", value_parser = Issuer::parse)]
    pub(crate) am: Option<Issuer>,

    /// The AM is Keycloak: where its metadata don't tell, as behind a proxy that renames its paths.
    #[arg(long)]
    pub(crate) keycloak: bool,

    /// How long to wait for the owner's answer.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) wait: Option<Duration>,

    /// Allow an AM over http. For development only; on this machine it is allowed if the URL is on it, too.
    #[arg(long)]
    pub(crate) insecure_http: bool,
}
