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
    /// Nobody: the request itself was refused.
    Nobody,
}

fn blame(kind: FailureKind) -> Blame {
    match kind {
        FailureKind::Connect => Blame::Provider,
        FailureKind::Auth => Blame::Key,
        FailureKind::RateLimited => Blame::Rate,
        FailureKind::ModelGone => Blame::Gone,
        FailureKind::Rejected | FailureKind::ContextTooLong | FailureKind::Deadline => Blame::Nobody,
        FailureKind::FirstByteTimeout
        | FailureKind::IdleTimeout
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
                provider.trouble = provider.is_open().then_some(ProviderTrouble::Unreachable);
            }
            Blame::Key => provider.leave_alone(ProviderTrouble::Misconfigured, settings.misconfigured_probe, now),
            Blame::Rate => {
                let time = retry_after.unwrap_or(settings.cool_down).min(settings.cool_down_cap);
                provider.leave_alone(ProviderTrouble::CoolingDown, time, now);
            }
        }
    }

    /// The providers to ask now whether they are back, for want of traffic that would show it. They count as asked.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<ProviderName> {
        let idle = self.settings.idle_probe;
        let ask_now = |state: &mut ProviderState| state.idle.ask_now(&state.breaker.gate(), idle, now);
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
            (_, None) => {}
            (Some(trouble @ ProviderTrouble::Misconfigured), Some(401 | 403)) => {
                provider.leave_alone(trouble, settings.misconfigured_probe, now);
            }
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
mod tests {
    use super::*;
    use crate::protocol::Passage;

    fn core() -> DirectorCore {
        DirectorCore::from_snapshot(
            BreakerSettings::default(),
            &HealthSnapshot::default(),
            1,
            Instant::now(),
        )
    }

    fn told(core: &mut DirectorCore, model: &str, failure: Option<FailureKind>, probe: bool) {
        core.report(&OutcomeReport {
            provider: "alpha".into(),
            model: model.into(),
            successes: u32::from(failure.is_none()),
            failure: failure.map(|kind| (kind, Some(Duration::from_secs(2)))),
            latency_ms: None,
            probe,
            now: Instant::now(),
        });
    }

    fn is_free(core: &DirectorCore, model: &str) -> bool {
        let passage = core.snapshot().passage(&"alpha".into(), &model.into(), Instant::now());
        matches!(passage, Passage::Free { .. })
    }

    #[tokio::test(start_paused = true)]
    async fn server_errors_open_one_model_and_connect_failures_the_provider() {
        let mut core = core();
        for _ in 0..5 {
            told(&mut core, "a", Some(FailureKind::ServerError), false);
        }
        assert!(!is_free(&core, "a"));
        assert!(is_free(&core, "b"));
        for _ in 0..5 {
            told(&mut core, "b", Some(FailureKind::Connect), false);
        }
        assert!(!is_free(&core, "c"));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_refused_for_what_they_say_never_open_anything() {
        let mut core = core();
        for kind in [
            FailureKind::Rejected,
            FailureKind::ContextTooLong,
            FailureKind::Deadline,
        ] {
            for _ in 0..100 {
                told(&mut core, "a", Some(kind), false);
            }
        }
        assert!(is_free(&core, "a"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_key_closes_the_provider_until_one_probe_works() {
        let mut core = core();
        told(&mut core, "a", Some(FailureKind::Auth), false);
        assert!(!is_free(&core, "b"));
        tokio::time::advance(Duration::from_secs(301)).await;
        told(&mut core, "b", None, true);
        assert!(is_free(&core, "a"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_limit_is_waited_out_for_as_long_as_the_provider_says() {
        let mut core = core();
        told(&mut core, "a", Some(FailureKind::RateLimited), false);
        let passage = core.snapshot().passage(&"alpha".into(), &"b".into(), Instant::now());
        assert!(matches!(passage, Passage::Shut { retry_after } if retry_after == Duration::from_secs(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_fails_for_the_provider_leaves_the_model_probeable() {
        let mut core = core();
        for _ in 0..5 {
            told(&mut core, "a", Some(FailureKind::ServerError), false);
        }
        tokio::time::advance(Duration::from_secs(10)).await;
        let probe = |core: &DirectorCore| match core.snapshot().passage(&"alpha".into(), &"a".into(), Instant::now()) {
            Passage::Probe { permits } => permits.iter().all(|permit| permit.try_take()),
            _ => false,
        };
        assert!(probe(&core));
        assert!(!probe(&core), "one probe at a time");
        told(&mut core, "a", Some(FailureKind::Connect), true);
        assert!(probe(&core));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rebuilt_director_keeps_the_gates_it_published() {
        let mut core = core();
        for _ in 0..5 {
            told(&mut core, "a", Some(FailureKind::ServerError), false);
        }
        let published = core.snapshot();
        let rebuilt = DirectorCore::from_snapshot(BreakerSettings::default(), &published, 2, Instant::now());
        assert!(!is_free(&rebuilt, "a"));
    }

    /// Lets this much time pass, and answers with this status if alpha is asked.
    async fn asked_after(core: &mut DirectorCore, seconds: u64, status: Option<u16>) -> bool {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        let asked = core.take_due(Instant::now());
        for provider in asked.clone() {
            core.answered(&ProbeAnswer { provider, status }, Instant::now());
        }
        !asked.is_empty()
    }

    #[tokio::test(start_paused = true)]
    async fn an_unreachable_provider_without_traffic_is_asked_until_three_answers_close_its_gate() {
        let mut core = core();
        for _ in 0..5 {
            told(&mut core, "a", Some(FailureKind::Connect), false);
        }
        assert!(
            !asked_after(&mut core, 13, Some(200)).await,
            "its gate has not been open to probes for long"
        );
        assert!(asked_after(&mut core, 3, None).await);
        assert!(!asked_after(&mut core, 9, Some(200)).await, "it was asked just now");
        for status in [200, 404, 401] {
            assert!(!is_free(&core, "a"));
            assert!(asked_after(&mut core, 10, Some(status)).await);
        }
        assert!(is_free(&core, "a"));
        assert!(core.snapshot().providers["alpha"].trouble.is_none());
        assert!(!asked_after(&mut core, 1_000, Some(200)).await, "its gate is closed");
    }

    #[tokio::test(start_paused = true)]
    async fn traffic_is_probe_enough_and_overtakes_an_answer_under_way() {
        let mut core = core();
        for _ in 0..5 {
            told(&mut core, "a", Some(FailureKind::Connect), false);
        }
        for _ in 0..10 {
            assert!(!asked_after(&mut core, 8, Some(200)).await);
            told(&mut core, "a", Some(FailureKind::Reset), false);
        }
        tokio::time::advance(Duration::from_secs(10)).await;
        let provider = core.take_due(Instant::now()).remove(0);
        assert!(
            core.take_due(Instant::now() + Duration::from_secs(20)).is_empty(),
            "one question at a time"
        );
        told(&mut core, "a", Some(FailureKind::Connect), true);
        core.answered(
            &ProbeAnswer {
                provider,
                status: Some(200),
            },
            Instant::now(),
        );
        assert_eq!(core.snapshot().providers["alpha"].gate.as_str(), "open");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_says_nothing_of_a_model_whose_calls_fail() {
        let mut core = core();
        for _ in 0..5 {
            told(&mut core, "a", Some(FailureKind::ServerError), false);
        }
        assert!(!asked_after(&mut core, 1_000, Some(200)).await);
        told(&mut core, "b", Some(FailureKind::Auth), false);
        assert!(asked_after(&mut core, 311, Some(200)).await);
        assert!(is_free(&core, "b") && !is_free(&core, "a"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_key_and_a_limited_rate_stay_so_while_the_answer_says_so() {
        for (kind, status, wait) in [
            (FailureKind::Auth, 401, 311),
            (FailureKind::Auth, 403, 311),
            (FailureKind::RateLimited, 429, 16),
        ] {
            let mut core = core();
            told(&mut core, "a", Some(kind), false);
            for _ in 0..3 {
                assert!(asked_after(&mut core, wait, Some(status)).await, "{status}");
                assert!(
                    !asked_after(&mut core, wait - 12, Some(200)).await,
                    "{status} is no good news"
                );
                tokio::time::advance(Duration::from_secs(12)).await;
            }
            assert!(asked_after(&mut core, 0, Some(200)).await);
            assert!(is_free(&core, "a"), "{status}");
        }
    }

    #[test]
    fn throws_stay_within_their_range_and_differ() {
        let mut noise = Noise(7);
        let throws: Vec<f64> = (0..1_000).map(|_| noise.next()).collect();
        assert!(throws.iter().all(|throw| (-1.0..=1.0).contains(throw)));
        assert!(throws.iter().any(|&throw| throw > 0.5) && throws.iter().any(|&throw| throw < -0.5));
    }
}
