//! Vectors of texts in each dialect: OpenAI's `…/embeddings` (types `create_embedding_response.py` and
//! `embedding_create_params.py` of the Python package `openai` 3.57), Gemini's `:batchEmbedContents` (types
//! `EmbedContentResponse` and `UsageMetadata` of `google-genai` 3.6), Ollama's `…/api/embed` (`EmbedResponse` in its
//! `docs/openapi.yaml`).
//!
//! A text has the same vector in every dialect, at every provider and in every run.

use serde_json::{Value, json};

use super::base64;
use super::dialect::items;
use super::gemini::text_of_content;

/// How long a vector is when the request does not say.
const DIMENSIONS: u64 = 8;

/// What is to be embedded, and what that costs.
pub(super) struct Embeddings<'a> {
    pub(super) request: &'a Value,
    pub(super) model: &'a str,
    pub(super) texts: &'a [String],
    pub(super) input_tokens: u64,
    pub(super) with_usage: bool,
}

/// The texts of a body with `input`: a text, texts, a list of tokens, or lists of tokens. Tokens are as words.
pub(super) fn texts_of_input(body: &Value) -> Vec<String> {
    let text = |input: &Value| match input {
        Value::String(text) => text.clone(),
        tokens => {
            let tokens: Vec<String> = items(tokens).iter().map(Value::to_string).collect();
            tokens.join(" ")
        }
    };
    match &body["input"] {
        Value::Array(inputs) if !inputs.iter().all(Value::is_number) => inputs.iter().map(text).collect(),
        input => vec![text(input)],
    }
}

/// The texts of a body with `requests`.
pub(super) fn texts_of_requests(body: &Value) -> Vec<String> {
    items(&body["requests"])
        .iter()
        .map(|request| text_of_content(&request["content"]))
        .collect()
}

/// The body in OpenAI's dialect, with numbers or in base64 as asked.
pub(super) fn openai(asked: &Embeddings<'_>) -> Value {
    let in_base64 = asked.request["encoding_format"] == "base64";
    let vectors = asked.vectors(&asked.request["dimensions"]).enumerate();
    let data = vectors.map(|(index, vector)| {
        let embedding = if in_base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
            json!(base64::encode(&bytes))
        } else {
            json!(vector)
        };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    });
    let mut body = json!({ "object": "list", "data": data.collect::<Vec<_>>(), "model": asked.model });
    if asked.with_usage {
        body["usage"] = json!({ "prompt_tokens": asked.input_tokens, "total_tokens": asked.input_tokens });
    }
    body
}

/// The body in Gemini's dialect.
pub(super) fn gemini(asked: &Embeddings<'_>) -> Value {
    let dimensions = &asked.request["requests"][0]["outputDimensionality"];
    let embeddings: Vec<Value> = asked
        .vectors(dimensions)
        .map(|vector| json!({ "values": vector }))
        .collect();
    let mut body = json!({ "embeddings": embeddings });
    if asked.with_usage {
        body["usageMetadata"] = json!({ "promptTokenCount": asked.input_tokens });
    }
    body
}

/// The body in Ollama's dialect.
pub(super) fn ollama(asked: &Embeddings<'_>) -> Value {
    let embeddings: Vec<Vec<f32>> = asked.vectors(&asked.request["dimensions"]).collect();
    let mut body = json!({ "model": asked.model, "embeddings": embeddings });
    body["total_duration"] = json!(14_143_917);
    body["load_duration"] = json!(1_019_500);
    if asked.with_usage {
        body["prompt_eval_count"] = json!(asked.input_tokens);
    }
    body
}

impl Embeddings<'_> {
    fn vectors(&self, dimensions: &Value) -> impl Iterator<Item = Vec<f32>> {
        let dimensions = dimensions.as_u64().unwrap_or(DIMENSIONS);
        self.texts.iter().map(move |text| vector(text, dimensions))
    }
}

/// Numbers from -1 to 1 that a text determines, each exact as a float.
fn vector(text: &str, dimensions: u64) -> Vec<f32> {
    // FNV-1a, 64 bits.
    let hash = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let state = text.bytes().fold(0xcbf2_9ce4_8422_2325, hash);
    let number = |place: u64| {
        let state = place.to_le_bytes().into_iter().fold(state, hash);
        f32::from(u16::try_from(state >> 53).unwrap()) / 1_024.0 - 1.0
    };
    (0..dimensions).map(number).collect()
}
