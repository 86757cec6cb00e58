//! What dead processes left behind.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use gateway_actors::protocol::{AttemptId, CallRecord, InstanceId};

use super::frame::{Entry, Event};
use super::instance::{file_names, lock_owner, lock_path, segments_of, take_over};
use super::segment::{self, SegmentName};
use super::{JournalDir, JournalOpenError};

/// A process that died, and the attempts that the database may not have. While this exists no other process recovers
/// the same; dropping it without [`DeadInstance::discard`] leaves everything for the next start.
#[derive(Debug)]
pub struct DeadInstance {
    /// The process.
    pub instance: InstanceId,
    /// Its attempts, oldest first: the finished ones as they were recorded, the others as interrupted. Some of them may
    /// be in the database already.
    pub records: Vec<CallRecord>,
    files: Vec<LeftFile>,
    lock_path: PathBuf,
    _lock: File,
}

/// A file of a dead process.
#[derive(Debug)]
struct LeftFile {
    path: PathBuf,
    /// Some of it could not be read: kept aside for a person to look at.
    damaged: bool,
}

impl DeadInstance {
    /// Removes the files: call it when the database has the records. Files that could not be read whole are kept,
    /// renamed to end in `.bad`.
    ///
    /// # Errors
    /// When a file cannot be removed; the rest is left for the next start.
    pub fn discard(self) -> Result<(), JournalOpenError> {
        for file in &self.files {
            file.discard().map_err(JournalOpenError::at(&file.path))?;
        }
        ignore_missing(fs::remove_file(&self.lock_path)).map_err(JournalOpenError::at(&self.lock_path))
    }
}

impl LeftFile {
    fn discard(&self) -> io::Result<()> {
        if !self.damaged {
            return ignore_missing(fs::remove_file(&self.path));
        }
        let kept = self.path.with_extension("log.bad");
        tracing::warn!(kept = %kept.display(), "a damaged journal file is kept aside");
        ignore_missing(fs::rename(&self.path, kept))
    }
}

/// Finds the processes that died with files in the journal folder, and reads what they left. Processes that live, and
/// those that another process is recovering, are left alone.
///
/// # Errors
/// When the folder or a file in it cannot be read.
pub fn recover_dead(folder: &Path) -> Result<Vec<DeadInstance>, JournalOpenError> {
    let dir = folder.to_owned();
    let names = file_names(&dir).map_err(JournalOpenError::at(&dir))?;
    let instances: BTreeSet<InstanceId> = names
        .iter()
        .filter_map(|name| lock_owner(name).or_else(|| SegmentName::parse(name).map(|segment| segment.instance)))
        .collect();
    let mut dead = Vec::new();
    for instance in instances {
        let lock_path = lock_path(&dir, instance);
        let lock = take_over(&lock_path).map_err(JournalOpenError::at(&lock_path))?;
        if let Some(lock) = lock {
            dead.push(read_dead(&dir, instance, lock_path, lock)?);
        }
    }
    Ok(dead)
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

fn read_dead(
    dir: &Path,
    instance: InstanceId,
    lock_path: PathBuf,
    lock: File,
) -> Result<DeadInstance, JournalOpenError> {
    let mut attempts = Attempts::default();
    let mut files = Vec::new();
    for name in segments_of(dir, instance).map_err(JournalOpenError::at(dir))? {
        let path = name.path(dir);
        let decoded = segment::read(&path).map_err(JournalOpenError::at(&path))?;
        for entry in decoded.entries {
            attempts.add(entry);
        }
        files.push(LeftFile {
            path,
            damaged: decoded.damaged,
        });
    }
    Ok(DeadInstance {
        instance,
        records: attempts.into_records(),
        files,
        lock_path,
        _lock: lock,
    })
}

/// Attempts by id, in the order in which they were first seen.
#[derive(Debug, Default)]
struct Attempts {
    records: Vec<CallRecord>,
    places: HashMap<AttemptId, usize>,
}

impl Attempts {
    /// Notes what an entry says: the end of an attempt replaces its beginning, never the other way round.
    fn add(&mut self, entry: Entry) {
        let (record, has_ended) = match entry.event {
            Event::Dispatched(dispatch) => (CallRecord::interrupted(*dispatch), false),
            Event::Finished(record) => (*record, true),
        };
        let place = *self.places.entry(record.dispatch.attempt).or_insert(self.records.len());
        match self.records.get_mut(place) {
            Some(known) if has_ended => *known = record,
            Some(_) => {}
            None => self.records.push(record),
        }
    }

    fn into_records(self) -> Vec<CallRecord> {
        self.records
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
