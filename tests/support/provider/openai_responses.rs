//! OpenAI Responses, from the published types of the Python package `openai` 3.57 (`types/responses`: `response.py`,
//! `response_usage.py`, `response_output_item.py`, `response_*_event.py`, `input_token_count_response.py`).
//!
//! Everything is told inside `input_tokens` and `output_tokens`, with details that are always there. A stream that fails
//! before it has begun brings an `error` event; one that has begun ends with `response.failed`.

use std::iter::once_with;

use serde_json::{Value, json};

use super::answer::{Answer, Block, Frame, Frames};
use super::content::{End, ToolCall};
use super::dialect::{Dialect, items, named, text_of};
use super::openai_chat::CREATED;
use super::openai_responses_events::item_events;

/// The dialect of `…/responses`.
pub(super) struct OpenaiResponses;

/// The text of the instructions, if there are any, and of each item of the input: of a message, of a tool's output, none
/// of other items.
pub(super) fn texts(body: &Value) -> Vec<String> {
    let instructions = body["instructions"].as_str().map(str::to_owned);
    let input: Vec<String> = match &body["input"] {
        Value::String(text) => vec![text.clone()],
        input => items(input)
            .iter()
            .map(|item| text_of(&item["content"]) + &text_of(&item["output"]))
            .collect(),
    };
    instructions.into_iter().chain(input).collect()
}

/// The answer to the question for the tokens of a request.
pub(super) fn count(tokens: u64) -> Value {
    json!({ "object": "response.input_tokens", "input_tokens": tokens })
}

impl Dialect for OpenaiResponses {
    fn id(&self, provider: &str, number: usize) -> String {
        format!("resp_{provider}_{number}")
    }

    fn output_cap(&self, request: &Value) -> Option<u64> {
        request["max_output_tokens"].as_u64()
    }

    fn brings_results(&self, request: &Value) -> bool {
        let last = items(&request["input"]).last();
        last.is_some_and(|item| item["type"] == "function_call_output")
    }

    fn whole(&self, answer: &Answer) -> Value {
        let mut body = ended(answer);
        body["x_provider_extra"] = json!({ "kept": true });
        body
    }

    fn frames<'a>(&self, answer: &'a Answer) -> Frames<'a> {
        let begun = ["response.created", "response.in_progress"].map(|kind| {
            let response = response(answer, "in_progress");
            (json!({ "type": kind, "response": response }), 0)
        });
        let blocks = answer.blocks.iter().enumerate();
        let parts = blocks.flat_map(|(index, block)| item_events(answer, index, block));
        let end = once_with(|| {
            let kind = match answer.end {
                End::Length => "response.incomplete",
                _ => "response.completed",
            };
            (json!({ "type": kind, "response": ended(answer) }), 0)
        });
        let numbered = begun.into_iter().chain(parts).chain(end).enumerate();
        Box::new(numbered.map(|(number, (mut event, tokens))| {
            event["sequence_number"] = json!(number);
            Frame {
                text: named(&event),
                tokens,
            }
        }))
    }

    fn error(&self) -> Value {
        let error = json!({
            "message": "secret-upstream-detail",
            "type": "server_error",
            "param": null,
            "code": "server_error",
        });
        json!({ "error": error })
    }

    fn error_frame(&self, answer: &Answer, sent: usize) -> String {
        if sent == 0 {
            return named(&json!({
                "type": "error",
                "code": "server_error",
                "message": "secret-upstream-detail",
                "param": null,
                "sequence_number": 0,
            }));
        }
        let mut response = response(answer, "failed");
        response["error"] = json!({ "code": "server_error", "message": "secret-upstream-detail" });
        named(&json!({ "type": "response.failed", "response": response, "sequence_number": sent }))
    }
}

/// A response with this status and nothing put out. Much of it repeats the request.
fn response(answer: &Answer, status: &str) -> Value {
    let asked = |name: &str, otherwise: Value| match &answer.request[name] {
        Value::Null => otherwise,
        value => value.clone(),
    };
    json!({
        "id": answer.id,
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": asked("instructions", Value::Null),
        "max_output_tokens": asked("max_output_tokens", Value::Null),
        "metadata": asked("metadata", json!({})),
        "model": answer.model,
        "output": [],
        "parallel_tool_calls": asked("parallel_tool_calls", json!(true)),
        "previous_response_id": asked("previous_response_id", Value::Null),
        "reasoning": asked("reasoning", json!({ "effort": null, "summary": null })),
        "service_tier": "default",
        "store": asked("store", json!(true)),
        "temperature": asked("temperature", json!(1.0)),
        "text": asked("text", json!({ "format": { "type": "text" } })),
        "tool_choice": asked("tool_choice", json!("auto")),
        "tools": asked("tools", json!([])),
        "top_p": asked("top_p", json!(1.0)),
        "truncation": asked("truncation", json!("disabled")),
        "usage": null,
    })
}

/// The response at its end.
fn ended(answer: &Answer) -> Value {
    let is_cut = answer.end == End::Length;
    let mut body = response(answer, status(answer));
    if is_cut {
        body["incomplete_details"] = json!({ "reason": "max_output_tokens" });
    } else {
        body["completed_at"] = json!(CREATED + 1);
    }
    let output: Vec<Value> = answer
        .blocks
        .iter()
        .enumerate()
        .map(|(index, block)| item(answer, index, block))
        .collect();
    body["output"] = json!(output);
    if answer.with_usage {
        let counts = &answer.counts;
        body["usage"] = json!({
            "input_tokens": counts.input(),
            "input_tokens_details": {
                "cached_tokens": counts.script.cached,
                "cache_write_tokens": counts.written(),
            },
            "output_tokens": counts.output(),
            "output_tokens_details": { "reasoning_tokens": counts.reasoning },
            "total_tokens": counts.input() + counts.output(),
        });
    }
    body
}

fn status(answer: &Answer) -> &'static str {
    match answer.end {
        End::Length => "incomplete",
        _ => "completed",
    }
}

/// An item of the output at its end.
pub(super) fn item(answer: &Answer, index: usize, block: &Block) -> Value {
    match block {
        Block::Thoughts(pieces) => reasoning(
            answer,
            index,
            &[json!({ "type": "summary_text", "text": pieces.text() })],
        ),
        Block::Text(pieces) => message(answer, index, status(answer), &[text_part(&pieces.text())]),
        Block::Refusal(pieces) => message(answer, index, status(answer), &[refusal_part(&pieces.text())]),
        Block::Call(place, call) => function_call(answer, (index, *place), call, ("completed", &call.arguments)),
    }
}

/// An item that holds reasoning, of which this much is told.
pub(super) fn reasoning(answer: &Answer, index: usize, summary: &[Value]) -> Value {
    json!({
        "id": answer.part_id("rs", index),
        "type": "reasoning",
        "summary": summary,
        "encrypted_content": answer.sealed(),
    })
}

/// An item that is a message.
pub(super) fn message(answer: &Answer, index: usize, status: &str, content: &[Value]) -> Value {
    json!({
        "id": answer.part_id("msg", index),
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    })
}

/// A part of a message: text.
pub(super) fn text_part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

/// A part of a message: a refusal.
pub(super) fn refusal_part(text: &str) -> Value {
    json!({ "type": "refusal", "refusal": text })
}

/// An item that is the call of a function.
pub(super) fn function_call(
    answer: &Answer,
    (index, place): (usize, usize),
    call: &ToolCall,
    (status, arguments): (&str, &str),
) -> Value {
    json!({
        "id": answer.part_id("fc", index),
        "type": "function_call",
        "call_id": answer.part_id("call", place),
        "name": call.name,
        "arguments": arguments,
        "status": status,
    })
}
