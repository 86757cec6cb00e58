//! OpenAI's legacy completions, from the published types of the Python package `openai` 3.57 (`types/completion.py`,
//! `types/completion_choice.py`). Whole answers and chunks have one shape. They have text and nothing else: no
//! reasoning, no calls, no words of refusal. In a chunk the reason to end is null until there is one, as the service has it;
//! the type leaves that out.

use std::iter::once_with;

use serde_json::{Value, json};

use super::answer::{Answer, Block, Frames};
use super::content::End;
use super::dialect::{Dialect, data, items, piece, plain};
use super::openai_chat::{CREATED, DONE, ERROR_FRAME, OpenaiChat, usage, usage_event};

/// The dialect of `…/completions`.
pub(super) struct OpenaiCompletions;

/// The prompt, or each of the prompts.
pub(super) fn texts(body: &Value) -> Vec<String> {
    match &body["prompt"] {
        Value::String(prompt) => vec![prompt.clone()],
        prompts => items(prompts)
            .iter()
            .map(|prompt| prompt.as_str().unwrap_or_default().to_owned())
            .collect(),
    }
}

impl Dialect for OpenaiCompletions {
    fn id(&self, provider: &str, number: usize) -> String {
        format!("cmpl-{provider}-{number}")
    }

    fn output_cap(&self, request: &Value) -> Option<u64> {
        request["max_tokens"].as_u64()
    }

    fn brings_results(&self, _request: &Value) -> bool {
        false
    }

    fn can_say(&self, block: &Block) -> bool {
        matches!(block, Block::Text(_))
    }

    fn whole(&self, answer: &Answer) -> Value {
        let mut body = chunk(
            answer,
            &answer.text().unwrap_or_default(),
            &json!(finish_reason(answer.end)),
        );
        body["x_provider_extra"] = json!({ "kept": true });
        if answer.with_usage {
            body["usage"] = usage(&answer.counts);
        }
        body
    }

    fn frames<'a>(&self, answer: &'a Answer) -> Frames<'a> {
        let parts = answer.blocks.iter().flat_map(|block| match block {
            Block::Text(pieces) => Some(pieces.iter()),
            _ => None,
        });
        let parts = parts
            .flatten()
            .map(|text| piece(data(&chunk(answer, &text, &Value::Null))));
        let finish = once_with(|| plain(data(&chunk(answer, "", &json!(finish_reason(answer.end))))));
        let tells_usage = answer.with_usage && answer.request["stream_options"]["include_usage"] == true;
        let usage = tells_usage.then(|| plain(usage_event(answer, chunk(answer, "", &Value::Null))));
        let done = once_with(|| plain(DONE.to_owned()));
        Box::new(parts.chain(finish).chain(usage).chain(done))
    }

    fn error(&self) -> Value {
        OpenaiChat.error()
    }

    fn error_frame(&self, _answer: &Answer, _sent: usize) -> String {
        ERROR_FRAME.to_owned()
    }
}

fn finish_reason(end: End) -> &'static str {
    match end {
        End::Stop | End::Calls => "stop",
        End::Length => "length",
        End::Refusal => "content_filter",
    }
}

fn chunk(answer: &Answer, text: &str, finish_reason: &Value) -> Value {
    json!({
        "id": answer.id,
        "object": "text_completion",
        "created": CREATED,
        "model": answer.model,
        "choices": [{ "index": 0, "text": text, "logprobs": null, "finish_reason": finish_reason }],
    })
}
