//! `[idempotency]`: what is kept of answers to requests with an `Idempotency-Key`.

use std::time::Duration;

use super::reader::{Reader, key};
use super::value::{hours, integer};

/// How long such an answer is kept, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencySettings {
    /// How long one is kept after it was given (`ttl_hours`), 1 hour to 30 days. Default 24 hours.
    pub ttl: Duration,
    /// The largest body that is kept, in bytes (`max_body_bytes`), 1 KiB to 16 MiB. Default 1 MiB.
    pub max_body_bytes: usize,
}

impl Default for IdempotencySettings {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(24 * 3_600),
            max_body_bytes: 1024 * 1024,
        }
    }
}

impl IdempotencySettings {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        reader.set(key("ttl_hours"), &mut self.ttl, hours(1..=720));
        let bytes = integer(1_024..=16 * 1024 * 1024);
        reader.set(key("max_body_bytes"), &mut self.max_body_bytes, bytes);
    }
}
