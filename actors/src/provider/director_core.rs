//! The director's breakers, and the snapshot that is published from them.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::breaker::Breaker;
use super::idle::IdleProbe;
use super::settings::BreakerSettings;
use crate::protocol::{
    FailureKind, Gate, HealthSnapshot, ModelHealth, ModelId, OutcomeReport, ProbeAnswer, ProviderHealth, ProviderName,
    ProviderTrouble,
};

/// Every breaker of the process.
#[derive(Debug)]
pub(super) struct DirectorCore {
    settings: BreakerSettings,
    providers: HashMap<ProviderName, ProviderState>,
    models: HashMap<ModelId, ModelState>,
    noise: Noise,
}

#[derive(Debug)]
struct ProviderState {
    breaker: Breaker,
    trouble: Option<ProviderTrouble>,
    idle: IdleProbe,
}

#[derive(Debug)]
struct ModelState {
    breaker: Breaker,
    latency_ms: Option<u32>,
}

/// What a failure says, and of whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blame {
    /// The model's breaker counts it.
    Model,
    /// The provider's breaker counts it.
    Provider,
    /// The provider refuses our key.
    Key,
    /// The provider limits our rate.
    Rate,
    /// The provider does not have the model.
    Gone,
    /// Nobody: the request itself was refused, or nothing came of it.
    Nobody,
}

fn blame(kind: FailureKind) -> Blame {
    match kind {
        FailureKind::Connect => Blame::Provider,
        FailureKind::Auth => Blame::Key,
        FailureKind::RateLimited => Blame::Rate,
        FailureKind::ModelGone => Blame::Gone,
        FailureKind::Rejected | FailureKind::ContextTooLong | FailureKind::Unusable | FailureKind::Deadline => {
            Blame::Nobody
        }
        FailureKind::FirstByteTimeout
        | FailureKind::IdleTimeout
        | FailureKind::TotalTimeout
        | FailureKind::Reset
        | FailureKind::Truncated
        | FailureKind::ServerError
        | FailureKind::Redirect
        | FailureKind::Malformed
        | FailureKind::Empty
        | FailureKind::ErrorFrame
        | FailureKind::TooLarge => Blame::Model,
    }
}

impl DirectorCore {
    /// Breakers that stand as the published snapshot says.
    pub(super) fn from_snapshot(
        settings: BreakerSettings,
        published: &HealthSnapshot,
        seed: u64,
        now: Instant,
    ) -> Self {
        let providers = published.providers.iter().map(|(name, health)| {
            let breaker = Breaker::from_gate(settings, &health.gate, now);
            let state = ProviderState {
                breaker,
                trouble: health.trouble,
                idle: IdleProbe::new(now),
            };
            (name.clone(), state)
        });
        let models = published.models.iter().map(|(id, health)| {
            let breaker = Breaker::from_gate(settings, &health.gate, now);
            let latency_ms = health.latency_ms;
            (id.clone(), ModelState { breaker, latency_ms })
        });
        Self {
            settings,
            providers: providers.collect(),
            models: models.collect(),
            noise: Noise(seed),
        }
    }

    /// Counts what a cell reported.
    pub(super) fn report(&mut self, report: &OutcomeReport) {
        let (settings, now, probe) = (self.settings, report.now, report.probe);
        let noise = self.noise.next();
        let provider = self
            .providers
            .entry(report.provider.clone())
            .or_insert_with(|| ProviderState {
                breaker: Breaker::new(settings, now),
                trouble: None,
                idle: IdleProbe::new(now),
            });
        provider.idle.overtaken(now);
        let model = self.models.entry(report.model.clone()).or_insert_with(|| ModelState {
            breaker: Breaker::new(settings, now),
            latency_ms: None,
        });
        if report.successes > 0 {
            let good_probe = probe && report.failure.is_none();
            provider.succeeded(report.successes, good_probe, now);
            model.breaker.on_success(report.successes, good_probe, now);
            model.latency_ms = report.latency_ms.or(model.latency_ms);
        }
        let Some((kind, retry_after)) = report.failure else {
            return;
        };
        let blame = blame(kind);
        if probe && !matches!(blame, Blame::Model | Blame::Gone) {
            model.breaker.renew_probe();
        }
        match blame {
            Blame::Nobody => {}
            Blame::Model => {
                // The provider answered, if badly: it can be reached and knows our key.
                provider.succeeded(1, probe, now);
                model.breaker.on_failure(probe, noise, now);
            }
            Blame::Gone => {
                provider.succeeded(1, probe, now);
                model.breaker.open_for(settings.misconfigured_probe, now);
            }
            Blame::Provider => {
                provider.breaker.on_failure(probe, noise, now);
                // That it cannot be reached says nothing new of the key it refused.
                if !provider.refuses_our_key() {
                    provider.trouble = provider.is_open().then_some(ProviderTrouble::Unreachable);
                }
            }
            Blame::Key => provider.leave_alone(ProviderTrouble::Misconfigured, settings.misconfigured_probe, now),
            // The answer to a call that began before the key was refused.
            Blame::Rate if provider.refuses_our_key() && !probe => {}
            Blame::Rate => {
                let time = retry_after.unwrap_or(settings.cool_down).min(settings.cool_down_cap);
                provider.leave_alone(ProviderTrouble::CoolingDown, time, now);
            }
        }
    }

    /// The providers to ask now whether they are back, for want of traffic that would show it. They count as asked.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<ProviderName> {
        let idle = self.settings.idle_probe;
        // A list of models is no proof of a key: it may be public, and an account without credit may read it.
        let ask_now = |state: &mut ProviderState| {
            !state.refuses_our_key() && state.idle.ask_now(&state.breaker.gate(), idle, now)
        };
        let due = self
            .providers
            .iter_mut()
            .filter_map(|(name, state)| ask_now(state).then_some(name));
        due.cloned().collect()
    }

    /// Counts the answer of a provider that was asked. It says nothing of any model, and none is no news: the gate stays
    /// as it is, so that traffic may still try.
    pub(super) fn answered(&mut self, answer: &ProbeAnswer, now: Instant) {
        let settings = self.settings;
        let Some(provider) = self.providers.get_mut(&answer.provider) else {
            return;
        };
        if !provider.idle.answered() {
            return;
        }
        match (provider.trouble, answer.status) {
            // What refused our key in a call must take it in a call.
            (_, None) | (Some(ProviderTrouble::Misconfigured), _) => {}
            (Some(trouble @ ProviderTrouble::CoolingDown), Some(429)) => {
                provider.leave_alone(trouble, settings.cool_down, now);
            }
            (_, Some(_)) => provider.succeeded(1, true, now),
        }
    }

    /// What cells are to see.
    pub(super) fn snapshot(&self) -> HealthSnapshot {
        let provider = |state: &ProviderState| ProviderHealth {
            gate: state.breaker.gate(),
            trouble: state.trouble,
        };
        let model = |state: &ModelState| ModelHealth {
            gate: state.breaker.gate(),
            latency_ms: state.latency_ms,
        };
        HealthSnapshot {
            providers: self
                .providers
                .iter()
                .map(|(name, state)| (name.clone(), provider(state)))
                .collect(),
            models: self
                .models
                .iter()
                .map(|(id, state)| (id.clone(), model(state)))
                .collect(),
        }
    }
}

impl ProviderState {
    fn is_open(&self) -> bool {
        !matches!(self.breaker.gate(), Gate::Closed { .. })
    }

    fn refuses_our_key(&self) -> bool {
        self.trouble == Some(ProviderTrouble::Misconfigured)
    }

    fn succeeded(&mut self, count: u32, probe: bool, now: Instant) {
        // A key that works or a rate that is granted again needs no second proof.
        let settled = matches!(
            self.trouble,
            Some(ProviderTrouble::Misconfigured | ProviderTrouble::CoolingDown)
        );
        if settled && probe {
            self.breaker = Breaker::new(self.breaker.settings(), now);
        }
        self.breaker.on_success(count, probe, now);
        if !self.is_open() {
            self.trouble = None;
        }
    }

    fn leave_alone(&mut self, trouble: ProviderTrouble, time: Duration, now: Instant) {
        self.breaker.open_for(time, now);
        self.trouble = Some(trouble);
    }
}

/// Throws for the jitter, from -1 to 1: SplitMix64, which is small and good enough to spread probes.
#[derive(Debug)]
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        // The upper 32 bits as a fraction of their range.
        let fraction = f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX);
        fraction * 2.0 - 1.0
    }
}

#[cfg(test)]
#[path = "director_core_tests.rs"]
mod tests;
