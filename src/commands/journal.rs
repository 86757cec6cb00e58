//! `ai-mcp-gateway migrate --journal FOLDER`.

use std::path::{Path, PathBuf};

use crate::config::Settings;
use crate::startup::{self, ServeError};
use crate::store::{JournalOpenError, holds_journal, is_in_use};

/// Why a journal was not brought in. What is not in the database by then is still in the journal.
#[derive(Debug, thiserror::Error)]
pub enum BringInError {
    /// There is nothing to bring in.
    #[error("there is no journal in {}: give the folder that a gateway's warning names, below journal/", .0.display())]
    NoJournal(PathBuf),
    /// A process that lives has its journal there.
    #[error("a gateway is running with its journal in {}: it stores its records itself, or stop it first", .0.display())]
    InUse(PathBuf),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalOpenError),
    /// The database did not open, or did not take the records.
    #[error(transparent)]
    Recovery(#[from] ServeError),
}

impl BringInError {
    /// The exit code, after `sysexits.h`.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoJournal(_) => 64,
            Self::InUse(_) | Self::Journal(_) => 69,
            Self::Recovery(error) => error.exit_code(),
        }
    }
}

/// Stores in the settings' database what dead processes left in this journal folder, whatever database it was for, and
/// then removes it from the folder. The answer is how many call records that were; those which the database has already
/// count too, and stay as they are there. Stopped at any point it can be run again. Blocks.
///
/// # Errors
/// When a process that lives has its journal in the folder, there is no journal in it, or the database refuses. In the
/// first two cases the database was not opened, so that it is neither made nor upgraded.
pub fn bring_in(settings: &Settings, folder: &Path) -> Result<usize, BringInError> {
    if !folder.is_dir() || !holds_journal(folder)? {
        return Err(BringInError::NoJournal(folder.to_owned()));
    }
    if is_in_use(folder)? {
        return Err(BringInError::InUse(folder.to_owned()));
    }
    let store = startup::open_store(settings).map_err(ServeError::from)?;
    let recovered = startup::recover_until(&store, folder, None, None);
    store.shutdown(startup::STORE_SHUTDOWN);
    match recovered? {
        recovered if recovered.processes == 0 => Err(BringInError::NoJournal(folder.to_owned())),
        recovered => Ok(recovered.records),
    }
}
