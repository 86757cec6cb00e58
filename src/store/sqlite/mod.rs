//! SQLite: one file, one connection that writes, a small pool that reads.
//!
//! Nobody else writes while a transaction does, in this process or another, so nothing is locked by the row.

mod books;
mod books_rows;
mod call_insert;
mod calls;
mod connection;
mod conversations;
mod escalations;
mod file;
mod health;
mod idempotency;
mod in_use;
mod keys;
mod ledger;
mod migrate;
mod new_outcomes;
mod notes;
#[expect(
    clippy::duplicate_mod,
    reason = "the queries are compiled for each database's connection type"
)]
#[path = "../queries/mod.rs"]
mod queries;
mod reports;
mod responses;
#[cfg(test)]
mod testing;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use diesel::dsl::sql;
use diesel::sql_types::BigInt;
use diesel::{RunQueryDsl, SqliteConnection};
use futures_util::future::BoxFuture;
use gateway_actors::protocol::{
    CallStore, ConversationStore, EscalationStore, EventStore, IdempotencyStore, KeyStore, LedgerStore, NotebookStore,
    OutcomeStore, ReportStore, ResponseStore, StoreFuture, StoreHealth, TodoStore,
};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::connection::{BUSY_TIMEOUT, Connection, Database};
use self::in_use::Share;
use self::writer::Writer;
use super::books::Books;
use super::error::{Fault, OpenError};
use super::{DatabaseName, Engine, now_us};

pub(super) use self::in_use::{Claim, NotClaimed};

/// Where a SQLite database is.
#[derive(Debug, Clone)]
pub struct SqliteConfig {
    /// The file; created with its folder if it does not exist.
    pub path: PathBuf,
    /// How long a statement waits for another process that holds the file. Default 5 s.
    pub busy_timeout: Duration,
}

impl SqliteConfig {
    /// A database in this file, with the default timeout.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            busy_timeout: BUSY_TIMEOUT,
        }
    }
}

/// A connection to the file of its own, on the calling thread, after creating or upgrading the tables.
pub(super) fn connect(config: &SqliteConfig) -> Result<SqliteConnection, OpenError> {
    let database = Database::at(&config.path, config.busy_timeout)?;
    migrate::prepare(&file::settle(&config.path)?, &database)
}

/// Whether the file has a gateway's tables, of whatever version. Changes nothing in it.
pub(super) fn has_tables(config: &SqliteConfig) -> Result<bool, OpenError> {
    let failed = |fault: Fault| OpenError::of(config.path.clone(), fault);
    let connection = Database::at(&config.path, config.busy_timeout)?.connect_to_look();
    let mut connection = connection.map_err(|error| failed(error.into()))?;
    let tables = "(SELECT count(*) FROM sqlite_schema WHERE name IN ('__diesel_schema_migrations', 'conversations'))";
    let found = diesel::select(sql::<BigInt>(tables)).get_result::<i64>(&mut connection);
    found.map(|found| found == 2).map_err(|error| failed(error.into()))
}

/// Lets the file of this process grow no more, as on a full disk, or lifts that again. From the next write on.
#[cfg(feature = "fault-injection")]
pub(crate) fn fill_disk(full: bool) {
    // What the file has already is the least that SQLite can be limited to.
    let most = if full { 1 } else { u32::MAX - 1 };
    connection::MOST_PAGES.store(most, std::sync::atomic::Ordering::Release);
}

/// An open SQLite file.
#[derive(Debug)]
pub(super) struct Sqlite {
    name: DatabaseName,
    writer: Writer,
    writing: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    share: Share,
    conversations: Arc<conversations::Conversations>,
    calls: Arc<calls::Calls>,
    responses: Arc<responses::Responses>,
    reports: Arc<reports::Reports>,
    idempotency: Arc<idempotency::Idempotency>,
    keys: Arc<keys::Keys>,
    ledger: Arc<ledger::Ledger>,
    escalations: Arc<escalations::Escalations>,
    notes: Arc<notes::Notes>,
    health: Arc<health::Health>,
}

impl Sqlite {
    /// Opens the file, creating it or upgrading its tables where needed. With a claim it is used under that; without one
    /// whoever moves its data is refused, or refuses this.
    pub(super) fn open(config: &SqliteConfig, claim: Option<&Claim>, runtime: &Handle) -> Result<Self, OpenError> {
        let database = Database::at(&config.path, config.busy_timeout)?;
        let path = file::settle(&config.path)?;
        let share = match claim {
            Some(claim) => Share::of_claim(claim),
            None => Share::join(&path)?,
        };
        let connection = migrate::prepare(&path, &database)?;
        let name = DatabaseName::Sqlite(path);
        Ok(Self::start(name, share, database, connection, runtime))
    }

    fn start(
        name: DatabaseName,
        share: Share,
        database: Database,
        connection: SqliteConnection,
        runtime: &Handle,
    ) -> Self {
        let (readers, connection) = {
            let _inside = runtime.enter();
            (database.read_pool(), Connection::new(connection))
        };
        let (writer, queue) = writer::queue();
        let reports = Arc::new(reports::Reports::new(writer.clone(), readers.clone(), runtime.clone()));
        let (stop, stopped) = oneshot::channel();
        let writing = runtime.spawn(queue.run(connection, database, stopped));
        Self {
            name,
            conversations: Arc::new(conversations::Conversations::new(
                writer.clone(),
                readers.clone(),
                runtime.clone(),
            )),
            responses: Arc::new(responses::Responses::new(
                writer.clone(),
                readers.clone(),
                runtime.clone(),
            )),
            keys: Arc::new(keys::Keys::new(writer.clone(), readers.clone(), runtime.clone())),
            ledger: Arc::new(ledger::Ledger::new(writer.clone(), readers.clone(), runtime.clone())),
            escalations: Arc::new(escalations::Escalations::new(
                writer.clone(),
                readers.clone(),
                runtime.clone(),
            )),
            notes: Arc::new(notes::Notes::new(
                writer.clone(),
                readers,
                Arc::clone(&reports),
                runtime.clone(),
            )),
            reports,
            calls: Arc::new(calls::Calls::new(writer.clone())),
            idempotency: Arc::new(idempotency::Idempotency::new(writer.clone())),
            health: Arc::new(health::Health::new(writer.clone())),
            writer,
            writing,
            stop,
            share,
        }
    }
}

impl Engine for Sqlite {
    fn name(&self) -> &DatabaseName {
        &self.name
    }

    fn conversations(&self) -> Arc<dyn ConversationStore> {
        Arc::clone(&self.conversations) as Arc<dyn ConversationStore>
    }

    fn calls(&self) -> Arc<dyn CallStore> {
        Arc::clone(&self.calls) as Arc<dyn CallStore>
    }

    fn responses(&self) -> Arc<dyn ResponseStore> {
        Arc::clone(&self.responses) as Arc<dyn ResponseStore>
    }

    fn reports(&self) -> Arc<dyn ReportStore> {
        Arc::clone(&self.reports) as Arc<dyn ReportStore>
    }

    fn events(&self) -> Arc<dyn EventStore> {
        Arc::clone(&self.reports) as Arc<dyn EventStore>
    }

    fn books(&self) -> Arc<dyn Books> {
        Arc::clone(&self.reports) as Arc<dyn Books>
    }

    fn idempotency(&self) -> Arc<dyn IdempotencyStore> {
        Arc::clone(&self.idempotency) as Arc<dyn IdempotencyStore>
    }

    fn keys(&self) -> Arc<dyn KeyStore> {
        Arc::clone(&self.keys) as Arc<dyn KeyStore>
    }

    fn ledger(&self) -> Arc<dyn LedgerStore> {
        Arc::clone(&self.ledger) as Arc<dyn LedgerStore>
    }

    fn health(&self) -> Arc<dyn StoreHealth> {
        Arc::clone(&self.health) as Arc<dyn StoreHealth>
    }

    fn escalations(&self) -> Arc<dyn EscalationStore> {
        Arc::clone(&self.escalations) as Arc<dyn EscalationStore>
    }

    fn outcomes(&self) -> Arc<dyn OutcomeStore> {
        Arc::clone(&self.notes) as Arc<dyn OutcomeStore>
    }

    fn notebook(&self) -> Arc<dyn NotebookStore> {
        Arc::clone(&self.notes) as Arc<dyn NotebookStore>
    }

    fn todos(&self) -> Arc<dyn TodoStore> {
        Arc::clone(&self.notes) as Arc<dyn TodoStore>
    }

    fn release_leases_of(&self, instances: Vec<String>) -> StoreFuture<usize> {
        self.writer.submit(move |connection| {
            Box::pin(async move {
                queries::abandon_work_of(connection, &instances).await?;
                queries::release(connection, &instances, now_us()).await
            })
        })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        drop(self.stop);
        let (writing, share) = (self.writing, self.share);
        Box::pin(async move {
            // A writer that panicked has nothing left to finish.
            let _ = writing.await;
            drop(share);
        })
    }
}

/// The words of SQL that are SQLite's own.
mod dialect {
    /// The year and month that a call was sent in.
    pub(super) const MONTH: &str = "strftime('%Y%m', started_at / 1000000, 'unixepoch')";
    /// Locks the rows that are read. The transaction holds the whole file.
    pub(super) const FOR_UPDATE: &str = "";
    /// The same, but passes over rows that others have locked.
    pub(super) const SKIP_LOCKED: &str = "";
}

/// Nothing to lock by the row: the transaction holds the whole file.
mod lock {
    use std::future::{Ready, ready};

    use diesel::QueryResult;

    use super::Connection;
    use crate::store::stamped::Stamped;

    pub(super) fn stamps(_connection: &mut Connection, _of: Stamped) -> Ready<QueryResult<()>> {
        ready(Ok(()))
    }

    pub(super) fn conversation(_connection: &mut Connection, _id: &str) -> Ready<QueryResult<()>> {
        ready(Ok(()))
    }
}
