//! `host-one serve`: listeners, the AM, the host, and a quiet end.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use axum_extra::extract::cookie::Key;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower_warden::Unmapped;
use uma_client::{
    AmClient, AmProfile, ClientCredentials, Dialect, Http, Issuer, ReqwestTransport, Secret,
};
use warden_host::{
    AccessLog, AmPolicy, AmSetting, AnyStore, ErrorKind, Host, MapsMode, SealingKey, Wake,
};

use crate::Failure;
use crate::app::{AppOptions, app};
use crate::embedded::{self, EmbeddedAm};
use crate::log::Log;
use crate::notices::Notices;
use crate::options::{AmAddress, MapsChoice, ServeOptions, UnmappedChoice};
use crate::people::People;
use crate::second;
use crate::session::SessionKey;
use crate::starting::Starting;

/// How long open connections may take to end.
const DRAIN: Duration = Duration::from_secs(10);
/// How often registrations at the AM are brought in step.
const RECONCILE: Duration = Duration::from_secs(60);

/// How long until a database that can't be opened is tried again.
const OPEN_AGAIN: Duration = Duration::from_secs(1);

/// A running host, and those of its AMs that are embedded.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) issuer: Issuer,
    /// The issuer of the second AM, if there is one.
    second_issuer: Option<Issuer>,
    stop: watch::Sender<bool>,
    node: Host,
    host: JoinHandle<std::io::Result<()>>,
    ams: Vec<EmbeddedAm>,
    reconciler: JoinHandle<()>,
    accesses: AccessLog,
}

/// Serves until it is told to end.
pub(crate) async fn serve(options: ServeOptions, log: &Log) -> Result<(), Failure> {
    let running = start(options).await?;
    // Before anybody is told that it runs, lest they end it the hard way.
    let told = told_to_end()?;
    log.release();
    let second = running.second_issuer.as_ref();
    let second = second.map(|issuer| format!(" second-am={issuer}"));
    writeln!(
        std::io::stdout().lock(),
        "host-one ready: host=http://{} am={}{}",
        running.address,
        running.issuer,
        second.unwrap_or_default()
    )?;
    told.await?;
    tracing::info!("ending: open requests are answered first");
    running.end().await
}

/// Starts everything; what it returns is ready for requests.
async fn start(options: ServeOptions) -> Result<Running, Failure> {
    start_with(options, Http::new(ReqwestTransport::new()?)).await
}

/// As [`start`], over a transport to the AM.
pub(crate) async fn start_with(options: ServeOptions, http: Http) -> Result<Running, Failure> {
    options.database.make_folder()?;
    let listener = listen(options.listen, "--listen").await?;
    let address = reachable(listener.local_addr()?);
    let (stop, stopped) = watch::channel(false);
    let am = match &options.am {
        AmAddress::Issuer(_) => None,
        AmAddress::Embedded => {
            let listener = listen(options.am_listen, "--am-listen").await?;
            let state = options.database.beside("am.json");
            let name = second::name_of_first(&options);
            let dialect = options.embedded_dialect();
            Some(embedded::start(
                name,
                listener,
                dialect,
                state,
                stopped.clone(),
            )?)
        }
    };
    let second_am = second::start(&options, stopped.clone()).await?;
    let issuer = match (&options.am, &am) {
        (AmAddress::Issuer(issuer), _) => issuer.clone(),
        (AmAddress::Embedded, Some(am)) => am.issuer.clone(),
        (AmAddress::Embedded, None) => return Err("the embedded AM did not start".into()),
    };
    let (dialect, profile) = match &am {
        None => check_am(&options, &issuer, http.clone()).await?,
        Some(_) => {
            let dialect = options.embedded_dialect();
            (dialect, dialect.profile())
        }
    };
    let second_issuer = second_am.as_ref().map(|am| am.issuer.clone());
    let mut settings = vec![am_setting(&options, issuer.clone(), profile)?.with_dialect(dialect)];
    settings.extend(
        second_issuer
            .clone()
            .map(|issuer| second::setting(&options, issuer)),
    );
    for other in &options.wider.also_am {
        settings.push(other_am(&options, other, http.clone()).await?);
    }
    // Answers from here on, until there is a host that it is not ready.
    let starting = Starting::default();
    let mut ending = stopped.clone();
    let serving = axum::serve(listener, starting.router()).with_graceful_shutdown(async move {
        let _ = ending.wait_for(|stop| *stop).await;
    });
    let serving = tokio::spawn(serving.into_future());
    let notices = Notices::default();
    let host = open_host(&options, settings, address, http, notices.clone()).await?;
    let reconciler = host.spawn_reconciler(RECONCILE);
    let session_key = session_key(&options)?;
    let app = app(
        &host,
        AppOptions {
            unmapped: match options.unmapped {
                UnmappedChoice::Pass => Unmapped::Pass,
                UnmappedChoice::Deny => Unmapped::Deny,
            },
            cache_ttl: options.cache_ttl,
            host_id: options.host_id.unwrap_or_else(|| address.to_string()),
            accept_legacy_tokens: options.accept_legacy_tokens,
            allow_origin: options.allow_origin,
            session_key,
            notices,
        },
    )
    .await?;
    starting.ready(app);
    Ok(Running {
        address,
        issuer,
        second_issuer,
        stop,
        accesses: host.access_log(),
        node: host,
        host: serving,
        ams: am.into_iter().chain(second_am).collect(),
        reconciler,
    })
}

impl Running {
    /// Lets open requests end, then ends.
    pub(crate) async fn end(self) -> Result<(), Failure> {
        self.reconciler.abort();
        self.stop.send_replace(true);
        let all = async {
            self.host.await??;
            for am in self.ams {
                am.serving.await??;
            }
            Ok::<(), Failure>(())
        };
        let ended = tokio::time::timeout(DRAIN, all).await;
        if let Err(error) = self.accesses.flush().await {
            tracing::warn!(%error, "the last accesses could not be kept");
        }
        let ended = match ended {
            Ok(ended) => ended,
            Err(_) => {
                tracing::warn!("some connections did not end within {} s", DRAIN.as_secs());
                Ok(())
            }
        };
        // Nothing is served any more: other nodes need not wait for this one.
        if let Err(error) = self.node.leave().await {
            tracing::warn!(error = %error, "other nodes wait for this one until its lease has run out");
        }
        ended
    }
}

async fn open_host(
    options: &ServeOptions,
    ams: Vec<AmSetting>,
    address: SocketAddr,
    http: Http,
    notices: Notices,
) -> Result<Host, Failure> {
    let public_url = match &options.wider.public_url {
        Some(url) => url.clone(),
        None => format!("http://{address}").parse()?,
    };
    let database = &options.database;
    let beside = || database.beside("seal-key");
    let key = match options.wider.seal_key.clone().or_else(beside) {
        Some(file) => SealingKey::from_file(file)?,
        None => SealingKey::generate()?,
    };
    let store = open_store(&database.url(), &key).await?;
    let host = Host::builder(store)
        .http(http)
        .callback_base(public_url.join("/uma/callback")?)
        .client_name("Host One")
        .own_label("host-one")
        .host_id(public_url.authority())
        .ams(AmPolicy::Only(ams))
        .catalogue(People)
        .notify(notices)
        .maps(match options.maps {
            MapsChoice::Snapshot => MapsMode::Snapshot,
            MapsChoice::ReadThrough => MapsMode::ReadThrough {
                capacity: options.maps_capacity,
            },
        })
        .wake(if options.poll_only {
            Wake::PollOnly
        } else {
            Wake::Notify
        })
        .node_name(&options.node_name)
        .build()
        .await?;
    Ok(host)
}

/// Opens the database. A server that is not there yet is waited for; meanwhile this host is not ready.
async fn open_store(url: &str, key: &SealingKey) -> Result<AnyStore, Failure> {
    let mut told = false;
    loop {
        match AnyStore::open(url, key.clone()).await {
            Err(error) if error.kind() == ErrorKind::Store && !url.starts_with("sqlite:") => {
                if !told {
                    tracing::error!(error = %uma_client::Chain(&error), "the database can't be opened; it is tried again until it can");
                    told = true;
                }
                tokio::time::sleep(OPEN_AGAIN).await;
            }
            opened => return Ok(opened?),
        }
    }
}

fn am_setting(
    options: &ServeOptions,
    issuer: Issuer,
    mut profile: AmProfile,
) -> Result<AmSetting, Failure> {
    if options.offline_access {
        profile
            .extra_pat_scopes
            .push(String::from("offline_access"));
    }
    if !options.live_decisions.is_empty() && !profile.live_decision {
        let name = &profile.name;
        return Err(format!(
            "--live-decisions: an AM of the profile `{name}` has none; name another with --am-profile"
        )
        .into());
    }
    let embedded = matches!(options.am, AmAddress::Embedded);
    let mut setting = AmSetting::new(issuer)
        .with_profile(profile)
        .with_allow_insecure(embedded || options.allow_insecure_am);
    if embedded {
        setting = setting.with_name(second::name_of_first(options));
    }
    if let (Some(id), Some(secret)) = (&options.client_id, &options.client_secret) {
        setting =
            setting.with_credentials(ClientCredentials::basic(id, Secret::new(secret.as_str())));
    }
    if let Some(token) = &options.initial_access_token {
        setting = setting.with_initial_access_token(Secret::new(token.as_str()));
    }
    if !options.live_decisions.is_empty() {
        let paths = options.live_decisions.clone();
        setting = setting.with_live_decisions_for(move |map| {
            paths.iter().any(|path| map.key().starts_with(path))
        });
    }
    Ok(setting)
}

/// An AM beside the first. What the options say of a client holds for the first alone.
async fn other_am(
    options: &ServeOptions,
    issuer: &Issuer,
    http: Http,
) -> Result<AmSetting, Failure> {
    let (dialect, profile) = check_am(options, issuer, http).await?;
    let setting = AmSetting::new(issuer.clone())
        .with_name(issuer.url().authority())
        .with_profile(profile)
        .with_dialect(dialect)
        .with_allow_insecure(options.allow_insecure_am);
    Ok(setting)
}

/// What the AM speaks, and how. An AM that is not there, or is not what was named, is told at once.
async fn check_am(
    options: &ServeOptions,
    issuer: &Issuer,
    http: Http,
) -> Result<(Dialect, AmProfile), Failure> {
    let mut client = AmClient::builder(issuer.clone()).http(http);
    let named = options.am_profile.spoken();
    if let Some((dialect, profile)) = named.clone() {
        client = client.dialect(dialect).profile(profile);
    }
    if options.allow_insecure_am {
        client = client.allow_insecure_http();
    }
    let client = client
        .build()
        .map_err(|error| format!("{error}; for development, --allow-insecure-am allows http"))?;
    let client = match named {
        Some(_) => {
            client.metadata().await?;
            client
        }
        None => client.detected().await?,
    };
    Ok((client.dialect(), client.profile().clone()))
}

fn session_key(options: &ServeOptions) -> Result<SessionKey, Failure> {
    let beside = || options.database.beside("session-key");
    let Some(file) = options.session_key.clone().or_else(beside) else {
        return Ok(SessionKey(Key::generate()));
    };
    match std::fs::read(&file) {
        Ok(bytes) => Key::try_from(bytes.as_slice())
            .map(SessionKey)
            .map_err(|error| {
                format!(
                    "{}: {error}; delete it to sign everybody out",
                    file.display()
                )
                .into()
            }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = Key::generate();
            write_private(&file, key.master())?;
            Ok(SessionKey(key))
        }
        Err(error) => Err(format!("{}: {error}", file.display()).into()),
    }
}

/// Writes a new file that nobody else may read.
fn write_private(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(file)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|error| format!("{}: {error}", file.display()).into())
}

pub(crate) async fn listen(address: SocketAddr, option: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        format!("can't listen on {address}: {error}; choose another with {option}").into()
    })
}

/// The address at which a listener is met from this machine.
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

/// Listens for SIGTERM and Ctrl-C; the future waits for one of them.
fn told_to_end() -> Result<impl Future<Output = std::io::Result<()>>, Failure> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut term = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        Ok(async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
            Ok(())
        })
    }
    #[cfg(not(unix))]
    Ok(tokio::signal::ctrl_c())
}
