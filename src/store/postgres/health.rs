//! Whether the database takes writes.

use diesel::prelude::{ExpressionMethods, IntoSql, QueryDsl};
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use gateway_actors::protocol::{StoreFuture, StoreHealth};

use super::transactions::{Access, Transactions};
use crate::store::schema::conversations;

/// Updates no row of a table, and writes a note to the server's write-ahead log: a server that only reads, tables that are
/// gone and a full disk all stop one or the other.
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
                let nothing = conversations::table.filter(false.into_sql::<Bool>());
                diesel::update(nothing)
                    .set(conversations::updated_at.eq(0))
                    .execute(connection)
                    .await?;
                diesel::sql_query("SELECT pg_logical_emit_message(true, 'ai-mcp-gateway', 'health check')")
                    .execute(connection)
                    .await?;
                Ok(())
            }
            .boxed()
        })
    }
}
