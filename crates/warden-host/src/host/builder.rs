//! Building a host.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::{Mutex, Notify as Bell};
use uma_client::wire::draft03::ScopeDocument;
use uma_client::{Clock, Http, ReqwestTransport, SystemClock};
use url::Url;

use super::following::{Node, Wake};
use super::spread::PATIENCE;
use super::work::WORK_LEASE;
use super::{Ams, Host, Inner, Keepers, Locks, Pace, PathLocks, ScopeDocuments, Worker};
use crate::access_log::Retention;
use crate::catalogue::AnyCatalogue;
use crate::maps::Shared;
use crate::notify::AnyNotify;
use crate::outbound::Enrolments;
use crate::reconcile::{Patience, Visited};
use crate::store::NodeId;
use crate::{
    AccessLog, AmPolicy, AnyStore, Catalogue, DriftPolicy, Error, ErrorKind, HostMaps, LostPolicy,
    MapsMode, Notify, Outbound,
};

/// Builds a [`Host`]. Callback base, AMs and catalogue have to be given.
#[must_use]
pub struct HostBuilder {
    store: AnyStore,
    http: Option<Http>,
    callback_base: Option<Url>,
    client_name: String,
    policy: Option<AmPolicy>,
    catalogue: Option<AnyCatalogue>,
    clock: Arc<dyn Clock>,
    host_id: Option<String>,
    own_label: Option<String>,
    notify: AnyNotify,
    lost: LostPolicy,
    drift: DriftPolicy,
    background_rate: u32,
    outbound: Outbound,
    outbound_http: Option<Http>,
    maps: MapsMode,
    wake: Wake,
    node_name: String,
    wait_for_nodes: Duration,
    work_lease: Duration,
    scope_base: Option<Url>,
    scope_documents: Vec<(String, ScopeDocument)>,
    retention: Retention,
}

impl HostBuilder {
    pub(super) fn new(store: AnyStore) -> Self {
        Self {
            store,
            http: None,
            callback_base: None,
            client_name: String::from("A host under Warden"),
            policy: None,
            catalogue: None,
            clock: Arc::new(SystemClock::default()),
            host_id: None,
            own_label: None,
            notify: AnyNotify::default(),
            lost: LostPolicy::default(),
            drift: DriftPolicy::default(),
            background_rate: 50,
            outbound: Outbound::new(),
            outbound_http: None,
            maps: MapsMode::default(),
            wake: Wake::default(),
            node_name: String::new(),
            wait_for_nodes: PATIENCE,
            work_lease: WORK_LEASE,
            scope_base: None,
            scope_documents: Vec::new(),
            retention: Retention::default(),
        }
    }

    /// Sets what carries the calls to AMs that the operator names; without, it is reqwest over rustls.
    pub fn http(mut self, http: Http) -> Self {
        self.http = Some(http);
        self
    }

    /// Sets the public URL of the callbacks, such as `https://host.example/uma/callback`. Each AM's callback is below it.
    pub fn callback_base(mut self, base: Url) -> Self {
        self.callback_base = Some(base);
        self
    }

    /// Sets the name under which the host registers at AMs, and which owners see when they consent.
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = name.into();
        self
    }

    /// Sets which AMs owners may choose.
    pub fn ams(mut self, policy: AmPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Sets what the host knows of its own paths.
    pub fn catalogue(mut self, catalogue: impl Catalogue) -> Self {
        self.catalogue = Some(AnyCatalogue::new(catalogue));
        self
    }

    /// Sets the clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the id under which the host registers its software at AMs (RFC 7591 `software_id`).
    pub fn host_id(mut self, host_id: impl Into<String>) -> Self {
        self.host_id = Some(host_id.into());
        self
    }

    /// Sets the host's name within the names of resources at AMs; without, it is the host name of the callback base.
    pub fn own_label(mut self, label: impl Into<String>) -> Self {
        self.own_label = Some(label.into());
        self
    }

    /// Sets what tells owners of trouble, best before it bites.
    pub fn notify(mut self, notify: impl Notify) -> Self {
        self.notify = AnyNotify::new(notify);
        self
    }

    /// Sets what becomes of resources that are proved gone at their AM; without, they wait for their owners.
    pub fn lost(mut self, policy: LostPolicy) -> Self {
        self.lost = policy;
        self
    }

    /// Sets when to look whether AMs have what is shared.
    pub fn drift(mut self, policy: DriftPolicy) -> Self {
        self.drift = policy;
        self
    }

    /// Sets the rules for AMs that owners bring.
    pub fn outbound(mut self, rules: Outbound) -> Self {
        self.outbound = rules;
        self
    }

    /// Sets what carries the calls to AMs that owners bring, such as an egress proxy that keeps the same rules. Without, it
    /// is reqwest with a resolver that refuses names with private addresses. URLs are looked at in either case; the
    /// addresses of names are the business of what is given here.
    pub fn outbound_http(mut self, http: Http) -> Self {
        self.outbound_http = Some(http);
        self
    }

    /// Sets the public URL below which the host describes its scopes ([`Host::scope_document`]), for AMs to which a scope is
    /// the URL of its description, as those of 2012. Without, it is `scopes/` beside the callback base, where the pages
    /// serve it. It stands in registrations at such AMs: one that moves makes other scopes of them.
    pub fn scope_base(mut self, base: Url) -> Self {
        self.scope_base = Some(base);
        self
    }

    /// Sets the description of a scope; without, its name is the scope.
    pub fn scope_document(mut self, scope: impl Into<String>, document: ScopeDocument) -> Self {
        self.scope_documents.push((scope.into(), document));
        self
    }

    /// Sets how many calls per second work that nobody waits for may make at one AM (bulk sharing, moves, the reconciler);
    /// without, 50.
    pub fn background_rate(mut self, per_second: u32) -> Self {
        self.background_rate = per_second;
        self
    }

    /// Sets how long, and how many of, each owner's accesses [`Host::access_log`] keeps: `most` kinds of access that were
    /// let in, and as many that were not; without, 500 of each, for 30 days. 0 days keep none.
    pub fn keep_accesses(mut self, days: u16, most: u32) -> Self {
        self.retention = Retention { days, most };
        self
    }

    /// Sets how the maps are held; without, all in memory.
    pub fn maps(mut self, mode: MapsMode) -> Self {
        self.maps = mode;
        self
    }

    /// Sets how this node learns of changes that others make.
    pub fn wake(mut self, wake: Wake) -> Self {
        self.wake = wake;
        self
    }

    /// Sets a name by which operators know this node; it need not be its alone.
    pub fn node_name(mut self, name: impl Into<String>) -> Self {
        self.node_name = name.into();
        self
    }

    /// Sets how long a call that protects something waits until every node enforces it; without, 18 s, within which a node
    /// that has fallen silent refuses by itself. After that the call succeeds with
    /// [`Spread::BeingProtected`](crate::Spread::BeingProtected).
    pub fn wait_for_nodes(mut self, patience: Duration) -> Self {
        self.wait_for_nodes = patience;
        self
    }

    /// Sets how long work that is done by one node at a time stays with a node that has ended without a word; without, 10 s.
    pub fn work_lease(mut self, lease: Duration) -> Self {
        self.work_lease = lease;
        self
    }

    /// Builds the host, loads its maps, and begins to follow the store.
    ///
    /// A store that does not answer is no error: requests to guarded paths get 503 until it does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] names what is missing or does not fit.
    pub async fn build(self) -> Result<Host, Error> {
        let config = |text: &'static str| Error::new(ErrorKind::Config, text);
        let callback_base = self.callback_base.ok_or_else(|| {
            config("a host needs the public URL of its callbacks (`callback_base`)")
        })?;
        if !matches!(callback_base.scheme(), "http" | "https")
            || callback_base.query().is_some()
            || callback_base.fragment().is_some()
        {
            return Err(config(
                "`callback_base` must be an http or https URL without query and fragment",
            ));
        }
        let scopes = ScopeDocuments::new(
            scope_base(self.scope_base, &callback_base)?,
            self.scope_documents,
        );
        let policy = self
            .policy
            .ok_or_else(|| config("a host needs to be told which AMs owners may choose (`ams`)"))?;
        let catalogue = self
            .catalogue
            .ok_or_else(|| config("a host needs to know whose its paths are (`catalogue`)"))?;
        let http =
            match self.http {
                Some(http) => http,
                None => Http::new(ReqwestTransport::new().map_err(|error| {
                    config("the HTTP client could not be set up").because(error)
                })?),
            };
        let brought_http = match self.outbound_http {
            Some(http) => http,
            None => self.outbound.http().map_err(|error| {
                config("the HTTP client for AMs that owners bring could not be set up")
                    .because(error)
            })?,
        };
        if matches!(policy, AmPolicy::Any(_)) && self.outbound.allows_loopback() {
            tracing::warn!(
                "INSECURE: owners may bring AMs on this very machine, by http and on any port; not for production"
            );
        }
        let enrolments = Enrolments::new(self.outbound.per_owner, self.outbound.per_host);
        let own_label = self
            .own_label
            .or_else(|| callback_base.host_str().map(str::to_owned))
            .unwrap_or_else(|| String::from("host"));
        // The label stands in registered names, before a `/`.
        let own_label: String = own_label
            .chars()
            .filter(|c| !c.is_control() && !matches!(c, '[' | ']' | '/'))
            .take(64)
            .collect();
        let ams = Ams::new(
            policy,
            (http, brought_http),
            self.outbound,
            self.clock.clone(),
            self.client_name,
            self.host_id,
            scopes,
        );
        if self.work_lease < Duration::from_millis(100) {
            return Err(config("`work_lease` must be at least 100 ms"));
        }
        let (ams, keepers) = (Arc::new(ams), Arc::new(Keepers::new()));
        let maps = Shared::new(
            self.maps,
            self.store.clone(),
            Arc::clone(&ams),
            Arc::clone(&keepers),
            Arc::clone(&self.clock),
        );
        let access_log = AccessLog::new(self.store.clone(), self.clock.clone(), self.retention);
        let host = Host {
            engine: Arc::default(),
            patience: self.wait_for_nodes,
            inner: Arc::new(Inner {
                worker: Worker::new(self.store.clone(), self.work_lease),
                node: Node::new(NodeId::named(&self.node_name), self.wake),
                store: self.store,
                ams,
                maps: HostMaps {
                    shared: Arc::new(maps),
                },
                keepers,
                catalogue,
                clock: self.clock,
                callback_base,
                own_label,
                paths: PathLocks::default(),
                reconciling: Mutex::new(()),
                wake: Bell::new(),
                patience: Patience::default(),
                enrolments,
                pace: Pace::new(self.background_rate),
                notify: self.notify,
                lost: self.lost,
                drift: self.drift,
                visited: Visited::default(),
                access_log,
                retention: self.retention,
                look: Bell::new(),
                moving: Locks::default(),
                publishing: AtomicBool::new(false),
            }),
        };
        host.inner.begin_to_follow().await;
        Ok(host)
    }
}

/// Where scopes are described, with a slash at the end.
fn scope_base(given: Option<Url>, callback_base: &Url) -> Result<Url, Error> {
    let config = |text: &'static str| Error::new(ErrorKind::Config, text);
    let base = match given {
        Some(base) => base,
        None => callback_base
            .join("scopes/")
            .map_err(|error| config("`callback_base` has no path beside it").because(error))?,
    };
    let plain = base.query().is_none() && base.fragment().is_none() && base.path().ends_with('/');
    if matches!(base.scheme(), "http" | "https") && plain {
        return Ok(base);
    }
    Err(config(
        "`scope_base` must be an http or https URL that ends with a slash",
    ))
}

impl fmt::Debug for HostBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostBuilder")
            .field(
                "callback_base",
                &self.callback_base.as_ref().map(Url::as_str),
            )
            .field("client_name", &self.client_name)
            .field("ams", &self.policy)
            .finish_non_exhaustive()
    }
}
