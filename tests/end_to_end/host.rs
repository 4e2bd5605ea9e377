//! Host One as a process of its own.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

#[allow(dead_code, reason = "for tests of several nodes")]
const LOG: &str = "host-one.log";

pub(crate) struct HostOne {
    pub(crate) url: String,
    pub(crate) am: String,
    /// Of a host that was started with `--second-am`.
    pub(crate) second_am: Option<String>,
    child: Child,
    folder: TempDir,
    /// Where it logs instead of on stderr.
    log: Option<PathBuf>,
}

pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

fn command(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-one"));
    command
        .args(arguments)
        .current_dir(folder.path())
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// The file that a process logs to when leaks are searched for.
fn collected() -> Option<PathBuf> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("host-one-{}-{number}.log", std::process::id());
    warden_canary::folder().map(|folder| folder.join(name))
}

/// What a process has logged.
async fn written(child: &mut Child, collected: Option<PathBuf>) -> String {
    if let Some(file) = collected {
        return std::fs::read_to_string(file).unwrap();
    }
    let mut log = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut log).await.unwrap();
    log
}

/// Runs the program to its end.
pub(crate) async fn run(arguments: &[&str]) -> Ended {
    let folder = TempDir::new().unwrap();
    let output = tokio::time::timeout(
        Duration::from_secs(60),
        command(&folder, arguments).output(),
    );
    let output = output.await.expect("it ends").unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl HostOne {
    /// With an embedded AM, on free ports, in a folder of its own.
    pub(crate) async fn embedded(arguments: &[&str]) -> Self {
        let mut all = vec![
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--am-listen",
            "127.0.0.1:0",
        ];
        all.extend_from_slice(arguments);
        Self::start(TempDir::new().unwrap(), &all).await
    }

    /// With two embedded AMs.
    pub(crate) async fn two_ams(arguments: &[&str]) -> Self {
        let mut all = vec!["--second-am", "--second-am-listen", "127.0.0.1:0"];
        all.extend_from_slice(arguments);
        Self::embedded(&all).await
    }

    pub(crate) fn second_am(&self) -> &str {
        self.second_am.as_deref().expect("a second AM")
    }

    /// With an AM elsewhere.
    pub(crate) async fn with_am(issuer: &str, arguments: &[&str]) -> Self {
        let mut all = vec![
            "--listen",
            "127.0.0.1:0",
            "--am",
            issuer,
            "--allow-insecure-am",
        ];
        all.extend_from_slice(arguments);
        Self::start(TempDir::new().unwrap(), &all).await
    }

    pub(crate) async fn start(folder: TempDir, arguments: &[&str]) -> Self {
        let mut command = command(&folder, arguments);
        let log = collected();
        if let Some(log) = &log {
            command
                .env("RUST_LOG", "trace")
                .stderr(std::fs::File::create(log).unwrap());
        }
        Self::ready(folder, command, log).await
    }

    /// As [`HostOne::start`], with what it logs in a file of its folder: nobody has to read along.
    #[allow(dead_code, reason = "for tests of several nodes")]
    pub(crate) async fn start_logging(folder: TempDir, arguments: &[&str], filter: &str) -> Self {
        let mut command = command(&folder, arguments);
        let log = folder.path().join("host-one.log");
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        command.env("RUST_LOG", filter).stderr(file);
        Self::ready(folder, command, Some(log)).await
    }

    async fn ready(folder: TempDir, mut command: Command, log: Option<PathBuf>) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
        let Ok(Ok(Some(line))) = ready else {
            child.kill().await.unwrap();
            let log = written(&mut child, log).await;
            panic!("host-one was not ready: {log}");
        };
        let (url, am) = line
            .strip_prefix("host-one ready: host=")
            .and_then(|rest| rest.split_once(" am="))
            .unwrap_or_else(|| panic!("not the ready line: {line}"));
        let (am, second_am) = match am.split_once(" second-am=") {
            Some((am, second)) => (am, Some(second.to_owned())),
            None => (am, None),
        };
        Self {
            url: url.to_owned(),
            am: am.to_owned(),
            second_am,
            child,
            folder,
            log,
        }
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    #[allow(dead_code, reason = "for tests of several nodes")]
    pub(crate) fn process(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// What it has logged so far, if that goes to a file.
    #[allow(dead_code, reason = "for tests of several nodes")]
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log.as_ref().unwrap()).unwrap()
    }

    /// SIGTERM; its exit code, what it logged, and the folder that it wrote to.
    pub(crate) async fn end(mut self) -> (Option<i32>, String, TempDir) {
        let id = self.child.id().unwrap().to_string();
        let kill = Command::new("kill").arg(id).status().await.unwrap();
        assert!(kill.success());
        let file = self.log.take();
        if file.is_some() {
            self.child.wait().await.unwrap();
        }
        let log = written(&mut self.child, file).await;
        let ended = tokio::time::timeout(Duration::from_secs(20), self.child.wait());
        let code = ended.await.expect("it ends").unwrap().code();
        (code, log, self.folder)
    }

    /// SIGKILL.
    pub(crate) async fn kill(mut self) -> TempDir {
        self.child.kill().await.unwrap();
        self.folder
    }
}
