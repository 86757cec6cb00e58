//! A whole answer: whether it is one, and what it used.

use super::glance::{Glance, usage};
use crate::dialects::fault::{Inspected, ShapeError};

const NOT_JSON: ShapeError = ShapeError::Malformed("not JSON");
const NOT_AN_ANSWER: ShapeError = ShapeError::Malformed("JSON, but not a ChatResponse");

/// Checks that a body is an answer, which is `done`, and reads its usage.
///
/// # Errors
/// Why it is no answer.
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
    if !seen.has_message() {
        return Err(NOT_AN_ANSWER);
    }
    if !seen.is_done() {
        return Err(ShapeError::Cut);
    }
    Ok(Inspected { usage: usage(body) })
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::{TokenUsage, UsageReport};

    use super::super::testing::ANSWER;
    use super::*;

    #[test]
    fn an_answer_is_inspected_with_its_usage() {
        let usage = TokenUsage {
            input: 169,
            output: 15,
            ..TokenUsage::default()
        };
        assert_eq!(inspect(ANSWER.as_bytes()).unwrap().usage, UsageReport::Reported(usage));
        let bare = br#" {"message":{"role":"assistant","content":"hi","images":null},"done":true} "#;
        assert_eq!(inspect(bare).unwrap().usage, UsageReport::Missing);
    }

    #[test]
    fn what_is_no_answer_says_why() {
        assert_eq!(inspect(b" \n"), Err(ShapeError::Empty));
        assert_eq!(inspect(b"<html>"), Err(ShapeError::Malformed("HTML or XML")));
        for body in [
            "{}",
            "[]",
            "null",
            r#"{"done":true}"#,
            r#"{"message":"hi","done":true}"#,
        ] {
            assert_eq!(inspect(body.as_bytes()), Err(NOT_AN_ANSWER), "{body}");
        }
        // The first line of a stream, or all of it.
        let line = r#"{"message":{"content":"a"},"done":false}"#;
        assert_eq!(inspect(line.as_bytes()), Err(ShapeError::Cut));
        assert_eq!(inspect(format!("{line}\n{line}\n").as_bytes()), Err(NOT_JSON));
        let error = inspect(br#"{"error":"the model failed to generate a response"}"#).unwrap_err();
        assert_eq!(error.to_string(), "the body is an error: without a code");
        let loaded = inspect(br#"{"message":{"content":""},"done_reason":"load","done":true}"#).unwrap_err();
        assert_eq!(loaded.to_string(), "the body is an error: load");
    }

    #[test]
    fn an_answer_cut_anywhere_is_never_taken_for_a_whole_one() {
        for length in 1..ANSWER.len() {
            let cut = inspect(&ANSWER.as_bytes()[..length]);
            assert!(cut == Err(ShapeError::Cut) || cut == Err(NOT_JSON), "{length}: {cut:?}");
        }
    }
}
