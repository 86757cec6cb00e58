//! Our errors in the dialect's shape, as a body and as an event of a stream.

use bytes::Bytes;
use gateway_actors::protocol::{ErrorKind, GatewayError};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialects::openai_chat;
use crate::dialects::sse::{EventText, Framing, Splitter, push_event};

/// The body of an error answer, which is the same in all of OpenAI's dialects.
#[must_use]
pub fn error_body(error: &GatewayError) -> Bytes {
    openai_chat::error_body(error)
}

#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'static str,
    message: &'a str,
    param: Option<&'a str>,
    sequence_number: u64,
}

/// The event that tells of an error after a stream has begun. Nothing follows it. `sequence_number` is the one after the
/// last that was sent: see [`next_sequence_number`].
#[must_use]
pub fn error_event(error: &GatewayError, sequence_number: u64) -> Bytes {
    let event = Event {
        kind: "error",
        code: code(error.kind),
        message: &error.message,
        param: error.param.as_deref(),
        sequence_number,
    };
    let mut out = Vec::new();
    if let Ok(data) = serde_json::to_vec(&event) {
        push_event(&mut out, Some("error"), &data);
    }
    Bytes::from(out)
}

/// The number of the event that comes next in a stream of which these bytes were sent last. They end where an event ends,
/// and may begin anywhere. 0 if none of them has a number.
#[must_use]
pub fn next_sequence_number(last_events: &[u8]) -> u64 {
    let mut splitter = Splitter::new(Framing::Events);
    let mut rest = last_events;
    let mut next = 0;
    while let Some(end) = splitter.event_end(rest) {
        let (event, after) = rest.split_at(end.min(rest.len()));
        next = number(event).map_or(next, |number| number.saturating_add(1));
        splitter.taken(end);
        rest = after;
    }
    // What stands last may lack the empty line behind it.
    number(rest).map_or(next, |number| number.saturating_add(1))
}

/// The number of one event; nothing if it has none, or is cut.
fn number(event: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Numbered<'a> {
        #[serde(borrow)]
        sequence_number: &'a RawValue,
    }
    let data = EventText::read(Framing::Events, event).data;
    let numbered: Numbered<'_> = serde_json::from_slice(&data).ok()?;
    numbered.sequence_number.get().parse().ok()
}

/// Our own word for the error, save for the one that clients act on by OpenAI's name.
const fn code(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ContextTooLong => "context_length_exceeded",
        other => other.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_event_is_one_whole_event_with_its_number() {
        let error = GatewayError::invalid("input", "two\nlines");
        assert_eq!(
            error_event(&error, 7),
            "event: error\ndata: {\"type\":\"error\",\"code\":\"invalid_request\",\"message\":\"two\\nlines\",\"param\":\"input\",\
             \"sequence_number\":7}\n\n"
        );
        let long = error_event(&GatewayError::new(ErrorKind::ContextTooLong, "x"), 0);
        assert!(long.starts_with(b"event: error\ndata: {\"type\":\"error\",\"code\":\"context_length_exceeded\""));
        assert!(error_body(&error).starts_with(b"{\"error\":{"));
    }

    #[test]
    fn the_next_number_is_the_one_after_the_last_event_that_has_one() {
        let event = |number: u64| {
            format!("event: x\ndata: {{\"a\":{{\"sequence_number\":99}},\"sequence_number\":{number}}}\r\n\r\n")
        };
        let stream = format!("{}{}: ping\n\n", event(3), event(4));
        for start in 0..stream.len() {
            let expected = match stream.get(start..) {
                Some(rest) if rest.matches("event: x").count() > 0 || rest.starts_with("data: {") => 5,
                Some(rest) => {
                    let is_whole = number(rest.as_bytes()).is_some();
                    if is_whole { 5 } else { 0 }
                }
                None => continue,
            };
            let next = next_sequence_number(&stream.as_bytes()[start..]);
            assert!(next == expected || next == 5, "{start}: {next}");
        }
        assert_eq!(next_sequence_number(stream.as_bytes()), 5);
        assert_eq!(next_sequence_number(event(6).trim_end().as_bytes()), 7);
        assert_eq!(next_sequence_number(b""), 0);
        assert_eq!(
            next_sequence_number(b"data: {\"text\":\"\\\"sequence_number\\\":8\"}\n\n"),
            0
        );
    }
}
