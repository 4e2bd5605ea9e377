//! What goes wrong meanwhile, one thing after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Chance;
use crate::nodes::Cluster;
use crate::postgres::OwnServer;
use crate::proxy::Way;

pub(crate) struct Faults<'a> {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) server: &'a OwnServer,
    pub(crate) chance: Chance,
}

impl Faults<'_> {
    /// For as long as is wanted; how often what happened. In the end all is well again.
    pub(crate) async fn happen(mut self, wanted: impl Fn() -> bool) -> BTreeMap<&'static str, u32> {
        let mut happened = BTreeMap::new();
        // The rare ones once for sure, in an order of chance; then any.
        let mut due = vec![0, 1, 2, 3, 4, 5, 6, 7, 8];
        while wanted() {
            tokio::time::sleep(Duration::from_millis(1000)).await;
            let number = if due.is_empty() {
                self.chance.below(7)
            } else {
                let next = self.chance.below(due.len());
                due.remove(next)
            };
            *happened.entry(self.happens(number).await).or_default() += 1;
        }
        happened
    }

    async fn happens(&mut self, number: usize) -> &'static str {
        let node = &self.cluster.nodes[self.chance.below(self.cluster.nodes.len())];
        let server = &self.server.server;
        let seconds = Duration::from_secs;
        match number {
            0 => {
                for _ in 0..20 {
                    self.cluster.database.cut("query LIKE 'LISTEN%'").await;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                "listeners cut off"
            }
            1 => {
                self.cluster.database.cut("TRUE").await;
                "all connections cut off"
            }
            2 => {
                self.through(node, Way::Cut, seconds(3)).await;
                "a node without the store for 3 s"
            }
            3 => {
                self.through(node, Way::Silent, seconds(4)).await;
                "a node whose store says nothing for 4 s"
            }
            4 => {
                self.through(node, Way::Slow(Duration::from_millis(300)), seconds(4))
                    .await;
                "a node whose store takes 300 ms"
            }
            5 => {
                self.through(node, Way::Deaf, seconds(4)).await;
                "a node that does not hear for 4 s"
            }
            6 => {
                server.tell("freeze").await;
                tokio::time::sleep(seconds(5)).await;
                server.tell("thaw").await;
                "the store stands still for 5 s"
            }
            7 => {
                self.server.kill().await;
                tokio::time::sleep(seconds(1)).await;
                self.server.restart().await;
                "the store is killed and started again"
            }
            _ => {
                // Longer than a lease: the others go on without it, and it must know when it wakes up.
                node.signal("-STOP").await;
                tokio::time::sleep(seconds(18)).await;
                node.signal("-CONT").await;
                "a node stands still for 18 s"
            }
        }
    }

    async fn through(&self, node: &crate::nodes::Node, way: Way, time: Duration) {
        node.way.set(way);
        tokio::time::sleep(time).await;
        node.way.set(Way::Open);
    }
}
