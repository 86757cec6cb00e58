//! The grammar of OpenAI Responses, by the types of the Python package `openai` 3.57 (`types/responses`).

use serde_json::{Value, json};

use super::shape::assert_shape;
use crate::support::SseEvent;

fn response() -> Value {
    let usage = json!({
        "input_tokens": "count",
        "input_tokens_details": { "cached_tokens": "count", "cache_write_tokens": "count" },
        "output_tokens": "count",
        "output_tokens_details": { "reasoning_tokens": "count" },
        "total_tokens": "count",
    });
    let mut template = json!({
        "id": "text",
        "object": "=response",
        "created_at": "number",
        "status": "=in_progress|=completed|=incomplete",
        "background": "bool",
        "completed_at?": "number",
        "error": "null",
        "incomplete_details": "any",
        "instructions": "text|null",
        "max_output_tokens": "count|null",
        "metadata": "object",
        "model": "text",
        "output": ["object"],
        "parallel_tool_calls": "bool",
        "previous_response_id": "text|null",
        "reasoning": { "effort": "text|null", "summary": "text|null" },
        "service_tier": "=default",
        "store": "bool",
        "temperature": "number",
        "text": { "format": { "type": "=text" } },
        "tool_choice": "text|object",
        "tools": ["object"],
        "top_p": "number",
        "truncation": "=auto|=disabled",
        "x_provider_extra?": { "kept": "bool" },
    });
    template["usage"] = usage;
    template
}

/// A response that is under way or ended; one has no usage and the other has.
#[track_caller]
pub(super) fn assert_response(body: &Value, status: &str) {
    let mut template = response();
    if status == "in_progress" {
        template["usage"] = json!("null");
    }
    assert_shape(body, &template);
    assert_eq!(body["status"], status);
    let details = match status {
        "incomplete" => json!({ "reason": "max_output_tokens" }),
        _ => Value::Null,
    };
    assert_eq!(body["incomplete_details"], details);
    assert_eq!(body["completed_at"].is_null(), status != "completed");
    for item in body["output"].as_array().unwrap() {
        assert_item(item);
    }
}

#[track_caller]
fn assert_item(item: &Value) {
    let text = json!({ "type": "=output_text", "text": "text", "annotations": [], "logprobs": [] });
    let refusal = json!({ "type": "=refusal", "refusal": "text" });
    match item["type"].as_str().unwrap() {
        "message" => {
            let part = if item["content"][0]["type"] == "refusal" {
                refusal
            } else {
                text
            };
            let status = "=in_progress|=completed|=incomplete";
            let template =
                json!({ "id": "text", "type": "text", "role": "=assistant", "status": status, "content": [part] });
            assert_shape(item, &template);
        }
        "reasoning" => assert_shape(
            item,
            &json!({
                "id": "text",
                "type": "text",
                "summary": [{ "type": "=summary_text", "text": "text" }],
                "encrypted_content": "text",
            }),
        ),
        "function_call" => assert_shape(
            item,
            &json!({
                "id": "text",
                "type": "text",
                "call_id": "text",
                "name": "text",
                "arguments": "text",
                "status": "=in_progress|=completed",
            }),
        ),
        other => panic!("no such item: {other}"),
    }
}

/// The response at the end of a stream, after checking its grammar: every event has its number and its fields, items
/// begin and end in order, and what the pieces say is what the items are at last.
#[track_caller]
pub(super) fn ended(events: &[SseEvent]) -> Value {
    let mut items: Vec<Value> = Vec::new();
    let mut text = String::new();
    let mut kinds = Vec::new();
    for (number, event) in events.iter().enumerate() {
        let kind = event.kind();
        assert_eq!(event.data["sequence_number"], number);
        kinds.push(kind);
        let event = &event.data;
        let is_of_item = event["output_index"].is_number() && kind != "response.output_item.added";
        if is_of_item {
            assert_eq!(event["output_index"], items.len() - 1, "{kind}");
            let id = if event["item"].is_null() {
                &event["item_id"]
            } else {
                &event["item"]["id"]
            };
            assert_eq!(*id, items.last().unwrap()["id"], "{kind}");
        }
        let mut fields = json!({ "type": "text", "sequence_number": "count" });
        let (of_item, of_part) = (["item_id", "output_index"], ["content_index", "summary_index"]);
        let mut expect = |names: &[&str], more: &[(&str, Value)]| {
            for name in names {
                fields[name] = json!(if *name == "item_id" { "text" } else { "count" });
            }
            for (name, template) in more {
                fields[name] = template.clone();
            }
            assert_shape(event, &fields);
        };
        let (no_logprobs, words) = (("logprobs", json!([])), |name| (name, json!("text")));
        match kind {
            "response.created" | "response.in_progress" => {
                expect(&[], &[("response", json!("object"))]);
                assert_response(&event["response"], "in_progress");
            }
            "response.output_item.added" => {
                expect(&["output_index"], &[("item", json!("object"))]);
                assert_eq!(event["output_index"], items.len());
                assert_item(&event["item"]);
                items.push(event["item"].clone());
                text.clear();
            }
            "response.content_part.added" | "response.content_part.done" => {
                expect(&[of_item[0], of_item[1], of_part[0]], &[("part", json!("object"))]);
            }
            "response.reasoning_summary_part.added" | "response.reasoning_summary_part.done" => {
                let part = json!({ "type": "=summary_text", "text": "text" });
                expect(&[of_item[0], of_item[1], of_part[1]], &[("part", part)]);
            }
            "response.output_text.delta" => {
                expect(&[of_item[0], of_item[1], of_part[0]], &[words("delta"), no_logprobs])
            }
            "response.output_text.done" => expect(&[of_item[0], of_item[1], of_part[0]], &[words("text"), no_logprobs]),
            "response.refusal.delta" => expect(&[of_item[0], of_item[1], of_part[0]], &[words("delta")]),
            "response.refusal.done" => expect(&[of_item[0], of_item[1], of_part[0]], &[words("refusal")]),
            "response.reasoning_summary_text.delta" => expect(&[of_item[0], of_item[1], of_part[1]], &[words("delta")]),
            "response.reasoning_summary_text.done" => expect(&[of_item[0], of_item[1], of_part[1]], &[words("text")]),
            "response.function_call_arguments.delta" => expect(&of_item, &[words("delta")]),
            "response.function_call_arguments.done" => expect(&of_item, &[words("arguments")]),
            "response.output_item.done" => {
                expect(&["output_index"], &[("item", json!("object"))]);
                assert_item(&event["item"]);
                *items.last_mut().unwrap() = event["item"].clone();
            }
            "response.completed" | "response.incomplete" => {
                expect(&[], &[("response", json!("object"))]);
                assert_response(&event["response"], kind.strip_prefix("response.").unwrap());
                assert_eq!(event["response"]["output"], json!(items));
            }
            other => panic!("no such event: {other}"),
        }
        text.push_str(event["delta"].as_str().unwrap_or_default());
        for field in ["text", "refusal", "arguments"] {
            if let Some(all) = event[field].as_str() {
                assert_eq!(all, text, "{kind}");
            }
        }
        if kind.ends_with("_part.done") {
            let part = &event["part"];
            let all = if part["refusal"].is_null() {
                &part["text"]
            } else {
                &part["refusal"]
            };
            assert_eq!(*all, text, "{kind}");
        }
    }
    assert_eq!(kinds[..2], ["response.created", "response.in_progress"]);
    let is_end = |kind: &&&str| matches!(**kind, "response.completed" | "response.incomplete");
    assert_eq!(kinds.iter().filter(is_end).count(), 1);
    assert!(is_end(&kinds.last().unwrap()));
    events.last().unwrap().data["response"].clone()
}
