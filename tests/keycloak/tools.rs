//! Other programs that the tests run.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::OnceCell;

#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

pub(crate) async fn ran(command: &mut Command) -> Ran {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

static BUILT: OnceCell<()> = OnceCell::const_new();

/// A program of another package, built beside the host.
pub(crate) async fn program(name: &str) -> PathBuf {
    BUILT
        .get_or_init(|| async {
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--quiet", "--package", "uma-get"]);
            build.args(["--package", "keycloak-quickstart"]);
            ran(&mut build).await.expect(0);
        })
        .await;
    PathBuf::from(env!("CARGO_BIN_EXE_host-one")).with_file_name(name)
}

pub(crate) async fn uma_get(url: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new(program("uma-get").await);
    ran(command.arg(url).args(arguments)).await
}
