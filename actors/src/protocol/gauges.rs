//! What is under way in the process, as counters that come back to zero when nothing is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// One counter of things under way.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// How many there are now.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Acquire)
    }

    /// Counts one, until the guard is dropped.
    #[must_use]
    pub fn enter(self: &Arc<Self>) -> GaugeGuard {
        self.0.fetch_add(1, Ordering::AcqRel);
        GaugeGuard(Arc::clone(self))
    }
}

/// Counts one thing while it lives.
#[derive(Debug)]
pub struct GaugeGuard(Arc<Gauge>);

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The process's counters.
#[derive(Debug, Clone, Default)]
pub struct Gauges {
    /// Attempts under way, each with its lease.
    pub attempts: Arc<Gauge>,
    /// Holds that are neither settled nor given back.
    pub holds: Arc<Gauge>,
    /// Streams being pumped.
    pub streams: Arc<Gauge>,
    /// Turns of conversations, waiting ones included.
    pub turns: Arc<Gauge>,
}
