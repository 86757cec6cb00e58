//! Outcomes, and tests of earlier answers, that wait for the database.

use std::collections::VecDeque;
use std::sync::Arc;

use gateway_routing::ModelError;

use super::earlier::Waiting;
use crate::protocol::{LearningTotals, OutcomeRow, StoreError};

/// Outcomes in one batch.
const BATCH: usize = 256;
/// Outcomes in memory while the database is away; what comes then is dropped.
const MOST_WAITING: usize = 20_000;

/// What a LearningDirector decides from.
#[derive(Debug)]
pub(super) struct DirectorCore {
    waiting: VecDeque<OutcomeRow>,
    pub(super) tests: Waiting,
    is_writing: bool,
    totals: Arc<LearningTotals>,
    /// Whether the last look came to nothing.
    is_in_trouble: bool,
    /// The stored calibration that was told of as unreadable.
    unreadable: Option<Arc<str>>,
}

impl DirectorCore {
    pub(super) fn new(totals: Arc<LearningTotals>) -> Self {
        Self {
            waiting: VecDeque::new(),
            tests: Waiting::default(),
            is_writing: false,
            totals,
            is_in_trouble: false,
            unreadable: None,
        }
    }

    pub(super) fn note(&mut self, outcome: OutcomeRow) {
        if self.waiting.len() >= MOST_WAITING {
            self.totals.drop_some(1);
        } else {
            self.waiting.push_back(outcome);
        }
    }

    /// Says when the notebook cannot be read any more, and when it can again; not at every look.
    pub(super) fn note_trouble(&mut self, trouble: Option<&StoreError>) {
        match trouble {
            Some(error) if !self.is_in_trouble => {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::warn!(%error, cause, "what was learned cannot be read: what is known applies on");
            }
            None if self.is_in_trouble => tracing::info!("what was learned can be read again"),
            _ => {}
        }
        self.is_in_trouble = trouble.is_some();
    }

    /// Says once that a stored calibration cannot be applied.
    pub(super) fn note_unreadable(&mut self, id: &Arc<str>, error: &ModelError) {
        if self.unreadable.as_ref() != Some(id) {
            tracing::error!(calibration = &**id, %error, "the stored calibration does not fit this build: it does not apply");
            self.unreadable = Some(Arc::clone(id));
        }
    }

    pub(super) fn has_full_batch(&self) -> bool {
        !self.is_writing && self.waiting.len() >= BATCH
    }

    /// The oldest outcomes, unless others are being written.
    pub(super) fn next_batch(&mut self) -> Option<Vec<OutcomeRow>> {
        if self.is_writing || self.waiting.is_empty() {
            return None;
        }
        self.is_writing = true;
        let count = self.waiting.len().min(BATCH);
        Some(self.waiting.drain(..count).collect())
    }

    /// Whether everything that was told of is stored, or lost.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_writing && self.waiting.is_empty() && self.tests.is_empty()
    }

    pub(super) fn written(&mut self) {
        self.is_writing = false;
    }

    /// The batch is not in the database: it is tried again, or given up.
    pub(super) fn not_written(&mut self, batch: Vec<OutcomeRow>, again: bool) {
        self.is_writing = false;
        let room = match again {
            true => MOST_WAITING.saturating_sub(self.waiting.len()),
            false => 0,
        };
        let lost = batch.len().saturating_sub(room);
        self.totals.drop_some(u64::try_from(lost).unwrap_or(u64::MAX));
        // The oldest go first, as before; those that there is no room for are the newest of the batch.
        for outcome in batch.into_iter().take(room).rev() {
            self.waiting.push_front(outcome);
        }
    }
}

impl Drop for DirectorCore {
    /// What a panic throws away is counted.
    fn drop(&mut self) {
        self.totals
            .drop_some(u64::try_from(self.waiting.len()).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testkit::outcome;

    fn core() -> (DirectorCore, Arc<LearningTotals>) {
        let totals = Arc::<LearningTotals>::default();
        (DirectorCore::new(Arc::clone(&totals)), totals)
    }

    #[test]
    fn a_batch_that_was_not_written_goes_first_again() {
        let (mut core, totals) = core();
        let rows: Vec<OutcomeRow> = (0..BATCH + 1).map(|_| outcome()).collect();
        rows.iter().cloned().for_each(|row| core.note(row));
        assert!(core.has_full_batch());
        let batch = core.next_batch().unwrap();
        assert_eq!((batch.len(), core.next_batch()), (BATCH, None));
        core.not_written(batch, true);
        assert_eq!(core.next_batch().unwrap(), rows[..BATCH]);
        core.written();
        assert_eq!(core.next_batch().unwrap(), rows[BATCH..]);
        core.not_written(vec![outcome()], false);
        assert_eq!((totals.dropped(), core.next_batch()), (1, None));
    }

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let (mut core, totals) = core();
        let row = outcome();
        (0..MOST_WAITING + 3).for_each(|_| core.note(row.clone()));
        assert_eq!(totals.dropped(), 3);
        drop(core);
        assert_eq!(totals.dropped(), 3 + MOST_WAITING as u64);
    }
}
