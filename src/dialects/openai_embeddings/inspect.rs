//! A provider's whole answer: whether it is one, and what it used.

use gateway_actors::protocol::{Dialect, UsageReport};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::fault::{ErrorObject, Inspected, ShapeError};
use crate::dialects::usage::{of_embeddings, of_input_count};

const NOT_JSON: ShapeError = ShapeError::Malformed("not JSON");
const NOT_AN_ANSWER: ShapeError = ShapeError::Malformed("JSON, but no embeddings");

/// An answer in any of the dialects.
#[derive(Debug, Deserialize)]
pub(super) struct Answer<'a> {
    /// OpenAI's.
    #[serde(borrow)]
    pub(super) data: Option<Vec<Embedding<'a>>>,
    /// Those of Gemini, which are objects, and of Ollama, which are arrays.
    #[serde(borrow)]
    pub(super) embeddings: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    pub(super) model: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, rename = "usageMetadata")]
    usage_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt_eval_count: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// One vector of OpenAI's.
#[derive(Debug, Deserialize)]
pub(super) struct Embedding<'a> {
    #[serde(borrow)]
    pub(super) embedding: Option<&'a RawValue>,
}

impl Answer<'_> {
    /// What it says of usage.
    pub(super) fn usage(&self) -> UsageReport {
        match self.usage.or(self.usage_metadata) {
            Some(usage) => of_embeddings(usage),
            None => of_input_count(self.prompt_eval_count),
        }
    }
}

/// Checks that a body is an answer in this dialect and reads its usage, in one pass.
///
/// # Errors
/// Why it is no answer; [`ShapeError::NoText`] is not among them.
pub(in crate::dialects) fn inspect(dialect: Dialect, body: &[u8]) -> Result<Inspected, ShapeError> {
    match body.trim_ascii_start().first() {
        None => return Err(ShapeError::Empty),
        Some(b'<') => return Err(ShapeError::Malformed("HTML or XML")),
        // The parser would read an array as the members of an object, in order.
        Some(b'[') => return Err(NOT_AN_ANSWER),
        Some(_) => {}
    }
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|error| {
        if error.is_eof() {
            ShapeError::Cut
        } else if error.is_data() {
            NOT_AN_ANSWER
        } else {
            NOT_JSON
        }
    })?;
    if let Some(error) = answer.error {
        return Err(ShapeError::ErrorObject(ErrorObject::read(error)));
    }
    let has_vectors = match dialect {
        Dialect::Gemini | Dialect::Ollama => answer.embeddings.as_ref().is_some_and(|list| !list.is_empty()),
        _ => {
            let first = answer.data.as_ref().and_then(|data| data.first());
            first.is_some_and(|first| first.embedding.is_some())
        }
    };
    if !has_vectors {
        return Err(NOT_AN_ANSWER);
    }
    Ok(Inspected { usage: answer.usage() })
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::TokenUsage;

    use super::*;

    const OPENAI: &str = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1]}],"model":"m",
        "usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    const GEMINI: &str = r#"{"embeddings":[{"values":[0.1]}],"usageMetadata":{"promptTokenCount":8}}"#;
    const OLLAMA: &str = r#"{"model":"m","embeddings":[[0.1]],"total_duration":1,"prompt_eval_count":8}"#;

    #[test]
    fn an_answer_of_each_dialect_is_inspected() {
        let usage = UsageReport::Reported(TokenUsage {
            input: 8,
            ..TokenUsage::default()
        });
        for (dialect, body) in [
            (Dialect::OpenaiChat, OPENAI),
            (Dialect::Gemini, GEMINI),
            (Dialect::Ollama, OLLAMA),
        ] {
            assert_eq!(
                inspect(dialect, body.as_bytes()).map(|inspected| inspected.usage),
                Ok(usage),
                "{dialect}"
            );
            for length in 1..body.len() {
                let cut = inspect(dialect, &body.as_bytes()[..length]);
                assert!(
                    cut == Err(ShapeError::Cut) || cut == Err(NOT_JSON),
                    "{dialect} {length}: {cut:?}"
                );
            }
        }
        let silent = inspect(Dialect::Gemini, br#"{"embeddings":[{"values":[]}]}"#);
        assert_eq!(silent.unwrap().usage, UsageReport::Missing);
    }

    #[test]
    fn what_is_no_answer_says_why() {
        assert_eq!(inspect(Dialect::OpenaiChat, b" \n"), Err(ShapeError::Empty));
        assert_eq!(
            inspect(Dialect::OpenaiChat, b"<html>"),
            Err(ShapeError::Malformed("HTML or XML"))
        );
        for body in [
            "{}",
            "[]",
            r#"{"data":[]}"#,
            r#"{"data":[{}]}"#,
            r#"{"data":7}"#,
            GEMINI,
        ] {
            assert_eq!(
                inspect(Dialect::OpenaiChat, body.as_bytes()),
                Err(NOT_AN_ANSWER),
                "{body}"
            );
        }
        for body in [r#"{"embeddings":[]}"#, OPENAI] {
            assert_eq!(inspect(Dialect::Ollama, body.as_bytes()), Err(NOT_AN_ANSWER), "{body}");
        }
        let error = inspect(
            Dialect::Gemini,
            br#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}"#,
        );
        assert!(matches!(error, Err(ShapeError::ErrorObject(_))));
    }
}
