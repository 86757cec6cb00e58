//! Ollama: the answers of `/api/chat` as `docs/api.md` and `ChatResponse` in `api/types.go` have them, whole and as lines
//! of JSON.

use serde_json::{Value, json};

use super::{MODEL, PARTS, STATE, STRANGE, Sample, TEXT, THOUGHT};
use crate::dialects::matrix::answers::row::Row;

/// An answer with this message that ended so, and the stream of these messages.
fn answer(message: Value, deltas: Vec<Value>, reason: &str) -> Sample {
    let response = |mut message: Value| {
        message["role"] = json!("assistant");
        json!({"model": MODEL, "created_at": "2025-10-17T23:14:07.414671Z", "message": message, "done": false})
    };
    let end = |mut response: Value| {
        response["done"] = json!(true);
        response["done_reason"] = json!(reason);
        for (name, count) in [
            ("total_duration", 174_560_334),
            ("load_duration", 101_397_084),
            ("prompt_eval_count", 100),
            ("prompt_eval_duration", 13_074_791),
            ("eval_count", 50),
            ("eval_duration", 52_479_709),
        ] {
            response[name] = json!(count);
        }
        response
    };
    let lines = deltas.into_iter().map(|delta| response(delta).to_string() + "\n");
    let mut stream: String = lines.collect();
    stream.push_str(&(end(response(json!({"content": ""}))).to_string() + "\n"));
    Sample {
        whole: end(response(message)).to_string(),
        stream,
    }
}

/// An answer of the text, with these members beside it.
fn said(more: &Value) -> Sample {
    let with = |content: &str| {
        let mut message = more.clone();
        message["content"] = json!(content);
        message
    };
    let pieces = PARTS.map(|part| json!({"content": part}));
    let deltas = if more.as_object().is_some_and(serde_json::Map::is_empty) {
        pieces.to_vec()
    } else {
        [vec![with("")], pieces.to_vec()].concat()
    };
    answer(with(TEXT), deltas, "stop")
}

pub(super) fn sample(row: Row) -> Option<Sample> {
    let called = |content: &str, calls: Value| {
        let message = json!({"content": content, "tool_calls": calls});
        answer(message.clone(), vec![message], "stop")
    };
    Some(match row {
        Row::Text | Row::Names | Row::Counts => said(&json!({})),
        Row::Reasoning => said(&json!({"thinking": THOUGHT})),
        Row::Call => {
            let arguments = json!({"city": "Zürich", "days": 1.5});
            called(
                "",
                json!([{"id": "call_1", "function": {"index": 0, "name": "weather", "arguments": arguments}}]),
            )
        }
        Row::Calls => called(
            TEXT,
            json!([{"function": {"name": "weather", "arguments": {"city": "Zürich"}}},
                {"function": {"name": "clock", "arguments": {"zone": "CET"}}}]),
        ),
        Row::BareCall => called(
            "",
            json!([{"id": "call_1", "function": {"name": "clock", "arguments": {}}}]),
        ),
        Row::Length => answer(json!({"content": TEXT}), vec![json!({"content": TEXT})], "length"),
        Row::Media => said(&json!({"images": [STATE]})),
        Row::Logprobs => {
            let mut sample = said(&json!({}));
            let likely = format!(r#""logprobs":[{{"token":"{STRANGE}","logprob":-0.5}}],"model""#);
            for text in [&mut sample.whole, &mut sample.stream] {
                *text = text.replace("\"model\"", &likely);
            }
            sample
        }
        Row::Unknown => said(&json!({"x_new": {"kind": STRANGE}})),
        // The dialect has none of these.
        Row::Texts
        | Row::State
        | Row::Withheld
        | Row::Refusal
        | Row::StopText
        | Row::Filter
        | Row::Citations
        | Row::Hosted
        | Row::CacheReads
        | Row::CacheWrites
        | Row::ReasoningCount => return None,
    })
}
