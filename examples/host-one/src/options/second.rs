//! The options of a second embedded AM.

use std::net::SocketAddr;

use clap::Args;
use clap::builder::FalseyValueParser;

/// Whether there is a second AM, and where.
#[derive(Debug, Clone, Args)]
pub(crate) struct SecondAm {
    /// Run a second AM in this process: people choose between the two, and can move from one to the other.
    #[arg(long, env = "HOST_ONE_SECOND_AM", value_parser = FalseyValueParser::new())]
    pub(crate) second_am: bool,

    /// Where the second AM listens; port 0 takes any free port.
    #[arg(
        long,
        env = "HOST_ONE_SECOND_AM_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:8082"
    )]
    pub(crate) second_am_listen: SocketAddr,
}
