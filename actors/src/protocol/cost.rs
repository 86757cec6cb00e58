//! Messages of the CostTracker, and the totals it publishes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use actix::Message;
use futures_util::future::LocalBoxFuture;

use super::journal::JournalSeq;
use super::money::NanoUsd;
use super::record::CallRecord;

/// Hands over a finished attempt (one way).
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct RecordCall {
    /// The finished attempt.
    pub record: Arc<CallRecord>,
    /// Where the journal holds it, if it could be written.
    pub journalled: Option<JournalSeq>,
}

/// Asks that everything recorded so far be written to the database; answered when it is, or could not be.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<tokio::sync::oneshot::Receiver<()>, CostError>")]
pub struct FlushCalls;

/// Asks whether every call that is charged to this lease of the process, and was handed over before, is in the database.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<bool, CostError>")]
pub struct AreStored {
    /// Which of the process's leases.
    pub epoch: u32,
}

/// Knows of all cells which calls are in the database.
pub trait StoredCalls: fmt::Debug + Send + Sync {
    /// Whether every call that is charged to this lease, and has ended, is there; not where it cannot be known.
    fn are_stored(&self, epoch: u32) -> LocalBoxFuture<'static, bool>;
}

/// Why the CostTracker cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    /// The CostTracker is being rebuilt.
    #[error("the cost tracker is restarting; try again")]
    Restarting,
}

/// Sums over the finished attempts of one cell since the process started.
///
/// Written by the cell's CostTracker alone, read by anybody.
#[derive(Debug, Default)]
pub struct CellTotals {
    calls: AtomicU64,
    failures: AtomicU64,
    input_tokens: AtomicU64,
    output_tokens: AtomicU64,
    cost: AtomicI64,
    counted: AtomicU64,
    unwritten: AtomicU64,
    left_behind: AtomicBool,
}

/// A copy of the totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Attempts, failed ones too.
    pub calls: u64,
    /// Attempts that produced no whole answer.
    pub failures: u64,
    /// Input tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// What they cost.
    pub cost: NanoUsd,
    /// The last journal entry that is in these totals.
    pub counted: JournalSeq,
    /// Records that the database does not hold yet.
    pub unwritten: u64,
}

impl Totals {
    /// Adds a finished attempt.
    pub fn add(&mut self, record: &CallRecord) {
        self.calls = self.calls.saturating_add(1);
        self.failures = self.failures.saturating_add(u64::from(!record.succeeded()));
        self.input_tokens = self.input_tokens.saturating_add(record.usage.input);
        self.output_tokens = self.output_tokens.saturating_add(record.usage.output);
        self.cost += record.cost;
    }

    /// Adds the totals of another cell; `counted` is of one cell only and stays.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            failures: self.failures.saturating_add(other.failures),
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cost: self.cost + other.cost,
            counted: self.counted,
            unwritten: self.unwritten.saturating_add(other.unwritten),
        }
    }
}

impl CellTotals {
    /// The totals as they were last published.
    #[must_use]
    pub fn load(&self) -> Totals {
        Totals {
            calls: self.calls.load(Ordering::Acquire),
            failures: self.failures.load(Ordering::Acquire),
            input_tokens: self.input_tokens.load(Ordering::Acquire),
            output_tokens: self.output_tokens.load(Ordering::Acquire),
            cost: NanoUsd(self.cost.load(Ordering::Acquire)),
            counted: JournalSeq(self.counted.load(Ordering::Acquire)),
            unwritten: self.unwritten.load(Ordering::Acquire),
        }
    }

    /// Notes that a record may reach the database at the next start only, or never.
    pub fn note_left_behind(&self) {
        self.left_behind.store(true, Ordering::Release);
    }

    /// Whether there may be such a record.
    #[must_use]
    pub fn has_left_behind(&self) -> bool {
        self.left_behind.load(Ordering::Acquire)
    }

    /// Publishes new totals.
    pub fn publish(&self, totals: Totals) {
        self.calls.store(totals.calls, Ordering::Release);
        self.failures.store(totals.failures, Ordering::Release);
        self.input_tokens.store(totals.input_tokens, Ordering::Release);
        self.output_tokens.store(totals.output_tokens, Ordering::Release);
        self.cost.store(totals.cost.0, Ordering::Release);
        self.counted.store(totals.counted.0, Ordering::Release);
        self.unwritten.store(totals.unwritten, Ordering::Release);
    }
}
