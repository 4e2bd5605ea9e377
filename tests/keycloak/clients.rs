//! Requesters that exist: libraries from npm and PyPI, unmodified, and curl.

use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use crate::person::PHOTO;
use crate::server::project;
use crate::shared::Sharing;
use crate::tools::{Ran, ran};

/// Refused first, which asks the owner; then in. `run` gives the exit codes of the clients: 0 got it, 3 denied.
async fn gets_in_when_the_owner_agrees(run: impl AsyncFn(&str) -> Ran) {
    let Some(sharing) = Sharing::begun(&[]).await else {
        return;
    };
    let id = sharing.share(PHOTO).await;
    let photo = sharing.host.at(PHOTO);
    run(&photo).await.expect(3);
    assert_eq!(sharing.realm.approve("alice", &id).await, 1);
    let seen = run(&photo).await.expect(0);
    assert!(seen.stdout.contains("summer: the beach"), "{seen:?}");
}

fn skipped(what: &str, ran: &Ran) {
    // Past the capture of the test harness.
    let mut err = std::io::stderr();
    let reason = ran.stderr.lines().rfind(|line| !line.trim().is_empty());
    let _ = writeln!(
        err,
        "SKIPPED: {what}: {}",
        reason.unwrap_or("it can't be had")
    );
}

fn clients() -> PathBuf {
    project().join("tests/keycloak/clients")
}

/// The libraries of `package.json`, in a folder of their own with the programs.
async fn node() -> Option<TempDir> {
    let folder = TempDir::new().unwrap();
    for file in std::fs::read_dir(clients()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    let mut install = Command::new("npm");
    install
        .args(["install", "--silent", "--no-audit", "--no-fund"])
        .current_dir(folder.path());
    let installed = tried(&mut install).await;
    if installed.code == Some(0) {
        return Some(folder);
    }
    skipped("the clients from npm", &installed);
    None
}

/// A program that may not be there at all.
async fn tried(command: &mut Command) -> Ran {
    match command.kill_on_drop(true).output().await {
        Ok(output) => Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        },
        Err(error) => Ran {
            code: None,
            stdout: String::new(),
            stderr: error.to_string(),
        },
    }
}

async fn by_node(program: &str) {
    let Some(folder) = node().await else { return };
    gets_in_when_the_owner_agrees(async |url| {
        let mut node = Command::new("node");
        ran(node
            .current_dir(folder.path())
            .args([program, url, "requester", "bob"]))
        .await
    })
    .await;
}

#[tokio::test]
async fn keycloaks_own_javascript_library() {
    by_node("keycloak-js.mjs").await;
}

#[tokio::test]
async fn a_generic_javascript_library() {
    by_node("openid-client.mjs").await;
}

#[tokio::test]
async fn a_python_library() {
    let folder = TempDir::new().unwrap();
    let python = folder.path().join("bin/python");
    let mut venv = Command::new("python3");
    let made = tried(venv.args(["-m", "venv"]).arg(folder.path())).await;
    if made.code != Some(0) {
        return skipped("the client from PyPI", &made);
    }
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "python-keycloak==7.1.1"]);
    let installed = tried(&mut install).await;
    if installed.code != Some(0) {
        return skipped("the client from PyPI", &installed);
    }
    let program = clients().join("python_keycloak.py");
    gets_in_when_the_owner_agrees(async |url| run_python(&python, &program, url).await).await;
}

async fn run_python(python: &Path, program: &Path, url: &str) -> Ran {
    let mut command = Command::new(python);
    ran(command.arg(program).args([url, "requester", "bob"])).await
}
