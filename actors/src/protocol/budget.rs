//! Messages of the BudgetActor and the BudgetDirector, and the hold: the guard over money that may be spent.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use actix::Message;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::budget_book::{BudgetEntry, BudgetPath};
use super::errors::{ErrorKind, GatewayError};
use super::ids::AttemptId;
use super::ledger::{Charges, OnExhausted};
use super::money::NanoUsd;
use super::scope::Scope;
use super::slice::Reserved;

/// Asks for leave to spend up to an amount.
#[derive(Debug, Message)]
#[rtype(result = "Result<Hold, BudgetError>")]
pub struct Reserve {
    /// The attempt that may spend it.
    pub attempt: AttemptId,
    /// The attempt's true worst case.
    pub amount: NanoUsd,
    /// The budgets that have to pay for it.
    pub path: BudgetPath,
    /// What the director took for it, if it was asked.
    pub reserved: Option<Reserved>,
    /// The time.
    pub now: Instant,
}

/// Asks the director for what a cell has not enough of.
#[derive(Debug, Message)]
#[rtype(result = "Result<oneshot::Receiver<Result<Reserved, BudgetError>>, BudgetError>")]
pub struct Refill {
    /// The amount.
    pub amount: NanoUsd,
    /// The budgets that it must be taken from, all of them.
    pub path: BudgetPath,
}

/// Asks the director to find out what a budget has left; answered when that is noted with the budget, known or not.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<oneshot::Receiver<()>, BudgetError>")]
pub struct LookAt {
    /// The budget.
    pub entry: Arc<BudgetEntry>,
}

/// Asks the director to look for changed budgets now; answered when it has them (true), or could not get them.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<oneshot::Receiver<bool>, BudgetError>")]
pub struct ReloadBudgets;

/// Why money may not be spent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// The BudgetActor or the director is being rebuilt.
    #[error("the budget is restarting; try again")]
    Restarting,
    /// The cell has not enough of a budget in memory; the director is to be asked.
    #[error("the budget must be asked for more")]
    Short,
    /// A budget has not enough left.
    #[error("the budget has not enough left")]
    Exhausted {
        /// What the budget is for.
        scope: Scope,
        /// What is to happen to the call.
        then: OnExhausted,
        /// How long it takes until the budget's next period begins, if there is one.
        renews_in: Option<Duration>,
    },
    /// The ledger cannot be asked.
    #[error("the ledger cannot be reached")]
    LedgerUnavailable,
    /// The request's own deadline passed before the ledger had answered.
    #[error("the request's deadline passed before the ledger had answered")]
    TooLate,
}

/// The kind of a scope in words that a caller understands, without the id of anybody else.
fn whose(scope: &Scope) -> &'static str {
    match scope {
        Scope::Global => "of this gateway",
        Scope::Project(_) => "of this project",
        Scope::User(_) => "of this user",
        Scope::Key(_) => "of this key",
        Scope::Conversation(_) => "of this conversation",
    }
}

impl From<BudgetError> for GatewayError {
    fn from(error: BudgetError) -> Self {
        match error {
            BudgetError::Restarting | BudgetError::Short => Self::component_failed("budget"),
            BudgetError::Exhausted { scope, .. } => {
                let whose = whose(&scope);
                let message = format!(
                    "the budget {whose} has not enough left for the most that this call may cost; ask for fewer output \
                     tokens, a cheaper model or a free one, or have the budget raised"
                );
                Self::new(ErrorKind::BudgetExceeded, message)
            }
            BudgetError::LedgerUnavailable => Self::new(
                ErrorKind::StoreUnavailable,
                "the ledger cannot be reached, so that no paid call can be made; try again shortly",
            )
            .with_retry_after(Duration::from_secs(1)),
            BudgetError::TooLate => Self::new(
                ErrorKind::DeadlineExceeded,
                "the request's deadline passed before its budgets had answered, and nothing was sent; try again or allow \
                 more time",
            ),
        }
    }
}

/// One cell's sums, changed by its holds and read by anybody.
#[derive(Debug, Default)]
pub struct BudgetTotals {
    held: AtomicI64,
    spent: AtomicI64,
    open: AtomicU64,
}

/// A copy of the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spending {
    /// The worst case of everything under way.
    pub held: NanoUsd,
    /// What finished attempts cost since the process started.
    pub spent: NanoUsd,
    /// Holds that are open.
    pub open: u64,
}

impl BudgetTotals {
    /// The sums as they are now.
    #[must_use]
    pub fn load(&self) -> Spending {
        Spending {
            held: NanoUsd(self.held.load(Ordering::Acquire)),
            spent: NanoUsd(self.spent.load(Ordering::Acquire)),
            open: self.open.load(Ordering::Acquire),
        }
    }

    fn opened(&self, amount: NanoUsd) {
        self.held.fetch_add(amount.0, Ordering::AcqRel);
        self.open.fetch_add(1, Ordering::AcqRel);
    }

    fn closed(&self, amount: NanoUsd, cost: NanoUsd) {
        self.held.fetch_sub(amount.0, Ordering::AcqRel);
        self.open.fetch_sub(1, Ordering::AcqRel);
        let _always = self.spent.fetch_update(Ordering::AcqRel, Ordering::Acquire, |spent| {
            Some(spent.saturating_add(cost.0))
        });
    }
}

/// Leave to spend up to an amount on one attempt.
///
/// Dropped before [`Hold::dispatch`], it is given back. Dropped after, it is booked in full: the call may be on the
/// provider's bill. [`Hold::settle`] books the true cost.
pub struct Hold {
    attempt: AttemptId,
    reserved: Option<Reserved>,
    dispatched: bool,
    totals: Arc<BudgetTotals>,
}

impl Hold {
    /// A hold on what was reserved, counted in these sums.
    #[must_use]
    pub fn new(attempt: AttemptId, reserved: Reserved, totals: Arc<BudgetTotals>) -> Self {
        totals.opened(reserved.amount());
        Self {
            attempt,
            reserved: Some(reserved),
            dispatched: false,
            totals,
        }
    }

    /// The amount held.
    #[must_use]
    pub fn amount(&self) -> NanoUsd {
        self.reserved.as_ref().map_or(NanoUsd::ZERO, Reserved::amount)
    }

    /// What the attempt is charged to; nothing if no budget has to pay.
    #[must_use]
    pub fn charges(&self) -> Option<Charges> {
        self.reserved.as_ref().and_then(Reserved::charges)
    }

    /// Marks the attempt as sent: from now on a dropped hold is booked in full.
    pub fn dispatch(&mut self) {
        self.dispatched = true;
    }

    /// Books what the attempt cost and gives the rest back.
    pub fn settle(mut self, cost: NanoUsd) {
        self.end(cost);
    }

    fn end(&mut self, cost: NanoUsd) {
        if let Some(reserved) = self.reserved.take() {
            self.totals.closed(reserved.amount(), cost);
            reserved.settle(cost);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let booked = if self.dispatched { self.amount() } else { NanoUsd::ZERO };
        self.end(booked);
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold")
            .field("attempt", &self.attempt)
            .field("amount", &self.amount())
            .field("dispatched", &self.dispatched)
            .finish_non_exhaustive()
    }
}
