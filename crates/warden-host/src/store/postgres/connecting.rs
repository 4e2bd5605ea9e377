//! From a URL to connections.

use std::net::IpAddr;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::Executor as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use url::Url;

use crate::{Error, ErrorKind};

/// Connections of one node.
const CONNECTIONS: u32 = 8;
/// Longest wait for a connection: whoever has to wait longer is told so.
pub(super) const ACQUIRE: Duration = Duration::from_millis(500);
/// Longest time in which a connection is made ready for the next one.
const RELEASE: Duration = Duration::from_secs(1);

/// The options that a URL gives.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, Error> {
    let wrong = || {
        Error::new(
            ErrorKind::Config,
            "the database is given as `postgres://USER:PASSWORD@HOST:PORT/DATABASE`",
        )
    };
    let parsed = Url::parse(url).map_err(|error| wrong().because(error))?;
    if !matches!(parsed.scheme(), "postgres" | "postgresql") {
        return Err(wrong());
    }
    let mut options = PgConnectOptions::from_str(url).map_err(|error| wrong().because(error))?;
    if options.get_application_name().is_none() {
        options = options.application_name("warden");
    }
    let named = parsed
        .query_pairs()
        .any(|(name, _)| matches!(&*name, "sslmode" | "ssl-mode"))
        || std::env::var_os("PGSSLMODE").is_some();
    if !named && !is_here(&options) {
        options = options.ssl_mode(PgSslMode::VerifyFull);
    }
    // No number here has digits behind a point, and poolers between know no such parameter.
    Ok(options.extra_float_digits(None))
}

/// Whether the server is on this machine.
fn is_here(options: &PgConnectOptions) -> bool {
    let host = options.get_host().trim_matches(['[', ']']);
    options.get_socket().is_some()
        || host == "localhost"
        || host.starts_with('/')
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A pool of connections, each made when it is needed.
pub(super) fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        .after_release(|connection, _| {
            Box::pin(async move {
                // A future that is dropped while it begins a transaction leaves it open, unknown to the pool; whoever got the
                // connection next would read in a snapshot that grows old. Where none is open this does nothing.
                let cleared = connection.execute("BEGIN; ROLLBACK");
                match tokio::time::timeout(RELEASE, cleared).await {
                    Ok(cleared) => cleared.map(|_| true),
                    Err(_) => Err(sqlx::Error::PoolTimedOut),
                }
            })
        })
        .connect_lazy_with(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_has_to_prove_its_name() {
        let mode = |url: &str| format!("{:?}", options(url).unwrap().get_ssl_mode());
        for elsewhere in [
            "postgres://u@db.example/x",
            "postgresql://u@10.0.0.1:5433/x?application_name=y",
            "postgres://u@localhost.example/x",
        ] {
            assert_eq!(mode(elsewhere), "VerifyFull", "{elsewhere}");
        }
        for here in [
            "postgres://u@localhost/x",
            "postgres://u@127.0.0.1:5433/x",
            "postgres://u@[::1]/x",
            "postgres://u@localhost/x?host=/run/postgresql",
        ] {
            assert_eq!(mode(here), "Prefer", "{here}");
        }
        assert_eq!(mode("postgres://u@db.example/x?sslmode=require"), "Require");
    }

    #[test]
    fn what_is_no_url_of_a_database_is_refused_without_its_password() {
        for bad in [
            "postgres:",
            "postgres://u:canary@h:port/x",
            "mysql://u:canary@h/x",
            "postgres://u:canary@h/x?sslmode=canary-mode",
        ] {
            let Err(error) = options(bad) else {
                assert_eq!(bad, "postgres:", "the environment may say the rest");
                continue;
            };
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!format!("{error}").contains("canary"), "{error}");
            assert!(!format!("{error:?}").contains("u:canary"), "{error:?}");
        }
    }
}
