//! The options of the command line, each with its environment variable.

mod second;
mod wider;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{FalseyValueParser, NonEmptyStringValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use tower_warden::MAX_CACHE_TTL;
use uma_client::{AmProfile, Dialect, Issuer};

use crate::Failure;

pub(crate) use second::SecondAm;
pub(crate) use wider::Wider;

/// The folder that the program writes to, unless `--database` says otherwise.
pub(crate) const DATA_FOLDER: &str = "host-one-data";

/// Host One: a demo host whose people decide, at an authorization manager of their own, who may touch their data.
#[derive(Debug, Parser)]
#[command(name = "host-one", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: ServeOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the host (the default).
    Serve(Box<ServeOptions>),
    /// Tell the whole story in one process, exchange by exchange.
    Tour(TourOptions),
}

#[derive(Debug, Args)]
pub(crate) struct TourOptions {
    /// Show the fields of requests and answers, too.
    #[arg(long)]
    pub(crate) verbose: bool,

    /// What the authorization manager of the story speaks: `uma2` or `draft03`.
    #[arg(long, value_name = "NAME", default_value = "uma2", value_parser = dialect)]
    pub(crate) dialect: Dialect,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ServeOptions {
    /// Where to listen; port 0 takes any free port.
    #[arg(
        long,
        env = "HOST_ONE_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:8080"
    )]
    pub(crate) listen: SocketAddr,

    /// The authorization manager: `embedded`, or its issuer URL.
    #[arg(long, env = "HOST_ONE_AM", value_name = "URL", default_value = "embedded", value_parser = am_choice)]
    pub(crate) am: AmAddress,

    /// Where the embedded AM listens; port 0 takes any free port.
    #[arg(
        long,
        env = "HOST_ONE_AM_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:8081"
    )]
    pub(crate) am_listen: SocketAddr,

    #[command(flatten)]
    pub(crate) second: SecondAm,

    /// What the AM speaks, and how it differs within that. Unless named, both are told from the AM's metadata, and are those of
    /// a strict UMA 2.0 AM where they don't tell.
    #[arg(
        long,
        env = "HOST_ONE_AM_PROFILE",
        value_name = "NAME",
        default_value = "auto"
    )]
    pub(crate) am_profile: Profile,

    /// The host's client at the AM; without one, the host registers itself.
    #[arg(
        long,
        env = "HOST_ONE_CLIENT_ID", value_parser = NonEmptyStringValueParser::new(),
        value_name = "ID",
        requires = "client_secret"
    )]
    pub(crate) client_id: Option<String>,

    /// The secret of that client.
    #[arg(
        long,
        env = "HOST_ONE_CLIENT_SECRET", value_parser = NonEmptyStringValueParser::new(),
        value_name = "SECRET",
        requires = "client_id",
        hide_env_values = true
    )]
    pub(crate) client_secret: Option<String>,

    /// The initial access token for registering at an AM that asks for one.
    #[arg(
        long,
        env = "HOST_ONE_INITIAL_ACCESS_TOKEN", value_parser = NonEmptyStringValueParser::new(),
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub(crate) initial_access_token: Option<String>,

    /// Ask owners for connections that outlive their session at the AM (`offline_access`).
    #[arg(long, env = "HOST_ONE_OFFLINE_ACCESS")]
    pub(crate) offline_access: bool,

    /// Have the AM asked what its policies permit now, on each check of a token for a path that begins so: `/` for all. May
    /// be given more than once; in the environment, separated by commas. For AMs that can say so, as Keycloak.
    #[arg(
        long,
        env = "HOST_ONE_LIVE_DECISIONS",
        value_name = "PATH",
        value_delimiter = ','
    )]
    pub(crate) live_decisions: Vec<String>,

    /// Allow an AM over http and on loopback addresses. For development only.
    #[arg(long, env = "HOST_ONE_ALLOW_INSECURE_AM", value_parser = FalseyValueParser::new())]
    pub(crate) allow_insecure_am: bool,

    /// The database: `sqlite::memory:`, `sqlite://FILE` or `postgres://USER:PASSWORD@HOST/NAME`; without it, a file in the
    /// folder `host-one-data`.
    #[arg(long, env = "HOST_ONE_DATABASE", value_name = "URL", value_parser = database, default_value_t = default_database(), hide_env_values = true)]
    pub(crate) database: Database,

    /// How the resource maps are held: all in memory, or those that are asked for.
    #[arg(
        long,
        env = "HOST_ONE_MAPS",
        value_name = "HOW",
        default_value = "snapshot"
    )]
    pub(crate) maps: MapsChoice,

    /// How many paths `--maps read-through` keeps in memory.
    #[arg(
        long,
        env = "HOST_ONE_MAPS_CAPACITY",
        value_name = "N",
        default_value_t = 100_000
    )]
    pub(crate) maps_capacity: u64,

    /// A name for this node, in logs and in what other nodes know of it.
    #[arg(
        long,
        env = "HOST_ONE_NODE_NAME",
        value_name = "NAME",
        default_value = "host-one"
    )]
    pub(crate) node_name: String,

    /// Find changes that other nodes have made by a poll alone: for databases that don't notify, and behind poolers.
    #[arg(long, env = "HOST_ONE_POLL_ONLY", value_parser = FalseyValueParser::new())]
    pub(crate) poll_only: bool,

    /// The file with the key that sign-in cookies are sealed with; made if it is not there. All nodes need the same. Without
    /// it, a file beside the database; if there is none, each start has a key of its own.
    #[arg(long, env = "HOST_ONE_SESSION_KEY", value_name = "FILE")]
    pub(crate) session_key: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) wider: Wider,

    /// What an unmapped path under `/api` gets.
    #[arg(
        long,
        env = "HOST_ONE_UNMAPPED",
        value_name = "WHAT",
        default_value = "pass"
    )]
    pub(crate) unmapped: UnmappedChoice,

    /// The longest life of a cached introspection answer; at most 60s.
    #[arg(long, env = "HOST_ONE_CACHE_TTL", value_name = "TIME", default_value = "10s", value_parser = cache_ttl)]
    pub(crate) cache_ttl: Duration,

    /// The host's name in challenges of AMs that want it there, as those of 2012; without, its address.
    #[arg(long, env = "HOST_ONE_HOST_ID", value_parser = NonEmptyStringValueParser::new(), value_name = "NAME")]
    pub(crate) host_id: Option<String>,

    /// Take a requester's token also from where AMs of 2012 let it stand: the field `WWW-Authenticate` of a request.
    #[arg(long, env = "HOST_ONE_ACCEPT_LEGACY_TOKENS", value_parser = FalseyValueParser::new())]
    pub(crate) accept_legacy_tokens: bool,

    /// An origin whose pages may call the API. May be given more than once; in the environment, separated by commas.
    #[arg(long, env = "HOST_ONE_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',', value_parser = origin)]
    pub(crate) allow_origin: Vec<String>,
}

/// What `--am` names.
#[derive(Debug, Clone)]
pub(crate) enum AmAddress {
    Embedded,
    Issuer(Issuer),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Profile {
    /// As the metadata say.
    Auto,
    /// A strict UMA 2.0 AM.
    Uma2,
    /// Keycloak.
    Keycloak,
    /// An AM of 2012, as Puma and the SMART AM spoke.
    Draft03,
}

impl Profile {
    /// What an AM of this profile speaks, and how; none where its metadata are to tell.
    pub(crate) fn spoken(self) -> Option<(Dialect, AmProfile)> {
        Some(match self {
            Self::Auto => return None,
            Self::Uma2 => (Dialect::Uma2, Dialect::Uma2.profile()),
            Self::Keycloak => (Dialect::Uma2, AmProfile::keycloak()),
            Self::Draft03 => (Dialect::Draft03, Dialect::Draft03.profile()),
        })
    }

    /// The profile of a strict AM of a dialect.
    fn of(dialect: Dialect) -> Result<Self, Failure> {
        Self::from_str(dialect.as_str(), true).map_err(Failure::from)
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum MapsChoice {
    /// All in memory.
    Snapshot,
    /// Those that are asked for, from the database.
    ReadThrough,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum UnmappedChoice {
    /// The host's own logic answers.
    Pass,
    /// 404.
    Deny,
}

/// Where the host keeps what it knows.
#[derive(Clone)]
pub(crate) enum Database {
    Memory,
    File(PathBuf),
    /// With a password, perhaps: shown nowhere.
    Postgres(String),
}

impl Database {
    /// The URL for the store.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Memory => String::from("sqlite::memory:"),
            Self::File(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(url) => url.clone(),
        }
    }

    /// A file beside the database, named after it; none if the database is in memory. Beside a Postgres database it is in
    /// the folder `host-one-data`, which the nodes then have to share.
    pub(crate) fn beside(&self, what: &str) -> Option<PathBuf> {
        match self {
            Self::Memory => None,
            Self::Postgres(_) => Some(Path::new(DATA_FOLDER).join(format!("postgres.{what}"))),
            Self::File(path) => {
                let mut name = path.file_name()?.to_owned();
                name.push(".");
                name.push(what);
                Some(path.with_file_name(name))
            }
        }
    }

    /// Makes the folder of the database.
    pub(crate) fn make_folder(&self) -> Result<(), Failure> {
        let folder = match self {
            Self::Memory => None,
            Self::File(path) => path.parent().filter(|folder| *folder != Path::new("")),
            Self::Postgres(_) => Some(Path::new(DATA_FOLDER)),
        };
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder).map_err(|error| {
                format!(
                    "the data folder {} can't be made: {error}",
                    folder.display()
                )
            })?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Display for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Postgres(_) => f.write_str("postgres://…"),
            _ => f.write_str(&self.url()),
        }
    }
}

impl ServeOptions {
    /// Everything in memory, on any free ports.
    pub(crate) fn for_tour(dialect: Dialect) -> Result<Self, Failure> {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut options = Options::try_parse_from(["host-one"])?.serve;
        options.listen = any_port;
        options.am = AmAddress::Embedded;
        options.am_listen = any_port;
        options.am_profile = Profile::of(dialect)?;
        options.second.second_am = false;
        options.database = Database::Memory;
        options.unmapped = UnmappedChoice::Pass;
        options.cache_ttl = Duration::from_secs(10);
        Ok(options)
    }
}

impl ServeOptions {
    /// What the embedded AM speaks.
    pub(crate) fn embedded_dialect(&self) -> Dialect {
        self.am_profile
            .spoken()
            .map(|(dialect, _)| dialect)
            .unwrap_or_default()
    }
}

impl Options {
    pub(crate) fn default_log_filter(&self) -> &'static str {
        match self.command {
            Some(Command::Tour(_)) => "off",
            _ => "info,tower_warden::decision=debug",
        }
    }
}

fn default_database() -> Database {
    Database::File(Path::new(DATA_FOLDER).join("host-one.db"))
}

fn am_choice(text: &str) -> Result<AmAddress, String> {
    if text == "embedded" {
        return Ok(AmAddress::Embedded);
    }
    Issuer::parse(text)
        .map(AmAddress::Issuer)
        .map_err(|error| format!("neither `embedded` nor an issuer URL: {error}"))
}

fn dialect(text: &str) -> Result<Dialect, String> {
    Dialect::from_name(text).ok_or_else(|| {
        let known: Vec<&str> = Dialect::ALL.iter().map(Dialect::as_str).collect();
        format!("not a dialect: expected one of {}", known.join(", "))
    })
}

fn database(text: &str) -> Result<Database, String> {
    if text == "sqlite::memory:" {
        return Ok(Database::Memory);
    }
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(Database::Postgres(text.to_owned()));
    }
    match text.strip_prefix("sqlite://") {
        Some(path) if !path.is_empty() && !path.contains('?') => {
            let path = PathBuf::from(path);
            if path.is_dir() || path.file_name().is_none() {
                return Err(format!("{} is a folder, and a file is due", path.display()));
            }
            Ok(Database::File(path))
        }
        _ => Err(String::from(
            "expected `sqlite::memory:`, `sqlite://FILE` or `postgres://…`",
        )),
    }
}

fn cache_ttl(text: &str) -> Result<Duration, String> {
    let ttl: Duration = humantime::parse_duration(text)
        .map_err(|error| format!("expected a time such as `10s`: {error}"))?;
    if ttl > MAX_CACHE_TTL {
        return Err(format!("at most {}s", MAX_CACHE_TTL.as_secs()));
    }
    Ok(ttl)
}

fn origin(text: &str) -> Result<String, String> {
    let text = text.trim();
    let url = url::Url::parse(text).map_err(|error| format!("not an origin: {error}"))?;
    let origin = url.origin();
    if origin.is_tuple() && origin.ascii_serialization() == text {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "not an origin such as `https://app.example`; did you mean `{}`?",
            origin.ascii_serialization()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<ServeOptions, String> {
        let arguments = std::iter::once("host-one").chain(arguments.iter().copied());
        Options::try_parse_from(arguments)
            .map(|options| options.serve)
            .map_err(|error| crate::first_paragraph(&error.to_string()))
    }

    #[test]
    fn wrong_options_are_one_clear_line() {
        for (arguments, part) in [
            (["--listen", "nonsense"], "--listen"),
            (
                ["--am", "ftp://am.example"],
                "neither `embedded` nor an issuer URL",
            ),
            (["--cache-ttl", "10"], "expected a time such as `10s`"),
            (["--cache-ttl", "61s"], "at most 60s"),
            (
                ["--database", "mysql://x"],
                "expected `sqlite::memory:`, `sqlite://FILE` or `postgres://…`",
            ),
            (["--unmapped", "maybe"], "possible values: pass, deny"),
            (
                ["--maps", "none"],
                "possible values: snapshot, read-through",
            ),
            (
                ["--allow-origin", "https://app.example/"],
                "did you mean `https://app.example`?",
            ),
            (["--client-id", "x"], "--client-secret"),
            (["--am-profile", "smart"], "draft03"),
        ] {
            let line = parse(&arguments).unwrap_err();
            assert!(line.starts_with("host-one: "), "{line}");
            assert!(line.contains(part), "{line}");
            assert!(!line.contains('\n'));
        }
    }

    #[test]
    fn each_dialect_has_a_tour() {
        for dialect in Dialect::ALL {
            let name = dialect.as_str();
            let options = Options::try_parse_from(["host-one", "tour", "--dialect", name]);
            let Some(Command::Tour(tour)) = options.unwrap().command else {
                panic!("no tour in {name}");
            };
            let serve = ServeOptions::for_tour(tour.dialect).unwrap();
            assert_eq!(serve.am_profile.spoken().unwrap().0, *dialect);
        }
        assert!(Options::try_parse_from(["host-one", "tour", "--dialect", "2012"]).is_err());
    }

    #[test]
    fn the_password_of_a_database_is_shown_nowhere() {
        let url = "postgres://warden:canary@db.example/host";
        let options = parse(&["--database", url]).unwrap();
        assert_eq!(options.database.url(), url);
        assert!(!format!("{options:?} {}", options.database).contains("canary"));
    }

    #[test]
    fn the_defaults_are_those_of_the_readme() {
        let options = parse(&[]).unwrap();
        assert_eq!(options.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(
            options.database.to_string(),
            "sqlite://host-one-data/host-one.db"
        );
        assert_eq!(
            options.database.beside("am.json").unwrap(),
            Path::new("host-one-data/host-one.db.am.json")
        );
        assert_eq!(options.cache_ttl, Duration::from_secs(10));
        assert!(matches!(options.am, AmAddress::Embedded));
        assert!(!options.second.second_am);
        assert_eq!(
            options.second.second_am_listen.to_string(),
            "127.0.0.1:8082"
        );
    }
}
