//! The actix side of the provider director.

use std::sync::Arc;

use actix::{Actor, Context, Handler};
use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::director_core::DirectorCore;
use super::settings::BreakerSettings;
use crate::protocol::{HealthSnapshot, OutcomeReport};
use crate::runtime::{CrashReporter, Guard, accept_injected_faults};

/// Owns every breaker and publishes the gates. One per process, on the control arbiter.
#[derive(Debug)]
pub struct ProviderDirector {
    guard: Guard<DirectorCore>,
    published: Arc<ArcSwap<HealthSnapshot>>,
}

impl ProviderDirector {
    /// A director that publishes to `published`; `seed` spreads the times at which gates reopen.
    #[must_use]
    pub fn new(
        settings: BreakerSettings,
        published: Arc<ArcSwap<HealthSnapshot>>,
        seed: u64,
        crashes: CrashReporter,
    ) -> Self {
        let last = Arc::clone(&published);
        let rebuild = move || DirectorCore::from_snapshot(settings, &last.load(), seed, Instant::now());
        Self {
            guard: Guard::new("provider-director", crashes, rebuild),
            published,
        }
    }
}

impl Actor for ProviderDirector {
    type Context = Context<Self>;
}

impl Handler<OutcomeReport> for ProviderDirector {
    type Result = ();

    fn handle(&mut self, report: OutcomeReport, _: &mut Self::Context) {
        let counted = self.guard.run(|core| {
            core.report(&report);
            core.snapshot()
        });
        // After a panic the rebuilt core is published: its leaves to probe are new.
        if let Ok(snapshot) = counted.or_else(|_panicked| self.guard.run(|core| core.snapshot())) {
            self.published.store(Arc::new(snapshot));
        }
    }
}

accept_injected_faults!(ProviderDirector);
