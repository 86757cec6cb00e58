//! Makes the database ready: its folder, its file, its tables. Runs on the calling thread, before the store's own.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use diesel::SqliteConnection;
use diesel::migration::{MigrationSource, MigrationVersion};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{Access, Database};
use super::error::{Fault, OpenError};

/// Every change of the tables that this binary knows.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Creates what is missing and applies every change that has not been applied. An existing file is never replaced.
///
/// One process at a time: the others wait at a lock file beside the database. SQLite's own lock would not do, since
/// two processes that turn the same new file to WAL at once fail without waiting.
pub(super) fn prepare(path: &Path, database: &Database) -> Result<(), OpenError> {
    create_folder(path)?;
    let lock_path = sibling(path, ".lock");
    let lock = create_file(&lock_path)?;
    lock.lock().map_err(|source| OpenError::Create {
        path: lock_path,
        source,
    })?;
    create_file(path)?;
    let mut connection = database
        .connect(Access::ReadWrite)
        .map_err(|error| OpenError::of(path.to_owned(), error.into()))?;
    migrate(path, &mut connection, &MIGRATIONS)
}

/// Why the tables were left as they are.
#[derive(Debug)]
enum Stopped {
    Newer { found: String, known: String },
    Driver(Fault),
}

impl From<diesel::result::Error> for Stopped {
    fn from(error: diesel::result::Error) -> Self {
        Self::Driver(error.into())
    }
}

impl From<BoxError> for Stopped {
    fn from(error: BoxError) -> Self {
        Self::Driver(Fault::of_message(&error.to_string()))
    }
}

/// Applies every pending change in one transaction, or refuses a database that a newer version has changed.
fn migrate<S>(path: &Path, connection: &mut SqliteConnection, source: &S) -> Result<(), OpenError>
where
    S: MigrationSource<Sqlite>,
{
    let result = connection.immediate_transaction(|connection| {
        let migrations = source.migrations()?;
        let known: Vec<MigrationVersion<'_>> = migrations.iter().map(|one| one.name().version()).collect();
        let applied = connection.applied_migrations()?;
        if let Some(found) = applied.iter().filter(|version| !known.contains(version)).max() {
            return Err(Stopped::Newer {
                found: found.to_string(),
                known: known.iter().max().map(ToString::to_string).unwrap_or_default(),
            });
        }
        for migration in migrations.iter().filter(|one| !applied.contains(&one.name().version())) {
            connection.run_migration(migration)?;
            tracing::info!(migration = %migration.name(), "changed the database's tables");
        }
        Ok(())
    });
    let path = path.to_owned();
    result.map_err(|stopped| match stopped {
        Stopped::Newer { found, known } => OpenError::NewerSchema { path, found, known },
        Stopped::Driver(fault) => OpenError::of(path, fault),
    })
}

fn create_folder(path: &Path) -> Result<(), OpenError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    private_folder(folder).map_err(|source| OpenError::Create {
        path: folder.to_owned(),
        source,
    })
}

/// Creates a folder that only its owner may enter, and the folders above it, where they are missing.
pub(super) fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// Options that create files which only their owner may read.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// Creates a file if it is missing; never empties one.
fn create_file(path: &Path) -> Result<File, OpenError> {
    private_file()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|source| OpenError::Create {
            path: path.to_owned(),
            source,
        })
}

fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
