//! Messages of the BudgetActor, and the hold: the guard over money that may be spent.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use actix::Message;

use super::errors::GatewayError;
use super::ids::AttemptId;
use super::journal::JournalSeq;
use super::money::NanoUsd;

/// Asks for leave to spend up to an amount.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Hold, BudgetError>")]
pub struct Reserve {
    /// The attempt that may spend it.
    pub attempt: AttemptId,
    /// The attempt's true worst case.
    pub amount: NanoUsd,
}

/// Books what an attempt cost (one way, idempotent by attempt).
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Settle {
    /// The attempt.
    pub attempt: AttemptId,
    /// What it cost; may exceed the hold when the provider ignored the cap.
    pub cost: NanoUsd,
    /// Where the journal holds the finished attempt, if it could be written.
    pub journalled: Option<JournalSeq>,
}

/// Gives a hold back unspent (one way).
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Cancel {
    /// The attempt that was never sent.
    pub attempt: AttemptId,
}

/// Why money may not be spent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// The BudgetActor is being rebuilt.
    #[error("the budget is restarting; try again")]
    Restarting,
}

impl From<BudgetError> for GatewayError {
    fn from(error: BudgetError) -> Self {
        match error {
            BudgetError::Restarting => Self::component_failed("budget"),
        }
    }
}

/// One cell's sums, written by its BudgetActor alone and read by anybody.
#[derive(Debug, Default)]
pub struct BudgetTotals {
    held: AtomicI64,
    spent: AtomicI64,
    open: AtomicU64,
    counted: AtomicU64,
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
    /// The last journal entry that is in `spent`.
    pub counted: JournalSeq,
}

impl BudgetTotals {
    /// The sums as they were last published.
    #[must_use]
    pub fn load(&self) -> Spending {
        Spending {
            held: NanoUsd(self.held.load(Ordering::Acquire)),
            spent: NanoUsd(self.spent.load(Ordering::Acquire)),
            open: self.open.load(Ordering::Acquire),
            counted: JournalSeq(self.counted.load(Ordering::Acquire)),
        }
    }

    /// Publishes new sums.
    pub fn publish(&self, spending: Spending) {
        self.held.store(spending.held.0, Ordering::Release);
        self.spent.store(spending.spent.0, Ordering::Release);
        self.open.store(spending.open, Ordering::Release);
        self.counted.store(spending.counted.0, Ordering::Release);
    }
}

/// Where a hold ends: implemented by the BudgetActor's address.
pub trait HoldSink: fmt::Debug + Send + Sync {
    /// Books the attempt's cost.
    fn settle(&self, settle: Settle);

    /// Gives the hold back.
    fn cancel(&self, cancel: Cancel);
}

/// Leave to spend up to an amount on one attempt.
///
/// Dropped before [`Hold::dispatch`], it is given back. Dropped after, it is booked in full: the call may be on the
/// provider's bill. [`Hold::settle`] books the true cost.
pub struct Hold {
    attempt: AttemptId,
    amount: NanoUsd,
    dispatched: bool,
    sink: Option<Arc<dyn HoldSink>>,
}

impl Hold {
    /// A hold that ends at `sink`.
    #[must_use]
    pub fn new(attempt: AttemptId, amount: NanoUsd, sink: Arc<dyn HoldSink>) -> Self {
        Self {
            attempt,
            amount,
            dispatched: false,
            sink: Some(sink),
        }
    }

    /// The amount held.
    #[must_use]
    pub fn amount(&self) -> NanoUsd {
        self.amount
    }

    /// Marks the attempt as sent: from now on a dropped hold is booked in full.
    pub fn dispatch(&mut self) {
        self.dispatched = true;
    }

    /// Books what the attempt cost and gives the rest back.
    pub fn settle(mut self, cost: NanoUsd, journalled: Option<JournalSeq>) {
        self.end(cost, journalled);
    }

    fn end(&mut self, cost: NanoUsd, journalled: Option<JournalSeq>) {
        if let Some(sink) = self.sink.take() {
            sink.settle(Settle {
                attempt: self.attempt,
                cost,
                journalled,
            });
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.dispatched {
            self.end(self.amount, None);
        } else if let Some(sink) = self.sink.take() {
            let attempt = self.attempt;
            sink.cancel(Cancel { attempt });
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold")
            .field("attempt", &self.attempt)
            .field("amount", &self.amount)
            .field("dispatched", &self.dispatched)
            .finish_non_exhaustive()
    }
}
