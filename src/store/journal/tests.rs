//! Journals through their ports, and recovery after the death of a process.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway_actors::protocol::{
    AttemptId, AttemptJournal, CallRecord, CellId, DispatchRecord, InstanceId, JournalSeq, Outcome,
};
use gateway_actors::testkit::samples::{dispatch, finished};
use tempfile::TempDir;

use super::{DeadInstance, FileJournal, JournalDir, JournalLimits, count_left, recover_dead};

struct Process {
    data: TempDir,
    dir: JournalDir,
    instance: InstanceId,
}

impl Process {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let instance = InstanceId::generate();
        let dir = JournalDir::open(data.path(), instance).unwrap();
        Self { data, dir, instance }
    }

    fn cell(&self, cell: u16) -> FileJournal {
        self.dir.cell(CellId(cell), JournalLimits::default()).unwrap()
    }

    /// A journal with a segment for every entry.
    fn small(&self, cell: u16) -> FileJournal {
        let limits = JournalLimits {
            segment_bytes: 1,
            truncate_above: 0,
        };
        self.dir.cell(CellId(cell), limits).unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        files(self.data.path())
    }

    /// The journal folder as it would be found if the process were killed now: the files, without their locks.
    fn killed(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        for file in fs::read_dir(self.data.path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        copy
    }
}

/// The segments in a journal folder, in order.
fn files(data: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(data)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    files.sort();
    files
}

/// Journals an attempt from its beginning to its end.
fn attempt(journal: &FileJournal) -> DispatchRecord {
    let record = dispatch();
    journal.dispatched(&record).unwrap();
    journal.finished(&finished(&record)).unwrap();
    record
}

fn records(dead: &mut DeadInstance) -> Vec<CallRecord> {
    dead.records().flat_map(Result::unwrap).collect()
}

fn open_attempts(journal: &FileJournal) -> Vec<AttemptId> {
    let contents = journal.contents().unwrap();
    contents.open.iter().map(|record| record.attempt).collect()
}

fn ended_attempts(journal: &FileJournal) -> Vec<(JournalSeq, AttemptId)> {
    let contents = journal.contents().unwrap();
    contents
        .finished
        .iter()
        .map(|(seq, record)| (*seq, record.dispatch.attempt))
        .collect()
}

#[test]
fn what_is_not_acknowledged_is_read_back() {
    let process = Process::start();
    let journal = process.cell(0);
    let (ends, stays_open) = (dispatch(), dispatch());
    assert_eq!(journal.dispatched(&ends).unwrap(), JournalSeq(1));
    assert_eq!(journal.dispatched(&stays_open).unwrap(), JournalSeq(2));
    assert_eq!(journal.finished(&finished(&ends)).unwrap(), JournalSeq(3));
    assert_eq!(open_attempts(&journal), [stays_open.attempt]);
    assert_eq!(ended_attempts(&journal), [(JournalSeq(3), ends.attempt)]);
    assert_eq!(journal.contents().unwrap().last, JournalSeq(3));

    journal.acknowledge(&[ends.attempt, stays_open.attempt]);
    assert_eq!(
        open_attempts(&journal),
        [stays_open.attempt],
        "an attempt without an end is kept"
    );
    assert_eq!(ended_attempts(&journal), []);
    assert_eq!(journal.contents().unwrap().last, JournalSeq(3));
}

#[test]
fn a_file_is_emptied_once_everything_in_it_is_acknowledged_and_it_is_worth_it() {
    let process = Process::start();
    let journal = process.cell(0);
    let len = || fs::metadata(&process.files()[0]).unwrap().len();
    let mut acknowledged_small = false;
    loop {
        let record = attempt(&journal);
        let before = len();
        journal.acknowledge(&[record.attempt]);
        if before > JournalLimits::default().truncate_above {
            break;
        }
        acknowledged_small = true;
        assert_eq!(len(), before, "a small file is not worth it");
    }
    assert!(acknowledged_small);
    assert_eq!(len(), 0);

    let after = dispatch();
    journal.dispatched(&after).unwrap();
    assert_eq!(open_attempts(&journal), [after.attempt]);
}

#[test]
fn full_segments_are_followed_by_new_ones_and_deleted_when_nothing_in_them_is_needed() {
    let process = Process::start();
    let journal = process.small(0);
    let records: Vec<DispatchRecord> = (0..4).map(|_| dispatch()).collect();
    for record in &records {
        journal.dispatched(record).unwrap();
    }
    for record in records.iter().rev() {
        journal.finished(&finished(record)).unwrap();
    }
    assert_eq!(process.files().len(), 8);
    assert_eq!(ended_attempts(&journal).len(), 4);

    // The first attempt has the first and the last segment, the others lie between.
    for record in &records[1..] {
        journal.acknowledge(&[record.attempt]);
    }
    assert_eq!(process.files().len(), 2);
    assert_eq!(ended_attempts(&journal), [(JournalSeq(8), records[0].attempt)]);
    journal.acknowledge(&[records[0].attempt]);
    assert_eq!(process.files().len(), 1);
    assert_eq!(fs::metadata(&process.files()[0]).unwrap().len(), 0);
}

#[test]
fn an_attempt_that_ends_twice_keeps_its_last_end_and_is_forgotten_whole() {
    let process = Process::start();
    let journal = process.small(0);
    let record = dispatch();
    journal.dispatched(&record).unwrap();
    for _ in 0..3 {
        journal.finished(&finished(&record)).unwrap();
    }
    assert_eq!(ended_attempts(&journal), [(JournalSeq(4), record.attempt)]);
    journal.acknowledge(&[record.attempt]);
    assert_eq!(process.files().len(), 1);
}

#[test]
fn a_full_disk_is_an_error_and_the_next_entry_goes_to_a_file_of_its_own() {
    let process = Process::start();
    let journal = process.cell(0);
    let (before, lost, after) = (dispatch(), dispatch(), dispatch());
    journal.dispatched(&before).unwrap();
    journal.fill_disk();
    journal.dispatched(&lost).unwrap_err();
    assert_eq!(journal.dispatched(&after).unwrap(), JournalSeq(2));
    assert_eq!(open_attempts(&journal), [before.attempt, after.attempt]);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_could_not_take_an_entry_is_not_well_although_a_block_is_free_again() {
    let process = Process::start();
    let journal = process.cell(0);
    process.dir.check().unwrap();
    let fail: [&dyn Fn(); 2] = [&|| drop(journal.dispatched(&dispatch()).unwrap_err()), &|| {
        drop(journal.finished(&finished(&dispatch())).unwrap_err());
    }];
    for fail in fail {
        journal.fill_disk();
        fail();
        process.dir.check().unwrap_err();
        tokio::time::advance(Duration::from_millis(1_999)).await;
        process.dir.check().unwrap_err();
        tokio::time::advance(Duration::from_millis(1)).await;
        process.dir.check().unwrap();
        // The next entry goes to a file of its own.
        journal.dispatched(&dispatch()).unwrap();
    }
}

#[test]
fn an_attempt_whose_end_could_not_be_written_is_not_open_and_is_forgotten_once_the_database_has_it() {
    let process = Process::start();
    let journal = process.cell(0);
    let record = dispatch();
    journal.dispatched(&record).unwrap();
    journal.fill_disk();
    journal.finished(&finished(&record)).unwrap_err();
    assert!(open_attempts(&journal).is_empty());
    journal.acknowledge(&[record.attempt]);
    let Process { data, dir, .. } = process;
    drop((journal, dir));
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);
}

#[test]
fn a_process_that_ends_with_everything_acknowledged_leaves_no_file() {
    let process = Process::start();
    let journal = process.cell(0);
    let record = attempt(&journal);
    journal.acknowledge(&[record.attempt]);
    let Process { data, dir, .. } = process;
    drop((journal, dir));
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);
}

#[test]
fn a_process_that_ends_with_something_unacknowledged_leaves_it_for_the_next() {
    let process = Process::start();
    let journal = process.cell(0);
    let record = attempt(&journal);
    let Process { data, dir, instance } = process;
    drop((journal, dir));
    let mut dead = recover_dead(data.path()).unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (dead[0].instance, records(&mut dead[0])),
        (instance, vec![finished(&record)])
    );
}

#[test]
fn the_attempts_of_a_killed_process_are_recovered_the_open_ones_as_interrupted() {
    let process = Process::start();
    let (first, second) = (process.cell(0), process.small(1));
    let (ended, open, elsewhere) = (dispatch(), dispatch(), dispatch());
    first.dispatched(&ended).unwrap();
    first.dispatched(&open).unwrap();
    first.finished(&finished(&ended)).unwrap();
    second.dispatched(&elsewhere).unwrap();
    second.finished(&finished(&elsewhere)).unwrap();
    let data = process.killed();

    let mut dead = recover_dead(data.path()).unwrap();
    let mut dead = dead.pop().unwrap();
    assert_eq!(dead.instance, process.instance);
    let records = records(&mut dead);
    assert_eq!(
        records.len(),
        3,
        "an attempt that ended in another file than it began in is one"
    );
    assert_eq!(records[0], finished(&ended));
    assert_eq!(records[1], finished(&elsewhere));
    assert_eq!(records[2].dispatch, open);
    assert_eq!(records[2].outcome, Outcome::Interrupted);
    assert_eq!(records[2].cost, open.held);
    dead.discard().unwrap();
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);
    assert!(recover_dead(data.path()).unwrap().is_empty());
}

#[test]
fn a_living_neighbour_is_left_alone() {
    let process = Process::start();
    let journal = process.cell(0);
    let record = dispatch();
    journal.dispatched(&record).unwrap();
    let neighbour = JournalDir::open(process.data.path(), InstanceId::generate()).unwrap();
    assert!(recover_dead(process.data.path()).unwrap().is_empty());
    drop(neighbour);
    assert_eq!(open_attempts(&journal), [record.attempt]);
}

#[test]
fn of_two_processes_that_recover_at_once_one_gets_the_dead() {
    let process = Process::start();
    let journal = process.cell(0);
    journal.dispatched(&dispatch()).unwrap();
    let data = process.killed();
    let first = recover_dead(data.path()).unwrap();
    assert_eq!(first.len(), 1);
    assert!(recover_dead(data.path()).unwrap().is_empty());

    drop(first);
    let mut again = recover_dead(data.path()).unwrap();
    assert_eq!(records(&mut again[0]).len(), 1, "what was not discarded is found again");
}

#[test]
fn segments_whose_lock_file_is_gone_are_recovered_too() {
    let process = Process::start();
    let journal = process.cell(0);
    journal.dispatched(&dispatch()).unwrap();
    let data = process.killed();
    fs::remove_file(data.path().join(format!("{}.lock", process.instance))).unwrap();
    assert_eq!(count_left(data.path()).unwrap(), 1);
    assert_eq!(
        files(data.path()).len(),
        fs::read_dir(data.path()).unwrap().count(),
        "to count is not to claim"
    );
    assert_eq!(records(&mut recover_dead(data.path()).unwrap()[0]).len(), 1);
}

#[test]
fn a_torn_tail_is_dropped_but_a_file_damaged_in_its_middle_is_kept_aside() {
    let process = Process::start();
    let journal = process.cell(0);
    for _ in 0..3 {
        journal.dispatched(&dispatch()).unwrap();
    }

    let torn = process.killed();
    let file = files(torn.path()).remove(0);
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
    let mut dead = recover_dead(torn.path()).unwrap().remove(0);
    assert!(!dead.is_whole(), "nothing was read yet");
    assert_eq!(records(&mut dead).len(), 2);
    assert!(dead.is_whole());
    dead.discard().unwrap();
    assert_eq!(fs::read_dir(torn.path()).unwrap().count(), 0);

    let damaged = process.killed();
    let file = files(damaged.path()).remove(0);
    let mut bytes = bytes;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let mut dead = recover_dead(damaged.path()).unwrap().remove(0);
    assert_eq!(records(&mut dead).len(), 1);
    assert!(!dead.is_whole());
    dead.discard().unwrap();
    assert_eq!(fs::read(file.with_extension("log.bad")).unwrap(), bytes);
    assert!(recover_dead(damaged.path()).unwrap().is_empty());
}

#[test]
fn what_was_written_before_the_machine_started_again_may_not_be_all_there_was() {
    let process = Process::start();
    process.cell(0).dispatched(&dispatch()).unwrap();
    let lock = |data: &Path| data.join(format!("{}.lock", process.instance));
    for (written, is_whole) in [
        (None, false),
        (Some(String::new()), false),
        (Some("boot another\n".to_owned()), false),
        (Some(fs::read_to_string(lock(process.data.path())).unwrap()), true),
    ] {
        let data = process.killed();
        match &written {
            None => fs::remove_file(lock(data.path())).unwrap(),
            Some(text) => fs::write(lock(data.path()), text).unwrap(),
        }
        let mut dead = recover_dead(data.path()).unwrap().remove(0);
        assert_eq!(records(&mut dead).len(), 1, "what is there is read");
        assert_eq!(dead.is_whole(), is_whole, "{written:?}");
        dead.discard().unwrap();
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0, "and is not kept");
    }
}

#[test]
fn a_cell_has_one_journal() {
    let process = Process::start();
    let _journal = process.cell(0);
    assert!(process.dir.cell(CellId(0), JournalLimits::default()).is_err());
}

#[test]
fn what_was_not_read_is_not_discarded() {
    let process = Process::start();
    let journal = process.small(0);
    for _ in 0..3 {
        attempt(&journal);
    }
    let data = process.killed();
    let mut dead = recover_dead(data.path()).unwrap().remove(0);
    dead.records().next().unwrap().unwrap();
    dead.discard().unwrap();
    assert_eq!(files(data.path()).len(), 5);
    let mut dead = recover_dead(data.path()).unwrap().remove(0);
    assert_eq!(records(&mut dead).len(), 3);
}

#[test]
fn attempts_of_the_dead_are_counted_and_those_of_the_living_are_not() {
    let process = Process::start();
    let journal = process.small(0);
    for _ in 0..3 {
        attempt(&journal);
    }
    journal.dispatched(&dispatch()).unwrap();
    assert_eq!(count_left(process.data.path()).unwrap(), 0);
    let data = process.killed();
    assert_eq!(count_left(data.path()).unwrap(), 4);
    assert_eq!(count_left(&data.path().join("missing")).unwrap(), 0);
    assert_eq!(recover_dead(data.path()).unwrap().len(), 1);
}
