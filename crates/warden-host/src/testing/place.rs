//! Where a test keeps a store, to open it again. `WARDEN_TEST_STORE=postgres` has it be a Postgres database.

use tempfile::TempDir;

#[cfg(feature = "postgres")]
use super::postgres::TestDatabase;

/// A place for a store, gone when this is dropped.
pub(crate) enum Place {
    Folder(TempDir),
    #[cfg(feature = "postgres")]
    Postgres(TestDatabase),
}

impl Place {
    /// An empty one.
    pub(crate) async fn new() -> Self {
        #[cfg(feature = "postgres")]
        if on_postgres()
            && let Some(database) = TestDatabase::ready().await
        {
            return Self::Postgres(database);
        }
        Self::Folder(tempfile::tempdir().unwrap())
    }

    /// Another with what is in this one, which is not open.
    pub(crate) async fn copy(&self) -> Self {
        match self {
            Self::Folder(folder) => {
                let copy = tempfile::tempdir().unwrap();
                for file in std::fs::read_dir(folder.path()).unwrap() {
                    let file = file.unwrap();
                    std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
                }
                Self::Folder(copy)
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => Self::Postgres(database.copy().await),
        }
    }

    /// The URL of the store there.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Folder(folder) => {
                format!("sqlite://{}", folder.path().join("host.db").display())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.url.clone(),
        }
    }
}

#[cfg(feature = "postgres")]
fn on_postgres() -> bool {
    std::env::var_os("WARDEN_TEST_STORE").is_some_and(|store| store == "postgres")
}

/// The URL of a new store, which is gone with this thread, and so with the test.
pub(crate) async fn new_url() -> String {
    #[cfg(feature = "postgres")]
    if on_postgres()
        && let Some(database) = TestDatabase::ready().await
    {
        return database.url.clone();
    }
    "sqlite::memory:".to_owned()
}
