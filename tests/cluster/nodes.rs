//! Host Ones on one database, each with its own way there.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tower_warden::{CanonicalPath, OwnerId, Unmapped, WardenLayer};
use uma_client::{AmProfile, Issuer};
use url::Url;
use warden_host::{AmPolicy, AmSetting, AnyStore, BoxError, Catalogue, Host, SealingKey};

use crate::am::Am;
use crate::host::{HostOne, run};
use crate::person::{Answer, Person};
use crate::postgres::{Database, Server};
use crate::proxy::Proxy;
use crate::wire::{Reply, Wire};

/// A change holds on other nodes after no more than this where they hear of it, and where they have to ask.
pub(crate) const HEARD: Duration = Duration::from_secs(1);
pub(crate) const POLLED: Duration = Duration::from_secs(2);
/// What a busy machine may add, where a bound is looked at from outside.
pub(crate) const SLACK: Duration = Duration::from_millis(500);
/// How long a node goes by what it knows without word from the store.
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// How the nodes are to be.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) nodes: usize,
    pub(crate) more: Vec<&'static str>,
    /// The port of what stands between all ways and the server, such as a pooler.
    pub(crate) by: Option<u16>,
    pub(crate) query: &'static str,
    pub(crate) log: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            nodes: 3,
            more: Vec::new(),
            by: None,
            query: "",
            log: "info",
        }
    }
}

impl Setup {
    pub(crate) fn with(more: &[&'static str]) -> Self {
        Self {
            more: more.to_vec(),
            ..Self::default()
        }
    }
}

pub(crate) struct Cluster {
    pub(crate) ams: [Am; 2],
    pub(crate) nodes: Vec<Node>,
    pub(crate) database: Database,
    setup: Setup,
    /// Where all nodes find the same keys.
    keys: TempDir,
    callback: String,
}

pub(crate) struct Node {
    pub(crate) host: HostOne,
    pub(crate) way: Proxy,
}

impl Cluster {
    /// On a database of its own of the shared server; none where there is no Postgres.
    pub(crate) async fn start(setup: Setup) -> Option<Self> {
        let server = Server::shared().await?;
        Some(Self::on(&server, setup).await)
    }

    pub(crate) async fn on(server: &Server, setup: Setup) -> Self {
        let database = server.database().await;
        let mut this = Self {
            ams: [Am::start().await, Am::start().await],
            nodes: Vec::new(),
            database,
            setup,
            keys: TempDir::new().unwrap(),
            callback: String::new(),
        };
        if this.setup.by.is_some() {
            // A schema is brought up to date on a direct way.
            drop(this.store_at(&this.database.url).await);
        }
        for _ in 0..this.setup.nodes {
            let node = this.node().await;
            this.nodes.push(node);
        }
        this
    }

    /// One more node.
    pub(crate) async fn node(&mut self) -> Node {
        let port = self.setup.by.unwrap_or_else(|| self.database.server.port());
        let way = Proxy::to(port).await;
        let host = self.host(&way, TempDir::new().unwrap()).await;
        if self.callback.is_empty() {
            // As a balancer in front of all would be known: the first node is as good as any.
            self.callback.clone_from(&host.url);
        }
        Node { host, way }
    }

    async fn host(&self, way: &Proxy, folder: TempDir) -> HostOne {
        let all = self.arguments(way);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        HostOne::start_logging(folder, &all, self.setup.log).await
    }

    /// Starts a node that won't be ready before its way is; and the address that it listens on.
    pub(crate) async fn starting(&self, way: &Proxy) -> (String, JoinHandle<HostOne>) {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let mut all = self.arguments(way);
        all[2].clone_from(&address);
        let log = self.setup.log;
        let starting = tokio::spawn(async move {
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            HostOne::start_logging(TempDir::new().unwrap(), &all, log).await
        });
        (format!("http://{address}"), starting)
    }

    /// Runs a node to its end, which is soon; its exit code, and what it said.
    pub(crate) async fn fails_to_start(&self, way: &Proxy) -> (Option<i32>, String) {
        let all = self.arguments(way);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let ended = run(&all).await;
        (ended.code, ended.stderr)
    }

    fn arguments(&self, way: &Proxy) -> Vec<String> {
        let database = self.database_by(way);
        let in_keys = |name: &str| self.keys.path().join(name).display().to_string();
        let (session_key, seal_key) = (in_keys("session-key"), in_keys("seal-key"));
        let mut all = vec![
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--am",
            &self.ams[0].issuer,
            "--also-am",
            &self.ams[1].issuer,
            "--allow-insecure-am",
            "--database",
            database.as_str(),
            "--session-key",
            &session_key,
            "--seal-key",
            &seal_key,
        ];
        if !self.callback.is_empty() {
            all.extend(["--public-url", &self.callback]);
        }
        all.extend(&self.setup.more);
        all.into_iter().map(str::to_owned).collect()
    }

    fn database_by(&self, way: &Proxy) -> Url {
        let mut url = self.database.url.clone();
        url.set_port(Some(way.port)).unwrap();
        url.set_query(Some(self.setup.query).filter(|query| !query.is_empty()));
        url
    }

    /// Asks every node the same, at once.
    pub(crate) async fn each(&self, path: &str, rpt: Option<&str>) -> Vec<Reply> {
        let mut asked = Vec::new();
        for node in &self.nodes {
            let mut wire = Wire::to(&node.host.url);
            let reply = wire.get(path, rpt).await;
            asked.push(reply.expect("an answer"));
        }
        asked
    }

    /// Waits until every node answers as is wanted; how long that took.
    #[track_caller]
    pub(crate) fn until<'a>(
        &'a self,
        within: Duration,
        path: &'a str,
        rpt: Option<&'a str>,
        wanted: impl Fn(&Reply) -> bool + 'a,
    ) -> impl Future<Output = Duration> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let begun = Instant::now();
            let mut slowest = Duration::ZERO;
            for node in &self.nodes {
                let mut wire = Wire::to(&node.host.url);
                loop {
                    let last = wire.get(path, rpt).await;
                    if last.as_ref().is_some_and(&wanted) {
                        break;
                    }
                    assert!(
                        begun.elapsed() < within,
                        "{caller}: after {within:?}: {last:?}"
                    );
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                slowest = slowest.max(begun.elapsed());
            }
            slowest
        }
    }

    /// The id at the AM of what a person shares at a path.
    pub(crate) async fn resource(&self, person: &Person, path: &str) -> String {
        let list = person.shared(&self.nodes[0].host).await;
        let found = list.iter().find(|resource| resource["uri"] == path);
        let found = found.unwrap_or_else(|| panic!("{path} is not shared: {list:?}"));
        found["resource_id"].as_str().unwrap().to_owned()
    }

    /// An RPT of the first AM that lets bob's application see what is shared at a path.
    pub(crate) async fn rpt(&self, person: &Person, path: &str) -> String {
        let id = self.resource(person, path).await;
        let script = &self.ams[0].script;
        script.issue_rpt("bob", "app", &[(&id, &["view"])]).unwrap()
    }

    /// A person who is connected to the first AM.
    pub(crate) async fn connected(&self, name: &'static str) -> Person {
        let person = Person::new(name);
        person.connect(&self.nodes[0].host).await.expect(303);
        person
    }
}

/// Everything below `/api/people/{person}` is the person's.
struct People;

impl Catalogue for People {
    async fn owner_of(&self, path: &CanonicalPath<'_>) -> Result<Option<OwnerId>, BoxError> {
        Ok(path.segments().nth(2).map(OwnerId::new))
    }
}

impl Cluster {
    /// One more node, in this process and without sockets, by which an owner does what the pages do not show.
    pub(crate) async fn operator(&self) -> Host {
        let store = self.store_at(&self.database.url).await;
        let ams = self.ams.iter().map(|am| {
            AmSetting::new(Issuer::parse(&am.issuer).unwrap())
                .with_profile(AmProfile::uma2())
                .with_allow_insecure(true)
        });
        let host = Host::builder(store)
            .callback_base(format!("{}/uma/callback", self.callback).parse().unwrap())
            .client_name("Host One")
            .own_label("host-one")
            .ams(AmPolicy::Only(ams.collect()))
            .catalogue(People)
            .background_rate(10_000)
            .build()
            .await
            .unwrap();
        let layer = WardenLayer::builder()
            .maps(host.maps())
            .protection(host.protection())
            .guard("/api", Unmapped::Pass)
            .outermost()
            .build()
            .unwrap();
        host.attach(layer.engine().clone());
        host
    }

    async fn store_at(&self, url: &Url) -> AnyStore {
        let key = SealingKey::from_file(self.keys.path().join("seal-key")).unwrap();
        AnyStore::open(url.as_str(), key).await.unwrap()
    }
}

impl Node {
    /// Sends its process a signal.
    pub(crate) async fn signal(&self, signal: &str) {
        let id = self.host.process().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await;
        assert!(sent.unwrap().success());
    }

    pub(crate) async fn ask(&self, path: &str, rpt: Option<&str>) -> Reply {
        let reply = Wire::to(&self.host.url).get(path, rpt).await;
        reply.expect("an answer")
    }
}

/// Refused by Warden, whatever the reason.
pub(crate) fn refused(reply: &Reply) -> bool {
    !reply.handler && matches!(reply.status, 401 | 403 | 503)
}

/// Refused, with the AM's ticket.
pub(crate) fn challenged(reply: &Reply) -> bool {
    !reply.handler && reply.status == 401 && reply.challenge
}

/// The host's own rules answered.
pub(crate) fn own(reply: &Reply) -> bool {
    reply.handler && reply.status == 403
}

pub(crate) fn let_in(reply: &Reply) -> bool {
    reply.handler && reply.status == 200
}

/// Governed, and nothing is known: the store is away too long.
pub(crate) fn unknown(reply: &Reply) -> bool {
    !reply.handler && reply.status == 503
}

/// That a share has spread to all nodes.
#[track_caller]
pub(crate) fn done(answer: &Answer) {
    assert_eq!(answer.status, 303, "{}", answer.body);
    let notice = answer.location();
    assert!(
        notice.query().unwrap_or("").contains("notice=shared"),
        "{notice}"
    );
}
