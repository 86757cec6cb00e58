//! What a response repeats of its request.

use std::borrow::Cow;
use std::ops::Range;

use gateway_actors::protocol::ErrorKind;
use serde_json::value::RawValue;

use super::values::Members;
use crate::dialects::json::{push_string, range_in};

/// The members that are repeated, each with what stands for it if the request does not give it: the defaults of the
/// published schema.
const REPEATED: &[(&str, &str)] = &[
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("service_tier", r#""default""#),
    ("store", "true"),
    ("temperature", "1.0"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "1.0"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
];

/// The members of a response that repeat those of its request: an object on one line. `continued` is the answer that the
/// request goes on from, if what came before has been put in front of its input in the place of that answer's id.
pub(super) fn echo(body: &str, continued: Option<&str>) -> Box<RawValue> {
    let body = serde_json::from_str::<&RawValue>(body).ok().and_then(Members::of);
    let mut members = body.unwrap_or_default();
    let mut out = Vec::from(*b"{");
    for (name, usual) in REPEATED {
        if out.len() > 1 {
            out.push(b',');
        }
        push_string(&mut out, name);
        out.push(b':');
        let given = members.take(name).map(RawValue::get);
        match continued {
            Some(id) if *name == "previous_response_id" => push_string(&mut out, id),
            _ => out.extend_from_slice(given.unwrap_or(usual).as_bytes()),
        }
    }
    out.push(b'}');
    on_one_line(&mut out);
    let whole = String::from_utf8(out).map_err(|_never| ErrorKind::Internal);
    let whole = whole.and_then(|whole| RawValue::from_string(whole).map_err(|_never| ErrorKind::Internal));
    whole.unwrap_or_else(|_never| RawValue::NULL.to_owned())
}

/// What is repeated, with this tier of service unless it is empty.
pub(super) fn in_tier<'e>(echo: &'e RawValue, tier: &str) -> Cow<'e, str> {
    let json = echo.get();
    let asked = Members::of(echo).and_then(|mut members| members.take("service_tier"));
    let Some(asked) = asked.filter(|_| !tier.is_empty()) else {
        return Cow::Borrowed(json);
    };
    let Range { start, end } = range_in(json, asked);
    let before = json.get(..start).unwrap_or_default();
    let after = json.get(end..).unwrap_or_default();
    let mut told = Vec::from(before);
    push_string(&mut told, tier);
    told.extend_from_slice(after.as_bytes());
    String::from_utf8(told).map_or(Cow::Borrowed(json), Cow::Owned)
}

/// Puts JSON on one line, as an event of a stream must be: between its tokens line ends are white space, and within its
/// strings there are none.
pub(super) fn on_one_line(json: &mut [u8]) {
    json.iter_mut()
        .filter(|byte| matches!(**byte, b'\n' | b'\r'))
        .for_each(|byte| *byte = b' ');
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_was_asked_is_repeated_and_the_rest_has_its_defaults() {
        let body = "{\"model\":\"m\",\"input\":\"hi\",\"tools\":[\n{\"type\":\"function\",\r\n\"name\":\"f\"}],\"temperature\":0.70,
            \"instructions\":\"be\\nbrief\",\"store\":false,\"previous_response_id\":\"resp_1\",\"metadata\":null}";
        let echo = echo(body, None);
        assert!(!echo.get().contains(['\n', '\r']) && echo.get().contains("0.70"));
        let value: Value = serde_json::from_str(echo.get()).unwrap();
        assert_eq!(value["tools"], json!([{"type": "function", "name": "f"}]));
        assert_eq!(value["instructions"], "be\nbrief");
        assert_eq!(
            (&value["store"], &value["previous_response_id"]),
            (&json!(false), &json!("resp_1"))
        );
        assert_eq!(
            (&value["metadata"], &value["tool_choice"]),
            (&json!({}), &json!("auto"))
        );
        assert_eq!(value.as_object().unwrap().len(), REPEATED.len());
        for other in ["input", "model", "id", "output", "usage", "status"] {
            assert!(value.get(other).is_none(), "{other}");
        }
    }

    #[test]
    fn the_tier_that_was_told_stands_for_the_one_that_was_asked_for() {
        let asked = echo(r#"{"service_tier":"priority","user":"u"}"#, None);
        for (told, expected) in [("default", "default"), ("", "priority"), ("a\"b", "a\"b")] {
            let value: Value = serde_json::from_str(&in_tier(&asked, told)).unwrap();
            assert_eq!(
                (&value["service_tier"], &value["user"]),
                (&json!(expected), &json!("u"))
            );
            assert_eq!(value.as_object().unwrap().len(), REPEATED.len());
        }
    }

    #[test]
    fn the_answer_that_was_gone_on_from_is_named_though_the_body_no_longer_does() {
        for body in [r#"{"previous_response_id":null}"#, "{}"] {
            let value: Value = serde_json::from_str(echo(body, Some("resp_1")).get()).unwrap();
            assert_eq!(value["previous_response_id"], "resp_1");
        }
    }

    #[test]
    fn a_body_that_says_nothing_has_all_defaults() {
        for body in ["{}", "[]", ""] {
            let value: Value = serde_json::from_str(echo(body, None).get()).unwrap();
            assert_eq!(
                (&value["parallel_tool_calls"], &value["tools"]),
                (&json!(true), &json!([]))
            );
        }
    }
}
