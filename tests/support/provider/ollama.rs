//! Ollama's own chat, from its published description (`docs/openapi.yaml` of ollama/ollama: `ChatRequest`, `ChatResponse`,
//! `ChatStreamEvent`, `ToolCall`) and its pages "Streaming" and "Errors". A stream is lines of JSON, and the default.
//!
//! Everything is told inside `prompt_eval_count` and `eval_count`. Calls of tools come whole and have no id. There are no
//! refusals, and nothing is sealed.

use std::iter::once_with;

use serde_json::{Value, json};

use super::answer::{Answer, Block, Frame, Frames};
use super::content::End;
use super::dialect::{Dialect, piece, plain};
use super::openai_chat::{self, last_role};

/// The dialect of `…/api/chat`.
pub(super) struct Ollama;

/// The text of each message, the system's among them.
pub(super) fn texts(body: &Value) -> Vec<String> {
    openai_chat::texts(body)
}

impl Dialect for Ollama {
    fn output_cap(&self, request: &Value) -> Option<u64> {
        request["options"]["num_predict"].as_u64()
    }

    fn brings_results(&self, request: &Value) -> bool {
        last_role(request) == "tool"
    }

    fn can_say(&self, block: &Block) -> bool {
        !matches!(block, Block::Refusal(_))
    }

    fn whole(&self, answer: &Answer) -> Value {
        let mut message = json!({ "role": "assistant", "content": answer.text().unwrap_or_default() });
        if let Some(thoughts) = answer.thoughts() {
            message["thinking"] = json!(thoughts);
        }
        let calls: Vec<Value> = answer.calls().map(|(_, call)| tool_call(call)).collect();
        if !calls.is_empty() {
            message["tool_calls"] = json!(calls);
        }
        finish(answer, &message)
    }

    fn frames<'a>(&self, answer: &'a Answer) -> Frames<'a> {
        let parts = answer.blocks.iter().flat_map(|block| block_frames(answer, block));
        let nothing = json!({ "role": "assistant", "content": "" });
        let end = once_with(move || plain(line(&finish(answer, &nothing))));
        Box::new(parts.chain(end))
    }

    fn error(&self) -> Value {
        json!({ "error": "secret-upstream-detail" })
    }

    fn error_frame(&self, _answer: &Answer, _sent: usize) -> String {
        line(&self.error())
    }

    fn stream_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    /// There are no comments in lines of JSON, but lines may be empty.
    fn comments(&self) -> &'static str {
        "\n\n"
    }
}

fn block_frames<'a>(answer: &'a Answer, block: &'a Block) -> Frames<'a> {
    let event = move |message: Value| line(&chunk(answer, &message, false));
    match block {
        Block::Thoughts(pieces) => Box::new(
            pieces
                .iter()
                .map(move |text| piece(event(json!({ "role": "assistant", "content": "", "thinking": text })))),
        ),
        Block::Text(pieces) => Box::new(
            pieces
                .iter()
                .map(move |text| piece(event(json!({ "role": "assistant", "content": text })))),
        ),
        Block::Refusal(_) => Box::new(std::iter::empty::<Frame>()),
        Block::Call(_, call) => Box::new(once_with(move || Frame {
            text: event(json!({ "role": "assistant", "content": "", "tool_calls": [tool_call(call)] })),
            tokens: call.pieces().len(),
        })),
    }
}

fn tool_call(call: &super::content::ToolCall) -> Value {
    json!({ "function": { "name": call.name, "arguments": call.object() } })
}

/// The last line of a stream, or a whole answer.
fn finish(answer: &Answer, message: &Value) -> Value {
    let mut body = chunk(answer, message, true);
    body["done_reason"] = match answer.end {
        End::Stop | End::Calls | End::Refusal => json!("stop"),
        End::Length => json!("length"),
    };
    // Times are in nanoseconds.
    body["total_duration"] = json!(5_191_566_416_u64);
    body["load_duration"] = json!(2_154_458);
    if answer.with_usage {
        body["prompt_eval_count"] = json!(answer.counts.input());
        body["prompt_eval_duration"] = json!(383_809_000);
        body["eval_count"] = json!(answer.counts.output());
        body["eval_duration"] = json!(4_799_921_000_u64);
    }
    body
}

fn chunk(answer: &Answer, message: &Value, done: bool) -> Value {
    json!({ "model": answer.model, "created_at": "2025-11-24T16:00:00.000000Z", "message": message, "done": done })
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}
