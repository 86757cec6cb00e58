use gateway_actors::protocol::{TokenUsage, TranslationError};
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::grammar::check_stream;
use super::super::read_stream::Reader;
use super::super::testing::model;
use super::*;
use crate::dialects::json::is_object;
use crate::dialects::neutral::StreamReader as _;
use crate::dialects::sse::{EventText, Framing, Splitter};
use crate::fuzz::{Rng, fuzz, json as any_json, pick};

fn writer() -> Writer {
    Writer::new(Rc::new(AnswerContext {
        id: "0190".to_owned(),
        ..AnswerContext::new(&model("small"), 0)
    }))
}

fn text(text: &str) -> Event<'_> {
    Event::Text(text.into())
}

fn thought(text: &str) -> Event<'_> {
    Event::Reasoning(text.into())
}

fn state(kind: OpaqueKind, data: &str) -> Event<'_> {
    Event::Opaque(Opaque {
        kind,
        data: data.into(),
        origin: None,
    })
}

fn call<'a>(index: u32, id: &'a str) -> Event<'a> {
    Event::ToolCall {
        index,
        id: id.into(),
        name: "read".into(),
    }
}

fn input(index: u32, json: &str) -> Event<'_> {
    Event::Arguments {
        index,
        json: json.into(),
    }
}

fn usage(input: u64, output: u64) -> Event<'static> {
    Event::Usage(UsageReport::Reported(TokenUsage {
        input,
        output,
        ..TokenUsage::default()
    }))
}

/// The stream that is written for these events, which passes the grammar.
#[track_caller]
fn written(events: Vec<Event<'_>>) -> String {
    let mut writer = writer();
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    writer.end(&mut out);
    let length = out.len();
    writer.write(text("late"), &mut out);
    writer.end(&mut out);
    assert_eq!(out.len(), length, "nothing comes after the end");
    let out = String::from_utf8(out).unwrap();
    check_stream(&out).unwrap_or_else(|why| panic!("{why}\n{out}"));
    out
}

/// The blocks of a stream as a client puts them together: their type, what is in them, and their signature.
fn blocks(stream: &str) -> Vec<[String; 3]> {
    let mut blocks: Vec<[String; 3]> = Vec::new();
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    for event in data.map(|data| serde_json::from_str::<Value>(data).unwrap()) {
        let block = &event["content_block"];
        if block.is_object() {
            let begun = ["id", "data"]
                .iter()
                .find_map(|name| block[name].as_str())
                .unwrap_or_default();
            blocks.push([
                block["type"].as_str().unwrap().to_owned(),
                begun.to_owned(),
                String::new(),
            ]);
        }
        let delta = &event["delta"];
        let Some([_, content, signature]) = blocks.last_mut().filter(|_| event["index"].is_u64()) else {
            continue;
        };
        for name in ["text", "thinking", "partial_json"] {
            content.push_str(delta[name].as_str().unwrap_or_default());
        }
        signature.push_str(delta["signature"].as_str().unwrap_or_default());
    }
    blocks
}

fn block(kind: &str, content: &str, signature: &str) -> [String; 3] {
    [kind, content, signature].map(str::to_owned)
}

#[test]
fn a_stream_has_its_start_its_blocks_and_its_end() {
    let begin = Event::Begin {
        id: "".into(),
        model: "m".into(),
    };
    let stream = written(vec![
        begin,
        usage(7, 1),
        text("He"),
        text("llo"),
        Event::Finish(FinishReason::StopText(Some("END".into()))),
        usage(7, 9),
    ]);
    let counts = |output: u64| {
        format!(
            r#"{{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":{output}}}"#
        )
    };
    let of_start = counts(1).replace(
        r#""output_tokens""#,
        r#""cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens""#,
    );
    let delta = |text: &str| {
        format!(
            "event: content_block_delta\n\
             data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}\n\n"
        )
    };
    let expected = [
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_0190\",\"type\":\"message\",\
         \"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":",
        &of_start,
        "}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\
         \"type\":\"text\",\"text\":\"\"}}\n\n",
        &delta("He"),
        &delta("llo"),
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
         event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"stop_sequence\",\
         \"stop_sequence\":\"END\"},\"usage\":",
        &counts(9),
        "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    ]
    .concat();
    assert_eq!(stream, expected);
}

#[test]
fn an_empty_answer_is_a_whole_stream() {
    let stream = written(vec![]);
    assert!(
        stream.contains("\"model\":\"small\"") && stream.contains("\"stop_reason\":\"end_turn\""),
        "{stream}"
    );
    assert!(
        blocks(&written(vec![
            text(""),
            thought(""),
            Event::Finish(FinishReason::Length)
        ]))
        .is_empty()
    );
}

#[test]
fn thinking_is_signed_by_what_belongs_to_it_and_a_block_of_its_own_holds_what_belongs_to_none() {
    let stream = written(vec![
        thought("a"),
        thought("b"),
        state(OpaqueKind::Signature, "Eq"),
        thought("c"),
        text("d"),
        state(OpaqueKind::ThoughtSignature, "xyz"),
        state(OpaqueKind::Redacted, "Em"),
        call(0, "1"),
        input(0, "{}"),
    ]);
    let blocks = blocks(&stream);
    let marked = blocks[3][2].clone();
    assert!(marked.starts_with("gw1.t.") && marked.ends_with(".xyz"), "{marked}");
    assert_eq!(
        blocks,
        [
            block("thinking", "ab", "Eq"),
            block("thinking", "c", ""),
            block("text", "d", ""),
            block("thinking", "", &marked),
            block("redacted_thinking", "Em", ""),
            block("tool_use", "1{}", ""),
        ]
    );
}

#[test]
fn calls_side_by_side_become_blocks_one_after_the_other() {
    let stream = written(vec![
        call(0, "a"),
        call(1, "b"),
        input(1, "{\"y\":"),
        input(0, "{\"x\":"),
        text("so "),
        text("it is"),
        thought("hm"),
        state(OpaqueKind::Signature, "Eq"),
        state(OpaqueKind::Redacted, "Em"),
        input(0, "1}"),
        // Now the first is whole; the second goes on.
        input(1, "2}"),
        input(0, "late"),
        call(1, "again"),
        input(7, "{}"),
        Event::Finish(FinishReason::ToolCalls),
        text("too late"),
    ]);
    assert_eq!(
        blocks(&stream),
        [
            block("tool_use", "a{\"x\":1}", ""),
            block("tool_use", "b{\"y\":2}", ""),
            block("text", "so it is", ""),
            block("thinking", "hm", "Eq"),
            block("redacted_thinking", "Em", ""),
        ]
    );
    assert!(stream.contains("\"stop_reason\":\"tool_use\""));
}

#[test]
fn a_call_that_begins_when_the_one_before_is_whole_is_written_at_once() {
    let mut writer = writer();
    let mut out = Vec::new();
    for event in [call(0, "a"), input(0, "{\"x\":1}"), call(1, "b"), input(1, "{\"y\"")] {
        writer.write(event, &mut out);
    }
    let so_far = String::from_utf8(out).unwrap();
    assert!(so_far.ends_with("\"partial_json\":\"{\\\"y\\\"\"}}\n\n"), "{so_far}");
}

#[test]
fn a_call_that_never_gets_input_and_one_whose_input_is_no_object_are_whole_all_the_same() {
    let stream = written(vec![
        call(0, "a"),
        call(1, "b"),
        input(1, "null"),
        call(2, "c"),
        input(2, "[1]"),
        Event::Finish(FinishReason::Stop),
    ]);
    let ids = ["a", "b", r#"c{"INVALID_JSON":"[1]"}"#];
    assert_eq!(blocks(&stream), ids.map(|id| block("tool_use", id, "")));
}

#[test]
fn a_call_that_was_cut_short_is_told_as_far_as_it_came() {
    let stream = written(vec![
        call(0, "a"),
        input(0, "{\"x\":[1"),
        Event::Finish(FinishReason::Length),
    ]);
    assert_eq!(blocks(&stream), [block("tool_use", "a{\"x\":[1", "")]);
    assert!(stream.contains("\"stop_reason\":\"max_tokens\""));
}

#[test]
fn ids_are_such_as_clients_take_and_a_refusal_is_told_by_the_reason() {
    let stream = written(vec![
        call(0, "call:1"),
        input(0, "{}"),
        call(1, "call:1"),
        input(1, "{}"),
    ]);
    let ids: Vec<_> = blocks(&stream).into_iter().map(|[_, id, _]| id).collect();
    assert_eq!(
        ids,
        ["gwx_63616c6c3a31{}", "gwx_63616c6c3a31_2{}"].map(|id| id.to_owned())
    );
    let stream = written(vec![
        Event::Refusal("I will not.".into()),
        Event::Finish(FinishReason::Stop),
    ]);
    assert_eq!(blocks(&stream), [block("text", "I will not.", "")]);
    assert!(stream.contains("\"stop_reason\":\"refusal\""));
}

/// Events in an order that a provider may send: the calls' inputs side by side, in pieces.
fn any_events(rng: &mut Rng) -> Vec<Event<'static>> {
    let mut events = vec![Event::Begin {
        id: "x".into(),
        model: "m".into(),
    }];
    let mut inputs: Vec<(u32, String)> = Vec::new();
    let mut calls = 0;
    for _ in 0..rng.usize(..20) {
        let words = pick(rng, &["", "a", "é\"\\\n", "😀", "{"]).to_owned();
        match rng.u8(..8) {
            0 => events.push(Event::Text(words.into())),
            1 => events.push(Event::Refusal(words.into())),
            2 => events.push(Event::Reasoning(words.into())),
            3 => {
                let kinds = [OpaqueKind::Signature, OpaqueKind::Redacted, OpaqueKind::Encrypted];
                events.push(Event::Opaque(Opaque {
                    kind: kinds[rng.usize(..3)],
                    data: "data".into(),
                    origin: None,
                }));
            }
            4 => events.push(usage(rng.u64(..100), rng.u64(..100))),
            5 => {
                events.push(Event::ToolCall {
                    index: calls,
                    id: pick(rng, &["", "same", "a:b", "toolu_1"]).to_owned().into(),
                    name: "read".into(),
                });
                let shapes = [
                    format!("{{\"a\":{}}}", any_json(rng, 2)),
                    String::new(),
                    any_json(rng, 1),
                ];
                inputs.push((calls, shapes[rng.usize(..8) % 3].clone()));
                calls += 1;
            }
            _ if inputs.is_empty() => {}
            _ => {
                let place = rng.usize(..inputs.len());
                let (index, rest) = &mut inputs[place];
                let length = (0..=rng.usize(..=rest.len()))
                    .rev()
                    .find(|at| rest.is_char_boundary(*at));
                let piece: String = rest.drain(..length.unwrap()).collect();
                events.push(Event::Arguments {
                    index: *index,
                    json: piece.into(),
                });
            }
        }
    }
    rng.shuffle(&mut inputs);
    for (index, rest) in inputs {
        events.push(Event::Arguments {
            index,
            json: rest.into(),
        });
    }
    if rng.bool() {
        events.push(Event::Finish(FinishReason::Stop));
        events.push(usage(5, 6));
    }
    events
}

/// What events say, whatever their pieces and their order among blocks: texts, thoughts, and each call's input.
fn meaning<'e, 'a: 'e>(events: impl IntoIterator<Item = &'e Event<'a>>) -> (String, String, Vec<String>) {
    let (mut words, mut thoughts, mut inputs) = (String::new(), String::new(), Vec::new());
    for event in events {
        match event {
            Event::Text(text) | Event::Refusal(text) => words.push_str(text),
            Event::Reasoning(text) => thoughts.push_str(text),
            Event::ToolCall { .. } => inputs.push(String::new()),
            Event::Arguments { index, json } => inputs[*index as usize].push_str(json),
            _ => {}
        }
    }
    let as_object = |input: String| match serde_json::from_str::<&RawValue>(&input) {
        Ok(value) if is_object(value) => value.get().to_owned(),
        _ if matches!(input.trim(), "" | "null") => "{}".to_owned(),
        _ => serde_json::json!({"INVALID_JSON": input.trim_ascii_start()}).to_string(),
    };
    (words, thoughts, inputs.into_iter().map(as_object).collect())
}

fn read_again(stream: &str) -> Result<Vec<Event<'static>>, TranslationError> {
    let mut splitter = Splitter::new(Framing::Events);
    let mut reader = Reader::default();
    let (mut rest, mut events) = (stream.as_bytes(), Vec::new());
    while let Some(end) = splitter.event_end(rest) {
        let event = EventText::read(Framing::Events, &rest[..end]);
        reader.read(&event, &mut |event| {
            events.push(match event {
                Event::Text(text) => Event::Text(text.into_owned().into()),
                Event::Reasoning(text) => Event::Reasoning(text.into_owned().into()),
                Event::ToolCall { index, id, name } => Event::ToolCall {
                    index,
                    id: id.into_owned().into(),
                    name: name.into_owned().into(),
                },
                Event::Arguments { index, json } => Event::Arguments {
                    index,
                    json: json.into_owned().into(),
                },
                _ => return,
            });
        })?;
        rest = &rest[end..];
        splitter.taken(end);
    }
    Ok(events)
}

#[test]
fn streams_at_random_keep_the_grammar_and_say_the_same_when_they_are_read_again() {
    fuzz("message streams", |rng| {
        let events = any_events(rng);
        let expected = meaning(&events);
        let stream = written(events);
        let again = read_again(&stream).unwrap();
        assert_eq!(meaning(&again), expected, "{stream}");
        // Cut after any event but the last, it is not over.
        let ends: Vec<usize> = stream.match_indices("\n\n").map(|(at, _)| at + 2).collect();
        let cut = ends[rng.usize(..ends.len() - 1)];
        assert!(check_stream(&stream[..cut]).is_err());
    });
}
