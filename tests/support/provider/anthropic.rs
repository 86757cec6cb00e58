//! Anthropic Messages, from the published types of the Python package `anthropic` 2.14 (`types/message.py`, `types/usage.py`,
//! `types/raw_*_event.py`, `types/*_delta.py`, `types/refusal_stop_details.py`, `types/shared/error_response.py`); that
//! pings come in between is in the API reference ("Streaming messages").
//!
//! What is read from the cache and written to it is told beside `input_tokens`, reasoning inside `output_tokens`. A
//! refusal has no words in the answer: they are the explanation in `stop_details`.

use std::iter::{empty, once, once_with};

use serde_json::{Value, json};

use super::answer::{Answer, Block, Frame, Frames};
use super::content::End;
use super::dialect::{Dialect, items, named, piece, plain, text_of};

/// The dialect of `…/v1/messages`.
pub(super) struct Anthropic;

/// The text of the system prompt, if there is one, and of each message.
pub(super) fn texts(body: &Value) -> Vec<String> {
    let system = (!body["system"].is_null()).then(|| text_of(&body["system"]));
    let messages = items(&body["messages"]).iter();
    system
        .into_iter()
        .chain(messages.map(|message| text_of(&message["content"])))
        .collect()
}

/// The answer to the question for the tokens of a request (`types/message_tokens_count.py`).
pub(super) fn count(tokens: u64) -> Value {
    json!({ "input_tokens": tokens })
}

impl Dialect for Anthropic {
    fn id(&self, provider: &str, number: usize) -> String {
        format!("msg_{provider}_{number}")
    }

    fn output_cap(&self, request: &Value) -> Option<u64> {
        request["max_tokens"].as_u64()
    }

    fn brings_results(&self, request: &Value) -> bool {
        let last = items(&request["messages"]).last();
        last.is_some_and(|message| {
            items(&message["content"])
                .iter()
                .any(|part| part["type"] == "tool_result")
        })
    }

    fn whole(&self, answer: &Answer) -> Value {
        let mut message = message(answer, answer.counts.output());
        let content: Vec<Value> = answer
            .blocks
            .iter()
            .filter_map(|block| whole_block(answer, block))
            .collect();
        message["content"] = json!(content);
        let end = end(answer);
        message["stop_reason"] = end["stop_reason"].clone();
        if let Some(details) = end.get("stop_details") {
            message["stop_details"] = details.clone();
        }
        message["x_provider_extra"] = json!({ "kept": true });
        message
    }

    fn frames<'a>(&self, answer: &'a Answer) -> Frames<'a> {
        let start = once_with(|| {
            // The first token is there when the head is sent.
            let message = message(answer, answer.counts.output().min(1));
            plain(named(&json!({ "type": "message_start", "message": message })))
        });
        let ping = once_with(|| plain(named(&json!({ "type": "ping" }))));
        let shown = answer.blocks.iter().filter(|block| !matches!(block, Block::Refusal(_)));
        let blocks = shown
            .enumerate()
            .flat_map(|(index, block)| block_frames(answer, index, block));
        let end = once_with(|| {
            let mut event = json!({ "type": "message_delta", "delta": end(answer) });
            if answer.with_usage {
                event["usage"] = usage(answer, answer.counts.output());
            }
            plain(named(&event))
        });
        let stop = once_with(|| plain(named(&json!({ "type": "message_stop" }))));
        Box::new(start.chain(ping).chain(blocks).chain(end).chain(stop))
    }

    fn error(&self) -> Value {
        json!({
            "type": "error",
            "error": { "type": "overloaded_error", "message": "secret-upstream-detail" },
            "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy",
        })
    }

    fn error_frame(&self, _answer: &Answer, _sent: usize) -> String {
        named(&self.error())
    }
}

/// A message without content, as far as this many tokens of it are made.
fn message(answer: &Answer, output_tokens: u64) -> Value {
    let mut message = json!({
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
    });
    if answer.with_usage {
        let mut usage = usage(answer, output_tokens);
        usage["cache_creation"] = json!({
            "ephemeral_5m_input_tokens": answer.counts.script.cache_write,
            "ephemeral_1h_input_tokens": answer.counts.script.cache_write_1h,
        });
        usage["service_tier"] = json!("standard");
        message["usage"] = usage;
    }
    message
}

/// Usage so far. The tokens of the request are told in full from the beginning.
fn usage(answer: &Answer, output_tokens: u64) -> Value {
    let counts = &answer.counts;
    let mut usage = json!({
        "input_tokens": counts.fresh,
        "cache_read_input_tokens": counts.script.cached,
        "cache_creation_input_tokens": counts.written(),
        "output_tokens": output_tokens,
    });
    if counts.reasoning > 0 && output_tokens == counts.output() {
        usage["output_tokens_details"] = json!({ "thinking_tokens": counts.reasoning });
    }
    usage
}

/// Why the answer ends.
fn end(answer: &Answer) -> Value {
    let reason = match answer.end {
        End::Stop => "end_turn",
        End::Length => "max_tokens",
        End::Calls => "tool_use",
        End::Refusal => "refusal",
    };
    let mut end = json!({ "stop_reason": reason, "stop_sequence": null });
    if let Some(explanation) = answer.refusal() {
        end["stop_details"] = json!({ "type": "refusal", "category": "general_harms", "explanation": explanation });
    }
    end
}

/// A part of the content, given at once.
fn whole_block(answer: &Answer, block: &Block) -> Option<Value> {
    Some(match block {
        Block::Thoughts(pieces) => {
            json!({ "type": "thinking", "thinking": pieces.text(), "signature": answer.sealed() })
        }
        Block::Text(pieces) => json!({ "type": "text", "text": pieces.text() }),
        Block::Refusal(_) => return None,
        Block::Call(place, call) => json!({
            "type": "tool_use",
            "id": answer.part_id("toolu", *place),
            "name": call.name,
            "input": call.object(),
        }),
    })
}

/// A part of the content as events: its start, its pieces, its stop.
fn block_frames<'a>(answer: &'a Answer, index: usize, block: &'a Block) -> Frames<'a> {
    let delta = move |delta: Value| named(&json!({ "type": "content_block_delta", "index": index, "delta": delta }));
    let (begin, pieces): (Value, Frames<'a>) = match block {
        Block::Thoughts(pieces) => {
            let thoughts = pieces
                .iter()
                .map(move |text| piece(delta(json!({ "type": "thinking_delta", "thinking": text }))));
            let seal = delta(json!({ "type": "signature_delta", "signature": answer.sealed() }));
            let begin = json!({ "type": "thinking", "thinking": "", "signature": "" });
            (begin, Box::new(thoughts.chain(once(plain(seal)))))
        }
        Block::Text(pieces) => {
            let texts = pieces
                .iter()
                .map(move |text| piece(delta(json!({ "type": "text_delta", "text": text }))));
            (json!({ "type": "text", "text": "" }), Box::new(texts))
        }
        Block::Refusal(_) => return Box::new(empty::<Frame>()),
        Block::Call(place, call) => {
            let delta = move |text: String| delta(json!({ "type": "input_json_delta", "partial_json": text }));
            // The first piece of the input is an empty one.
            let nothing = plain(delta(String::new()));
            let pieces = call.pieces().into_iter().map(move |text| piece(delta(text)));
            let id = answer.part_id("toolu", *place);
            let begin = json!({ "type": "tool_use", "id": id, "name": call.name, "input": {} });
            (begin, Box::new(once(nothing).chain(pieces)))
        }
    };
    let begin = json!({ "type": "content_block_start", "index": index, "content_block": begin });
    let stop = json!({ "type": "content_block_stop", "index": index });
    Box::new(
        once(plain(named(&begin)))
            .chain(pieces)
            .chain(once(plain(named(&stop)))),
    )
}
