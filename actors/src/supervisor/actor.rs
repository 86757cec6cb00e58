//! The actix side of the supervisor.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler};
use tokio::sync::watch;
use tokio::time::Instant;

use super::core::SupervisorCore;
use crate::protocol::{GetSystemHealth, SupervisorError, SystemHealth};
use crate::runtime::{Beats, CrashLog, CrashReporter, Guard, accept_injected_faults};

const PERIOD: Duration = Duration::from_millis(250);

/// Judges and publishes the health of the actor system. One per process, on the main thread.
#[derive(Debug)]
pub struct SupervisorActor {
    guard: Guard<SupervisorCore>,
    log: watch::Receiver<CrashLog>,
    beats: Arc<Beats>,
    published: watch::Sender<SystemHealth>,
}

impl SupervisorActor {
    /// A supervisor that publishes to `published`.
    #[must_use]
    pub fn new(crashes: CrashReporter, beats: Arc<Beats>, published: watch::Sender<SystemHealth>) -> Self {
        Self {
            log: crashes.subscribe(),
            guard: Guard::new("supervisor", crashes, SupervisorCore::default),
            beats,
            published,
        }
    }

    fn assess(&mut self) -> Option<SystemHealth> {
        let (log, beats) = (&self.log, &self.beats);
        let health = self.guard.run(|core| core.assess(&log.borrow(), beats, Instant::now()));
        let health = health.ok()?;
        self.published.send_if_modified(|published| {
            let changed = *published != health;
            published.clone_from(&health);
            changed
        });
        Some(health)
    }
}

impl Actor for SupervisorActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(PERIOD, |actor, _| {
            actor.assess();
        });
    }
}

impl Handler<GetSystemHealth> for SupervisorActor {
    type Result = Result<SystemHealth, SupervisorError>;

    fn handle(&mut self, _: GetSystemHealth, _: &mut Self::Context) -> Self::Result {
        self.assess().ok_or(SupervisorError::Restarting)
    }
}

accept_injected_faults!(SupervisorActor);
