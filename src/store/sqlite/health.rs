//! Whether the file takes writes.

use diesel::connection::SimpleConnection;
use gateway_actors::protocol::{StoreFuture, StoreHealth};

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
