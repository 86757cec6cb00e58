//! Gemini's `generateContent`, from the published types of the Python package `google-genai` 3.6 (`types.py`:
//! `GenerateContentResponse`, `Candidate`, `Part`, `GenerateContentResponseUsageMetadata`, `CountTokensResponse`) and the
//! Gemini API reference ("Generating content", "Thought signatures"). Lines end as the service ends them, with CR LF.
//!
//! Tokens read from the cache are told inside `promptTokenCount`, reasoning beside `candidatesTokenCount`, tokens written
//! to the cache inside the prompt without a word of it. Calls of tools come whole. A refusal is a reason to end, without
//! content.

use std::iter::{empty, once_with};

use serde_json::{Value, json};

use super::answer::{Answer, Block, Frame, Frames};
use super::content::End;
use super::dialect::{Dialect, items, piece, plain, text_of};

/// The dialect of `…/models/{model}:generateContent` and `:streamGenerateContent?alt=sse`.
pub(super) struct Gemini;

/// The text of the system instruction, if there is one, and of each content; results of functions as JSON. The body of
/// `countTokens` may have them inside `generateContentRequest`.
pub(super) fn texts(body: &Value) -> Vec<String> {
    let body = match &body["generateContentRequest"] {
        Value::Null => body,
        inner => inner,
    };
    let system = ["systemInstruction", "system_instruction"]
        .into_iter()
        .find_map(|name| body.get(name));
    system
        .into_iter()
        .chain(items(&body["contents"]))
        .map(text_of_content)
        .collect()
}

/// The text of one content.
pub(super) fn text_of_content(content: &Value) -> String {
    let text = |part: &Value| match &part["functionResponse"]["response"] {
        Value::Null => text_of(&part["text"]),
        response => response.to_string(),
    };
    let texts: Vec<String> = items(&content["parts"])
        .iter()
        .map(text)
        .filter(|text| !text.is_empty())
        .collect();
    texts.join("\n")
}

/// The answer to the question for the tokens of a request.
pub(super) fn count(tokens: u64) -> Value {
    json!({ "totalTokens": tokens, "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": tokens }] })
}

impl Dialect for Gemini {
    fn output_cap(&self, request: &Value) -> Option<u64> {
        request["generationConfig"]["maxOutputTokens"].as_u64()
    }

    fn brings_results(&self, request: &Value) -> bool {
        let last = items(&request["contents"]).last();
        last.is_some_and(|content| {
            items(&content["parts"])
                .iter()
                .any(|part| !part["functionResponse"].is_null())
        })
    }

    fn whole(&self, answer: &Answer) -> Value {
        let mut parts: Vec<Value> = Vec::new();
        for block in &answer.blocks {
            match block {
                Block::Thoughts(pieces) => parts.push(json!({ "text": pieces.text(), "thought": true })),
                Block::Text(pieces) => parts.push(json!({ "text": pieces.text() })),
                Block::Refusal(_) => {}
                Block::Call(place, _) => parts.push(function_call(answer, *place, block)),
            }
        }
        if let (Some(seal), Some(last)) = (seal_of_text(answer), parts.last_mut()) {
            last["thoughtSignature"] = seal;
        }
        finish(answer, parts)
    }

    fn frames<'a>(&self, answer: &'a Answer) -> Frames<'a> {
        let parts = answer.blocks.iter().flat_map(|block| block_frames(answer, block));
        let end = once_with(|| {
            let mut last = json!({ "text": "" });
            if let Some(seal) = seal_of_text(answer) {
                last["thoughtSignature"] = seal;
            }
            let parts = if answer.end == End::Refusal {
                Vec::new()
            } else {
                vec![last]
            };
            plain(frame(&finish(answer, parts)))
        });
        Box::new(parts.chain(end))
    }

    fn error(&self) -> Value {
        json!({ "error": { "code": 503, "message": "secret-upstream-detail", "status": "UNAVAILABLE" } })
    }

    fn error_frame(&self, _answer: &Answer, _sent: usize) -> String {
        frame(&self.error())
    }
}

/// The opaque state, where it goes with the text: the first call of a tool has it otherwise.
fn seal_of_text(answer: &Answer) -> Option<Value> {
    let has_calls = answer.calls().next().is_some();
    (answer.thoughts().is_some() && !has_calls).then(|| json!(answer.sealed()))
}

fn block_frames<'a>(answer: &'a Answer, block: &'a Block) -> Frames<'a> {
    let part = move |part: Value| frame(&chunk(answer, &[part]));
    match block {
        Block::Thoughts(pieces) => Box::new(
            pieces
                .iter()
                .map(move |text| piece(part(json!({ "text": text, "thought": true })))),
        ),
        Block::Text(pieces) => Box::new(pieces.iter().map(move |text| piece(part(json!({ "text": text }))))),
        Block::Refusal(_) => Box::new(empty::<Frame>()),
        Block::Call(place, call) => Box::new(once_with(move || Frame {
            text: part(function_call(answer, *place, block)),
            tokens: call.pieces().len(),
        })),
    }
}

fn function_call(answer: &Answer, place: usize, block: &Block) -> Value {
    let Block::Call(_, call) = block else {
        return Value::Null;
    };
    let id = answer.part_id("call", place);
    let mut part = json!({ "functionCall": { "id": id, "name": call.name, "args": call.object() } });
    if answer.thoughts().is_some() && place == 0 {
        part["thoughtSignature"] = json!(answer.sealed());
    }
    part
}

/// The last chunk of a stream, or a whole answer: these parts, the reason to end, and the usage.
fn finish(answer: &Answer, parts: Vec<Value>) -> Value {
    let mut body = chunk(answer, &parts);
    let candidate = &mut body["candidates"][0];
    candidate["finishReason"] = match answer.end {
        End::Stop | End::Calls => json!("STOP"),
        End::Length => json!("MAX_TOKENS"),
        End::Refusal => json!("SAFETY"),
    };
    if answer.end == End::Refusal {
        let rating = json!({ "category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": true });
        candidate["safetyRatings"] = json!([rating]);
    }
    if answer.with_usage {
        body["usageMetadata"] = usage(answer);
    }
    body
}

fn usage(answer: &Answer) -> Value {
    let counts = &answer.counts;
    let mut usage = json!({
        "promptTokenCount": counts.input(),
        "candidatesTokenCount": counts.visible,
        "totalTokenCount": counts.input() + counts.output(),
        "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": counts.input() }],
    });
    if counts.script.cached > 0 {
        usage["cachedContentTokenCount"] = json!(counts.script.cached);
        usage["cacheTokensDetails"] = json!([{ "modality": "TEXT", "tokenCount": counts.script.cached }]);
    }
    if counts.reasoning > 0 {
        usage["thoughtsTokenCount"] = json!(counts.reasoning);
    }
    usage
}

fn chunk(answer: &Answer, parts: &[Value]) -> Value {
    let mut candidate = json!({ "index": 0 });
    if !parts.is_empty() {
        candidate["content"] = json!({ "role": "model", "parts": parts });
    }
    json!({ "candidates": [candidate], "modelVersion": answer.model, "responseId": answer.id })
}

fn frame(event: &Value) -> String {
    format!("data: {event}\r\n\r\n")
}
