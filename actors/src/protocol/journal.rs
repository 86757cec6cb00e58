//! The port to a cell's journal: the append-only file that carries attempts across the death of the process.

use std::fmt;

use super::ids::AttemptId;
use super::record::{CallRecord, DispatchRecord};

/// A journal entry's place in its cell, from 1 and without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct JournalSeq(pub u64);

/// The journal could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the call journal cannot be written")]
pub struct JournalError {
    /// What the operating system said.
    #[source]
    pub source: std::io::Error,
}

/// What a journal still holds: everything that has not been acknowledged.
#[derive(Debug, Default)]
pub struct JournalContents {
    /// Attempts that were sent and have no end yet.
    pub open: Vec<DispatchRecord>,
    /// Finished attempts, oldest first.
    pub finished: Vec<(JournalSeq, CallRecord)>,
    /// The last entry's place.
    pub last: JournalSeq,
}

/// A cell's journal. Used by one thread only; every call is one short write to the page cache, which survives the
/// death of the process (not of the machine).
pub trait AttemptJournal: fmt::Debug {
    /// Notes that an attempt is about to be sent. Nothing may be sent to a provider before this returned.
    ///
    /// # Errors
    /// When the entry could not be written whole.
    fn dispatched(&self, record: &DispatchRecord) -> Result<JournalSeq, JournalError>;

    /// Notes how an attempt ended. The last byte goes to the client only after this returned.
    ///
    /// # Errors
    /// When the entry could not be written whole.
    fn finished(&self, record: &CallRecord) -> Result<JournalSeq, JournalError>;

    /// Says that the database holds these finished attempts, so that the journal may forget them.
    fn acknowledge(&self, attempts: &[AttemptId]);

    /// Reads back what has not been acknowledged, for rebuilding an actor.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn contents(&self) -> Result<JournalContents, JournalError>;

    /// Reads back finished attempts that have not been acknowledged and whose end lies behind this place, oldest first,
    /// at most so many of them. It reads no more than it must, so that a long journal can be read back in parts, each
    /// from the end of the one before.
    ///
    /// # Errors
    /// When a file cannot be read.
    fn finished_after(&self, after: JournalSeq, most: usize) -> Result<Vec<(JournalSeq, CallRecord)>, JournalError>;
}
