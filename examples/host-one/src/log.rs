//! The log, on stderr. What is logged before the host is ready is held back, so that a start that fails says one line.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Writes to stderr, or holds back.
#[derive(Clone)]
pub(crate) struct Log(Arc<Mutex<Option<Vec<u8>>>>);

impl Log {
    /// Begins to log, holding back.
    pub(crate) fn init(default_filter: &str) -> Self {
        let log = Self(Arc::new(Mutex::new(Some(Vec::new()))));
        let filter =
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default_filter));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(io::stderr().is_terminal())
            .with_writer(log.clone())
            .init();
        log
    }

    /// Writes what was held back, and holds back no more.
    pub(crate) fn release(&self) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(held) = held {
            let _ = io::stderr().write_all(&held);
        }
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(held) => held.write(bytes),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
