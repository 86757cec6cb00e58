//! One file of a journal.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use gateway_actors::protocol::{CellId, InstanceId, JournalSeq};

use super::super::files::private_file;
use super::frame::{Entries, Entry};

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
    /// The place of its last entry in the cell; 0 before the first.
    last: JournalSeq,
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
            last: JournalSeq::default(),
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

    /// The place of its last entry in the cell; 0 before the first.
    pub(super) fn last(&self) -> JournalSeq {
        self.last
    }

    /// Whether another entry may be appended.
    pub(super) fn is_sound(&self) -> bool {
        !self.broken
    }

    /// Appends the whole frame of the entry at this place, or nothing: what a failed write left is cut off again.
    pub(super) fn append(&mut self, seq: JournalSeq, frame: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(frame) {
            self.cut_back();
            return Err(error);
        }
        self.len = self.len.saturating_add(u64::try_from(frame.len()).unwrap_or(u64::MAX));
        self.last = seq;
        Ok(())
    }

    /// Cuts off whatever follows the last whole entry.
    fn cut_back(&mut self) {
        if let Err(error) = self.file.set_len(self.len) {
            self.broken = true;
            tracing::warn!(path = %self.path.display(), %error, "a partly written journal entry stays in its file");
        }
    }

    /// Makes every write fail as on a full disk.
    #[cfg(test)]
    pub(super) fn fill_disk(&mut self) {
        self.file = File::options().write(true).open("/dev/full").unwrap();
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

/// Passes a segment's entries on, whoever wrote it, until there are no more or `take` breaks off. Whether the file is
/// found damaged: what lies behind the damage is not read.
pub(super) fn read(path: &Path, mut take: impl FnMut(Entry) -> ControlFlow<()>) -> io::Result<bool> {
    let bytes = fs::read(path)?;
    let mut entries = Entries::of(&bytes);
    let mut taken = 0_usize;
    for entry in entries.by_ref() {
        taken += 1;
        if take(entry).is_break() {
            return Ok(false);
        }
    }
    if entries.lost_bytes() > 0 {
        tracing::warn!(
            path = %path.display(),
            entries = taken,
            lost_bytes = entries.lost_bytes(),
            damaged = entries.is_damaged(),
            "a journal file ends in bytes that are no entry"
        );
    }
    Ok(entries.is_damaged())
}

#[cfg(test)]
mod tests {
    use gateway_actors::testkit::samples::dispatch;

    use super::super::frame::{self, EntryRef, EventRef};
    use super::*;

    fn name(number: u64) -> SegmentName {
        SegmentName {
            instance: InstanceId::generate(),
            cell: CellId(12),
            number,
        }
    }

    #[test]
    fn file_names_say_whose_they_are() {
        let name = name(7);
        let path = name.path(Path::new("journal"));
        let file_name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(SegmentName::parse(file_name), Some(name));
        for other in [
            "",
            "x.log",
            "a-1-1.log",
            "notes.txt",
            &format!("{}-1.log", name.instance),
        ] {
            assert_eq!(SegmentName::parse(other), None, "{other}");
        }
        assert_eq!(SegmentName::parse(&format!("{file_name}.bad")), None);
    }

    #[test]
    fn a_partly_written_entry_is_cut_off_so_that_later_ones_stay_readable() {
        let dir = tempfile::tempdir().unwrap();
        let mut segment = Segment::create(dir.path(), name(1)).unwrap();
        let (record, mut buffer) = (dispatch(), Vec::new());
        for seq in 1..=2 {
            let event = EventRef::Dispatched(&record);
            frame::encode(&EntryRef(seq, event), &mut buffer).unwrap();
            segment.append(JournalSeq(seq), &buffer).unwrap();
            // What a full disk leaves of the next entry.
            segment.file.write_all(&buffer[..buffer.len() / 2]).unwrap();
            segment.cut_back();
        }
        let mut seqs = Vec::new();
        let damaged = read(segment.path(), |entry| {
            seqs.push(entry.seq);
            ControlFlow::Continue(())
        });
        assert!(!damaged.unwrap());
        assert_eq!(seqs, [1, 2]);
        assert_eq!(segment.len(), fs::metadata(segment.path()).unwrap().len());
        assert!(segment.is_sound());
    }

    #[test]
    fn a_segment_that_cannot_be_cut_back_takes_no_more_entries() {
        let dir = tempfile::tempdir().unwrap();
        let mut segment = Segment::create(dir.path(), name(1)).unwrap();
        segment.fill_disk();
        assert_eq!(
            segment.append(JournalSeq(1), b"x").unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
        assert!(!segment.is_sound());
    }
}
