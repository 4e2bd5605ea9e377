//! Host One as a process of its own.

use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

const LOG: &str = "host-one.log";

pub(crate) struct HostOne {
    pub(crate) url: String,
    pub(crate) am: String,
    child: Child,
    folder: TempDir,
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
        let command = command(&folder, arguments);
        Self::ready(folder, command).await
    }

    /// As [`HostOne::start`], with what it logs in a file of its folder: nobody has to read along.
    #[allow(dead_code, reason = "for tests of several nodes")]
    pub(crate) async fn start_logging(folder: TempDir, arguments: &[&str], filter: &str) -> Self {
        let mut command = command(&folder, arguments);
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.path().join(LOG))
            .unwrap();
        command.env("RUST_LOG", filter).stderr(log);
        Self::ready(folder, command).await
    }

    async fn ready(folder: TempDir, mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
        let Ok(Ok(Some(line))) = ready else {
            let mut log = String::new();
            child.kill().await.unwrap();
            match child.stderr.take() {
                Some(mut stderr) => drop(stderr.read_to_string(&mut log).await.unwrap()),
                None => log = std::fs::read_to_string(folder.path().join(LOG)).unwrap(),
            }
            panic!("host-one was not ready: {log}");
        };
        let (url, am) = line
            .strip_prefix("host-one ready: host=")
            .and_then(|rest| rest.split_once(" am="))
            .unwrap_or_else(|| panic!("not the ready line: {line}"));
        Self {
            url: url.to_owned(),
            am: am.to_owned(),
            child,
            folder,
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
        std::fs::read_to_string(self.folder.path().join(LOG)).unwrap()
    }

    /// SIGTERM; its exit code, what it logged, and the folder that it wrote to.
    pub(crate) async fn end(mut self) -> (Option<i32>, String, TempDir) {
        let id = self.child.id().unwrap().to_string();
        let kill = Command::new("kill").arg(id).status().await.unwrap();
        assert!(kill.success());
        let mut log = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut log).await.unwrap();
        }
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
