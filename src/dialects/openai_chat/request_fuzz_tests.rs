//! Bodies at random: the scanner agrees with an ordinary parser, and what is written for a model is what the client
//! wrote save what the gateway owns.

use std::collections::HashMap;

use gateway_actors::protocol::{Dialect, ErrorKind, Layer, ModelId, ProviderName, Vendor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::*;
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
    "\\u0000",
    "null",
    "\"model\":\"m\",",
    "\"stream\":true,",
    "\"n\":2,",
    "1e999",
    "\u{feff}",
    "\"messages\":[],",
    "\"mod\\u0065l\":1,",
    "[[[[[[[[[[",
    "\0",
];

/// Fields beside `model` and `messages`, each with a usual value.
const FIELDS: [(&str, &str); 10] = [
    ("stream", "true"),
    ("stream_options", "{\"include_usage\":false}"),
    ("max_tokens", "5"),
    ("max_completion_tokens", "7"),
    ("n", "3"),
    ("best_of", "4"),
    ("tools", "[{}]"),
    ("response_format", "{\"type\":\"json_object\"}"),
    ("seed", "1.50"),
    ("x_unknown", "null"),
];

fn message(rng: &mut Rng) -> String {
    match rng.u8(..16) {
        0 => json(rng, 2),
        1..5 => format!(
            "{{\"role\":\"user\",\"content\":[{{\"type\":\"text\",\"text\":{}}}]}}",
            json(rng, 0)
        ),
        _ => format!("{{\"role\":\"user\",\"content\":{}}}", json(rng, 1)),
    }
}

/// A request whose fields are mostly good.
fn body(rng: &mut Rng) -> String {
    let mut members = Vec::new();
    if rng.u8(..20) > 0 {
        let names = ["\"auto\"", "\"a\\\"b\\u00e9\"", "\"L1\"", "\"\"", "5"];
        members.push(("model", pick(rng, &names).to_owned()));
    }
    if rng.u8(..20) > 0 {
        let messages: Vec<String> = (0..rng.usize(..4)).map(|_| message(rng)).collect();
        members.push(("messages", format!("[{}]", messages.join(","))));
    }
    for (name, usual) in FIELDS {
        match rng.u8(..16) {
            0..4 => members.push((name, usual.to_owned())),
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

fn model() -> Model {
    Model {
        id: ModelId::from("the-id"),
        provider: ProviderName::from("alpha"),
        vendor: Vendor::Other,
        api_model: "the \"api\" model".into(),
        dialect: Dialect::OpenaiChat,
        layer: Layer::L0,
        capabilities: Capabilities::NONE,
        context_window: 1000,
        max_output_tokens: 100,
        price: None,
        media: gateway_actors::protocol::MediaTokens::default(),
    }
}

type Members<'a> = HashMap<String, &'a RawValue>;

fn is_true(value: Option<&&RawValue>) -> bool {
    value.is_some_and(|value| value.get() == "true")
}

/// What was read is what an ordinary parser reads.
fn assert_read(members: &Members<'_>, request: &ChatCompletionsRequest) {
    let name: String = serde_json::from_str(members["model"].get()).unwrap();
    assert_eq!(&**request.model(), name);
    assert_eq!(request.is_stream(), is_true(members.get("stream")));
    let messages: Vec<Members<'_>> = serde_json::from_str(members["messages"].get()).unwrap();
    assert!(!messages.is_empty());
    for message in &messages {
        serde_json::from_str::<String>(message["role"].get()).unwrap();
    }
    let needs = request.needs();
    let number = |name: &str| members.get(name).and_then(|value| value.get().parse::<u32>().ok());
    assert_eq!(
        needs.max_output,
        number("max_tokens").max(number("max_completion_tokens"))
    );
    let best_of = members.get("best_of").and_then(|value| value.get().parse::<f64>().ok());
    let n = number("n").unwrap_or(1);
    assert!((1..=128).contains(&n) && needs.answers >= n);
    assert!((best_of.unwrap_or(0.0)..=128.0).contains(&f64::from(needs.answers)));
    assert!(needs.input_estimate <= needs.input_bound);
}

/// What is sent is what the client wrote, but for the model and the request for usage.
fn assert_written(members: &Members<'_>, request: &ChatCompletionsRequest) {
    let written = request.write_for(&model(), None).unwrap().body.to_bytes();
    let after: Members<'_> = serde_json::from_slice(&written).expect("what is sent is a JSON object");
    let name: String = serde_json::from_str(after["model"].get()).unwrap();
    assert_eq!(name, *model().api_model);
    for (name, value) in members {
        let owned = name == "model" || (name == "stream_options" && request.is_stream());
        assert!(owned || after[name].get() == value.get(), "{name} was changed");
    }
    let more = usize::from(request.is_stream() && !members.contains_key("stream_options"));
    assert_eq!(after.len(), members.len() + more);
    if !request.is_stream() {
        return;
    }
    let options: Members<'_> = serde_json::from_str(after["stream_options"].get()).unwrap();
    assert!(is_true(options.get("include_usage")));
    if let Some(before) = members.get("stream_options").filter(|value| value.get() != "null") {
        let before: Members<'_> = serde_json::from_str(before.get()).unwrap();
        assert_eq!(request.owned.wants_usage, is_true(before.get("include_usage")));
        for (name, value) in before {
            assert!(name == "include_usage" || options[&name].get() == value.get());
        }
    }
}

#[test]
fn bodies_at_random_are_read_as_an_ordinary_parser_reads_them() {
    let (mut accepted, mut refused) = (0_u64, 0_u64);
    fuzz("requests", |rng| {
        let mut bytes = body(rng).into_bytes();
        match rng.u8(..5) {
            0 | 1 => damage(rng, &mut bytes, WORDS),
            2 if rng.u8(..8) == 0 => bytes = any_bytes(rng, 60),
            3 if rng.u8(..8) == 0 => bytes = json(rng, 5).into_bytes(),
            _ => {}
        }
        match ChatCompletionsRequest::scan(Bytes::from(bytes.clone())) {
            Ok(request) => {
                let members = serde_json::from_slice(&bytes).expect("what was accepted is a JSON object");
                assert_read(&members, &request);
                assert_written(&members, &request);
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
