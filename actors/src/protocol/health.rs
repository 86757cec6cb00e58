//! Provider health as it is published: gates that cells read without asking anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::id_map::IdMap;
use super::ids::{ModelId, ProviderName};

/// The leave to send one probe through a gate that is not closed. Whoever takes it must give it back or report.
#[derive(Debug, Default)]
pub struct ProbePermit {
    taken: AtomicBool,
}

impl ProbePermit {
    /// Takes the permit if it is free.
    #[must_use]
    pub fn try_take(&self) -> bool {
        self.taken
            .compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether somebody has it.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Acquire)
    }

    /// Gives the permit back without a verdict: the probe was never sent, or came to nothing that counts.
    pub fn give_back(&self) {
        self.taken.store(false, Ordering::Release);
    }
}

/// Whether calls may pass.
#[derive(Debug, Clone)]
pub enum Gate {
    /// They may. `shaky` when the last call failed.
    Closed {
        /// Whether the last call failed.
        shaky: bool,
    },
    /// None may until then; after that, one probe at a time.
    Open {
        /// When the next probe may be sent.
        until: Instant,
        /// The leave to send it.
        probe: Arc<ProbePermit>,
    },
    /// One probe at a time, until enough of them went well.
    HalfOpen {
        /// The leave to send the next one.
        probe: Arc<ProbePermit>,
    },
}

impl Default for Gate {
    fn default() -> Self {
        Self::Closed { shaky: false }
    }
}

impl Gate {
    /// The state's name for people.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half-open",
        }
    }

    /// The permit that a call must take before it may pass now; `Err` with the time to wait when none may.
    fn permit(&self, now: Instant) -> Result<Option<&Arc<ProbePermit>>, Duration> {
        match self {
            Self::Closed { .. } => Ok(None),
            Self::Open { until, probe } if now >= *until => Ok(Some(probe)),
            Self::Open { until, .. } => Err(until.saturating_duration_since(now)),
            Self::HalfOpen { probe } => Ok(Some(probe)),
        }
    }
}

/// Why a provider as a whole cannot be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderTrouble {
    /// It cannot be reached.
    Unreachable,
    /// It refuses our key.
    Misconfigured,
    /// It limits our rate.
    CoolingDown,
}

impl ProviderTrouble {
    /// The trouble's name for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Misconfigured => "misconfigured",
            Self::CoolingDown => "cooling-down",
        }
    }
}

/// What is known of a provider as a whole.
#[derive(Debug, Clone, Default)]
pub struct ProviderHealth {
    /// Whether calls may pass.
    pub gate: Gate,
    /// Why not, when they may not.
    pub trouble: Option<ProviderTrouble>,
}

/// What is known of one model at its provider.
#[derive(Debug, Clone, Default)]
pub struct ModelHealth {
    /// Whether calls may pass.
    pub gate: Gate,
    /// Smoothed time to the first byte, in milliseconds, if there were calls lately.
    pub latency_ms: Option<u32>,
}

/// The health of everything at one moment, published by the provider director.
#[derive(Debug, Default)]
pub struct HealthSnapshot {
    /// By provider; one that is missing is healthy.
    pub providers: IdMap<ProviderName, ProviderHealth>,
    /// By model; one that is missing is healthy.
    pub models: IdMap<ModelId, ModelHealth>,
}

/// What a cell may do with a candidate now.
#[derive(Debug, Clone)]
pub enum Passage {
    /// Call it.
    Free {
        /// Whether its last call failed.
        shaky: bool,
    },
    /// Call it if these permits can be taken; the call is then a probe.
    Probe {
        /// The provider's and the model's permits, as far as each needs one.
        permits: Vec<Arc<ProbePermit>>,
    },
    /// Leave it alone for so long.
    Shut {
        /// When a probe may be sent.
        retry_after: Duration,
    },
}

impl HealthSnapshot {
    /// What may be done with a model of a provider now.
    #[must_use]
    pub fn passage(&self, provider: &ProviderName, model: &ModelId, now: Instant) -> Passage {
        let healthy = Gate::default();
        let provider_gate = self.providers.get(provider).map_or(&healthy, |health| &health.gate);
        let model_gate = self.models.get(model).map_or(&healthy, |health| &health.gate);
        match (provider_gate.permit(now), model_gate.permit(now)) {
            (Ok(None), Ok(None)) => Passage::Free {
                shaky: matches!(provider_gate, Gate::Closed { shaky: true })
                    || matches!(model_gate, Gate::Closed { shaky: true }),
            },
            (Ok(provider_permit), Ok(model_permit)) => Passage::Probe {
                permits: provider_permit.into_iter().chain(model_permit).cloned().collect(),
            },
            (Err(one), Err(other)) => Passage::Shut {
                retry_after: one.max(other),
            },
            (Err(retry_after), Ok(_)) | (Ok(_), Err(retry_after)) => Passage::Shut { retry_after },
        }
    }

    /// The smoothed latency of a model, if it is known.
    #[must_use]
    pub fn latency_ms(&self, model: &ModelId) -> Option<u32> {
        self.models.get(model).and_then(|health| health.latency_ms)
    }
}

/// Lets one call through per second, over all cells, when every candidate's gate is open.
#[derive(Debug)]
pub struct LastResort {
    since: Instant,
    next_ms: AtomicU64,
}

impl LastResort {
    /// A fresh one; the first call may pass at once.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            since: now,
            next_ms: AtomicU64::new(0),
        }
    }

    /// Whether this call may pass although every gate is open.
    #[must_use]
    pub fn try_pass(&self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.since).as_millis();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        let next = self.next_ms.load(Ordering::Acquire);
        elapsed >= next
            && self
                .next_ms
                .compare_exchange(next, elapsed.saturating_add(1_000), Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_open_gate_hands_its_permit_to_exactly_one() {
        let probe = Arc::new(ProbePermit::default());
        let mut snapshot = HealthSnapshot::default();
        let gate = Gate::HalfOpen { probe };
        let health = ModelHealth { gate, latency_ms: None };
        snapshot.models.insert("m".into(), health);
        let takers = (0..1_000)
            .filter(|_| match snapshot.passage(&"p".into(), &"m".into(), Instant::now()) {
                Passage::Probe { permits } => permits.iter().all(|permit| permit.try_take()),
                other => panic!("{other:?}"),
            })
            .count();
        assert_eq!(takers, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_gate_lets_a_probe_through_only_after_its_time() {
        let until = Instant::now() + Duration::from_secs(5);
        let gate = Gate::Open {
            until,
            probe: Arc::default(),
        };
        let mut snapshot = HealthSnapshot::default();
        let health = ProviderHealth { gate, trouble: None };
        snapshot.providers.insert("p".into(), health);
        let passage = |now| snapshot.passage(&"p".into(), &"m".into(), now);
        assert!(matches!(passage(Instant::now()), Passage::Shut { retry_after } if retry_after.as_secs() == 5));
        assert!(matches!(passage(until), Passage::Probe { .. }));
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_resort_passes_one_call_per_second() {
        let start = Instant::now();
        let last_resort = LastResort::new(start);
        let passes = |at: Duration| (0..100).filter(|_| last_resort.try_pass(start + at)).count();
        assert_eq!(passes(Duration::ZERO), 1);
        assert_eq!(passes(Duration::from_millis(999)), 0);
        assert_eq!(passes(Duration::from_millis(1_000)), 1);
    }
}
