//! The actix side of the router.

use actix::{Actor, Context, Handler};
use tokio::time::Instant;

use super::core::RouterCore;
use super::settings::{RouterSettings, RouterSources};
use crate::protocol::{Plan, PlanRequest, RouteError};
use crate::runtime::{CrashReporter, Guard, accept_injected_faults};

/// Plans requests for its cell.
#[derive(Debug)]
pub struct RouterActor {
    guard: Guard<RouterCore>,
}

impl RouterActor {
    /// A router over these snapshots.
    #[must_use]
    pub fn new(settings: RouterSettings, sources: RouterSources, crashes: CrashReporter) -> Self {
        let rebuild = move || RouterCore::new(settings, sources.clone());
        Self {
            guard: Guard::new("router", crashes, rebuild),
        }
    }
}

impl Actor for RouterActor {
    type Context = Context<Self>;
}

impl Handler<PlanRequest> for RouterActor {
    type Result = Result<Plan, RouteError>;

    fn handle(&mut self, request: PlanRequest, _: &mut Self::Context) -> Self::Result {
        let now = Instant::now();
        let plan = self.guard.run(|core| core.plan(&request, now));
        plan.unwrap_or(Err(RouteError::Restarting))
    }
}

accept_injected_faults!(RouterActor);
