//! Names, resolved at every connection, to public addresses alone.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::is_public;

type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;
type LookUp = dyn Fn(String) -> Looking + Send + Sync;

/// Resolves by the system, and refuses a name altogether if one of its addresses is not public: whoever answers with two
/// addresses means the private one. What is connected to is what was looked at; nobody looks a second time.
pub(super) struct PublicDns {
    look_up: Arc<LookUp>,
    loopback: bool,
}

impl PublicDns {
    pub(super) fn new(loopback: bool) -> Self {
        Self::with(loopback, |name: String| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
                Ok(found.collect())
            })
        })
    }

    pub(super) fn with(
        loopback: bool,
        look_up: impl Fn(String) -> Looking + Send + Sync + 'static,
    ) -> Self {
        Self {
            look_up: Arc::new(look_up),
            loopback,
        }
    }
}

impl Resolve for PublicDns {
    fn resolve(&self, name: Name) -> Resolving {
        let (look_up, loopback) = (Arc::clone(&self.look_up), self.loopback);
        Box::pin(async move {
            let found = look_up(name.as_str().to_owned()).await?;
            let fine = |address: &SocketAddr| {
                is_public(address.ip()) || (loopback && address.ip().is_loopback())
            };
            if found.is_empty() || !found.iter().all(fine) {
                return Err("the name has no address, or one that is not public".into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

impl fmt::Debug for PublicDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicDns")
            .field("loopback", &self.loopback)
            .finish_non_exhaustive()
    }
}
