//! Reading a journal back in parts, whatever was appended, forgotten and lost in between.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gateway_actors::protocol::{AttemptJournal, CallRecord, CellId, InstanceId, JournalSeq, NanoUsd, Outcome};
use gateway_actors::testkit::samples::{dispatch, finished};

use super::segment::SegmentName;
use super::{FileJournal, JournalDir, JournalLimits, recover_dead};
use crate::fuzz::{Rng, fuzz};

fn journal(folder: &Path, instance: InstanceId, segment_bytes: u64) -> FileJournal {
    let limits = JournalLimits {
        segment_bytes,
        truncate_above: 0,
    };
    let dir = JournalDir::open(folder, instance).unwrap();
    dir.cell(CellId(0), limits).unwrap()
}

#[test]
fn a_part_is_read_from_the_files_that_hold_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let instance = InstanceId::generate();
    // A file for every entry.
    let journal = journal(folder.path(), instance, 1);
    let ends: Vec<JournalSeq> = (0..10)
        .map(|_| {
            let record = dispatch();
            journal.dispatched(&record).unwrap();
            journal.finished(&finished(&record)).unwrap()
        })
        .collect();
    // What is behind the second end and up to the fifth.
    for number in (1..=ends[1].0).chain(ends[4].0 + 1..=ends[9].0) {
        let name = SegmentName {
            instance,
            cell: CellId(0),
            number,
        };
        fs::remove_file(name.path(folder.path())).unwrap();
    }
    let part = journal.finished_after(ends[1], 3).unwrap();
    let read: Vec<JournalSeq> = part.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(read, ends[2..5]);
    assert!(journal.finished_after(ends[1], 0).unwrap().is_empty());
    assert!(journal.finished_after(ends[1], 4).is_err(), "the next file is gone");
    assert!(journal.finished_after(ends[9], usize::MAX).unwrap().is_empty());
}

#[test]
fn behind_damage_in_a_file_the_next_file_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let instance = InstanceId::generate();
    let journal = journal(folder.path(), instance, 1);
    let records: Vec<CallRecord> = (0..3).map(|_| finished(&dispatch())).collect();
    for record in &records {
        journal.finished(record).unwrap();
    }
    let second = SegmentName {
        instance,
        cell: CellId(0),
        number: 2,
    };
    let path = second.path(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, bytes).unwrap();
    let read: Vec<CallRecord> = parts(&journal, 1).into_values().collect();
    assert_eq!(read, [records[0].clone(), records[2].clone()]);
}

/// Everything that has ended and is not acknowledged, read in parts of this size.
fn parts(journal: &FileJournal, size: usize) -> BTreeMap<JournalSeq, CallRecord> {
    let mut all = BTreeMap::new();
    let mut after = JournalSeq::default();
    loop {
        let part = journal.finished_after(after, size).unwrap();
        assert!(part.len() <= size);
        assert!(part.is_sorted_by(|one, next| one.0 < next.0));
        let is_last = part.len() < size;
        assert!(part.first().is_none_or(|(seq, _)| *seq > after));
        after = part.last().map_or(after, |(seq, _)| *seq);
        all.extend(part);
        if is_last {
            return all;
        }
    }
}

/// What a journal must hold, and what may be done to it.
#[derive(Default)]
struct Model {
    open: Vec<CallRecord>,
    finished: BTreeMap<JournalSeq, CallRecord>,
}

impl Model {
    fn change(&mut self, journal: &FileJournal, rng: &mut Rng) {
        match rng.u8(..10) {
            0..4 => {
                let mut record = finished(&dispatch());
                record.cost = NanoUsd(rng.i64(0..1_000));
                for _ in 0..rng.usize(1..=2) {
                    journal.dispatched(&record.dispatch).unwrap();
                }
                self.open.push(record);
            }
            4..7 if !self.open.is_empty() => {
                let record = self.open.swap_remove(rng.usize(..self.open.len()));
                let seq = journal.finished(&record).unwrap();
                self.finished.insert(seq, record);
            }
            7 => {
                // It could not be journalled when it began.
                let record = finished(&dispatch());
                let seq = journal.finished(&record).unwrap();
                self.finished.insert(seq, record);
            }
            8 if !self.finished.is_empty() => {
                // It ends once more.
                let which = rng.usize(..self.finished.len());
                let seq = *self.finished.keys().nth(which).unwrap();
                let record = self.finished.remove(&seq).unwrap();
                let again = journal.finished(&record).unwrap();
                self.finished.insert(again, record);
            }
            _ => {
                // What the database has is forgotten, mostly the oldest.
                let most = rng.usize(..=self.finished.len());
                let mut stored = Vec::new();
                for seq in self.finished.keys().copied().take(most).collect::<Vec<_>>() {
                    if rng.u8(..8) > 0 {
                        stored.extend(self.finished.remove(&seq).map(|record| record.dispatch.attempt));
                    }
                }
                journal.acknowledge(&stored);
            }
        }
    }
}

#[test]
fn journals_at_random_are_read_back_in_parts_and_after_a_kill_as_they_were_written() {
    fuzz("journal parts", |rng| {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path(), InstanceId::generate(), rng.u64(1..8_000));
        let mut model = Model::default();
        for _ in 0..rng.usize(1..60) {
            model.change(&journal, rng);
        }
        assert_eq!(parts(&journal, rng.usize(1..8)), model.finished);
        let mut open: Vec<_> = model.open.iter().map(|record| record.dispatch.clone()).collect();
        let mut read = journal.contents().unwrap().open;
        open.sort_by_key(|record| record.attempt.request.to_string());
        read.sort_by_key(|record| record.attempt.request.to_string());
        assert_eq!(read, open);

        // The files without their locks are what a killed process leaves.
        let left = tempfile::tempdir().unwrap();
        for file in fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), left.path().join(file.file_name())).unwrap();
        }
        let mut dead = recover_dead(left.path()).unwrap();
        let records: Vec<CallRecord> = dead
            .iter_mut()
            .flat_map(|dead| dead.records().flat_map(Result::unwrap).collect::<Vec<_>>())
            .collect();
        for record in model.finished.values() {
            assert!(records.contains(record), "{record:?} is not recovered");
        }
        for CallRecord { dispatch, .. } in &model.open {
            let interrupted =
                |record: &CallRecord| record.dispatch == *dispatch && record.outcome == Outcome::Interrupted;
            assert_eq!(records.iter().filter(|record| interrupted(record)).count(), 1);
        }
        for dead in dead {
            dead.discard().unwrap();
        }
        let kept: Vec<_> = fs::read_dir(left.path())
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        assert!(kept.is_empty(), "{kept:?}");
    });
}
