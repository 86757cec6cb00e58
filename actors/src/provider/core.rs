//! A cell's side of a provider: leases by the published gates, and the tally of calls that went well.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::protocol::{
    Acquire, HealthSnapshot, IdMap, InFlight, Lease, ModelId, OutcomeReport, Passage, ProbePermit, ProviderName,
    Report, Unavailable, Verdict,
};

/// How long to wait before asking again when another call holds the probe.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// What a ProviderActor decides from.
#[derive(Debug)]
pub(super) struct ProviderCore {
    provider: ProviderName,
    in_flight: Arc<InFlight>,
    health: Arc<ArcSwap<HealthSnapshot>>,
    tallies: IdMap<ModelId, Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    successes: u32,
    latency_ms: Option<u32>,
}

impl ProviderCore {
    pub(super) fn new(provider: ProviderName, in_flight: Arc<InFlight>, health: Arc<ArcSwap<HealthSnapshot>>) -> Self {
        Self {
            provider,
            in_flight,
            health,
            tallies: IdMap::default(),
        }
    }

    /// The right to call a model, if its gate and the provider's limit allow it.
    pub(super) fn acquire(&self, wanted: &Acquire) -> Result<Lease, Unavailable> {
        let passage = self.health.load().passage(&self.provider, &wanted.model, wanted.now);
        let (permits, probe) = match passage {
            Passage::Free { .. } => (Vec::new(), false),
            Passage::Probe { permits } => (take_all(permits)?, true),
            Passage::Shut { .. } if wanted.force => (Vec::new(), true),
            Passage::Shut { retry_after } => return Err(Unavailable::Open { retry_after }),
        };
        if self.in_flight.try_enter() {
            Ok(Lease::new(Arc::clone(&self.in_flight), permits, probe))
        } else {
            give_back(&permits);
            Err(Unavailable::AtCapacity)
        }
    }

    /// Counts how a call went; what the director must know at once comes back.
    pub(super) fn report(&mut self, report: &Report) -> Option<OutcomeReport> {
        let tally = self.tallies.entry(report.model.clone()).or_default();
        let failure = match report.verdict {
            Verdict::Success { first_byte } => {
                tally.successes += 1;
                tally.latency_ms = Some(smoothed(tally.latency_ms, first_byte));
                None
            }
            Verdict::Failure { kind, retry_after } => Some((kind, retry_after)),
        };
        let shaky = || {
            let passage = self.health.load().passage(&self.provider, &report.model, report.now);
            !matches!(passage, Passage::Free { shaky: false })
        };
        let urgent = failure.is_some() || report.probe || shaky();
        urgent.then(|| OutcomeReport {
            provider: self.provider.clone(),
            model: report.model.clone(),
            successes: std::mem::take(&mut tally.successes),
            failure,
            latency_ms: tally.latency_ms,
            probe: report.probe,
            now: report.now,
        })
    }

    /// The successes that were not reported yet.
    pub(super) fn flush(&mut self, now: Instant) -> Vec<OutcomeReport> {
        let mut reports = Vec::new();
        for (model, tally) in &mut self.tallies {
            if tally.successes > 0 {
                reports.push(OutcomeReport {
                    provider: self.provider.clone(),
                    model: model.clone(),
                    successes: std::mem::take(&mut tally.successes),
                    failure: None,
                    latency_ms: tally.latency_ms,
                    probe: false,
                    now,
                });
            }
        }
        reports
    }
}

fn take_all(permits: Vec<Arc<ProbePermit>>) -> Result<Vec<Arc<ProbePermit>>, Unavailable> {
    for (taken, permit) in permits.iter().enumerate() {
        if !permit.try_take() {
            give_back(permits.get(..taken).unwrap_or_default());
            return Err(Unavailable::Open {
                retry_after: PROBE_PATIENCE,
            });
        }
    }
    Ok(permits)
}

fn give_back(permits: &[Arc<ProbePermit>]) {
    for permit in permits {
        permit.give_back();
    }
}

/// An exponentially weighted mean: a quarter of the new figure.
fn smoothed(old: Option<u32>, latency: Duration) -> u32 {
    let new = u32::try_from(latency.as_millis()).unwrap_or(u32::MAX);
    old.map_or(new, |old| old - old / 4 + new / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{FailureKind, Gate, ModelHealth};

    fn core(limit: u32) -> ProviderCore {
        ProviderCore::new("alpha".into(), Arc::new(InFlight::new(limit)), Arc::default())
    }

    fn acquire(core: &ProviderCore, force: bool) -> Result<Lease, Unavailable> {
        let now = Instant::now();
        let model = "m".into();
        core.acquire(&Acquire { model, force, now })
    }

    fn publish(core: &ProviderCore, gate: Gate) {
        let mut snapshot = HealthSnapshot::default();
        snapshot
            .models
            .insert("m".into(), ModelHealth { gate, latency_ms: None });
        core.health.store(Arc::new(snapshot));
    }

    #[test]
    fn a_dropped_lease_frees_its_place() {
        let core = core(1);
        let lease = acquire(&core, false).unwrap();
        assert_eq!(acquire(&core, false).unwrap_err(), Unavailable::AtCapacity);
        drop(lease);
        assert!(acquire(&core, false).is_ok());
    }

    #[test]
    fn a_probe_that_came_to_no_verdict_gives_its_permit_back() {
        let core = core(9);
        publish(&core, Gate::HalfOpen { probe: Arc::default() });
        let lease = acquire(&core, false).unwrap();
        assert!(lease.is_probe());
        assert!(matches!(acquire(&core, false), Err(Unavailable::Open { .. })));
        drop(lease);
        let mut judged = acquire(&core, false).unwrap();
        judged.judged();
        drop(judged);
        assert!(
            acquire(&core, false).is_err(),
            "a judged probe leaves the gate to the director"
        );
    }

    #[test]
    fn an_open_gate_is_passed_only_by_force_and_that_call_is_a_probe() {
        let core = core(9);
        let until = Instant::now() + Duration::from_secs(60);
        let probe = Arc::default();
        publish(&core, Gate::Open { until, probe });
        assert!(matches!(acquire(&core, false), Err(Unavailable::Open { .. })));
        assert!(acquire(&core, true).unwrap().is_probe());
    }

    #[test]
    fn successes_travel_in_bulk_and_a_failure_at_once_with_them() {
        let mut core = core(9);
        let report = |verdict| Report {
            model: "m".into(),
            verdict,
            probe: false,
            now: Instant::now(),
        };
        let first_byte = Duration::from_millis(100);
        for _ in 0..3 {
            assert!(core.report(&report(Verdict::Success { first_byte })).is_none());
        }
        let failure = Verdict::Failure {
            kind: FailureKind::Reset,
            retry_after: None,
        };
        let told = core.report(&report(failure)).unwrap();
        assert_eq!((told.successes, told.failure), (3, Some((FailureKind::Reset, None))));
        assert_eq!(told.latency_ms, Some(100));
        assert!(core.flush(Instant::now()).is_empty());
    }
}
