//! One event of a stream: what it is, without keeping anything of it.

use std::borrow::Cow;
use std::fmt;

use gateway_actors::protocol::UsageReport;
use memchr::memchr2;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{is_string, raw_text, text};
use super::usage::usage_report;

/// The longest code that is kept.
const CODE_BYTES: usize = 64;

/// What is kept of a provider's error, for the log. Its message is not: it may repeat what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorObject {
    /// Its code, else its type, if that is a word of up to 64 letters, digits, dots, dashes and underscores.
    pub code: Option<String>,
}

impl fmt::Display for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_deref().unwrap_or("without a code"))
    }
}

impl ErrorObject {
    /// Reads the value of an `error` member: an object, or anything else.
    pub(super) fn read(value: &RawValue) -> Self {
        #[derive(Deserialize, Default)]
        struct Members<'a> {
            #[serde(borrow)]
            code: Option<&'a RawValue>,
            #[serde(borrow, rename = "type")]
            kind: Option<&'a RawValue>,
        }
        let members: Members<'_> = serde_json::from_str(value.get()).unwrap_or_default();
        let word = |value: &RawValue| {
            let word = text(value).unwrap_or(Cow::Borrowed(value.get()));
            is_word(&word).then(|| word.into_owned())
        };
        Self {
            code: members.code.and_then(word).or_else(|| members.kind.and_then(word)),
        }
    }
}

fn is_word(text: &str) -> bool {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=CODE_BYTES).contains(&text.len()) && text != "null" && text.bytes().all(may_stand)
}

/// What one event is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// Bytes of answer text, of reasoning and of tool calls in it: at least as many as the text has.
    pub(super) content_bytes: u64,
    /// Whether it says anything a client waits for.
    pub(super) meaningful: bool,
    /// Whether a choice is finished with it.
    pub(super) finished: bool,
    /// What it says of usage, if it says something.
    pub(super) usage: Option<UsageReport>,
    /// Whether it is there only for the usage: it has no choice.
    pub(super) only_usage: bool,
    /// Whether it is the end mark.
    pub(super) terminal: bool,
}

/// Why an event is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadEvent {
    /// Its data is not JSON, or not of a chunk's shape.
    Malformed,
    /// It is an error.
    Error(ErrorObject),
}

/// Looks at one whole event.
pub(super) fn read_event(event: &[u8]) -> Result<Seen, BadEvent> {
    let (data, is_error) = data_of(event);
    let data = data.trim_ascii();
    if data.is_empty() {
        return Ok(Seen::default());
    }
    if data == b"[DONE]" {
        return Ok(Seen {
            terminal: true,
            ..Seen::default()
        });
    }
    let chunk: Chunk<'_> = serde_json::from_slice(data).map_err(|_error| BadEvent::Malformed)?;
    if let Some(error) = chunk.error {
        return Err(BadEvent::Error(ErrorObject::read(error)));
    }
    if is_error {
        return Err(BadEvent::Error(ErrorObject { code: None }));
    }
    let usage = chunk
        .usage
        .map(usage_report)
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

/// The data of an event, and whether its name is `error`. Lines of data are joined by line ends, as the format has it.
fn data_of(event: &[u8]) -> (Cow<'_, [u8]>, bool) {
    let mut data: Option<Cow<'_, [u8]>> = None;
    let mut is_error = false;
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
        } else if value_of(line, b"event") == Some(b"error") {
            is_error = true;
        }
    }
    (data.unwrap_or_default(), is_error)
}

/// The value of a field, if the line is of that field.
fn value_of<'a>(line: &'a [u8], field: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(field)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
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
            sum.finished |= choice.finish_reason.is_some_and(is_string);
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
