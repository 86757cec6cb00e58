//! The database and the journal: the adapters behind the ports `ConversationStore`, `CallStore`, `StoreHealth` and
//! `AttemptJournal`.
//!
//! [`Store`] owns its threads, one connection that writes (`writer`) and a small pool that reads. Queries live in
//! `conversations` and `calls`; they are written in diesel's own language over one connection type, so that another
//! database can share them. The journal (`journal`) needs no database: it is how records outlive the process until the
//! database has them.

mod call_row;
mod calls;
mod connection;
mod conversations;
mod error;
mod health;
mod journal;
mod migrate;
mod models;
mod runtime;
mod schema;
#[cfg(test)]
mod testing;
mod writer;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use diesel::SqliteConnection;
use gateway_actors::protocol::{CallStore, ConversationStore, InstanceId, StoreFuture, StoreHealth};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::connection::{BUSY_TIMEOUT, Connection, Database};
use self::runtime::StoreRuntime;
use self::writer::Writer;

pub use self::error::OpenError;
pub use self::health::StorageHealth;
pub use self::journal::{DeadInstance, FileJournal, JournalDir, JournalLimits, JournalOpenError, recover_dead};

/// Where the database is.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The SQLite file; created with its folder if it does not exist.
    pub database: PathBuf,
    /// How long a statement waits for another process that holds the file. Default 5 s.
    pub busy_timeout: Duration,
}

impl StoreConfig {
    /// A database in this file, with the default timeout.
    #[must_use]
    pub fn new(database: impl Into<PathBuf>) -> Self {
        Self {
            database: database.into(),
            busy_timeout: BUSY_TIMEOUT,
        }
    }
}

/// An open database. One per process; several processes may share the file.
#[derive(Debug)]
pub struct Store {
    writer: Writer,
    writing: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    conversations: Arc<conversations::Conversations>,
    calls: Arc<calls::Calls>,
    health: Arc<health::Health>,
    runtime: StoreRuntime,
}

impl Store {
    /// Opens the database, creating it or upgrading its tables where needed, and starts the store's threads. Blocks:
    /// call it before the actor system starts.
    ///
    /// # Errors
    /// When the file cannot be created, opened or upgraded; see [`OpenError`]. A damaged file is never replaced.
    pub fn open(config: StoreConfig) -> Result<Self, OpenError> {
        let database = Database::at(&config.database, config.busy_timeout)?;
        let connection = migrate::prepare(&config.database, &database)?;
        Self::start(database, connection)
    }

    fn start(database: Database, connection: SqliteConnection) -> Result<Self, OpenError> {
        let runtime = StoreRuntime::start()?;
        let (readers, connection) = {
            let _inside = runtime.handle().enter();
            (database.read_pool(), Connection::new(connection))
        };
        let (writer, queue) = writer::queue();
        let (stop, stopped) = oneshot::channel();
        let writing = runtime.handle().spawn(queue.run(connection, database, stopped));
        Ok(Self {
            conversations: Arc::new(conversations::Conversations::new(
                writer.clone(),
                readers,
                runtime.handle().clone(),
            )),
            calls: Arc::new(calls::Calls::new(writer.clone())),
            health: Arc::new(health::Health::new(writer.clone())),
            writer,
            writing,
            stop,
            runtime,
        })
    }

    /// The conversations.
    #[must_use]
    pub fn conversations(&self) -> Arc<dyn ConversationStore> {
        Arc::clone(&self.conversations) as Arc<dyn ConversationStore>
    }

    /// The call records.
    #[must_use]
    pub fn calls(&self) -> Arc<dyn CallStore> {
        Arc::clone(&self.calls) as Arc<dyn CallStore>
    }

    /// Whether the database works.
    #[must_use]
    pub fn health(&self) -> Arc<dyn StoreHealth> {
        Arc::clone(&self.health) as Arc<dyn StoreHealth>
    }

    /// Gives back the conversations that these dead processes held, and closes the turns that they left unanswered as
    /// failed. The answer is how many conversations were given back. Without it the same happens later, one by one, when
    /// a lease has run out and the conversation's next turn opens.
    pub fn release_leases_of(&self, instances: &[InstanceId]) -> StoreFuture<usize> {
        let instances: Vec<String> = instances.iter().map(ToString::to_string).collect();
        self.writer.submit(move |connection| {
            Box::pin(async move { conversations::release(connection, &instances, now_us()).await })
        })
    }

    /// Waits for a store job on the calling thread. For start-up and shutdown: it panics on a thread that runs an
    /// asynchronous task.
    pub fn block_on<F: Future>(&self, job: F) -> F::Output {
        self.runtime.block_on(job)
    }

    /// Finishes what is queued, refuses what comes later, closes the connections and ends the threads. Blocks, but no
    /// longer than about `timeout`; panics on a thread that runs an asynchronous task.
    pub fn shutdown(self, timeout: Duration) {
        drop(self.stop);
        let writing = self.writing;
        let drained = self
            .runtime
            .block_on(async move { tokio::time::timeout(timeout, writing).await });
        if drained.is_err() {
            tracing::warn!("the store was stopped before every write was done");
        }
        drop((self.conversations, self.calls, self.health));
        self.runtime.shutdown(timeout);
    }
}

/// The time in microseconds since 1970 (UTC).
fn now_us() -> i64 {
    let since_1970 = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}
