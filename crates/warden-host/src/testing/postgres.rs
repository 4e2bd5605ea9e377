//! A real Postgres for tests: the server at `WARDEN_TEST_POSTGRES` (the URL of somebody who may make databases), or one that
//! the project's script starts for this process. Each test has a database of its own.

use std::cell::RefCell;
use std::io::Write as _;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::sync::OnceCell;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/postgres");

/// The server's URL; none where there is no Postgres, which is said once.
fn server() -> Option<&'static str> {
    static SERVER: OnceLock<Option<String>> = OnceLock::new();
    let found = SERVER.get_or_init(|| {
        if let Ok(url) = std::env::var("WARDEN_TEST_POSTGRES") {
            return Some(url);
        }
        start(&["--no-fsync"])
    });
    found.as_deref()
}

/// Starts a server that ends with this process.
pub(crate) fn start(more: &[&str]) -> Option<String> {
    let started = Command::new(SCRIPT)
        .args(["start", "--port", "0", "--while"])
        .arg(std::process::id().to_string())
        .args(more)
        .output();
    let started = match started {
        Ok(started) if started.status.success() => started,
        Ok(started) if started.status.code() != Some(4) => {
            panic!("{}", String::from_utf8_lossy(&started.stderr))
        }
        // No Postgres here, or no Python.
        _ => {
            // Past the test harness, which hides what tests print that pass.
            let line =
                "!! SKIPPED: the tests of the Postgres store, since there is no Postgres here\n";
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        }
    };
    Some(String::from_utf8(started.stdout).unwrap().trim().to_owned())
}

/// The script, told to do something with the server at a URL.
pub(crate) fn script(command: &str, url: &str) -> String {
    let port = url::Url::parse(url).unwrap().port().unwrap();
    let done = Command::new(SCRIPT)
        .args([command, "--port", &port.to_string()])
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// A database, gone when this is and the thread that let it go has ended.
pub(crate) struct TestDatabase {
    pub(crate) name: String,
    pub(crate) url: String,
}

impl TestDatabase {
    /// An empty one. None where there is no Postgres.
    pub(crate) async fn empty() -> Option<Self> {
        Self::encoded("UTF8").await
    }

    /// An empty one in an encoding. None where there is no Postgres.
    pub(crate) async fn encoded(encoding: &str) -> Option<Self> {
        let server = server()?;
        Some(Self::made(server, &format!("template0 ENCODING '{encoding}'")).await)
    }

    /// One with the schema. None where there is no Postgres.
    pub(crate) async fn ready() -> Option<Self> {
        static TEMPLATE: OnceCell<TestDatabase> = OnceCell::const_new();
        let server = server()?;
        let template = TEMPLATE
            .get_or_init(|| async {
                let template = Self::made(server, "template0 ENCODING 'UTF8'").await;
                crate::store::postgres_schema(&template.url).await.unwrap();
                template
            })
            .await;
        Some(template.copy().await)
    }

    /// Another one with what is in this one, which nobody may be connected to.
    pub(crate) async fn copy(&self) -> Self {
        Self::made(server().unwrap(), &self.name).await
    }

    async fn made(server: &str, template: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("warden_test_{}_{number}", std::process::id());
        let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
        run(server, create).await;
        let mut url = url::Url::parse(server).unwrap();
        url.set_path(&name);
        Self {
            name,
            url: url.into(),
        }
    }
}

async fn run(server: &str, sql: String) {
    let mut connection = PgConnection::connect(server).await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection);
    done.await.unwrap();
    connection.close().await.unwrap();
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        let _ = ENDED.try_with(|ended| ended.0.borrow_mut().push(name));
    }
}

/// Databases that are no longer needed, gone when this thread ends and with it its runtime. Not earlier: the server waits
/// for clients that are about to connect, and those of a runtime whose thread waits for the server never do.
struct Ended(RefCell<Vec<String>>);

thread_local! {
    static ENDED: Ended = const { Ended(RefCell::new(Vec::new())) };
}

impl Drop for Ended {
    fn drop(&mut self) {
        let names = std::mem::take(&mut *self.0.borrow_mut());
        let dropping = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            for name in names {
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                if let Some(server) = server() {
                    runtime.block_on(run(server, drop));
                }
            }
        });
        // A server that is away has taken them along.
        let _ = dropping.join();
    }
}
