//! Asks the database how it is, seldom: however many ask, it is asked once a second at most.

use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::StoreHealth;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

const FRESH: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(2);

/// The last answer of the database, asked anew when it is older than a second.
#[derive(Debug)]
pub(crate) struct StoreProbe {
    store: Arc<dyn StoreHealth>,
    /// Held while the database is asked, so that those who come meanwhile wait for the same answer.
    last: Mutex<Option<(Instant, bool)>>,
}

impl StoreProbe {
    pub(crate) fn new(store: Arc<dyn StoreHealth>) -> Self {
        Self {
            store,
            last: Mutex::new(None),
        }
    }

    /// Whether the database works, as of at most a second ago.
    pub(crate) async fn is_well(&self) -> bool {
        let mut last = self.last.lock().await;
        match *last {
            Some((asked, well)) if asked.elapsed() < FRESH => well,
            _ => {
                let well = matches!(timeout(PATIENCE, self.store.check()).await, Ok(Ok(())));
                *last = Some((Instant::now(), well));
                well
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use gateway_actors::protocol::StoreFuture;

    use super::*;

    #[derive(Debug, Default)]
    struct Counted {
        asked: AtomicU32,
        hangs: bool,
    }

    impl StoreHealth for Counted {
        fn check(&self) -> StoreFuture<()> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let hangs = self.hangs;
            Box::pin(async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(Duration::from_millis(300)).await;
                Ok(())
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_at_once_share_one_question() {
        let store = Arc::new(Counted::default());
        let probe = StoreProbe::new(store.clone());
        let answers = futures_util::future::join_all((0..50).map(|_| probe.is_well())).await;
        assert!(answers.iter().all(|well| *well));
        assert_eq!(store.asked.load(Ordering::Relaxed), 1);
        tokio::time::advance(FRESH).await;
        assert!(probe.is_well().await);
        assert_eq!(store.asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_hangs_is_not_well_after_two_seconds() {
        let store = Arc::new(Counted {
            hangs: true,
            ..Counted::default()
        });
        let start = Instant::now();
        assert!(!StoreProbe::new(store).is_well().await);
        assert_eq!(start.elapsed(), PATIENCE);
    }
}
