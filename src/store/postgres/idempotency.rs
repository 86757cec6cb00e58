//! The idempotency keys of a PostgreSQL database, by the server's clock.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use gateway_actors::protocol::{
    Claimed, IdempotencyClaim, IdempotencyName, IdempotencyStore, KeptAnswer, RequestId, StoreFuture,
};

use super::transactions::{Access, Transactions};
use super::{clock, queries};
use crate::store::idempotency_row::later;

/// The idempotency keys of one database.
#[derive(Debug)]
pub(super) struct Idempotency {
    transactions: Transactions,
}

impl Idempotency {
    pub(super) fn new(transactions: Transactions) -> Self {
        Self { transactions }
    }
}

impl IdempotencyStore for Idempotency {
    fn claim(&self, claim: IdempotencyClaim) -> StoreFuture<Claimed> {
        let claim = Arc::new(claim);
        self.transactions.submit(Access::Write, move |connection| {
            let claim = Arc::clone(&claim);
            async move {
                let now = clock::now_us(connection).await?;
                queries::claim_work(connection, &claim, now).await
            }
            .boxed()
        })
    }

    fn prolong(&self, name: IdempotencyName, request: RequestId, running_for: Duration) -> StoreFuture<()> {
        self.transactions.submit(Access::Write, move |connection| {
            let name = name.clone();
            async move {
                let until = later(clock::now_us(connection).await?, running_for);
                queries::prolong_work(connection, &name, request, until).await
            }
            .boxed()
        })
    }

    fn keep(&self, name: IdempotencyName, request: RequestId, answer: KeptAnswer, ttl: Duration) -> StoreFuture<()> {
        self.transactions.submit(Access::Write, move |connection| {
            let (name, answer) = (name.clone(), answer.clone());
            async move {
                let until = later(clock::now_us(connection).await?, ttl);
                queries::keep_answer(connection, &name, request, &answer, until).await
            }
            .boxed()
        })
    }

    fn give_up(&self, name: IdempotencyName, request: RequestId) -> StoreFuture<()> {
        self.transactions.submit(Access::Write, move |connection| {
            let name = name.clone();
            async move { queries::give_up_work(connection, &name, request).await }.boxed()
        })
    }

    fn purge_expired(&self) -> StoreFuture<usize> {
        self.transactions.submit(Access::Write, |connection| {
            async move {
                let now = clock::now_us(connection).await?;
                queries::purge_answers(connection, now).await
            }
            .boxed()
        })
    }
}
