//! Server-sent events, and lines of JSON: where events end, and what is in one.

use std::borrow::Cow;

use memchr::memchr2;

/// How the events of a stream are told from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Server-sent events: an empty line ends one.
    Events,
    /// One JSON value on each line.
    Lines,
}

/// Finds where events end, remembering across chunks what the line before looked like, so that no byte is looked at
/// twice. After a CR it waits for one more byte, which may be the LF that belongs to it.
#[derive(Debug)]
pub(super) struct Splitter {
    framing: Framing,
    /// How far the chunk has been looked at.
    at: usize,
    line_is_empty: bool,
    after_cr: bool,
    /// The CR just read ended an empty line, and with it an event.
    event_over: bool,
}

impl Splitter {
    pub(super) fn new(framing: Framing) -> Self {
        Self {
            framing,
            at: 0,
            line_is_empty: true,
            after_cr: false,
            event_over: false,
        }
    }

    /// The place behind the next event of the chunk; nothing if it does not end in it.
    pub(super) fn event_end(&mut self, chunk: &[u8]) -> Option<usize> {
        loop {
            let rest = chunk.get(self.at..).filter(|rest| !rest.is_empty())?;
            if std::mem::take(&mut self.after_cr) {
                self.at += usize::from(rest.first() == Some(&b'\n'));
                if std::mem::take(&mut self.event_over) {
                    return Some(self.at);
                }
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', rest) else {
                self.line_is_empty = false;
                self.at = chunk.len();
                return None;
            };
            let was_empty = self.line_is_empty && end == 0;
            self.line_is_empty = true;
            self.at += end + 1;
            let ends_event = was_empty || self.framing == Framing::Lines;
            if rest.get(end) == Some(&b'\r') {
                self.after_cr = true;
                self.event_over = ends_event;
            } else if ends_event {
                return Some(self.at);
            }
        }
    }

    /// The chunk lost this many bytes at its front.
    pub(super) fn taken(&mut self, length: usize) {
        self.at = self.at.saturating_sub(length);
    }

    /// The next chunk begins.
    pub(super) fn next_chunk(&mut self) {
        self.at = 0;
    }
}

/// What is in one event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct EventText<'a> {
    /// Its name, if it has one.
    pub(super) name: Option<&'a [u8]>,
    /// Its data. Lines of data are joined by line ends, as the format has it.
    pub(super) data: Cow<'a, [u8]>,
}

impl<'a> EventText<'a> {
    /// Reads one whole event.
    pub(super) fn read(framing: Framing, event: &'a [u8]) -> Self {
        let mut text = match framing {
            Framing::Events => fields(event),
            Framing::Lines => Self {
                name: None,
                data: Cow::Borrowed(event),
            },
        };
        if let Cow::Borrowed(data) = text.data {
            text.data = Cow::Borrowed(data.trim_ascii());
        }
        text
    }
}

fn fields(event: &[u8]) -> EventText<'_> {
    let mut name = None;
    let mut data: Option<Cow<'_, [u8]>> = None;
    let mut rest = event;
    while !rest.is_empty() {
        // The end of a line is one or two characters; the second of two makes an empty line here, which is nothing.
        let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default();
        rest = rest.get(end + 1..).unwrap_or_default();
        if let Some(value) = value_of(line, b"data") {
            match &mut data {
                None => data = Some(Cow::Borrowed(value)),
                Some(data) => {
                    let data = data.to_mut();
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
            }
        } else if let Some(value) = value_of(line, b"event") {
            name = Some(value);
        }
    }
    EventText {
        name,
        data: data.unwrap_or_default(),
    }
}

/// The value of a field, if the line is of that field.
fn value_of<'a>(line: &'a [u8], field: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(field)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

/// Appends an event: its name, if the dialect names its events, and its data, which must be one line.
pub(super) fn push_event(out: &mut Vec<u8>, name: Option<&str>, data: &[u8]) {
    if let Some(name) = name {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of a text, fed in chunks of this size.
    fn split(framing: Framing, text: &str, chunk: usize) -> Vec<String> {
        let mut splitter = Splitter::new(framing);
        let (mut events, mut event) = (Vec::new(), Vec::new());
        for mut bytes in text.as_bytes().chunks(chunk) {
            while let Some(end) = splitter.event_end(bytes) {
                event.extend_from_slice(&bytes[..end]);
                bytes = &bytes[end..];
                splitter.taken(end);
                events.push(String::from_utf8(std::mem::take(&mut event)).unwrap());
            }
            event.extend_from_slice(bytes);
            splitter.next_chunk();
        }
        events
    }

    #[test]
    fn events_and_lines_end_where_their_format_says_however_they_are_cut() {
        for chunk in 1..12 {
            assert_eq!(
                split(Framing::Events, "data: 1\n\ndata: 2\r\n\r\ndata: 3\r\rrest", chunk),
                ["data: 1\n\n", "data: 2\r\n\r\n", "data: 3\r\r"]
            );
            assert_eq!(
                split(Framing::Lines, "{\"a\":1}\n{\"b\":2}\r\n\n{", chunk),
                ["{\"a\":1}\n", "{\"b\":2}\r\n", "\n"]
            );
        }
    }

    #[test]
    fn an_event_has_a_name_and_data_from_one_line_or_several() {
        let event = EventText::read(Framing::Events, b"event: ping\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n");
        assert_eq!((event.name, &*event.data), (Some(&b"ping"[..]), &b"{\"a\":\n1}"[..]));
        let line = EventText::read(Framing::Lines, b" {\"a\":1}\r\n");
        assert_eq!((line.name, &*line.data), (None, &b"{\"a\":1}"[..]));
        assert_eq!(EventText::read(Framing::Events, b": ping\n\n"), EventText::default());
    }

    #[test]
    fn an_event_that_was_written_is_read_again() {
        let mut out = Vec::new();
        push_event(&mut out, Some("message_stop"), b"{\"type\":\"message_stop\"}");
        assert_eq!(out, b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }
}
