//! Vectors in each dialect, and the paths that belong to none.

use serde_json::{Value, json};

use super::client;
use super::shape::assert_shape;
use crate::support::{Behaviour, ModelList, Provider, UsageScript};

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_f64().unwrap())
        .collect()
}

/// The numbers in base64: four bytes each, the lowest first.
fn decoded(text: &str) -> Vec<f64> {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = text.trim_end_matches('=').chars().flat_map(|letter| {
        let value = letters.find(letter).unwrap();
        (0..6).rev().map(move |place| u8::from(value >> place & 1 == 1))
    });
    let bits: Vec<u8> = bits.collect();
    let bytes: Vec<u8> = bits
        .chunks_exact(8)
        .map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit))
        .collect();
    let number = |bytes: &[u8]| f64::from(f32::from_le_bytes(bytes.try_into().unwrap()));
    bytes.chunks_exact(4).map(number).collect()
}

#[test]
fn a_text_has_one_vector_in_every_dialect_and_encoding() {
    let provider = Provider::start("alpha");
    provider.set_usage(UsageScript {
        reasoning: 7,
        ..UsageScript::default()
    });
    let ask = |path: &str, body: Value| client(&provider).post(path, &body).json();
    let openai = ask(
        "/v1/embeddings",
        json!({ "model": "e-1", "input": ["one two", "three"] }),
    );
    let item = json!({ "object": "=embedding", "index": "count", "embedding": ["number"] });
    let usage = json!({ "prompt_tokens": "count", "total_tokens": "count" });
    assert_shape(
        &openai,
        &json!({ "object": "=list", "data": [item], "model": "text", "usage": usage }),
    );
    assert_eq!(openai["usage"], json!({ "prompt_tokens": 3, "total_tokens": 3 }));
    let vectors: Vec<Vec<f64>> = (0..2)
        .map(|place| numbers(&openai["data"][place]["embedding"]))
        .collect();
    assert!(vectors[0] != vectors[1] && vectors.iter().all(|vector| vector.len() == 8));
    assert!(vectors.iter().flatten().all(|number| number.abs() <= 1.0));
    assert_eq!(
        (&openai["data"][0]["index"], &openai["data"][1]["index"]),
        (&json!(0), &json!(1))
    );

    let body = json!({ "model": "e-1", "input": "three", "encoding_format": "base64" });
    let in_base64 = ask("/v1/embeddings", body);
    assert_eq!(decoded(in_base64["data"][0]["embedding"].as_str().unwrap()), vectors[1]);

    let requests =
        ["one two", "three"].map(|text| json!({ "model": "models/e-1", "content": { "parts": [{ "text": text }] } }));
    let gemini = ask("/v1beta/models/e-1:batchEmbedContents", json!({ "requests": requests }));
    let template =
        json!({ "embeddings": [{ "values": ["number"] }], "usageMetadata": { "promptTokenCount": "count" } });
    assert_shape(&gemini, &template);
    assert_eq!(numbers(&gemini["embeddings"][0]["values"]), vectors[0]);
    assert_eq!(gemini["usageMetadata"]["promptTokenCount"], 3);

    let ollama = ask("/api/embed", json!({ "model": "e-1", "input": ["one two", "three"] }));
    let template = json!({
        "model": "text",
        "embeddings": [["number"]],
        "total_duration": "count",
        "load_duration": "count",
        "prompt_eval_count": "count",
    });
    assert_shape(&ollama, &template);
    assert_eq!(numbers(&ollama["embeddings"][1]), vectors[1]);

    let bill = provider.bill();
    assert_eq!(bill.len(), 4);
    for (charge, input) in bill.iter().zip([3, 1, 3, 3]) {
        assert_eq!((charge.model.as_str(), charge.message.as_str()), ("e-1", "three"));
        assert_eq!(
            (charge.input_tokens, charge.output_tokens, charge.whole),
            (input, 0, true)
        );
    }
    assert_eq!(provider.last_request().messages(), ["one two", "three"]);
}

#[test]
fn a_vector_is_as_long_as_asked_and_tokens_are_counted_as_words() {
    let provider = Provider::start("alpha");
    let ask = |body: Value| client(&provider).post("/v1/embeddings", &body).json();
    let short = ask(json!({ "model": "e-1", "input": "three", "dimensions": 3 }));
    assert_eq!(numbers(&short["data"][0]["embedding"]).len(), 3);
    let tokens = ask(json!({ "model": "e-1", "input": [11, 12, 13] }));
    assert_eq!(
        (
            tokens["data"].as_array().unwrap().len(),
            &tokens["usage"]["prompt_tokens"]
        ),
        (1, &json!(3))
    );
    let lists = ask(json!({ "model": "e-1", "input": [[11, 12], [13]] }));
    assert_eq!(
        (
            lists["data"].as_array().unwrap().len(),
            &lists["usage"]["prompt_tokens"]
        ),
        (2, &json!(3))
    );
}

#[test]
fn vectors_and_counts_go_wrong_as_whole_answers_do() {
    let provider = Provider::start("alpha");
    let bodies = [
        ("/v1/embeddings", json!({ "model": "e-1", "input": "one" })),
        (
            "/v1beta/models/e-1:batchEmbedContents",
            json!({ "requests": [{ "content": { "parts": [{ "text": "one" }] } }] }),
        ),
        ("/api/embed", json!({ "model": "e-1", "input": "one" })),
        (
            "/v1/messages/count_tokens",
            json!({ "messages": [{ "role": "user", "content": "one" }] }),
        ),
        ("/v1/responses/input_tokens", json!({ "input": "one" })),
        (
            "/v1beta/models/e-1:countTokens",
            json!({ "contents": [{ "parts": [{ "text": "one" }] }] }),
        ),
    ];
    for (path, body) in &bodies {
        let ask = |behaviour: Behaviour| {
            provider.set(behaviour);
            client(&provider).post(path, body)
        };
        assert_eq!(ask(Behaviour::BROKEN).status, 500);
        assert!(!ask(Behaviour::ErrorFrameFirst).json()["error"].is_null());
        assert!(ask(Behaviour::EmptyStream).body.is_empty());
        assert!(ask(Behaviour::TruncatedBody).cut);
        let whole = ask(Behaviour::Answer);
        assert_eq!(provider.last_body(), whole.body);
        let silent = ask(Behaviour::UsageMissing).text().to_owned();
        let is_count = path.contains("count") || path.contains("input_tokens");
        assert_eq!(silent == whole.text(), is_count, "{path}: {silent}");
    }
    // A body cut short may have been made; what only counts is never charged.
    assert_eq!(provider.bill().len(), 3 * 3);
}

#[test]
fn a_path_of_no_dialect_is_not_found_and_costs_nothing() {
    let provider = Provider::start("alpha");
    for path in [
        "/v1/nothing",
        "/v1/messages/batches",
        "/v1beta/models/m-1:embedContent",
        "/v1/chat",
    ] {
        let reply = client(&provider).post(path, &json!({ "model": "m-1", "messages": [] }));
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.json()["error"]["message"].is_string());
    }
    assert_eq!((provider.requests(), provider.bill().len()), (4, 0));
    assert!(provider.last_request().messages().is_empty());
}

#[test]
fn models_are_listed_as_told_wherever_a_dialect_looks_for_them() {
    let provider = Provider::start("alpha");
    let list = r#"{"data":[{"id":"m-1"}]}"#;
    provider.set_models(ModelList::Json(list.into()));
    for path in ["/v1/models", "/v1/models?limit=1000", "/v1beta/models", "/api/tags"] {
        assert_eq!(client(&provider).get(path).text(), list, "{path}");
    }
    assert_eq!((provider.probes().len(), provider.requests()), (4, 0));
}

#[test]
fn the_model_is_in_the_path_where_it_is_not_in_the_body() {
    let provider = Provider::start("alpha");
    let path = "/openai/deployments/d-1/chat/completions?api-version=2025-04-01-preview";
    client(&provider).post(path, &json!({ "messages": [{ "role": "user", "content": "hello" }] }));
    assert_eq!(provider.bill()[0].model, "d-1");
}
