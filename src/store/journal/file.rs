//! A cell's journal in files.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use gateway_actors::protocol::{
    AttemptId, AttemptJournal, CallRecord, CellId, DispatchRecord, IdMap, JournalContents, JournalError, JournalSeq,
};

use super::end::AttemptEnd;
use super::frame::{self, EntryRef, Event, EventRef};
use super::instance::InstanceLock;
use super::segment::{self, Segment, SegmentName};
use super::{JournalLimits, JournalOpenError};

/// A cell's journal: appends to the newest segment, deletes segments of which nothing is needed any more.
///
/// Dropping it removes the files unless they hold something that has not been acknowledged. Used by one thread.
#[derive(Debug)]
pub struct FileJournal {
    state: RefCell<State>,
}

/// Where an attempt that is not acknowledged yet has its entries.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The segment of its first entry.
    begun_in: u64,
    /// The segment and place of the entry that says how it ended.
    ended_in: Option<(u64, JournalSeq)>,
    /// It has ended, but the entry that says so could not be written: the database may learn it all the same.
    end_lost: bool,
}

#[derive(Debug)]
struct State {
    instance: Arc<InstanceLock>,
    cell: CellId,
    limits: JournalLimits,
    /// By number; the last is the one that is appended to.
    segments: BTreeMap<u64, Segment>,
    newest: u64,
    attempts: IdMap<AttemptId, Place>,
    last: JournalSeq,
    buffer: Vec<u8>,
}

impl FileJournal {
    pub(super) fn create(
        instance: Arc<InstanceLock>,
        cell: CellId,
        limits: JournalLimits,
    ) -> Result<Self, JournalOpenError> {
        let mut state = State {
            instance,
            cell,
            limits,
            segments: BTreeMap::new(),
            newest: 0,
            attempts: IdMap::default(),
            last: JournalSeq::default(),
            buffer: Vec::with_capacity(1024),
        };
        let path = state.segment_name(1).path(state.instance.dir());
        state.add_segment().map_err(JournalOpenError::at(path))?;
        Ok(Self {
            state: RefCell::new(state),
        })
    }
}

#[cfg(test)]
impl FileJournal {
    /// Makes every write to the newest segment fail as on a full disk.
    pub(super) fn fill_disk(&self) {
        let mut state = self.state.borrow_mut();
        let newest = state.newest;
        state.segments.get_mut(&newest).unwrap().fill_disk();
    }
}

impl AttemptJournal for FileJournal {
    fn dispatched(&self, record: &DispatchRecord) -> Result<JournalSeq, JournalError> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let appended = state.append_begin(record);
        let (seq, number) = appended.inspect_err(|_| state.instance.note_failure())?;
        state.note_begin(record.attempt, number);
        Ok(seq)
    }

    fn finished(&self, record: &CallRecord) -> Result<JournalSeq, JournalError> {
        let mut state = self.state.borrow_mut();
        let appended = state.append_end(record);
        let (seq, number) = appended.inspect_err(|_| {
            state.instance.note_failure();
            state.note_lost_end(&record.dispatch.attempt);
        })?;
        state.note_end(record.dispatch.attempt, number, seq);
        Ok(seq)
    }

    fn acknowledge(&self, attempts: &[AttemptId]) {
        let mut state = self.state.borrow_mut();
        for attempt in attempts {
            state.forget(attempt);
        }
        state.reclaim();
    }

    fn contents(&self) -> Result<JournalContents, JournalError> {
        self.state.borrow().contents()
    }

    fn finished_after(&self, after: JournalSeq, most: usize) -> Result<Vec<(JournalSeq, CallRecord)>, JournalError> {
        self.state.borrow().finished_after(after, most)
    }
}

impl State {
    fn segment_name(&self, number: u64) -> SegmentName {
        SegmentName {
            instance: self.instance.id(),
            cell: self.cell,
            number,
        }
    }

    fn add_segment(&mut self) -> io::Result<()> {
        let number = self.newest + 1;
        let segment = Segment::create(self.instance.dir(), self.segment_name(number))?;
        self.segments.insert(number, segment);
        self.newest = number;
        Ok(())
    }

    /// Appends the beginning of an attempt; its place in the cell and the number of its segment.
    fn append_begin(&mut self, record: &DispatchRecord) -> Result<(JournalSeq, u64), JournalError> {
        self.rotate().map_err(|source| JournalError { source })?;
        self.append(EventRef::Dispatched(record))
    }

    /// Appends the end of an attempt: in full, unless its beginning is in the same segment.
    fn append_end(&mut self, record: &CallRecord) -> Result<(JournalSeq, u64), JournalError> {
        self.rotate().map_err(|source| JournalError { source })?;
        let begun = self.attempts.get(&record.dispatch.attempt);
        let begun_here = begun.is_some_and(|place| place.begun_in == self.newest);
        self.append(if begun_here {
            EventRef::Ended(AttemptEnd::from(record))
        } else {
            EventRef::Finished(record)
        })
    }

    fn append(&mut self, event: EventRef<'_>) -> Result<(JournalSeq, u64), JournalError> {
        let seq = JournalSeq(self.last.0 + 1);
        let mut buffer = std::mem::take(&mut self.buffer);
        let appended = frame::encode(&EntryRef(seq.0, event), &mut buffer).and_then(|()| self.write(seq, &buffer));
        self.buffer = buffer;
        let number = appended.map_err(|source| JournalError { source })?;
        self.last = seq;
        Ok((seq, number))
    }

    fn write(&mut self, seq: JournalSeq, frame: &[u8]) -> io::Result<u64> {
        let Some(newest) = self.segments.get_mut(&self.newest) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        newest.append(seq, frame)?;
        Ok(newest.number)
    }

    /// Starts a new segment after one that is full or broken. If that fails a sound segment just grows.
    fn rotate(&mut self) -> io::Result<()> {
        let newest = self.segments.get(&self.newest);
        let is_sound = newest.is_some_and(Segment::is_sound);
        if is_sound && newest.is_some_and(|newest| newest.len() < self.limits.segment_bytes) {
            return Ok(());
        }
        match self.add_segment() {
            Ok(()) => {
                self.reclaim();
                Ok(())
            }
            Err(error) if is_sound => {
                tracing::warn!(%error, "a new journal file cannot be created; the full one grows");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Notes where an attempt begins. It is needed once by every segment that holds its first entry or its last end:
    /// [`State::note_end`] and [`State::forget`] keep this count.
    fn note_begin(&mut self, attempt: AttemptId, number: u64) {
        if self.attempts.contains_key(&attempt) {
            return;
        }
        let place = Place {
            begun_in: number,
            ended_in: None,
            end_lost: false,
        };
        self.attempts.insert(attempt, place);
        self.need(number);
    }

    /// Notes where an attempt ends, or ends once more: only its last end counts.
    fn note_end(&mut self, attempt: AttemptId, number: u64, seq: JournalSeq) {
        let known = self.attempts.get(&attempt).copied();
        let begun_in = known.map_or(number, |place| place.begun_in);
        let held_before = known.and_then(|place| place.ended_in).map(|(segment, _)| segment);
        if known.is_none() || (begun_in != number && held_before != Some(number)) {
            self.need(number);
        }
        if let Some(before) = held_before
            && before != begun_in
            && before != number
        {
            self.release(before);
        }
        self.attempts.insert(
            attempt,
            Place {
                begun_in,
                ended_in: Some((number, seq)),
                end_lost: false,
            },
        );
    }

    /// Notes that an attempt has ended although no entry says so.
    fn note_lost_end(&mut self, attempt: &AttemptId) {
        if let Some(place) = self.attempts.get_mut(attempt) {
            place.end_lost = place.ended_in.is_none();
        }
    }

    /// Forgets an attempt that has ended; one that has not is still needed, whoever says otherwise.
    fn forget(&mut self, attempt: &AttemptId) {
        let Some(&Place {
            begun_in,
            ended_in,
            end_lost,
        }) = self.attempts.get(attempt)
        else {
            return;
        };
        if ended_in.is_none() && !end_lost {
            return;
        }
        self.attempts.remove(attempt);
        self.release(begun_in);
        if let Some((ended_in, _)) = ended_in
            && ended_in != begun_in
        {
            self.release(ended_in);
        }
    }

    fn need(&mut self, number: u64) {
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.needed += 1;
        }
    }

    fn release(&mut self, number: u64) {
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.needed = segment.needed.saturating_sub(1);
        }
    }

    /// Removes the segments of which nothing is needed; the newest is emptied instead, once it is worth it.
    fn reclaim(&mut self) {
        let newest = self.newest;
        let unneeded = self
            .segments
            .extract_if(.., |&number, segment| number != newest && segment.needed == 0);
        for (_, segment) in unneeded {
            remove(segment);
        }
        if let Some(segment) = self.segments.get_mut(&newest)
            && segment.needed == 0
            && segment.len() > self.limits.truncate_above
            && let Err(error) = segment.truncate()
        {
            tracing::warn!(path = %segment.path().display(), %error, "a journal file cannot be emptied");
        }
    }

    /// Reads the segments back, leaving out what has been acknowledged.
    fn contents(&self) -> Result<JournalContents, JournalError> {
        let mut contents = JournalContents {
            last: self.last,
            ..JournalContents::default()
        };
        let mut open = HashSet::new();
        for segment in self.segments.values().filter(|segment| segment.needed > 0) {
            let read = segment::read(segment.path(), |entry| {
                match entry.event {
                    Event::Dispatched(record) if self.is_open(&record.attempt) && open.insert(record.attempt) => {
                        contents.open.push(*record);
                    }
                    Event::Dispatched(_) => {}
                    Event::Finished(record) => contents.finished.extend(self.needed_end(entry.seq, *record)),
                }
                ControlFlow::Continue(())
            });
            read.map_err(|source| JournalError { source })?;
        }
        let readable = self.attempts.values().filter(|place| !place.end_lost).count();
        if contents.open.len() + contents.finished.len() == readable {
            Ok(contents)
        } else {
            Err(JournalError {
                source: io::Error::new(io::ErrorKind::InvalidData, "a journal file is damaged"),
            })
        }
    }

    /// Reads on behind a place, from the first segment that may hold what is wanted. What lies behind damage in a
    /// segment is left out: it stays in its file.
    fn finished_after(&self, after: JournalSeq, most: usize) -> Result<Vec<(JournalSeq, CallRecord)>, JournalError> {
        let mut finished = Vec::new();
        let of_use = |segment: &&Segment| segment.needed > 0 && segment.last() > after;
        for segment in self.segments.values().filter(of_use) {
            if finished.len() >= most {
                break;
            }
            let read = segment::read(segment.path(), |entry| {
                if let Event::Finished(record) = entry.event
                    && entry.seq > after.0
                {
                    finished.extend(self.needed_end(entry.seq, *record));
                }
                if finished.len() < most {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            read.map_err(|source| JournalError { source })?;
        }
        Ok(finished)
    }

    /// Whether the attempt was sent and has no end yet.
    fn is_open(&self, attempt: &AttemptId) -> bool {
        let place = self.attempts.get(attempt);
        place.is_some_and(|place| place.ended_in.is_none() && !place.end_lost)
    }

    /// The end of an attempt as it was read at this place, unless it is acknowledged or a later one counts.
    fn needed_end(&self, seq: u64, record: CallRecord) -> Option<(JournalSeq, CallRecord)> {
        let place = self.attempts.get(&record.dispatch.attempt)?;
        let (_, ended_at) = place.ended_in?;
        (ended_at == JournalSeq(seq)).then_some((ended_at, record))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        for (_, segment) in std::mem::take(&mut self.segments) {
            if segment.needed == 0 {
                remove(segment);
            }
        }
    }
}

/// Removes a segment of which nothing is needed. One that cannot be removed is read again after the next start, which
/// does no harm.
fn remove(segment: Segment) {
    let path = segment.path().to_owned();
    if let Err(error) = segment.remove() {
        tracing::warn!(path = %path.display(), %error, "a journal file cannot be removed");
    }
}
