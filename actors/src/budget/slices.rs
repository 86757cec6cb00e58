//! The slices of the process: those that are spent from, and those of earlier periods on which holds may be open.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::{BudgetBook, BudgetEntry, GiveBack, Holdings, LeaseId, NanoUsd, Recall, Scope, Slice};

/// What nobody takes from for so long is given back.
const IDLE: Duration = Duration::from_secs(1);

/// Every slice under the present lease.
#[derive(Debug)]
pub(super) struct Slices {
    all: Vec<Kept>,
    holdings: Arc<Holdings>,
    /// The ledger is being given something back: there is one such question at a time.
    giving: bool,
}

#[derive(Debug)]
struct Kept {
    slice: Arc<Slice>,
    /// It is not spent from any more.
    retired: bool,
    /// The ledger does not know yet what was taken out, or that a recall was heard.
    untold: bool,
    /// The last recall that was heard, and the last that was heeded.
    heard: i64,
    recall: i64,
    takes: u64,
    used: Instant,
}

impl Slices {
    /// The slices that an earlier director left.
    pub(super) fn of(book: &BudgetBook, now: Instant) -> Self {
        let holdings = Arc::clone(book.holdings());
        let is_spent_from = |slice: &Arc<Slice>| {
            let spent_from = book.get(slice.scope()).and_then(|entry| entry.slice());
            spent_from.is_some_and(|other| Arc::ptr_eq(&other, slice))
        };
        let left = holdings.slices.load_full();
        let all = left.iter().map(|slice| Kept {
            slice: Arc::clone(slice),
            retired: !is_spent_from(slice),
            // What it took out and could not tell.
            untold: true,
            heard: 0,
            recall: 0,
            takes: slice.takes(),
            used: now,
        });
        Self {
            all: all.collect(),
            holdings,
            giving: false,
        }
    }

    /// The slice of this period; a new one is kept, and not spent from yet.
    pub(super) fn find_or_keep(
        &mut self,
        scope: &Scope,
        period: &str,
        now: Instant,
        new: impl FnOnce() -> Slice,
    ) -> Arc<Slice> {
        if let Some(kept) = self.find(scope, period) {
            return Arc::clone(&kept.slice);
        }
        let slice = Arc::new(new());
        self.all.push(Kept {
            slice: Arc::clone(&slice),
            retired: true,
            untold: false,
            heard: 0,
            recall: 0,
            takes: slice.takes(),
            used: now,
        });
        self.note();
        slice
    }

    /// A slice is spent from now on.
    pub(super) fn spend_from(&mut self, slice: &Slice) {
        if let Some(kept) = self.find(slice.scope(), &slice.period().id) {
            kept.retired = false;
        }
    }

    /// A slice is not spent from any more.
    pub(super) fn retire(&mut self, slice: Option<Arc<Slice>>) {
        let Some(slice) = slice else { return };
        if let Some(kept) = self.find(slice.scope(), &slice.period().id) {
            kept.retired = true;
        }
    }

    /// Takes out what a budget has in stock.
    pub(super) fn take_out(&mut self, entry: &BudgetEntry) {
        for kept in self.all.iter_mut().filter(|kept| *kept.slice.scope() == entry.scope) {
            kept.take_out();
        }
    }

    /// Takes out what nobody has taken from for a while, or only what is not spent from any more; of which scopes. Forgets
    /// what nothing can come of any more.
    pub(super) fn take_out_idle(&mut self, only_retired: bool, now: Instant) -> Vec<Scope> {
        let mut idle = Vec::new();
        for kept in &mut self.all {
            let takes = kept.slice.takes();
            if takes != kept.takes {
                kept.takes = takes;
                kept.used = now;
            }
            let is_unused = now.saturating_duration_since(kept.used) >= IDLE;
            let is_idle = kept.retired || (is_unused && !only_retired);
            if is_idle && kept.take_out() > NanoUsd::ZERO {
                idle.push(kept.slice.scope().clone());
            }
        }
        // One whose period is not over may be spent from again, after two changes of a budget: what it was granted and
        // gave back must be known then.
        let before = self.all.len();
        self.all.retain(|kept| {
            !kept.slice.is_over(now) || kept.untold || kept.slice.open() > 0 || kept.slice.available().0 > 0
        });
        if self.all.len() != before {
            self.note();
        }
        idle
    }

    /// Another process wants what is not needed.
    pub(super) fn recall(&mut self, recall: &Recall) {
        if let Some(kept) = self.find(&recall.scope, &recall.period) {
            kept.heard = kept.heard.max(recall.number);
        }
    }

    /// Takes out what other processes want; whether there was anything to take out.
    pub(super) fn heed_recalls(&mut self) -> bool {
        let mut any = false;
        for kept in self.all.iter_mut().filter(|kept| kept.heard > kept.recall) {
            any |= kept.take_out() > NanoUsd::ZERO;
            kept.recall = kept.heard;
            kept.untold = true;
        }
        any
    }

    /// Whether something is held, or may be.
    pub(super) fn is_holding(&self) -> bool {
        let holds = |kept: &Kept| kept.untold || kept.slice.open() > 0 || kept.slice.available().0 > 0;
        self.all.iter().any(holds)
    }

    /// What the ledger is to be told now.
    pub(super) fn give_back_now(&mut self) -> Vec<GiveBack> {
        if self.giving {
            return Vec::new();
        }
        let untold = self.all.iter().filter(|kept| kept.untold);
        let parts: Vec<GiveBack> = untold.map(Kept::part).collect();
        self.giving = !parts.is_empty();
        parts
    }

    /// The ledger was told this.
    pub(super) fn given_back(&mut self, lease: LeaseId, parts: &[GiveBack]) {
        self.giving = false;
        for kept in self.all.iter_mut().filter(|kept| kept.slice.lease() == lease) {
            if parts.contains(&kept.part()) {
                kept.untold = false;
            }
        }
    }

    /// The ledger was not told: it is told later.
    pub(super) fn not_given_back(&mut self) {
        self.giving = false;
    }

    /// The lease has ended, and they with it: nothing can be taken from them any more. They may have open holds.
    pub(super) fn lose_all(&mut self) -> Vec<Arc<Slice>> {
        let lost: Vec<_> = self.all.drain(..).map(|kept| kept.slice).collect();
        lost.iter().for_each(|slice| slice.close());
        self.note();
        lost
    }

    /// Notes what there is for a director that comes after this one.
    fn note(&self) {
        let all = self.all.iter().map(|kept| Arc::clone(&kept.slice));
        self.holdings.slices.store(Arc::new(all.collect()));
    }

    fn find(&mut self, scope: &Scope, period: &str) -> Option<&mut Kept> {
        self.all.iter_mut().find(|kept| kept.is_of(scope, period))
    }
}

impl Kept {
    fn is_of(&self, scope: &Scope, period: &str) -> bool {
        self.slice.scope() == scope && *self.slice.period().id == *period
    }

    fn take_out(&mut self) -> NanoUsd {
        let taken = self.slice.drain();
        self.untold |= taken > NanoUsd::ZERO;
        taken
    }

    fn part(&self) -> GiveBack {
        GiveBack {
            scope: self.slice.scope().clone(),
            period: Arc::clone(&self.slice.period().id),
            returned: self.slice.returned(),
            recall: self.recall,
        }
    }
}
