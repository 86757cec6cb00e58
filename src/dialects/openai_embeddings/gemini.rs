//! Gemini's `batchEmbedContents`.

use gateway_actors::protocol::TranslationError;
use serde::Serialize;
use serde_json::value::RawValue;

use super::answer::Vectors;
use super::inspect::Answer;
use super::request::Asked;
use crate::dialects::object::{object, read_body};

/// The most texts of one request ("at most 100 requests can be in one batch").
pub(super) const MOST_TEXTS: usize = 100;

#[derive(Serialize)]
struct Body<'a> {
    requests: Vec<Request<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    model: &'a str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u32>,
}

#[derive(Serialize)]
struct Content<'a> {
    parts: [Part<'a>; 1],
}

#[derive(Serialize)]
struct Part<'a> {
    text: &'a str,
}

object! {
    /// One vector.
    Embedding {
        values = "values": &'a RawValue,
    }
}

/// Writes the body that asks this model.
pub(super) fn write_request(asked: &Asked<'_>, api_model: &str) -> serde_json::Result<Vec<u8>> {
    // As in the path: a tuned model is named with the kind of thing it is.
    let folder = if api_model.contains('/') { "" } else { "models/" };
    let model = format!("{folder}{api_model}");
    let requests = asked.texts.iter().map(|text| Request {
        model: &model,
        content: Content { parts: [Part { text }] },
        output_dimensionality: asked.dimensions,
    });
    serde_json::to_vec(&Body {
        requests: requests.collect(),
    })
}

/// Reads an answer.
///
/// # Errors
/// When it is none.
pub(super) fn read_answer(body: &str) -> Result<Vectors<'_>, TranslationError> {
    let wrong = || TranslationError("it is not an answer of batchEmbedContents");
    let answer: Answer<'_> = serde_json::from_str(body).map_err(|_error| wrong())?;
    let usage = answer.usage();
    let embeddings = answer.embeddings.unwrap_or_default().into_iter();
    let vectors = embeddings.map(|embedding| read_values(embedding).ok_or_else(wrong));
    Ok(Vectors {
        model: None,
        vectors: vectors.collect::<Result<_, _>>()?,
        usage,
    })
}

fn read_values(embedding: &RawValue) -> Option<&RawValue> {
    let embedding: Embedding<'_> = read_body(embedding.get()).ok()?;
    embedding.values
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::answer::write;
    use super::super::encode::Encoding;
    use super::*;

    fn asked() -> Asked<'static> {
        Asked {
            texts: vec!["a".into(), "b\n".into()],
            dimensions: Some(256),
            user: None,
            unknown: Vec::new(),
        }
    }

    #[test]
    fn every_text_is_a_request_of_its_own() {
        let body: Value = serde_json::from_slice(&write_request(&asked(), "gemini-embedding-001").unwrap()).unwrap();
        let request = |text: &str| {
            json!({"model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]},
                "outputDimensionality": 256})
        };
        assert_eq!(body, json!({"requests": [request("a"), request("b\n")]}));
        let tuned = write_request(&asked(), "tunedModels/x").unwrap();
        assert!(String::from_utf8(tuned).unwrap().contains(r#""model":"tunedModels/x""#));
    }

    #[test]
    fn an_answer_is_told_as_openais() {
        let body = r#"{"embeddings":[{"values":[0.5,1e-3]},{"values":[1]}],"usageMetadata":{"promptTokenCount":8}}"#;
        let answer = read_answer(body).unwrap();
        let out = write(&answer, "gemini-embedding-001", 2, Encoding::Float).unwrap();
        let expected = concat!(
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,1e-3]},"#,
            r#"{"object":"embedding","index":1,"embedding":[1]}],"model":"gemini-embedding-001","#,
            r#""usage":{"prompt_tokens":8,"total_tokens":8}}"#
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let base64 = write(&answer, "m", 2, Encoding::Base64).unwrap();
        assert!(String::from_utf8(base64).unwrap().contains(r#""embedding":"AACAPw==""#));
        assert!(write(&answer, "m", 3, Encoding::Float).is_err(), "a vector is missing");
        for body in ["{", r#"{"embeddings":[{}]}"#, r#"{"embeddings":[[1]]}"#] {
            assert!(read_answer(body).is_err(), "{body}");
        }
    }
}
