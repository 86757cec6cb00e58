//! Bodies at random: the scanner agrees with an ordinary parser, what is written is what the client wrote save what the
//! gateway owns, and a body that can be read can be written and read again.

use gateway_actors::protocol::OutgoingRequest as _;
use std::collections::HashMap;

use bytes::Bytes;
use gateway_actors::protocol::{Dialect, ErrorKind};
use serde_json::Value;
use serde_json::value::RawValue;

use super::echo::echo;
use super::samples::{CODEX, model};
use super::{ResponsesRequest, read_request, write_request};
use crate::dialects::ClientRequest as _;
use crate::dialects::neutral::Losses;
use crate::fuzz::{Rng, any_bytes, damage, fuzz, json, pick};

const WORDS: &[&str] = &[
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\\",
    "\\ud800",
    "null",
    "\"model\":\"m\",",
    "\"input\":\"x\",",
    "\"type\":\"message\",",
    "\"type\":\"reasoning\",",
    "\"type\":\"function_call_output\",",
    "\"in\\u0070ut\":1,",
    "[[[[[[[[[[",
    "1e999",
    "\0",
];

/// Items, each of some kind.
const ITEMS: &[&str] = &[
    r#"{"role":"user","content":"hi"}"#,
    r#"{"role":"system","content":[{"type":"input_text","text":"s"}]}"#,
    r#"{"role":"assistant","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"no"}]}"#,
    r#"{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AA"}]}"#,
    r#"{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"s"}],"encrypted_content":"g="}"#,
    r#"{"type":"function_call","call_id":"a","name":"f","arguments":"{}"}"#,
    r#"{"type":"custom_tool_call","call_id":"b","name":"c","input":"x"}"#,
    r#"{"type":"function_call_output","call_id":"a","output":[{"type":"input_text","text":"1"}]}"#,
    r#"{"type":"custom_tool_call_output","call_id":"b","output":"2"}"#,
    r#"{"type":"web_search_call","id":"ws_1"}"#,
    r#"{"type":"configuration_update","reasoning":{"effort":"low"}}"#,
    r#"{"type":"item_reference","id":"x"}"#,
];

/// Fields beside `model` and `input`, each with a usual value.
const FIELDS: &[(&str, &str)] = &[
    ("stream", "true"),
    ("store", "false"),
    ("max_output_tokens", "50"),
    ("instructions", "\"be brief\""),
    ("previous_response_id", "\"resp_1\""),
    (
        "tools",
        r#"[{"type":"function","name":"f","parameters":{}},{"type":"custom","name":"c"}]"#,
    ),
    ("tool_choice", r#"{"type":"function","name":"f"}"#),
    ("text", r#"{"format":{"type":"json_object"},"verbosity":"low"}"#),
    ("reasoning", r#"{"effort":"high","summary":"auto"}"#),
    ("temperature", "0.50"),
    ("background", "false"),
    ("x_unknown", "null"),
];

fn body(rng: &mut Rng) -> String {
    let mut members = Vec::new();
    if rng.u8(..20) > 0 {
        members.push((
            "model",
            pick(rng, &["\"auto\"", "\"a\\\"b\\u00e9\"", "\"\"", "5"]).to_owned(),
        ));
    }
    match rng.u8(..10) {
        0 => {}
        1 => members.push(("input", json(rng, 2))),
        2 => members.push(("input", "\"h\\u00e9\"".to_owned())),
        _ => {
            let items: Vec<String> = (0..rng.usize(..6)).map(|_| pick(rng, ITEMS).to_owned()).collect();
            members.push(("input", format!("[{}]", items.join(pick(rng, &[",", " , "])))));
        }
    }
    for (name, usual) in FIELDS {
        match rng.u8(..16) {
            0..4 => members.push((name, (*usual).to_owned())),
            4 => members.push((name, json(rng, 2))),
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

fn given<'m, 'a>(members: &'m Members<'a>, name: &str) -> Option<&'m &'a RawValue> {
    members.get(name).filter(|value| value.get() != "null")
}

/// What was read is what an ordinary parser reads, and what is sent is what the client wrote but for what is owned.
fn assert_scanned(members: &Members<'_>, request: &ResponsesRequest) {
    let name: String = serde_json::from_str(members["model"].get()).unwrap();
    assert_eq!(&**request.model(), name);
    let is = |name: &str, word: &str| given(members, name).is_some_and(|value| value.get() == word);
    assert_eq!(request.is_stream(), is("stream", "true"));
    assert_eq!(request.stores(), !is("store", "false"));
    let previous = given(members, "previous_response_id").map(|id| serde_json::from_str::<String>(id.get()).unwrap());
    assert_eq!(request.previous_response(), previous.as_deref());
    let limit = given(members, "max_output_tokens").map(|value| value.get().parse::<u32>().unwrap());
    assert_eq!(request.needs().max_output, limit);
    assert!(request.needs().input_estimate <= request.needs().input_bound);
    let own = request.input_items();
    let own: Vec<&RawValue> = serde_json::from_str(&own).unwrap();

    let written = request
        .write_for(&model("the \"api\" model"), None)
        .unwrap()
        .body
        .to_bytes();
    let after: Members<'_> = serde_json::from_slice(&written).unwrap();
    assert_eq!(after["model"].get(), r#""the \"api\" model""#);
    for (name, value) in members {
        assert!(
            name == "model" || after[name].get() == value.get(),
            "{name} was changed"
        );
    }
    assert_eq!(after.len(), members.len());

    let whole = request
        .clone()
        .with_history(r#"[{"role":"user"}, {"role":"x"}]"#, Vec::new())
        .unwrap();
    let after: Members<'_> = serde_json::from_str(whole.body()).unwrap();
    let items: Vec<&RawValue> = serde_json::from_str(after["input"].get()).unwrap();
    let text = |items: &[&RawValue]| -> Vec<String> { items.iter().map(|item| item.get().to_owned()).collect() };
    assert_eq!((items.len(), text(&items[2..])), (own.len() + 2, text(&own)));
    assert_eq!(whole.previous_response(), None);
    for (name, value) in members {
        let owned = matches!(name.as_str(), "input" | "previous_response_id");
        assert!(owned || after[name].get() == value.get(), "{name} was changed");
    }
}

#[test]
fn bodies_at_random_are_read_as_an_ordinary_parser_reads_them() {
    let (mut accepted, mut refused) = (0_u64, 0_u64);
    fuzz("responses requests", |rng| {
        let mut bytes = if rng.u8(..8) == 0 { CODEX.to_owned() } else { body(rng) }.into_bytes();
        match rng.u8(..5) {
            0 | 1 => damage(rng, &mut bytes, WORDS),
            2 if rng.u8(..8) == 0 => bytes = any_bytes(rng, 60),
            _ => {}
        }
        match ResponsesRequest::scan(Bytes::from(bytes.clone())) {
            Ok(request) => {
                let members = serde_json::from_slice(&bytes).expect("what was accepted is a JSON object");
                assert_scanned(&members, &request);
                let _: Members<'_> = serde_json::from_str(echo(request.body(), None).get()).unwrap();
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
    assert!(accepted > 0 && refused > 0, "{accepted} accepted, {refused} refused");
}

const SYSTEM_FIRST: &str = r#""input":[{"type":"message","role":"system""#;

#[test]
fn what_can_be_read_and_written_is_read_and_written_alike_again() {
    let (mut carried, mut refused) = (0_u64, 0_u64);
    let losses = || Losses::new(Dialect::OpenaiResponses, Dialect::OpenaiResponses);
    fuzz("responses translations", |rng| {
        let mut bytes = if rng.u8(..4) == 0 { CODEX.to_owned() } else { body(rng) }.into_bytes();
        if rng.u8(..3) == 0 {
            damage(rng, &mut bytes, WORDS);
        }
        let Ok(text) = String::from_utf8(bytes) else { return };
        if serde_json::from_str::<Value>(&text).is_err() {
            return;
        }
        let once = |text: &str| {
            let mut losses = losses();
            let request = read_request(text, &mut losses)?;
            write_request(&request, &model("m"), &mut losses)
        };
        match once(&text) {
            Ok(written) => {
                let written = String::from_utf8(written).unwrap();
                let again = |written: &str| {
                    let again = once(written).expect("what was written can be read");
                    String::from_utf8(again).unwrap()
                };
                // A system message that had something before it that is left out is read as instructions, which it is now.
                let written = if written.contains(SYSTEM_FIRST) {
                    again(&written)
                } else {
                    written
                };
                assert_eq!(again(&written), written, "of {text}");
                carried += 1;
            }
            Err(error) => {
                assert!(
                    error.param.is_some() || !text.trim_start().starts_with('{'),
                    "{error}: {text}"
                );
                refused += 1;
            }
        }
    });
    assert!(carried > 0 && refused > 0, "{carried} carried, {refused} refused");
}
