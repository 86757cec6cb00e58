//! Counts of the requests that were served.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// Requests that were under way and are over, refused ones included; those that ask for health or counts do not count.
#[derive(Debug, Default)]
pub(crate) struct RequestTotals {
    count: AtomicU64,
    micros: AtomicU64,
}

/// A copy of the totals.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Requests {
    total: u64,
    /// In milliseconds, with one decimal.
    average_duration: f64,
}

impl RequestTotals {
    /// Counts a request that took so long.
    pub(crate) fn add(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many there were, and how long they took on average.
    pub(crate) fn load(&self) -> Requests {
        let total = self.count.load(Ordering::Relaxed);
        let micros = self.micros.load(Ordering::Relaxed);
        let tenths = micros.checked_div(total).unwrap_or_default() / 100;
        Requests {
            total,
            average_duration: f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0,
        }
    }
}
