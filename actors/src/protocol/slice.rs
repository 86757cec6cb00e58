//! What a process may spend of each budget, in memory: read and taken from by every cell, filled and emptied by the
//! BudgetDirector alone.
//!
//! Everything here is a counter that threads share, as calls under way at a provider are: what one hold gives back the
//! next can have at once, in whichever cell it is. Nothing of it is lost when an actor panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use tokio::time::Instant;

use super::budget_book::BudgetEntry;
use super::ledger::{Charges, LeaseId};
use super::money::NanoUsd;
use super::scope::{Period, Scope};

/// Until when the slices of a lease may be spent from.
#[derive(Debug)]
pub struct LeaseTerm {
    lease: LeaseId,
    from: Instant,
    /// Microseconds after `from`.
    until: AtomicU64,
    /// The ledger does not answer: nothing is spent until it does.
    suspended: AtomicBool,
}

impl LeaseTerm {
    /// A term that lasts until then.
    #[must_use]
    pub fn new(lease: LeaseId, from: Instant, until: Instant) -> Self {
        let term = Self {
            lease,
            from,
            until: AtomicU64::new(0),
            suspended: AtomicBool::new(false),
        };
        term.extend(until);
        term
    }

    /// Whose it is.
    #[must_use]
    pub fn lease(&self) -> LeaseId {
        self.lease
    }

    /// Lets it last until then, if that is later.
    pub fn extend(&self, until: Instant) {
        let micros = until.saturating_duration_since(self.from).as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        self.until.fetch_max(micros, Ordering::AcqRel);
    }

    /// Ends it: nothing may be taken any more.
    pub fn end(&self) {
        self.until.store(0, Ordering::Release);
    }

    /// Suspends it while the ledger does not answer, or lets it go on.
    pub fn suspend(&self, suspended: bool) {
        self.suspended.store(suspended, Ordering::Release);
    }

    /// Whether its slices may be spent from.
    #[must_use]
    pub fn is_valid(&self, now: Instant) -> bool {
        if self.suspended.load(Ordering::Acquire) {
            return false;
        }
        let passed = now.saturating_duration_since(self.from).as_micros();
        u64::try_from(passed).is_ok_and(|passed| passed < self.until.load(Ordering::Acquire))
    }
}

/// What the process may spend of one budget in one period.
///
/// Of what was granted and not given back, a part is available, a part is held by calls under way, and the rest was
/// spent. What is available may be less than nothing after a call cost more than was held for it.
#[derive(Debug)]
pub struct Slice {
    scope: Scope,
    period: Period,
    /// When the period ends by this process's clock.
    ends: Option<Instant>,
    term: Arc<LeaseTerm>,
    available: AtomicI64,
    open: AtomicI64,
    takes: AtomicU64,
    granted: AtomicI64,
    returned: AtomicI64,
}

impl Slice {
    /// A slice of which nothing was granted yet.
    #[must_use]
    pub fn new(scope: Scope, period: Period, ends: Option<Instant>, term: Arc<LeaseTerm>) -> Self {
        Self {
            scope,
            period,
            ends,
            term,
            available: AtomicI64::new(0),
            open: AtomicI64::new(0),
            takes: AtomicU64::new(0),
            granted: AtomicI64::new(0),
            returned: AtomicI64::new(0),
        }
    }

    /// What it is of.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The period that it is for.
    #[must_use]
    pub fn period(&self) -> &Period {
        &self.period
    }

    /// The term of the lease that it belongs to.
    #[must_use]
    pub fn term(&self) -> &Arc<LeaseTerm> {
        &self.term
    }

    /// The lease that it belongs to.
    #[must_use]
    pub fn lease(&self) -> LeaseId {
        self.term.lease()
    }

    /// Whether it may be spent from: its lease lasts, and its period is not over.
    #[must_use]
    pub fn is_valid(&self, now: Instant) -> bool {
        self.term.is_valid(now) && !self.is_over(now)
    }

    /// Whether its period is over.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        self.ends.is_some_and(|ends| now >= ends)
    }

    /// What may be taken now.
    #[must_use]
    pub fn available(&self) -> NanoUsd {
        NanoUsd(self.available.load(Ordering::Acquire))
    }

    /// How many holds on it are open.
    #[must_use]
    pub fn open(&self) -> i64 {
        self.open.load(Ordering::Acquire)
    }

    /// How often something was taken.
    #[must_use]
    pub fn takes(&self) -> u64 {
        self.takes.load(Ordering::Acquire)
    }

    /// What was given back in all.
    #[must_use]
    pub fn returned(&self) -> NanoUsd {
        NanoUsd(self.returned.load(Ordering::Acquire))
    }

    /// What this process got of it and has not given back: what it may spend, holds, or has spent.
    #[must_use]
    pub fn had(&self) -> NanoUsd {
        NanoUsd(self.granted.load(Ordering::Acquire)) - self.returned()
    }

    /// Takes an amount, if it is there. It counts as an open hold before it is taken, so that who closes the slice and then
    /// finds nothing open knows that nothing will be.
    fn try_take(&self, amount: NanoUsd) -> bool {
        self.open.fetch_add(1, Ordering::AcqRel);
        let taken = self
            .available
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |available| {
                available.checked_sub(amount.0).filter(|left| *left >= 0)
            });
        if taken.is_err() {
            self.open.fetch_sub(1, Ordering::AcqRel);
            return false;
        }
        self.takes.fetch_add(1, Ordering::AcqRel);
        true
    }

    fn settle(&self, held: NanoUsd, cost: NanoUsd) {
        let rest = (held - cost).0;
        // Saturating, as all sums of money: a cost that no bill can have must not wrap round to a fortune.
        let _always = self
            .available
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |available| {
                Some(available.saturating_add(rest))
            });
        self.open.fetch_sub(1, Ordering::AcqRel);
    }

    /// Adds what was granted beyond what is known of; `granted` is what was granted in all.
    pub fn granted(&self, granted: NanoUsd) {
        let before = self.granted.fetch_max(granted.0, Ordering::AcqRel);
        let more = granted.0.saturating_sub(before).max(0);
        self.available.fetch_add(more, Ordering::AcqRel);
    }

    /// Lets nothing be taken any more, whoever has just found it to be valid.
    pub fn close(&self) {
        // Whatever is given back to it later is less than is missing.
        self.available.store(i64::MIN, Ordering::Release);
    }

    /// Takes out what is available, to be given back. Returns how much it was.
    pub fn drain(&self) -> NanoUsd {
        let drained = self
            .available
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |available| {
                (available > 0).then_some(0)
            });
        let drained = drained.unwrap_or(0).max(0);
        self.returned.fetch_add(drained, Ordering::AcqRel);
        NanoUsd(drained)
    }
}

/// A budget that has not enough in memory, and how much is missing.
#[derive(Debug, Clone)]
pub struct Shortage {
    /// The budget.
    pub entry: Arc<BudgetEntry>,
    /// What must be granted at least.
    pub missing: NanoUsd,
}

/// Money taken from slices. Dropped, it is given back.
#[derive(Debug)]
pub struct Reserved {
    amount: NanoUsd,
    slices: Vec<Arc<Slice>>,
}

impl Reserved {
    /// Nothing, for a call that costs nothing or that no budget has to pay for.
    #[must_use]
    pub fn nothing(amount: NanoUsd) -> Self {
        Self {
            amount,
            slices: Vec::new(),
        }
    }

    /// Takes an amount from every budget of the path, or from none of them.
    ///
    /// # Errors
    /// The budgets that have not enough in memory.
    pub fn take(path: &[Arc<BudgetEntry>], amount: NanoUsd, now: Instant) -> Result<Self, Vec<Shortage>> {
        let mut taken = Self {
            amount,
            slices: Vec::with_capacity(path.len()),
        };
        let mut short = Vec::new();
        let missing = |entry: &Arc<BudgetEntry>, missing| Shortage {
            entry: Arc::clone(entry),
            missing,
        };
        for entry in path.iter().filter(|entry| !entry.is_gone()) {
            let slice = entry.slice().filter(|slice| slice.is_valid(now));
            // All slices of a hold belong to one lease: the one before has just been lost otherwise.
            let of_one_lease = |slice: &Arc<Slice>| taken.slices.iter().all(|other| other.lease() == slice.lease());
            match slice {
                Some(slice) if of_one_lease(&slice) => {
                    if slice.try_take(amount) {
                        taken.slices.push(slice);
                    } else {
                        let lacks = amount - slice.available();
                        short.push(missing(entry, lacks.max(NanoUsd(1))));
                    }
                }
                _ => short.push(missing(entry, amount)),
            }
        }
        if short.is_empty() { Ok(taken) } else { Err(short) }
    }

    /// The amount.
    #[must_use]
    pub fn amount(&self) -> NanoUsd {
        self.amount
    }

    /// What a call that is paid with this is charged to; nothing if no budget pays.
    #[must_use]
    pub fn charges(&self) -> Option<Charges> {
        let first = self.slices.first()?;
        let to = self.slices.iter();
        Some(Charges {
            epoch: first.lease().epoch,
            to: to
                .map(|slice| (slice.scope.clone(), Arc::clone(&slice.period.id)))
                .collect(),
        })
    }

    /// Spends this much of it, perhaps more than it is, and gives the rest back.
    pub fn settle(mut self, cost: NanoUsd) {
        self.end(cost);
    }

    fn end(&mut self, cost: NanoUsd) {
        for slice in self.slices.drain(..) {
            slice.settle(self.amount, cost);
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.end(NanoUsd::ZERO);
    }
}
