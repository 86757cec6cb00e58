//! Idempotency keys in memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::protocol::{
    Claimed, IdempotencyClaim, IdempotencyName, IdempotencyStore, KeptAnswer, RequestId, StoreError, StoreFuture,
};

/// A claim, and the answer once it is kept.
type Row = (IdempotencyClaim, Option<KeptAnswer>);

/// Claims and answers in memory. Nothing expires here.
#[derive(Debug, Default)]
pub struct MemoryAnswers {
    rows: ArcSwap<HashMap<IdempotencyName, Row>>,
    away: ArcSwap<bool>,
}

impl MemoryAnswers {
    /// Makes the store unreachable, or reachable again.
    pub fn set_away(&self, away: bool) {
        self.away.store(Arc::new(away));
    }

    /// Every claim, and its answer if it was kept.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.rows.load().values().cloned().collect()
    }

    fn change<T: Send + 'static>(&self, change: impl Fn(&mut HashMap<IdempotencyName, Row>) -> T) -> StoreFuture<T> {
        if **self.away.load() {
            return Box::pin(std::future::ready(Err(StoreError::Unavailable { source: None })));
        }
        let mut answer = None;
        self.rows.rcu(|rows| {
            let mut rows = HashMap::clone(rows);
            answer = Some(change(&mut rows));
            rows
        });
        Box::pin(std::future::ready(
            answer.ok_or(StoreError::Unavailable { source: None }),
        ))
    }
}

impl IdempotencyStore for MemoryAnswers {
    fn claim(&self, claim: IdempotencyClaim) -> StoreFuture<Claimed> {
        self.change(|rows| match rows.get(&claim.name) {
            None => {
                rows.insert(claim.name.clone(), (claim.clone(), None));
                Claimed::Run
            }
            Some((there, _)) if there.body_hash != claim.body_hash => Claimed::OtherBody,
            Some((_, Some(answer))) => Claimed::Answered(answer.clone()),
            Some((there, None)) if there.request == claim.request => Claimed::Run,
            Some((_, None)) => Claimed::Running,
        })
    }

    fn prolong(&self, _: IdempotencyName, _: RequestId, _: Duration) -> StoreFuture<()> {
        self.change(|_| ())
    }

    fn keep(&self, name: IdempotencyName, request: RequestId, answer: KeptAnswer, _: Duration) -> StoreFuture<()> {
        self.change(|rows| {
            if let Some((there, kept @ None)) = rows.get_mut(&name)
                && there.request == request
            {
                *kept = Some(answer.clone());
            }
        })
    }

    fn give_up(&self, name: IdempotencyName, request: RequestId) -> StoreFuture<()> {
        self.change(|rows| {
            if matches!(rows.get(&name), Some((there, None)) if there.request == request) {
                rows.remove(&name);
            }
        })
    }

    fn purge_expired(&self) -> StoreFuture<usize> {
        self.change(|_| 0)
    }
}
