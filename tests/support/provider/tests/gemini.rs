//! Gemini against the types of the Python package `google-genai` 3.6.

use serde_json::{Value, json};

use super::client;
use super::scene::Spoken;
use super::shape::assert_shape;
use crate::support::{Content, Provider, SseEvent, UsageScript};

fn modalities() -> Value {
    json!([{ "modality": "=TEXT", "tokenCount": "count" }])
}

fn response(is_last: bool) -> Value {
    let part = json!({
        "text?": "text",
        "thought?": "bool",
        "thoughtSignature?": "text",
        "functionCall?": { "id": "text", "name": "text", "args": "object" },
    });
    let rating = json!({ "category": "=HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "=HIGH", "blocked": "bool" });
    let mut candidate = json!({ "index": "count", "content?": { "role": "=model", "parts": [part] } });
    let mut template = json!({ "modelVersion": "text", "responseId": "text" });
    if is_last {
        candidate["finishReason"] = json!("=STOP|=MAX_TOKENS|=SAFETY");
        candidate["safetyRatings?"] = json!([rating]);
        template["usageMetadata"] = json!({
            "promptTokenCount": "count",
            "candidatesTokenCount": "count",
            "totalTokenCount": "count",
            "promptTokensDetails": modalities(),
            "cachedContentTokenCount?": "count",
            "cacheTokensDetails?": modalities(),
            "thoughtsTokenCount?": "count",
        });
    }
    template["candidates"] = json!([candidate]);
    template
}

/// The parts of a stream and why it ended, after checking its grammar: chunks with one part each, and a last one, which
/// alone tells the reason and the usage.
#[track_caller]
fn parts(events: &[SseEvent]) -> (Vec<Value>, Value) {
    let (last, chunks) = events.split_last().unwrap();
    let mut parts = Vec::new();
    for chunk in chunks {
        assert_eq!(chunk.name, None);
        assert_shape(&chunk.data, &response(false));
        let content = chunk.data["candidates"][0]["content"]["parts"].as_array().unwrap();
        assert_eq!(content.len(), 1);
        parts.push(content[0].clone());
    }
    assert_shape(&last.data, &response(true));
    let last = &last.data["candidates"][0];
    parts.extend(last["content"]["parts"].as_array().cloned().unwrap_or_default());
    (parts, last["finishReason"].clone())
}

#[test]
fn gemini_answers_whole_and_in_chunks() {
    let provider = Provider::start("alpha");
    provider.set_tokens(2);
    let whole = Spoken::Gemini.whole(&provider, "hello");
    assert_shape(&whole, &response(true));
    assert_eq!(
        whole["candidates"][0]["content"]["parts"],
        json!([{ "text": "alpha-1 alpha-2" }])
    );
    assert_eq!(
        (&whole["modelVersion"], &whole["responseId"]),
        (&json!("m-1"), &json!("alpha-1"))
    );
    let reply = Spoken::Gemini.ask(&provider, "hello", true);
    assert!(reply.text().ends_with("\r\n\r\n") && !reply.text().contains("[DONE]"));
    let (seen, reason) = parts(&reply.sse());
    assert_eq!(
        json!(seen),
        json!([{ "text": "alpha-1 " }, { "text": "alpha-2" }, { "text": "" }])
    );
    assert_eq!(reason, "STOP");
    provider.say(Content::cut_text());
    assert_eq!(parts(&Spoken::Gemini.stream(&provider, "hello")).1, "MAX_TOKENS");
    assert_eq!(
        Spoken::Gemini.whole(&provider, "hello")["candidates"][0]["finishReason"],
        "MAX_TOKENS"
    );
}

#[test]
fn gemini_thinks_calls_whole_functions_and_refuses_without_content() {
    let provider = Provider::start("alpha");
    provider.set_tokens(1);
    let seal = provider.sealed();
    let thought = |text: &str| json!({ "text": text, "thought": true });
    let thoughts = [thought("alpha-thought-1 "), thought("alpha-thought-2")];

    provider.say(Content::text().thinking());
    let whole = Spoken::Gemini.whole(&provider, "hello");
    assert_shape(&whole, &response(true));
    let expected = json!([thought("alpha-thought-1 alpha-thought-2"), { "text": "alpha-1", "thoughtSignature": seal }]);
    assert_eq!(whole["candidates"][0]["content"]["parts"], expected);
    let (seen, _) = parts(&Spoken::Gemini.stream(&provider, "hello"));
    let expected = json!([thoughts[0], thoughts[1], { "text": "alpha-1" }, { "text": "", "thoughtSignature": seal }]);
    assert_eq!(json!(seen), expected);

    provider.say(Content::calls(&[("look", r#"{"at":"this"}"#), ("ask", "{}")]).thinking());
    let call = |answer: usize, place: usize, name: &str, args: Value| json!({ "functionCall": { "id": format!("call_alpha_{answer}_{place}"), "name": name, "args": args } });
    let whole = Spoken::Gemini.whole(&provider, "hello");
    assert_shape(&whole, &response(true));
    // The first of calls in parallel carries the signature for all.
    let mut first = call(3, 0, "look", json!({ "at": "this" }));
    first["thoughtSignature"] = json!(seal);
    let expected = json!([
        thought("alpha-thought-1 alpha-thought-2"),
        first,
        call(3, 1, "ask", json!({}))
    ]);
    assert_eq!(whole["candidates"][0]["content"]["parts"], expected);
    assert_eq!(whole["candidates"][0]["finishReason"], "STOP");
    let (seen, reason) = parts(&Spoken::Gemini.stream(&provider, "hello"));
    first["functionCall"]["id"] = json!("call_alpha_4_0");
    let expected = json!([thoughts[0], thoughts[1], first, call(4, 1, "ask", json!({})), { "text": "" }]);
    assert_eq!((json!(seen), reason), (expected, json!("STOP")));

    provider.say(Content::refusal());
    let whole = Spoken::Gemini.whole(&provider, "hello");
    assert_shape(&whole, &response(true));
    let candidate = &whole["candidates"][0];
    assert!(candidate["content"].is_null() && candidate["safetyRatings"][0]["blocked"] == true);
    assert_eq!(
        parts(&Spoken::Gemini.stream(&provider, "hello")),
        (vec![], json!("SAFETY"))
    );
}

#[test]
fn gemini_tells_the_cache_inside_the_prompt_and_the_thoughts_beside_the_candidates() {
    let provider = Provider::start("alpha");
    provider.set_usage(UsageScript {
        cached: 1000,
        cache_write: 200,
        cache_write_1h: 30,
        reasoning: 7,
        ..UsageScript::default()
    });
    let expected = json!({
        "promptTokenCount": 1233,
        "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": 1233 }],
        "cachedContentTokenCount": 1000,
        "cacheTokensDetails": [{ "modality": "TEXT", "tokenCount": 1000 }],
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 7,
        "totalTokenCount": 1245,
    });
    assert_eq!(
        Spoken::Gemini.whole(&provider, "one two three")["usageMetadata"],
        expected
    );
    let events = Spoken::Gemini.stream(&provider, "one two three");
    assert_eq!(events.last().unwrap().data["usageMetadata"], expected);
    assert_eq!(provider.bill()[1].output_tokens, 12);
}

#[test]
fn gemini_reads_system_instructions_and_results_of_functions_and_counts_them() {
    let provider = Provider::start("alpha");
    provider.say(Content::calls(&[("look", "{}")]));
    let body = json!({
        "systemInstruction": { "parts": [{ "text": "be brief" }] },
        "contents": [
            { "role": "user", "parts": [{ "text": "one" }, { "inlineData": { "mimeType": "image/png", "data": "" } }, { "text": "two" }] },
            { "role": "model", "parts": [{ "functionCall": { "name": "look", "args": {} }, "thoughtSignature": "x" }] },
            { "role": "user", "parts": [{ "functionResponse": { "name": "look", "response": { "is": "three four" } } }] },
        ],
    });
    let path = "/v1beta/models/m-1:generateContent";
    let answer = client(&provider).post(path, &body).json();
    assert_eq!(
        provider.last_request().messages(),
        ["be brief", "one\ntwo", "", r#"{"is":"three four"}"#]
    );
    assert_eq!(answer["usageMetadata"]["promptTokenCount"], 6);
    assert!(answer["candidates"][0]["content"]["parts"][0]["text"].is_string());
    for counted in [body.clone(), json!({ "generateContentRequest": body })] {
        let count = client(&provider)
            .post("/v1beta/models/m-1:countTokens", &counted)
            .json();
        assert_shape(
            &count,
            &json!({ "totalTokens": "count", "promptTokensDetails": modalities() }),
        );
        assert_eq!(count["totalTokens"], 6);
    }
    assert_eq!((provider.bill().len(), provider.requests()), (1, 3));
    // Without `alt=sse` the service streams something else, which nobody here reads.
    let stream = client(&provider).post("/v1beta/models/m-1:streamGenerateContent", &body);
    assert_eq!(stream.status, 404);
}
