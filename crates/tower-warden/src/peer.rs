//! A budget for each source of requests, where the host says what a source is.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;

use crate::gate::{Bucket, Rate};

/// Where a request comes from. A host that knows it for certain sets it as an extension of the request, outside Warden;
/// behind a proxy it must be the address that the proxy vouches for, or all users look like one.
///
/// Without it, [`WardenBuilder::source_budget`](crate::WardenBuilder::source_budget) does not apply to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(IpAddr);

impl Peer {
    /// A peer by its address. All addresses of one IPv6 /64 are one peer.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                IpAddr::V6(network.into())
            }
            v4 => v4,
        })
    }
}

/// The budgets of the sources seen lately.
pub(crate) struct SourceBudgets {
    rate: Rate,
    buckets: Cache<Peer, Arc<Mutex<Bucket>>>,
}

impl SourceBudgets {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: Cache::builder()
                .max_capacity(100_000)
                .time_to_idle(Duration::from_secs(600))
                .build(),
        }
    }

    /// Takes a unit for a call to an AM, or says when there will be one.
    pub(crate) fn take(&self, peer: Peer, now: Instant) -> Result<(), Duration> {
        let bucket = self
            .buckets
            .get_with(peer, || Arc::new(Mutex::new(Bucket::full(self.rate, now))));
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_v6_network_is_one_peer_and_a_mapped_v4_address_is_v4() {
        let peer = |text: &str| Peer::new(text.parse().unwrap());
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:1"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }
}
