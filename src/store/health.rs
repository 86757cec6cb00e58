//! Whether the database works.

use gateway_actors::protocol::{StoreFuture, StoreHealth};

use super::writer::Writer;

/// Asks through the writer's queue, and takes the write lock: what would stop a write stops the check.
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
        self.writer.submit(|_connection| Box::pin(std::future::ready(Ok(()))))
    }
}
