//! Two nodes on one file.

mod absence;
mod demanded;
mod following;
mod once;
mod silence;

use std::time::Duration;

use tempfile::TempDir;
use tokio::task::AbortHandle;
use tower_warden::{Engine, RequestHead, Verdict};
use uma_client::ManualClock;

use crate::testing::{FakeAm, clock, host_with, store};
use crate::{Host, HostBuilder, MapsMode};

const PATH: &str = "/people/alice/a";
const OTHER_PATH: &str = "/people/alice/b";

const READ_THROUGH: MapsMode = MapsMode::ReadThrough { capacity: 10_000 };

/// A node; none follows the store but when it is told to.
struct Node {
    host: Host,
    engine: Engine,
}

impl Node {
    async fn poll(&self) {
        self.host.inner.follow_once(true).await.unwrap();
    }

    /// Polls every few milliseconds, until it is stopped.
    fn keep_polling(&self) -> Polling {
        let host = self.host.clone();
        let task = tokio::spawn(async move {
            loop {
                let _ = host.inner.follow_once(true).await;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        Polling(task.abort_handle())
    }

    /// The status for a request without a token; 0 is passed on.
    async fn get(&self, path: &str) -> u16 {
        crate::testing::get(&self.engine, path).await
    }

    /// The status for a request with a token; 200 is granted.
    async fn get_with(&self, path: &str, rpt: &str) -> u16 {
        let request = http::Request::get(path).header("authorization", format!("Bearer {rpt}"));
        let request = request.body(()).unwrap();
        match self.engine.judge(&RequestHead::of(&request)).await {
            Verdict::Refuse(refusal) => refusal.status().as_u16(),
            Verdict::Allow(tower_warden::Access::Granted(_)) => 200,
            _ => 0,
        }
    }
}

/// Ends with the test.
struct Polling(AbortHandle);

impl Drop for Polling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Two nodes, each with a store of its own on one file, and all that they share.
struct Two {
    am: FakeAm,
    clock: ManualClock,
    a: Node,
    b: Node,
    _folder: TempDir,
}

impl Two {
    async fn new(mode: MapsMode) -> Self {
        Self::with(|builder| builder.maps(mode)).await
    }

    /// `more` is for both.
    async fn with(more: impl Fn(HostBuilder) -> HostBuilder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("host.db").display());
        let (am, clock) = (FakeAm::default(), clock());
        let node = async || {
            let (host, engine) = host_with(&am, store(&url).await, &clock, &more).await;
            host.inner.fall_silent();
            Node { host, engine }
        };
        let (a, b) = (node().await, node().await);
        Self {
            a,
            b,
            am,
            clock,
            _folder: folder,
        }
    }

    /// Lets time pass by the clock of the store alone.
    fn leases_pass(&self, time: Duration) {
        for node in [&self.a, &self.b] {
            node.host.inner.store.advance(time);
        }
    }
}
