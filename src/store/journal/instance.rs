//! A process's claim on its files: a lock that the operating system gives back when the process ends.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use gateway_actors::protocol::{CellId, InstanceId};
use tokio::time::Instant;

use super::super::files::{private_file, private_folder};
use super::boot;
use super::segment::SegmentName;
use super::{FileJournal, JournalLimits, JournalOpenError};

/// How often a lock is asked for that somebody has, and the time between: who only looks has it for microseconds.
const LOOKS: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// A check writes this much: a block of most file systems, so that a disk without a free one is noticed.
const CHECK_BYTES: usize = 4096;

/// So long after an entry could not be written the journal does not count as writable: on a disk that is full there is a
/// free block now and then, which the next calls fill.
const UNWELL: Duration = Duration::from_secs(2);

/// This process's place in the journal folder. Keep it for the life of the process; its journals keep it too.
#[derive(Debug, Clone)]
pub struct JournalDir {
    instance: Arc<InstanceLock>,
}

impl JournalDir {
    /// Claims a place for this process in the journal folder, which is created if it does not exist.
    ///
    /// # Errors
    /// When the folder or the lock file cannot be made.
    pub fn open(folder: &Path, instance: InstanceId) -> Result<Self, JournalOpenError> {
        let dir = folder.to_owned();
        private_folder(&dir).map_err(JournalOpenError::at(&dir))?;
        let path = lock_path(&dir, instance);
        let lock = claim(&path).map_err(JournalOpenError::at(&path))?;
        Ok(Self {
            instance: Arc::new(InstanceLock {
                id: instance,
                dir,
                lock,
                opened: Instant::now(),
                failed_ms: AtomicU64::new(0),
            }),
        })
    }

    /// Whether the claim of this process in the journal folder is still held, by itself or by whoever recovers it.
    ///
    /// # Errors
    /// When the lock file cannot be read.
    pub fn is_claimed(folder: &Path, instance: InstanceId) -> Result<bool, JournalOpenError> {
        let path = lock_path(folder, instance);
        let is_free = is_free(&path).map_err(JournalOpenError::at(&path))?;
        Ok(!is_free)
    }

    /// Whether the journal folder takes writes: no entry has just failed to be written, and this process's lock file takes a
    /// block, which is taken back.
    ///
    /// # Errors
    /// When it does not, for example since the disk is full.
    pub fn check(&self) -> io::Result<()> {
        self.instance.check()
    }

    /// Creates the journal of a cell. A cell has one journal for the life of the process.
    ///
    /// # Errors
    /// When the first file cannot be created, or the cell has a journal already.
    pub fn cell(&self, cell: CellId, limits: JournalLimits) -> Result<FileJournal, JournalOpenError> {
        FileJournal::create(Arc::clone(&self.instance), cell, limits)
    }
}

/// The lock that says that a process lives.
#[derive(Debug)]
pub(super) struct InstanceLock {
    id: InstanceId,
    dir: PathBuf,
    lock: File,
    opened: Instant,
    /// When an entry could not be written last, in milliseconds since it was opened; 0 if all were.
    failed_ms: AtomicU64,
}

impl InstanceLock {
    /// Notes that an entry could not be written.
    pub(super) fn note_failure(&self) {
        self.failed_ms.store(self.now_ms(), Ordering::Release);
    }

    /// From 1.
    fn now_ms(&self) -> u64 {
        let passed = self.opened.elapsed().as_millis();
        u64::try_from(passed).unwrap_or(u64::MAX).saturating_add(1)
    }

    pub(super) fn id(&self) -> InstanceId {
        self.id
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn check(&self) -> io::Result<()> {
        let mut lock = &self.lock;
        let written = lock.write_all(&[0; CHECK_BYTES]);
        let shortened = self.lock.set_len(boot::written().len().try_into().unwrap_or(0));
        written.and(shortened)?;
        let failed = self.failed_ms.load(Ordering::Acquire);
        if failed > 0 && u128::from(self.now_ms().saturating_sub(failed)) < UNWELL.as_millis() {
            return Err(io::Error::other("an entry could not be written a moment ago"));
        }
        Ok(())
    }
}

impl Drop for InstanceLock {
    /// Takes the lock file away if the process leaves nothing behind.
    fn drop(&mut self) {
        let leaves_nothing = segments_of(&self.dir, self.id).is_ok_and(|segments| segments.is_empty());
        if leaves_nothing {
            let path = lock_path(&self.dir, self.id);
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "a journal lock cannot be removed");
            }
        }
    }
}

pub(super) fn lock_path(dir: &Path, instance: InstanceId) -> PathBuf {
    dir.join(format!("{instance}.lock"))
}

/// The instance whose lock file has this name.
pub(super) fn lock_owner(file_name: &str) -> Option<InstanceId> {
    file_name.strip_suffix(".lock")?.parse().ok()
}

/// Makes a lock file that is locked before it has its name, so that nobody can take it for a dead process's, and that says
/// during which start of the machine its process lives.
fn claim(path: &Path) -> io::Result<File> {
    let unnamed = path.with_extension("claim");
    let lock = private_file().create_new(true).append(true).open(&unnamed)?;
    lock.try_lock().map_err(io::Error::from)?;
    // On a full disk the process lives without it, and what it leaves counts as not whole.
    if let Err(error) = (&lock).write_all(boot::written().as_bytes()) {
        tracing::warn!(path = %path.display(), %error, "the start of the machine cannot be noted beside the journal");
    }
    fs::rename(&unnamed, path)?;
    Ok(lock)
}

/// Takes the lock of a process if it is dead and nobody else is recovering it.
#[expect(
    clippy::disallowed_methods,
    reason = "at the start and the end of the process, on the main thread"
)]
pub(super) fn take_over(path: &Path) -> io::Result<Option<File>> {
    let lock = private_file().create(true).read(true).append(true).open(path)?;
    for _ in 0..LOOKS {
        match lock.try_lock() {
            Ok(()) => return Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => thread::sleep(BETWEEN_LOOKS),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether nobody holds a process's lock, or there is none. It is shared for a moment, in which [`take_over`] tries
/// again.
pub(super) fn is_free(path: &Path) -> io::Result<bool> {
    let lock = match File::open(path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The segments that an instance has in the folder, in the order in which they were written.
pub(super) fn segments_of(dir: &Path, instance: InstanceId) -> io::Result<Vec<SegmentName>> {
    let mut segments: Vec<_> = file_names(dir)?
        .iter()
        .filter_map(|name| SegmentName::parse(name))
        .filter(|segment| segment.instance == instance)
        .collect();
    segments.sort_unstable();
    Ok(segments)
}

/// The names of the files in the folder; none for a folder that does not exist.
pub(super) fn file_names(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_leaves_the_lock_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let instance = InstanceId::generate();
        let dir = JournalDir::open(folder.path(), instance).unwrap();
        for _ in 0..2 {
            dir.check().unwrap();
            let lock = fs::read_to_string(lock_path(folder.path(), instance)).unwrap();
            assert_eq!(lock, boot::written());
        }
    }

    #[test]
    fn a_full_disk_fails_the_check() {
        let folder = tempfile::tempdir().unwrap();
        let lock = InstanceLock {
            id: InstanceId::generate(),
            dir: folder.path().to_owned(),
            lock: File::options().write(true).open("/dev/full").unwrap(),
            opened: Instant::now(),
            failed_ms: AtomicU64::new(0),
        };
        assert_eq!(lock.check().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
