//! The wall clock, for what is stored. Durations and expiries use `tokio::time::Instant`, which tests can pause.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970 (UTC).
#[must_use]
pub fn unix_micros() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
}
