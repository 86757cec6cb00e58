//! One event of a stream: what it is, without keeping anything of it but the usage.

use gateway_actors::protocol::UsageReport;
use serde_json::value::RawValue;

use super::wire::{WireBlock, WireDelta, WireEvent};
use crate::dialects::events::{BadEvent, Seen};
use crate::dialects::fault::ErrorObject;
use crate::dialects::json::{is_string, raw_text};
use crate::dialects::sse::EventText;
use crate::dialects::usage::AnthropicUsage;

/// Looks at the events of one stream, of which the first and the last tell the usage together.
#[derive(Debug, Default)]
pub(in crate::dialects) struct EventReader {
    usage: AnthropicUsage,
    /// Whether the answer has begun.
    has_begun: bool,
}

impl EventReader {
    /// Looks at one whole event. Types that are not known here say nothing: new ones come now and then.
    ///
    /// # Errors
    /// If it is no event of this dialect, or an error.
    pub(in crate::dialects) fn read(&mut self, event: &EventText<'_>) -> Result<Seen, BadEvent> {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Ok(Seen::default());
        }
        // The parser would read an array as the members of an object, in order.
        if !data.starts_with(b"{") {
            return Err(BadEvent::Malformed);
        }
        let wire: WireEvent<'_> = serde_json::from_slice(data).map_err(|_error| BadEvent::Malformed)?;
        let kind = wire.kind();
        if kind == Some("error") || event.name == Some(b"error") || kind.is_none() && wire.error.is_some() {
            let error = wire.error.map_or(ErrorObject::UNKNOWN, ErrorObject::read);
            return Err(BadEvent::Error(error.with(UsageReport::Missing, self.has_begun)));
        }
        self.has_begun |= kind != Some("ping");
        let seen = match kind {
            None => return Err(BadEvent::Malformed),
            Some("message_start") => {
                if let Some(usage) = wire.message.and_then(|message| message.usage) {
                    self.usage.start(usage);
                }
                Seen::default()
            }
            Some("content_block_start") => content(wire.content_block.as_ref().map_or(0, size_of_block)),
            Some("content_block_delta") => content(wire.delta.as_ref().map_or(0, size_of_delta)),
            Some("message_delta") => {
                let finished = wire.delta.and_then(|delta| delta.stop_reason).is_some_and(is_string);
                Seen {
                    meaningful: finished,
                    finished,
                    usage: self.merge(wire.usage),
                    ..Seen::default()
                }
            }
            Some("message_stop") => Seen {
                terminal: true,
                ..Seen::default()
            },
            Some(_) => Seen::default(),
        };
        Ok(seen)
    }

    /// What is known of the usage now that this was told; nothing if nothing was.
    fn merge(&mut self, usage: Option<&RawValue>) -> Option<UsageReport> {
        self.usage.merge(usage?);
        Some(self.usage.report()).filter(|report| *report != UsageReport::Missing)
    }
}

fn content(content_bytes: u64) -> Seen {
    Seen {
        content_bytes,
        meaningful: content_bytes > 0,
        ..Seen::default()
    }
}

/// Bytes of a text; of anything else that is not empty, all of its bytes.
fn size(value: Option<&RawValue>) -> u64 {
    let Some(value) = value else { return 0 };
    let bytes = match raw_text(value) {
        Some(text) => text.len(),
        None if matches!(value.get(), "[]" | "{}") => 0,
        None => value.get().len(),
    };
    bytes as u64
}

/// A call counts even before it has a name: something is on its way.
fn size_of_block(block: &WireBlock<'_>) -> u64 {
    let said = size(block.text) + size(block.thinking) + size(block.signature) + size(block.data) + size(block.content);
    if block.id.is_none() {
        return said;
    }
    said + (size(block.name) + size(block.input)).max(1)
}

/// A signature counts too: where thinking is not shown it is all that tells how much of it there was.
fn size_of_delta(delta: &WireDelta<'_>) -> u64 {
    size(delta.text) + size(delta.thinking) + size(delta.signature) + size(delta.partial_json) + size(delta.content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::sse::Framing;
    use gateway_actors::protocol::TokenUsage;

    fn read(reader: &mut EventReader, event: &str) -> Result<Seen, BadEvent> {
        reader.read(&EventText::read(Framing::Events, event.as_bytes()))
    }

    fn seen(data: &str) -> Seen {
        read(&mut EventReader::default(), &format!("data: {data}\n\n")).unwrap()
    }

    #[test]
    fn text_thinking_and_tool_calls_are_meaningful_and_measured() {
        for (data, bytes) in [
            (
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"ab"}}"#,
                2,
            ),
            (
                r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"fn","input":{}}}"#,
                2,
            ),
            (
                r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t"}}"#,
                1,
            ),
            (
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"abcd"}}"#,
                4,
            ),
            (
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"abc"}}"#,
                3,
            ),
            (
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"ab"}}"#,
                2,
            ),
            (
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"Eq"}}"#,
                2,
            ),
            (
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}"#,
                6,
            ),
        ] {
            let seen = seen(data);
            assert_eq!(
                (seen.meaningful, seen.content_bytes, seen.finished),
                (true, bytes, false),
                "{data}"
            );
        }
    }

    #[test]
    fn starts_stops_pings_and_what_is_not_known_say_nothing() {
        for data in [
            r#"{"type":"message_start","message":{"id":"msg_1","role":"assistant","content":[]}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"something_new","text":"x"}"#,
        ] {
            assert_eq!(seen(data), Seen::default(), "{data}");
        }
        assert_eq!(
            read(&mut EventReader::default(), ": keep-alive\n\n"),
            Ok(Seen::default())
        );
    }

    #[test]
    fn the_usage_of_the_start_and_of_the_end_are_told_together() {
        let mut reader = EventReader::default();
        let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10,\
            \"cache_read_input_tokens\":5,\"output_tokens\":1}}}\n\n";
        let end = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\
            \"stop_sequence\":null},\"usage\":{\"output_tokens\":7}}\n\n";
        let usage = |output| {
            Some(UsageReport::Reported(TokenUsage {
                input: 15,
                cached_input: 5,
                output,
                ..TokenUsage::default()
            }))
        };
        let seen = read(&mut reader, start).unwrap();
        assert_eq!((seen.usage, seen.meaningful), (None, false));
        let seen = read(&mut reader, end).unwrap();
        assert_eq!((seen.usage, seen.finished, seen.meaningful), (usage(7), true, true));
        let seen = read(
            &mut reader,
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        )
        .unwrap();
        assert!(seen.terminal && seen.usage.is_none());
    }

    #[test]
    fn an_error_tells_whether_it_opens_the_stream() {
        let start = "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10}}}\n\n";
        let ping = "data: {\"type\":\"ping\"}\n\n";
        let error = "data: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"}}\n\n";
        for (before, has_output) in [(ping, false), (start, true)] {
            let mut reader = EventReader::default();
            read(&mut reader, before).unwrap();
            let Err(BadEvent::Error(error)) = read(&mut reader, error) else {
                panic!("an error is one")
            };
            assert_eq!(error.has_output, has_output, "{before}");
        }
    }

    #[test]
    fn errors_are_told_from_malformed_events() {
        for (event, code) in [
            (
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n",
                "overloaded_error",
            ),
            ("data: {\"error\":{\"message\":\"x\",\"code\":502}}\n\n", "502"),
            ("event: error\ndata: {\"detail\":\"gone\"}\n\n", "without a code"),
        ] {
            let Err(BadEvent::Error(error)) = read(&mut EventReader::default(), event) else {
                panic!("{event}")
            };
            assert_eq!(error.to_string(), code);
        }
        for bad in [
            "data: {\"a\n\n",
            "data: hello\n\n",
            "data: [1]\n\n",
            "data: {}\n\n",
            "data: {\"type\":7}\n\n",
        ] {
            assert_eq!(
                read(&mut EventReader::default(), bad),
                Err(BadEvent::Malformed),
                "{bad}"
            );
        }
    }
}
