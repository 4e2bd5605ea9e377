//! The options of a host that is more than one process, or has more than one AM.

use std::path::PathBuf;

use clap::Args;
use uma_client::Issuer;
use url::Url;

/// Where the host is reached, and which other AMs it works with.
#[derive(Debug, Clone, Args)]
pub(crate) struct Wider {
    /// The URL at which people reach the host, such as that of the load balancer before several nodes, which need the same.
    /// Without it, the address that this process listens on.
    #[arg(long, env = "HOST_ONE_PUBLIC_URL", value_name = "URL", value_parser = public_url)]
    pub(crate) public_url: Option<Url>,

    /// The file with the key that secrets in the database are sealed with; made if it is not there. All nodes need the same.
    /// Without it, a file beside the database.
    #[arg(long, env = "HOST_ONE_SEAL_KEY", value_name = "FILE")]
    pub(crate) seal_key: Option<PathBuf>,

    /// The issuer URL of another authorization manager that people may choose. May be given more than once; in the
    /// environment, separated by commas.
    #[arg(
        long,
        env = "HOST_ONE_ALSO_AM",
        value_name = "URL",
        value_delimiter = ',',
        value_parser = issuer
    )]
    pub(crate) also_am: Vec<Issuer>,
}

fn public_url(text: &str) -> Result<Url, String> {
    let url: Url = text
        .parse()
        .map_err(|error| format!("expected a URL such as `https://host.example`: {error}"))?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if bare && matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err(String::from(
            "expected a scheme, a host and perhaps a port, such as `https://host.example`",
        ))
    }
}

fn issuer(text: &str) -> Result<Issuer, String> {
    Issuer::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_has_no_path() {
        assert!(public_url("https://host.example").is_ok());
        assert!(public_url("http://127.0.0.1:8080/").is_ok());
        for bad in [
            "host.example",
            "ftp://h",
            "https://h/a",
            "https://h/?a",
            "https://h/#a",
        ] {
            assert!(public_url(bad).is_err(), "{bad}");
        }
    }
}
