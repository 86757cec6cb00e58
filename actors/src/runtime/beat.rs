//! Beats: each thread's event loop notes the time once a second, so that one that hangs is seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

const PERIOD: Duration = Duration::from_secs(1);

/// The beats of every thread.
#[derive(Debug)]
pub struct Beats {
    since: Instant,
    threads: ArcSwap<Vec<Arc<Beat>>>,
}

/// One thread's beat.
#[derive(Debug)]
pub struct Beat {
    name: String,
    last_ms: AtomicU64,
}

impl Beats {
    /// No thread yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            since: now,
            threads: ArcSwap::default(),
        }
    }

    /// Starts beating on this thread's arbiter, for as long as it lives.
    pub fn start_here(self: &Arc<Self>, name: impl Into<String>) {
        let beat = Arc::new(Beat {
            name: name.into(),
            last_ms: AtomicU64::new(self.elapsed_ms(Instant::now())),
        });
        self.threads.rcu(|threads| {
            let mut threads = Vec::clone(threads);
            threads.push(Arc::clone(&beat));
            threads
        });
        let beats = Arc::clone(self);
        actix_rt::spawn(async move {
            let mut timer = tokio::time::interval(PERIOD);
            loop {
                timer.tick().await;
                beat.last_ms.store(beats.elapsed_ms(Instant::now()), Ordering::Release);
            }
        });
    }

    /// How far the slowest thread lags behind its next beat, and its name.
    #[must_use]
    pub fn slowest(&self, now: Instant) -> Option<(String, Duration)> {
        let now_ms = self.elapsed_ms(now);
        let lag = |beat: &Arc<Beat>| {
            let silent = now_ms.saturating_sub(beat.last_ms.load(Ordering::Acquire));
            Duration::from_millis(silent).saturating_sub(PERIOD)
        };
        let threads = self.threads.load();
        threads
            .iter()
            .max_by_key(|beat| lag(beat))
            .map(|beat| (beat.name.clone(), lag(beat)))
    }

    fn elapsed_ms(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.since).as_millis();
        u64::try_from(elapsed).unwrap_or(u64::MAX)
    }
}
