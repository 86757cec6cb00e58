//! What is done to the books as a whole: proving them, and applying corrected prices.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{NanoUsd, Price, StoreFuture};

/// How long a job on the books may take: it reads every call record.
pub(super) const BOOKS_LIMIT: Duration = Duration::from_secs(900);

/// Something that the books do not agree about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which check found it, for example `ledger_posted`.
    pub check: &'static str,
    /// What it is about: a scope and its period, a slice, a lease or a record.
    pub what: String,
    /// What it should be, in nano-USD where it is money.
    pub expected: i64,
    /// What it is.
    pub found: i64,
}

/// What an audit looked at and found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// Scopes, each in one period, that were looked at.
    pub accounts: usize,
    /// Call records that were.
    pub records: i64,
    /// What all call records cost.
    pub recorded: NanoUsd,
    /// What the books do not agree about; nothing if they balance.
    pub differences: Vec<Difference>,
}

/// Which call records get the present price.
#[derive(Debug, Clone)]
pub struct Repricing {
    /// Those sent then or later, in microseconds since 1970 (UTC).
    pub since: i64,
    /// Those sent before then.
    pub until: Option<i64>,
    /// The present prices by the model's id. Records of other models stay as they are.
    pub prices: Arc<HashMap<String, Price>>,
    /// Whether anything is written.
    pub dry_run: bool,
}

/// What came of a batch of records, or of several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repriced {
    /// Records that were looked at.
    pub looked_at: u64,
    /// Those whose price was another: they have the present one now.
    pub repriced: u64,
    /// Those that cost what was held, since nobody knows what they used: they stay as they are.
    pub kept: u64,
    /// What the repriced ones cost before.
    pub before: NanoUsd,
    /// What they cost now.
    pub after: NanoUsd,
    /// Models without a present price whose records were seen and left as they are.
    pub unpriced: BTreeSet<String>,
    /// Changes of what was spent of budgets: scope and period, and by how much.
    pub budgets: Vec<(String, String, NanoUsd)>,
}

impl Repriced {
    /// Both together, the changes of a budget added up.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for (scope, period, by) in other.budgets {
            let same = self
                .budgets
                .iter_mut()
                .find(|(known, of, _)| *known == scope && *of == period);
            match same {
                Some((_, _, sum)) => *sum += by,
                None => self.budgets.push((scope, period, by)),
            }
        }
        self.unpriced.extend(other.unpriced);
        Self {
            looked_at: self.looked_at + other.looked_at,
            repriced: self.repriced + other.repriced,
            kept: self.kept + other.kept,
            before: self.before + other.before,
            after: self.after + other.after,
            ..self
        }
    }
}

/// What each database does to the books.
pub(super) trait Books: fmt::Debug + Send + Sync {
    /// Proves the books, as of one moment.
    fn audit(&self) -> StoreFuture<Audit>;

    /// Removes a batch of slices of budgets that nothing can come of any more, and has not for so long; how many they
    /// were. Fewer than [`PURGE_BATCH`](gateway_actors::protocol::PURGE_BATCH): none is left.
    fn purge_slices(&self, kept: Duration) -> StoreFuture<usize>;

    /// The same of leases that have ended and have no slice any more.
    fn purge_leases(&self, kept: Duration) -> StoreFuture<usize>;

    /// The same of events that are so old, except those of budgets whose period never ends.
    fn purge_events(&self, kept: Duration) -> StoreFuture<usize>;

    /// The same of offers that ended so long ago.
    fn purge_offers(&self, kept: Duration) -> StoreFuture<usize>;

    /// The same of outcomes that are so old.
    fn purge_outcomes(&self, kept: Duration) -> StoreFuture<usize>;

    /// Reprices the batch of records behind this attempt, in one transaction; the last attempt looked at, or nothing when
    /// there are no more.
    fn reprice(&self, repricing: Repricing, behind: Option<String>) -> StoreFuture<(Repriced, Option<String>)>;
}
