//! A whole answer: whether it is one, and what it used.

use super::glance::Glance;
use crate::dialects::fault::{Inspected, ShapeError};

const NOT_JSON: ShapeError = ShapeError::Malformed("not JSON");
const NOT_AN_ANSWER: ShapeError = ShapeError::Malformed("JSON, but not a GenerateContentResponse");

/// Checks that a body is an answer and reads its usage, in one pass. A prompt that was blocked is answered: by a refusal.
///
/// # Errors
/// Why it is no answer. What the model made and the provider could not use is an error, so that another model is asked.
pub(in crate::dialects) fn inspect(body: &[u8]) -> Result<Inspected, ShapeError> {
    match body.trim_ascii_start().first() {
        None => return Err(ShapeError::Empty),
        Some(b'<') => return Err(ShapeError::Malformed("HTML or XML")),
        // The parser would read an array as the members of an object, in order.
        Some(b'[') => return Err(NOT_AN_ANSWER),
        Some(_) => {}
    }
    let seen = Glance::at(body).map_err(|error| {
        if error.is_eof() {
            ShapeError::Cut
        } else if error.is_data() {
            NOT_AN_ANSWER
        } else {
            NOT_JSON
        }
    })?;
    if let Some(error) = seen.error() {
        return Err(ShapeError::ErrorObject(error));
    }
    if !seen.is_answer() {
        return Err(NOT_AN_ANSWER);
    }
    Ok(Inspected { usage: seen.usage() })
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::{TokenUsage, UsageReport};

    use super::super::testing::ANSWER;
    use super::*;

    #[test]
    fn an_answer_is_inspected_with_its_usage() {
        let usage = TokenUsage {
            input: 40,
            cached_input: 8,
            output: 27,
            reasoning: 20,
            ..TokenUsage::default()
        };
        assert_eq!(inspect(ANSWER.as_bytes()).unwrap().usage, UsageReport::Reported(usage));
        for body in [
            r#"{"candidates":[{"content":{"role":"model"},"finishReason":"STOP"}]}"#,
            r#"{"candidates":[{"finishReason":"SAFETY","index":0}]}"#,
            r#" {"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":4}} "#,
        ] {
            assert!(inspect(body.as_bytes()).is_ok(), "{body}");
        }
    }

    #[test]
    fn what_is_no_answer_says_why() {
        assert_eq!(inspect(b" \n"), Err(ShapeError::Empty));
        assert_eq!(inspect(b"<html>"), Err(ShapeError::Malformed("HTML or XML")));
        for body in [
            "{}",
            "[]",
            "null",
            r#"[{"candidates":[{"content":{}}]}]"#,
            r#"{"candidates":[]}"#,
            r#"{"candidates":[{}]}"#,
            r#"{"candidates":[{"content":"hi"}]}"#,
            r#"{"promptFeedback":{}}"#,
            r#"{"usageMetadata":{"promptTokenCount":4}}"#,
        ] {
            assert_eq!(inspect(body.as_bytes()), Err(NOT_AN_ANSWER), "{body}");
        }
        for body in ["data: {}\n\n", "{\"candidates\"}", "\u{feff}{}"] {
            assert_eq!(inspect(body.as_bytes()), Err(NOT_JSON), "{body}");
        }
    }

    #[test]
    fn errors_and_what_the_provider_could_not_use_are_no_answers() {
        let error = r#"{"error":{"code":503,"message":"over\nloaded","status":"UNAVAILABLE"}}"#;
        assert_eq!(
            inspect(error.as_bytes()).unwrap_err().to_string(),
            "the body is an error: 503"
        );
        let failed = r#"{"candidates":[{"content":{},"finishReason":"MALFORMED_FUNCTION_CALL"}]}"#;
        assert_eq!(
            inspect(failed.as_bytes()).unwrap_err().to_string(),
            "the body is an error: MALFORMED_FUNCTION_CALL"
        );
    }

    #[test]
    fn an_answer_cut_anywhere_is_never_taken_for_a_whole_one() {
        for length in 1..ANSWER.len() {
            let cut = inspect(&ANSWER.as_bytes()[..length]);
            assert!(cut == Err(ShapeError::Cut) || cut == Err(NOT_JSON), "{length}: {cut:?}");
        }
    }
}
