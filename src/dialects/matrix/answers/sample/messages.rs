//! Anthropic Messages: `Message` and `RawMessageStreamEvent` of the `anthropic` Python package, version 2.14.0
//! (`types`).

use serde_json::{Value, json};

use super::{MODEL, PARTS, REFUSAL, STATE, STOP_TEXT, STRANGE, Sample, TEXT, THOUGHT};
use crate::dialects::matrix::answers::row::Row;

/// How a message ends: `stop_reason`, `stop_sequence` and `stop_details`.
type End = (&'static str, Option<&'static str>, Value);

fn end(reason: &'static str) -> End {
    (reason, None, Value::Null)
}

/// A message of these blocks, and its stream.
fn answer(content: Vec<Value>, (reason, sequence, details): End) -> Sample {
    let usage = |output: u64| {
        json!({"input_tokens": 30, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
            "output_tokens": output, "service_tier": "standard"})
    };
    let mut whole = json!({"id": "msg_9", "type": "message", "role": "assistant", "model": MODEL, "content": content,
        "stop_reason": reason, "stop_sequence": sequence, "stop_details": details, "usage": usage(50)});
    whole["usage"]["output_tokens_details"] = json!({"thinking_tokens": 15});
    let start = json!({"id": "msg_9", "type": "message", "role": "assistant", "model": MODEL, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage(1)});
    let mut stream = String::new();
    let mut push = |event: Value| {
        let kind = event["type"].as_str().unwrap();
        stream.push_str(&format!("event: {kind}\ndata: {event}\n\n"));
    };
    push(json!({"type": "message_start", "message": start}));
    push(json!({"type": "ping"}));
    for (index, block) in content.iter().enumerate() {
        let mut begun = block.clone();
        let mut deltas = Vec::new();
        for (member, kind) in [("text", "text_delta"), ("thinking", "thinking_delta")] {
            if let Some(text) = block[member].as_str() {
                begun[member] = json!("");
                let half = (text.len() / 2..).find(|at| text.is_char_boundary(*at)).unwrap();
                let (first, second) = text.split_at(half);
                let pieces = [first, second].map(|piece| json!({"type": kind, member: piece}));
                deltas.extend(pieces.into_iter().filter(|piece| piece[member] != ""));
            }
        }
        for citation in block["citations"].as_array().into_iter().flatten() {
            begun["citations"] = json!([]);
            deltas.push(json!({"type": "citations_delta", "citation": citation}));
        }
        if let Some(signature) = block["signature"].as_str() {
            begun["signature"] = json!("");
            deltas.push(json!({"type": "signature_delta", "signature": signature}));
        }
        if block["input"].is_object() {
            begun["input"] = json!({});
            let input = block["input"].to_string();
            let pieces = ["", input.as_str()].map(|piece| json!({"type": "input_json_delta", "partial_json": piece}));
            deltas.extend(pieces.into_iter().filter(|piece| piece["partial_json"] != "{}"));
        }
        push(json!({"type": "content_block_start", "index": index, "content_block": begun}));
        for delta in deltas {
            push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        push(json!({"type": "content_block_stop", "index": index}));
    }
    let delta = json!({"stop_reason": reason, "stop_sequence": sequence, "stop_details": details});
    let counts = json!({"output_tokens": 50, "output_tokens_details": {"thinking_tokens": 15}});
    push(json!({"type": "message_delta", "delta": delta, "usage": counts}));
    push(json!({"type": "message_stop"}));
    Sample {
        whole: whole.to_string(),
        stream,
    }
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text, "citations": null})
}

fn thought(text: &str, signature: &str) -> Value {
    json!({"type": "thinking", "thinking": text, "signature": signature})
}

fn call(number: u32, name: &str, input: Value) -> Value {
    json!({"type": "tool_use", "id": format!("call_{number}"), "name": name, "input": input})
}

pub(super) fn sample(row: Row) -> Option<Sample> {
    let said = |before: Vec<Value>| answer([before, vec![text(TEXT)]].concat(), end("end_turn"));
    Some(match row {
        Row::Text | Row::Names | Row::Counts | Row::CacheReads | Row::CacheWrites | Row::ReasoningCount => {
            said(Vec::new())
        }
        Row::Texts => answer(PARTS.map(text).to_vec(), end("end_turn")),
        // What compatible servers send, which sign nothing.
        Row::Reasoning => said(vec![thought(THOUGHT, "")]),
        Row::State => said(vec![thought(THOUGHT, STATE)]),
        Row::Withheld => said(vec![json!({"type": "redacted_thinking", "data": STATE})]),
        Row::Call => answer(
            vec![call(1, "weather", json!({"city": "Zürich", "days": 1.5}))],
            end("tool_use"),
        ),
        Row::Calls => answer(
            vec![
                text(TEXT),
                call(1, "weather", json!({"city": "Zürich"})),
                call(2, "clock", json!({"zone": "CET"})),
            ],
            end("tool_use"),
        ),
        Row::BareCall => answer(vec![call(1, "clock", json!({}))], end("tool_use")),
        Row::Refusal => {
            let details = json!({"type": "refusal", "category": "cyber", "explanation": REFUSAL});
            answer(Vec::new(), ("refusal", None, details))
        }
        Row::Length => answer(vec![text(TEXT)], end("max_tokens")),
        Row::StopText => answer(vec![text(TEXT)], ("stop_sequence", Some(STOP_TEXT), Value::Null)),
        Row::Filter => answer(vec![text(TEXT)], end("refusal")),
        Row::Citations => {
            let mut cited = text(TEXT);
            cited["citations"] = json!([{"type": "char_location", "cited_text": STRANGE, "document_index": 0,
                "document_title": STRANGE, "start_char_index": 0, "end_char_index": 5, "file_id": null}]);
            answer(vec![cited], end("end_turn"))
        }
        // The dialect has neither.
        Row::Logprobs | Row::Media => return None,
        Row::Hosted => {
            let searched = json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search",
                "input": {"query": STRANGE}});
            let found = json!({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
                {"type": "web_search_result", "title": STRANGE, "url": "https://example.com/a",
                 "encrypted_content": "x", "page_age": null}]});
            said(vec![searched, found])
        }
        Row::Unknown => said(vec![json!({"type": "brand_new_block", "x_new": {"kind": STRANGE}})]),
    })
}
