//! The pipeline's numbers.

use std::time::Duration;

/// What is done after a call that was sent and got no answer: it may be on the provider's bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AmbiguousFailover {
    /// Any other candidate is tried. The failed attempt is booked at its worst case, so nothing is overspent.
    #[default]
    Any,
    /// Only free models are tried after it.
    FreeOnly,
}

/// How hard the pipeline tries, and how long it lingers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DispatchSettings {
    /// Attempts per request besides the first. Default 2.
    pub extra_attempts: u8,
    /// Attempts on targets that are not known to work, as a part of the window's requests. Default 0.2.
    pub retry_ratio: f64,
    /// And so many on top in each window. Default 3.
    pub retry_min: u32,
    /// The window. Default 10 s.
    pub retry_window: Duration,
    /// What is done after a call that was sent and got no answer.
    pub ambiguous: AmbiguousFailover,
    /// How long a stream is read on after its client left, to learn what it cost. Default 10 s.
    pub linger: Duration,
    /// How many bytes of it are read on. Default 1 MiB.
    pub linger_bytes: u64,
    /// How many such streams are read on at once in a cell. Default 32.
    pub most_lingering: i64,
    /// How long a client may take no byte of a stream before it counts as gone. Default 30 s.
    pub write_stall: Duration,
    /// How long a request waits for a place at a provider that is full. Default 2 s.
    pub capacity_wait: Duration,
}

impl Default for DispatchSettings {
    fn default() -> Self {
        Self {
            extra_attempts: 2,
            retry_ratio: 0.2,
            retry_min: 3,
            retry_window: Duration::from_secs(10),
            ambiguous: AmbiguousFailover::default(),
            linger: Duration::from_secs(10),
            linger_bytes: 1024 * 1024,
            most_lingering: 32,
            write_stall: Duration::from_secs(30),
            capacity_wait: Duration::from_secs(2),
        }
    }
}
