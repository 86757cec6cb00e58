//! The count of a request's input tokens, which `count_tokens` answers with.

use bytes::Bytes;
use serde::Deserialize;

use crate::dialects::fault::{ErrorObject, ShapeError};

/// The body that tells a client this many tokens: `{"input_tokens":n}`.
#[must_use]
pub fn write_count_answer(tokens: u64) -> Bytes {
    Bytes::from(format!(r#"{{"input_tokens":{tokens}}}"#))
}

/// The count that a provider answers with.
///
/// # Errors
/// Why the body is no such answer.
pub(in crate::dialects) fn read_count_answer(body: &[u8]) -> Result<u64, ShapeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        input_tokens: Option<u64>,
        #[serde(borrow)]
        error: Option<&'a serde_json::value::RawValue>,
    }
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let wire = serde_json::from_slice::<Wire<'_>>(body).ok().filter(|_| is_object);
    match wire {
        Some(Wire { error: Some(error), .. }) => Err(ShapeError::ErrorObject(ErrorObject::read(error))),
        Some(Wire {
            input_tokens: Some(tokens),
            ..
        }) => Ok(tokens),
        _ if body.trim_ascii().is_empty() => Err(ShapeError::Empty),
        _ => Err(ShapeError::Malformed("no count of tokens")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_was_written_is_read_again() {
        for tokens in [0, 17, u64::MAX] {
            assert_eq!(read_count_answer(&write_count_answer(tokens)), Ok(tokens));
        }
    }

    #[test]
    fn what_is_no_count_says_why() {
        assert_eq!(read_count_answer(b" "), Err(ShapeError::Empty));
        for body in [
            "[7]",
            "{}",
            r#"{"input_tokens":-1}"#,
            r#"{"input_tokens":"7"}"#,
            "hello",
        ] {
            let error = read_count_answer(body.as_bytes());
            assert_eq!(error, Err(ShapeError::Malformed("no count of tokens")), "{body}");
        }
        let error = read_count_answer(br#"{"type":"error","error":{"type":"not_found_error"}}"#).unwrap_err();
        assert_eq!(error.to_string(), "the body is an error: not_found_error");
    }
}
