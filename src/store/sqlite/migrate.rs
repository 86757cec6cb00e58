//! Makes the tables ready. Runs on the calling thread, before the store's own.

use std::path::Path;

use diesel::dsl::sql;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::connection::{Access, Database};
use super::file::{create_file, sibling};
use crate::store::error::OpenError;
use crate::store::migrations::{self, Stopped};
use crate::store::schema::moves;

/// Every change of the tables that this binary knows.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// A table of another program, unless the gateway's are there.
const FOREIGN: &str = "(SELECT min(name) FROM sqlite_schema
    WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' AND name <> '__diesel_schema_migrations'
        AND (SELECT count(*) < 2 FROM sqlite_schema WHERE name IN ('__diesel_schema_migrations', 'conversations')))";

/// What to do about a file of another program.
const OWN_FILE: &str = "give the gateway a file of its own, one that is not there yet, in DATABASE_URL";

/// Applies every change of the tables that has not been applied. A file of another program is refused and left as it is;
/// a file that holds only a part of the data that is moved into it is refused. The path is the file's own, without symbolic links.
///
/// One process at a time: the others wait at a lock file beside the database. SQLite's own lock would not do, since
/// two processes that turn the same new file to WAL at once fail without waiting.
///
/// Returns the connection that did it, for the writer: closing it would flush the file once more at every start.
pub(super) fn prepare(path: &Path, database: &Database) -> Result<SqliteConnection, OpenError> {
    let lock_path = sibling(path, ".lock");
    let lock = create_file(&lock_path)?;
    lock.lock().map_err(|source| OpenError::create(lock_path, source))?;
    let connection = database.connect_to_look();
    let mut connection = connection.map_err(|error| OpenError::of(path.to_owned(), error.into()))?;
    look(&mut connection).map_err(|stopped| refusal(path, stopped))?;
    let ready = database.set_up(&mut connection, Access::ReadWrite);
    ready.map_err(|error| OpenError::of(path.to_owned(), error.into()))?;
    migrate(path, &mut connection, &MIGRATIONS)?;
    let source = moves::table.select(moves::source).first(&mut connection).optional();
    let source = source.map_err(|error| OpenError::of(path.to_owned(), error.into()))?;
    migrations::refuse_half_moved(&path.display().to_string(), source)?;
    Ok(connection)
}

/// Applies every pending change in one transaction, or refuses a database that a newer version has changed.
fn migrate<S>(path: &Path, connection: &mut SqliteConnection, source: &S) -> Result<(), OpenError>
where
    S: MigrationSource<Sqlite>,
{
    let applied = connection.immediate_transaction(|connection| migrations::apply(connection, source));
    applied.map_err(|stopped| refusal(path, stopped))
}

/// Refuses a file of another program. Changes nothing in it.
fn look(connection: &mut SqliteConnection) -> Result<(), Stopped> {
    migrations::refuse_foreign(diesel::select(sql::<Nullable<Text>>(FOREIGN)).get_result(connection)?)
}

fn refusal(path: &Path, stopped: Stopped) -> OpenError {
    match stopped {
        Stopped::Foreign { table } => OpenError::Foreign {
            database: path.display().to_string(),
            table,
            advice: OWN_FILE,
        },
        Stopped::Newer { found, known } => OpenError::NewerSchema {
            database: path.display().to_string(),
            found,
            known,
        },
        Stopped::Driver(fault) => OpenError::of(path.to_owned(), fault),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use diesel::connection::SimpleConnection;
    use diesel::sql_types::BigInt;
    use diesel_migrations::{FileBasedMigrations, MigrationHarness};

    use super::super::SqliteConfig;
    use super::super::connection::BUSY_TIMEOUT;
    use super::super::testing::{self, TestStore};
    use super::*;
    use crate::store::{Store, schema};

    fn open(config: SqliteConfig) -> Result<Store, OpenError> {
        Store::open(config.into())
    }

    fn connect(path: &Path) -> SqliteConnection {
        let database = Database::at(path, BUSY_TIMEOUT).unwrap();
        database.connect(Access::ReadWrite).unwrap()
    }

    #[test]
    fn a_missing_folder_is_created_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;

        let test = TestStore::new();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let path = testing::config(&test.dir).path;
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn stores_that_open_a_new_file_at_once_all_succeed() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let opened: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| open(testing::config(&dir)).map(drop)))
                .collect();
            for one in opened {
                one.join().unwrap().unwrap();
            }
        });
    }

    #[test]
    fn a_database_of_a_newer_version_is_refused() {
        let test = TestStore::new();
        let config = testing::config(&test.dir);
        connect(&config.path)
            .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')")
            .unwrap();
        let error = open(config).unwrap_err();
        assert!(matches!(&error, OpenError::NewerSchema { found, .. } if found == "99990101000000"));
        assert!(error.to_string().contains("newer version of the gateway"), "{error}");
    }

    #[test]
    fn every_change_can_be_taken_back_and_made_again() {
        let test = TestStore::new();
        let path = testing::config(&test.dir).path;
        let mut connection = connect(&path);
        connection.revert_all_migrations(MIGRATIONS).unwrap();
        migrate(&path, &mut connection, &MIGRATIONS).unwrap();
        migrate(&path, &mut connection, &MIGRATIONS).unwrap();
    }

    /// Checks that a table has exactly the columns that `schema.rs` says.
    macro_rules! assert_columns {
        ($connection:expr, $($table:ident),+) => {$(
            let query = schema::$table::table.limit(0);
            query.execute($connection).unwrap();
            let named = diesel::debug_query::<Sqlite, _>(&query).to_string();
            let named = named.matches(concat!("`", stringify!($table), "`.`")).count();
            let count: i64 = diesel::select(sql::<BigInt>(concat!(
                "(SELECT count(*) FROM pragma_table_info('", stringify!($table), "'))"
            )))
            .get_result($connection)
            .unwrap();
            assert_eq!(i64::try_from(named).unwrap(), count, stringify!($table));
        )+};
    }

    #[test]
    fn the_tables_are_those_of_the_schema() {
        let test = TestStore::new();
        let mut connection = connect(&testing::config(&test.dir).path);
        assert_columns!(
            &mut connection,
            conversations,
            messages,
            context_summaries,
            todo_lists,
            llm_calls,
            responses,
            moves,
            secrets,
            api_keys,
            rate_limits,
            budgets,
            budget_periods,
            budget_leases,
            budget_slices,
            budget_ledger,
            events
        );
    }

    #[test]
    fn a_change_that_fails_half_way_is_rolled_back() {
        let dir = tempfile::tempdir().unwrap();
        let change = dir.path().join("migrations").join("2026-01-01-000000_breaks");
        fs::create_dir_all(&change).unwrap();
        fs::write(change.join("up.sql"), "CREATE TABLE made (id TEXT); CREATE NONSENSE;").unwrap();
        let source = FileBasedMigrations::from_path(dir.path().join("migrations")).unwrap();
        let path = dir.path().join("gateway.db");
        let mut connection = connect(&path);
        let error = migrate(&path, &mut connection, &source).unwrap_err();
        assert!(matches!(error, OpenError::Migration { .. }), "{error:?}");
        connection.batch_execute("CREATE TABLE made (id TEXT)").unwrap();
    }

    #[test]
    fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gateway.db");
        let content = "this is a diary, not a database. ".repeat(200);
        fs::write(&path, &content).unwrap();
        let error = open(SqliteConfig::new(&path)).unwrap_err();
        assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }

    #[test]
    fn a_path_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let error = open(SqliteConfig::new(dir.path().join("file/gateway.db"))).unwrap_err();
        assert!(matches!(error, OpenError::Create { .. }), "{error:?}");
        let error = open(SqliteConfig::new(dir.path())).unwrap_err();
        assert!(matches!(error, OpenError::Create { .. }), "{error:?}");
    }

    #[test]
    fn a_database_that_may_only_be_read_is_refused() {
        let test = TestStore::new();
        let path = testing::config(&test.dir).path;
        let mut connection = Database::at(&path, BUSY_TIMEOUT)
            .unwrap()
            .connect(Access::Read)
            .unwrap();
        connection.revert_all_migrations(MIGRATIONS).unwrap_err();
        let refused = connection.batch_execute("DELETE FROM messages").unwrap_err();
        let error = OpenError::of(path, refused.into());
        assert!(matches!(error, OpenError::NotWritable { .. }), "{error:?}");
    }
}
