//! Answers, streams and requests at random.

use std::collections::HashMap;

use bytes::Bytes;
use gateway_actors::protocol::{Dialect, Vendor};
use serde_json::{Value, json};

use super::testing::model;
use super::*;
use crate::dialects::neutral::{
    Event, FinishReason, Losses, OpaqueKind, PartKind, Request, Role, Source, StreamReader as _,
};
use crate::dialects::random::{conversation, fragments, object, quoted, text};
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
    "\n",
    "\"done\":true,",
    "\"done_reason\":\"load\",",
    "\"message\":{},",
    "\"tool_calls\":[{}],",
    "\"error\":\"x\",",
    "\u{feff}",
];

const COUNTS: &str = "\"prompt_eval_count\":7,\"eval_count\":40";

/// What a message says: some thinking, then text, then calls, of all of them as much as there is.
#[derive(Clone, Default)]
struct Said {
    thinking: String,
    content: String,
    calls: Vec<String>,
}

impl Said {
    fn message(&self, rng: &mut Rng) -> String {
        let mut members = vec![
            "\"role\":\"assistant\"".to_owned(),
            format!("\"content\":{}", quoted(rng, &self.content)),
        ];
        if !self.thinking.is_empty() || rng.bool() {
            members.push(format!("\"thinking\":{}", quoted(rng, &self.thinking)));
        }
        if !self.calls.is_empty() {
            members.push(format!("\"tool_calls\":[{}]", self.calls.join(",")));
        }
        rng.shuffle(&mut members);
        format!("\"message\":{{{}}}", members.join(","))
    }
}

struct Script {
    said: Said,
    done: String,
    told: Told,
    /// Bytes of what it says, escapes resolved.
    bytes: u64,
}

fn script(rng: &mut Rng) -> Script {
    let mut told = Told::new("", "qwen3");
    let mut said = Said {
        thinking: text(rng),
        content: text(rng),
        calls: Vec::new(),
    };
    let mut bytes = said.thinking.len() + said.content.len();
    if !said.thinking.is_empty() {
        told.add(Piece::Reasoning(said.thinking.clone(), None));
    }
    if !said.content.is_empty() {
        told.add(Piece::Text(said.content.clone()));
    }
    for place in 0..rng.usize(..3) {
        let id = rng.bool().then(|| format!("given-{place}"));
        let given = id.as_ref().map(|id| format!("\"id\":\"{id}\",")).unwrap_or_default();
        let name = pick(rng, &["look", "wait"]);
        // A line is one value.
        let arguments = object(rng).replace('\n', " ");
        bytes += name.len() + arguments.len();
        said.calls.push(format!(
            "{{{given}\"function\":{{\"index\":{place},\"name\":\"{name}\",\"arguments\":{arguments}}}}}"
        ));
        told.add(Piece::Call {
            id: id.unwrap_or_else(|| format!("call_20250707T1_{place}")),
            name: name.to_owned(),
            arguments,
        });
    }
    let (reason, finish) = match rng.u8(..4) {
        0 => (",\"done_reason\":\"length\"", FinishReason::Length),
        1 => (",\"done_reason\":\"other\"", FinishReason::Refused),
        kind => (
            if kind == 2 { "" } else { ",\"done_reason\":\"stop\"" },
            if said.calls.is_empty() {
                FinishReason::Stop
            } else {
                FinishReason::ToolCalls
            },
        ),
    };
    told.finish = Some(finish);
    let done = format!("\"done\":true{reason},{COUNTS}");
    told.usage = usage::of_ollama(serde_json::from_str(&format!("{{{COUNTS}}}")).unwrap());
    Script {
        said,
        done,
        told,
        bytes: bytes as u64,
    }
}

fn object_of(message: &str, rest: &str) -> String {
    format!("{{\"model\":\"qwen3\",\"created_at\":\"2025-07-07T1\",{message},{rest}}}")
}

impl Script {
    fn answer(&self, rng: &mut Rng) -> String {
        object_of(&self.said.message(rng), &self.done)
    }

    fn lines(&self, rng: &mut Rng) -> Vec<String> {
        let mut all: Vec<Said> = Vec::new();
        for thinking in fragments(rng, &self.said.thinking) {
            all.push(Said {
                thinking,
                ..Said::default()
            });
        }
        for content in fragments(rng, &self.said.content) {
            match all.last_mut() {
                Some(last) if last.content.is_empty() && rng.bool() => last.content = content,
                _ => all.push(Said {
                    content,
                    ..Said::default()
                }),
            }
        }
        for call in &self.said.calls {
            match all.last_mut() {
                Some(last) if rng.bool() => last.calls.push(call.clone()),
                _ => all.push(Said {
                    calls: vec![call.clone()],
                    ..Said::default()
                }),
            }
        }
        if all.is_empty() || rng.bool() {
            all.push(Said::default());
        }
        let last = all.len() - 1;
        let mut lines = Vec::new();
        for (place, said) in all.iter().enumerate() {
            let rest = if place == last { &self.done } else { "\"done\":false" };
            let end = pick(rng, &["\n", "\r\n"]);
            lines.push(format!("{}{end}", object_of(&said.message(rng), rest)));
        }
        lines
    }
}

#[test]
fn answers_and_streams_at_random_tell_what_they_were_made_of_however_they_are_split() {
    fuzz("ollama answers", |rng| {
        let script = script(rng);
        let answer = script.answer(rng);
        assert_eq!(inspect(answer.as_bytes()).unwrap().usage, script.told.usage);
        assert_eq!(told_by_answer(&read_answer(&answer).unwrap()), script.told);

        let stream = Bytes::from(script.lines(rng).concat());
        let pieces = in_pieces(rng, &stream);
        let split = replay::split(Framing::Lines, pieces.iter().map(AsRef::as_ref));
        let given = replay::read(Reader::default(), Framing::Lines, &split).unwrap();
        assert_eq!(told_by_events(&given), script.told);

        // A stream that stops early is not over, for the one who reads it and for the one who meters it.
        let early = &split[..rng.usize(..split.len())];
        let given = replay::read(Reader::default(), Framing::Lines, early).unwrap();
        assert!(!given.iter().any(|event| matches!(event, Event::Finish(_))));
        let mut reader = EventReader::default();
        let seen = replay::look(|event| reader.read(event), Framing::Lines, early).unwrap();
        assert!(!seen.iter().any(|seen| seen.finished || seen.terminal));
    });
}

#[test]
fn streams_at_random_are_metered_and_forwarded_whole() {
    fuzz("ollama streams", |rng| {
        let script = script(rng);
        let lines = script.lines(rng);
        let scan = |pieces: &[Bytes]| {
            let mut scanner = StreamScanner::new(Dialect::Ollama, Vendor::Other, 1 << 20, UsageEvents::Drop);
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
        let stream = Bytes::from(lines.concat());
        let (bytes, content, usage) = scan(&in_pieces(rng, &stream)).unwrap();
        // Of the end of the last line no more than a CR is waited for.
        assert_eq!(bytes.trim_ascii_end(), stream.trim_ascii_end());
        assert!(content >= script.bytes, "{content} < {}", script.bytes);
        assert_eq!(usage, script.told.usage);
        let early = Bytes::from(lines[..rng.usize(..lines.len())].concat());
        let fault = scan(&in_pieces(rng, &early)).unwrap_err();
        assert!(matches!(fault, StreamFault::Truncated | StreamFault::Empty), "{fault}");
    });
}

#[test]
fn damaged_answers_and_streams_are_refused_or_read_and_nothing_worse() {
    fuzz("ollama damage", |rng| {
        let script = script(rng);
        let mut answer = script.answer(rng).into_bytes();
        damage(rng, &mut answer, WORDS);
        let inspected = inspect(&answer);
        if let Ok(text) = std::str::from_utf8(&answer) {
            let read = read_answer(text);
            assert!(inspected.is_ok() || read.is_err(), "{inspected:?}, but {read:?}");
        }
        let mut stream = script.lines(rng).concat().into_bytes();
        damage(rng, &mut stream, WORDS);
        let mut reader = Reader::default();
        let mut finished = 0;
        for line in replay::split(Framing::Lines, [stream.as_slice()]) {
            let line = EventText::read(Framing::Lines, &line);
            let read = reader.read(&line, &mut |event| {
                finished += usize::from(matches!(event, Event::Finish(_)))
            });
            if read.is_err() {
                break;
            }
        }
        assert!(finished <= 1);
    });
}

/// The messages that stand for a request's, in the API's form.
fn expected(request: &Request<'_>) -> Value {
    let mut messages = Vec::new();
    let mut names = HashMap::new();
    for message in &request.messages {
        let (role, separator) = match message.role {
            Role::System | Role::Developer => ("system", "\n"),
            Role::User => ("user", "\n"),
            Role::Assistant => ("assistant", ""),
        };
        let (mut texts, mut thoughts, mut images, mut calls) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for part in &message.parts {
            match &part.kind {
                PartKind::Text(text) if text.is_empty() => {}
                PartKind::Reasoning { text, .. } if text.is_empty() => {}
                PartKind::Text(text) => texts.push(text.to_string()),
                PartKind::Reasoning { text, .. } => thoughts.push(text.to_string()),
                PartKind::Image(image) => match &image.source {
                    Source::Data { base64, .. } => images.push(base64.to_string()),
                    other @ Source::Url(_) => panic!("{other:?}"),
                },
                PartKind::ToolCall(call) => {
                    names.insert(call.id.to_string(), call.name.flat().into_owned());
                    let arguments: Value =
                        serde_json::from_str(&serde_json::to_string(&call.object()).unwrap()).unwrap();
                    calls.push(json!({"id": call.id, "function": {"name": call.name.flat(), "arguments": arguments}}));
                }
                PartKind::ToolResult(result) => {
                    let texts: Vec<String> = result
                        .content
                        .iter()
                        .map(|kind| match kind {
                            PartKind::Text(text) => text.to_string(),
                            other => panic!("{other:?}"),
                        })
                        .filter(|text| !text.is_empty())
                        .collect();
                    messages.push(json!({
                        "role": "tool", "content": texts.join("\n"), "tool_name": names[&*result.call_id],
                        "tool_call_id": result.call_id,
                    }));
                }
                other => panic!("{other:?}"),
            }
        }
        let mut written = json!({"role": role, "content": texts.join(separator)});
        for (name, value) in [
            ("thinking", json!(thoughts.join("\n"))),
            ("images", json!(images)),
            ("tool_calls", json!(calls)),
        ] {
            if value != "" && value != json!([]) {
                written[name] = value;
            }
        }
        if written != json!({"role": role, "content": ""}) {
            messages.push(written);
        }
    }
    Value::Array(messages)
}

#[test]
fn requests_at_random_keep_their_meaning() {
    fuzz("ollama requests", |rng| {
        let request = Request {
            messages: conversation(rng, OpaqueKind::Signature),
            stream: rng.bool(),
            ..Request::default()
        };
        let mut losses = Losses::new(Dialect::AnthropicMessages, Dialect::Ollama);
        let body = write_request(&request, &model("qwen3"), &mut losses).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["messages"], expected(&request));
        assert_eq!(body["stream"], request.stream);
        let parts = || request.messages.iter().flat_map(|message| &message.parts);
        let has_state = parts().any(|part| matches!(&part.kind, PartKind::Reasoning { opaque: Some(_), .. }));
        let has_error = parts().any(|part| matches!(&part.kind, PartKind::ToolResult(result) if result.is_error));
        let dropped = losses.into_dropped();
        assert_eq!(
            dropped.iter().any(|name| name == "messages.thinking.signature"),
            has_state
        );
        assert_eq!(
            dropped.iter().any(|name| name == "messages.tool_result.is_error"),
            has_error
        );
    });
}
