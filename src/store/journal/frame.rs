//! How an entry lies in a file: `length u32 LE | CRC-32 u32 LE | JSON`, length and CRC being those of the JSON.
//!
//! The JSON is `[seq, {"dispatched": …}]`, `[seq, {"ended": …}]` or `[seq, {"finished": …}]`. The end of an attempt whose
//! beginning is in the same file says only what is new (`ended`); otherwise it says everything (`finished`). So each
//! file can be read without the others.

use std::collections::HashMap;
use std::io;

use gateway_actors::protocol::{AttemptId, CallRecord, DispatchRecord};
use serde::{Deserialize, Serialize};

use super::end::AttemptEnd;
use super::json;

/// Bytes before the JSON.
const HEADER: usize = 8;
/// JSON longer than this is neither written nor believed.
const MAX_PAYLOAD: usize = 1024 * 1024;

/// An entry as it is written: its place in the cell, from 1, and what happened.
#[derive(Debug, Serialize)]
pub(super) struct EntryRef<'a>(pub(super) u64, pub(super) EventRef<'a>);

/// An event as it is written.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EventRef<'a> {
    Dispatched(&'a DispatchRecord),
    Ended(AttemptEnd),
    Finished(&'a CallRecord),
}

/// An entry as it lies in the file.
#[derive(Debug, Deserialize)]
struct Written(u64, WrittenEvent);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenEvent {
    Dispatched(Box<DispatchRecord>),
    Ended(AttemptEnd),
    Finished(Box<CallRecord>),
}

/// An entry as it is read back.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) seq: u64,
    pub(super) event: Event,
}

/// An event as it is read back: an end is whole again.
#[derive(Debug)]
pub(super) enum Event {
    Dispatched(Box<DispatchRecord>),
    Finished(Box<CallRecord>),
}

/// Writes the entry's frame into the buffer, which is emptied first.
pub(super) fn encode(entry: &EntryRef<'_>, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    buffer.extend_from_slice(&[0; HEADER]);
    json::write(entry, buffer)?;
    let Some((header, payload)) = buffer.split_first_chunk_mut::<HEADER>() else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let length = match u32::try_from(payload.len()) {
        Ok(length) if payload.len() <= MAX_PAYLOAD => length,
        _ => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a journal entry is too long",
            ));
        }
    };
    let crc = crc32fast::hash(payload);
    *header = (u64::from(length) | u64::from(crc) << 32).to_le_bytes();
    Ok(())
}

/// What the bytes at a place are.
#[derive(Debug)]
enum Parsed<'a> {
    /// A whole frame, and the bytes after it.
    Frame { payload: &'a [u8], rest: &'a [u8] },
    /// The bytes end before the frame does.
    Short,
    /// A whole frame with a wrong CRC, or a length that none has.
    Wrong,
}

fn parse(bytes: &[u8]) -> Parsed<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Parsed::Short;
    };
    let header = u64::from_le_bytes(*header);
    let (length, crc) = (header & u64::from(u32::MAX), header >> 32);
    let length = match usize::try_from(length) {
        Ok(length) if (1..=MAX_PAYLOAD).contains(&length) => length,
        _ => return Parsed::Wrong,
    };
    let Some((payload, rest)) = rest.split_at_checked(length) else {
        return Parsed::Short;
    };
    if u64::from(crc32fast::hash(payload)) == crc {
        Parsed::Frame { payload, rest }
    } else {
        Parsed::Wrong
    }
}

/// A file's entries one by one, up to the first that is not whole.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    rest: &'a [u8],
    /// The beginnings that the file has told of so far.
    begun: HashMap<AttemptId, DispatchRecord>,
    /// Why `rest` holds no further entry, once that is known.
    stopped: Option<Stop>,
}

/// Why there is no further entry although there are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// The last append was cut off.
    Torn,
    /// An entry is damaged, or whole ones follow a torn one.
    Damaged,
}

impl<'a> Entries<'a> {
    /// The entries in a file of these bytes.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            begun: HashMap::new(),
            stopped: None,
        }
    }

    /// Bytes at the end that hold no readable entry. Known when all entries were taken.
    pub(super) fn lost_bytes(&self) -> usize {
        self.stopped.map_or(0, |_| self.rest.len())
    }

    /// Whether those bytes are more than an append that was cut off: a damaged entry, or whole ones after it.
    pub(super) fn is_damaged(&self) -> bool {
        self.stopped == Some(Stop::Damaged)
    }
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        if self.rest.is_empty() || self.stopped.is_some() {
            return None;
        }
        let stop = match parse(self.rest) {
            Parsed::Frame { payload, rest } => match read(payload, &mut self.begun) {
                Some(entry) => {
                    self.rest = rest;
                    return Some(entry);
                }
                // Written whole, but by a version that says it differently.
                None => Stop::Damaged,
            },
            Parsed::Short if holds_frame(self.rest) => Stop::Damaged,
            Parsed::Short => Stop::Torn,
            Parsed::Wrong => Stop::Damaged,
        };
        self.stopped = Some(stop);
        None
    }
}

/// Reads one entry, given the beginnings that the file has told of so far.
fn read(payload: &[u8], begun: &mut HashMap<AttemptId, DispatchRecord>) -> Option<Entry> {
    let Written(seq, event) = serde_json::from_slice(payload).ok()?;
    let event = match event {
        WrittenEvent::Dispatched(dispatch) => {
            begun.insert(dispatch.attempt, DispatchRecord::clone(&dispatch));
            Event::Dispatched(dispatch)
        }
        WrittenEvent::Ended(end) => {
            let dispatch = begun.get(&end.attempt())?.clone();
            Event::Finished(Box::new(end.of(dispatch)))
        }
        WrittenEvent::Finished(record) => {
            // It may end once more, and that entry tells only what is new.
            begun.insert(record.dispatch.attempt, record.dispatch.clone());
            Event::Finished(record)
        }
    };
    Some(Entry { seq, event })
}

/// Whether a whole frame starts anywhere in these bytes.
fn holds_frame(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((_, next)) = rest.split_first() {
        if matches!(parse(rest), Parsed::Frame { .. }) {
            return true;
        }
        rest = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use gateway_actors::testkit::samples::{dispatch, finished};

    use super::*;

    /// All of a file's entries, and what is behind them.
    #[derive(Debug)]
    pub(super) struct Decoded {
        pub(super) entries: Vec<Entry>,
        pub(super) lost_bytes: usize,
        pub(super) damaged: bool,
    }

    pub(super) fn decode(bytes: &[u8]) -> Decoded {
        let mut entries = Entries::of(bytes);
        Decoded {
            entries: entries.by_ref().collect(),
            lost_bytes: entries.lost_bytes(),
            damaged: entries.is_damaged(),
        }
    }

    /// Three frames, one after the other, and the place at which each ends.
    fn three_frames() -> (Vec<u8>, Vec<usize>) {
        let first = dispatch();
        let mut second = dispatch();
        second.price = None;
        second.conversation = None;
        let last = finished(&first);
        let events = [
            EventRef::Dispatched(&first),
            EventRef::Dispatched(&second),
            EventRef::Ended(AttemptEnd::from(&last)),
        ];
        let (mut bytes, mut ends, mut buffer) = (Vec::new(), Vec::new(), Vec::new());
        for (seq, event) in (1..).zip(events) {
            encode(&EntryRef(seq, event), &mut buffer).unwrap();
            bytes.extend_from_slice(&buffer);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn seqs(decoded: &Decoded) -> Vec<u64> {
        decoded.entries.iter().map(|entry| entry.seq).collect()
    }

    #[test]
    fn an_entry_is_read_back_as_it_was_written() {
        let dispatched = dispatch();
        let record = finished(&dispatched);
        let mut bytes = Vec::new();
        encode(&EntryRef(7, EventRef::Finished(&record)), &mut bytes).unwrap();
        let mut decoded = decode(&bytes);
        assert_eq!((decoded.lost_bytes, decoded.damaged), (0, false));
        let entry = decoded.entries.pop().unwrap();
        assert_eq!(entry.seq, 7);
        assert!(matches!(entry.event, Event::Finished(read) if *read == record));

        let event = EventRef::Dispatched(&dispatched);
        encode(&EntryRef(8, event), &mut bytes).unwrap();
        let entry = decode(&bytes).entries.pop().unwrap();
        assert!(matches!(entry.event, Event::Dispatched(read) if *read == dispatched));
    }

    /// The first lines are entries as they were before cache writes were counted and prices had tiers.
    #[test]
    fn entries_are_read_whether_they_know_cache_writes_and_tiers_or_not() {
        let dispatched = r#"{"attempt":"req_01a2245c5780771b98cdd856dc43f0dd.1",
            "instance":"01a2245c5780771b98cdd85751988764","cell":3,"conversation":null,"user_id":null,"project_id":null,
            "endpoint":"/v1/chat","model":"alpha-small","api_model":"gpt-4o-mini","provider":"alpha","layer":"L1",
            "task":"general","price":PRICE,"held":5000,"streamed":true,"started_at":1700000000000000"#;
        let ended = r#""outcome":"completed","status":200,"usage":USAGE,"usage_source":"reported","cost":1234,
            "estimated":false,"first_byte_us":120,"duration_us":4500}"#;
        let old_price = r#"{"input":150000,"cached_input":75000,"output":600000}"#;
        let old_usage = r#"{"input":10,"cached_input":4,"output":20,"reasoning":5}"#;
        let new_price = r#"{"input":1,"cached_input":2,"cache_write_1h":3,"output":4,
            "long_context":{"above":5,"input":6,"cached_input":7,"output":8,"reasoning":9}}"#;
        let new_usage =
            r#"{"input":10,"cached_input":4,"cache_write_5m":3,"cache_write_1h":2,"output":20,"reasoning":5}"#;
        for (price, usage, writes) in [(old_price, old_usage, (0, 0)), (new_price, new_usage, (3, 2))] {
            let dispatched = dispatched.replace("PRICE", price);
            let ended = ended.replace("USAGE", usage);
            let attempt = "\"attempt\":\"req_01a2245c5780771b98cdd856dc43f0dd.1\"";
            let lines = [
                format!(r#"[1,{{"dispatched":{dispatched}}}}}]"#),
                format!(r#"[2,{{"ended":{{{attempt},{ended}}}]"#),
                format!(r#"[3,{{"finished":{dispatched},{ended}}}]"#),
            ];
            let mut begun = HashMap::new();
            let mut entry = |line: &String| read(line.as_bytes(), &mut begun).unwrap_or_else(|| panic!("{line}"));
            let [
                Event::Dispatched(dispatch),
                Event::Finished(ended),
                Event::Finished(finished),
            ] = lines.each_ref().map(|line| entry(line).event)
            else {
                panic!("{lines:?}");
            };
            let expected: gateway_actors::protocol::Price = serde_json::from_str(price).unwrap();
            assert_eq!(dispatch.price, Some(expected));
            assert_eq!((ended.usage.cache_write_5m, ended.usage.cache_write_1h), writes);
            assert_eq!((ended.usage.input, ended.usage.reasoning), (10, 5));
            assert_eq!((&ended.dispatch, &ended), (&*dispatch, &finished));
        }
    }

    #[test]
    fn an_end_is_read_back_as_the_whole_record_if_its_beginning_is_in_the_file() {
        let dispatched = dispatch();
        let record = finished(&dispatched);
        let ended = EventRef::Ended(AttemptEnd::from(&record));
        let (mut begun, mut end) = (Vec::new(), Vec::new());
        encode(&EntryRef(1, EventRef::Dispatched(&dispatched)), &mut begun).unwrap();
        encode(&EntryRef(2, ended), &mut end).unwrap();

        let mut decoded = decode(&[begun, end.clone()].concat());
        assert_eq!((decoded.lost_bytes, decoded.damaged), (0, false));
        let entry = decoded.entries.pop().unwrap();
        assert!(matches!(entry.event, Event::Finished(read) if *read == record));

        let decoded = decode(&end);
        assert!(decoded.entries.is_empty() && decoded.damaged);
    }

    #[test]
    fn a_file_cut_at_any_byte_gives_exactly_the_whole_entries_before_the_cut() {
        let (bytes, ends) = three_frames();
        for cut in 0..=bytes.len() {
            let decoded = decode(&bytes[..cut]);
            let whole: Vec<u64> = (1..)
                .zip(&ends)
                .filter(|&(_, &end)| end <= cut)
                .map(|(seq, _)| seq)
                .collect();
            assert_eq!(seqs(&decoded), whole, "cut at {cut}");
            let kept = ends.iter().copied().filter(|&end| end <= cut).max().unwrap_or(0);
            assert_eq!(
                (decoded.lost_bytes, decoded.damaged),
                (cut - kept, false),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn any_flipped_bit_is_noticed_and_nothing_from_there_on_is_believed() {
        let (bytes, ends) = three_frames();
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[place] ^= 1 << bit;
                let decoded = decode(&flipped);
                let before: Vec<u64> = (1..)
                    .zip(&ends)
                    .filter(|&(_, &end)| end <= place)
                    .map(|(seq, _)| seq)
                    .collect();
                assert_eq!(seqs(&decoded), before, "byte {place}, bit {bit}");
                assert!(decoded.lost_bytes > 0);
                if place < ends[1] {
                    assert!(decoded.damaged, "whole entries follow byte {place}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn an_entry_in_unknown_words_stops_the_reading_as_damage() {
        let payload = br#"[1,{"settled":{}}]"#;
        let length = u32::try_from(payload.len()).unwrap();
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
        bytes.extend_from_slice(payload);
        let decoded = decode(&bytes);
        assert!(decoded.entries.is_empty() && decoded.damaged);
    }

    #[test]
    fn an_entry_that_nobody_would_read_back_is_not_written() {
        let mut huge = dispatch();
        huge.user_id = Some("x".repeat(MAX_PAYLOAD).into());
        let event = EventRef::Dispatched(&huge);
        assert!(encode(&EntryRef(1, event), &mut Vec::new()).is_err());
    }
}

#[cfg(test)]
#[path = "frame_fuzz_tests.rs"]
mod fuzz;
