//! Reads the text of a stream as a strict client does, and checks it event by event.

use std::collections::HashSet;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::*;
use crate::dialects::json::is_object;
use crate::dialects::sse::{EventText, Framing, Splitter};

/// The events of a text: their names and their data.
pub(in crate::dialects) fn events_of(text: &str) -> Vec<(String, Vec<u8>)> {
    let mut splitter = Splitter::new(Framing::Events);
    let mut rest = text.as_bytes();
    let mut events = Vec::new();
    while let Some(end) = splitter.event_end(rest) {
        let event = EventText::read(Framing::Events, &rest[..end]);
        let name = String::from_utf8(event.name.unwrap_or_default().to_vec()).unwrap();
        events.push((name, event.data.to_vec()));
        rest = &rest[end..];
        splitter.taken(end);
    }
    assert!(rest.is_empty(), "half an event: {:?}", String::from_utf8_lossy(rest));
    events
}

/// Checks a whole stream: the order of its events, their members, the ids of its calls, and that the pieces of each
/// call's input make one JSON object, unless the answer was cut short.
pub(in crate::dialects) fn check_stream(text: &str) -> Result<(), String> {
    let mut check = Check::default();
    for (name, data) in events_of(text) {
        let event: Value = serde_json::from_slice(&data).map_err(|error| format!("{name}: {error}"))?;
        check.event(&name, &event).map_err(|why| format!("{why}: {event}"))?;
    }
    if check.grammar.is_over() {
        Ok(())
    } else {
        Err("it is not over".to_owned())
    }
}

#[derive(Default)]
struct Check {
    grammar: Grammar,
    /// The input of the open call.
    input: Option<String>,
    /// Input of a call that is no object: only an answer that was cut short may have it.
    broken: Option<String>,
    ids: HashSet<String>,
}

impl Check {
    fn event(&mut self, name: &str, event: &Value) -> Result<(), String> {
        let event = event.as_object().ok_or("it is no object")?;
        if text(event, "type")? != name {
            return Err("it is named otherwise than its type says".to_owned());
        }
        let step = match name {
            "message_start" => {
                start_of_message(object(event, "message")?)?;
                Step::MessageStart
            }
            "content_block_start" => Step::BlockStart {
                index: index(event)?,
                block: self.start_of_block(object(event, "content_block")?)?,
            },
            "content_block_delta" => Step::BlockDelta {
                index: index(event)?,
                delta: self.delta(object(event, "delta")?)?,
            },
            "content_block_stop" => {
                self.end_of_block();
                Step::BlockStop { index: index(event)? }
            }
            "message_delta" => {
                let delta = object(event, "delta")?;
                let reason = text(delta, "stop_reason")?;
                if let Some(broken) = self.broken.take().filter(|_| reason != "max_tokens") {
                    return Err(format!("the input {broken:?} is no object"));
                }
                delta.get("stop_sequence").ok_or("no stop_sequence")?;
                usage(object(event, "usage")?)?;
                Step::MessageDelta
            }
            "message_stop" => Step::MessageStop,
            "ping" => Step::Ping,
            "error" => {
                let error = object(event, "error")?;
                text(error, "type")?;
                text(error, "message")?;
                Step::Error
            }
            other => return Err(format!("no event is called {other}")),
        };
        self.grammar.step(step).map_err(|violation| violation.to_string())
    }

    fn start_of_block(&mut self, block: &Map<String, Value>) -> Result<BlockKind, String> {
        Ok(match text(block, "type")? {
            "text" => {
                text(block, "text")?;
                BlockKind::Text
            }
            "thinking" => {
                text(block, "thinking")?;
                text(block, "signature")?;
                BlockKind::Thinking
            }
            "redacted_thinking" => {
                text(block, "data")?;
                BlockKind::RedactedThinking
            }
            "tool_use" => {
                let id = text(block, "id")?;
                let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
                if id.is_empty() || !id.bytes().all(may_stand) || !self.ids.insert(id.to_owned()) {
                    return Err(format!("the id {id:?} is none, or not the only one"));
                }
                text(block, "name")?;
                object(block, "input")?;
                self.input = Some(String::new());
                BlockKind::ToolUse
            }
            other => return Err(format!("no block is of type {other}")),
        })
    }

    fn delta(&mut self, delta: &Map<String, Value>) -> Result<DeltaKind, String> {
        Ok(match text(delta, "type")? {
            "text_delta" => {
                text(delta, "text")?;
                DeltaKind::Text
            }
            "citations_delta" => DeltaKind::Citations,
            "thinking_delta" => {
                text(delta, "thinking")?;
                DeltaKind::Thinking
            }
            "signature_delta" => {
                text(delta, "signature")?;
                DeltaKind::Signature
            }
            "input_json_delta" => {
                let piece = text(delta, "partial_json")?;
                self.input.as_mut().ok_or("no call is open")?.push_str(piece);
                DeltaKind::InputJson
            }
            other => return Err(format!("no delta is of type {other}")),
        })
    }

    fn end_of_block(&mut self) {
        let input = self.input.take().filter(|input| !input.is_empty());
        let is_whole = |input: &String| serde_json::from_str::<&RawValue>(input).is_ok_and(is_object);
        self.broken = input.filter(|input| !is_whole(input)).or(self.broken.take());
    }
}

fn text<'v>(object: &'v Map<String, Value>, name: &str) -> Result<&'v str, String> {
    let value = object.get(name).and_then(Value::as_str);
    value.ok_or_else(|| format!("no text {name}"))
}

fn object<'v>(object: &'v Map<String, Value>, name: &str) -> Result<&'v Map<String, Value>, String> {
    let value = object.get(name).and_then(Value::as_object);
    value.ok_or_else(|| format!("no object {name}"))
}

fn index(event: &Map<String, Value>) -> Result<u64, String> {
    event
        .get("index")
        .and_then(Value::as_u64)
        .ok_or_else(|| "no index".to_owned())
}

fn usage(usage: &Map<String, Value>) -> Result<(), String> {
    for count in [
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "output_tokens",
    ] {
        usage
            .get(count)
            .and_then(Value::as_u64)
            .ok_or_else(|| format!("no count {count}"))?;
    }
    Ok(())
}

fn start_of_message(message: &Map<String, Value>) -> Result<(), String> {
    for (name, expected) in [("type", "message"), ("role", "assistant")] {
        if text(message, name)? != expected {
            return Err(format!("{name} is not {expected}"));
        }
    }
    if text(message, "id")?.is_empty() || text(message, "model")?.is_empty() {
        return Err("id or model is none".to_owned());
    }
    let is_empty = message
        .get("content")
        .and_then(Value::as_array)
        .is_some_and(Vec::is_empty);
    let is_open = ["stop_reason", "stop_sequence"]
        .into_iter()
        .all(|name| message.get(name) == Some(&Value::Null));
    if !is_empty || !is_open {
        return Err("it holds what comes later".to_owned());
    }
    usage(object(message, "usage")?)
}

const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\
    \"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\
    \"input_tokens\":1,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":0}}}\n\n";

fn event(data: &str) -> String {
    let value: Value = serde_json::from_str(data).unwrap();
    format!("event: {}\ndata: {data}\n\n", value["type"].as_str().unwrap())
}

fn text_block(index: u64, delta: &str) -> [String; 3] {
    [
        event(&format!(
            r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"text","text":""}}}}"#
        )),
        event(&format!(
            r#"{{"type":"content_block_delta","index":{index},"delta":{delta}}}"#
        )),
        event(&format!(r#"{{"type":"content_block_stop","index":{index}}}"#)),
    ]
}

fn ending() -> [String; 2] {
    [
        event(
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":1,
            "cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":2}}"#
                .replace("\n            ", "")
                .as_str(),
        ),
        event(r#"{"type":"message_stop"}"#),
    ]
}

/// A good stream, event by event.
fn good() -> Vec<String> {
    let text = r#"{"type":"text_delta","text":"hi"}"#;
    let mut events = vec![START.to_owned(), event(r#"{"type":"ping"}"#)];
    events.extend(text_block(0, text));
    events.extend(text_block(1, text));
    events.extend(ending());
    events
}

#[test]
fn a_stream_of_anthropics_passes_and_none_of_it_may_be_missing_doubled_or_exchanged() {
    let events = good();
    check_stream(&events.concat()).unwrap();
    for place in 0..events.len() {
        let is_ping = events[place].contains("ping");
        let is_delta = events[place].contains("_delta\"");
        let mut without = events.clone();
        without.remove(place);
        assert_eq!(
            check_stream(&without.concat()).is_ok(),
            is_ping || events[place].contains("text_delta")
        );
        let mut twice = events.clone();
        twice.insert(place, events[place].clone());
        assert_eq!(
            check_stream(&twice.concat()).is_ok(),
            is_ping || is_delta,
            "{}",
            events[place]
        );
        if place > 0 {
            let mut exchanged = events.clone();
            exchanged.swap(place, place - 1);
            let stays_good = [place, place - 1].iter().any(|place| events[*place].contains("ping")) && place > 1;
            assert_eq!(
                check_stream(&exchanged.concat()).is_ok(),
                stays_good,
                "{}",
                events[place]
            );
        }
    }
}

#[test]
fn a_stream_that_is_cut_is_not_over() {
    let events = good();
    for length in 0..events.len() {
        assert!(check_stream(&events[..length].concat()).is_err(), "{length}");
    }
}

#[test]
fn a_delta_must_be_of_its_blocks_kind() {
    let mut grammar = Grammar::default();
    let block = BlockKind::Thinking;
    grammar.step(Step::MessageStart).unwrap();
    grammar.step(Step::BlockStart { index: 0, block }).unwrap();
    let mut delta = |delta| grammar.step(Step::BlockDelta { index: 0, delta });
    for (kind, is_allowed) in [
        (DeltaKind::Text, false),
        (DeltaKind::InputJson, false),
        (DeltaKind::Thinking, true),
        (DeltaKind::Signature, true),
        (DeltaKind::Signature, false),
        (DeltaKind::Thinking, false),
    ] {
        assert_eq!(delta(kind).is_ok(), is_allowed, "{kind:?}");
    }
}

#[test]
fn an_error_ends_a_stream_and_no_good_one() {
    let mut events = good();
    events.truncate(4);
    events.push(event(
        r#"{"type":"error","error":{"type":"overloaded_error","message":"try again"},"request_id":"r"}"#,
    ));
    assert_eq!(check_stream(&events.concat()), Err("it is not over".to_owned()));
    events.extend(ending());
    assert!(check_stream(&events.concat()).unwrap_err().contains("after the end"));
}
