//! A provider's whole answer: whether it is one, and what it used.

use std::fmt;

use gateway_actors::protocol::{Tier, UsageReport};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::dialects::fault::{ErrorObject, Inspected, ShapeError};
use crate::dialects::json::raw_text;
use crate::dialects::usage::of_openai_responses;

const NOT_JSON: ShapeError = ShapeError::Malformed("not JSON");
const NOT_AN_ANSWER: ShapeError = ShapeError::Malformed("JSON, but not a response");
const NOT_FINISHED: ShapeError = ShapeError::Malformed("a response that is not finished");

#[derive(Deserialize)]
struct Answer<'a> {
    output: Option<Items>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
}

/// Checks that a body is an answer and reads its usage, in one pass.
///
/// # Errors
/// Why it is no answer; [`ShapeError::NoText`] is not among them.
pub(in crate::dialects) fn inspect(body: &[u8]) -> Result<Inspected, ShapeError> {
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
    let usage = answer.usage.map_or(UsageReport::Missing, of_openai_responses);
    let usage = usage.in_tier(Tier::of_member(answer.service_tier));
    let has_items = answer.output.as_ref().is_some_and(|Items { count }| *count > 0);
    let failed = |error: ErrorObject| Err(ShapeError::ErrorObject(error.with(usage, has_items)));
    if let Some(error) = answer.error {
        return failed(ErrorObject::read(error));
    }
    match answer.status.and_then(raw_text) {
        Some("failed") => return failed(ErrorObject::UNKNOWN),
        Some("queued" | "in_progress" | "cancelled") => return Err(NOT_FINISHED),
        _ => {}
    }
    if answer.output.is_none() {
        return Err(NOT_AN_ANSWER);
    }
    Ok(Inspected { usage })
}

/// An array of so many objects, whatever is in them.
struct Items {
    count: usize,
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemsVisitor;

        impl<'de> Visitor<'de> for ItemsVisitor {
            type Value = Items;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items, A::Error> {
                let mut count = 0;
                while seq.next_element::<Object>()?.is_some() {
                    count += 1;
                }
                Ok(Items { count })
            }
        }

        deserializer.deserialize_seq(ItemsVisitor)
    }
}

/// An object, whatever is in it.
struct Object;

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an item")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Object)
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_actors::protocol::TokenUsage;

    /// Of the reference of `POST /v1/responses`.
    const ANSWER: &str = r#"{"id":"resp_67ccd","object":"response","created_at":1741476542,"status":"completed","error":null,
        "incomplete_details":null,"model":"gpt-4.1-2025-04-14","output":[{"type":"message","id":"msg_67ccd",
        "status":"completed","role":"assistant","content":[{"type":"output_text","text":"In a peaceful grove…",
        "annotations":[]}]}],"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":0},
        "output_tokens":87,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":123}}"#;

    #[test]
    fn an_answer_with_usage_is_inspected() {
        let usage = TokenUsage {
            input: 36,
            output: 87,
            ..TokenUsage::default()
        };
        assert_eq!(inspect(ANSWER.as_bytes()).unwrap().usage, UsageReport::Reported(usage));
        for body in [
            r#"{"output":[]}"#,
            r#"{"output":[{}],"status":"incomplete","usage":null}"#,
        ] {
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
            r#"{"output":{}}"#,
            r#"{"output":[5]}"#,
            r#"{"output":[[]]}"#,
        ] {
            assert_eq!(inspect(body.as_bytes()), Err(NOT_AN_ANSWER), "{body}");
        }
        for body in ["data: {}\n\n", "{\"output\"}", "upstream connect error"] {
            assert_eq!(inspect(body.as_bytes()), Err(NOT_JSON), "{body}");
        }
        for status in ["queued", "in_progress", "cancelled"] {
            let body = format!(r#"{{"status":"{status}","output":[]}}"#);
            assert_eq!(inspect(body.as_bytes()), Err(NOT_FINISHED), "{body}");
        }
        let failed = br#"{"status":"failed","output":[],"error":{"code":"server_error","message":"no such luck"}}"#;
        assert_eq!(
            inspect(failed).unwrap_err().to_string(),
            "the body is an error: server_error"
        );
        let unnamed = inspect(br#"{"status":"failed","output":[],"error":null}"#);
        assert_eq!(unnamed, Err(ShapeError::ErrorObject(ErrorObject::UNKNOWN)));
    }

    #[test]
    fn a_failed_answer_tells_its_usage_and_whether_there_is_something_in_it() {
        let told = |output: &str, usage: &str| {
            let body =
                format!(r#"{{"status":"failed","output":{output},"error":{{"code":"server_error"}},"usage":{usage}}}"#);
            match inspect(body.as_bytes()) {
                Err(ShapeError::ErrorObject(error)) => (error.has_output, error.usage),
                other => panic!("{other:?}"),
            }
        };
        let usage = TokenUsage {
            input: 4,
            output: 2,
            ..TokenUsage::default()
        };
        let reported = r#"{"input_tokens":4,"output_tokens":2}"#;
        assert_eq!(told("[]", "null"), (false, UsageReport::Missing));
        assert_eq!(told("[]", reported), (false, UsageReport::Reported(usage)));
        assert_eq!(told("[{}]", reported), (true, UsageReport::Reported(usage)));
        // Something was made, whatever this says.
        let without_output = r#"{"input_tokens":4,"output_tokens":0}"#;
        assert_eq!(told("[{}]", without_output), (true, UsageReport::Missing));
    }

    #[test]
    fn an_answer_cut_anywhere_is_never_taken_for_a_whole_one() {
        for length in 1..ANSWER.len() {
            let cut = inspect(&ANSWER.as_bytes()[..length]);
            assert!(cut == Err(ShapeError::Cut) || cut == Err(NOT_JSON), "{length}: {cut:?}");
        }
    }
}
