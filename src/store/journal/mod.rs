//! The journal: append-only files that carry attempts across the death of the process.
//!
//! Every cell appends to its own segment files, `<instance>-<cell>-<number>.log` in the journal folder, through a
//! [`FileJournal`]. A process holds the lock of `<instance>.lock` for its life; the lock ends with the process however
//! it ends, which is how the next one ([`recover_dead`]) tells the files of the dead from those of a living neighbour.

mod boot;
mod end;
mod file;
mod frame;
mod instance;
mod json;
#[cfg(test)]
mod reading_tests;
mod recover;
mod segment;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use file::FileJournal;
pub use instance::JournalDir;
pub use recover::{DeadInstance, LeftRecords, count_left, holds_journal, is_in_use, recover_dead};

/// How large a journal's files may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalLimits {
    /// A segment that has reached this many bytes is followed by a new one. Default 4 MiB.
    pub segment_bytes: u64,
    /// A segment larger than this many bytes is emptied once nothing in it is needed. Default 64 KiB.
    pub truncate_above: u64,
}

impl Default for JournalLimits {
    fn default() -> Self {
        Self {
            segment_bytes: 4 * 1024 * 1024,
            truncate_above: 64 * 1024,
        }
    }
}

/// The journal folder or a file in it cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the journal at {}: check that it exists, may be written and has space left", path.display())]
pub struct JournalOpenError {
    /// The folder or file.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub source: std::io::Error,
}

impl JournalOpenError {
    fn at(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self { path, source }
    }
}
