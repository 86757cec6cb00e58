//! The backlog of call records and the totals over them.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::protocol::{AttemptId, CallRecord, CellTotals, JournalContents, RecordCall, Totals};

/// What a CostTracker decides from.
#[derive(Debug)]
pub(super) struct CostCore {
    limits: Limits,
    /// Finished, not yet in the database, oldest first; those being written are at the front.
    backlog: VecDeque<Arc<CallRecord>>,
    /// How many of the backlog's front are being written.
    writing: usize,
    /// Records were left to the journal because the backlog was full.
    spilled: bool,
    totals: Totals,
    published: Arc<CellTotals>,
}

/// How much is written at once and kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Records in one batch.
    pub(super) batch: usize,
    /// Records in memory; beyond it they are left to the journal.
    pub(super) backlog: usize,
}

impl CostCore {
    /// The state that the journal and the published totals amount to.
    pub(super) fn recover(limits: Limits, journal: JournalContents, published: Arc<CellTotals>) -> Self {
        let mut totals = published.load();
        for (seq, record) in &journal.finished {
            if *seq > totals.counted {
                totals.add(record);
            }
        }
        totals.counted = totals.counted.max(journal.last);
        let backlog = journal.finished.into_iter().map(|(_, record)| Arc::new(record));
        let mut core = Self {
            limits,
            backlog: backlog.collect(),
            writing: 0,
            spilled: false,
            totals,
            published,
        };
        core.publish();
        core
    }

    /// Counts a finished attempt and queues it for writing.
    pub(super) fn record(&mut self, call: RecordCall) {
        if call.journalled.is_some_and(|seq| seq <= self.totals.counted) {
            return;
        }
        self.totals.add(&call.record);
        self.totals.counted = call.journalled.unwrap_or(self.totals.counted);
        if self.backlog.len() < self.limits.backlog {
            self.backlog.push_back(call.record);
        } else {
            self.spilled = true;
        }
        self.publish();
    }

    /// Whether a whole batch waits.
    pub(super) fn has_full_batch(&self) -> bool {
        self.backlog.len() >= self.limits.batch
    }

    /// The next batch to write, unless one is being written or nothing waits.
    pub(super) fn next_batch(&mut self) -> Option<Vec<Arc<CallRecord>>> {
        if self.writing > 0 || self.backlog.is_empty() {
            return None;
        }
        let batch: Vec<_> = self.backlog.iter().take(self.limits.batch).cloned().collect();
        self.writing = batch.len();
        Some(batch)
    }

    /// The database holds these.
    pub(super) fn written(&mut self, attempts: &[AttemptId]) {
        self.writing = 0;
        let written: HashSet<&AttemptId> = attempts.iter().collect();
        self.backlog
            .retain(|record| !written.contains(&record.dispatch.attempt));
        self.publish();
    }

    /// The database did not take the batch: it stays where it is.
    pub(super) fn not_written(&mut self) {
        self.writing = 0;
    }

    /// Whether records wait in the journal only, and there is room for them again.
    pub(super) fn wants_spilled(&self) -> bool {
        self.spilled && self.backlog.is_empty()
    }

    /// Takes back what was left to the journal.
    pub(super) fn take_spilled(&mut self, journal: JournalContents) {
        let room = self.limits.backlog;
        self.spilled = journal.finished.len() > room;
        let records = journal.finished.into_iter().take(room);
        self.backlog = records.map(|(_, record)| Arc::new(record)).collect();
        self.publish();
    }

    /// Whether everything that was recorded is in the database.
    pub(super) fn is_settled(&self) -> bool {
        self.backlog.is_empty() && !self.spilled
    }

    fn publish(&mut self) {
        self.totals.unwritten = u64::try_from(self.backlog.len()).unwrap_or(u64::MAX);
        self.published.publish(self.totals);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testkit::call_record;
    use crate::protocol::{JournalSeq, NanoUsd, RequestId};

    const LIMITS: Limits = Limits { batch: 2, backlog: 3 };

    fn record(cost: i64) -> CallRecord {
        let request = RequestId::generate();
        call_record(AttemptId { request, ordinal: 1 }, 100, cost)
    }

    fn call(cost: i64, seq: u64) -> RecordCall {
        RecordCall {
            record: Arc::new(record(cost)),
            journalled: Some(JournalSeq(seq)),
        }
    }

    fn fresh() -> (CostCore, Arc<CellTotals>) {
        let published = Arc::new(CellTotals::default());
        let core = CostCore::recover(LIMITS, JournalContents::default(), Arc::clone(&published));
        (core, published)
    }

    fn ids(batch: &[Arc<CallRecord>]) -> Vec<AttemptId> {
        batch.iter().map(|record| record.dispatch.attempt).collect()
    }

    #[test]
    fn batches_are_written_one_at_a_time_and_in_order() {
        let (mut core, published) = fresh();
        for seq in 1..=3 {
            core.record(call(10, seq));
        }
        let first = core.next_batch().unwrap();
        assert_eq!(first.len(), 2);
        assert!(core.next_batch().is_none());
        core.not_written();
        assert_eq!(
            ids(&core.next_batch().unwrap()),
            ids(&first),
            "a batch that failed comes again"
        );
        core.written(&ids(&first));
        assert_eq!(published.load().unwritten, 1);
        let last = core.next_batch().unwrap();
        core.written(&ids(&last));
        assert!(core.is_settled());
        assert_eq!((published.load().calls, published.load().cost), (3, NanoUsd(30)));
    }

    #[test]
    fn a_rebuilt_core_counts_what_the_journal_has_once() {
        let (mut core, published) = fresh();
        let (counted, missed, waiting) = (record(1), record(2), call(4, 3));
        core.record(RecordCall {
            record: Arc::new(counted.clone()),
            journalled: Some(JournalSeq(1)),
        });
        let journal = JournalContents {
            open: Vec::new(),
            finished: vec![
                (JournalSeq(1), counted),
                (JournalSeq(2), missed),
                (JournalSeq(3), CallRecord::clone(&waiting.record)),
            ],
            last: JournalSeq(3),
        };
        let mut core = CostCore::recover(LIMITS, journal, Arc::clone(&published));
        assert_eq!((published.load().calls, published.load().cost), (3, NanoUsd(7)));
        core.record(waiting);
        assert_eq!(
            published.load().calls,
            3,
            "a message that waited in the mailbox is not counted again"
        );
        assert_eq!(published.load().unwritten, 3);
    }

    #[test]
    fn a_full_backlog_leaves_records_to_the_journal_and_takes_them_back() {
        let (mut core, published) = fresh();
        for seq in 1..=5 {
            core.record(call(1, seq));
        }
        assert_eq!((published.load().calls, published.load().unwritten), (5, 3));
        while let Some(batch) = core.next_batch() {
            core.written(&ids(&batch));
        }
        assert!(core.wants_spilled() && !core.is_settled());
        let journal = JournalContents {
            finished: vec![(JournalSeq(4), record(1)), (JournalSeq(5), record(1))],
            ..JournalContents::default()
        };
        core.take_spilled(journal);
        let batch = core.next_batch().unwrap();
        core.written(&ids(&batch));
        assert!(core.is_settled());
        assert_eq!(published.load().calls, 5);
    }
}
