//! Keycloak itself.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::OnceCell;

/// A server of one port.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) port: u16,
}

/// The one that most tests share, each with a realm of its own there.
const SHARED_PORT: u16 = 18180;
static SHARED: OnceCell<Option<Server>> = OnceCell::const_new();

pub(crate) fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn script() -> Command {
    let mut script = Command::new(project().join("scripts/keycloak"));
    script.stdin(Stdio::null());
    script
}

async fn is_running(port: u16) -> bool {
    let status = script()
        .args(["status", "--port", &port.to_string()])
        .output()
        .await;
    status.is_ok_and(|output| output.status.success())
}

impl Server {
    /// The shared server; none where Keycloak can't be had.
    pub(crate) async fn shared() -> Option<Self> {
        let port = std::env::var("WARDEN_KEYCLOAK_PORT")
            .ok()
            .and_then(|port| port.parse().ok())
            .unwrap_or(SHARED_PORT);
        SHARED
            .get_or_init(|| async move {
                // A test run fetches no server by itself, and leaves nothing behind that was not asked for.
                let wanted = std::env::var_os("WARDEN_KEYCLOAK").is_some() || is_running(port).await;
                let server = if wanted {
                    Self::start(port, &[]).await
                } else {
                    None
                };
                if server.is_none() {
                    let why = if wanted {
                        "it can't be had here (no JDK 17, no Maven, or no network)"
                    } else {
                        "none runs; start one with `scripts/keycloak start --port 18180`, or set WARDEN_KEYCLOAK=1"
                    };
                    // Past the capture of the test harness.
                    let _ = writeln!(
                        std::io::stderr(),
                        "SKIPPED: the tests against Keycloak: {why}"
                    );
                }
                server
            })
            .await
            .clone()
    }

    /// A server of its own, for tests that stop it.
    pub(crate) async fn start(port: u16, more: &[&str]) -> Option<Self> {
        let mut start = script();
        start.args(["start", "--port", &port.to_string()]);
        start.args(["--while", &std::process::id().to_string()]);
        if let Ok(version) = std::env::var("WARDEN_KEYCLOAK_VERSION")
            && !more.contains(&"--version")
        {
            start.args(["--version", &version]);
        }
        let output = start.args(more).output().await.unwrap();
        match output.status.code() {
            Some(0) => {
                let url = String::from_utf8(output.stdout).unwrap().trim().to_owned();
                Some(Self { url, port })
            }
            Some(4) => None,
            _ => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// Halts the process, or lets it go on: a server that is there and does not answer.
    pub(crate) async fn signal(&self, signal: &str) {
        let mut status = script();
        status.args(["status", "--port", &self.port.to_string()]);
        let output = status.output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (_, rest) = text.split_once(" pid ").unwrap();
        let pid = rest.split_whitespace().next().unwrap();
        // The script has made it the leader of a group.
        let group = format!("-{pid}");
        let sent = Command::new("kill")
            .args([signal, "--", &group])
            .status()
            .await;
        assert!(sent.unwrap().success());
    }

    pub(crate) async fn stop(&self) {
        let mut stop = script();
        stop.args(["stop", "--port", &self.port.to_string()]);
        let output = stop.output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}
