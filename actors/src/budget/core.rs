//! Holds in memory, and the sums that are published from them.

use std::sync::Arc;

use crate::protocol::{AttemptId, BudgetTotals, IdMap, JournalContents, NanoUsd, Settle, Spending};

/// What a BudgetActor decides from.
#[derive(Debug)]
pub(super) struct BudgetCore {
    open: IdMap<AttemptId, NanoUsd>,
    spending: Spending,
    published: Arc<BudgetTotals>,
}

impl BudgetCore {
    /// The state that the journal and the published sums amount to.
    pub(super) fn recover(journal: &JournalContents, published: Arc<BudgetTotals>) -> Self {
        let last = published.load();
        let open: IdMap<_, _> = journal
            .open
            .iter()
            .map(|record| (record.attempt, record.held))
            .collect();
        let missed = journal.finished.iter().filter(|(seq, _)| *seq > last.counted);
        let spending = Spending {
            held: open.values().copied().sum(),
            spent: last.spent + missed.map(|(_, record)| record.cost).sum(),
            open: count(&open),
            counted: last.counted.max(journal.last),
        };
        published.publish(spending);
        Self {
            open,
            spending,
            published,
        }
    }

    /// Opens a hold.
    pub(super) fn reserve(&mut self, attempt: AttemptId, amount: NanoUsd) {
        let before = self.open.insert(attempt, amount).unwrap_or_default();
        self.spending.held += amount - before;
        self.publish();
    }

    /// Closes a hold and counts what the attempt cost. A settlement that the journal already gave is not counted
    /// again; one of a hold that is not known is counted all the same: the money was spent.
    pub(super) fn settle(&mut self, settle: &Settle) {
        let held = self.open.remove(&settle.attempt).unwrap_or_default();
        self.spending.held -= held;
        let is_new = settle.journalled.is_none_or(|seq| seq > self.spending.counted);
        if is_new {
            self.spending.spent += settle.cost;
            self.spending.counted = settle.journalled.unwrap_or(self.spending.counted);
        }
        self.publish();
    }

    /// Closes a hold whose attempt was never sent.
    pub(super) fn cancel(&mut self, attempt: AttemptId) {
        let held = self.open.remove(&attempt).unwrap_or_default();
        self.spending.held -= held;
        self.publish();
    }

    fn publish(&mut self) {
        self.spending.open = count(&self.open);
        self.published.publish(self.spending);
    }
}

fn count(open: &IdMap<AttemptId, NanoUsd>) -> u64 {
    u64::try_from(open.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testkit::{call_record, dispatch_record};
    use crate::protocol::{JournalSeq, RequestId};

    fn attempt(ordinal: u8) -> AttemptId {
        let request = RequestId::generate();
        AttemptId { request, ordinal }
    }

    fn settle(attempt: AttemptId, cost: i64, seq: u64) -> Settle {
        Settle {
            attempt,
            cost: NanoUsd(cost),
            journalled: Some(JournalSeq(seq)),
        }
    }

    #[test]
    fn holds_and_costs_add_up_and_come_back_to_zero() {
        let totals = Arc::new(BudgetTotals::default());
        let mut core = BudgetCore::recover(&JournalContents::default(), Arc::clone(&totals));
        let (one, other) = (attempt(1), attempt(2));
        core.reserve(one, NanoUsd(100));
        core.reserve(other, NanoUsd(50));
        assert_eq!((totals.load().held, totals.load().open), (NanoUsd(150), 2));
        core.settle(&settle(one, 30, 2));
        core.cancel(other);
        let last = totals.load();
        assert_eq!((last.held, last.spent, last.open), (NanoUsd(0), NanoUsd(30), 0));
    }

    #[test]
    fn a_settlement_that_comes_twice_is_counted_once() {
        let totals = Arc::new(BudgetTotals::default());
        let mut core = BudgetCore::recover(&JournalContents::default(), Arc::clone(&totals));
        let one = attempt(1);
        core.reserve(one, NanoUsd(100));
        for _ in 0..3 {
            core.settle(&settle(one, 30, 2));
        }
        assert_eq!(totals.load().spent, NanoUsd(30));
    }

    #[test]
    fn a_rebuilt_core_has_the_open_holds_and_misses_no_cost() {
        let totals = Arc::new(BudgetTotals::default());
        let mut core = BudgetCore::recover(&JournalContents::default(), Arc::clone(&totals));
        let counted = attempt(1);
        core.reserve(counted, NanoUsd(10));
        core.settle(&settle(counted, 7, 2));
        // The next settlement is journalled, but the actor panics on the message that tells of it.
        let (missed, open) = (attempt(1), attempt(1));
        let journal = JournalContents {
            open: vec![dispatch_record(open, 40)],
            finished: vec![
                (JournalSeq(2), call_record(counted, 10, 7)),
                (JournalSeq(4), call_record(missed, 20, 11)),
            ],
            last: JournalSeq(5),
        };
        let mut core = BudgetCore::recover(&journal, Arc::clone(&totals));
        let rebuilt = totals.load();
        assert_eq!(
            (rebuilt.spent, rebuilt.held, rebuilt.open),
            (NanoUsd(18), NanoUsd(40), 1)
        );
        core.settle(&settle(open, 40, 6));
        assert_eq!((totals.load().spent, totals.load().held), (NanoUsd(58), NanoUsd(0)));
    }
}
