//! The state file: one JSON document, replaced as a whole.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::secrets;
use crate::state::State;

const VERSION: u32 = 1;

#[derive(Deserialize)]
struct Stored {
    version: u32,
    state: State,
}

#[derive(Serialize)]
struct Storing<'a> {
    version: u32,
    state: &'a State,
}

/// Where the state is kept between two runs.
#[derive(Clone, Debug)]
pub(crate) struct StateFile(PathBuf);

impl StateFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The stored state; `None` when there is no file yet.
    pub(crate) fn load(&self) -> Result<Option<State>, Error> {
        let bytes = match fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.error("cannot be read", error)),
        };
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| {
            // serde_json quotes odd values in its messages; the position is enough to find them.
            let place = format!(
                "is not a state file of warden-am (line {}, column {}): move it away to start afresh",
                error.line(),
                error.column()
            );
            Error::new(ErrorKind::StateFile, self.message(&place))
        })?;
        if stored.version != VERSION {
            let found = format!("has version {}, expected {VERSION}", stored.version);
            return Err(Error::new(ErrorKind::StateFile, self.message(&found)));
        }
        Ok(Some(stored.state))
    }

    /// Replaces the file: readers see the old state or the new one, never a part.
    pub(crate) fn write(&self, state: &State) -> Result<(), Error> {
        let stored = Storing {
            version: VERSION,
            state,
        };
        let bytes =
            serde_json::to_vec(&stored).map_err(|error| self.error("cannot be written", error))?;
        let temporary = self.temporary()?;
        let written =
            write_private(&temporary, &bytes).and_then(|()| fs::rename(&temporary, &self.0));
        written.map_err(|error| {
            drop(fs::remove_file(&temporary));
            self.error("cannot be written", error)
        })
    }

    fn temporary(&self) -> Result<PathBuf, Error> {
        let mut name = self.0.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", secrets::random_id()?));
        Ok(self.0.with_file_name(name))
    }

    fn message(&self, what: &str) -> String {
        format!("the state file {} {what}", self.0.display())
    }

    fn error(
        &self,
        what: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        let source = source.into();
        let message = format!("{}: {source}", self.message(what));
        Error::new(ErrorKind::StateFile, message).with_source(source)
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}
