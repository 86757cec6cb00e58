//! Gemini: `GenerateContentResponse` of the `google-genai` Python package, version 3.6.1 (`types.py`), whole and as the
//! chunks of `streamGenerateContent` with `alt=sse`.

use serde_json::{Value, json};

use super::{MODEL, PARTS, STATE, STRANGE, Sample, TEXT, THOUGHT};
use crate::dialects::matrix::answers::row::Row;

/// An answer with these parts that ended so, and its stream, which has a chunk for each part.
fn answer(parts: Vec<Value>, finish: &str, more: Value) -> Sample {
    let usage = json!({"promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 35,
        "thoughtsTokenCount": 15, "totalTokenCount": 150,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 100}]});
    let response = |parts: &[Value], finish: Option<&str>, more: &Value| {
        let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": parts}});
        if let Some(finish) = finish {
            candidate["finishReason"] = json!(finish);
        }
        for (name, value) in more.as_object().into_iter().flatten() {
            candidate[name] = value.clone();
        }
        json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL, "responseId": "mAitaLmk-9"})
    };
    let whole = response(&parts, Some(finish), &more).to_string();
    let mut stream = String::new();
    for (number, part) in parts.iter().enumerate() {
        let last = number + 1 == parts.len();
        let more = if last { &more } else { &Value::Null };
        let chunk = response(std::slice::from_ref(part), last.then_some(finish), more);
        stream.push_str(&format!("data: {chunk}\r\n\r\n"));
    }
    Sample { whole, stream }
}

fn text(text: &str) -> Value {
    json!({"text": text})
}

fn signed(mut part: Value) -> Value {
    part["thoughtSignature"] = json!(STATE);
    part
}

pub(super) fn sample(row: Row) -> Option<Sample> {
    let said = |before: Vec<Value>, more: Value| {
        let parts = [before, vec![text(TEXT)]].concat();
        answer(parts, "STOP", more)
    };
    let thought = json!({"text": THOUGHT, "thought": true});
    Some(match row {
        Row::Text | Row::Names | Row::Counts | Row::CacheReads | Row::ReasoningCount => {
            answer(vec![text(TEXT)], "STOP", Value::Null)
        }
        Row::Texts => answer(PARTS.map(text).to_vec(), "STOP", Value::Null),
        Row::Reasoning => said(vec![thought], Value::Null),
        Row::State => answer(vec![thought, signed(text(TEXT))], "STOP", Value::Null),
        Row::Withheld => {
            let args = json!({"city": "Zürich"});
            let call = json!({"functionCall": {"id": "call_1", "name": "weather", "args": args}});
            answer(vec![text(TEXT), signed(call)], "STOP", Value::Null)
        }
        Row::Call => {
            let args = json!({"city": "Zürich", "days": 1.5});
            let call = json!({"functionCall": {"id": "call_1", "name": "weather", "args": args}});
            answer(vec![call], "STOP", Value::Null)
        }
        Row::Calls => {
            let weather = json!({"functionCall": {"name": "weather", "args": {"city": "Zürich"}}});
            let clock = json!({"functionCall": {"name": "clock", "args": {"zone": "CET"}}});
            answer(vec![text(TEXT), weather, clock], "STOP", Value::Null)
        }
        Row::BareCall => answer(
            vec![json!({"functionCall": {"id": "call_1", "name": "clock"}})],
            "STOP",
            Value::Null,
        ),
        // It says no words of a refusal, does not tell stop texts from the end, and does not count cache writes.
        Row::Refusal | Row::StopText | Row::CacheWrites => return None,
        Row::Length => answer(vec![text(TEXT)], "MAX_TOKENS", Value::Null),
        Row::Filter => {
            let ratings = json!([{"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": true}]);
            answer(vec![text(TEXT)], "SAFETY", json!({"safetyRatings": ratings}))
        }
        Row::Citations => {
            let web = json!({"web": {"uri": "https://example.com/a", "title": STRANGE}});
            let sources = json!({"citationSources": [{"startIndex": 0, "endIndex": 5, "uri": STRANGE}]});
            let grounding = json!({"groundingChunks": [web], "webSearchQueries": [STRANGE]});
            said(
                Vec::new(),
                json!({"citationMetadata": sources, "groundingMetadata": grounding}),
            )
        }
        Row::Logprobs => {
            let chosen = json!([{"token": STRANGE, "tokenId": 1, "logProbability": -0.5}]);
            let result = json!({"chosenCandidates": chosen, "topCandidates": []});
            said(Vec::new(), json!({"avgLogprobs": -0.5, "logprobsResult": result}))
        }
        Row::Media => {
            let image = json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}});
            answer(vec![text(TEXT), image], "STOP", Value::Null)
        }
        Row::Hosted => {
            let code = json!({"executableCode": {"language": "PYTHON", "code": "1+1"}});
            let result = json!({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}});
            said(vec![code, result], Value::Null)
        }
        Row::Unknown => said(
            vec![json!({"text": "", "xNew": {"kind": STRANGE}})],
            json!({"xNew": {"kind": STRANGE}}),
        ),
    })
}
