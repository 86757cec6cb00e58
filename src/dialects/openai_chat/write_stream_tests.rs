use serde_json::{Value, json};

use super::super::grammar::check_stream;
use super::super::read_stream::Reader;
use super::super::samples::{any_usage, context, context_with, in_words, read_events, some_text};
use super::*;
use crate::dialects::neutral::{OpaqueKind, Tool, ToolKind, ToolName, ToolNames};
use crate::fuzz::{Rng, fuzz, pick};

/// What a writer makes of events, with the end if it is to have one.
fn written(context: AnswerContext, events: Vec<Event<'_>>, with_end: bool) -> String {
    let mut writer = Writer::new(Rc::new(context));
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    if with_end {
        writer.end(&mut out);
    }
    String::from_utf8(out).unwrap()
}

/// The data of each event.
fn chunks(text: &str) -> Vec<Value> {
    let data = text.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn deltas(text: &str) -> Vec<Value> {
    let of_choices = chunks(text).into_iter().filter(|chunk| chunk["choices"][0].is_object());
    of_choices.map(|chunk| chunk["choices"][0]["delta"].clone()).collect()
}

fn begin() -> Event<'static> {
    Event::Begin {
        id: "msg_1".into(),
        model: "claude-x".into(),
    }
}

fn text(text: &str) -> Event<'_> {
    Event::Text(text.into())
}

fn call(index: u32, id: &'static str, name: &'static str) -> Event<'static> {
    Event::ToolCall {
        index,
        id: id.into(),
        name: name.into(),
    }
}

fn arguments(index: u32, json: &str) -> Event<'_> {
    Event::Arguments {
        index,
        json: json.into(),
    }
}

fn opaque(kind: OpaqueKind) -> Event<'static> {
    Event::Opaque(Opaque {
        kind,
        data: "sealed".into(),
        origin: None,
    })
}

fn usage() -> Event<'static> {
    Event::Usage(UsageReport::Reported(gateway_actors::protocol::TokenUsage {
        input: 9,
        output: 5,
        ..Default::default()
    }))
}

const STOP: Event<'static> = Event::Finish(FinishReason::Stop);

#[test]
fn a_stream_has_every_member_that_the_schema_requires() {
    let out = written(context(), vec![begin(), text("a\n"), usage(), STOP], true);
    assert_eq!(check_stream(&out), Ok(()));
    let chunks = chunks(&out);
    let chunk = |delta: Value, finish_reason: Value| {
        json!({"id": "msg_1", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": "claude-x", "usage": null,
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}]})
    };
    let expected = [
        chunk(
            json!({"role": "assistant", "content": "", "refusal": null}),
            Value::Null,
        ),
        chunk(json!({"content": "a\n"}), Value::Null),
        chunk(json!({}), json!("stop")),
    ];
    assert_eq!(chunks[..3], expected);
    assert_eq!(
        (&chunks[3]["choices"], &chunks[3]["usage"]["total_tokens"]),
        (&json!([]), &json!(14))
    );
}

#[test]
fn usage_is_told_only_to_a_client_that_wants_it() {
    let context = context_with(|context| context.wants_usage = false);
    let out = written(context, vec![begin(), text("a"), STOP, usage()], true);
    assert_eq!(check_stream(&out), Ok(()));
    assert!(!out.contains("usage"));
}

#[test]
fn a_stream_that_was_not_finished_has_no_end() {
    for events in [vec![], vec![begin()], vec![begin(), text("a"), usage()]] {
        let out = written(context(), events, true);
        assert!(!out.contains("[DONE]") && check_stream(&out).is_err());
    }
    let whole = written(context(), vec![begin(), text("a"), STOP], true);
    for (end, _) in whole.match_indices("\n\n") {
        let is_whole = end + 2 == whole.len();
        assert_eq!(check_stream(&whole[..end + 2]).is_ok(), is_whole, "cut at {end}");
    }
}

#[test]
fn calls_are_numbered_from_nothing_and_one_without_arguments_gets_an_object() {
    let events = vec![
        begin(),
        call(3, "call_a", "look"),
        call(7, "call_b", "hear"),
        arguments(3, "{\"at\""),
        arguments(9, "lost"),
        arguments(3, ":1}"),
        STOP,
    ];
    let out = written(context(), events, true);
    assert_eq!(check_stream(&out), Ok(()));
    let calls: Vec<Value> = deltas(&out)
        .into_iter()
        .filter_map(|mut delta| Some(delta.get_mut("tool_calls")?[0].take()))
        .collect();
    assert_eq!(
        calls,
        [
            json!({"index": 0, "id": "call_a", "type": "function", "function": {"name": "look", "arguments": ""}}),
            json!({"index": 1, "id": "call_b", "type": "function", "function": {"name": "hear", "arguments": ""}}),
            json!({"index": 0, "function": {"arguments": "{\"at\""}}),
            json!({"index": 0, "function": {"arguments": ":1}"}}),
            json!({"index": 1, "function": {"arguments": "{}"}}),
        ]
    );
    assert!(out.contains("\"finish_reason\":\"tool_calls\""));
}

#[test]
fn reasoning_comes_as_text_and_as_entries_with_what_belongs_to_it() {
    let events = vec![
        begin(),
        Event::Reasoning("h".into()),
        Event::Reasoning("m".into()),
        opaque(OpaqueKind::Signature),
        opaque(OpaqueKind::Redacted),
        text("so"),
        opaque(OpaqueKind::ThoughtSignature),
        call(0, "call_a", "look"),
        arguments(0, "{}"),
        STOP,
    ];
    let out = written(context(), events, true);
    assert_eq!(check_stream(&out), Ok(()));
    let deltas = deltas(&out);
    let entries: Vec<&Value> = deltas
        .iter()
        .filter_map(|delta| delta.get("reasoning_details")?.get(0))
        .collect();
    let words = |text: &str| json!({"type": "reasoning.text", "text": text, "index": 0});
    assert_eq!(entries[..2], [&words("h"), &words("m")]);
    assert_eq!(
        (&entries[2]["type"], &entries[2]["index"]),
        (&json!("reasoning.text"), &json!(0))
    );
    assert!(entries[2]["signature"].as_str().unwrap().starts_with("gw1.s."));
    assert_eq!(
        (&entries[3]["type"], &entries[3]["index"]),
        (&json!("reasoning.encrypted"), &json!(1))
    );
    assert_eq!((&entries[4]["id"], &entries[4]["index"]), (&json!("call_a"), &json!(2)));
    let words: String = deltas
        .iter()
        .filter_map(|delta| delta["reasoning_content"].as_str())
        .collect();
    assert_eq!(words, "hm");
}

#[test]
fn a_tool_of_plain_text_is_called_with_its_text_once_that_is_whole() {
    let tool = Tool {
        name: ToolName::plain("shell"),
        description: None,
        kind: ToolKind::Custom { format: None },
        cache: None,
    };
    let context = context_with(|context| context.tools = ToolNames::of(&[tool]));
    let events = vec![
        begin(),
        call(0, "a", "shell"),
        arguments(0, "{\"inp"),
        arguments(0, "ut\":\"ls\"}"),
        STOP,
    ];
    let out = written(context, events, true);
    assert_eq!(check_stream(&out), Ok(()));
    let deltas = deltas(&out);
    let custom = json!({"index": 0, "id": "a", "type": "custom", "custom": {"name": "shell", "input": ""}});
    assert_eq!(deltas[1]["tool_calls"][0], custom);
    assert_eq!(
        deltas[2]["tool_calls"][0],
        json!({"index": 0, "custom": {"input": "ls"}})
    );
}

#[test]
fn a_client_of_the_older_form_gets_its_first_call_in_it() {
    let context = context_with(|context| context.legacy_functions = true);
    let events = vec![
        begin(),
        call(0, "a", "f"),
        call(1, "b", "g"),
        arguments(0, "{}"),
        arguments(1, "{}"),
        STOP,
    ];
    let out = written(context, events, true);
    assert_eq!(check_stream(&out), Ok(()));
    let deltas = deltas(&out);
    assert_eq!(deltas[1], json!({"function_call": {"name": "f", "arguments": ""}}));
    assert_eq!(deltas[2]["tool_calls"][0]["index"], 0);
    assert_eq!(deltas[3], json!({"function_call": {"arguments": "{}"}}));
    assert!(out.contains("\"finish_reason\":\"function_call\""));
}

/// Events in the order that readers give them.
fn any_stream(rng: &mut Rng) -> Vec<Event<'static>> {
    let mut events = vec![begin()];
    let mut calls = 0;
    for _ in 0..rng.usize(..8) {
        let words = |rng: &mut Rng| std::borrow::Cow::Owned(format!("{}.", some_text(rng)));
        match rng.u8(..6) {
            0 => events.push(Event::Reasoning(words(rng))),
            1 => {
                if rng.bool() {
                    events.push(Event::Reasoning(words(rng)));
                }
                events.push(opaque(
                    *[OpaqueKind::Signature, OpaqueKind::Encrypted]
                        .get(rng.usize(..2))
                        .unwrap(),
                ));
            }
            2 => events.push(Event::Refusal(words(rng))),
            3 => {
                events.push(call(
                    calls,
                    pick(rng, &["call_a", "call_b"]),
                    pick(rng, &["look", "hear"]),
                ));
                events.push(arguments(calls, pick(rng, &["{}", "{\"a\":\"\\\"\"}", "no json"])));
                calls += 1;
            }
            _ => events.push(Event::Text(words(rng))),
        }
    }
    if rng.u8(..3) > 0 {
        events.push(Event::Usage(any_usage(rng)));
    }
    events.push(Event::Finish(match (rng.u8(..3), calls) {
        (0, _) => FinishReason::Length,
        (1, _) => FinishReason::Refused,
        (_, 0) => FinishReason::Stop,
        _ => FinishReason::ToolCalls,
    }));
    events
}

/// Events in words: those of one kind that follow each other as one, usage last.
fn meaning(events: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut read: Vec<String> = Vec::new();
    let mut usage = None;
    for event in events {
        let (kind, rest) = event.split_once(' ').unwrap();
        if kind == "usage" {
            usage = Some(event.clone()).filter(|_| rest != "Missing");
            continue;
        }
        let joins = ["text", "refusal", "reasoning"].contains(&kind);
        match read.last_mut().filter(|last| joins && last.starts_with(kind)) {
            Some(last) => last.push_str(rest),
            None => read.push(event),
        }
    }
    read.extend(usage);
    read
}

#[test]
fn there_and_back_a_stream_at_random_keeps_its_meaning() {
    fuzz("streams", |rng| {
        let events = any_stream(rng);
        let expected = meaning(events.iter().map(in_words));
        let out = written(context(), events, true);
        assert_eq!(check_stream(&out), Ok(()), "{out}");
        let back = read_events(&mut Reader::default(), &out).unwrap();
        assert_eq!(meaning(back), expected, "{out}");
    });
}

#[test]
fn whatever_comes_in_whatever_order_the_grammar_is_kept() {
    fuzz("events in any order", |rng| {
        let mut events = any_stream(rng);
        events.extend(any_stream(rng));
        events.push(arguments(rng.u32(..9), "{"));
        rng.shuffle(&mut events);
        events.truncate(rng.usize(..=events.len()));
        let finished = events.iter().any(|event| matches!(event, Event::Finish(_)));
        let out = written(context(), events, true);
        let checked = check_stream(&out);
        assert_eq!(checked.is_ok(), finished, "{checked:?}: {out}");
    });
}
