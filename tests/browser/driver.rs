//! Chromium's driver: a process that ends with the test, however the test ends.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Where Chromium and its driver are.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) chromium: PathBuf,
    chromedriver: PathBuf,
}

static PROGRAMS: LazyLock<Option<Programs>> = LazyLock::new(|| {
    let found = Programs::find();
    if found.is_none() {
        let missing = "chromium and chromedriver are not both here (Debian: apt-get install chromium chromium-driver)";
        assert!(std::env::var_os("WARDEN_BROWSER").is_none(), "{missing}");
        // Past the capture of the test harness.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: the tests in a browser: {missing}"
        );
    }
    found
});

impl Programs {
    fn find() -> Option<Self> {
        Some(Self {
            chromium: program("WARDEN_CHROMIUM", &["chromium", "chromium-browser"])?,
            chromedriver: program("WARDEN_CHROMEDRIVER", &["chromedriver"])?,
        })
    }

    /// `None` where they are missing, which is said once, and is an error if `WARDEN_BROWSER` is set.
    pub(crate) fn here() -> Option<&'static Self> {
        PROGRAMS.as_ref()
    }
}

/// What a variable names, or the first of some names in `PATH`.
fn program(variable: &str, names: &[&str]) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable) {
        return Some(PathBuf::from(named));
    }
    let path = std::env::var_os("PATH")?;
    let files = |name: &str| {
        let files = std::env::split_paths(&path).map(|folder| folder.join(name));
        files.into_iter().find(|file| file.is_file())
    };
    names.iter().find_map(|name| files(name))
}

/// A running driver.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) url: String,
    child: Child,
    /// While this is open, the driver lives: a test that is killed leaves nothing behind.
    alive: ChildStdin,
    _said: Lines<BufReader<ChildStdout>>,
}

impl Driver {
    /// Starts the driver on a free port. It takes `home` for the user's home, so that nothing is written there.
    pub(crate) async fn start(programs: &Programs, home: &std::path::Path) -> Self {
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(r#""$0" --port=0 & driver=$!; read -r _; kill "$driver"; wait "$driver""#)
            .arg(&programs.chromedriver)
            .env("HOME", home)
            .env("TMPDIR", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let alive = child.stdin.take().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = async {
            while let Some(line) = said.next_line().await.unwrap() {
                if let Some((_, port)) = line.split_once("started successfully on port ") {
                    return port.trim_end_matches('.').to_owned();
                }
            }
            panic!("chromedriver did not start");
        };
        let port = tokio::time::timeout(Duration::from_secs(30), port).await;
        let port = port.expect("chromedriver says its port");
        Self {
            url: format!("http://127.0.0.1:{port}"),
            child,
            alive,
            _said: said,
        }
    }

    pub(crate) async fn end(mut self) {
        drop(self.alive);
        let ended = tokio::time::timeout(Duration::from_secs(20), self.child.wait());
        ended.await.expect("chromedriver ends").unwrap();
    }
}
