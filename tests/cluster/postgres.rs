//! Postgres servers of the tests' own.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::OnceCell;
use url::Url;

/// A server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Of somebody who may do everything.
    pub(crate) url: Url,
}

/// The one that tests share which do it no harm.
static SHARED: OnceCell<Option<Server>> = OnceCell::const_new();

fn script() -> Command {
    let project = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut script = Command::new(project.join("scripts/postgres"));
    script.stdin(Stdio::null()).kill_on_drop(true);
    script
}

impl Server {
    /// The shared server; none where there is no Postgres.
    pub(crate) async fn shared() -> Option<Self> {
        let shared = SHARED.get_or_init(|| async {
            match std::env::var("WARDEN_TEST_POSTGRES") {
                Ok(url) => Some(Self {
                    url: url.parse().unwrap(),
                }),
                Err(_) => Self::start(&[]).await,
            }
        });
        shared.await.clone()
    }

    /// A server that ends with this process.
    async fn start(more: &[&str]) -> Option<Self> {
        static SAID: OnceCell<()> = OnceCell::const_new();
        let mut start = script();
        start.args(["start", "--no-fsync", "--while"]);
        start.arg(std::process::id().to_string());
        if !more.contains(&"--port") {
            start.args(["--port", "0"]);
        }
        let output = match start.args(more).output().await {
            Ok(output) if output.status.success() => output,
            Ok(output) if output.status.code() != Some(4) => {
                panic!("{}", String::from_utf8_lossy(&output.stderr))
            }
            // No Postgres here, or no Python.
            _ => {
                let wanted = std::env::var("WARDEN_POSTGRES").is_ok_and(|wanted| wanted == "1");
                assert!(!wanted, "WARDEN_POSTGRES=1, and there is no Postgres here");
                let said = SAID.get_or_init(|| async {
                    // Past the capture of the test harness.
                    let _ = writeln!(
                        std::io::stderr(),
                        "!! SKIPPED: the tests of several nodes, since there is no Postgres here"
                    );
                });
                said.await;
                return None;
            }
        };
        let url = String::from_utf8(output.stdout).unwrap();
        Some(Self {
            url: url.trim().parse().unwrap(),
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.url.port().unwrap()
    }

    /// Has the script do something with the server.
    pub(crate) async fn tell(&self, command: &str) {
        let mut script = script();
        script.args([command, "--port", &self.port().to_string()]);
        let output = script.output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// A new and empty database.
    pub(crate) async fn database(&self) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("warden_cluster_{}_{number}", std::process::id());
        let created = self.run(format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"
        ));
        created.await;
        let mut url = self.url.clone();
        url.set_path(&name);
        Database {
            server: self.clone(),
            name,
            url,
        }
    }

    /// Runs a statement in the server's own database.
    pub(crate) async fn run(&self, sql: String) {
        run(&self.url, sql).await;
    }
}

/// A server of its own that can be killed and started again with its data.
#[derive(Debug)]
pub(crate) struct OwnServer {
    pub(crate) server: Server,
    folder: TempDir,
}

impl OwnServer {
    pub(crate) async fn start() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let server = Server::start(&["--data", folder.path().to_str().unwrap()]).await?;
        Some(Self { server, folder })
    }

    /// SIGKILL to all its processes.
    pub(crate) async fn kill(&self) {
        self.server.tell("kill").await;
    }

    /// Starts it again, with its data, at its port.
    pub(crate) async fn restart(&self) {
        let port = self.server.port().to_string();
        let folder = self.folder.path().to_str().unwrap();
        let again = Server::start(&["--data", folder, "--port", &port]).await;
        assert_eq!(again.unwrap().url, self.server.url);
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let mut stop = std::process::Command::new("python3");
        let project = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        stop.arg(project.join("scripts/postgres"));
        stop.args(["stop", "--port", &self.server.port().to_string()]);
        let _ = stop.stderr(Stdio::null()).status();
    }
}

/// A database of one test.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) server: Server,
    pub(crate) name: String,
    pub(crate) url: Url,
}

impl Database {
    /// Runs statements.
    pub(crate) async fn run(&self, sql: impl Into<String>) {
        run(&self.url, sql.into()).await;
    }

    /// The number that a query gives.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let mut connection = PgConnection::connect(self.url.as_str()).await.unwrap();
        let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        number
    }

    /// Ends the connections that a condition on `pg_stat_activity` tells; how many.
    pub(crate) async fn cut(&self, which: &str) -> i64 {
        self.number(&format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = '{}' AND pid <> pg_backend_pid() AND {which}",
            self.name
        ))
        .await
    }
}

async fn run(url: &Url, sql: String) {
    let mut connection = PgConnection::connect(url.as_str()).await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection);
    done.await.unwrap();
    connection.close().await.unwrap();
}
