//! Removing responses, and answers under idempotency keys, that have expired: at the start, and every hour as long as the process lives.
//!
//! A batch is a job like any other, and the next one is sent when it is done: what requests ask of the database goes in
//! between. Replicas do it side by side.

use std::convert::Infallible;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{IdempotencyStore, PURGE_BATCH, ResponseStore, StoreError, StoreFuture};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// The time between the end of one round and the beginning of the next.
const PAUSE: Duration = Duration::from_secs(3_600);

/// What has expired is removed as long as this lives.
#[derive(Debug)]
#[must_use = "what has expired is removed as long as this lives"]
pub struct Purging(AbortHandle);

impl Purging {
    /// Begins at once, on the store's threads.
    pub(super) fn start(
        responses: Arc<dyn ResponseStore>,
        answers: Arc<dyn IdempotencyStore>,
        runtime: &Handle,
    ) -> Self {
        let purging = runtime.spawn(async move { now_and_then(&*responses, &*answers).await });
        Self(purging.abort_handle())
    }
}

impl Drop for Purging {
    fn drop(&mut self) {
        // It only waits for the answers of jobs: a batch that is under way is finished.
        self.0.abort();
    }
}

async fn now_and_then(responses: &dyn ResponseStore, answers: &dyn IdempotencyStore) -> Infallible {
    loop {
        tell("responses", all(|| responses.purge_expired()).await);
        tell("answers under idempotency keys", all(|| answers.purge_expired()).await);
        sleep(PAUSE).await;
    }
}

fn tell(what: &'static str, removed: Result<usize, StoreError>) {
    match removed {
        Ok(0) => {}
        Ok(removed) => tracing::info!(removed, "removed {what} that had expired"),
        Err(error) => {
            let cause = error.source().map(ToString::to_string);
            tracing::warn!(%error, cause, "{what} that have expired cannot be removed; tried again in an hour");
        }
    }
}

/// Removes all that have expired, a batch at a time; how many they were.
async fn all(batch: impl Fn() -> StoreFuture<usize>) -> Result<usize, StoreError> {
    let mut removed = 0;
    loop {
        let batch = batch().await?;
        removed += batch;
        if batch < PURGE_BATCH {
            return Ok(removed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use gateway_actors::protocol::{
        Chain, Claimed, IdempotencyClaim, IdempotencyName, KeptAnswer, RequestId, ResponseId, StoredResponse,
    };
    use tokio::time::Instant;

    use super::*;

    /// A database that has this many expired responses, or is away.
    #[derive(Debug, Default)]
    struct Expired {
        left: AtomicUsize,
        is_away: bool,
        asked: AtomicUsize,
    }

    impl ResponseStore for Expired {
        fn put(&self, response: StoredResponse) -> StoreFuture<()> {
            panic!("stored {response:?}")
        }

        fn get(&self, id: &ResponseId) -> StoreFuture<Option<StoredResponse>> {
            panic!("read {id}")
        }

        fn chain(&self, id: &ResponseId, _: u32) -> StoreFuture<Chain> {
            panic!("read {id}")
        }

        fn delete(&self, id: &ResponseId) -> StoreFuture<bool> {
            panic!("deleted {id}")
        }

        fn purge_expired(&self) -> StoreFuture<usize> {
            self.asked.fetch_add(1, Ordering::AcqRel);
            let left = self.left.load(Ordering::Acquire);
            let batch = left.min(PURGE_BATCH);
            self.left.store(left - batch, Ordering::Release);
            let answer = match self.is_away {
                true => Err(StoreError::Unavailable { source: None }),
                false => Ok(batch),
            };
            Box::pin(std::future::ready(answer))
        }
    }

    /// A database in which no answer has expired.
    #[derive(Debug)]
    struct NoAnswers;

    impl IdempotencyStore for NoAnswers {
        fn claim(&self, claim: IdempotencyClaim) -> StoreFuture<Claimed> {
            panic!("claimed {claim:?}")
        }

        fn prolong(&self, name: IdempotencyName, _: RequestId, _: Duration) -> StoreFuture<()> {
            panic!("prolonged {name:?}")
        }

        fn keep(&self, name: IdempotencyName, _: RequestId, _: KeptAnswer, _: Duration) -> StoreFuture<()> {
            panic!("kept {name:?}")
        }

        fn give_up(&self, name: IdempotencyName, _: RequestId) -> StoreFuture<()> {
            panic!("gave up {name:?}")
        }

        fn purge_expired(&self) -> StoreFuture<usize> {
            Box::pin(std::future::ready(Ok(0)))
        }
    }

    /// How often a database is asked in this time.
    async fn asked_within(expired: &Arc<Expired>, time: Duration) -> usize {
        let before = expired.asked.load(Ordering::Acquire);
        let deadline = Instant::now() + time;
        let port = Arc::clone(expired) as Arc<dyn ResponseStore>;
        let purging = Purging::start(port, Arc::new(NoAnswers), &Handle::current());
        tokio::time::sleep_until(deadline).await;
        drop(purging);
        expired.asked.load(Ordering::Acquire) - before
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_expired_goes_at_the_start_and_is_looked_for_once_an_hour() {
        let expired = Arc::new(Expired::default());
        expired.left.store(3 * PURGE_BATCH + 1, Ordering::Release);
        assert_eq!(asked_within(&expired, Duration::from_secs(1)).await, 4);
        assert_eq!(expired.left.load(Ordering::Acquire), 0);
        assert_eq!(asked_within(&expired, PAUSE * 2 + PAUSE / 2).await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_is_asked_again_an_hour_later() {
        let expired = Arc::new(Expired {
            is_away: true,
            ..Expired::default()
        });
        assert_eq!(asked_within(&expired, PAUSE / 2).await, 1);
        assert_eq!(asked_within(&expired, PAUSE + PAUSE / 2).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_removed_any_more_when_the_guard_is_dropped() {
        let expired = Arc::new(Expired::default());
        assert_eq!(asked_within(&expired, Duration::from_secs(1)).await, 1);
        tokio::time::sleep(PAUSE * 2).await;
        assert_eq!(expired.asked.load(Ordering::Acquire), 1);
    }
}
