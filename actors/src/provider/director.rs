//! The actix side of the provider director.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler};
use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::director_core::DirectorCore;
use super::settings::BreakerSettings;
use crate::protocol::{HealthSnapshot, OutcomeReport, ProbeAnswer, Prober};
use crate::runtime::{CrashReporter, Guard, accept_injected_faults, tell};

/// How often it is looked for providers to ask.
const LOOK: Duration = Duration::from_secs(1);

/// Owns every breaker and publishes the gates. One per process, on the control arbiter.
#[derive(Debug)]
pub struct ProviderDirector {
    guard: Guard<DirectorCore>,
    published: Arc<ArcSwap<HealthSnapshot>>,
    prober: Option<Rc<dyn Prober>>,
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
            prober: None,
        }
    }

    /// The same, but providers that no traffic tries are asked through this port.
    #[must_use]
    pub fn with_prober(mut self, prober: Rc<dyn Prober>) -> Self {
        self.prober = Some(prober);
        self
    }

    fn change(&mut self, change: impl FnOnce(&mut DirectorCore)) {
        let changed = self.guard.run(|core| {
            change(core);
            core.snapshot()
        });
        if let Ok(snapshot) = changed {
            self.published.store(Arc::new(snapshot));
        }
    }

    /// Starts the questions that are due; each answer comes back as a message.
    fn ask(&mut self, ctx: &Context<Self>) {
        let Some(prober) = &self.prober else { return };
        let due = self.guard.run(|core| core.take_due(Instant::now()));
        for provider in due.unwrap_or_default() {
            let (asked, director) = (prober.ask(&provider), ctx.address());
            actix_rt::spawn(async move {
                let status = asked.await;
                tracing::debug!(%provider, status, "asked a provider that no traffic tries");
                if tell(&director, ProbeAnswer { provider, status }).is_err() {
                    tracing::debug!("the provider director is gone; an answer was dropped");
                }
            });
        }
    }
}

impl Actor for ProviderDirector {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(LOOK, |director, ctx| director.ask(ctx));
    }
}

impl Handler<OutcomeReport> for ProviderDirector {
    type Result = ();

    fn handle(&mut self, report: OutcomeReport, _: &mut Self::Context) {
        self.change(|core| core.report(&report));
    }
}

impl Handler<ProbeAnswer> for ProviderDirector {
    type Result = ();

    fn handle(&mut self, answer: ProbeAnswer, _: &mut Self::Context) {
        self.change(|core| core.answered(&answer, Instant::now()));
    }
}

accept_injected_faults!(ProviderDirector);
