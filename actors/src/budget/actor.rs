//! The actix side of the budget.

use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Addr, AsyncContext, Context, Handler};

use super::core::BudgetCore;
use crate::protocol::{AttemptJournal, BudgetError, BudgetTotals, Cancel, Hold, HoldSink, Reserve, Settle};
use crate::runtime::{CrashReporter, Guard, accept_injected_faults, tell};

/// Grants and closes holds within its cell.
#[derive(Debug)]
pub struct BudgetActor {
    guard: Guard<BudgetCore>,
    sink: Option<Arc<dyn HoldSink>>,
}

impl BudgetActor {
    /// An actor that publishes to `totals` and recovers from its cell's journal.
    #[must_use]
    pub fn new(journal: Rc<dyn AttemptJournal>, totals: Arc<BudgetTotals>, crashes: CrashReporter) -> Self {
        let rebuild = move || {
            let contents = journal.contents().unwrap_or_else(|error| {
                tracing::error!(error = %error, "the journal cannot be read; holds are rebuilt without it");
                Default::default()
            });
            BudgetCore::recover(&contents, Arc::clone(&totals))
        };
        Self {
            guard: Guard::new("budget", crashes, rebuild),
            sink: None,
        }
    }
}

impl Actor for BudgetActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.sink = Some(Arc::new(Sink(ctx.address())));
    }
}

/// Where holds end: at the actor that granted them.
#[derive(Debug)]
struct Sink(Addr<BudgetActor>);

impl HoldSink for Sink {
    fn settle(&self, settle: Settle) {
        if tell(&self.0, settle).is_err() {
            tracing::error!("the budget is gone; a settlement is in the journal only");
        }
    }

    fn cancel(&self, cancel: Cancel) {
        if tell(&self.0, cancel).is_err() {
            tracing::debug!("the budget is gone; a hold was not given back");
        }
    }
}

impl Handler<Reserve> for BudgetActor {
    type Result = Result<Hold, BudgetError>;

    fn handle(&mut self, wanted: Reserve, _: &mut Self::Context) -> Self::Result {
        let Some(sink) = self.sink.clone() else {
            return Err(BudgetError::Restarting);
        };
        let reserved = self.guard.run(|core| core.reserve(wanted.attempt, wanted.amount));
        reserved.or(Err(BudgetError::Restarting))?;
        Ok(Hold::new(wanted.attempt, wanted.amount, sink))
    }
}

impl Handler<Settle> for BudgetActor {
    type Result = ();

    fn handle(&mut self, settle: Settle, _: &mut Self::Context) {
        // A settlement lost to a panic is read back from the journal by the rebuild.
        let _ = self.guard.run(|core| core.settle(&settle));
    }
}

impl Handler<Cancel> for BudgetActor {
    type Result = ();

    fn handle(&mut self, cancel: Cancel, _: &mut Self::Context) {
        // A hold that was never sent is not in the journal, so the rebuild forgets it: the same as giving it back.
        let _ = self.guard.run(|core| core.cancel(cancel.attempt));
    }
}

accept_injected_faults!(BudgetActor);
