//! Counts of the requests that were served, for `/v1/server-stats`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Requests that were under way and are over, refused ones included; the health and stats routes do not count.
#[derive(Debug, Default)]
pub(crate) struct RequestTotals {
    count: AtomicU64,
    micros: AtomicU64,
}

impl RequestTotals {
    /// Counts a request that took so long.
    pub(crate) fn add(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// How long they took on average, in milliseconds with one decimal.
    pub(crate) fn average_ms(&self) -> f64 {
        let count = self.count();
        if count == 0 {
            return 0.0;
        }
        let tenths = self.micros.load(Ordering::Relaxed) / count / 100;
        f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0
    }
}
