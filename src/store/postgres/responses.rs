//! The responses of a PostgreSQL database. They expire by the server's clock.

use std::sync::Arc;

use futures_util::FutureExt;
use gateway_actors::protocol::{Chain, ResponseId, ResponseStore, StoreFuture, StoredResponse};

use super::transactions::{Access, Transactions};
use super::{clock, queries};

/// The responses of one database.
#[derive(Debug)]
pub(super) struct Responses {
    transactions: Transactions,
}

impl Responses {
    pub(super) fn new(transactions: Transactions) -> Self {
        Self { transactions }
    }
}

impl ResponseStore for Responses {
    fn put(&self, response: StoredResponse) -> StoreFuture<()> {
        let response = Arc::new(response);
        self.transactions.submit(Access::Write, move |connection| {
            let response = Arc::clone(&response);
            async move {
                let now = clock::now_us(connection).await?;
                queries::put_response(connection, &response, now).await
            }
            .boxed()
        })
    }

    fn get(&self, id: &ResponseId) -> StoreFuture<Option<StoredResponse>> {
        let id = id.clone();
        self.transactions.submit(Access::Read, move |connection| {
            let id = id.clone();
            async move {
                let now = clock::now_us(connection).await?;
                queries::find_response(connection, &id, now).await
            }
            .boxed()
        })
    }

    fn chain(&self, id: &ResponseId, most: u32) -> StoreFuture<Chain> {
        let id = id.clone();
        self.transactions.submit(Access::Read, move |connection| {
            let id = id.clone();
            async move {
                let now = clock::now_us(connection).await?;
                queries::response_chain(connection, &id, most, now).await
            }
            .boxed()
        })
    }

    fn delete(&self, id: &ResponseId) -> StoreFuture<bool> {
        let id = id.clone();
        self.transactions.submit(Access::Write, move |connection| {
            let id = id.clone();
            async move {
                let now = clock::now_us(connection).await?;
                queries::delete_response(connection, &id, now).await
            }
            .boxed()
        })
    }

    fn purge_expired(&self) -> StoreFuture<usize> {
        self.transactions.submit(Access::Write, |connection| {
            async move {
                let now = clock::now_us(connection).await?;
                queries::purge_responses(connection, now).await
            }
            .boxed()
        })
    }
}
