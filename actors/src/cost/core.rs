//! The backlog of call records and the totals over them.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::protocol::{AttemptId, CallRecord, CellTotals, IdSet, JournalSeq, RecordCall, Totals};

/// How much of the journal is read back at once: enough that a file is not read often, little enough that the thread's
/// streams do not notice.
const BATCHES_IN_A_PASS: usize = 4;

/// What a CostTracker decides from.
#[derive(Debug)]
pub(super) struct CostCore {
    limits: Limits,
    /// Finished, not yet in the database, oldest first; those being written are at the front.
    backlog: VecDeque<Arc<CallRecord>>,
    /// How many of the backlog's front are being written.
    writing: usize,
    /// The last journal entry that was put into the backlog. What the journal holds beyond it waits there alone.
    taken: JournalSeq,
    /// Records were left to the journal because the backlog was full. Later ones follow them there, so that they come
    /// back in order.
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

/// Finished attempts from the journal, in its order.
pub(super) type FromJournal = Vec<(JournalSeq, CallRecord)>;

/// A part of what waits in the journal alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pass {
    /// It lies behind this place.
    pub(super) after: JournalSeq,
    /// It is at most this many records.
    pub(super) most: usize,
}

impl Limits {
    /// The part of the journal that is read back first, by a core that knows nothing of it.
    pub(super) fn first_pass(&self) -> Pass {
        Pass {
            after: JournalSeq::default(),
            most: self.backlog.min(self.batch.saturating_mul(BATCHES_IN_A_PASS)).max(1),
        }
    }
}

impl CostCore {
    /// The state that the published totals, the journal's records that they do not count yet, and the journal's first
    /// pass amount to.
    pub(super) fn recover(
        limits: Limits,
        uncounted: &FromJournal,
        first: FromJournal,
        published: Arc<CellTotals>,
    ) -> Self {
        let mut totals = published.load();
        for (seq, record) in uncounted {
            totals.add(record);
            totals.counted = totals.counted.max(*seq);
        }
        let mut core = Self {
            limits,
            backlog: VecDeque::new(),
            writing: 0,
            taken: JournalSeq::default(),
            spilled: false,
            totals,
            published,
        };
        core.take_spilled(limits.first_pass(), first);
        core
    }

    /// Counts a finished attempt and queues it for writing.
    pub(super) fn record(&mut self, call: RecordCall) {
        if call.journalled.is_some_and(|seq| seq <= self.totals.counted) {
            return;
        }
        if call.journalled.is_none() {
            // It is lost if this is rebuilt, or has no room.
            self.published.note_left_behind();
        }
        self.totals.add(&call.record);
        self.totals.counted = call.journalled.unwrap_or(self.totals.counted);
        let has_room = self.backlog.len() < self.limits.backlog;
        match call.journalled {
            // Taken back from the journal before the message about it came.
            Some(seq) if seq <= self.taken => {}
            Some(seq) if has_room && !self.spilled => {
                self.taken = seq;
                self.backlog.push_back(call.record);
            }
            Some(_) => self.spilled = true,
            None if has_room => self.backlog.push_back(call.record),
            // Neither the journal nor the database takes anything, and memory is not for the rest.
            None => {}
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
        let written: IdSet<&AttemptId> = attempts.iter().collect();
        self.backlog
            .retain(|record| !written.contains(&record.dispatch.attempt));
        self.publish();
    }

    /// The database did not take the batch: it stays where it is.
    pub(super) fn not_written(&mut self) {
        self.writing = 0;
    }

    /// What to read back next, if records wait in the journal only and there is room for them again.
    pub(super) fn wants_spilled(&self) -> Option<Pass> {
        let wanted = Pass {
            after: self.taken,
            ..self.limits.first_pass()
        };
        (self.spilled && self.backlog.is_empty()).then_some(wanted)
    }

    /// Takes back a part of what was left to the journal. One that is shorter than asked for was the last.
    pub(super) fn take_spilled(&mut self, pass: Pass, records: FromJournal) {
        self.spilled = records.len() >= pass.most;
        for (seq, record) in records {
            self.taken = self.taken.max(seq);
            self.backlog.push_back(Arc::new(record));
        }
        self.publish();
    }

    /// The journal cannot be read: what waits in it alone is left to the next start, and what comes goes its usual way.
    pub(super) fn leave_spilled(&mut self) {
        self.published.note_left_behind();
        self.spilled = false;
        self.taken = self.totals.counted;
    }

    /// Whether everything that was recorded is in the database.
    pub(super) fn is_settled(&self) -> bool {
        self.backlog.is_empty() && !self.spilled
    }

    /// Whether every record that is charged to this lease is in the database, as far as it can be known.
    pub(super) fn has_stored(&self, epoch: u32) -> bool {
        let is_of = |record: &Arc<CallRecord>| {
            let charges = record.dispatch.charges.as_deref();
            charges.is_some_and(|charges| charges.epoch == epoch)
        };
        !self.spilled && !self.published.has_left_behind() && !self.backlog.iter().any(is_of)
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
    use crate::protocol::{Charges, NanoUsd, RequestId};

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
        let core = CostCore::recover(LIMITS, &Vec::new(), Vec::new(), Arc::clone(&published));
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
        let journal = vec![
            (JournalSeq(1), counted),
            (JournalSeq(2), missed),
            (JournalSeq(3), CallRecord::clone(&waiting.record)),
        ];
        let uncounted = journal[1..].to_vec();
        let mut core = CostCore::recover(LIMITS, &uncounted, journal, Arc::clone(&published));
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
        let pass = core.wants_spilled().unwrap();
        assert_eq!((pass.after, core.is_settled()), (JournalSeq(3), false));
        core.take_spilled(pass, vec![(JournalSeq(4), record(1)), (JournalSeq(5), record(1))]);
        let batch = core.next_batch().unwrap();
        core.written(&ids(&batch));
        assert!(core.is_settled());
        assert_eq!(published.load().calls, 5);
    }

    #[test]
    fn what_comes_while_records_wait_in_the_journal_waits_behind_them() {
        let (mut core, published) = fresh();
        for seq in 1..=4 {
            core.record(call(1, seq));
        }
        let batch = core.next_batch().unwrap();
        core.written(&ids(&batch));
        core.record(call(1, 5));
        assert_eq!(published.load().unwritten, 1, "there is room, but 4 goes before 5");
        let batch = core.next_batch().unwrap();
        core.written(&ids(&batch));

        // 6 is in the journal already, the message about it still to come.
        let pass = core.wants_spilled().unwrap();
        let (fourth, fifth, sixth) = (record(1), record(1), call(1, 6));
        let of_sixth = CallRecord::clone(&sixth.record);
        core.take_spilled(
            pass,
            vec![
                (JournalSeq(4), fourth),
                (JournalSeq(5), fifth),
                (JournalSeq(6), of_sixth),
            ],
        );
        core.record(sixth);
        assert_eq!((published.load().calls, published.load().unwritten), (6, 3));
        for _ in 0..2 {
            let batch = core.next_batch().unwrap();
            core.written(&ids(&batch));
        }
        let pass = core.wants_spilled().unwrap();
        assert_eq!(pass.after, JournalSeq(6), "a whole pass may not have been the last");
        core.take_spilled(pass, Vec::new());
        core.record(call(1, 7));
        assert_eq!((published.load().calls, published.load().unwritten), (7, 1));
    }

    #[test]
    fn the_calls_of_a_lease_are_stored_once_none_of_them_waits_anywhere() {
        let charged = |seq: Option<u64>, epoch: u32| {
            let mut record = record(1);
            record.dispatch.charges = Some(Arc::new(Charges { epoch, to: Vec::new() }));
            RecordCall {
                record: Arc::new(record),
                journalled: seq.map(JournalSeq),
            }
        };
        let (mut core, _published) = fresh();
        assert!(core.has_stored(1));
        core.record(charged(Some(1), 1));
        core.record(charged(Some(2), 2));
        assert!(!core.has_stored(1) && core.has_stored(3));
        let batch = core.next_batch().unwrap();
        assert!(!core.has_stored(1), "it is only being written");
        core.written(&ids(&batch[..1]));
        assert!(core.has_stored(1) && !core.has_stored(2));
        for seq in 3..=6 {
            core.record(charged(Some(seq), 3));
        }
        assert!(!core.has_stored(1), "nobody knows what waits in the journal alone");
        // What no journal has may be lost by a panic.
        let (mut core, published) = fresh();
        core.record(charged(None, 1));
        let batch = core.next_batch().unwrap();
        core.written(&ids(&batch));
        assert!(!core.has_stored(1) && published.has_left_behind());
    }

    #[test]
    fn a_journal_that_cannot_be_read_keeps_nothing_new_from_the_database() {
        let (mut core, published) = fresh();
        for seq in 1..=5 {
            core.record(call(1, seq));
        }
        while let Some(batch) = core.next_batch() {
            core.written(&ids(&batch));
        }
        core.leave_spilled();
        core.record(call(1, 6));
        assert_eq!((published.load().calls, published.load().unwritten), (6, 1));
    }
}
