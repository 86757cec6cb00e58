//! Idempotency keys in a SQLite file: all of it goes through the writer's queue, since a claim is a write.

use std::time::Duration;

use gateway_actors::protocol::{
    Claimed, IdempotencyClaim, IdempotencyName, IdempotencyStore, KeptAnswer, RequestId, StoreFuture,
};

use super::queries;
use super::writer::Writer;
use crate::store::idempotency_row::later;
use crate::store::now_us;

/// The idempotency keys of one database.
#[derive(Debug)]
pub(super) struct Idempotency {
    writer: Writer,
}

impl Idempotency {
    pub(super) fn new(writer: Writer) -> Self {
        Self { writer }
    }
}

impl IdempotencyStore for Idempotency {
    fn claim(&self, claim: IdempotencyClaim) -> StoreFuture<Claimed> {
        self.writer
            .submit(move |connection| Box::pin(async move { queries::claim_work(connection, &claim, now_us()).await }))
    }

    fn prolong(&self, name: IdempotencyName, request: RequestId, running_for: Duration) -> StoreFuture<()> {
        self.writer.submit(move |connection| {
            Box::pin(async move {
                let until = later(now_us(), running_for);
                queries::prolong_work(connection, &name, request, until).await
            })
        })
    }

    fn keep(&self, name: IdempotencyName, request: RequestId, answer: KeptAnswer, ttl: Duration) -> StoreFuture<()> {
        self.writer.submit(move |connection| {
            Box::pin(async move {
                let until = later(now_us(), ttl);
                queries::keep_answer(connection, &name, request, &answer, until).await
            })
        })
    }

    fn give_up(&self, name: IdempotencyName, request: RequestId) -> StoreFuture<()> {
        self.writer
            .submit(move |connection| Box::pin(async move { queries::give_up_work(connection, &name, request).await }))
    }

    fn purge_expired(&self) -> StoreFuture<usize> {
        self.writer
            .submit(|connection| Box::pin(async move { queries::purge_answers(connection, now_us()).await }))
    }
}
