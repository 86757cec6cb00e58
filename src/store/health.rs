//! Whether the database and the journal take writes.

use std::sync::Arc;

use diesel::connection::SimpleConnection;
use gateway_actors::protocol::{StoreError, StoreFuture, StoreHealth};

use super::journal::JournalDir;
use super::writer::Writer;

/// Asks through the writer's queue, and writes: what would stop a write stops the check.
#[derive(Debug)]
pub(super) struct Health {
    writer: Writer,
}

impl Health {
    pub(super) fn new(writer: Writer) -> Self {
        Self { writer }
    }
}

impl StoreHealth for Health {
    fn check(&self) -> StoreFuture<()> {
        self.writer.submit(|connection| {
            // Nothing else uses this number. Setting it writes the first page, whatever it was.
            let written = connection.spawn_blocking(|connection| connection.batch_execute("PRAGMA user_version = 0"));
            Box::pin(async move { Ok(written.await?) })
        })
    }
}

/// The database and the journal together: a call needs one, a turn both.
#[derive(Debug)]
pub struct StorageHealth {
    database: Arc<dyn StoreHealth>,
    journal: JournalDir,
}

impl StorageHealth {
    /// The health of this database and this journal folder.
    #[must_use]
    pub fn new(database: Arc<dyn StoreHealth>, journal: JournalDir) -> Self {
        Self { database, journal }
    }
}

impl StoreHealth for StorageHealth {
    fn check(&self) -> StoreFuture<()> {
        let database = self.database.check();
        let journal = self.journal.clone();
        Box::pin(async move {
            database.await?;
            // A short write to the page cache, as every call makes it on this thread.
            journal.check().map_err(|error| {
                tracing::warn!(%error, "the journal cannot be written");
                StoreError::Full
            })
        })
    }
}
