//! Answers at random: what is written as a stream keeps the grammar, says what was told, and ends in the response that is
//! written for the same answer in whole.

use std::borrow::Cow;

use gateway_actors::protocol::{Tier, TokenUsage, UsageReport};
use serde_json::Value;

use super::grammar::tests::events;
use super::read_stream::tests::owned;
use super::samples::context;
use super::write_stream::tests::names;
use super::{Reader, Writer, check_stream, inspect, read_answer, write_answer};
use crate::dialects::neutral::{
    Answer, AnswerContext, Choice, Event, FinishReason, Opaque, OpaqueKind, PartKind, StreamReader as _,
    StreamWriter as _, ToolCall, ToolName,
};
use crate::dialects::sse::{EventText, Framing};
use crate::fuzz::{Rng, damage, fuzz, pick};

/// Something that an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Text(String),
    Refusal(String),
    Thought(String, Option<String>),
    Call(String, String, String),
}

const TEXTS: &[&str] = &[
    "a",
    "Hello",
    "\"quoted\" \\",
    "line\nbreak",
    "é€😀",
    " ",
    "{}",
    "data: x",
    "\u{0}\u{7f}",
];

fn words(rng: &mut Rng) -> String {
    (0..rng.usize(1..4)).map(|_| pick(rng, TEXTS)).collect()
}

/// Things that are each an item or a part of its own in a response.
fn answer(rng: &mut Rng) -> Vec<Said> {
    let mut said: Vec<Said> = Vec::new();
    for number in 0..rng.usize(0..6) {
        let next = match rng.u8(..5) {
            0 => Said::Text(words(rng)),
            1 => Said::Refusal(words(rng)),
            2 => {
                let text = if rng.bool() { words(rng) } else { String::new() };
                Said::Thought(text, Some(words(rng)))
            }
            3 => Said::Thought(words(rng), None),
            _ => {
                let name = pick(rng, &["look", "sql", "mcp__x__get", "tool_search__client"]);
                let arguments = match name {
                    "sql" => format!("{{\"input\":{}}}", Value::from(words(rng))),
                    _ => format!("{{\"{}\":[{}]}}", number, Value::from(words(rng))),
                };
                Said::Call(format!("call_{number}"), name.to_owned(), arguments)
            }
        };
        // Neighbours of one kind cannot be told apart once they are pieces.
        let is_like = |last: &Said| {
            matches!(
                (last, &next),
                (Said::Text(_), Said::Text(_))
                    | (Said::Refusal(_), Said::Refusal(_))
                    | (Said::Thought(_, None), Said::Thought(..))
            )
        };
        if !said.last().is_some_and(is_like) {
            said.push(next);
        }
    }
    said
}

fn pieces(rng: &mut Rng, text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let size = rng.usize(1..6);
    letters.chunks(size).map(|piece| piece.iter().collect()).collect()
}

fn state(data: &str) -> Opaque<'static> {
    Opaque {
        kind: OpaqueKind::Signature,
        data: Cow::Owned(data.to_owned()),
        origin: None,
    }
}

/// The events of an answer, in which arguments may come late.
fn told(rng: &mut Rng, said: &[Said]) -> Vec<Event<'static>> {
    let mut events = vec![Event::Begin {
        id: Cow::Borrowed(""),
        model: "m".into(),
    }];
    let mut late: Vec<Event<'static>> = Vec::new();
    let mut calls = 0;
    for one in said {
        match one {
            Said::Text(text) => events.extend(pieces(rng, text).into_iter().map(|piece| Event::Text(piece.into()))),
            Said::Refusal(text) => {
                events.extend(pieces(rng, text).into_iter().map(|piece| Event::Refusal(piece.into())))
            }
            Said::Thought(text, opaque) => {
                events.extend(
                    pieces(rng, text)
                        .into_iter()
                        .map(|piece| Event::Reasoning(piece.into())),
                );
                events.extend(opaque.as_deref().map(|data| Event::Opaque(state(data))));
            }
            Said::Call(id, name, arguments) => {
                let index = calls;
                calls += 1;
                events.push(Event::ToolCall {
                    index,
                    id: id.clone().into(),
                    name: name.clone().into(),
                });
                let pieces = pieces(rng, arguments).into_iter();
                let told = pieces.map(|piece| Event::Arguments {
                    index,
                    json: piece.into(),
                });
                if rng.u8(..4) == 0 {
                    late.extend(told);
                } else {
                    events.extend(told);
                }
            }
        }
        if rng.bool() {
            events.append(&mut late);
        }
    }
    events.append(&mut late);
    events
}

fn finish(said: &[Said]) -> FinishReason<'static> {
    if said.iter().any(|one| matches!(one, Said::Call(..))) {
        FinishReason::ToolCalls
    } else {
        FinishReason::Stop
    }
}

const USAGE: UsageReport = UsageReport::Reported(TokenUsage {
    input: 5,
    cached_input: 2,
    cache_write_5m: 1,
    cache_write_1h: 0,
    cache_write_untold: 1,
    output: 4,
    reasoning: 1,
    tier: Tier::Untold,
});

fn whole(said: &[Said]) -> Answer<'static> {
    let part = |one: &Said| match one.clone() {
        Said::Text(text) => PartKind::Text(text.into()),
        Said::Refusal(text) => PartKind::Refusal(text.into()),
        Said::Thought(text, opaque) => PartKind::Reasoning {
            text: text.into(),
            opaque: opaque.as_deref().map(state),
        },
        Said::Call(id, name, arguments) => PartKind::ToolCall(ToolCall {
            id: id.into(),
            name: ToolName::plain(name),
            arguments: arguments.into(),
            is_custom: false,
        }),
    };
    Answer {
        id: Cow::Borrowed(""),
        model: "m".into(),
        choices: vec![Choice {
            parts: said.iter().map(part).collect(),
            finish: finish(said),
        }],
        usage: USAGE,
        ..Answer::default()
    }
}

fn render(context: &std::rc::Rc<AnswerContext>, told: Vec<Event<'static>>, said: &[Said]) -> String {
    let mut writer = Writer::new(std::rc::Rc::clone(context));
    let mut out = Vec::new();
    let end = [Event::Finish(finish(said)), Event::Usage(USAGE)];
    told.into_iter()
        .chain(end)
        .for_each(|event| writer.write(event, &mut out));
    writer.end(&mut out);
    String::from_utf8(out).unwrap()
}

/// What a stream says, pieces put together, by the reader.
fn heard(stream: &str) -> (Vec<Said>, Vec<Event<'static>>) {
    let mut reader = Reader::default();
    let mut said: Vec<Said> = Vec::new();
    let mut calls = Vec::new();
    let mut ended = Vec::new();
    for event in events(stream) {
        let event = EventText::read(Framing::Events, &event);
        let mut give = |event: Event<'_>| match owned(event) {
            Event::Text(text) => match said.last_mut() {
                Some(Said::Text(known)) => known.push_str(&text),
                _ => said.push(Said::Text(text.into_owned())),
            },
            Event::Refusal(text) => match said.last_mut() {
                Some(Said::Refusal(known)) => known.push_str(&text),
                _ => said.push(Said::Refusal(text.into_owned())),
            },
            Event::Reasoning(text) => match said.last_mut() {
                Some(Said::Thought(known, None)) => known.push_str(&text),
                _ => said.push(Said::Thought(text.into_owned(), None)),
            },
            Event::Opaque(opaque) => {
                let data = opaque
                    .data
                    .rsplit_once("|gw1.s.")
                    .and_then(|(_, field)| field.split_once('.'));
                let data = data.map(|(_, data)| data.to_owned());
                match said.last_mut() {
                    Some(Said::Thought(_, known @ None)) => *known = data,
                    _ => said.push(Said::Thought(String::new(), data)),
                }
            }
            Event::ToolCall { id, name, .. } => {
                calls.push(said.len());
                said.push(Said::Call(id.into_owned(), name.into_owned(), String::new()));
            }
            Event::Arguments { index, json } => {
                let Some(Said::Call(_, _, arguments)) = said.get_mut(calls[index as usize]) else {
                    panic!("arguments of no call")
                };
                arguments.push_str(&json);
            }
            other => ended.push(other),
        };
        reader.read(&event, &mut give).unwrap();
    }
    (said, ended)
}

#[test]
fn streams_at_random_keep_the_grammar_and_say_what_was_told() {
    fuzz("responses streams", |rng| {
        let said = answer(rng);
        // A search for tools is an item that no provider answers with.
        let is_search = |one: &Said| matches!(one, Said::Call(_, name, _) if name == "tool_search__client");
        let context = context(names());
        let told = told(rng, &said);
        let stream = render(&context, told.clone(), &said);
        if let Err(why) = check_stream(&stream) {
            panic!("{why}\nof {told:?}");
        }
        if !said.iter().any(is_search) {
            let (heard, ended) = heard(&stream);
            // Names are grouped and flat again.
            assert_eq!(heard, said, "{stream}");
            let tier = Event::ServiceTier("default".into());
            assert_eq!(ended[1..], [tier, Event::Finish(finish(&said)), Event::Usage(USAGE)]);
        }

        let body = write_answer(&whole(&said), &context).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let last = events(&stream).pop().unwrap();
        let last: Value = serde_json::from_slice(&EventText::read(Framing::Events, &last).data).unwrap();
        assert_eq!(last["response"], body, "{told:?}");
    });
}

#[test]
fn whole_answers_at_random_are_read_as_they_were_written() {
    fuzz("responses answers", |rng| {
        let said = answer(rng);
        let context = context(names());
        let body = String::from_utf8(write_answer(&whole(&said), &context).unwrap()).unwrap();
        // What was asked for is repeated where no provider says otherwise.
        assert_eq!(inspect(body.as_bytes()).unwrap().usage, USAGE.in_tier(Tier::Usual));
        let again = read_answer(&body).unwrap();
        assert_eq!(again.usage, USAGE);
        // What was read is written as the same but for names that the client alone knows.
        let twice = write_answer(&again, &context).unwrap();
        if !body.contains("tool_search_call") {
            assert_eq!(String::from_utf8(twice).unwrap(), body);
        }
    });
}

#[test]
fn damaged_streams_are_read_or_refused_and_what_is_written_of_them_keeps_the_grammar() {
    const WORDS: &[&str] = &[
        "\"type\":\"response.output_item.done\"",
        "\"output_index\":1,",
        "\"delta\":\"x\"",
        "data: {\"type\":\"response.completed\",\"response\":{}}\n\n",
        "\n\n",
        "null",
        "}",
        "[",
    ];
    fuzz("damaged responses streams", |rng| {
        let said = answer(rng);
        let context = context(names());
        let told = told(rng, &said);
        let mut bytes = render(&context, told, &said).into_bytes();
        damage(rng, &mut bytes, WORDS);
        let mut reader = Reader::default();
        let mut meter = super::EventReader::default();
        let mut writer = Writer::new(context);
        let mut out = Vec::new();
        for event in events(&String::from_utf8_lossy(&bytes)) {
            let event = EventText::read(Framing::Events, &event);
            let _ = meter.read(&event);
            if reader.read(&event, &mut |event| writer.write(event, &mut out)).is_err() {
                break;
            }
        }
        writer.end(&mut out);
        check_stream(std::str::from_utf8(&out).unwrap()).unwrap();
    });
}
