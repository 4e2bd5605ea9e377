//! Building a host.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{Mutex, Notify};
use uma_client::{Clock, Http, ReqwestTransport, SystemClock};
use url::Url;

use super::{Ams, Host, Inner, Keepers, PathLocks};
use crate::catalogue::AnyCatalogue;
use crate::reconcile::Patience;
use crate::{AmPolicy, AnyStore, Catalogue, Error, ErrorKind, HostMaps};

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
        }
    }

    /// Sets what carries the calls to AMs; without, it is reqwest over rustls.
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

    /// Builds the host and loads its maps.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] names what is missing or does not fit; store errors.
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
            http,
            self.clock.clone(),
            self.client_name,
            self.host_id,
        );
        let host = Host {
            engine: Arc::default(),
            inner: Arc::new(Inner {
                store: self.store,
                ams,
                maps: HostMaps::empty(),
                keepers: Keepers::new(),
                catalogue,
                clock: self.clock,
                callback_base,
                own_label,
                paths: PathLocks::default(),
                reconciling: Mutex::new(()),
                wake: Notify::new(),
                patience: Patience::default(),
                publishing: AtomicBool::new(false),
            }),
        };
        host.inner
            .maps
            .refresh(&host.inner.store, &host.inner.ams)
            .await?;
        Ok(host)
    }
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
