//! When a provider that no traffic tries is asked whether it is back.

use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::Gate;

/// How long an answer is waited for before the question counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the director remembers of one provider between two questions.
#[derive(Debug)]
pub(super) struct IdleProbe {
    /// When traffic last said something of the provider, or it was last asked.
    heard: Instant,
    /// When a question was sent that has not been answered.
    asked: Option<Instant>,
}

impl IdleProbe {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            heard: now,
            asked: None,
        }
    }

    /// Traffic has said something: whatever is being asked decides nothing any more.
    pub(super) fn overtaken(&mut self, now: Instant) {
        self.heard = now;
        self.asked = None;
    }

    /// Whether to ask now: the gate lets probes through, and for so long no traffic was one. If so, that is noted.
    pub(super) fn ask_now(&mut self, gate: &Gate, idle: Duration, now: Instant) -> bool {
        let (quiet_since, permit) = match gate {
            Gate::Closed { .. } => return false,
            Gate::Open { until, probe } => (self.heard.max(*until), probe),
            Gate::HalfOpen { probe } => (self.heard, probe),
        };
        let is_waiting = self.asked.is_some_and(|asked| now < asked + PATIENCE);
        if is_waiting || permit.is_taken() || now < quiet_since + idle {
            return false;
        }
        *self = Self {
            heard: now,
            asked: Some(now),
        };
        true
    }

    /// Takes note of the answer; `false` when it comes too late to count.
    pub(super) fn answered(&mut self) -> bool {
        self.asked.take().is_some()
    }
}
