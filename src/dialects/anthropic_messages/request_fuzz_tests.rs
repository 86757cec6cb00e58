//! Bodies at random: the scanner agrees with an ordinary parser, what is written for a model is what the client wrote
//! save what the gateway owns, and what can be read into the neutral form can be written from it.

use std::collections::HashMap;

use gateway_actors::protocol::Dialect;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::ids::wire_id;
use super::super::read_request::read_request;
use super::super::testing::model;
use super::super::write_request::write_request;
use super::*;
use crate::dialects::neutral::{Losses, Opaque, OpaqueKind};
use crate::fuzz::{Rng, any_bytes, damage, fuzz, json, pick};

const WORDS: &[&str] = &[
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "\\ud800",
    "null",
    "\"model\":\"m\",",
    "\"stream\":true,",
    "1e999",
    "\u{feff}",
    "\"messages\":[],",
    "\"gw1.t.0000000000000007.x\"",
    "[[[[[[[[[[",
    "\0",
];

/// Fields beside `model`, `max_tokens` and `messages`, each with a usual value.
const FIELDS: [(&str, &str); 10] = [
    ("stream", "true"),
    (
        "system",
        r#"[{"type":"text","text":"be brief","cache_control":{"type":"ephemeral"}}]"#,
    ),
    ("tools", r#"[{"name":"t","input_schema":{}}]"#),
    ("tool_choice", r#"{"type":"auto"}"#),
    ("thinking", r#"{"type":"enabled","budget_tokens":2000}"#),
    ("output_config", r#"{"effort":"high"}"#),
    ("temperature", "0.50"),
    ("stop_sequences", r#"["END"]"#),
    ("metadata", r#"{"user_id":"u"}"#),
    ("x_unknown", "null"),
];

const BLOCKS: &[&str] = &[
    r#"{"type":"text","text":"a\u00e9"}"#,
    r#"{"type":"thinking","thinking":"a","signature":"gw1.t.0000000000000007.x"}"#,
    r#"{"type":"thinking","thinking":"a","signature":""}"#,
    r#"{"type":"thinking","thinking":"a","signature":"Eq"}"#,
    r#"{"type":"redacted_thinking","data":"Em"}"#,
    r#"{"type":"image","source":{"type":"url","url":"u"}}"#,
    r#"{"type":"tool_use","id":"1","name":"t","input":{"a":1}}"#,
    r#"{"type":"tool_result","tool_use_id":"1","content":"x"}"#,
];

fn message(rng: &mut Rng) -> String {
    let role = pick(rng, &["user", "assistant", "user", "assistant", "system"]);
    if rng.u8(..16) == 0 {
        return json(rng, 2);
    }
    if rng.bool() {
        return format!("{{\"role\":\"{role}\",\"content\":{}}}", json(rng, 1));
    }
    let blocks: Vec<&str> = (0..rng.usize(..4)).map(|_| pick(rng, BLOCKS)).collect();
    format!(
        "{{\"role\":\"{role}\",\"content\":[{}]}}",
        blocks.join(pick(rng, &[",", " , "]))
    )
}

/// A request whose fields are mostly good.
fn body(rng: &mut Rng) -> String {
    let mut members = Vec::new();
    if rng.u8(..20) > 0 {
        members.push((
            "model",
            pick(rng, &["\"auto\"", "\"a\\\"b\\u00e9\"", "\"\"", "5"]).to_owned(),
        ));
    }
    if rng.u8(..20) > 0 {
        members.push(("max_tokens", pick(rng, &["5", "4000", "0", "-1"]).to_owned()));
    }
    if rng.u8(..20) > 0 {
        let messages: Vec<String> = (0..rng.usize(..5)).map(|_| message(rng)).collect();
        members.push(("messages", format!("[{}]", messages.join(","))));
    }
    for (name, usual) in FIELDS {
        match rng.u8(..16) {
            0..5 => members.push((name, usual.to_owned())),
            5 => members.push((name, json(rng, 2))),
            _ => {}
        }
    }
    rng.shuffle(&mut members);
    let colon = pick(rng, &[":", " : "]);
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("\"{name}\"{colon}{value}"))
        .collect();
    let space = pick(rng, &["", " ", "\n\t"]);
    format!(
        "{space}{{{space}{}{space}}}{space}",
        members.join(pick(rng, &[",", " ,\n"]))
    )
}

type Members<'a> = HashMap<String, &'a RawValue>;

/// What was read is what an ordinary parser reads.
fn assert_read(members: &Members<'_>, request: &MessagesRequest) {
    let name: String = serde_json::from_str(members["model"].get()).unwrap();
    assert_eq!(&**request.model(), name);
    assert_eq!(
        request.is_stream(),
        members.get("stream").is_some_and(|value| value.get() == "true")
    );
    let messages: Vec<Members<'_>> = serde_json::from_str(members["messages"].get()).unwrap();
    assert!(!messages.is_empty());
    let needs = request.needs();
    assert_eq!(needs.max_output, members["max_tokens"].get().parse().ok());
    assert!(needs.input_estimate <= needs.input_bound);
}

/// Whether a block is reasoning that Anthropic's servers would refuse.
fn is_foreign(block: &Value) -> bool {
    let field = match block["type"].as_str() {
        Some("thinking") => &block["signature"],
        Some("redacted_thinking") => &block["data"],
        _ => return false,
    };
    let is_marked = |field: &str| Opaque::read(OpaqueKind::Signature, field.into()).origin.is_some();
    field.as_str().is_none_or(|field| field.is_empty() || is_marked(field))
}

/// Fails for a message that has its content twice: such a one is not read, and goes out as it came.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

/// Fails for a block that has one of these twice.
#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type")]
    _kind: Option<IgnoredAny>,
    #[serde(rename = "thinking")]
    _thinking: Option<IgnoredAny>,
    #[serde(rename = "signature")]
    _signature: Option<IgnoredAny>,
    #[serde(rename = "data")]
    _data: Option<IgnoredAny>,
}

/// The messages without foreign reasoning.
fn without_foreign(messages: &str) -> Value {
    let messages: Vec<&RawValue> = serde_json::from_str(messages).unwrap();
    let kept = messages.into_iter().filter_map(|message| {
        let mut whole: Value = serde_json::from_str(message.get()).unwrap();
        let content = serde_json::from_str::<Message<'_>>(message.get()).ok();
        let blocks = content.and_then(|message| message.content);
        let blocks = blocks.and_then(|content| serde_json::from_str::<Vec<&RawValue>>(content.get()).ok());
        let Some(blocks) = blocks.filter(|blocks| !blocks.is_empty()) else {
            return Some(whole);
        };
        let stays = blocks.into_iter().filter_map(|block| {
            let value: Value = serde_json::from_str(block.get()).unwrap();
            let is_read = serde_json::from_str::<Block>(block.get()).is_ok();
            (!is_read || !is_foreign(&value)).then_some(value)
        });
        let stays: Vec<Value> = stays.collect();
        if stays.is_empty() {
            return None;
        }
        whole["content"] = stays.into();
        Some(whole)
    });
    kept.collect()
}

/// What is sent is what the client wrote, but for the model and reasoning of other dialects.
fn assert_written(members: &Members<'_>, request: &MessagesRequest) {
    let target = model("claude-opus-4-8");
    let written = request.write_for(&target, None).unwrap().body.to_bytes();
    let after: Members<'_> = serde_json::from_slice(&written).expect("what is sent is a JSON object");
    assert_eq!(after["model"].get(), "\"claude-opus-4-8\"");
    assert_eq!(after.len(), members.len());
    for (name, value) in members {
        match name.as_str() {
            "model" => {}
            "messages" if request.must_be_rewritten(&target) => {
                // A number too large for the ordinary parser; another, which damage made, cannot be compared by it.
                let [after, before] = [after["messages"], value].map(|raw| raw.get().replace("1e999", "1"));
                let Ok(after) = serde_json::from_str::<Value>(&after) else {
                    assert!(serde_json::from_str::<Value>(&before).is_err(), "{value}");
                    continue;
                };
                assert_eq!(after, without_foreign(&before), "{value}");
            }
            _ => assert_eq!(after[name].get(), value.get(), "{name} was changed"),
        }
    }
}

/// What is written when this is read again: an id that was spelled anew is spelled anew once more, so that ids stay
/// different.
fn respelled(written: &str) -> String {
    let texts = written.split('"').map(|text| match text.strip_prefix("gwx_") {
        Some(_) => wire_id(text),
        None => text.into(),
    });
    texts.collect::<Vec<_>>().join("\"")
}

/// What can be read goes into the neutral form and out of it.
fn assert_translated(bytes: &[u8]) -> bool {
    let body = std::str::from_utf8(bytes).unwrap();
    let mut losses = Losses::new(Dialect::AnthropicMessages, Dialect::AnthropicMessages);
    let Ok(request) = read_request(body, &mut losses) else {
        return false;
    };
    for api_model in ["claude-opus-4-8", "claude-haiku-4-5", "kimi-k3"] {
        let Ok(written) = write_request(&request, &model(api_model), &mut losses) else {
            continue;
        };
        let again = MessagesRequest::scan(Bytes::from(written.clone())).expect("what is written is a request");
        let text = std::str::from_utf8(&again.body).unwrap();
        let read_again = read_request(text, &mut losses).unwrap_or_else(|error| panic!("{error}: {text}"));
        let twice = write_request(&read_again, &model(api_model), &mut losses).unwrap();
        assert_eq!(String::from_utf8(twice).unwrap(), respelled(text), "{body}");
    }
    true
}

#[test]
fn bodies_at_random_are_read_as_an_ordinary_parser_reads_them() {
    let (mut accepted, mut refused, mut translated) = (0_u64, 0_u64, 0_u64);
    fuzz("messages requests", |rng| {
        let mut bytes = body(rng).into_bytes();
        match rng.u8(..8) {
            0 | 1 => damage(rng, &mut bytes, WORDS),
            2 if rng.u8(..8) == 0 => bytes = any_bytes(rng, 60),
            3 if rng.u8(..8) == 0 => bytes = json(rng, 5).into_bytes(),
            _ => {}
        }
        match MessagesRequest::scan(Bytes::from(bytes.clone())) {
            Ok(request) => {
                let members = serde_json::from_slice(&bytes).expect("what was accepted is a JSON object");
                assert_read(&members, &request);
                assert_written(&members, &request);
                translated += u64::from(assert_translated(&bytes));
                accepted += 1;
            }
            Err(error) => {
                let is_json = serde_json::from_slice::<Value>(&bytes).is_ok();
                let text = String::from_utf8_lossy(&bytes);
                assert!(
                    !is_json || error.kind != ErrorKind::MalformedJson,
                    "{error:?}: {text:?}"
                );
                refused += 1;
            }
        }
    });
    assert!(
        accepted > 0 && refused > 0 && translated > 0,
        "{accepted} {refused} {translated}"
    );
}
