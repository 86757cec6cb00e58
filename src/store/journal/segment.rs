//! One file of a journal.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gateway_actors::protocol::{CellId, InstanceId};

use super::super::migrate::private_file;
use super::frame::{self, Decoded};

/// What a segment's file name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentName {
    pub(super) instance: InstanceId,
    pub(super) cell: CellId,
    /// From 1; a cell's segments are read in this order.
    pub(super) number: u64,
}

impl SegmentName {
    /// The name of a file, if it is a segment's.
    pub(super) fn parse(file_name: &str) -> Option<Self> {
        let mut parts = file_name.strip_suffix(".log")?.splitn(3, '-');
        Some(Self {
            instance: parts.next()?.parse().ok()?,
            cell: CellId(parts.next()?.parse().ok()?),
            number: parts.next()?.parse().ok()?,
        })
    }

    /// The file's path in the journal folder.
    pub(super) fn path(&self, dir: &Path) -> PathBuf {
        dir.join(format!("{}-{}-{:08}.log", self.instance, self.cell, self.number))
    }
}

/// A segment that this process writes or has written.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    path: PathBuf,
    file: File,
    len: u64,
    /// Attempts with an entry in it that the journal may not forget yet.
    pub(super) needed: usize,
    /// The file ends in a broken entry that could not be cut off: nothing may follow it.
    broken: bool,
}

impl Segment {
    /// Creates the file, which must not exist.
    pub(super) fn create(dir: &Path, name: SegmentName) -> io::Result<Self> {
        let path = name.path(dir);
        let file = private_file().create_new(true).append(true).open(&path)?;
        Ok(Self {
            number: name.number,
            path,
            file,
            len: 0,
            needed: 0,
            broken: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Whether another entry may be appended.
    pub(super) fn is_sound(&self) -> bool {
        !self.broken
    }

    /// Appends a whole frame, or nothing: what a failed write left is cut off again.
    pub(super) fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(frame) {
            if let Err(error) = self.file.set_len(self.len) {
                self.broken = true;
                tracing::warn!(path = %self.path.display(), %error, "a partly written journal entry stays in its file");
            }
            return Err(error);
        }
        self.len = self.len.saturating_add(u64::try_from(frame.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Empties the file.
    pub(super) fn truncate(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.len = 0;
        self.broken = false;
        Ok(())
    }

    /// Removes the file.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// Reads a segment's entries, whoever wrote it.
pub(super) fn read(path: &Path) -> io::Result<Decoded> {
    let bytes = fs::read(path)?;
    let decoded = frame::decode(&bytes);
    if decoded.lost_bytes > 0 {
        tracing::warn!(
            path = %path.display(),
            entries = decoded.entries.len(),
            lost_bytes = decoded.lost_bytes,
            damaged = decoded.damaged,
            "a journal file ends in bytes that are no entry"
        );
    }
    Ok(decoded)
}
