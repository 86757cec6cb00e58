//! Splits a provider's stream into whole events, forwards their bytes and notes what they say. No I/O here.

use bytes::{Bytes, BytesMut};
use gateway_actors::protocol::{Dialect, StreamFrame, UsageReport, Vendor};

use super::events::{BadEvent, EventReader, Seen, has_no_output, says_nothing_behind};
use super::fault::StreamFault;
use super::sse::{Framing, Splitter};

/// What becomes of an event that is there only for the usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageEvents {
    /// It is read, and not forwarded: the client did not ask for it.
    Drop,
    /// It is forwarded like any other.
    Forward,
}

/// Reads a stream chunk by chunk, whatever its dialect.
///
/// Give it a chunk with [`push`](Self::push), then take frames with [`next_frame`](Self::next_frame) until there is
/// none; at the end of input call [`finish`](Self::finish). Whole events that stand next to each other in a chunk
/// come out as one frame that shares the chunk's memory; only an event that spans chunks is copied. Line ends may be
/// LF, CRLF or CR. Bytes are forwarded as they came, and a last event without its end gets one.
#[derive(Debug)]
pub struct StreamScanner {
    limit: usize,
    usage_events: UsageEvents,
    reader: EventReader,
    /// The chunk being read, from the first byte that has not come out yet.
    chunk: Bytes,
    /// The start of an event, from chunks before.
    carried: BytesMut,
    splitter: Splitter,
    /// An error met behind events that had to come out first.
    fault: Option<StreamFault>,
    started: bool,
    meaningful: bool,
    finished: bool,
    terminal: bool,
    /// The last usage that was told.
    usage: UsageReport,
    /// Whether no content has come behind it.
    usage_is_last: bool,
    /// Whether it is of the whole answer, since its choices were finished by then as well.
    usage_is_final: bool,
    /// Whether there was something that a model must have made.
    has_content: bool,
}

impl StreamScanner {
    /// A scanner of this vendor's stream that allows events of this many bytes.
    #[must_use]
    pub fn new(dialect: Dialect, vendor: Vendor, limit: usize, usage_events: UsageEvents) -> Self {
        let reader = EventReader::new(dialect, vendor);
        Self {
            limit,
            usage_events,
            splitter: Splitter::new(reader.framing()),
            reader,
            chunk: Bytes::new(),
            carried: BytesMut::new(),
            fault: None,
            started: false,
            meaningful: false,
            finished: false,
            terminal: false,
            usage: UsageReport::Missing,
            usage_is_last: false,
            usage_is_final: false,
            has_content: false,
        }
    }

    /// Whether anything a client waits for has been seen: text, reasoning, a tool call, a refusal or the end of a
    /// choice. Roles, comments and pings are not that.
    #[must_use]
    pub const fn meaningful(&self) -> bool {
        self.meaningful
    }

    /// Whether the end mark has been seen; what follows it is ignored.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// What is known of the usage of the whole answer. What a provider tells on the way, as some do in every event, is not
    /// that: more may have been made than has come, and what comes at the end may not name it again. Of a stream that never
    /// says that a choice is finished the end mark says it. A report without output of a stream that said something is none.
    #[must_use]
    pub fn usage(&self) -> UsageReport {
        let is_of_all = self.usage_is_final || self.terminal && !self.finished && self.usage_is_last;
        if is_of_all && !(self.has_content && has_no_output(self.usage)) {
            self.usage
        } else {
            UsageReport::Missing
        }
    }

    /// Adds a chunk of input.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            // Only if frames were left untaken.
            let mut joined = BytesMut::from(self.chunk.as_ref());
            joined.extend_from_slice(&chunk);
            self.chunk = joined.freeze();
        }
    }

    /// The next frame of whole events; nothing if more input is needed.
    ///
    /// # Errors
    /// What is wrong with the stream, once the events before it have come out. Nothing follows an error.
    pub fn next_frame(&mut self) -> Result<Option<StreamFrame>, StreamFault> {
        let frame = match self.fault.take() {
            Some(fault) => Err(fault),
            None => self.read_frame(),
        };
        frame.inspect_err(|_fault| self.forget())
    }

    fn read_frame(&mut self) -> Result<Option<StreamFrame>, StreamFault> {
        let mut frame = StreamFrame::default();
        if !self.carried.is_empty() {
            let Some(end) = self.splitter.event_end(&self.chunk) else {
                return self.carry_rest().map(|()| None);
            };
            let last_part = self.take(end);
            self.carried.extend_from_slice(&last_part);
            let event = std::mem::take(&mut self.carried).freeze();
            let seen = self.read(&event)?;
            if !self.is_dropped(&seen) {
                frame.bytes = event;
            }
            note(&mut frame, &seen);
            if !frame.bytes.is_empty() || frame.terminal {
                return Ok(Some(frame));
            }
        }
        self.group(frame)
    }

    /// Adds the whole events of the chunk to a frame that has no bytes yet.
    fn group(&mut self, mut frame: StreamFrame) -> Result<Option<StreamFrame>, StreamFault> {
        let mut grouped = 0;
        while !self.terminal {
            let Some(end) = self.splitter.event_end(&self.chunk) else {
                break;
            };
            let event = self.chunk.slice(grouped..end);
            let seen = match self.read(&event) {
                Ok(seen) => seen,
                Err(fault) if grouped == 0 && frame.usage.is_none() => return Err(fault),
                Err(fault) => {
                    self.fault = Some(fault);
                    break;
                }
            };
            if self.is_dropped(&seen) {
                note(&mut frame, &seen);
                if grouped > 0 {
                    frame.bytes = self.take(grouped);
                    self.take(end - grouped);
                    return Ok(Some(frame));
                }
                self.take(end);
                continue;
            }
            note(&mut frame, &seen);
            grouped = end;
        }
        if grouped > 0 {
            frame.bytes = self.take(grouped);
        } else if !self.terminal && self.fault.is_none() {
            self.carry_rest()?;
        }
        let has_something = !frame.bytes.is_empty() || frame.usage.is_some() || frame.terminal;
        Ok(has_something.then_some(frame))
    }

    /// Ends the input: what is left is the last event if it is whole.
    ///
    /// Where the dialect can do without its end mark, a stream ended well if every choice that has begun is finished; then
    /// the last frame is terminal and, since an end mark is never made up, may have no bytes.
    ///
    /// # Errors
    /// [`StreamFault::Empty`] if nothing meaningful came, [`StreamFault::Truncated`] if the end was cut off.
    pub fn finish(&mut self) -> Result<Option<StreamFrame>, StreamFault> {
        if self.terminal {
            return Ok(None);
        }
        self.read_last().inspect_err(|_fault| self.forget()).map(Some)
    }

    fn read_last(&mut self) -> Result<StreamFrame, StreamFault> {
        self.carry_rest()?;
        let mut frame = StreamFrame::default();
        let rest = std::mem::take(&mut self.carried).freeze();
        if !rest.is_empty() {
            let seen = self.read(&rest).map_err(|fault| match fault {
                StreamFault::Malformed if self.meaningful => StreamFault::Truncated,
                StreamFault::Malformed => StreamFault::Empty,
                other => other,
            })?;
            if !self.is_dropped(&seen) {
                frame.bytes = ended(rest, self.reader.framing());
            }
            note(&mut frame, &seen);
        }
        if !self.meaningful {
            return Err(StreamFault::Empty);
        }
        if !self.terminal && !self.reader.may_end(self.finished) {
            return Err(StreamFault::Truncated);
        }
        self.terminal = true;
        frame.terminal = true;
        frame.usage = Some(self.usage());
        Ok(frame)
    }

    /// Looks at one whole event and notes what it says of the stream.
    fn read(&mut self, event: &[u8]) -> Result<Seen, StreamFault> {
        if event.len() > self.limit {
            return Err(StreamFault::TooLarge { limit: self.limit });
        }
        // Not the data alone: clients decode every line that they get, comments too, and some end at the first bad byte.
        if std::str::from_utf8(event).is_err() {
            return Err(StreamFault::Malformed);
        }
        let mark: &[u8] = if self.started { b"" } else { b"\xef\xbb\xbf" };
        self.started = true;
        match self.reader.read(event.strip_prefix(mark).unwrap_or(event)) {
            Ok(mut seen) => {
                let before = self.usage();
                self.meaningful |= seen.meaningful;
                self.finished |= seen.finished;
                self.terminal |= seen.terminal;
                self.note_usage(&seen);
                // A frame takes back what turned out not to be the whole answer's.
                let after = self.usage();
                seen.usage = (after != before).then_some(after);
                Ok(seen)
            }
            Err(BadEvent::Malformed) => Err(StreamFault::Malformed),
            Err(BadEvent::Error(object)) => {
                // What an error tells of usage is of all that came before it.
                if object.usage != UsageReport::Missing {
                    self.finished = true;
                    self.note_usage(&Seen {
                        finished: true,
                        usage: Some(object.usage),
                        ..Seen::default()
                    });
                }
                Err(StreamFault::ErrorObject(object))
            }
        }
    }

    fn note_usage(&mut self, seen: &Seen) {
        self.has_content |= seen.content_bytes > 0;
        let before = self.usage;
        if let Some(usage) = seen.usage.filter(|usage| !says_nothing_behind(*usage, before)) {
            let is_final = self.finished && (seen.finished || seen.content_bytes == 0);
            // What is said of a whole answer once more is not less.
            let is_less = is_final && self.usage_is_final && is_less(usage, self.usage);
            self.usage = if is_less { UsageReport::Absurd } else { usage };
            self.usage_is_last = true;
            self.usage_is_final = is_final;
        } else if seen.content_bytes > 0 {
            self.usage_is_last = false;
            self.usage_is_final = false;
        }
    }

    fn is_dropped(&self, seen: &Seen) -> bool {
        seen.only_usage && self.usage_events == UsageEvents::Drop
    }

    /// Takes bytes off the front of the chunk.
    fn take(&mut self, length: usize) -> Bytes {
        self.splitter.taken(length);
        self.chunk.split_to(length.min(self.chunk.len()))
    }

    /// Keeps the rest of the chunk for when its event goes on.
    fn carry_rest(&mut self) -> Result<(), StreamFault> {
        if self.carried.len() + self.chunk.len() > self.limit {
            return Err(StreamFault::TooLarge { limit: self.limit });
        }
        self.carried.extend_from_slice(&self.chunk);
        self.chunk = Bytes::new();
        self.splitter.next_chunk();
        Ok(())
    }

    /// Drops what is left: nothing comes after an error.
    fn forget(&mut self) {
        self.chunk = Bytes::new();
        self.carried = BytesMut::new();
        self.splitter = Splitter::new(self.reader.framing());
    }
}

/// A last event whose end is missing, with one: clients pass over an event that does not end.
fn ended(event: Bytes, framing: Framing) -> Bytes {
    let line = |bytes: &[u8]| {
        let ends = [b"\r\n".as_slice(), b"\n", b"\r"];
        ends.iter().find_map(|end| bytes.strip_suffix(*end)).map(<[u8]>::len)
    };
    let missing: &[u8] = match (framing, line(&event)) {
        (Framing::Events, None) => b"\n\n",
        (Framing::Events, Some(length)) if length > 0 && line(event.get(..length).unwrap_or_default()).is_none() => {
            b"\n"
        }
        (Framing::Lines, None) => b"\n",
        _ => return event,
    };
    Bytes::from([&event, missing].concat())
}

/// Whether a report takes something back of one before, or stands behind one that cannot be.
fn is_less(report: UsageReport, before: UsageReport) -> bool {
    match (report, before) {
        (UsageReport::Reported(now), UsageReport::Reported(before)) => {
            now.input < before.input || now.output < before.output
        }
        (_, UsageReport::Absurd) => true,
        _ => false,
    }
}

/// Adds what an event says to the frame it is in.
fn note(frame: &mut StreamFrame, seen: &Seen) {
    frame.content_bytes += seen.content_bytes;
    frame.usage = seen.usage.or(frame.usage);
    frame.terminal |= seen.terminal;
}

#[cfg(test)]
#[path = "scanner_tests.rs"]
mod tests;
