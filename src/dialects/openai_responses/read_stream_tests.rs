use gateway_actors::protocol::{TokenUsage, UsageReport};

use super::*;
use crate::dialects::neutral::{FinishReason, OpaqueKind};
use crate::dialects::openai_responses::grammar::tests::events;
use crate::dialects::sse::{Framing, Splitter};

/// A stream of OpenAI's, by the events of `openai` 3.57.0, shortened: reasoning, a text, two calls.
const RICH: &str = include_str!("samples/stream.sse");

/// What a stream says, fed in chunks of this size.
fn read(text: &str, chunk: usize) -> Result<Vec<Event<'static>>, TranslationError> {
    let mut reader = Reader::default();
    let mut splitter = Splitter::new(Framing::Events);
    let (mut said, mut event) = (Vec::new(), Vec::new());
    for mut bytes in text.as_bytes().chunks(chunk) {
        while let Some(end) = splitter.event_end(bytes) {
            event.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end..];
            splitter.taken(end);
            let whole = std::mem::take(&mut event);
            reader.read(&EventText::read(Framing::Events, &whole), &mut |event| {
                said.push(owned(event))
            })?;
        }
        event.extend_from_slice(bytes);
        splitter.next_chunk();
    }
    Ok(said)
}

pub(in crate::dialects::openai_responses) fn owned(event: Event<'_>) -> Event<'static> {
    let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    match event {
        Event::Begin { id, model } => Event::Begin {
            id: own(id),
            model: own(model),
        },
        Event::Text(text) => Event::Text(own(text)),
        Event::Refusal(text) => Event::Refusal(own(text)),
        Event::Reasoning(text) => Event::Reasoning(own(text)),
        Event::Opaque(opaque) => Event::Opaque(crate::dialects::neutral::Opaque {
            kind: opaque.kind,
            data: own(opaque.data),
            origin: opaque.origin,
        }),
        Event::ToolCall { index, id, name } => Event::ToolCall {
            index,
            id: own(id),
            name: own(name),
        },
        Event::Arguments { index, json } => Event::Arguments { index, json: own(json) },
        Event::Finish(FinishReason::StopText(_)) => Event::Finish(FinishReason::Stop),
        Event::Finish(FinishReason::Stop) => Event::Finish(FinishReason::Stop),
        Event::Finish(FinishReason::Length) => Event::Finish(FinishReason::Length),
        Event::Finish(FinishReason::ToolCalls) => Event::Finish(FinishReason::ToolCalls),
        Event::Finish(FinishReason::Refused) => Event::Finish(FinishReason::Refused),
        Event::Finish(FinishReason::Paused) => Event::Finish(FinishReason::Paused),
        Event::ServiceTier(tier) => Event::ServiceTier(own(tier)),
        Event::Usage(usage) => Event::Usage(usage),
    }
}

fn text(text: &'static str) -> Event<'static> {
    Event::Text(text.into())
}

fn arguments(index: u32, json: &'static str) -> Event<'static> {
    Event::Arguments {
        index,
        json: json.into(),
    }
}

fn call(index: u32, id: &'static str, name: &'static str) -> Event<'static> {
    Event::ToolCall {
        index,
        id: id.into(),
        name: name.into(),
    }
}

#[test]
fn a_stream_says_the_same_however_it_is_cut() {
    let expected = vec![
        Event::Begin {
            id: "resp_1".into(),
            model: "gpt-6".into(),
        },
        Event::Reasoning("I thi".into()),
        Event::Reasoning("nk.".into()),
        Event::Reasoning("\n\n".into()),
        Event::Reasoning("More.".into()),
        Event::Opaque(crate::dialects::neutral::Opaque {
            kind: OpaqueKind::Encrypted,
            data: "rs_1|gAAA=".into(),
            origin: None,
        }),
        text("Hello"),
        text(" wörld"),
        call(0, "call_1", "look"),
        arguments(0, "{\"a\""),
        arguments(0, ":1}"),
        call(1, "call_2", "sql"),
        arguments(1, "{\"input\":\""),
        arguments(1, "SELECT \\\"a\\\""),
        arguments(1, "\\n"),
        arguments(1, "\"}"),
        Event::Finish(FinishReason::ToolCalls),
        Event::Usage(UsageReport::Reported(TokenUsage {
            input: 36,
            output: 87,
            reasoning: 7,
            ..TokenUsage::default()
        })),
    ];
    for chunk in 1..RICH.len() {
        assert_eq!(read(RICH, chunk).unwrap(), expected, "chunks of {chunk}");
    }
}

fn stream(events: &[&str]) -> String {
    events.iter().map(|data| format!("data: {data}\n\n")).collect()
}

#[test]
fn items_that_come_whole_are_given_on_when_they_are_done() {
    let text_of =
        r#"{"type":"message","content":[{"type":"output_text","text":"Hi"},{"type":"refusal","refusal":"no"}]}"#;
    let thought = r#"{"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"w"}]}"#;
    let called = r#"{"type":"function_call","call_id":"c1","name":"look","namespace":"ns","arguments":"{}"}"#;
    let custom = r#"{"type":"custom_tool_call","call_id":"c2","name":"sql","input":"a\"b"}"#;
    let expected = vec![
        Event::Begin {
            id: Cow::Borrowed(""),
            model: Cow::Borrowed(""),
        },
        Event::Reasoning("w".into()),
        text("Hi"),
        Event::Refusal("no".into()),
        call(0, "c1", "ns__look"),
        arguments(0, "{}"),
        call(1, "c2", "sql"),
        arguments(1, "{\"input\":\""),
        arguments(1, "a\\\"b"),
        arguments(1, "\"}"),
        Event::Finish(FinishReason::ToolCalls),
        Event::Usage(UsageReport::Missing),
    ];
    let items = [thought, text_of, called, custom];
    let done: Vec<String> = items
        .iter()
        .enumerate()
        .map(|(at, item)| format!(r#"{{"type":"response.output_item.done","output_index":{at},"item":{item}}}"#))
        .collect();
    let end = r#"{"type":"response.completed","response":{"status":"completed"}}"#;
    let with_items: Vec<&str> = done.iter().map(String::as_str).chain([end]).collect();
    assert_eq!(read(&stream(&with_items), 1_000).unwrap(), expected);
    // Some send only the whole response.
    let whole = format!(
        r#"{{"type":"response.completed","response":{{"status":"completed","output":[{}]}}}}"#,
        items.join(",")
    );
    assert_eq!(read(&stream(&[&whole]), 1_000).unwrap(), expected);
}

#[test]
fn of_words_and_a_summary_of_them_one_is_told() {
    let added = r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs_1"}}"#;
    let delta =
        |kind: &str, delta: &str| format!(r#"{{"type":"response.{kind}.delta","output_index":0,"delta":"{delta}"}}"#);
    let events = [
        delta("reasoning_text", "words"),
        delta("reasoning_summary_text", "summary"),
        delta("reasoning_text", " more"),
    ];
    let done = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs_1",
        "summary":[{"text":"summary"}]}}"#
        .replace('\n', " ");
    let events: Vec<&str> = [added]
        .into_iter()
        .chain(events.iter().map(String::as_str))
        .chain([&*done])
        .collect();
    let said = read(&stream(&events), 1_000).unwrap();
    assert_eq!(
        said[1..],
        [Event::Reasoning("words".into()), Event::Reasoning(" more".into())]
    );
}

#[test]
fn a_custom_input_that_is_cut_off_is_closed() {
    let events = [
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"custom_tool_call","call_id":"c","name":"n"}}"#,
        r#"{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"ab"}"#,
        r#"{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}}"#,
    ];
    let said = read(&stream(&events), 1_000).unwrap();
    let expected = [
        arguments(0, "{\"input\":\""),
        arguments(0, "ab"),
        arguments(0, "\"}"),
        Event::Finish(FinishReason::Length),
        Event::Usage(UsageReport::Missing),
    ];
    assert_eq!(said[2..], expected);
}

#[test]
fn a_refusal_is_a_whole_answer() {
    let events = [
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message"}}"#,
        r#"{"type":"response.refusal.delta","output_index":0,"delta":"no"}"#,
        r#"{"type":"response.completed","response":{"status":"completed"}}"#,
    ];
    let said = read(&stream(&events), 1_000).unwrap();
    assert_eq!(
        said[1..3],
        [Event::Refusal("no".into()), Event::Finish(FinishReason::Stop)]
    );
}

#[test]
fn errors_and_what_is_no_event_stop_the_stream() {
    for data in [
        r#"{"type":"error","code":"x","message":"y"}"#,
        r#"{"type":"response.failed","response":{"error":{"code":"x"}}}"#,
        r#"{"delta":"x"}"#,
        "{",
        "hello",
    ] {
        assert!(read(&stream(&[data]), 1_000).is_err(), "{data}");
    }
    for quiet in [
        "",
        "[DONE]",
        r#"{"type":"keepalive"}"#,
        r#"{"type":"response.output_text.delta","delta":"lost"}"#,
    ] {
        assert_eq!(read(&stream(&[quiet]), 1_000).unwrap(), [], "{quiet}");
    }
}

#[test]
fn a_stream_that_is_cut_at_an_event_has_no_finish() {
    let all = events(RICH);
    for length in 0..all.len() - 1 {
        let text = String::from_utf8(all[..length].concat()).unwrap();
        let said = read(&text, 1_000).unwrap();
        assert!(!said.iter().any(|event| matches!(event, Event::Finish(_))), "{length}");
    }
}
