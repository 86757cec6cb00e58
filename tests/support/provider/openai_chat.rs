//! OpenAI chat completions, as OpenAI-compatible providers speak them. Written from the published types of the Python
//! package `openai` 3.57 (`types/chat`, `types/completion_usage.py`). `reasoning_content` is not among them: it is the
//! field of DeepSeek, vLLM, SGLang and others (DeepSeek's API reference, "Thinking Mode"). The error in a stream is
//! OpenRouter's (its API reference, "Errors").

use std::iter::once_with;

use serde_json::{Value, json};

use super::answer::{Answer, Block, Counts, Frame, Frames};
use super::content::{End, ToolCall};
use super::dialect::{Dialect, data, items, piece, plain, text_of};

/// When every answer was made, in seconds since 1970.
pub(super) const CREATED: u64 = 1_764_000_000;

/// The dialect of `…/chat/completions`.
pub(super) struct OpenaiChat;

/// The text of each message, the system's among them.
pub(super) fn texts(body: &Value) -> Vec<String> {
    items(&body["messages"])
        .iter()
        .map(|message| text_of(&message["content"]))
        .collect()
}

impl Dialect for OpenaiChat {
    fn id(&self, provider: &str, number: usize) -> String {
        format!("chatcmpl-{provider}-{number}")
    }

    fn output_cap(&self, request: &Value) -> Option<u64> {
        let caps = [&request["max_tokens"], &request["max_completion_tokens"]];
        caps.into_iter().filter_map(Value::as_u64).min()
    }

    fn brings_results(&self, request: &Value) -> bool {
        last_role(request) == "tool"
    }

    fn whole(&self, answer: &Answer) -> Value {
        let mut message = json!({ "role": "assistant", "content": answer.text() });
        if let Some(thoughts) = answer.thoughts() {
            message["reasoning_content"] = json!(thoughts);
        }
        if let Some(refusal) = answer.refusal() {
            message["refusal"] = json!(refusal);
        }
        let calls: Vec<Value> = answer
            .calls()
            .map(|(place, call)| tool_call(answer, place, call, &call.arguments))
            .collect();
        if !calls.is_empty() {
            message["tool_calls"] = json!(calls);
        }
        let mut body = json!({
            "id": answer.id,
            "object": "chat.completion",
            "created": CREATED,
            "model": answer.model,
            "choices": [{ "index": 0, "message": message, "finish_reason": finish_reason(answer.end) }],
            "x_provider_extra": { "kept": true },
        });
        if answer.with_usage {
            body["usage"] = usage(&answer.counts);
        }
        body
    }

    fn frames<'a>(&self, answer: &'a Answer) -> Frames<'a> {
        // Several choices begin together and then come one after the other, each with the same answer, which the bill has once.
        let choices = 0..answer.request["n"].as_u64().unwrap_or(1).max(1);
        let begun = json!({ "role": "assistant", "content": "" });
        let roles = choices.clone().map(move |choice| plain(delta(answer, choice, &begun)));
        let parts = choices.flat_map(move |choice| {
            let parts = answer.blocks.iter().flat_map(move |block| parts(answer, choice, block));
            let reason = json!(finish_reason(answer.end));
            parts.chain(once_with(move || plain(event(answer, choice, &json!({}), &reason))))
        });
        let tells_usage = answer.with_usage && answer.request["stream_options"]["include_usage"] == true;
        let usage = tells_usage.then(|| plain(usage_event(answer, chunk(answer))));
        let done = once_with(|| plain(DONE.to_owned()));
        Box::new(roles.chain(parts).chain(usage).chain(done))
    }

    fn error(&self) -> Value {
        json!({ "error": { "message": "no" } })
    }

    fn error_frame(&self, _answer: &Answer, _sent: usize) -> String {
        ERROR_FRAME.to_owned()
    }
}

/// The mark at the end of a stream.
pub(super) const DONE: &str = "data: [DONE]\n\n";

/// An error in the place of an event.
pub(super) const ERROR_FRAME: &str =
    "data: {\"error\":{\"message\":\"secret-upstream-detail\",\"type\":\"server_error\",\"code\":500}}\n\n";

/// The role of the last message.
pub(super) fn last_role(request: &Value) -> &str {
    let last = items(&request["messages"]).last();
    last.and_then(|message| message["role"].as_str()).unwrap_or_default()
}

fn finish_reason(end: End) -> &'static str {
    match end {
        // A refusal is an answer like another.
        End::Stop | End::Refusal => "stop",
        End::Length => "length",
        End::Calls => "tool_calls",
    }
}

fn parts<'a>(answer: &'a Answer, choice: u64, block: &'a Block) -> Frames<'a> {
    let texts = |pieces: &'a super::answer::Pieces, field: &'static str| -> Frames<'a> {
        Box::new(
            pieces
                .iter()
                .map(move |text| piece(delta(answer, choice, &json!({ field: text })))),
        )
    };
    match block {
        Block::Thoughts(pieces) => texts(pieces, "reasoning_content"),
        Block::Text(pieces) => texts(pieces, "content"),
        Block::Refusal(pieces) => texts(pieces, "refusal"),
        Block::Call(place, call) => {
            let mut begin = tool_call(answer, *place, call, "");
            begin["index"] = json!(place);
            let begin = plain(delta(answer, choice, &json!({ "tool_calls": [begin] })));
            let arguments = call.pieces().into_iter().map(move |text| {
                let call = json!({ "index": place, "function": { "arguments": text } });
                piece(delta(answer, choice, &json!({ "tool_calls": [call] })))
            });
            Box::new(std::iter::once(begin).chain(arguments))
        }
    }
}

fn tool_call(answer: &Answer, place: usize, call: &ToolCall, arguments: &str) -> Value {
    json!({
        "id": answer.part_id("call", place),
        "type": "function",
        "function": { "name": call.name, "arguments": arguments },
    })
}

fn delta(answer: &Answer, choice: u64, delta: &Value) -> String {
    event(answer, choice, delta, &Value::Null)
}

fn event(answer: &Answer, choice: u64, delta: &Value, finish_reason: &Value) -> String {
    let mut chunk = chunk(answer);
    chunk["choices"] = json!([{ "index": choice, "delta": delta, "finish_reason": finish_reason }]);
    data(&chunk)
}

/// The event that tells the usage, in this chunk.
pub(super) fn usage_event(answer: &Answer, mut chunk: Value) -> String {
    chunk["choices"] = json!([]);
    chunk["usage"] = usage(&answer.counts);
    data(&chunk)
}

fn chunk(answer: &Answer) -> Value {
    json!({
        "id": answer.id,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": answer.model,
    })
}

/// Usage with everything inside the two sums; the details only where there are any.
pub(super) fn usage(counts: &Counts) -> Value {
    let beside = if counts.script.reasoning_beside {
        counts.reasoning
    } else {
        0
    };
    let mut usage = json!({
        "prompt_tokens": counts.input(),
        "completion_tokens": counts.output() - beside,
        "total_tokens": counts.input() + counts.output(),
    });
    if counts.script.cached + counts.written() > 0 {
        usage["prompt_tokens_details"] =
            json!({ "cached_tokens": counts.script.cached, "cache_write_tokens": counts.written() });
    }
    if counts.reasoning > 0 {
        usage["completion_tokens_details"] = json!({ "reasoning_tokens": counts.reasoning });
    }
    usage
}
