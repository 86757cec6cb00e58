//! The pipeline's numbers.

use std::sync::Arc;
use std::time::Duration;

use crate::protocol::SecondOpinion;

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

/// The numbers of requests that are answered in several calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrchestrationSettings {
    /// When a model is asked how hard a request is. Default never.
    pub second_opinion: SecondOpinion,
    /// The model that is; the first free healthy one of layer L0 where none is named.
    pub rating_model: Option<Arc<str>>,
    /// How long it may take. Default 1.5 s.
    pub rating_timeout: Duration,
    /// How long a reviewer may take. Default 20 s.
    pub review_timeout: Duration,
    /// How long the last member of a panel is waited for when all others have answered. Default 3 s.
    pub straggler: Duration,
    /// About how many tokens a better model is told of the attempts before. Default 1,500.
    pub handoff_tokens: u32,
}

impl Default for OrchestrationSettings {
    fn default() -> Self {
        Self {
            second_opinion: SecondOpinion::Off,
            rating_model: None,
            rating_timeout: Duration::from_millis(1_500),
            review_timeout: Duration::from_secs(20),
            straggler: Duration::from_secs(3),
            handoff_tokens: 1_500,
        }
    }
}
