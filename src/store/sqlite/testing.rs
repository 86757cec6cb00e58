//! What the tests of the SQLite side share.

use tempfile::TempDir;

use super::connection::Database;
use super::in_use::Share;
use super::writer::Writer;
use super::{Sqlite, SqliteConfig, file, migrate};
use crate::store::runtime::{Network, StoreRuntime};
use crate::store::{DatabaseName, Store};

/// A store in a folder of its own, and the queue to its writer.
pub(super) struct TestStore {
    pub(super) store: Store,
    pub(super) writer: Writer,
    pub(super) dir: TempDir,
}

impl TestStore {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, writer) = open(&config(&dir));
        Self { store, writer, dir }
    }

    /// Another store on the same file, as another process would have it.
    pub(super) fn neighbour(&self) -> Store {
        Store::open(config(&self.dir).into()).unwrap()
    }
}

pub(super) fn config(dir: &TempDir) -> SqliteConfig {
    SqliteConfig::new(dir.path().join("data").join("gateway.db"))
}

/// A store whose writer the test reaches.
pub(super) fn open(config: &SqliteConfig) -> (Store, Writer) {
    start(Database::at(&config.path, config.busy_timeout).unwrap())
}

/// The same, on a database with settings of its own.
pub(super) fn start(database: Database) -> (Store, Writer) {
    let runtime = StoreRuntime::start(Network::Unused).unwrap();
    let path = file::settle(database.path()).unwrap();
    let connection = migrate::prepare(&path, &database).unwrap();
    let share = Share::join(&path).unwrap();
    let engine = Sqlite::start(
        DatabaseName::Sqlite(path),
        share,
        database,
        connection,
        runtime.handle(),
    );
    let writer = engine.writer.clone();
    let engine = Box::new(engine);
    (Store { engine, runtime }, writer)
}
