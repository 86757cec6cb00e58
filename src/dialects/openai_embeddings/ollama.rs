//! Ollama's `/api/embed`.

use std::borrow::Cow;

use gateway_actors::protocol::TranslationError;
use serde::Serialize;

use super::answer::Vectors;
use super::inspect::Answer;
use super::request::Asked;
use crate::dialects::json::text;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    input: &'a [Cow<'a, str>],
    /// A text that is too long is refused, as OpenAI does, rather than cut.
    truncate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
}

/// Writes the body that asks this model.
pub(super) fn write_request(asked: &Asked<'_>, api_model: &str) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Body {
        model: api_model,
        input: &asked.texts,
        truncate: false,
        dimensions: asked.dimensions,
    })
}

/// Reads an answer.
///
/// # Errors
/// When it is none.
pub(super) fn read_answer(body: &str) -> Result<Vectors<'_>, TranslationError> {
    let wrong = |_error| TranslationError("it is not an answer of /api/embed");
    let answer: Answer<'_> = serde_json::from_str(body).map_err(wrong)?;
    Ok(Vectors {
        usage: answer.usage(),
        model: answer.model.and_then(text),
        vectors: answer.embeddings.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::answer::write;
    use super::super::encode::Encoding;
    use super::*;

    #[test]
    fn texts_are_asked_for_together_and_none_is_cut() {
        let mut asked = Asked {
            texts: vec!["a".into(), "b".into()],
            dimensions: None,
            user: None,
            unknown: Vec::new(),
        };
        let body = |asked: &Asked<'_>| -> Value {
            serde_json::from_slice(&write_request(asked, "all-minilm").unwrap()).unwrap()
        };
        assert_eq!(
            body(&asked),
            json!({"model": "all-minilm", "input": ["a", "b"], "truncate": false})
        );
        asked.dimensions = Some(64);
        assert_eq!(body(&asked)["dimensions"], 64);
    }

    #[test]
    fn an_answer_is_told_as_openais() {
        let body = r#"{"model":"all-minilm:22m","embeddings":[[0.010071029,-1]],"total_duration":14143917,"load_duration":1019500}"#;
        let answer = read_answer(body).unwrap();
        let out = write(&answer, "all-minilm", 1, Encoding::Float).unwrap();
        let expected = concat!(
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.010071029,-1]}],"#,
            r#""model":"all-minilm:22m","usage":{"prompt_tokens":0,"total_tokens":0}}"#
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        for odd in [r#"{"values":[1]}"#, r#"["0.5"]"#, "[[1]]", "[1,null]", "[1e999]"] {
            let body = format!(r#"{{"embeddings":[{odd}]}}"#);
            let answer = read_answer(&body).unwrap();
            for encoding in [Encoding::Base64, Encoding::Float] {
                assert!(write(&answer, "m", 1, encoding).is_err(), "{odd} as {encoding:?}");
            }
        }
    }
}
