//! Changing the tables: what holds for every database.

use diesel::backend::Backend;
use diesel::migration::{MigrationSource, MigrationVersion};
use diesel_migrations::MigrationHarness;

use super::error::{Fault, OpenError};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why the tables were left as they are.
#[derive(Debug)]
pub(super) enum Stopped {
    /// They are another program's.
    Foreign {
        /// One of them.
        table: String,
    },
    /// A newer version of the gateway has changed them.
    Newer {
        /// The newest change that was applied.
        found: String,
        /// The newest change that this binary knows.
        known: String,
    },
    /// The driver refused.
    Driver(Fault),
}

impl From<diesel::result::Error> for Stopped {
    fn from(error: diesel::result::Error) -> Self {
        Self::Driver(error.into())
    }
}

impl From<BoxError> for Stopped {
    fn from(error: BoxError) -> Self {
        match error.downcast::<diesel::result::Error>() {
            Ok(error) => Self::Driver((*error).into()),
            Err(error) => Self::Driver(Fault::of_message(&error.to_string())),
        }
    }
}

/// Applies every pending change, inside the transaction that the caller opened so that all of them are kept or none.
/// Refuses tables that a newer version has changed.
pub(super) fn apply<DB, S>(harness: &mut impl MigrationHarness<DB>, source: &S) -> Result<(), Stopped>
where
    DB: Backend,
    S: MigrationSource<DB>,
{
    let migrations = source.migrations()?;
    let known: Vec<MigrationVersion<'_>> = migrations.iter().map(|one| one.name().version()).collect();
    let applied = harness.applied_migrations()?;
    if let Some(found) = applied.iter().filter(|version| !known.contains(version)).max() {
        return Err(Stopped::Newer {
            found: found.to_string(),
            known: known.iter().max().map(ToString::to_string).unwrap_or_default(),
        });
    }
    for migration in migrations.iter().filter(|one| !applied.contains(&one.name().version())) {
        harness.run_migration(migration)?;
        tracing::info!(migration = %migration.name(), "changed the database's tables");
    }
    Ok(())
}

/// Refuses a database in which a table of another program was found and none of the gateway's.
pub(super) fn refuse_foreign(table: Option<String>) -> Result<(), Stopped> {
    match table {
        None => Ok(()),
        Some(table) => Err(Stopped::Foreign { table }),
    }
}

/// Refuses a database that holds only a part of another's data, given where its unfinished move comes from.
pub(super) fn refuse_half_moved(database: &str, source: Option<String>) -> Result<(), OpenError> {
    match source {
        None => Ok(()),
        Some(source_name) => Err(OpenError::HalfMoved {
            database: database.to_owned(),
            source_name,
        }),
    }
}
