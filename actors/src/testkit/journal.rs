//! A journal in memory.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use crate::protocol::{
    AttemptId, AttemptJournal, CallRecord, DispatchRecord, JournalContents, JournalError, JournalSeq,
};

/// A journal in memory, which can be told to fail.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    open: HashMap<AttemptId, DispatchRecord>,
    finished: Vec<(JournalSeq, CallRecord)>,
    acknowledged: HashSet<AttemptId>,
    full: bool,
    read_back: usize,
}

impl MemoryJournal {
    /// Makes every append fail from now on, or work again.
    pub fn set_full(&self, full: bool) {
        self.state.borrow_mut().full = full;
    }

    /// How many finished attempts were read back with [`AttemptJournal::finished_after`] so far.
    #[must_use]
    pub fn read_back(&self) -> usize {
        self.state.borrow().read_back
    }

    /// Attempts that were sent and have no end yet.
    #[must_use]
    pub fn open_attempts(&self) -> usize {
        self.state.borrow().open.len()
    }
}

impl State {
    fn append(&mut self) -> Result<JournalSeq, JournalError> {
        if self.full {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(JournalError { source });
        }
        self.last += 1;
        Ok(JournalSeq(self.last))
    }
}

impl AttemptJournal for MemoryJournal {
    fn dispatched(&self, record: &DispatchRecord) -> Result<JournalSeq, JournalError> {
        let mut state = self.state.borrow_mut();
        let seq = state.append()?;
        state.open.insert(record.attempt, record.clone());
        Ok(seq)
    }

    fn finished(&self, record: &CallRecord) -> Result<JournalSeq, JournalError> {
        let mut state = self.state.borrow_mut();
        let seq = state.append()?;
        state.open.remove(&record.dispatch.attempt);
        state.finished.push((seq, record.clone()));
        Ok(seq)
    }

    fn acknowledge(&self, attempts: &[AttemptId]) {
        let mut state = self.state.borrow_mut();
        state.acknowledged.extend(attempts);
        let State {
            acknowledged, finished, ..
        } = &mut *state;
        finished.retain(|(_, record)| !acknowledged.contains(&record.dispatch.attempt));
        acknowledged.clear();
    }

    fn contents(&self) -> Result<JournalContents, JournalError> {
        let state = self.state.borrow();
        Ok(JournalContents {
            open: state.open.values().cloned().collect(),
            finished: state.finished.clone(),
            last: JournalSeq(state.last),
        })
    }

    fn finished_after(&self, after: JournalSeq, most: usize) -> Result<Vec<(JournalSeq, CallRecord)>, JournalError> {
        let mut state = self.state.borrow_mut();
        let finished = state.finished.iter().filter(|(seq, _)| *seq > after);
        let finished: Vec<_> = finished.take(most).cloned().collect();
        state.read_back += finished.len();
        Ok(finished)
    }
}
