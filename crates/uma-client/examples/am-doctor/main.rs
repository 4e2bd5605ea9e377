//! Goes through what a host needs of an authorization manager, says what it does and which profile fits, and undoes what it
//! did.
//!
//! ```text
//! cargo run -p uma-client --example am-doctor -- https://sso.example/realms/home --client-id host --client-secret ...
//! ```

mod examination;
mod report;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use uma_client::{AmProfile, ClientCredentials, Issuer, Secret};

use crate::examination::Examination;

/// Go through what a host needs of an authorization manager: discovery, PAT, registering, tickets, introspection.
///
/// It makes one resource, and one client if none is given, and deletes them. Exit codes: 0 all is well, 1 something has to
/// be changed, 2 wrong options.
#[derive(Debug, Parser)]
#[command(name = "am-doctor")]
struct Options {
    /// The AM, exactly as it names itself.
    #[arg(value_parser = Issuer::parse)]
    issuer: Issuer,

    /// The host's client there. Without one, a client is registered, and deleted again.
    #[arg(long, value_name = "ID", requires = "client_secret")]
    client_id: Option<String>,

    /// The secret of that client.
    #[arg(
        long,
        env = "AM_DOCTOR_CLIENT_SECRET",
        value_name = "SECRET",
        hide_env_values = true,
        requires = "client_id"
    )]
    client_secret: Option<String>,

    /// The token for registering at an AM that asks for one.
    #[arg(
        long,
        env = "AM_DOCTOR_INITIAL_ACCESS_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    initial_access_token: Option<String>,

    /// The profile to begin with; without, the one that the metadata tell, else the strict one.
    #[arg(long, value_name = "NAME")]
    profile: Option<Preset>,

    /// Allow an AM over http. For development only.
    #[arg(long)]
    insecure_http: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Preset {
    /// A strict UMA 2.0 AM.
    Uma2,
    /// Keycloak.
    Keycloak,
}

impl Preset {
    fn profile(self) -> AmProfile {
        match self {
            Self::Uma2 => AmProfile::uma2(),
            Self::Keycloak => AmProfile::keycloak(),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let credentials = match (options.client_id, options.client_secret) {
        (Some(id), Some(secret)) => Some(ClientCredentials::basic(id, Secret::new(secret))),
        _ => None,
    };
    let mut examination = Examination::new(
        options.issuer,
        options.insecure_http,
        options.profile.map(Preset::profile),
    );
    examination
        .run(credentials, options.initial_access_token.map(Secret::new))
        .await;
    let (findings, profile) = examination.end().await;
    print!("{}", report::table(&findings));
    if let Some(profile) = profile {
        print!("{}", report::verdict(&profile));
    }
    if findings.iter().any(report::Finding::is_bad) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
