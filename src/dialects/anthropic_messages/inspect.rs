//! A whole answer: whether it is one, and what it used.

use gateway_actors::protocol::UsageReport;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::fault::{ErrorObject, Inspected, ShapeError};
use crate::dialects::json::{is_non_empty_container, raw_text};
use crate::dialects::usage::of_anthropic;

const NOT_JSON: ShapeError = ShapeError::Malformed("not JSON");
const NOT_AN_ANSWER: ShapeError = ShapeError::Malformed("JSON, but not a message");

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// Checks that a body is an answer and reads its usage, in one pass.
///
/// # Errors
/// Why it is no answer; [`ShapeError::NoText`] is not among them.
pub(in crate::dialects) fn inspect(body: &[u8]) -> Result<Inspected, ShapeError> {
    let start = body.trim_ascii_start();
    match start.first() {
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
    let usage = answer.usage.map_or(UsageReport::Missing, of_anthropic);
    if let Some(error) = answer.error {
        let has_output = answer.content.is_some_and(is_non_empty_container);
        return Err(ShapeError::ErrorObject(
            ErrorObject::read(error).with(usage, has_output),
        ));
    }
    let is_message = answer.kind.is_none_or(|kind| raw_text(kind) == Some("message"));
    let has_content = answer.content.is_some_and(|content| content.get().starts_with('['));
    if !is_message || !has_content {
        return Err(NOT_AN_ANSWER);
    }
    Ok(Inspected { usage })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_actors::protocol::TokenUsage;

    const ANSWER: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-4-8",
        "content":[{"type":"text","text":"héllo"}],"stop_reason":"end_turn","stop_sequence":null,
        "usage":{"input_tokens":10,"cache_read_input_tokens":4,"output_tokens":7}}"#;

    #[test]
    fn an_answer_with_usage_is_inspected() {
        let usage = TokenUsage {
            input: 14,
            cached_input: 4,
            output: 7,
            ..TokenUsage::default()
        };
        assert_eq!(inspect(ANSWER.as_bytes()).unwrap().usage, UsageReport::Reported(usage));
        for body in [r#" {"content":[]} "#, r#"{"type":"message","content":[{}]}"#] {
            assert_eq!(inspect(body.as_bytes()).unwrap().usage, UsageReport::Missing, "{body}");
        }
    }

    #[test]
    fn what_is_no_answer_says_why() {
        assert_eq!(inspect(b" \r\n"), Err(ShapeError::Empty));
        assert_eq!(inspect(b"<!DOCTYPE html>"), Err(ShapeError::Malformed("HTML or XML")));
        for body in [
            "{}",
            "[]",
            "null",
            "5",
            r#"{"content":"hi"}"#,
            r#"{"content":null}"#,
            r#"{"type":"completion","content":[]}"#,
            r#"{"choices":[]}"#,
            r#"{"input_tokens":12}"#,
        ] {
            assert_eq!(inspect(body.as_bytes()), Err(NOT_AN_ANSWER), "{body}");
        }
        for body in ["data: {}\n\n", "{\"content\"}", "upstream connect error"] {
            assert_eq!(inspect(body.as_bytes()), Err(NOT_JSON), "{body}");
        }
        let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"x"},"request_id":"r"}"#;
        let error = inspect(body.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "the body is an error: overloaded_error");
    }

    #[test]
    fn an_answer_cut_anywhere_is_never_taken_for_a_whole_one() {
        for length in 1..ANSWER.len() {
            let cut = inspect(&ANSWER.as_bytes()[..length]);
            assert!(cut == Err(ShapeError::Cut) || cut == Err(NOT_JSON), "{length}: {cut:?}");
        }
    }
}
