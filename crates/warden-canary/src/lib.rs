//! Secrets of tests that can be found again, and a place to collect what the tests make the code say.
//!
//! Whoever makes a secret for a test makes it with [`secret`], so that it carries a mark. With `WARDEN_TRACE_DIR` set,
//! [`listen`] writes every log line and event, down to `TRACE`, into a file of the process there, and [`shown`] adds what
//! else might show a secret: errors, `Debug` output, bodies, metrics. `scripts/canaries` then searches the folder for the
//! mark. Without the variable none of it does anything.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

/// What every planted secret begins with. It fits into tokens, tickets, codes and passwords alike.
pub const MARK: &str = "cnry5d1f_";

/// The folder to collect in, as an environment variable.
pub const FOLDER: &str = "WARDEN_TRACE_DIR";

/// A secret with the mark. `kind` says what it is (`token`, `ticket`, `code`): which kinds were planted is noted, as a search
/// that finds nothing says nothing where nothing was planted.
#[must_use]
pub fn secret(kind: &str, rest: impl Display) -> String {
    planted(kind);
    format!("{MARK}{rest}")
}

/// Notes that secrets of a kind that carry the mark are about.
pub fn planted(kind: &str) {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    if folder().is_none() {
        return;
    }
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if !seen.iter().any(|known| known == kind) {
        seen.push(kind.to_owned());
        if let Some(mut file) = open("planted") {
            let _ = file.write_all(format!("{kind}\n").as_bytes());
        }
    }
}

/// Collects log lines and events of this process from now on.
pub fn listen() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let Some(file) = open("log") else { return };
        // Fails where the process has a log of its own already; that one is then what is collected.
        let _ = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(Mutex::new(file))
            .try_init();
    });
}

/// Collects something that was shown: an error, `Debug` output, the body of a refusal.
pub fn shown(what: impl Display) {
    static FILE: OnceLock<Option<File>> = OnceLock::new();
    if let Some(mut file) = FILE.get_or_init(|| open("shown")).as_ref() {
        // One call, so that lines of several threads do not mix.
        let _ = file.write_all(format!("{what}\n").as_bytes());
    }
}

/// The folder, if there is one to collect in.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

fn open(kind: &str) -> Option<File> {
    let program = std::env::current_exe().ok()?;
    let program = program.file_stem()?.to_string_lossy().into_owned();
    let name = format!("{program}-{}.{kind}", std::process::id());
    let path = folder()?.join(name);
    OpenOptions::new().create(true).append(true).open(path).ok()
}
