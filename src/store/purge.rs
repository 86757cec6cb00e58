//! Removing what has expired or ended: at the start, and every hour as long as the process lives.
//!
//! A batch is a job like any other, and the next one is sent when it is done: what requests ask of the database goes in
//! between. Replicas do it side by side.

use std::convert::Infallible;
use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use gateway_actors::protocol::{PURGE_BATCH, StoreError, StoreFuture};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// The time between the end of one round and the beginning of the next.
const PAUSE: Duration = Duration::from_secs(3_600);

/// What is removed: its name in the log, and how a batch of it goes, of at most [`PURGE_BATCH`].
pub(super) struct Rubbish {
    what: &'static str,
    batch: Box<dyn Fn() -> StoreFuture<usize> + Send + Sync>,
}

impl fmt::Debug for Rubbish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rubbish").field(&self.what).finish()
    }
}

impl Rubbish {
    pub(super) fn new(what: &'static str, batch: impl Fn() -> StoreFuture<usize> + Send + Sync + 'static) -> Self {
        Self {
            what,
            batch: Box::new(batch),
        }
    }

    /// Removes all of it, a batch at a time; how many they were.
    async fn remove(&self) -> Result<usize, StoreError> {
        let mut removed = 0;
        loop {
            let batch = (self.batch)().await?;
            removed += batch;
            if batch < PURGE_BATCH {
                return Ok(removed);
            }
        }
    }
}

/// What has expired or ended is removed as long as this lives.
#[derive(Debug)]
#[must_use = "what has expired is removed as long as this lives"]
pub struct Purging(AbortHandle);

impl Purging {
    /// Begins at once, on the store's threads.
    pub(super) fn start(rubbish: Vec<Rubbish>, runtime: &Handle) -> Self {
        let purging = runtime.spawn(async move { now_and_then(&rubbish).await });
        Self(purging.abort_handle())
    }
}

impl Drop for Purging {
    fn drop(&mut self) {
        // It only waits for the answers of jobs: a batch that is under way is finished.
        self.0.abort();
    }
}

async fn now_and_then(rubbish: &[Rubbish]) -> Infallible {
    loop {
        for one in rubbish {
            tell(one.what, one.remove().await);
        }
        sleep(PAUSE).await;
    }
}

fn tell(what: &'static str, removed: Result<usize, StoreError>) {
    match removed {
        Ok(0) => {}
        Ok(removed) => tracing::info!(removed, "removed {what}"),
        Err(error) => {
            let cause = error.source().map(ToString::to_string);
            tracing::warn!(%error, cause, "{what} cannot be removed; tried again in an hour");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::Instant;

    use super::*;

    /// A database that has this many expired rows, or is away.
    #[derive(Debug, Default)]
    struct Expired {
        left: AtomicUsize,
        is_away: bool,
        asked: AtomicUsize,
    }

    impl Expired {
        fn batch(&self) -> StoreFuture<usize> {
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

    fn rubbish(expired: &Arc<Expired>) -> Rubbish {
        let expired = Arc::clone(expired);
        Rubbish::new("what has expired", move || expired.batch())
    }

    /// How often a database is asked in this time.
    async fn asked_within(expired: &Arc<Expired>, time: Duration) -> usize {
        let before = expired.asked.load(Ordering::Acquire);
        let deadline = Instant::now() + time;
        let purging = Purging::start(vec![rubbish(expired)], &Handle::current());
        tokio::time::sleep_until(deadline).await;
        drop(purging);
        expired.asked.load(Ordering::Acquire) - before
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_removed_does_not_keep_the_rest_from_going() {
        let away = Arc::new(Expired {
            is_away: true,
            ..Expired::default()
        });
        let there = Arc::new(Expired::default());
        there.left.store(PURGE_BATCH + 1, Ordering::Release);
        let purging = Purging::start(vec![rubbish(&away), rubbish(&there)], &Handle::current());
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(purging);
        let asked = |expired: &Expired| expired.asked.load(Ordering::Acquire);
        assert_eq!(
            (asked(&away), asked(&there), there.left.load(Ordering::Acquire)),
            (1, 2, 0)
        );
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
