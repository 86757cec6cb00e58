//! A client's stream, put together to a whole answer as the official Python packages do: `accumulate_delta` in
//! `openai/lib/streaming/_deltas.py` (3.57.0), the response of the last event in `openai/lib/streaming/responses`, and
//! `accumulate_event` in `anthropic/lib/streaming/_messages.py` (2.14.0).

use gateway_actors::protocol::Dialect;
use serde_json::{Map, Value, json};

use crate::dialects::replay;
use crate::dialects::sse::{EventText, Framing};

/// The answer that a client's stream amounts to.
pub(super) fn stream(client: Dialect, stream: &str) -> Value {
    let events = values(stream);
    match client {
        Dialect::OpenaiResponses => events.last().unwrap()["response"].clone(),
        Dialect::AnthropicMessages => message(events),
        _ => completion(events),
    }
}

/// The data of the events that are JSON.
pub(super) fn values(stream: &str) -> Vec<Value> {
    let events = replay::split(Framing::Events, [stream.as_bytes()]);
    let data = events
        .iter()
        .map(|event| EventText::read(Framing::Events, event).data.into_owned());
    data.filter(|data| data != b"[DONE]")
        .map(|data| serde_json::from_slice(&data).unwrap())
        .collect()
}

fn completion(chunks: Vec<Value>) -> Value {
    let mut whole = json!({"object": "chat.completion", "usage": null});
    let mut message = Map::new();
    let mut finish = Value::Null;
    for chunk in chunks {
        for name in ["id", "model", "created"] {
            whole[name] = chunk[name].clone();
        }
        if chunk["usage"].is_object() {
            whole["usage"] = chunk["usage"].clone();
        }
        if let Some(choice) = chunk["choices"].get(0) {
            accumulate(&mut message, choice["delta"].as_object().unwrap());
            if !choice["finish_reason"].is_null() {
                finish = choice["finish_reason"].clone();
            }
        }
    }
    // The package's own types of a whole message have no number of a call.
    for call in message
        .get_mut("tool_calls")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        call.as_object_mut().unwrap().remove("index");
    }
    whole["choices"] = json!([{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}]);
    whole
}

fn accumulate(all: &mut Map<String, Value>, delta: &Map<String, Value>) {
    for (name, new) in delta {
        match (all.get_mut(name), new) {
            (None | Some(Value::Null), new) => {
                all.insert(name.clone(), new.clone());
            }
            (Some(old), new) if name == "index" || name == "type" => *old = new.clone(),
            (Some(Value::String(old)), Value::String(new)) => old.push_str(new),
            (Some(Value::Object(old)), Value::Object(new)) => accumulate(old, new),
            (Some(Value::Array(old)), Value::Array(new)) => {
                for entry in new {
                    let entry = entry.as_object().unwrap();
                    let index = entry["index"].as_u64().expect("the package wants an `index`");
                    match old.get_mut(usize::try_from(index).unwrap()) {
                        Some(there) => accumulate(there.as_object_mut().unwrap(), entry),
                        None => old.push(Value::Object(entry.clone())),
                    }
                }
            }
            (Some(_), Value::Null) => {}
            (Some(old), new) => panic!("the package cannot add {new} to {old} in `{name}`"),
        }
    }
}

fn message(events: Vec<Value>) -> Value {
    let mut whole = Value::Null;
    let mut inputs: Vec<String> = Vec::new();
    for event in events {
        let at = || usize::try_from(event["index"].as_u64().unwrap()).unwrap();
        match event["type"].as_str().unwrap() {
            "message_start" => whole = event["message"].clone(),
            "content_block_start" => {
                whole["content"]
                    .as_array_mut()
                    .unwrap()
                    .push(event["content_block"].clone());
                inputs.push(String::new());
            }
            "content_block_delta" => {
                let (delta, block) = (&event["delta"], &mut whole["content"][at()]);
                let mut add = |name: &str| {
                    let text = block[name].as_str().unwrap().to_owned() + delta[name].as_str().unwrap();
                    block[name] = json!(text);
                };
                match delta["type"].as_str().unwrap() {
                    "text_delta" => add("text"),
                    "thinking_delta" => add("thinking"),
                    "signature_delta" => block["signature"] = delta["signature"].clone(),
                    "input_json_delta" => {
                        let input = &mut inputs[at()];
                        input.push_str(delta["partial_json"].as_str().unwrap());
                        if let Ok(input) = serde_json::from_str(input) {
                            block["input"] = input;
                        }
                    }
                    other => panic!("no delta of a translation: {other}"),
                }
            }
            "message_delta" => {
                for (name, value) in event["delta"].as_object().unwrap() {
                    whole[name] = value.clone();
                }
                for (name, value) in event["usage"].as_object().unwrap() {
                    whole["usage"][name] = value.clone();
                }
            }
            "content_block_stop" | "message_stop" => {}
            other => panic!("no event of a translation: {other}"),
        }
    }
    whole
}
