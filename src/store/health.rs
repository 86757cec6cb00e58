//! Whether the database and the journal take writes.

use std::sync::Arc;

use gateway_actors::protocol::{StoreError, StoreFuture, StoreHealth};

use super::journal::JournalDir;

/// The database and the journal together: a paid call needs the journal, and the turn of a conversation the database too.
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
                // What a call is refused with whose beginning cannot be journalled.
                StoreError::Full
            })
        })
    }
}
