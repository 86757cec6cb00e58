//! What dead processes left behind.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::slice;

use gateway_actors::protocol::{AttemptId, CallRecord, DispatchRecord, InstanceId};

use super::boot;
use super::frame::Event;
use super::instance::{file_names, is_free, lock_owner, lock_path, segments_of, take_over};
use super::segment::{self, SegmentName};
use super::{JournalDir, JournalOpenError};

/// A process that died, and the files with the attempts that the database may not have. While this exists no other
/// process recovers the same; dropping it without [`DeadInstance::discard`] leaves everything for the next start.
#[derive(Debug)]
pub struct DeadInstance {
    /// The process.
    pub instance: InstanceId,
    files: Vec<LeftFile>,
    /// Whether the machine has not started again since, which may lose what was written last.
    is_of_this_boot: bool,
    lock_path: PathBuf,
    _lock: File,
}

/// A file of a dead process.
#[derive(Debug)]
struct LeftFile {
    path: PathBuf,
    found: Found,
}

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    NotRead,
    Whole,
    /// Some of it could not be read: kept aside for a person to look at.
    Damaged,
}

/// The attempts of a dead process, a file's worth at a time: see [`DeadInstance::records`].
#[derive(Debug)]
pub struct LeftRecords<'a> {
    files: slice::IterMut<'a, LeftFile>,
    /// Attempts whose end no file has told of so far.
    open: HashMap<AttemptId, DispatchRecord>,
}

impl DeadInstance {
    /// Reads its attempts, one file after another, so that no more than one file's are in memory: the finished ones as
    /// they were recorded; last of all those without an end, as interrupted. Some of them may be in the database already.
    ///
    /// An item is an error when its file cannot be read; nothing may be discarded then.
    pub fn records(&mut self) -> LeftRecords<'_> {
        LeftRecords {
            files: self.files.iter_mut(),
            open: HashMap::new(),
        }
    }

    /// How many files it left. Each holds a few thousand attempts.
    #[must_use]
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// Whether nothing is missing from the records: every file could be read to its end, and the machine has not started
    /// again since they were written. To be asked when they are read.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_of_this_boot && self.files.iter().all(|file| file.found == Found::Whole)
    }

    /// Removes the files that were read: call it when the database has all records. Files that could not be read whole
    /// are kept, renamed to end in `.bad`; files that were not read stay for the next start.
    ///
    /// # Errors
    /// When a file cannot be removed; the rest is left for the next start.
    pub fn discard(self) -> Result<(), JournalOpenError> {
        for file in &self.files {
            file.discard().map_err(JournalOpenError::at(&file.path))?;
        }
        if self.files.iter().any(|file| file.found == Found::NotRead) {
            return Ok(());
        }
        ignore_missing(fs::remove_file(&self.lock_path)).map_err(JournalOpenError::at(&self.lock_path))
    }
}

impl Iterator for LeftRecords<'_> {
    type Item = Result<Vec<CallRecord>, JournalOpenError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(file) = self.files.next() {
            return Some(file.read(&mut self.open));
        }
        let interrupted: Vec<_> = self
            .open
            .drain()
            .map(|(_, dispatch)| CallRecord::interrupted(dispatch))
            .collect();
        (!interrupted.is_empty()).then_some(Ok(interrupted))
    }
}

impl LeftFile {
    /// The attempts that ended in this file. Those that only began in it are `open` from here on.
    fn read(&mut self, open: &mut HashMap<AttemptId, DispatchRecord>) -> Result<Vec<CallRecord>, JournalOpenError> {
        let mut finished = Vec::new();
        let read = segment::read(&self.path, |entry| {
            match entry.event {
                Event::Dispatched(dispatch) => {
                    open.insert(dispatch.attempt, *dispatch);
                }
                Event::Finished(record) => {
                    open.remove(&record.dispatch.attempt);
                    finished.push(*record);
                }
            }
            ControlFlow::Continue(())
        });
        let damaged = read.map_err(JournalOpenError::at(&self.path))?;
        self.found = if damaged { Found::Damaged } else { Found::Whole };
        Ok(finished)
    }

    fn discard(&self) -> io::Result<()> {
        match self.found {
            Found::NotRead => Ok(()),
            Found::Whole => ignore_missing(fs::remove_file(&self.path)),
            Found::Damaged => {
                let kept = self.path.with_extension("log.bad");
                tracing::warn!(kept = %kept.display(), "a damaged journal file is kept aside");
                ignore_missing(fs::rename(&self.path, kept))
            }
        }
    }
}

/// Finds the processes that died with files in the journal folder, and claims what they left. Processes that live, and
/// those that another process is recovering, are left alone.
///
/// # Errors
/// When the folder or a lock in it cannot be read.
pub fn recover_dead(folder: &Path) -> Result<Vec<DeadInstance>, JournalOpenError> {
    let names = file_names(folder).map_err(JournalOpenError::at(folder))?;
    let instances: BTreeSet<InstanceId> = names
        .iter()
        .filter_map(|name| lock_owner(name).or_else(|| SegmentName::parse(name).map(|segment| segment.instance)))
        .collect();
    let mut dead = Vec::new();
    for instance in instances {
        let lock_path = lock_path(folder, instance);
        if let Some(lock) = take_over(&lock_path).map_err(JournalOpenError::at(&lock_path))? {
            let segments = segments_of(folder, instance).map_err(JournalOpenError::at(folder))?;
            let files = segments.iter().map(|name| LeftFile {
                path: name.path(folder),
                found: Found::NotRead,
            });
            dead.push(DeadInstance {
                instance,
                files: files.collect(),
                is_of_this_boot: boot::is_this(&lock).map_err(JournalOpenError::at(&lock_path))?,
                lock_path,
                _lock: lock,
            });
        }
    }
    Ok(dead)
}

/// How many attempts of dead processes are in the journal folder, some of which the database may have. Changes nothing
/// and claims nothing, so that the folder may be another database's, whose gateway may be starting.
///
/// # Errors
/// When the folder or a file in it cannot be read.
pub fn count_left(folder: &Path) -> Result<usize, JournalOpenError> {
    let names = file_names(folder).map_err(JournalOpenError::at(folder))?;
    let segments: BTreeSet<SegmentName> = names.iter().filter_map(|name| SegmentName::parse(name)).collect();
    let mut free = HashMap::new();
    let mut attempts = HashSet::new();
    for name in segments {
        let is_left = match free.get(&name.instance) {
            Some(&known) => known,
            None => {
                let path = lock_path(folder, name.instance);
                let found = is_free(&path).map_err(JournalOpenError::at(&path))?;
                free.insert(name.instance, found);
                found
            }
        };
        if is_left {
            let path = name.path(folder);
            let read = segment::read(&path, |entry| {
                attempts.insert(match entry.event {
                    Event::Dispatched(dispatch) => dispatch.attempt,
                    Event::Finished(record) => record.dispatch.attempt,
                });
                ControlFlow::Continue(())
            });
            // Its own gateway may have taken it meanwhile.
            ignore_missing(read.map(drop)).map_err(JournalOpenError::at(&path))?;
        }
    }
    Ok(attempts.len())
}

/// Whether a process, alive or dead, has its journal in this folder. Changes nothing.
///
/// # Errors
/// When the folder cannot be read.
pub fn holds_journal(folder: &Path) -> Result<bool, JournalOpenError> {
    let names = file_names(folder).map_err(JournalOpenError::at(folder))?;
    let is_part = |name: &String| lock_owner(name).is_some() || SegmentName::parse(name).is_some();
    Ok(names.iter().any(is_part))
}

/// Whether a process that lives has its journal in this folder.
///
/// # Errors
/// When the folder or a file in it cannot be read.
pub fn is_in_use(folder: &Path) -> Result<bool, JournalOpenError> {
    let names = file_names(folder).map_err(JournalOpenError::at(folder))?;
    for instance in names.iter().filter_map(|name| lock_owner(name)) {
        if JournalDir::is_claimed(folder, instance)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
