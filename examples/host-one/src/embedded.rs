//! The embedded authorization manager.

use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uma_client::{Dialect, Issuer};
use warden_am::{ClientSpec, WardenAm};

use crate::Failure;
use crate::people::PEOPLE;

/// An AM that runs in this process.
pub(crate) struct EmbeddedAm {
    pub(crate) issuer: Issuer,
    pub(crate) serving: JoinHandle<std::io::Result<()>>,
}

/// Starts an AM of a name on a listener, that speaks one dialect to the letter; it ends when `stop` says so.
pub(crate) fn start(
    name: &str,
    listener: TcpListener,
    dialect: Dialect,
    state_file: Option<PathBuf>,
    mut stop: watch::Receiver<bool>,
) -> Result<EmbeddedAm, Failure> {
    let issuer = format!("http://{}", crate::demo::reachable(listener.local_addr()?));
    // A public client for the requester on the command line.
    let requester = ClientSpec::new("uma-get")
        .name("uma-get")
        .grant_types(["urn:ietf:params:oauth:grant-type:uma-ticket"]);
    let mut am = WardenAm::builder(&issuer)
        .name(name)
        .dialect(dialect)
        .client(requester);
    for person in PEOPLE {
        am = am.user(person, person);
    }
    if let Some(file) = state_file {
        am = am.state_file(file);
    }
    let am = am.build()?;
    let stopped = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    Ok(EmbeddedAm {
        issuer: Issuer::parse(&issuer)?,
        serving: tokio::spawn(am.serve(listener, stopped)),
    })
}
