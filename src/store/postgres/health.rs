//! Whether the database takes writes.

use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use gateway_actors::protocol::{StoreFuture, StoreHealth};

use super::transactions::{Access, Transactions};

/// Writes a note to the server's log of changes, which changes no table: what would stop a write stops the check.
#[derive(Debug)]
pub(super) struct Health {
    transactions: Transactions,
}

impl Health {
    pub(super) fn new(transactions: Transactions) -> Self {
        Self { transactions }
    }
}

impl StoreHealth for Health {
    fn check(&self) -> StoreFuture<()> {
        self.transactions.submit(Access::Write, |connection| {
            async move {
                diesel::sql_query("SELECT pg_logical_emit_message(true, 'ai-mcp-gateway', 'health check')")
                    .execute(connection)
                    .await?;
                Ok(())
            }
            .boxed()
        })
    }
}
