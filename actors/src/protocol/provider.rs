//! Messages of the ProviderActor (one per provider in each cell) and of the provider director.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix::Message;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::health::ProbePermit;
use super::ids::{ModelId, ProviderName};
use super::upstream::FailureKind;

/// Calls under way at one provider, counted over all cells.
#[derive(Debug)]
pub struct InFlight {
    count: AtomicU32,
    limit: u32,
    freed: Notify,
}

impl InFlight {
    /// A counter that admits up to `limit` calls at once.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self {
            count: AtomicU32::new(0),
            limit,
            freed: Notify::new(),
        }
    }

    /// Calls under way now.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }

    /// Counts one more call, unless the limit is reached.
    #[must_use]
    pub fn try_enter(&self) -> bool {
        let below_limit = |count| (count < self.limit).then_some(count + 1);
        self.count
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, below_limit)
            .is_ok()
    }

    /// Waits until a call has ended. Another one may take its place before the caller does.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Wakes whoever else waits, if there is a place: for one who was woken and took a place elsewhere, or none.
    pub fn pass_on(&self) {
        if self.count() < self.limit {
            self.freed.notify_one();
        }
    }

    fn leave(&self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        self.freed.notify_one();
    }
}

/// The right to make one call of a provider. Dropping it releases the place, and gives back a probe permit that no
/// verdict has used up.
#[derive(Debug)]
pub struct Lease {
    in_flight: Arc<InFlight>,
    permits: Vec<Arc<ProbePermit>>,
    probe: bool,
}

impl Lease {
    /// A lease over a place that was entered and permits that were taken; `probe` when the call decides over a gate
    /// that is not closed.
    #[must_use]
    pub fn new(in_flight: Arc<InFlight>, permits: Vec<Arc<ProbePermit>>, probe: bool) -> Self {
        Self {
            in_flight,
            permits,
            probe,
        }
    }

    /// Whether the call decides over a gate that is not closed.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// Leaves the permits to the director, which answers the call's verdict with a new gate. What the call says later
    /// is no probe's verdict any more.
    pub fn judged(&mut self) {
        self.permits.clear();
        self.probe = false;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.in_flight.leave();
        for permit in &self.permits {
            permit.give_back();
        }
    }
}

/// Asks for the right to call a model.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Lease, Unavailable>")]
pub struct Acquire {
    /// The model to call.
    pub model: ModelId,
    /// Whether to pass an open gate: the last resort when every candidate's is open.
    pub force: bool,
    /// The current time.
    pub now: Instant,
}

/// Why a provider cannot be called now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Its gate, or the model's, is open, or its one probe is under way.
    #[error("its breaker is open")]
    Open {
        /// When a probe may be sent.
        retry_after: Duration,
    },
    /// Its limit of calls under way is reached.
    #[error("it has no free place")]
    AtCapacity,
    /// The ProviderActor is being rebuilt.
    #[error("it is restarting")]
    Restarting,
}

/// What a call says about a provider's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It works: the time to the first byte.
    Success {
        /// From sending to the first meaningful byte.
        first_byte: Duration,
    },
    /// It failed.
    Failure {
        /// How.
        kind: FailureKind,
        /// When the provider said that trying again may help.
        retry_after: Option<Duration>,
    },
}

/// Tells how a call went (one way).
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Report {
    /// The model that was called.
    pub model: ModelId,
    /// How it went.
    pub verdict: Verdict,
    /// Whether the call was a probe, whose verdict cannot wait.
    pub probe: bool,
    /// When it ended.
    pub now: Instant,
}

/// What a cell's ProviderActor tells the director (one way): successes in bulk, every failure at once.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct OutcomeReport {
    /// The provider.
    pub provider: ProviderName,
    /// The model.
    pub model: ModelId,
    /// Calls that went well since the last report, all before the failure.
    pub successes: u32,
    /// A call that failed.
    pub failure: Option<(FailureKind, Option<Duration>)>,
    /// The cell's smoothed time to the first byte, in milliseconds.
    pub latency_ms: Option<u32>,
    /// Whether the last of these calls was a probe.
    pub probe: bool,
    /// When.
    pub now: Instant,
}
