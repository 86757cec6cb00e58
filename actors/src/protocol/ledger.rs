//! The port to the ledger: budgets, and what was held and spent of them, in the database that all processes share.
//!
//! A process spends from **slices**: parts of a budget that the ledger counts as held by it. Amounts of a slice only ever
//! grow (`granted`, `returned`, `posted`), so that whatever is asked may be asked again. What a slice holds is
//! `granted - returned - posted`, and never less than nothing. The ledger never grants what would make a budget's
//! `posted + held` more than its limit. `posted` grows where call records are stored
//! ([`CallStore::insert_calls`](super::CallStore::insert_calls)), in the same transaction.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::InstanceId;
use super::layer::{Layer, UnknownWord, words};
use super::money::NanoUsd;
use super::scope::{Period, Scope, Window};
use super::store::StoreFuture;

words! {
    /// What happens to a paid call that a budget has not enough left for.
    OnExhausted {
        /// It is refused.
        Refuse = "refuse",
        /// Models that cost nothing are asked instead, if the caller leaves the choice to the gateway.
        FreeOnly = "free_only",
    }
}

/// What an administrator says of a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetRule {
    /// What may be spent in each period; with 0 nothing may.
    pub limit: NanoUsd,
    /// How long a period is.
    pub window: Window,
    /// What happens to a paid call that there is not enough left for.
    pub on_exhausted: OnExhausted,
    /// The dearest layer that may answer.
    pub max_layer: Option<Layer>,
    /// Parts of the limit, in percent, whose spending is told of once in each period: 1 to 100, ascending.
    pub alert_percents: Vec<u8>,
}

/// A budget as it is known to the processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// What it is for.
    pub scope: Scope,
    /// What holds for it; nothing if it was deleted.
    pub rule: Option<BudgetRule>,
}

/// Budgets that changed, and the place to ask from the next time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BudgetChanges {
    /// The budgets that changed.
    pub budgets: Vec<Budget>,
    /// What to ask from the next time.
    pub next: BudgetCursor,
    /// These are all budgets that there are: whoever knows another knows one that was deleted.
    pub complete: bool,
}

/// A place in the order in which budgets change; the default is before the first. Each change has a place behind all that
/// were durable before it, whatever the clocks say: who has seen one has seen all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct BudgetCursor(pub i64);

/// How a budget stands in the period that is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetStatus {
    /// What holds for it.
    pub rule: BudgetRule,
    /// The period.
    pub period: Period,
    /// What was spent, or must be taken to be.
    pub posted: NanoUsd,
    /// What slices hold.
    pub held: NanoUsd,
}

/// A process's claim on its slices, which it must renew. A process that lost one opens the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseId {
    /// The process.
    pub instance: InstanceId,
    /// Which of its leases, from 1.
    pub epoch: u32,
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.instance, self.epoch)
    }
}

/// Asks for more of a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRequest {
    /// The budget's scope.
    pub scope: Scope,
    /// The number of this question among those of the lease about this scope, from 1. The same number gets the same
    /// answer: a question is asked again with it when its answer was lost, and the next one has the next.
    pub seq: u64,
    /// Less than this is of no use.
    pub least: NanoUsd,
    /// This much would be good, if there is plenty: at least `least`.
    pub wish: NanoUsd,
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// The slice has become larger.
    Granted {
        /// The period whose slice it is: the one that is now.
        period: Period,
        /// By how much: at least what was wanted.
        amount: NanoUsd,
        /// What the slice was granted in all.
        granted: NanoUsd,
        /// The database's time, in microseconds since 1970 (UTC).
        now: i64,
    },
    /// There is not enough left.
    Short {
        /// The period that is now.
        period: Period,
        /// What could be granted.
        left: NanoUsd,
        /// Whether other processes hold something and were asked to give back what they can, but have not all heard of
        /// it: asking again may help.
        recalling: bool,
        /// The database's time, in microseconds since 1970 (UTC).
        now: i64,
    },
    /// The scope has no budget any more.
    NoBudget,
    /// The lease has ended: all its slices are gone.
    LeaseLost,
}

/// Gives back a part of a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiveBack {
    /// The budget's scope.
    pub scope: Scope,
    /// The period of the slice.
    pub period: Arc<str>,
    /// What was given back in all, this included.
    pub returned: NanoUsd,
    /// The last recall that was heard of, and is answered by this.
    pub recall: i64,
}

/// Other processes want what this one does not need of a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recall {
    /// The budget's scope.
    pub scope: Scope,
    /// The period of the slice.
    pub period: Arc<str>,
    /// The recall's number, to answer it by.
    pub number: i64,
}

/// What calls are charged to: the slices that their money comes from. Part of each call record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charges {
    /// Which of the process's leases the slices belong to.
    pub epoch: u32,
    /// The budgets, each with its period.
    pub to: Vec<(Scope, Arc<str>)>,
}

/// A lease that ended while slices held something: it was posted in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiredSlice {
    /// The lease.
    pub lease: LeaseId,
    /// The budget's scope.
    pub scope: Scope,
    /// The period.
    pub period: Arc<str>,
    /// What was posted.
    pub posted: NanoUsd,
}

/// The budgets in the database.
pub trait BudgetStore: fmt::Debug + Send + Sync {
    /// The budgets that were set or deleted behind this place; from the first, all that there are.
    fn budget_changes(&self, from: BudgetCursor) -> StoreFuture<BudgetChanges>;

    /// Sets a budget. One whose period is new begins with what the call records of that period show. Durable when ready.
    fn set_budget(&self, scope: Scope, rule: BudgetRule) -> StoreFuture<BudgetStatus>;

    /// Counts once more what the call records of the budget's present period show, and posts what of it is not in the
    /// books yet: records that were stored after the budget was set, of calls that nobody knew it had to pay for. How it
    /// stands then; nothing if the scope has none. Done twice it changes nothing more.
    fn recount(&self, scope: Scope) -> StoreFuture<Option<BudgetStatus>>;

    /// Deletes a budget; whether there was one. Its periods stay in the books, and slices of it may still be settled.
    fn delete_budget(&self, scope: Scope) -> StoreFuture<bool>;

    /// How a budget stands; nothing if the scope has none.
    fn budget(&self, scope: Scope) -> StoreFuture<Option<BudgetStatus>>;
}

/// The ledger in the database: what processes hold of budgets.
pub trait LedgerStore: BudgetStore {
    /// Opens the process's next lease, which lasts this long unless it is renewed.
    fn open_lease(&self, instance: InstanceId, ttl: Duration) -> StoreFuture<LeaseId>;

    /// Lets a lease last this long from now. `false` when it has ended: its slices are gone.
    fn renew_lease(&self, lease: LeaseId, ttl: Duration) -> StoreFuture<bool>;

    /// Ends the leases of all processes that ran out `grace` ago or earlier. What their slices hold is posted in full.
    fn expire_leases(&self, grace: Duration) -> StoreFuture<Vec<ExpiredSlice>>;

    /// Ends all leases of processes that are known to be dead, and whose call records are all stored: what their slices
    /// hold is free again, and what an expiry posted without need is taken back.
    fn end_leases_of(&self, instances: Vec<InstanceId>) -> StoreFuture<()>;

    /// Ends one lease of a process that goes on, under another one, if all call records that are charged to this one are
    /// stored: what is said of [`end_leases_of`](Self::end_leases_of) holds for its slices.
    fn end_lease(&self, lease: LeaseId) -> StoreFuture<()>;

    /// Grants more of some budgets, each at most once in the list; the answers are in its order.
    fn grant(&self, lease: LeaseId, wanted: Vec<GrantRequest>) -> StoreFuture<Vec<Grant>>;

    /// Takes back parts of slices. Of a lease that has ended nothing is taken.
    fn give_back(&self, lease: LeaseId, parts: Vec<GiveBack>) -> StoreFuture<()>;

    /// The recalls that the slices of this lease have not answered yet.
    fn recalls(&self, lease: LeaseId) -> StoreFuture<Vec<Recall>>;
}
