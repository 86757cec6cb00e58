//! One event of a stream: what it is, without keeping anything of it.

use std::fmt;

use gateway_actors::protocol::{UsageReport, Vendor};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::usage::usage_report;
use crate::dialects::events::{BadEvent, Seen};
use crate::dialects::fault::ErrorObject;
use crate::dialects::json::raw_text;
use crate::dialects::sse::EventText;

/// Looks at one whole event of this vendor's.
pub(in crate::dialects) fn read_event(event: &EventText<'_>, vendor: Vendor) -> Result<Seen, BadEvent> {
    let data = event.data.trim_ascii();
    if data.is_empty() {
        return Ok(Seen::default());
    }
    if data == b"[DONE]" {
        return Ok(Seen {
            terminal: true,
            ..Seen::default()
        });
    }
    // Looked at once here, instead of once for every value that is kept.
    let json = std::str::from_utf8(data).map_err(|_error| BadEvent::Malformed)?;
    let chunk: Chunk<'_> = serde_json::from_str(json).map_err(|_error| BadEvent::Malformed)?;
    if let Some(error) = chunk.error {
        return Err(BadEvent::Error(ErrorObject::read(error)));
    }
    if event.name == Some(b"error") {
        return Err(BadEvent::Error(ErrorObject::UNKNOWN));
    }
    let usage = chunk
        .usage
        .map(|usage| usage_report(usage, vendor))
        .filter(|usage| *usage != UsageReport::Missing);
    let choices = chunk.choices.unwrap_or_default();
    Ok(Seen {
        content_bytes: choices.content_bytes,
        meaningful: choices.content_bytes > 0 || choices.finished,
        finished: choices.finished,
        only_usage: choices.count == 0 && chunk.usage.is_some(),
        usage,
        terminal: false,
    })
}

#[derive(Deserialize)]
struct Chunk<'a> {
    choices: Option<Choices>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Default)]
struct Choices {
    count: u32,
    content_bytes: u64,
    finished: bool,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    /// What the older completions API has in the delta's place.
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    tool_calls: Option<ToolCalls>,
    #[serde(borrow)]
    function_call: Option<Function<'a>>,
}

/// Bytes of the calls' names and arguments.
#[derive(Default)]
struct ToolCalls(u64);

#[derive(Deserialize)]
struct ToolCall<'a> {
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// Bytes of a text; of anything else that is not empty (some providers send parts), all of its bytes.
fn size(value: Option<&RawValue>) -> u64 {
    let Some(value) = value else { return 0 };
    let bytes = match raw_text(value) {
        Some(text) => text.len(),
        None if matches!(value.get(), "[]" | "{}") => 0,
        None => value.get().len(),
    };
    bytes as u64
}

impl Function<'_> {
    fn size(&self) -> u64 {
        size(self.name) + size(self.arguments)
    }
}

impl Delta<'_> {
    fn size(&self) -> u64 {
        size(self.content)
            + size(self.refusal)
            + size(self.reasoning)
            + size(self.reasoning_content)
            + self.tool_calls.as_ref().map_or(0, |calls| calls.0)
            + self.function_call.as_ref().map_or(0, Function::size)
    }
}

/// Reads an array by adding its elements up, so that nothing is allocated for them.
struct AddUp<T>(T);

impl<'de> Visitor<'de> for AddUp<Choices> {
    type Value = Choices;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("choices")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Choices, A::Error> {
        let Self(mut sum) = self;
        while let Some(choice) = seq.next_element::<Choice<'_>>()? {
            sum.count += 1;
            sum.content_bytes += choice.delta.as_ref().map_or(0, Delta::size) + size(choice.text);
            // Some have an empty reason as long as the answer goes on.
            let reason = choice.finish_reason.and_then(raw_text);
            sum.finished |= reason.is_some_and(|reason| !reason.is_empty());
        }
        Ok(sum)
    }
}

impl<'de> Visitor<'de> for AddUp<ToolCalls> {
    type Value = ToolCalls;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tool calls")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ToolCalls, A::Error> {
        let Self(ToolCalls(mut bytes)) = self;
        while let Some(call) = seq.next_element::<ToolCall<'_>>()? {
            // A call counts even before it has a name: something is on its way.
            bytes += call.function.as_ref().map_or(0, Function::size).max(1);
        }
        Ok(ToolCalls(bytes))
    }
}

impl<'de> Deserialize<'de> for Choices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(AddUp(Self::default()))
    }
}

impl<'de> Deserialize<'de> for ToolCalls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(AddUp(Self::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::sse::Framing;

    fn read_event(event: &[u8]) -> Result<Seen, BadEvent> {
        super::read_event(&EventText::read(Framing::Events, event), Vendor::Other)
    }
    use gateway_actors::protocol::TokenUsage;

    fn delta(delta: &str) -> Seen {
        let event = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}]}}\n\n");
        read_event(event.as_bytes()).unwrap()
    }

    #[test]
    fn text_reasoning_refusals_and_tool_calls_are_meaningful_and_measured() {
        let cases = [
            (r#"{"content":"abc"}"#, 3),
            (r#"{"reasoning":"ab","content":""}"#, 2),
            (r#"{"reasoning_content":"ab"}"#, 2),
            (r#"{"refusal":"no"}"#, 2),
            (
                r#"{"tool_calls":[{"index":0,"id":"call_1","function":{"name":"f","arguments":""}}]}"#,
                1,
            ),
            (r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}"#, 6),
            (r#"{"tool_calls":[{"index":0}]}"#, 1),
            (r#"{"function_call":{"name":"fn"}}"#, 2),
            (r#"{"content":[{"text":"a"}]}"#, 14),
        ];
        for (json, bytes) in cases {
            let seen = delta(json);
            assert!(seen.meaningful, "{json}");
            assert_eq!(seen.content_bytes, bytes, "{json}");
        }
    }

    #[test]
    fn roles_empty_deltas_comments_and_pings_are_not_meaningful() {
        for json in [
            r#"{"role":"assistant"}"#,
            r#"{"role":"assistant","content":""}"#,
            "{}",
            "null",
        ] {
            assert!(!delta(json).meaningful, "{json}");
        }
        for event in [
            ": ping\n\n",
            "\n",
            "event: ping\ndata: {}\n\n",
            "data\n\n",
            "id: 7\nretry: 3\n\n",
        ] {
            assert_eq!(read_event(event.as_bytes()), Ok(Seen::default()), "{event:?}");
        }
    }

    #[test]
    fn a_finish_reason_is_meaningful_and_finishes() {
        let seen = read_event(b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\n").unwrap();
        assert!(seen.meaningful && seen.finished && !seen.terminal);
    }

    #[test]
    fn an_empty_finish_reason_is_none() {
        let seen = read_event(b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"\"}]}\n\n").unwrap();
        assert!(!seen.meaningful && !seen.finished);
    }

    #[test]
    fn data_may_stand_on_several_lines_and_without_the_space() {
        let event = b"data:{\"choices\":\ndata: [{\"delta\":{\"content\":\"hi\"}}]\r\ndata\rdata:}\n\n";
        assert_eq!(read_event(event).unwrap().content_bytes, 2);
        assert!(read_event(b"data:[DONE]\n\n").unwrap().terminal);
    }

    #[test]
    fn an_event_for_usage_alone_is_known_from_one_that_carries_both() {
        let alone = b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":2}}\n\n";
        let both = b"data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":2}}\n\n";
        let usage = UsageReport::Reported(TokenUsage {
            input: 4,
            output: 2,
            ..TokenUsage::default()
        });
        assert_eq!(read_event(alone).unwrap().usage, Some(usage));
        assert_eq!(read_event(both).unwrap().usage, Some(usage));
        let is_only_usage = |event: &[u8]| read_event(event).unwrap().only_usage;
        assert!(is_only_usage(alone) && !is_only_usage(both));
        assert!(!is_only_usage(
            b"data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n"
        ));
        assert!(!is_only_usage(b"data: {\"choices\":[],\"usage\":null}\n\n"));
    }

    #[test]
    fn errors_are_told_from_malformed_events() {
        let error = read_event(b"data: {\"error\":{\"message\":\"over\\nloaded\",\"code\":502}}\n\n").unwrap_err();
        let BadEvent::Error(object) = error else {
            panic!("{error:?}")
        };
        assert_eq!(object.to_string(), "502");
        let named = read_event(b"event: error\ndata: {\"detail\":\"gone\"}\n\n");
        assert!(matches!(named, Err(BadEvent::Error(_))));
        assert!(read_event(b"data: {\"choices\":[],\"error\":null}\n\n").is_ok());
        for bad in [
            "data: {\"a\n\n",
            "data: hello\n\n",
            "data: [1]\n\n",
            "data: {\"choices\":7}\n\n",
        ] {
            assert_eq!(read_event(bad.as_bytes()), Err(BadEvent::Malformed), "{bad:?}");
        }
    }
}
