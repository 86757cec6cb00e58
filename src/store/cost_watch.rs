//! Looks now and then at what today's calls cost, and raises an event on the day that they come to a threshold.
//!
//! Every process does; the database raises the event for the first of them alone. A day on which it was raised is not
//! looked at again.

use std::convert::Infallible;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{EventStore, NanoUsd, StoreError};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

/// The time between two looks.
const PAUSE: Duration = Duration::from_secs(10);
/// A look reads all of the day's records: the pause is at least this many times as long as it took.
const SELDOM: u32 = 20;

/// Costs are watched as long as this lives.
#[derive(Debug)]
#[must_use = "costs are watched as long as this lives"]
pub struct CostWatch(AbortHandle);

impl CostWatch {
    /// Begins at once, on the store's threads.
    pub(super) fn start(events: Arc<dyn EventStore>, threshold: NanoUsd, runtime: &Handle) -> Self {
        let watching = runtime.spawn(async move { now_and_then(&*events, threshold).await });
        Self(watching.abort_handle())
    }
}

impl Drop for CostWatch {
    fn drop(&mut self) {
        // It only waits for the answers of jobs: one that is under way is finished.
        self.0.abort();
    }
}

async fn now_and_then(events: &dyn EventStore, threshold: NanoUsd) -> Infallible {
    let mut told: Option<Arc<str>> = None;
    loop {
        let began = Instant::now();
        if let Err(error) = look(events, threshold, &mut told).await {
            let cause = error.source().map(ToString::to_string);
            tracing::warn!(%error, cause, "what today's calls cost cannot be read; tried again shortly");
        }
        sleep(PAUSE.max(began.elapsed() * SELDOM)).await;
    }
}

/// Raises today's event if it is time. `told` is the last day on which it was raised, by this process or another.
async fn look(events: &dyn EventStore, threshold: NanoUsd, told: &mut Option<Arc<str>>) -> Result<(), StoreError> {
    let (today, spent) = events.spent_today().await?;
    if spent < threshold || told.as_ref() == Some(&today.id) {
        return Ok(());
    }
    let detail = json!({
        "period": &*today.id,
        "spentNanoUsd": spent.0,
        "spentUsd": spent.to_usd_string(),
        "thresholdNanoUsd": threshold.0,
        "thresholdUsd": threshold.to_usd_string(),
    });
    let once = format!("cost_alert|{}", today.id);
    if events.raise("cost_alert", once, detail.to_string()).await? {
        tracing::warn!(day = &*today.id, %spent, %threshold, "today's calls cost more than COST_ALERT_THRESHOLD");
    }
    *told = Some(today.id);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    use gateway_actors::protocol::{ClaimedEvent, GatewayEvent, Period, StoreFuture, Window};
    use tokio::time::sleep_until;

    use super::*;

    const NOON: i64 = 1_795_953_600_000_000;
    const DAY: i64 = 86_400_000_000;

    /// A database whose day and costs a test sets.
    #[derive(Debug, Default)]
    struct Day {
        now: AtomicI64,
        spent: AtomicI64,
        asked: AtomicUsize,
        raised: AtomicUsize,
    }

    impl EventStore for Day {
        fn raise(&self, kind: &'static str, once: String, detail: String) -> StoreFuture<bool> {
            let today = Window::Daily.period_at(self.now.load(Ordering::Acquire));
            assert_eq!((kind, once), ("cost_alert", format!("cost_alert|{}", today.id)));
            assert!(detail.contains("\"thresholdUsd\":\"0.0000001\""), "{detail}");
            self.raised.fetch_add(1, Ordering::AcqRel);
            Box::pin(async { Ok(true) })
        }

        fn present(&self, _: u32) -> StoreFuture<Vec<GatewayEvent>> {
            panic!("asked for events")
        }

        fn claim(&self, _: u32, _: Duration) -> StoreFuture<Vec<ClaimedEvent>> {
            panic!("delivers events")
        }

        fn delivered(&self, id: String) -> StoreFuture<()> {
            panic!("delivered {id}")
        }

        fn put_off(&self, id: String, _: Duration) -> StoreFuture<()> {
            panic!("put off {id}")
        }

        fn spent_today(&self) -> StoreFuture<(Period, NanoUsd)> {
            self.asked.fetch_add(1, Ordering::AcqRel);
            let today = Window::Daily.period_at(self.now.load(Ordering::Acquire));
            let spent = NanoUsd(self.spent.load(Ordering::Acquire));
            Box::pin(async move { Ok((today, spent)) })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_day_is_told_of_once_when_it_comes_to_the_threshold() {
        let day = Arc::new(Day::default());
        day.now.store(NOON, Ordering::Release);
        let began = Instant::now();
        let watch = CostWatch::start(
            Arc::clone(&day) as Arc<dyn EventStore>,
            NanoUsd(100),
            &Handle::current(),
        );
        let after = |seconds: u64| sleep_until(began + Duration::from_secs(seconds));
        let seen = || (day.asked.load(Ordering::Acquire), day.raised.load(Ordering::Acquire));
        day.spent.store(99, Ordering::Release);
        after(15).await;
        assert_eq!(seen(), (2, 0));
        day.spent.store(100, Ordering::Release);
        after(45).await;
        assert_eq!(seen(), (5, 1));
        day.now.store(NOON + DAY, Ordering::Release);
        after(55).await;
        assert_eq!(seen(), (6, 2));
        drop(watch);
        after(95).await;
        assert_eq!(seen(), (6, 2));
    }
}
