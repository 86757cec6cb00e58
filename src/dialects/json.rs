//! Small helpers for values that are still text.

use std::borrow::Cow;
use std::ops::Range;

use gateway_actors::protocol::{ErrorKind, GatewayError};
use serde::Serialize;
use serde_json::value::RawValue;

/// A request's body in JSON.
///
/// # Errors
/// `internal`, if something in it cannot be written, which a reader of requests has to see to.
pub(super) fn body(request: &impl Serialize) -> Result<Vec<u8>, GatewayError> {
    serde_json::to_vec(request).map_err(|_error| {
        let message = "the request could not be written for the model; this is a defect of the gateway";
        GatewayError::new(ErrorKind::Internal, message)
    })
}

/// Appends a text as a JSON string.
pub(super) fn push_string(out: &mut Vec<u8>, text: &str) {
    let written = serde_json::to_writer(out, text);
    debug_assert!(written.is_ok(), "writing a string to memory does not fail");
}

/// Where a value that was borrowed from `body` stands in it.
pub(super) fn range_in(body: &str, value: &RawValue) -> Range<usize> {
    let start = value.get().as_ptr().addr().saturating_sub(body.as_ptr().addr());
    start..start + value.get().len()
}

/// Whether a value is a string, whatever it says.
pub(super) fn is_string(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

/// Whether a value is an object, whatever is in it.
pub(super) fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

/// The bytes between a string's quotes, escapes not resolved: never fewer than the text has.
pub(super) fn raw_text(value: &RawValue) -> Option<&str> {
    value.get().strip_prefix('"')?.strip_suffix('"')
}

/// The text of a string value; nothing if it is no string.
pub(super) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let raw = raw_text(value)?;
    if raw.contains('\\') {
        serde_json::from_str(value.get()).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(raw))
    }
}

/// Whether a value is an array or object with something in it.
pub(super) fn is_non_empty_container(value: &RawValue) -> bool {
    let mut characters = value.get().chars();
    let opens = matches!(characters.next(), Some('[' | '{'));
    let next = characters.find(|character| !character.is_ascii_whitespace());
    opens && !matches!(next, Some(']' | '}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_where_it_stands() {
        let body = r#"{ "a" :  [1, 2] }"#;
        let values: std::collections::HashMap<&str, &RawValue> = serde_json::from_str(body).unwrap();
        let range = range_in(body, values["a"]);
        assert_eq!(&body[range], "[1, 2]");
    }

    #[test]
    fn containers_are_empty_whatever_white_space_they_hold() {
        for (json, expected) in [
            ("[ \n]", false),
            ("{}", false),
            ("[0]", true),
            ("{ \"a\":1}", true),
            ("null", false),
        ] {
            let value: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(is_non_empty_container(value), expected, "{json}");
        }
    }
}
