//! What owners do meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::model::Model;
use super::{Chance, PATHS};
use crate::nodes::Cluster;
use crate::person::Person;

pub(crate) struct Owner {
    pub(crate) person: Person,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) model: Arc<Model>,
    /// The number of the owner's first path.
    pub(crate) first: usize,
    pub(crate) chance: Chance,
}

/// How often owners did something, and how it went.
#[derive(Debug, Default)]
#[allow(dead_code, reason = "printed")]
pub(crate) struct Did {
    pub(crate) shared: u64,
    pub(crate) spreading: u64,
    pub(crate) not_shared: u64,
    pub(crate) stopped: u64,
    pub(crate) not_stopped: u64,
    pub(crate) revoked: u64,
}

impl Did {
    pub(crate) fn add(&mut self, other: &Self) {
        self.shared += other.shared;
        self.spreading += other.spreading;
        self.not_shared += other.not_shared;
        self.stopped += other.stopped;
        self.not_stopped += other.not_stopped;
        self.revoked += other.revoked;
    }
}

impl Owner {
    pub(crate) async fn live(mut self, stop: Arc<AtomicBool>) -> Did {
        let mut did = Did::default();
        while !stop.load(Ordering::SeqCst) {
            let path = self.first + self.chance.below(PATHS.len());
            let node = self.chance.below(self.cluster.nodes.len());
            match self.chance.below(10) {
                0..6 => self.share(path, node, &mut did).await,
                6..8 => self.stop(path, node, &mut did).await,
                _ => self.revoke(path, &mut did),
            }
            let pause = self.chance.below(100) as u64;
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        did
    }

    /// A node may stand still for longer than its owner waits.
    async fn post(&self, node: usize, action: &str, fields: &[(&str, &str)]) -> Option<String> {
        let url = self.cluster.nodes[node].host.at(action);
        let request = self.person.client.post(url).form(fields).send();
        let answer = tokio::time::timeout(Duration::from_secs(20), request).await;
        let answer = answer.ok()?.ok()?;
        let led = answer.headers().get("location")?.to_str().ok()?;
        Some(led.to_owned())
    }

    async fn share(&mut self, path: usize, node: usize, did: &mut Did) {
        let uri = self.model.uri(path).to_owned();
        let fields = [
            ("uri", &*uri),
            ("resource_name", "Mine"),
            ("return_to", "/"),
        ];
        let answer = self.post(node, "/uma/register-resource", &fields).await;
        let now = Instant::now();
        match answer.as_deref() {
            Some(led) if led.contains("notice=shared") => did.shared += 1,
            Some(led) if led.contains("notice=spreading") => {
                did.spreading += 1;
                return;
            }
            _ => {
                did.not_shared += 1;
                return;
            }
        }
        self.model.closed(path, now);
        // What it is called at the AM, and a token for it.
        let Some(id) = self.resource(&uri, node).await else {
            return;
        };
        self.model.is(path, &id, now);
        let script = &self.cluster.ams[0].script;
        let from = Instant::now();
        // An AM whose copy was just deleted by an earlier stop knows it no more; then it is shared anew some time.
        if let Ok(rpt) = script.issue_rpt("app", "app", &[(&id, &["view"])]) {
            self.model.gives(path, &rpt, &id, from);
        }
    }

    async fn resource(&self, uri: &str, node: usize) -> Option<String> {
        let url = self.cluster.nodes[node].host.at("/uma/resources");
        let request = self
            .person
            .client
            .get(url)
            .header("accept", "application/json");
        let answer = tokio::time::timeout(Duration::from_secs(20), request.send()).await;
        let list: serde_json::Value = answer.ok()?.ok()?.json().await.ok()?;
        let found = list
            .as_array()?
            .iter()
            .find(|resource| resource["uri"] == uri)?;
        Some(found["resource_id"].as_str()?.to_owned())
    }

    async fn stop(&self, path: usize, node: usize, did: &mut Did) {
        self.model.may_open(path);
        let uri = self.model.uri(path);
        let fields = [("uri", uri), ("return_to", "/")];
        match self.post(node, "/uma/stop-sharing", &fields).await {
            Some(_) => did.stopped += 1,
            None => did.not_stopped += 1,
        }
    }

    fn revoke(&self, path: usize, did: &mut Did) {
        let Some(token) = self.model.token(path) else {
            return;
        };
        if self.cluster.ams[0].script.revoke(&token).is_ok() {
            self.model.revoked(path, &token, Instant::now());
            did.revoked += 1;
        }
    }
}
