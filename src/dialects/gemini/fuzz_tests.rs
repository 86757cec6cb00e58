//! Answers, streams and requests at random.

use std::collections::HashMap;

use bytes::Bytes;
use gateway_actors::protocol::{Dialect, Vendor};
use serde_json::Value;

use super::testing::model;
use super::*;
use crate::dialects::neutral::{
    Event, FinishReason, Losses, OpaqueKind, PartKind, Request, Role, Source, StreamReader as _,
    ToolCall as NeutralCall,
};
use crate::dialects::random::{conversation, fragments, object, quoted, text, words};
use crate::dialects::replay::{self, Piece, Told, told_by_answer, told_by_events};
use crate::dialects::sse::{EventText, Framing};
use crate::dialects::{StreamFault, StreamScanner, UsageEvents};
use crate::fuzz::{Rng, damage, fuzz, in_pieces, pick};

const WORDS: &[&str] = &[
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "null",
    "\n\n",
    "data: ",
    "\"text\":",
    "\"candidates\":[],",
    "\"finishReason\":\"STOP\",",
    "\"functionCall\":{},",
    "\"error\":{},",
    "1e999",
    "\u{feff}",
];

/// An answer, in the form of the API: its parts in JSON, of a text in the pieces in which a stream may bring it.
struct Script {
    parts: Vec<Vec<String>>,
    finish: &'static str,
    told: Told,
    /// Bytes of what it says, escapes resolved.
    bytes: u64,
}

fn script(rng: &mut Rng) -> Script {
    let mut told = Told::new("id-1", "gemini-x");
    let (mut parts, mut calls, mut bytes) = (Vec::new(), 0, 0);
    for _ in 0..rng.usize(1..6) {
        let signature = (rng.u8(..3) == 0).then(|| format!("c2ln{}", rng.u16(..)));
        let signed = signature
            .as_ref()
            .map(|data| format!(",\"thoughtSignature\":\"{data}\""))
            .unwrap_or_default();
        let reasoning = |words: &str| Piece::Reasoning(words.to_owned(), signature.clone());
        match rng.u8(..4) {
            0 => {
                let all = words(rng);
                let mut pieces: Vec<String> = fragments(rng, &all)
                    .iter()
                    .map(|piece| format!("\"thought\":true,\"text\":{}", quoted(rng, piece)))
                    .collect();
                // The signature ends the thought.
                pieces.last_mut().unwrap().push_str(&signed);
                bytes += all.len();
                told.add(reasoning(&all));
                parts.push(pieces);
            }
            1 => {
                let id = rng.bool().then(|| format!("given-{calls}"));
                let (name, args) = (pick(rng, &["look", "wait"]), object(rng));
                let given = id.as_ref().map(|id| format!("\"id\":\"{id}\",")).unwrap_or_default();
                bytes += name.len() + args.len();
                parts.push(vec![format!(
                    "\"functionCall\":{{{given}\"args\":{args},\"name\":\"{name}\"}}{signed}"
                )]);
                if signature.is_some() {
                    told.add(reasoning(""));
                }
                told.add(Piece::Call {
                    id: id.unwrap_or_else(|| format!("call_id-1_{calls}")),
                    name: name.to_owned(),
                    arguments: args,
                });
                calls += 1;
            }
            _ => {
                let all = text(rng);
                let mut pieces: Vec<String> = fragments(rng, &all)
                    .iter()
                    .map(|piece| format!("\"text\":{}", quoted(rng, piece)))
                    .collect();
                if pieces.is_empty() {
                    pieces.push("\"text\":\"\"".to_owned());
                }
                pieces[0].push_str(&signed);
                if signature.is_some() {
                    told.add(reasoning(""));
                }
                if !all.is_empty() {
                    told.add(Piece::Text(all.clone()));
                }
                bytes += all.len();
                parts.push(pieces);
            }
        }
    }
    let (finish, reason) = match rng.u8(..3) {
        0 => ("MAX_TOKENS", FinishReason::Length),
        1 => ("SAFETY", FinishReason::Refused),
        _ if calls > 0 => ("STOP", FinishReason::ToolCalls),
        _ => ("STOP", FinishReason::Stop),
    };
    told.finish = Some(reason);
    told.usage = usage::usage_report(serde_json::from_str(&counts(40)).unwrap());
    Script {
        parts,
        finish,
        told,
        bytes: bytes as u64,
    }
}

fn counts(candidates: u32) -> String {
    format!("{{\"promptTokenCount\":7,\"candidatesTokenCount\":{candidates},\"thoughtsTokenCount\":3}}")
}

fn response(parts: &[&str], rest: &str) -> String {
    let parts: Vec<String> = parts.iter().map(|part| format!("{{{part}}}")).collect();
    let content = format!("{{\"role\":\"model\",\"parts\":[{}]}}", parts.join(","));
    format!(
        "{{\"responseId\":\"id-1\",\"modelVersion\":\"gemini-x\",\"candidates\":[{{\"index\":0,\"content\":{content}{rest}}}"
    )
}

impl Script {
    fn answer(&self) -> String {
        let parts: Vec<&str> = self.parts.iter().flatten().map(String::as_str).collect();
        let finish = format!(",\"finishReason\":\"{}\"", self.finish);
        format!("{}],\"usageMetadata\":{}}}", response(&parts, &finish), counts(40))
    }

    /// The events of a stream, any number of pieces in each.
    fn events(&self, rng: &mut Rng) -> Vec<String> {
        let all: Vec<&str> = self.parts.iter().flatten().map(String::as_str).collect();
        let mut groups: Vec<Vec<&str>> = Vec::new();
        for piece in all {
            match groups.last_mut() {
                Some(last) if rng.bool() => last.push(piece),
                _ => groups.push(vec![piece]),
            }
        }
        if rng.bool() {
            groups.push(Vec::new());
        }
        let last = groups.len() - 1;
        let mut events = Vec::new();
        for (place, group) in groups.iter().enumerate() {
            let (finish, candidates) = if place == last {
                (format!(",\"finishReason\":\"{}\"", self.finish), 40)
            } else {
                (String::new(), rng.u32(..40))
            };
            let chunk = format!(
                "{}],\"usageMetadata\":{}}}",
                response(group, &finish),
                counts(candidates)
            );
            let end = pick(rng, &["\n", "\r\n"]);
            // A line end in the data begins another line of data.
            let data = chunk.replace('\n', &format!("{end}data: "));
            let comment = pick(rng, &["", ": ping\n\n"]);
            events.push(format!("{comment}data: {data}{end}{end}"));
        }
        events
    }
}

#[test]
fn answers_and_streams_at_random_tell_what_they_were_made_of_however_they_are_split() {
    fuzz("gemini answers", |rng| {
        let script = script(rng);
        let answer = script.answer();
        let inspected = inspect(answer.as_bytes()).unwrap();
        assert_eq!(inspected.usage, script.told.usage);
        assert_eq!(told_by_answer(&read_answer(&answer).unwrap()), script.told);

        let events = script.events(rng);
        let stream = Bytes::from(events.concat());
        let pieces = in_pieces(rng, &stream);
        let split = replay::split(Framing::Events, pieces.iter().map(AsRef::as_ref));
        let given = replay::read(Reader::default(), Framing::Events, &split).unwrap();
        assert_eq!(told_by_events(&given), script.told);

        // A stream that stops early is not over, for the one who reads it and for the one who meters it.
        let early = &split[..rng.usize(..split.len())];
        let given = replay::read(Reader::default(), Framing::Events, early).unwrap();
        assert!(!given.iter().any(|event| matches!(event, Event::Finish(_))));
        let mut reader = EventReader::default();
        let seen = replay::look(|event| reader.read(event), Framing::Events, early).unwrap();
        assert!(!seen.iter().any(|seen| seen.finished || seen.terminal));
    });
}

#[test]
fn streams_at_random_are_metered_and_forwarded_whole() {
    fuzz("gemini streams", |rng| {
        let script = script(rng);
        let events = script.events(rng);
        let stream = Bytes::from(events.concat());
        let scan = |pieces: &[Bytes]| {
            let mut scanner = StreamScanner::new(Dialect::Gemini, Vendor::Other, 1 << 20, UsageEvents::Drop);
            let (mut bytes, mut content) = (Vec::new(), 0);
            for piece in pieces {
                scanner.push(piece.clone());
                while let Some(frame) = scanner.next_frame()? {
                    bytes.extend_from_slice(&frame.bytes);
                    content += frame.content_bytes;
                }
            }
            if let Some(frame) = scanner.finish()? {
                bytes.extend_from_slice(&frame.bytes);
                content += frame.content_bytes;
            }
            Ok::<_, StreamFault>((bytes, content, scanner.usage()))
        };
        let (bytes, content, usage) = scan(&in_pieces(rng, &stream)).unwrap();
        assert_eq!(bytes, stream);
        assert!(content >= script.bytes, "{content} < {}", script.bytes);
        assert_eq!(usage, script.told.usage);
        let early = Bytes::from(events[..rng.usize(..events.len())].concat());
        let fault = scan(&in_pieces(rng, &early)).unwrap_err();
        assert!(matches!(fault, StreamFault::Truncated | StreamFault::Empty), "{fault}");
    });
}

#[test]
fn damaged_answers_and_streams_are_refused_or_read_and_nothing_worse() {
    fuzz("gemini damage", |rng| {
        let script = script(rng);
        let mut answer = script.answer().into_bytes();
        damage(rng, &mut answer, WORDS);
        let inspected = inspect(&answer);
        if let Ok(text) = std::str::from_utf8(&answer) {
            let read = read_answer(text);
            assert!(inspected.is_ok() || read.is_err(), "{inspected:?}, but {read:?}");
        }
        let mut stream = script.events(rng).concat().into_bytes();
        damage(rng, &mut stream, WORDS);
        let mut reader = Reader::default();
        let mut finished = 0;
        for event in replay::split(Framing::Events, [stream.as_slice()]) {
            let event = EventText::read(Framing::Events, &event);
            let read = reader.read(&event, &mut |event| {
                finished += usize::from(matches!(event, Event::Finish(_)))
            });
            if read.is_err() {
                break;
            }
        }
        assert!(finished <= 1);
    });
}

/// One thing that somebody says, whatever the dialect.
#[derive(Debug, PartialEq)]
enum Item {
    Text(String),
    Thought(String),
    Image(String),
    Call(String, String, Value),
    Result(String, String, Value),
}

/// What a request asks, without instructions: whether the model says it, and what.
fn asked(request: &Request<'_>) -> Vec<(bool, Item)> {
    let mut items = Vec::new();
    let mut names = HashMap::new();
    for message in &request.messages {
        let is_model = message.role == Role::Assistant;
        if matches!(message.role, Role::System | Role::Developer) {
            continue;
        }
        for part in &message.parts {
            let item = match &part.kind {
                PartKind::Text(text) if text.is_empty() => continue,
                PartKind::Reasoning { text, .. } if text.is_empty() => continue,
                PartKind::Text(text) => Item::Text(text.to_string()),
                PartKind::Reasoning { text, .. } => Item::Thought(text.to_string()),
                PartKind::Image(image) => match &image.source {
                    Source::Data { base64, .. } => Item::Image(base64.to_string()),
                    other => panic!("{other:?}"),
                },
                PartKind::ToolCall(call) => {
                    names.insert(call.id.to_string(), call.name.flat().into_owned());
                    Item::Call(call.id.to_string(), call.name.flat().into_owned(), args(call))
                }
                PartKind::ToolResult(result) => {
                    let texts: Vec<String> = result
                        .content
                        .iter()
                        .map(|kind| match kind {
                            PartKind::Text(text) => text.to_string(),
                            other => panic!("{other:?}"),
                        })
                        .collect();
                    let text = texts.join("\n");
                    let object = serde_json::from_str::<Value>(&text).ok().filter(Value::is_object);
                    let response = match (result.is_error, object) {
                        (false, Some(object)) => object,
                        (false, None) => serde_json::json!({"result": text}),
                        (true, Some(object)) => serde_json::json!({"error": object}),
                        (true, None) => serde_json::json!({"error": text}),
                    };
                    Item::Result(result.call_id.to_string(), names[&*result.call_id].clone(), response)
                }
                other => panic!("{other:?}"),
            };
            items.push((is_model, item));
        }
    }
    items
}

fn args(call: &NeutralCall<'_>) -> Value {
    let parsed = serde_json::from_str::<Value>(&call.arguments).ok();
    match parsed.filter(|_value| !call.is_custom) {
        Some(object) if object.is_object() => object,
        Some(Value::Null) => serde_json::json!({}),
        _ if !call.is_custom && call.arguments.trim_ascii().is_empty() => serde_json::json!({}),
        _ if call.is_custom => serde_json::json!({"input": call.arguments}),
        _ => serde_json::json!({"INVALID_JSON": call.arguments}),
    }
}

/// The same, read from what was written.
fn written(body: &Value) -> Vec<(bool, Item)> {
    let owned = |value: &Value| value.as_str().unwrap().to_owned();
    let mut items = Vec::new();
    for content in body["contents"].as_array().unwrap() {
        let is_model = content["role"] == "model";
        for part in content["parts"].as_array().unwrap() {
            let item = if let Some(call) = part.get("functionCall") {
                Item::Call(owned(&call["id"]), owned(&call["name"]), call["args"].clone())
            } else if let Some(result) = part.get("functionResponse") {
                Item::Result(owned(&result["id"]), owned(&result["name"]), result["response"].clone())
            } else if let Some(data) = part.get("inlineData") {
                Item::Image(owned(&data["data"]))
            } else if part.get("thought").is_some() {
                Item::Thought(owned(&part["text"]))
            } else if part["text"] == "" {
                assert!(part.get("thoughtSignature").is_some(), "an empty text: {part}");
                continue;
            } else {
                Item::Text(owned(&part["text"]))
            };
            items.push((is_model, item));
        }
    }
    items
}

#[test]
fn requests_at_random_keep_their_meaning_and_the_rules_of_the_api() {
    fuzz("gemini requests", |rng| {
        let request = Request {
            messages: conversation(rng, OpaqueKind::ThoughtSignature),
            ..Request::default()
        };
        let name = pick(rng, &["gemini-3-flash-preview", "gemini-2.5-pro"]);
        let mut losses = Losses::new(Dialect::OpenaiChat, Dialect::Gemini);
        let body = write_request(&request, &model(name), &mut losses).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(written(&body), asked(&request));
        assert!(losses.into_dropped().is_empty());

        let contents = body["contents"].as_array().unwrap();
        for pair in contents.windows(2) {
            assert_ne!(pair[0]["role"], pair[1]["role"], "neighbours of one role");
        }
        for content in contents {
            let parts = content["parts"].as_array().unwrap();
            assert!(!parts.is_empty());
            let first = parts.iter().find(|part| part.get("functionCall").is_some());
            let is_signed = first.is_none_or(|part| part["thoughtSignature"].is_string());
            assert!(is_signed || name.starts_with("gemini-2"), "{content}");
        }
        let signatures = |text: &str| text.matches("\"sig").count();
        let sent = signatures(&body.to_string());
        let given = request.messages.iter().flat_map(|message| &message.parts);
        let given = given.filter(|part| matches!(&part.kind, PartKind::Reasoning { opaque: Some(_), .. }));
        assert_eq!(sent, given.count(), "every signature goes back, once");
    });
}
