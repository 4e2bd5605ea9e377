//! Where this host goes for AMs that owners bring: to public addresses and nowhere else.
//!
//! The same rules hold for every URL and every connection: for the issuer that an owner types, for the endpoints that its
//! metadata name, and for the addresses that a name has at the moment of connecting.

mod address;
mod enrolment;
mod resolver;
mod vetted;

use std::time::Duration;

use uma_client::{Http, Issuer, ReqwestTransport};
use url::{Host as UrlHost, Url};

pub(crate) use enrolment::Enrolments;
pub(crate) use vetted::Vetted;

use crate::{Error, ErrorKind};
use resolver::PublicDns;

/// Names that are nobody's on the public network.
const PRIVATE_NAMES: [&str; 10] = [
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "lan",
    "home.arpa",
    "test",
    "invalid",
    "onion",
];

/// The rules for AMs that owners bring ([`AmPolicy::Any`](crate::AmPolicy::Any)). AMs that the operator names are trusted
/// in their address.
///
/// Without more said: `https` to port 443 of a public name all of whose addresses are public, endpoints on the issuer's
/// origin, five new AMs per owner and fifty per host in an hour, one at a time, and one answer after one time for whatever
/// goes wrong.
///
/// ```
/// use warden_host::Outbound;
///
/// let rules = Outbound::new().only_hosts(["am.example", "*.trusted.example"]).allow_port(8443);
/// # let _ = rules;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Outbound {
    hosts: Vec<String>,
    endpoint_hosts: Vec<String>,
    ports: Vec<u16>,
    loopback: bool,
    pub(crate) per_owner: u32,
    pub(crate) per_host: u32,
    pub(crate) answers_after: Duration,
}

impl Default for Outbound {
    fn default() -> Self {
        Self::new()
    }
}

impl Outbound {
    /// The rules as they are without more said.
    pub fn new() -> Self {
        Self {
            hosts: Vec::new(),
            endpoint_hosts: Vec::new(),
            ports: vec![443],
            loopback: false,
            per_owner: 5,
            per_host: 50,
            answers_after: Duration::from_secs(6),
        }
    }

    /// Allows only AMs on these hosts; `*.example.org` stands for all names below `example.org`.
    pub fn only_hosts<S: Into<String>>(mut self, hosts: impl IntoIterator<Item = S>) -> Self {
        let lower = |host: S| host.into().to_ascii_lowercase();
        self.hosts = hosts.into_iter().map(lower).collect();
        self
    }

    /// Allows metadata to name endpoints on these hosts beside the issuer's origin. They get PATs and client secrets.
    pub fn allow_endpoints_on<S: Into<String>>(
        mut self,
        hosts: impl IntoIterator<Item = S>,
    ) -> Self {
        let lower = |host: S| host.into().to_ascii_lowercase();
        self.endpoint_hosts = hosts.into_iter().map(lower).collect();
        self
    }

    /// Allows another port beside 443.
    pub fn allow_port(mut self, port: u16) -> Self {
        self.ports.push(port);
        self
    }

    /// Sets how many new AMs each owner, and all owners together, may bring in an hour.
    pub fn new_ams_per_hour(mut self, per_owner: u32, per_host: u32) -> Self {
        self.per_owner = per_owner;
        self.per_host = per_host;
        self
    }

    /// Sets after what time a new AM that can't be had is answered with a no, however that came about; it is given up then.
    /// Without, 6 seconds.
    pub fn answers_after(mut self, time: Duration) -> Self {
        self.answers_after = time;
        self
    }

    /// **Not for production.** Allows AMs on this very machine, by `http` and on any port. Whoever may connect can then
    /// make this host call whatever listens there. Every build of such a host leaves a warning in the log.
    pub fn danger_allow_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    pub(crate) fn allows_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether endpoints must be on the issuer's origin.
    pub(crate) fn wants_same_origin(&self) -> bool {
        self.endpoint_hosts.is_empty()
    }

    /// Whether an issuer is on this machine, and that is allowed.
    pub(crate) fn is_loopback(&self, url: &Url) -> bool {
        self.loopback && is_loopback_host(url)
    }

    /// An issuer that an owner may bring.
    pub(crate) fn issuer(&self, typed: &str) -> Result<Issuer, Error> {
        let issuer = Issuer::parse(typed).map_err(|error| refused().because(error))?;
        self.check_url(issuer.url(), true)
            .map_err(|why| refused().because(why))?;
        Ok(issuer)
    }

    /// What is wrong with a URL, if anything. `as_issuer` says whether the list of hosts for AMs counts.
    fn check_url(&self, url: &Url, as_issuer: bool) -> Result<(), &'static str> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the URL has user info");
        }
        if self.is_loopback(url) {
            return match url.scheme() {
                "http" | "https" => Ok(()),
                _ => Err("the URL is neither http nor https"),
            };
        }
        if url.scheme() != "https" {
            return Err("the URL is not https");
        }
        let port = url.port_or_known_default().unwrap_or(0);
        if !self.ports.contains(&port) {
            return Err("the port is not one that is allowed");
        }
        // Parsing has made one form of all spellings of an address: decimal, octal, hexadecimal, mapped, full-width.
        let Some(UrlHost::Domain(name)) = url.host() else {
            return Err("the host is an address, not a name");
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let below = |suffix: &str| {
            name.strip_suffix(suffix)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if !name.contains('.') || PRIVATE_NAMES.iter().any(|private| below(private)) {
            return Err("the host is no public name");
        }
        if as_issuer && !self.hosts.is_empty() && !self.hosts.iter().any(|host| fits(host, &name)) {
            return Err("the host is not one that is allowed");
        }
        Ok(())
    }

    /// What is wrong with a call to a URL for an AM, if anything.
    pub(crate) fn check_call(&self, issuer: &Issuer, url: &Url) -> Result<(), &'static str> {
        if url.origin() == issuer.url().origin() {
            return self.check_url(url, true);
        }
        let host = url.host_str().unwrap_or("");
        if !self
            .endpoint_hosts
            .iter()
            .any(|allowed| fits(allowed, host))
        {
            return Err("the URL is on another origin than the issuer");
        }
        self.check_url(url, false)
    }

    /// What carries calls to AMs that owners bring.
    pub(crate) fn http(&self) -> Result<Http, uma_client::Error> {
        let dns = PublicDns::new(self.loopback);
        let transport = ReqwestTransport::builder()
            .dns_resolver(std::sync::Arc::new(dns))
            .connect_timeout(Duration::from_secs(2));
        let transport = if self.loopback {
            transport
        } else {
            transport.https_only()
        };
        Ok(Http::new(transport.build()?))
    }
}

/// The one answer to whatever is wrong with an AM that an owner brings: how it failed is nobody's business but the
/// operator's, or this host could be made to look around in its own network.
pub(crate) fn refused() -> Error {
    Error::new(
        ErrorKind::UnknownAm,
        "this site could not connect to that authorization manager; give its https address, as it names itself, or choose another one",
    )
    .at("am")
}

fn is_loopback_host(url: &Url) -> bool {
    match url.host() {
        Some(UrlHost::Domain(name)) => name == "localhost",
        Some(UrlHost::Ipv4(address)) => address.is_loopback(),
        Some(UrlHost::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn fits(allowed: &str, name: &str) -> bool {
    match allowed.strip_prefix("*.") {
        Some(above) => name
            .strip_suffix(above)
            .is_some_and(|rest| rest.ends_with('.') && rest.len() > 1),
        None => allowed == name,
    }
}

#[cfg(test)]
mod tests;
