//! The actix side of a cell's budget.

use std::sync::Arc;

use actix::{Actor, Context, Handler};

use crate::protocol::{BudgetError, BudgetTotals, Hold, Reserve, Reserved};
use crate::runtime::{CrashReporter, Guard, accept_injected_faults};

/// Grants the holds that budgets have to pay for, within its cell.
#[derive(Debug)]
pub struct BudgetActor {
    guard: Guard<Arc<BudgetTotals>>,
}

impl BudgetActor {
    /// An actor whose holds are counted in `totals`.
    #[must_use]
    pub fn new(totals: Arc<BudgetTotals>, crashes: CrashReporter) -> Self {
        Self {
            guard: Guard::new("budget", crashes, move || Arc::clone(&totals)),
        }
    }
}

impl Actor for BudgetActor {
    type Context = Context<Self>;
}

impl Handler<Reserve> for BudgetActor {
    type Result = Result<Hold, BudgetError>;

    fn handle(&mut self, wanted: Reserve, _: &mut Self::Context) -> Self::Result {
        let held = self.guard.run(|totals| hold(wanted, totals));
        held.unwrap_or(Err(BudgetError::Restarting))
    }
}

fn hold(wanted: Reserve, totals: &Arc<BudgetTotals>) -> Result<Hold, BudgetError> {
    let Reserve {
        attempt,
        amount,
        path,
        reserved,
        now,
    } = wanted;
    let reserved = match reserved {
        Some(reserved) => reserved,
        None => Reserved::take(&path, amount, now).map_err(|_missing| BudgetError::Short)?,
    };
    Ok(Hold::new(attempt, reserved, Arc::clone(totals)))
}

accept_injected_faults!(BudgetActor);
