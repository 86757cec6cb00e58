//! The actix side of a cell's provider.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler};
use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::core::ProviderCore;
use super::director::ProviderDirector;
use crate::protocol::{Acquire, HealthSnapshot, InFlight, Lease, OutcomeReport, ProviderName, Report, Unavailable};
use crate::runtime::{CrashReporter, Guard, accept_injected_faults, tell};

const FLUSH_PERIOD: Duration = Duration::from_secs(1);

/// Hands out leases on one provider within its cell.
#[derive(Debug)]
pub struct ProviderActor {
    guard: Guard<ProviderCore>,
    director: Addr<ProviderDirector>,
}

impl ProviderActor {
    /// An actor for this provider.
    #[must_use]
    pub fn new(
        provider: ProviderName,
        in_flight: Arc<InFlight>,
        health: Arc<ArcSwap<HealthSnapshot>>,
        director: Addr<ProviderDirector>,
        crashes: CrashReporter,
    ) -> Self {
        let rebuild = move || ProviderCore::new(provider.clone(), Arc::clone(&in_flight), Arc::clone(&health));
        Self {
            guard: Guard::new("provider", crashes, rebuild),
            director,
        }
    }

    fn tell_director(&self, reports: impl IntoIterator<Item = OutcomeReport>) {
        for report in reports {
            if tell(&self.director, report).is_err() {
                tracing::debug!("the provider director is gone; a report was dropped");
            }
        }
    }
}

impl Actor for ProviderActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(FLUSH_PERIOD, |actor, _| {
            let now = Instant::now();
            let reports = actor.guard.run(|core| core.flush(now)).unwrap_or_default();
            actor.tell_director(reports);
        });
    }
}

impl Handler<Acquire> for ProviderActor {
    type Result = Result<Lease, Unavailable>;

    fn handle(&mut self, wanted: Acquire, _: &mut Self::Context) -> Self::Result {
        let lease = self.guard.run(|core| core.acquire(&wanted));
        lease.unwrap_or(Err(Unavailable::Restarting))
    }
}

impl Handler<Report> for ProviderActor {
    type Result = ();

    fn handle(&mut self, report: Report, _: &mut Self::Context) {
        let urgent = self.guard.run(|core| core.report(&report));
        // A verdict that was lost to a panic is counted again by the rebuilt core: the director answers a probe's verdict
        // with the leave for the next one, so without it the gate would stay shut for good.
        let urgent = urgent.or_else(|_panicked| self.guard.run(|core| core.report(&report)));
        self.tell_director(urgent.unwrap_or_default());
    }
}

accept_injected_faults!(ProviderActor);
