//! Vectors in the shape of OpenAI's embeddings: made up, but for the same text the same everywhere and always.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How long a vector is when the request does not say.
const DIMENSIONS: usize = 384;
/// The longest vector that is made.
const MOST_DIMENSIONS: usize = 4096;

#[derive(Deserialize)]
struct Request {
    input: Input,
    dimensions: Option<usize>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    One(Item),
    Many(Vec<Item>),
}

/// What becomes one vector.
#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Text(String),
    Tokens(Vec<u32>),
}

#[derive(Serialize)]
struct Answer<'a> {
    object: &'static str,
    data: Vec<Embedding>,
    model: &'a str,
    usage: Usage,
}

#[derive(Serialize)]
struct Embedding {
    object: &'static str,
    index: usize,
    embedding: Vec<f32>,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

/// The answer to a request whose body is in OpenAI's dialect; nothing if the body cannot be read, or asks for vectors of
/// an impossible length.
pub(super) fn answer(model: &str, body: &[u8]) -> Option<Bytes> {
    let Request { input, dimensions } = serde_json::from_slice(body).ok()?;
    let dimensions = dimensions.unwrap_or(DIMENSIONS);
    if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
        return None;
    }
    let items = match input {
        Input::One(item) => vec![item],
        Input::Many(items) => items,
    };
    let tokens = items.iter().map(Item::tokens).sum();
    let embedding = |(index, item): (usize, &Item)| Embedding {
        object: "embedding",
        index,
        embedding: item.vector(dimensions),
    };
    let answer = Answer {
        object: "list",
        data: items.iter().enumerate().map(embedding).collect(),
        model,
        usage: Usage {
            prompt_tokens: tokens,
            total_tokens: tokens,
        },
    };
    serde_json::to_vec(&answer).ok().map(Bytes::from)
}

impl Item {
    /// As if a token of a text had four bytes.
    fn tokens(&self) -> usize {
        match self {
            Self::Text(text) => text.len().div_ceil(4),
            Self::Tokens(tokens) => tokens.len(),
        }
    }

    /// A vector of length 1 that follows from nothing but the item: its numbers are those that SHA-256 gives for the item
    /// with a counter behind it, scaled.
    fn vector(&self, dimensions: usize) -> Vec<f32> {
        let item = match self {
            Self::Text(text) => Sha256::new().chain_update(b"text").chain_update(text),
            Self::Tokens(tokens) => tokens
                .iter()
                .fold(Sha256::new().chain_update(b"tokens"), |hash, token| {
                    hash.chain_update(token.to_le_bytes())
                }),
        };
        let blocks = (0_u32..).map(|counter| item.clone().chain_update(counter.to_le_bytes()).finalize());
        // Odd, so that none is 0 and there is always something to scale.
        let odd = |byte: u8| f32::from(2 * i16::from(byte) - 255);
        let numbers = blocks.flat_map(|block| <[u8; 32]>::from(block).map(odd));
        let mut vector: Vec<f32> = numbers.take(dimensions).collect();
        let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|number| *number /= length);
        vector
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answered(body: &Value) -> Option<Value> {
        let answer = answer("vectors", body.to_string().as_bytes())?;
        Some(serde_json::from_slice(&answer).unwrap())
    }

    fn vectors(body: &Value) -> Vec<Vec<f32>> {
        let answer = answered(body).unwrap();
        let data = answer["data"].as_array().unwrap().iter();
        data.map(|item| serde_json::from_value(item["embedding"].clone()).unwrap())
            .collect()
    }

    #[test]
    fn the_same_text_has_the_same_vector_and_another_has_another() {
        let all = vectors(&json!({ "input": ["one", "two", "one", ""] }));
        assert_eq!(all[0], all[2]);
        assert_eq!(vectors(&json!({ "input": "one" })), all[..1]);
        for (one, other) in [(0, 1), (0, 3), (1, 3)] {
            assert_ne!(all[one], all[other]);
        }
    }

    #[test]
    fn every_vector_is_as_long_as_it_is_to_be_and_of_length_one() {
        for (dimensions, expected) in [(None, DIMENSIONS), (Some(1), 1), (Some(33), 33), (Some(4096), 4096)] {
            for vector in vectors(&json!({ "input": ["one", "zwei 二"], "dimensions": dimensions })) {
                assert_eq!(vector.len(), expected);
                let length: f32 = vector.iter().map(|number| number * number).sum();
                assert!((length - 1.0).abs() < 1e-4, "{length}");
            }
        }
        for dimensions in [0, 4097] {
            assert_eq!(answered(&json!({ "input": "x", "dimensions": dimensions })), None);
        }
    }

    #[test]
    fn the_answer_is_in_openais_shape_and_counts_four_bytes_a_token() {
        let answer = answered(&json!({ "input": ["12345", "1"], "dimensions": 2, "model": "x", "user": "u" })).unwrap();
        let indexes: Vec<&Value> = answer["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| &item["index"])
            .collect();
        assert_eq!(indexes, [0, 1]);
        assert_eq!(
            (&answer["object"], &answer["model"]),
            (&json!("list"), &json!("vectors"))
        );
        assert_eq!(answer["usage"], json!({ "prompt_tokens": 3, "total_tokens": 3 }));
    }

    #[test]
    fn tokens_have_vectors_too_and_what_cannot_be_read_has_none() {
        let tokens = vectors(&json!({ "input": [1, 2, 3] }));
        assert_eq!(tokens, vectors(&json!({ "input": [[1, 2, 3]] })));
        assert_ne!(tokens, vectors(&json!({ "input": [[1, 2, 4]] })));
        let answer = answered(&json!({ "input": [[1, 2, 3], [4]] })).unwrap();
        assert_eq!(answer["usage"]["prompt_tokens"], 4);
        for body in [json!({}), json!({ "input": 7 }), json!([]), json!("input")] {
            assert_eq!(answered(&body), None, "{body}");
        }
    }
}
